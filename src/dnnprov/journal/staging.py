"""Writes whole segments beside the journal, and lets them appear in it when all of them are whole.

For what was recorded elsewhere and is taken over: nobody may see half of it, and its events have times of their own.
A segment is written into `importing-<random>/<run>/`, closed, and the run's folder then renamed into `journal/`, which
is one step of the file system. Until then nothing of it counts; what a killed process left is cleared away by the next.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from typing import IO, TYPE_CHECKING, Self

from dnnprov.journal.format import encode_all
from dnnprov.journal.reader import is_locked
from dnnprov.journal.writer import sync_folder
from dnnprov.model.events import SegmentClosed, SegmentOpened

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.events import Event

_PREFIX = "importing-"
_LOCK = "lock"

_BUFFER_BYTES = 1 << 20
_WAITING = 128

_YOUNG_SECONDS = 60.0
"""A folder without a lock may be one whose process is just about to take it."""


class StagedSegment:
    """A segment that nobody reads yet.

    Args:
        path: of it; must not exist.
        header: its first event.

    Attributes:
        num_events: how many it has.
    """

    def __init__(self, path: Path, header: SegmentOpened) -> None:
        path.parent.mkdir(parents=True)
        self.num_events = 0
        self._at = header.at
        self._waiting: list[Event] = []
        self._stream: IO[bytes] = path.open("xb", buffering=_BUFFER_BYTES)
        self.append(header)

    def append(self, event: Event) -> int:
        """Number an event and write it, soon; one without a time gets that of the event before.

        The event and what is in it are the segment's from then on.

        Returns:
            Its sequence number, which later events refer to.

        Raises:
            OSError: it could not be written.
        """
        number = event.seq = self.num_events
        if event.at:
            self._at = event.at
        else:
            event.at = self._at
        self._waiting.append(event)
        self.num_events = number + 1
        if len(self._waiting) == _WAITING:
            self._write()
        return number

    def _write(self) -> None:
        self._stream.write(encode_all(self._waiting))
        self._waiting.clear()

    def close(self) -> None:
        """Write the closing event, and wait until the disk has it all.

        Raises:
            OSError: it could not be written.
        """
        self.append(SegmentClosed())
        self._write()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()

    def abandon(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(OSError):
            self._stream.close()


class Staging:
    """The segments that one process is about to add, a context manager; what is not published is gone after it.

    Args:
        folder: of the store; made where it is missing.
    """

    def __init__(self, folder: StoreFolder) -> None:
        self._folder = folder
        self._place = folder.path / f"{_PREFIX}{secrets.token_hex(8)}"
        self._segments: list[StagedSegment] = []
        self._runs: list[str] = []
        self._made: list[Path] = []
        self._lock = -1

    @property
    def place(self) -> Path:
        """A folder for what is needed meanwhile."""
        return self._place

    def __enter__(self) -> Self:
        missing = [path for path in (self._folder.path, *self._folder.path.parents) if not path.exists()]
        self._clear_leftovers()
        self._place.mkdir(parents=True)
        self._made = missing
        self._lock = os.open(self._place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        _take(self._lock)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for segment in self._segments:
            segment.abandon()
        os.close(self._lock)
        shutil.rmtree(self._place, ignore_errors=True)
        for path in self._made:
            with contextlib.suppress(OSError):  # something was published into it
                path.rmdir()

    def open(self, header: SegmentOpened) -> StagedSegment:
        """Begin the segment of a run that has none here yet.

        Raises:
            OSError: it cannot be made.
        """
        segment = StagedSegment(self._place / header.run / f"{header.process}.jsonl", header)
        self._segments.append(segment)
        self._runs.append(header.run)
        return segment

    def publish(self) -> list[str]:
        """Let all closed segments appear in the journal, run by run.

        Returns:
            The uids of their runs, but for those that another process published meanwhile.

        Raises:
            OSError: the journal cannot be written; the runs published until then are in, and whole.
        """
        self._folder.create()
        published = []
        for run in self._runs:
            if self._folder.run_segments(run):
                continue
            target = self._folder.journal / run
            sync_folder(self._place / run)
            try:
                (self._place / run).rename(target)
            except FileExistsError:
                continue
            except OSError:
                if self._folder.run_segments(run):  # what a folder that is not empty is called differs
                    continue
                raise
            published.append(run)
        sync_folder(self._folder.journal)
        return published

    def _clear_leftovers(self) -> None:
        """Remove what processes left that were killed."""
        for left in self._folder.path.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _YOUNG_SECONDS and not is_locked(left / _LOCK):
                    shutil.rmtree(left, ignore_errors=True)


def _take(descriptor: int) -> None:
    """Lock an open file as long as this process has it, where the system can."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # then only the age of its folder protects it
        pass
