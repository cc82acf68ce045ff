"""What a tracking store knows of a run, in the same records whichever kind of store it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from dnnprov.importers.imported_run import Source

Point: TypeAlias = "tuple[str, int, int, float]"
"""A value of a metric: its name, step, time (milliseconds since 1970) and value."""

DELETED = "deleted"
"""Lifecycle stage of what MLflow keeps in its bin."""


@dataclass(frozen=True)
class TrackedDataset:
    """A dataset that a run was given.

    Attributes:
        name, digest: as MLflow tells it from others.
        source_type, source: where it comes from, the latter as JSON.
        schema, profile: JSON.
        tags: of this use; `mlflow.data.context` says what for.
    """

    name: str
    digest: str
    source_type: str | None = None
    source: str | None = None
    schema: str | None = None
    profile: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrackedModel:
    """A model of MLflow 3, which is a thing of its own beside the run that made it.

    Attributes:
        model_id: of MLflow.
        relation: `used` where the run was given it.
        name, model_type, status: as MLflow has them.
        location: URI of its files.
    """

    model_id: str
    relation: Literal["used", "generated"]
    name: str | None = None
    model_type: str | None = None
    status: str | None = None
    location: str | None = None


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model that comes from a run.

    Attributes:
        name: of the registered model.
        version: its number.
        stage: `Production`, say; of older stores.
        source: URI of its files.
        description: of people.
        created_at: milliseconds since 1970.
    """

    name: str
    version: int
    stage: str | None = None
    source: str | None = None
    description: str | None = None
    created_at: int | None = None


@dataclass(frozen=True)
class TrackedRun:
    """A run, but for the values of its metrics.

    Attributes:
        run_id, experiment_id: of MLflow.
        experiment: its name.
        name: of the run, where it has one.
        status: FINISHED, FAILED, KILLED, RUNNING or SCHEDULED.
        started_at, ended_at: milliseconds since 1970.
        user: who ran it.
        source_name: the program.
        source_version: its commit.
        artifact_uri: where its files are.
        params, tags: by name.
        datasets, models, versions: that belong to it.
        sources: that tell of it.
    """

    run_id: str
    experiment_id: str
    experiment: str
    name: str | None
    status: str
    started_at: int | None
    ended_at: int | None
    user: str | None
    source_name: str | None
    source_version: str | None
    artifact_uri: str | None
    params: dict[str, str]
    tags: dict[str, str]
    datasets: tuple[TrackedDataset, ...] = ()
    models: tuple[TrackedModel, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    sources: tuple[Source, ...] = ()
