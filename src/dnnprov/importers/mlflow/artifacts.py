"""The files that a run left where its URI says, as far as they can be seen."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote, urlsplit

from dnnprov.errors import ImportSourceError
from dnnprov.importers.imported_run import describe_source

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODEL = "MLmodel"
"""The file that a folder of a model has."""


@dataclass(frozen=True)
class Artifact:
    """A file that a run left.

    Attributes:
        path: of it, or its URI.
        size: bytes, where known.
        modified: microseconds since 1970, where known.
        sha256: of its content, where it could be read.
        note: why not, where it could not.
        is_model: whether it belongs to a model.
    """

    path: str
    size: int | None = None
    modified: int | None = None
    sha256: str | None = None
    note: str | None = None
    is_model: bool = False


Artifacts: TypeAlias = "Iterator[Artifact]"


class MissingFolderError(Exception):
    """A URI names a folder of this machine that is not there."""


def local_path(uri: str, base: Path) -> Path | None:
    """The path that a URI is on this machine; `None` for one elsewhere.

    Args:
        uri: as MLflow has it, often just a path.
        base: what a relative one is relative to.

    Example:
        >>> [str(local_path(uri, Path("/x"))) for uri in ("file:///tmp/a%20b", "./mlruns/0", "s3://bucket/key")]
        ['/tmp/a b', '/x/mlruns/0', 'None']
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return base / unquote(parts.path) if parts.netloc in {"", "localhost"} else None
    if parts.scheme and "/" not in uri.partition(":")[0]:
        return None
    return base / uri


def local_artifacts(folder: Path) -> Artifacts:
    """All files below a folder, in the order of their paths.

    Raises:
        MissingFolderError: it is not there, and what is to be around it is not either, so that it may once have been.
    """
    if not folder.is_dir():
        if not folder.parent.parent.is_dir():
            raise MissingFolderError(folder)
        return
    models: set[str] = set()
    for place, inner, names in os.walk(folder):
        inner.sort()
        if _MODEL in names or os.path.dirname(place) in models:  # noqa: PTH120 - thousands of folders
            models.add(place)
        for name in sorted(names):
            yield _local_artifact(Path(place, name), is_model=place in models)


def _local_artifact(path: Path, *, is_model: bool) -> Artifact:
    try:
        found = describe_source(path)
    except ImportSourceError as error:
        return Artifact(str(path), note=f"it could not be read: {error}", is_model=is_model)
    return Artifact(str(found.path), found.size, found.modified, found.sha256, is_model=is_model)
