"""A tracking store in a file of SQLite.

The file is copied first, by SQLite itself: its owner waits for no more than that, MLflow may go on writing, and what is
read is of one moment. It is never opened for writing, so no migration can happen to it.
"""

from __future__ import annotations

import itertools
import math
import operator
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnprov.errors import ImportSourceError
from dnnprov.importers.imported_run import describe_source
from dnnprov.importers.mlflow.artifacts import Artifact, local_artifacts, local_path
from dnnprov.importers.mlflow.schema import KNOWN_VERSIONS, MODEL_STATUS, NEEDED, OPTIONAL
from dnnprov.importers.mlflow.tracked import DELETED, ModelVersion, TrackedDataset, TrackedModel, TrackedRun
from dnnprov.importers.mlflow.tracking_store import TrackingStore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dnnprov.importers.imported_run import Progress
    from dnnprov.importers.mlflow.artifacts import Artifacts
    from dnnprov.importers.mlflow.tracked import Point

_MAGIC = b"SQLite format 3\0"
_WRITE_AHEAD = 2
"""At byte 18 of a database with a write-ahead log."""

_RUN_COLUMNS = "run_uuid experiment_id name status start_time end_time user_id source_name source_version artifact_uri"
_PROGRESS_ROWS = 4_096


class DatabaseStore(TrackingStore):
    """A tracking store in a file of SQLite.

    Args:
        path: of it.
        place: a folder for the copy.
        progress: called with the bytes read.
    """

    def __init__(self, path: Path, place: Path, progress: Progress) -> None:
        super().__init__(str(path))
        self._path = path
        self._progress = progress
        self._source = describe_source(path)
        with self._told():
            self._connection = self._copy(place / "mlflow.db")
            self._columns = self._find_columns()
            self._note_version()

    def _copy(self, target: Path) -> sqlite3.Connection:
        with self._path.open("rb") as stream:
            head = stream.read(20)
        if not head.startswith(_MAGIC):
            raise ImportSourceError(self._path, "it is no SQLite database; expected a tracking store of MLflow")
        log = Path(f"{self._path}-wal")
        has_log = log.is_file() and log.stat().st_size > 0
        # To open a database with a write-ahead log makes files beside it, unless nobody has it open
        mode = "immutable=1" if head[18] == _WRITE_AHEAD and not has_log else "mode=ro"
        if has_log:
            self.note = "changes that stood in the write-ahead log of the database are in; its SHA-256 is without them"
        source = sqlite3.connect(f"{self._path.absolute().as_uri()}?{mode}", uri=True, timeout=60)
        copy = sqlite3.connect(target)
        try:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = OFF")
        except BaseException:
            copy.close()
            raise
        finally:
            source.close()
        return copy

    def _find_columns(self) -> dict[str, set[str]]:
        """Table -> its columns, of those that are read."""
        found = {}
        for table, needed in {**NEEDED, **OPTIONAL}.items():
            columns = {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}
            missing = needed - columns
            if missing and table in NEEDED:
                lacks = (
                    f"its table {table!r} has no column {min(missing)!r}" if columns else f"it has no table {table!r}"
                )
                raise ImportSourceError(self._path, f"{lacks}; expected a tracking store of MLflow")
            if missing:
                continue
            found[table] = columns
            for (result,) in self._connection.execute(f"PRAGMA quick_check({table})"):
                if result != "ok":
                    raise ImportSourceError(
                        self._path,
                        f"its table {table!r} is damaged ({result.splitlines()[-1]}); restore it from a copy",
                    )
        return found

    def _note_version(self) -> None:
        try:
            versions = [row[0] for row in self._connection.execute("SELECT version_num FROM alembic_version")]
        except sqlite3.OperationalError:  # MLflow before 1.0
            return
        unknown = [version for version in versions if version not in KNOWN_VERSIONS]
        if unknown:
            told = f"the schema version {unknown[0]!r} of the store is not known here; what it has of the tables known"
            self.note = f"{self.note}; {told} was read" if self.note else f"{told} was read"

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of SQLite as those of the source."""
        try:
            yield
        except sqlite3.Error as error:
            raise ImportSourceError(self._path, f"SQLite cannot read it: {error}") from None

    def close(self) -> None:
        """Let go of what is open."""
        self._connection.close()

    def runs(self, experiments: Collection[str]) -> list[TrackedRun]:
        """All of them but those that are deleted."""
        with self._told():
            wanted = self._wanted(experiments)
            params, tags = self._texts("params"), self._texts("tags")
            datasets, models, versions = self._datasets(), self._models(), self._versions()
            rows = self._read("runs", _RUN_COLUMNS, "ORDER BY start_time, run_uuid")
            runs = []
            for run_id, experiment, name, status, began, ended, user, program, version, uri in rows:
                if run_id not in wanted:
                    continue
                runs.append(
                    TrackedRun(
                        run_id=run_id,
                        experiment_id=str(experiment),
                        experiment=wanted[run_id],
                        name=name or None,
                        status=str(status),
                        started_at=began,
                        ended_at=ended,
                        user=user or None,
                        source_name=program or None,
                        source_version=version or None,
                        artifact_uri=uri,
                        params=params.get(run_id, {}),
                        tags=tags.get(run_id, {}),
                        datasets=tuple(datasets.get(run_id, ())),
                        models=tuple(models.get(run_id, ())),
                        versions=tuple(versions.get(run_id, ())),
                        sources=(self._source,),
                    )
                )
            return runs

    def _wanted(self, experiments: Collection[str]) -> dict[str, str]:
        """Run -> name of its experiment, of those that are to come; what is deleted is left out."""
        found = list(self._read("experiments", "experiment_id name lifecycle_stage"))
        active = {number: name for number, name, stage in found if stage != DELETED}
        self.check_experiments(experiments, active.values())
        if len(active) < len(found):
            self.left_out.append(f"{len(found) - len(active):,} deleted experiments")
        wanted, num_deleted = {}, 0
        for run_id, number, stage in self._read("runs", "run_uuid experiment_id lifecycle_stage"):
            if number in active and (not experiments or active[number] in experiments):
                if stage == DELETED:
                    num_deleted += 1
                else:
                    wanted[run_id] = active[number]
        if num_deleted:
            self.left_out.append(f"{num_deleted:,} deleted runs")
        self._connection.execute("CREATE TEMP TABLE wanted (run_uuid TEXT PRIMARY KEY) WITHOUT ROWID")
        self._connection.executemany("INSERT INTO wanted VALUES (?)", [(run_id,) for run_id in wanted])
        traces = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'trace_info'").fetchone()
        if traces and (count := self._connection.execute("SELECT COUNT(*) FROM trace_info").fetchone()[0]):
            self.left_out.append(f"{count:,} traces of calls")
        return wanted

    def _read(self, table: str, columns: str, rest: str = "") -> Iterator[tuple[Any, ...]]:
        """Rows of a table; a column that it lacks is NULL."""
        there = self._columns.get(table)
        if there is None:
            return iter(())
        names = ", ".join(name if name in there else f"NULL AS {name}" for name in columns.split())
        return self._connection.execute(f"SELECT {names} FROM {table} {rest}")  # noqa: S608 - words of ours

    def _texts(self, table: str) -> dict[str, dict[str, str]]:
        """Run -> texts by name."""
        found: dict[str, dict[str, str]] = {}
        rows = self._read(table, "run_uuid key value", "WHERE run_uuid IN (SELECT run_uuid FROM wanted) ORDER BY key")
        for run_id, key, value in rows:
            found.setdefault(run_id, {})[str(key)] = "" if value is None else str(value)
        return found

    def _datasets(self) -> dict[str, list[TrackedDataset]]:
        tags: dict[str, dict[str, str]] = {}
        for number, name, value in self._read("input_tags", "input_uuid name value"):
            tags.setdefault(number, {})[str(name)] = str(value)
        known = {
            row[0]: row[1:]
            for row in self._read(
                "datasets",
                "dataset_uuid name digest dataset_source_type dataset_source dataset_schema dataset_profile",
            )
        }
        found: dict[str, list[TrackedDataset]] = {}
        inputs = "input_uuid source_id destination_id"
        rest = "WHERE source_type = 'DATASET' AND destination_type = 'RUN' ORDER BY source_id"
        for number, dataset, run_id in self._read("inputs", inputs, rest):
            if dataset in known:
                name, digest, kind, source, schema, profile = known[dataset]
                one = TrackedDataset(name, digest, kind, source, schema, profile, tags.get(number, {}))
                found.setdefault(run_id, []).append(one)
        return found

    def _models(self) -> dict[str, list[TrackedModel]]:
        known = {
            row[0]: row[1:]
            for row in self._read("logged_models", "model_id name model_type status artifact_location lifecycle_stage")
            if row[5] != DELETED
        }
        found: dict[str, list[TrackedModel]] = {}
        rest = "WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') ORDER BY destination_id"
        for kind, run_id, model in self._read("inputs", "source_type source_id destination_id", rest):
            if model in known:
                name, model_type, status, location, _ = known[model]
                relation = "used" if kind == "RUN_INPUT" else "generated"
                told = MODEL_STATUS.get(status, str(status))
                one = TrackedModel(model, relation, name, model_type, told, location)  # type: ignore[arg-type]
                found.setdefault(run_id, []).append(one)
        return found

    def _versions(self) -> dict[str, list[ModelVersion]]:
        found: dict[str, list[ModelVersion]] = {}
        names = "run_id name version current_stage source description creation_time"
        for run_id, *values in self._read("model_versions", names, "ORDER BY name, version"):
            if run_id:
                found.setdefault(run_id, []).append(ModelVersion(*values))
        return found

    def points(self, runs: Iterable[TrackedRun]) -> Iterator[tuple[TrackedRun, Iterator[Point]]]:
        """Each run with its metrics, one after the other."""
        known = {run.run_id: run for run in runs}
        step = "step" if "step" in self._columns["metrics"] else "0"
        is_nan = "is_nan" if "is_nan" in self._columns["metrics"] else "0"
        with self._told():
            rows = self._connection.execute(
                f"SELECT run_uuid, key, {step}, timestamp, value, {is_nan} FROM metrics"  # noqa: S608 - words of ours
                f" WHERE run_uuid IN (SELECT run_uuid FROM wanted) ORDER BY 1, 2, 4, 3"
            )
            for run_id, group in itertools.groupby(self._counted(rows), operator.itemgetter(0)):
                run = known.pop(run_id)
                yield (
                    run,
                    (
                        (key, step, time, math.nan if is_nan or value is None else value)
                        for _, key, step, time, value, is_nan in group
                    ),
                )
        for run in known.values():
            yield run, iter(())

    def _counted(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """The same, told as a share of the file."""
        total = self._connection.execute("SELECT COUNT(*) FROM metrics").fetchone()[0]
        size, done = self._source.size, 0
        while block := list(itertools.islice(rows, _PROGRESS_ROWS)):
            yield from block
            done += len(block)
            self._progress(min(size, size * done // total), size)

    def artifacts(self, run: TrackedRun, uri: str) -> Artifacts:  # noqa: ARG002 - other stores need the run
        """The files at a URI."""
        folder = local_path(uri, self._path.absolute().parent)
        if folder is None:
            return iter([Artifact(uri, note="it is not on this machine, and was not read")])
        return local_artifacts(folder)
