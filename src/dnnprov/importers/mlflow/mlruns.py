"""A tracking store in folders, as MLflow makes one in `mlruns/`.

A folder for each experiment, in it one for each run: `meta.yaml`, a file for each param and tag, and one for each
metric with a line for each value. The format is that of `mlflow/store/tracking/file_store.py`.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnprov.errors import ImportSourceError, MissingExtraError
from dnnprov.importers.imported_run import SourceFile
from dnnprov.importers.mlflow.artifacts import Artifact, local_artifacts, local_path
from dnnprov.importers.mlflow.schema import MODEL_STATUS
from dnnprov.importers.mlflow.tracked import DELETED, ModelVersion, TrackedDataset, TrackedModel, TrackedRun
from dnnprov.importers.mlflow.tracking_store import TrackingStore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dnnprov.importers.imported_run import Progress
    from dnnprov.importers.mlflow.artifacts import Artifacts
    from dnnprov.importers.mlflow.tracked import Point

_META = "meta.yaml"
_TRASH, _MODELS = ".trash", "models"
_NO_RUNS = frozenset({"tags", "datasets", "traces", _MODELS})
"""Folders of an experiment that hold something else."""

_TOLD = ("metrics", "params", "tags", "inputs", "outputs")
"""Folders of a run that tell of it; `artifacts` holds what it left."""

_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_BLOCK_BYTES = 1 << 20


class FolderStore(TrackingStore):
    """A tracking store in folders.

    Args:
        root: the folder.
        progress: called with the bytes read.
    """

    def __init__(self, root: Path, progress: Progress) -> None:
        super().__init__(str(root))
        self._root = root
        self._progress = progress
        self._load = _yaml_loader()
        self._folders: dict[str, Path] = {}
        self._num_bytes = self._num_read = 0

    def runs(self, experiments: Collection[str]) -> list[TrackedRun]:
        """All of them but those that are deleted."""
        active = self._experiments()
        self.check_experiments(experiments, (meta["name"] for meta in active.values()))
        versions, runs, num_deleted = self._versions(), [], 0
        for path, meta in active.items():
            if experiments and meta["name"] not in experiments:
                continue
            datasets, models = self._named(path / "datasets"), self._named(path / _MODELS)
            for folder in _folders(path):
                if folder.name in _NO_RUNS or not _is_run(folder):
                    continue
                run_meta = self._meta(folder)
                if run_meta.get("lifecycle_stage") == DELETED:
                    num_deleted += 1
                    continue
                runs.append(self._run(folder, run_meta, meta["name"], datasets, models, versions))
        if num_deleted:
            self.left_out.append(f"{num_deleted:,} deleted runs")
        runs.sort(key=lambda run: (run.started_at or 0, run.run_id))
        return runs

    def _experiments(self) -> dict[Path, dict[str, Any]]:
        """Folder -> what its meta.yaml says, of experiments that are not deleted."""
        found = {
            path: self._meta(path)
            for path in _folders(self._root)
            if path.name not in {_TRASH, _MODELS} and (path / _META).is_file()
        }
        if not found:
            raise ImportSourceError(
                self._root, f"no folder in it has a {_META}; expected the folder mlruns of MLflow, or its database"
            )
        active = {path: meta for path, meta in found.items() if meta.get("lifecycle_stage") != DELETED}
        for path, meta in active.items():
            if not isinstance(meta.get("name"), str):
                raise ImportSourceError(path / _META, "it has no name of an experiment; it is damaged or cut off")
        num_deleted = len(found) - len(active) + len(_folders(self._root / _TRASH))
        if num_deleted:
            self.left_out.append(f"{num_deleted:,} deleted experiments")
        return active

    def _run(
        self,
        folder: Path,
        meta: dict[str, Any],
        experiment: str,
        datasets: dict[str, dict[str, Any]],
        models: dict[str, dict[str, Any]],
        versions: dict[str, list[ModelVersion]],
    ) -> TrackedRun:
        run_id = meta.get("run_id") or meta.get("run_uuid")
        if not isinstance(run_id, str) or run_id in self._folders:
            what = (
                f"its run is {run_id!r}, as that of another folder is"
                if run_id in self._folders
                else "it has no run_id"
            )
            raise ImportSourceError(folder / _META, f"{what}; it is damaged or cut off")
        self._folders[run_id] = folder
        source = _describe_folder(folder)
        self._num_bytes += source.size
        status = meta.get("status")
        used = [one for one in self._named(folder / "inputs").values() if isinstance(one, dict)]
        made = [one for one in self._named(folder / "outputs").values() if isinstance(one, dict)]
        return TrackedRun(
            run_id=run_id,
            experiment_id=str(meta.get("experiment_id", "")),
            experiment=experiment,
            name=_text(meta.get("run_name") or meta.get("name")),
            status=_STATUS.get(status, str(status)) if isinstance(status, int) else str(status or "RUNNING"),
            started_at=_whole(meta.get("start_time")),
            ended_at=_whole(meta.get("end_time")),
            user=_text(meta.get("user_id")),
            source_name=_text(meta.get("source_name")),
            source_version=_text(meta.get("source_version")),
            artifact_uri=_text(meta.get("artifact_uri")),
            params=_texts(folder / "params"),
            tags=_texts(folder / "tags"),
            datasets=tuple(
                _dataset(datasets[one["source_id"]], one) for one in used if one.get("source_id") in datasets
            ),
            models=tuple(
                _model(models[identifier], relation)
                for relation, several, key in (("used", used, "source_id"), ("generated", made, "destination_id"))
                for one in several
                if (identifier := one.get(key)) in models
            ),
            versions=tuple(versions.get(run_id, ())),
            sources=(source,),
        )

    def _meta(self, folder: Path) -> dict[str, Any]:
        """What the meta.yaml of a folder says.

        Raises:
            ImportSourceError: it cannot be read, or is no such file.
        """
        path = folder / _META
        try:
            found = self._load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ImportSourceError(path, error.strerror or str(error)) from None
        except UnicodeDecodeError as error:
            raise ImportSourceError(path, f"it is not in UTF-8 ({error.reason} at byte {error.start})") from None
        except (ValueError, RecursionError) as error:
            raise ImportSourceError(path, f"it is no YAML, or cut off: {' '.join(str(error).split())[:200]}") from None
        if not isinstance(found, dict):
            raise ImportSourceError(path, f"it says {str(found)[:40]!r}; expected names with values: it may be cut off")
        return found

    def _named(self, folder: Path) -> dict[str, dict[str, Any]]:
        """Name of a folder within -> what its meta.yaml says."""
        return {path.name: self._meta(path) for path in _folders(folder) if (path / _META).is_file()}

    def _versions(self) -> dict[str, list[ModelVersion]]:
        """Run -> versions of registered models that come from it."""
        found: dict[str, list[ModelVersion]] = {}
        for model in _folders(self._root / _MODELS):
            for meta in self._named(model).values():
                run_id, number = meta.get("run_id"), _whole(meta.get("version"))
                if isinstance(run_id, str) and number is not None:
                    found.setdefault(run_id, []).append(
                        ModelVersion(
                            name=str(meta.get("name")),
                            version=number,
                            stage=_text(meta.get("current_stage")),
                            source=_text(meta.get("source")),
                            description=_text(meta.get("description")),
                            created_at=_whole(meta.get("creation_timestamp")),
                        )
                    )
        return {run_id: sorted(some, key=lambda one: (one.name, one.version)) for run_id, some in found.items()}

    def points(self, runs: Iterable[TrackedRun]) -> Iterator[tuple[TrackedRun, Iterator[Point]]]:
        """Each run with its metrics, one after the other."""
        for run in runs:
            yield run, self._values(self._folders[run.run_id] / "metrics")
            self._num_read += sum(source.size for source in run.sources if isinstance(source, SourceFile))
            self._progress(self._num_read, self._num_bytes)

    def _values(self, folder: Path) -> Iterator[Point]:
        for path in _files(folder):
            tag, done = path.relative_to(folder).as_posix(), self._num_read
            with path.open("rb") as stream:
                for number, line in enumerate(stream, 1):
                    parts = line.split()
                    try:
                        if line[-1:] != b"\n":
                            raise _damaged_line(path, number, line)
                        if len(parts) == 3:
                            yield tag, int(parts[2]), int(parts[0]), float(parts[1])
                        elif len(parts) in _LENGTHS:
                            yield tag, int(parts[2]) if len(parts) > 2 else 0, int(parts[0]), float(parts[1])
                        else:
                            raise _damaged_line(path, number, line)
                    except ValueError:
                        raise _damaged_line(path, number, line) from None
                    if number & _PROGRESS_MASK == 0:
                        self._progress(done + stream.tell(), self._num_bytes)

    def close(self) -> None:
        """Nothing is open."""

    def artifacts(self, run: TrackedRun, uri: str) -> Artifacts:
        """The files at a URI."""
        folder = local_path(uri, self._root.absolute().parent)
        inside = self._folders[run.run_id] / "artifacts"
        if uri == run.artifact_uri and (folder is None or not folder.is_dir()) and inside.is_dir():
            folder = inside  # the store was moved
        if folder is None:
            return iter([Artifact(uri, note="it is not on this machine, and was not read")])
        return local_artifacts(folder)


_LENGTHS = frozenset({2, 5})
"""Values on a line in MLflow before 1.0, and where a dataset is named."""

_PROGRESS_MASK = (1 << 16) - 1


def _damaged_line(path: Path, number: int, line: bytes) -> ImportSourceError:
    shown = line[:60].decode("utf-8", "backslashreplace").rstrip("\n")
    end = "" if line.endswith(b"\n") else ", and does not end"
    return ImportSourceError(path, f"line {number} is {shown!r}{end}; expected a time, a value and a step")


def _yaml_loader() -> Any:
    try:
        import yaml  # noqa: PLC0415 - only who imports such folders needs it
    except ImportError:
        raise MissingExtraError("importing folders of MLflow", "mlflow") from None
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def load(text: str) -> Any:
        try:
            return yaml.load(text, Loader=fast)  # noqa: S506 - a safe loader
        except yaml.YAMLError as error:
            raise ValueError(error) from None

    return load


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ImportSourceError(folder, error.strerror or str(error)) from None


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run; one with files that runs leave and nothing on itself is of a run elsewhere."""
    return (folder / _META).is_file() or any((folder / name).is_dir() for name in ("metrics", "params"))


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, in the order of their paths."""
    for place, inner, names in os.walk(folder):
        inner.sort()
        for name in sorted(names):
            yield Path(place, name)


def _texts(folder: Path) -> dict[str, str]:
    """Name of a file below a folder -> its text."""
    found = {}
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            found[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ImportSourceError(path, f"it is not in UTF-8 ({error.reason} at byte {error.start})") from None
        except OSError as error:
            raise ImportSourceError(path, error.strerror or str(error)) from None
    return dict(sorted(found.items()))


def _describe_folder(folder: Path) -> SourceFile:
    """All that tells of a run as one source; its SHA-256 is over lines as `sha256sum` writes them, sorted by path."""
    listing, size, modified = hashlib.sha256(), 0, 0
    paths = [folder / _META, *(path for name in _TOLD for path in _files(folder / name))]
    for path in sorted(paths, key=lambda path: os.fsencode(path.relative_to(folder))):
        try:
            found = path.stat()
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise ImportSourceError(path, error.strerror or str(error)) from None
        listing.update(f"{digest}  ".encode() + os.fsencode(path.relative_to(folder)) + b"\n")
        size += found.st_size
        modified = max(modified, found.st_mtime_ns // 1000)
    return SourceFile(folder.absolute(), size, modified, listing.hexdigest())


def _dataset(meta: dict[str, Any], use: dict[str, Any]) -> TrackedDataset:
    tags = use.get("tags")
    return TrackedDataset(
        name=str(meta.get("name")),
        digest=str(meta.get("digest")),
        source_type=_text(meta.get("source_type")),
        source=_text(meta.get("source")),
        schema=_text(meta.get("schema")),
        profile=_text(meta.get("profile")),
        tags={str(name): str(value) for name, value in tags.items()} if isinstance(tags, dict) else {},
    )


def _model(meta: dict[str, Any], relation: Any) -> TrackedModel:
    status = meta.get("status")
    return TrackedModel(
        model_id=str(meta.get("model_id")),
        relation=relation,
        name=_text(meta.get("name")),
        model_type=_text(meta.get("model_type")),
        status=MODEL_STATUS.get(status, str(status)) if isinstance(status, int) else _text(status),
        location=_text(meta.get("artifact_location")),
    )


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
