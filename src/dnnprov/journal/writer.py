"""Appends events to one segment.

Contract:

- **One writer a file.** A segment belongs to one process; two threads of it may append at once, a lock orders them.
- **Re-entrant.** A signal handler may append, or close, while its own thread is in an append: what it brings is written
  right after. User values are encoded before the lock is taken, so no code of theirs runs under it.
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
from collections import deque
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
        self._lock = threading.RLock()
        self._next = 0
        self._is_torn = False
        self._is_listed = False  # durably, in its folder
        self._is_writing = False
        self._reentered: deque[tuple[bytes, int]] = deque()
        self._is_to_close = False
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
            number = self._next
            self._next = number + 1
            if self._is_writing:  # a signal handler, in the middle of an append of this thread
                self._reentered.append((body, number))
            else:
                self._write_all(body, number)
        return number

    def close_with(self, event: Event) -> None:
        """Write a last event and close, so that nothing of another thread can come between.

        Raises:
            OSError: the event could not be written; the file is closed all the same.
        """
        body = encode_body(event)
        with self._lock:
            self._is_to_close = True
            if self._is_writing:
                self._reentered.append((body, self._next))
                return
            try:
                self._write_all(body, self._next)
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

    def is_deleted(self) -> bool:
        """Whether the file has no name any more, so that what is written to it nobody will read."""
        try:
            return self._fd >= 0 and os.fstat(self._fd).st_nlink == 0
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def abandon(self) -> None:
        """In a forked child: let go of the parent's file without touching a lock another thread may have held."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _write_all(self, body: bytes, number: int) -> None:
        """Write a line, and those that signal handlers brought meanwhile."""
        self._is_writing = True
        try:
            self._write(body, number)
        finally:
            try:
                while self._reentered:
                    self._write(*self._reentered.popleft())
            finally:
                self._is_writing = False
                if self._is_to_close:
                    self.close()

    def _write(self, body: bytes, number: int) -> None:
        self.last_write_at = time.time_ns() // 1000
        line = numbered(body, number, self.last_write_at)
        if self._is_torn:
            line = b"\n" + line
        if self._fd < 0:
            raise OSError("the run is finished")
        self._is_torn = True  # until known better: nothing of it arrives, or a part
        try:
            written = os.write(self._fd, line)
        except OSError:
            self._give_back(number)
            raise
        if written != len(line):
            self._give_back(number)
            raise OSError(f"only {written} of {len(line)} bytes could be written to {self.path}")
        self._is_torn = False

    def _give_back(self, number: int) -> None:
        """Use a number again whose event is known not to be there, so that no gap shows."""
        if self._next == number + 1:
            self._next = number


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
