"""Appends events to one segment.

Contract:

- **One writer a file.** A segment belongs to one process; two threads of it may append at once, a lock orders them.
- **Not re-entrant.** A signal handler of the same thread must not append meanwhile; `capture.recorder` sees to that.
  User values are encoded before the lock is taken, so no code of theirs runs under it.
- **Durable against the process.** When `append` returns, the line is in the operating system: `kill -9` loses nothing.
  Against the loss of the machine only `sync` helps.
- **Whole lines.** One `os.write` a call, to a file opened for appending. After a write that came out short, or was left
  by an interrupt, the next line begins with a newline, so that one torn line cannot spoil its neighbour.
- **Errors come out.** `append` raises `OSError`; its caller (`capture.recorder`) counts what was lost.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from dnnprov.journal.format import encode_body, numbered

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.model.events import Event


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
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        self._lock = threading.Lock()
        self._next = 0
        self._is_torn = False
        self._is_listed = False  # durably, in its folder
        self.last_write_at = 0

    def append(self, event: Event) -> int:
        """Encode, number, stamp and write an event.

        Returns:
            Its sequence number, which later events refer to.

        Raises:
            OSError: it could not be written, or not whole, or the segment is closed.
        """
        body = encode_body(event)
        with self._lock:
            return self._write(body)

    def close_with(self, event: Event) -> None:
        """Write a last event and close, so that nothing of another thread can come between.

        Raises:
            OSError: the event could not be written; the file is closed all the same.
        """
        body = encode_body(event)
        with self._lock:
            try:
                self._write(body)
            finally:
                self.abandon()

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

    def is_deleted(self) -> bool:
        """Whether the file has no name any more, so that what is written to it nobody will read."""
        try:
            return self._fd >= 0 and os.fstat(self._fd).st_nlink == 0
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        with self._lock:
            self.abandon()

    def abandon(self) -> None:
        """Close without the lock: in a forked child, where another thread of the parent may have held it."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _write(self, body: bytes) -> int:
        if self._fd < 0:
            raise OSError("the run is finished")
        number = self._next
        self.last_write_at = time.time_ns() // 1000
        line = numbered(body, number, self.last_write_at)
        if self._is_torn:
            line = b"\n" + line
        # From here an interrupt may leave at any point: the number is used up, and the next line begins anew.
        self._next = number + 1
        self._is_torn = True
        try:
            written = os.write(self._fd, line)
        except OSError:
            self._next = number
            raise
        if written != len(line):
            self._next = number
            raise OSError(f"only {written} of {len(line)} bytes could be written to {self.path}")
        self._is_torn = False
        return number


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
