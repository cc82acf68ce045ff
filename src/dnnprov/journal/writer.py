"""Appends events to one segment.

Contract:

- **One writer a file, one call at a time.** A segment belongs to one process. Its threads and signal handlers take
  turns, which `capture.recorder` sees to; only `sync` may run beside another call.
- **Durable against the process.** When `append` returns, the line is in the operating system: `kill -9` loses nothing.
  Against the loss of the machine only `sync` helps.
- **Whole lines.** One `os.write` a call, to a file opened for appending; what comes out short is completed. Where that
  fails, or an interrupt left the call, the next one looks what the file has: a line that is there is there, one that is
  half there is ended by a newline, so that it cannot spoil its neighbour, and its number is given again.
- **Times never go back** within a segment, whatever the clock does, so that no duration is negative.
- **Errors come out.** `append` raises `OSError`; its caller (`capture.recorder`) counts what was lost.
"""

from __future__ import annotations

import fcntl
import os
import resource
import time
from typing import TYPE_CHECKING

from dnnprov.journal.format import encode

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.model.events import Event


OUT_OF_THE_WAY = 512
"""From here on numbers of descriptors are free in nearly every program; a table of open files so long takes 4 KiB."""


class SegmentWriter:
    """The one writer of one segment.

    Args:
        path: of the segment; must not exist.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fd = _out_of_the_way(
            os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        )
        self._identity = _identity(self._fd)
        self._next = 0
        self._end = 0  # bytes of whole lines
        self._unsure = 0  # bytes of a line of which it is not known whether it was written
        self._is_listed = False  # durably, in its folder
        self._ahead = 0  # of the clock, in microseconds
        self.last_write_at = 0

    def append(self, event: Event) -> int:
        """Encode, number, stamp and write an event.

        Returns:
            Its sequence number, which later events refer to.

        Raises:
            OSError: it could not be written, or not whole, or the segment is closed.
        """
        if self._fd < 0:
            raise OSError("the run is finished")
        if self._unsure:
            self._look()
        number = event.seq = self._next
        at = time.time_ns() // 1000 + self._ahead
        if at < self.last_write_at:  # the clock was set back: go on from there
            self._ahead += self.last_write_at - at
            at = self.last_write_at
        self.last_write_at = event.at = at
        line = encode(event)
        num_bytes = self._unsure = len(line)
        written = os.write(self._fd, line)
        if written != num_bytes:
            self._complete(line, written)
        # No call from here on, since an interrupt comes at the end of one: all of it happens, or nothing.
        self._next = number + 1
        self._end += num_bytes
        self._unsure = 0
        return number

    def _complete(self, line: bytes, written: int) -> None:
        """Write the rest of a line.

        Raises:
            OSError: it could not be written.
        """
        while written < len(line):
            more = os.write(self._fd, line[written:])
            if not more:
                raise OSError(f"only {written} of {len(line)} bytes could be written to {self.path}")
            written += more

    def _look(self) -> None:
        """Find out what became of the last line.

        Raises:
            OSError: a line is half there and cannot be ended.
        """
        size = os.fstat(self._fd).st_size
        if size == self._end + self._unsure:
            self._next += 1
        elif size != self._end:
            os.write(self._fd, b"\n")
            size += 1
        self._end, self._unsure = size, 0

    def close_with(self, event: Event) -> None:
        """Write a last event and close.

        Raises:
            OSError: the event could not be written; the file is closed all the same.
        """
        try:
            self.append(event)
        finally:
            self.close()

    def sync(self) -> None:
        """Wait until the disk has everything, so that the loss of the machine loses nothing before.

        Raises:
            OSError: the disk would not.
        """
        # Without the lock: a slow disk must not hold up a log call.
        if self._fd >= 0:
            (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self._fd)
        if not self._is_listed:
            for folder in (self.path.parent, self.path.parent.parent):
                sync_folder(folder)
            self._is_listed = True

    @property
    def num_events(self) -> int:
        """How many were written."""
        return self._next

    def is_deleted(self) -> bool:
        """Whether the file has no name any more, so that what is written to it nobody will read."""
        try:
            return self._is_ours() and os.fstat(self._fd).st_nlink == 0
        except OSError:
            return False

    def is_taken_away(self) -> bool:
        """Whether somebody closed the descriptor of the file, and maybe another file has it now."""
        return self._fd >= 0 and not self._is_ours()

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        if self._fd >= 0 and self._is_ours():
            os.close(self._fd)
        self._fd = -1

    def _is_ours(self) -> bool:
        try:
            return self._fd >= 0 and _identity(self._fd) == self._identity
        except OSError:
            return False


def _out_of_the_way(descriptor: int) -> int:
    """The same open file under a number that nobody's next file is given.

    A program that closes descriptors which are not its own, as one does that becomes a daemon, then opens files of its
    own under their numbers, the lowest first. What is written to ours must not end up in one of them.
    """
    try:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = OUT_OF_THE_WAY if soft == resource.RLIM_INFINITY else min(soft // 2, OUT_OF_THE_WAY)
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    except (OSError, ValueError):  # none is free there
        return descriptor
    os.close(descriptor)
    return moved


def _identity(descriptor: int) -> tuple[int, int]:
    """What tells an open file from every other."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OSError: the disk would not.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
