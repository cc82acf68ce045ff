"""The answers of an MLflow server, so far as they are read (`mlflow/protos/service.proto`, `model_registry.proto`)."""

from __future__ import annotations

import msgspec


class Page(msgspec.Struct):
    """A part of an answer; a token leads to the next."""

    next_page_token: str | None = None


class Pair(msgspec.Struct):
    """A param or tag."""

    key: str
    value: str = ""


class Experiment(msgspec.Struct):
    """An experiment."""

    experiment_id: str
    name: str
    lifecycle_stage: str = "active"


class Experiments(Page):
    """Of a server."""

    experiments: list[Experiment] = []


class RunInfo(msgspec.Struct):
    """A run without its data; before MLflow 1.0 its id was called otherwise."""

    run_id: str | None = None
    run_uuid: str | None = None
    experiment_id: str = ""
    run_name: str | None = None
    name: str | None = None
    user_id: str | None = None
    status: str = "RUNNING"
    start_time: int | None = None
    end_time: int | None = None
    artifact_uri: str | None = None
    lifecycle_stage: str = "active"
    source_name: str | None = None
    source_version: str | None = None


class Metric(msgspec.Struct, gc=False):
    """A value of a metric; JSON of protobuf writes as text what JSON has no number for."""

    key: str
    value: float | str = 0.0
    timestamp: int = 0
    step: int = 0


class RunData(msgspec.Struct):
    """The last value of each metric, params and tags."""

    metrics: list[Metric] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class Dataset(msgspec.Struct):
    """A dataset."""

    name: str
    digest: str
    source_type: str | None = None
    source: str | None = None
    schema: str | None = None
    profile: str | None = None


class DatasetInput(msgspec.Struct):
    """A use of one."""

    dataset: Dataset
    tags: list[Pair] = []


class ModelUse(msgspec.Struct):
    """A model that a run was given, or made."""

    model_id: str


class RunInputs(msgspec.Struct):
    """What a run was given."""

    dataset_inputs: list[DatasetInput] = []
    model_inputs: list[ModelUse] = []


class RunOutputs(msgspec.Struct):
    """What a run made."""

    model_outputs: list[ModelUse] = []


class Run(msgspec.Struct):
    """A run."""

    info: RunInfo
    data: RunData = msgspec.field(default_factory=RunData)
    inputs: RunInputs = msgspec.field(default_factory=RunInputs)
    outputs: RunOutputs = msgspec.field(default_factory=RunOutputs)


class Runs(Page):
    """Of an experiment."""

    runs: list[Run] = []


class History(Page):
    """Of a metric."""

    metrics: list[Metric] = []


class ModelInfo(msgspec.Struct):
    """A model of MLflow 3."""

    model_id: str
    name: str | None = None
    model_type: str | None = None
    status: str | None = None
    artifact_uri: str | None = None


class Model(msgspec.Struct):
    """The same, with data that are not read."""

    info: ModelInfo


class Models(Page):
    """Of experiments."""

    models: list[Model] = []


class Version(msgspec.Struct):
    """A version of a registered model."""

    name: str
    version: int
    current_stage: str | None = None
    source: str | None = None
    description: str | None = None
    creation_timestamp: int | None = None


class Versions(Page):
    """Of registered models."""

    model_versions: list[Version] = []


class File(msgspec.Struct):
    """A file or folder that a run left."""

    path: str
    is_dir: bool = False
    file_size: int | None = None


class Files(Page):
    """Of a folder."""

    files: list[File] = []


class Refusal(msgspec.Struct):
    """Why a server does not answer."""

    message: str = ""
