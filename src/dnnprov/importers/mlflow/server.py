"""A tracking store behind an MLflow server, whatever database it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dnnprov.errors import ImportSourceError
from dnnprov.importers.imported_run import SourceServer
from dnnprov.importers.mlflow import answers
from dnnprov.importers.mlflow.artifacts import Artifact
from dnnprov.importers.mlflow.rest import NotThereError, RestClient
from dnnprov.importers.mlflow.tracked import DELETED, ModelVersion, TrackedDataset, TrackedModel, TrackedRun
from dnnprov.importers.mlflow.tracking_store import TrackingStore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dnnprov.importers.imported_run import Progress
    from dnnprov.importers.mlflow.artifacts import Artifacts
    from dnnprov.importers.mlflow.rest import AnyPage
    from dnnprov.importers.mlflow.tracked import Point

_PAGE = 1_000
_MODELS_PAGE = 50
_POINTS_PAGE = 25_000
"""The most that a server gives of a metric at once."""

_ENDS = frozenset({"NaN", "Infinity", "-Infinity"})
"""As JSON of protobuf writes what JSON has no number for."""

_MODEL_FILE = "MLmodel"
_NOTE = "it is on a server, and was not read"


class ServerStore(TrackingStore):
    """A tracking store behind a server.

    Args:
        address: of the server.
        progress: called with the bytes read, and how many there may be.
    """

    def __init__(self, address: str, progress: Progress) -> None:
        self._client = RestClient(address)
        super().__init__(self._client.address)
        self._progress = progress
        self._metrics: dict[str, list[str]] = {}

    def runs(self, experiments: Collection[str]) -> list[TrackedRun]:
        """All of them but those that are deleted."""
        found = self._experiments()
        active = {one.experiment_id: one.name for one in found if one.lifecycle_stage != DELETED}
        self.check_experiments(experiments, active.values())
        if len(active) < len(found):
            self.left_out.append(f"{len(found) - len(active):,} deleted experiments")
        wanted = {number: name for number, name in active.items() if not experiments or name in experiments}
        models = self._models(list(wanted))
        runs, num_deleted = [], 0
        for number, name in wanted.items():  # one by one: a run does not say the name of its experiment
            values = {"experiment_ids": [number], "run_view_type": "ALL", "max_results": _PAGE}
            for page in self._known(self._client.pages("runs/search", answers.Runs, values, is_post=True)):
                for run in page.runs:
                    if run.info.lifecycle_stage == DELETED:
                        num_deleted += 1
                    else:
                        runs.append(self._run(run, name, models))
                self._progress(self._client.num_bytes, self._client.num_bytes)
        if num_deleted:
            self.left_out.append(f"{num_deleted:,} deleted runs")
        runs.sort(key=lambda run: (run.started_at or 0, run.run_id))
        return runs

    def _experiments(self) -> list[answers.Experiment]:
        """All of them; before MLflow 1.28 a server lists them, and does not search."""
        values = {"view_type": "ALL", "max_results": _PAGE}
        try:
            pages = list(self._client.pages("experiments/search", answers.Experiments, values, is_post=True))
        except NotThereError:
            pages = list(self._known(self._client.pages("experiments/list", answers.Experiments, {"view_type": "ALL"})))
        return [one for page in pages for one in page.experiments]

    def _known(self, pages: Iterator[AnyPage]) -> Iterator[AnyPage]:
        """Pages of an answer that every MLflow server has."""
        try:
            yield from pages
        except NotThereError:
            raise ImportSourceError(
                self.shown, "nothing of MLflow answers there; expected the address of a server, as MLflow is given it"
            ) from None

    def _models(self, experiments: list[str]) -> dict[str, answers.ModelInfo]:
        """Models by id; a server before MLflow 3 has none."""
        values = {"experiment_ids": experiments, "max_results": _MODELS_PAGE}
        try:
            pages = self._client.pages("logged-models/search", answers.Models, values, is_post=True)
            return {one.info.model_id: one.info for page in pages for one in page.models} if experiments else {}
        except NotThereError:
            return {}

    def _versions(self, run_id: str) -> tuple[ModelVersion, ...]:
        """Of registered models; a server before MLflow 1.4, or without a registry, has none."""
        condition = "run_id='" + run_id.replace("'", "") + "'"
        try:
            pages = list(self._client.pages("model-versions/search", answers.Versions, {"filter": condition}))
        except NotThereError:
            return ()
        return tuple(
            ModelVersion(
                one.name, one.version, one.current_stage, one.source, one.description or None, one.creation_timestamp
            )
            for page in pages
            for one in page.model_versions
        )

    def _run(self, run: answers.Run, experiment: str, models: dict[str, answers.ModelInfo]) -> TrackedRun:
        info, data = run.info, run.data
        run_id = info.run_id or info.run_uuid
        if run_id is None:
            raise ImportSourceError(self.shown, f"its answer has a run without id in experiment {experiment!r}")
        self._metrics[run_id] = sorted(metric.key for metric in data.metrics)
        uses: list[tuple[Literal["used", "generated"], answers.ModelUse]] = [
            *(("used", one) for one in run.inputs.model_inputs),
            *(("generated", one) for one in run.outputs.model_outputs),
        ]
        return TrackedRun(
            run_id=run_id,
            experiment_id=info.experiment_id,
            experiment=experiment,
            name=info.run_name or info.name or None,
            status=info.status,
            started_at=info.start_time,
            ended_at=info.end_time or None,
            user=info.user_id or None,
            source_name=info.source_name or None,
            source_version=info.source_version or None,
            artifact_uri=info.artifact_uri or None,
            params=_texts(data.params),
            tags=_texts(data.tags),
            datasets=tuple(_dataset(one) for one in run.inputs.dataset_inputs),
            models=tuple(_model(models[one.model_id], kind) for kind, one in uses if one.model_id in models),
            versions=self._versions(run_id),
            sources=(SourceServer(self.shown),),
        )

    def points(self, runs: Iterable[TrackedRun]) -> Iterator[tuple[TrackedRun, Iterator[Point]]]:
        """Each run with its metrics, one after the other."""
        several = list(runs)
        before = self._client.num_bytes
        for number, run in enumerate(several, 1):
            yield run, self._values(run.run_id)
            read = self._client.num_bytes - before
            self._progress(self._client.num_bytes, before + read * len(several) // number)

    def _values(self, run_id: str) -> Iterator[Point]:
        for key in self._metrics[run_id]:
            values = {"run_id": run_id, "metric_key": key, "max_results": _POINTS_PAGE}
            for page in self._known(self._client.pages("metrics/get-history", answers.History, values)):
                for one in page.metrics:
                    value = float(one.value) if one.value in _ENDS else one.value
                    yield key, one.step, one.timestamp, value  # type: ignore[misc]  # another text is refused later

    def close(self) -> None:
        """Nothing is open."""

    def artifacts(self, run: TrackedRun, uri: str) -> Artifacts:
        """The files at a URI."""
        if uri != run.artifact_uri:
            return iter([Artifact(uri, note=_NOTE)])
        return self._listed(run.run_id, uri.rstrip("/"))

    def _listed(self, run_id: str, uri: str) -> Iterator[Artifact]:
        """The files of a run as the server lists them, folder by folder."""
        waiting: list[tuple[str | None, bool]] = [(None, False)]
        while waiting:
            folder, is_model = waiting.pop()
            try:
                pages = list(self._client.pages("artifacts/list", answers.Files, {"run_id": run_id, "path": folder}))
            except (NotThereError, ImportSourceError) as error:  # of a bucket that the server cannot reach, say
                yield Artifact(f"{uri}/{folder or ''}".rstrip("/"), note=f"the server does not list it: {error}")
                continue
            files = [one for page in pages for one in page.files]
            is_model = is_model or any(one.path.rpartition("/")[2] == _MODEL_FILE for one in files)
            for one in files:
                if one.is_dir:
                    waiting.append((one.path, is_model))
                else:
                    yield Artifact(f"{uri}/{one.path}", one.file_size, note=_NOTE, is_model=is_model)


def _texts(pairs: list[answers.Pair]) -> dict[str, str]:
    return dict(sorted((pair.key, pair.value) for pair in pairs))


def _dataset(one: answers.DatasetInput) -> TrackedDataset:
    it = one.dataset
    return TrackedDataset(it.name, it.digest, it.source_type, it.source, it.schema, it.profile, _texts(one.tags))


def _model(info: answers.ModelInfo, relation: Literal["used", "generated"]) -> TrackedModel:
    status = (info.status or "").removeprefix("LOGGED_MODEL_")
    return TrackedModel(info.model_id, relation, info.name, info.model_type or None, status or None, info.artifact_uri)
