"""A file that was read before anybody records who used it: its state and SHA-256 are those of that moment."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.capture.file_hash import file_sha256, file_state
from dnnprov.model.events import FileHashed, FileRecorded

if TYPE_CHECKING:
    import os

    from dnnprov.capture.beginnings import Handle
    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask

_numbers = itertools.count()


class ReadFile:
    """A file or folder as it is now, hashed from now on by a thread of its own.

    Recorded later, it has the hash of what was read, also where it is overwritten by then: a training goes on from
    the very file that it writes its result to.

    Args:
        path: of the file.
        role: what it is to whoever reads it: `"model"`, `"weights"`.

    Attributes:
        path: absolute.
        role: as given.
        number: in the order in which files were read.

    Raises:
        OSError: there is none, or it is not readable.
    """

    def __init__(self, path: str | os.PathLike[str], role: str) -> None:
        self.path = Path(path).absolute()
        self.role = role
        self.number = next(_numbers)
        self._state = file_state(self.path)
        self._hash: tuple[str | None, str | None] | None = None
        self._thread: threading.Thread | None = None

    def start_hashing(self) -> None:
        """Hash it in the background; where no thread can be started, when the hash is asked for."""
        thread = threading.Thread(target=self._take_hash, name="dnnprov-hash", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # a limit of the system, or the interpreter ends
            return
        self._thread = thread

    def record(self, task: RunTask) -> None:
        """Record that a task used it; the hash follows in the background."""
        self.record_in(task.run, task.handle)

    def record_in(self, run: Run, task: Handle | None = None) -> None:
        """Record that a run used it, in none of its tasks, unless one is given; the hash follows in the background."""
        recorder = run.recorder
        if run.is_closed(f"file {self.path!s}"):
            return
        handle = recorder.append(
            FileRecorded(
                path=str(self.path),
                relation="used",
                role=self.role,
                size=self._state.size,
                modified=self._state.modified // 1000,
                task=recorder.reference(task),
            )
        )
        recorder.submit(lambda: self._record_hash(run, handle))

    def _record_hash(self, run: Run, handle: Handle) -> None:
        recorder = run.recorder
        reference = recorder.reference(handle)
        if reference is None:
            return
        if self._thread is not None:
            self._thread.join()
        sha256, reason = self._hash or self._take_hash()  # a forked child does not have the thread
        recorder.record(FileHashed(file=reference, sha256=sha256, reason=reason))

    def _take_hash(self) -> tuple[str | None, str | None]:
        self._hash = file_sha256(self.path, self._state)
        return self._hash
