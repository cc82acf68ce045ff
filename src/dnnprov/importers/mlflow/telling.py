"""Tells the events of one run of MLflow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dnnprov.importers.logged_names import epoch_name, meaning
from dnnprov.importers.mlflow.artifacts import MissingFolderError
from dnnprov.importers.told_training import ToldTraining
from dnnprov.model.events import ElementsRecorded, FileHashed, FileRecorded
from dnnprov.model.training import LEARNING_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dnnprov.importers.mlflow.artifacts import Artifact, Artifacts
    from dnnprov.importers.mlflow.epochs import RunEpochs
    from dnnprov.importers.mlflow.points import RunPoints
    from dnnprov.importers.mlflow.tracked import TrackedDataset, TrackedRun
    from dnnprov.journal.staging import StagedSegment
    from dnnprov.model.events import Relation, RunStatus

DATASETS, MODELS, VERSIONS = "iDataset", "oModel", "oModelVersion"
"""Data sets of the datasets that a run was given, of the models that it made or was given, and of those registered."""

_CONTEXT = "mlflow.data.context"
_MODEL, _ARTIFACT, _DATASET = "model", "artifact", "dataset"


class TellingRun:
    """Tells one run to a segment.

    Args:
        run: it.
        segment: of it.
        started_at: microseconds since 1970.
    """

    def __init__(self, run: TrackedRun, segment: StagedSegment, started_at: int) -> None:
        self._run = run
        self._segment = segment
        self.training = ToldTraining(segment, started_at)

    def hyperparameters(self, values: dict[str, Any]) -> None:
        """Hyperparameters and datasets, which it was given."""
        self.training.has(values)
        for dataset in self._run.datasets:
            self._element(DATASETS, "used", _dataset_row(dataset))
            place = _place_of(dataset.source)
            if place is not None:
                self._file(
                    FileRecorded(path=place, relation="used", role=_DATASET), "MLflow names it, and keeps no hash"
                )

    def metrics(self, points: RunPoints, values: Iterable[tuple[int, int, int, float]], epochs: RunEpochs) -> None:
        """Series as they come, then a row for each epoch, then the results of tests."""
        tags, training = points.tags, self.training
        names = _row_names(tags, epochs)
        means = [meaning(tag) for tag in tags]
        is_test = [kind == "test" and one.count == 1 for (kind, _), one in zip(means, points.courses, strict=True)]
        is_rate = [name == LEARNING_RATE for _, name in means]
        rows: dict[int, dict[str, Any]] = {}
        times: dict[int, int] = {}
        tests: dict[str, Any] = {}
        tested_at, epoch_at = 0, epochs.of_steps.get
        for place, step, at, value in values:
            name = names[place]
            if name is not None:
                epoch = epochs.epoch(step)
                rows.setdefault(epoch, {"epoch": epoch})[name] = value
                times[epoch] = max(at, times.get(epoch, 0))
            elif is_test[place]:
                tests[means[place][1]], tested_at = value, max(at, tested_at)
            else:
                epoch_now = epoch_at(step)
                if is_rate[place]:
                    training.rate_seen(value, epoch_now, step, at)
                training.step({tags[place]: value}, step, epoch_now, at)
        for epoch, row in sorted(rows.items()):
            training.epoch(row, times[epoch])
        if tests:
            training.test(tests, tested_at)

    def files(self, artifacts: Callable[[str], Artifacts], ended_at: int) -> None:
        """What it left: files, models, and versions of registered models."""
        run = self._run
        if run.artifact_uri:
            self._folder(artifacts, run.artifact_uri, "generated", ended_at)
        for model in run.models:
            row = {"model_id": model.model_id, "name": model.name, "model_type": model.model_type}
            self._element(MODELS, model.relation, {**row, "status": model.status, "location": model.location})
            if model.location:
                self._folder(artifacts, model.location, model.relation, ended_at, role=_MODEL)
        for version in run.versions:
            told = {
                "name": version.name,
                "version": version.version,
                "stage": version.stage,
                "source": version.source,
                "description": version.description,
            }
            self._element(VERSIONS, "generated", told, (version.created_at or 0) * 1000)

    def end(self, status: RunStatus, at: int) -> None:
        """It ended."""
        self.training.end(status, at)

    def _element(self, tag: str, relation: Relation, row: dict[str, Any], at: int = 0) -> None:
        self._segment.append(
            ElementsRecorded(set=tag, relation=relation, rows=[row], task=self.training.task, at=max(at, 0))
        )

    def _folder(
        self, artifacts: Callable[[str], Artifacts], uri: str, relation: Relation, at: int, role: str | None = None
    ) -> None:
        try:
            for one in artifacts(uri):
                named = role or (_MODEL if one.is_model else _ARTIFACT)
                file = FileRecorded(
                    path=one.path, relation=relation, role=named, size=one.size, modified=one.modified, at=at
                )
                self._file(file, one.note, one)
        except MissingFolderError:
            self.training.left_out(f"the folder {uri!r} is not there; files that the run left in it are not known")

    def _file(self, file: FileRecorded, note: str | None, artifact: Artifact | None = None) -> None:
        file.task = self.training.task
        number = self._segment.append(file)
        sha256 = None if artifact is None else artifact.sha256
        self._segment.append(FileHashed(file=number, sha256=sha256, reason=note))


def _row_names(tags: tuple[str, ...], epochs: RunEpochs) -> list[str | None]:
    """For each series the attribute of oTrainingModel that it becomes, `None` for one that is not of epochs.

    Of two that mean the same, the later one keeps its own name.
    """
    taken = {"epoch"}
    names: list[str | None] = []
    for tag in tags:
        name = epoch_name(tag) if tag in epochs.tags else None
        if name in taken:
            name = tag if tag not in taken else None
        if name is not None:
            taken.add(name)
        names.append(name)
    return names


def _dataset_row(dataset: TrackedDataset) -> dict[str, Any]:
    tags = dict(dataset.tags)
    row = {
        "name": dataset.name,
        "digest": dataset.digest,
        "context": tags.pop(_CONTEXT, None),
        "source_type": dataset.source_type,
        "source": dataset.source,
        "schema": dataset.schema,
        "profile": dataset.profile,
    }
    return {**tags, **row}


def _place_of(source: str | None) -> str | None:
    """The path or address that a source of a dataset names."""
    try:
        told = json.loads(source or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    return next((told[key] for key in ("uri", "url", "path") if isinstance(told.get(key), str) and told[key]), None)
