"""Makes runs of a tracking store."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from dnnprov.errors import ImportSourceError
from dnnprov.importers.imported_run import END_OF_TIME, ImportedRun
from dnnprov.importers.mlflow.database import DatabaseStore
from dnnprov.importers.mlflow.epochs import find_epochs
from dnnprov.importers.mlflow.mlruns import FolderStore
from dnnprov.importers.mlflow.parameters import hyperparameters
from dnnprov.importers.mlflow.points import KeptPoints, RunPoints
from dnnprov.importers.mlflow.server import ServerStore
from dnnprov.importers.mlflow.telling import TellingRun

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from dnnprov.importers.courses import Steps
    from dnnprov.importers.imported_run import Progress
    from dnnprov.importers.mlflow.tracked import TrackedRun
    from dnnprov.importers.mlflow.tracking_store import TrackingStore
    from dnnprov.journal.staging import StagedSegment
    from dnnprov.model.events import RunStatus

_ENDINGS: dict[str, RunStatus] = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "interrupted"}
_OURS = frozenset({"imported_from", "import_note"})
"""Tags that an import sets itself."""

_PARENT, _NAME, _USER, _SOURCE = "mlflow.parentRunId", "mlflow.runName", "mlflow.user", "mlflow.source.name"
_COMMIT, _BRANCH, _DIRTY = "mlflow.source.git.commit", "mlflow.source.git.branch", "mlflow.source.git.dirty"


def read_tracking_store(
    uri: str,
    place: Path,
    *,
    dataflow: str | None,
    experiments: Collection[str],
    steps: Steps,
    progress: Progress,
    say: Callable[[str], None],
) -> Iterator[ImportedRun]:
    """The runs of a store. All of it but files is read before the first is told.

    Args:
        uri: of the store, as MLflow is given it, or the path of its file or folder.
        place: a folder to keep values of metrics in meanwhile.
        dataflow: of the runs; the name of their experiment where it is `None`.
        experiments: names of those wanted; all where there are none.
        steps: what the steps of metrics are.
        progress: called with the bytes read.
        say: called with a sentence on what was left out.

    Raises:
        ImportSourceError: there is none, or it is not what it should be.
        MissingExtraError: it is in folders, and what reads their YAML is not installed.
    """
    store = open_tracking_store(uri, place, progress)
    try:
        runs = store.runs(experiments)
        with KeptPoints(place / "points", store.shown) as kept:
            points = {run.run_id: kept.keep(run.run_id, values) for run, values in store.points(runs)}
        if store.left_out:
            say(f"left out: {', '.join(store.left_out)}")
        if store.note:
            say(store.note)
        note = {} if store.note is None else {"import_note": store.note}
        known = {run.run_id: _describe(run, points[run.run_id], dataflow, note) for run in runs}
        for run in runs:
            yield _whole_run(run, known, store, kept, points[run.run_id], steps)
    finally:
        store.close()


def open_tracking_store(uri: str, place: Path, progress: Progress) -> TrackingStore:
    """The store of a URI.

    Raises:
        ImportSourceError: it is of a kind that is not read, or there is nothing.
    """
    scheme = urlsplit(uri).scheme.lower()
    kind = scheme.partition("+")[0]
    if kind in {"http", "https"}:
        return ServerStore(uri, progress)
    if "://" in uri and kind not in {"sqlite", "file"}:
        without_secret = f"{scheme}://{urlsplit(uri).netloc.rpartition('@')[2]}{urlsplit(uri).path}"
        raise ImportSourceError(
            without_secret,
            "only stores in SQLite, in folders and behind a server are read; start one on it, `mlflow server"
            " --backend-store-uri ... --port 5000`, and import http://localhost:5000",
        )
    path = Path(uri)
    if kind == "sqlite":
        path = Path(unquote(uri.partition("://")[2].partition("?")[0].removeprefix("/")))
    elif kind == "file":
        path = Path(unquote(urlsplit(uri).path))
    if path.is_dir():
        inside = path / "mlruns"
        return FolderStore(inside if inside.is_dir() and not (path / "0").is_dir() else path, progress)
    return DatabaseStore(path, place, progress)


def _describe(run: TrackedRun, points: RunPoints, dataflow: str | None, note: dict[str, str]) -> ImportedRun:
    """A run without what it tells, and without its parent."""
    started_at, ended_at = _micros(run.started_at), _micros(run.ended_at)
    status = _ENDINGS.get(run.status, "crashed")
    if not started_at:
        started_at = points.ended_at
    return ImportedRun(
        key=run.run_id,
        dataflow=dataflow or run.experiment,
        name=run.name or run.tags.get(_NAME) or run.run_id,
        sources=run.sources,
        tool="MLflow",
        command="mlflow",
        record=lambda _: None,
        started_at=started_at,
        ended_at=max(ended_at or points.ended_at, started_at),
        status=status,
        reason=None if run.status in _ENDINGS else f"the store says that the run is {run.status}",
        tags={**_tags(run), **note},
        content=_content(run, points),
        program=run.tags.get(_SOURCE) or run.source_name,
        environment=_environment(run),
    )


def _content(run: TrackedRun, points: RunPoints) -> str:
    """A hash of what a run is, the same in whichever kind of store; of files and models, which come later, nothing."""
    told = [
        run.status,
        run.started_at,
        run.ended_at or None,
        sorted(run.params.items()),
        sorted(run.tags.items()),
        sorted((one.name, one.digest, sorted(one.tags.items())) for one in run.datasets),
        points.digest,
    ]
    return hashlib.sha256(repr(told).encode("utf-8", "backslashreplace")).hexdigest()


def _tags(run: TrackedRun) -> dict[str, str]:
    tags = {f"mlflow.{name}" if name in _OURS else name: text for name, text in run.tags.items()}
    return {**tags, "mlflow.runId": run.run_id, "mlflow.experiment": run.experiment}


def _environment(run: TrackedRun) -> dict[str, Any]:
    dirty = run.tags.get(_DIRTY)
    return {
        "user": run.tags.get(_USER) or run.user,
        "git_commit": run.tags.get(_COMMIT) or run.source_version,
        "git_branch": run.tags.get(_BRANCH),
        "git_dirty": None if dirty is None else dirty.lower() == "true",
    }


def _whole_run(
    run: TrackedRun,
    known: dict[str, ImportedRun],
    store: TrackingStore,
    kept: KeptPoints,
    points: RunPoints,
    steps: Steps,
) -> ImportedRun:
    described = known[run.run_id]
    parent = known.get(run.tags.get(_PARENT, ""))

    def record(segment: StagedSegment) -> None:
        values = hyperparameters(run.params)
        epochs = find_epochs(points, lambda: kept.read(points), num_epochs=values.get("num_epochs"), steps=steps)
        telling = TellingRun(run, segment, described.started_at)
        telling.hyperparameters(values)
        telling.metrics(points, kept.read(points), epochs)
        telling.files(lambda uri: store.artifacts(run, uri), described.ended_at)
        telling.end(described.status, described.ended_at)

    return replace(described, record=record, parent=None if parent is None else parent.uid)


def _micros(milliseconds: int | None) -> int:
    """Microseconds since 1970; 0 for no time that a calendar has."""
    return milliseconds * 1000 if milliseconds and 0 < milliseconds < END_OF_TIME * 1000 else 0
