"""Appends events to one segment.

Contract:

- **One writer a file.** A segment belongs to one process; two threads of it may append at once, a lock orders them.
- **Durable against the process.** When `append` returns, the line is in the operating system: `kill -9` loses nothing.
  Against the loss of the machine only `sync` helps.
- **Whole lines.** One `os.write` a call, to a file opened for appending. After a write that came out short the next
  line begins with a newline, so that one torn line cannot spoil its neighbour.
- **Errors come out.** `append` raises `OSError`; its caller (`capture.recorder`) counts what was lost.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from dnnprov.journal.format import encode

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
        self._torn = False
        self._is_listed = False  # durably, in its folder
        self.last_write_at = 0

    def append(self, event: Event) -> int:
        """Number, stamp, encode and write an event.

        Returns:
            Its sequence number, which later events refer to.

        Raises:
            OSError: it could not be written, or not whole.
        """
        with self._lock:
            event.seq = number = self._next
            event.at = self.last_write_at = time.time_ns() // 1000
            line = encode(event)
            if self._torn:
                line = b"\n" + line
            self._torn = True  # until known better: nothing of it arrives, or a part
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes could be written to {self.path}")
            self._torn = False
            self._next = number + 1
        return number

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

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def abandon(self) -> None:
        """In a forked child: let go of the parent's file without touching a lock another thread may have held."""
        os.close(self._fd)
        self._fd = -1


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
