"""A training that a source tells of, and how its events are told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from dnnprov.errors import ImportSourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dnnprov.journal.staging import StagedSegment
    from dnnprov.model.events import RunStatus

Progress: TypeAlias = "Callable[[int, int], None]"
"""Called with how many bytes of a source are read, and how many there are."""

BLOCK_BYTES = 1 << 20

END_OF_TIME = 253_402_300_800
"""The year 10000, in seconds since 1970."""


@dataclass(frozen=True)
class SourceFile:
    """A file that is imported.

    Attributes:
        path: where it was, absolute.
        size: bytes.
        modified: microseconds since 1970, UTC.
        sha256: of its content, hexadecimal.
    """

    path: Path
    size: int
    modified: int
    sha256: str


@dataclass(frozen=True)
class SourceServer:
    """A server that is imported from; what it answered is kept nowhere.

    Attributes:
        address: of it, without secrets.
    """

    address: str


Source: TypeAlias = SourceFile | SourceServer


@dataclass(frozen=True)
class ImportedRun:
    """One training of a source.

    Attributes:
        key: tells it from the other trainings of its sources; the same whenever they are read.
        dataflow: its tag.
        name: for people; `None` for `<dataflow>-<n>`.
        sources: the files that tell of it, or the server.
        tool: that wrote them: `DfAnalyzer`.
        command: that imports them: `dfanalyzer`.
        record: tells its events, except those of its beginning and end, to a segment.
        started_at, ended_at: microseconds since 1970, UTC.
        status: how it ended.
        reason: why it did.
        tags: further texts about it by name; `import_note` says what was concluded rather than read.
        content: a hash of what its sources tell of it alone; `None` where all of it is about it, and they are files.
        parent: uid of the run that it is a part of.
        program: path of the program that it was.
        environment: further fields of `EnvironmentRecorded`: `user`, `git_commit`.
    """

    key: str
    dataflow: str
    name: str | None
    sources: tuple[Source, ...]
    tool: str
    command: str
    record: Callable[[StagedSegment], None]
    started_at: int
    ended_at: int
    status: RunStatus = "finished"
    reason: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    content: str | None = None
    parent: str | None = None
    program: str | None = None
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        """Follows from the content of the sources, so that the same training has it wherever they lie."""
        content: list[str] = [] if self.content is None else [self.content]
        if self.content is None:
            content = [source.sha256 for source in self.sources if isinstance(source, SourceFile)]
        known = "\n".join([self.command, *content, self.key])
        return hashlib.sha256(known.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def describe_source(path: Path, progress: Progress | None = None) -> SourceFile:
    """Look at a file and take its hash.

    Args:
        path: of the file.
        progress: called as it is read.

    Raises:
        ImportSourceError: it is no file, or cannot be read.
    """
    try:
        found = path.stat()
        if not path.is_file():
            raise ImportSourceError(path, "it is no regular file; name the file to import")
        whole, done = hashlib.sha256(), 0
        with path.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                whole.update(block)
                done += len(block)
                if progress is not None:
                    progress(done, found.st_size)
    except OSError as error:
        raise ImportSourceError(path, error.strerror or str(error)) from None
    return SourceFile(path.absolute(), found.st_size, found.st_mtime_ns // 1000, whole.hexdigest())


def microseconds(seconds: float) -> int | None:
    """A time as journals have it; `None` for one that no calendar has.

    Example:
        >>> microseconds(1604881151.2433584), microseconds(float("nan")), microseconds(-1.0)
        (1604881151243358, None, None)
    """
    return round(seconds * 1e6) if 0 <= seconds < END_OF_TIME else None
