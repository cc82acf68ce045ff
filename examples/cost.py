"""What provenance costs a training: time inside dnnprov's calls, and CPU time of its threads and its follower.

All of it is measured, nothing estimated; CPU times of threads and processes are Linux's, in steps of 10 ms.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Cost:
    """Adds up what is spent.

    Args:
        store: whose follower counts.
    """

    def __init__(self, store: Path) -> None:
        self._store = store.absolute()
        self.training_seconds = 0.0
        self.call_seconds = 0.0
        self.thread_seconds = 0.0

    @contextmanager
    def training(self) -> Iterator[None]:
        """Time that counts as training."""
        started = time.perf_counter()
        yield
        self.training_seconds += time.perf_counter() - started

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time that the training waits for dnnprov."""
        started = time.perf_counter()
        yield
        self.call_seconds += time.perf_counter() - started

    def watched(self, callback: Any) -> Any:
        """A callback whose every hook of ours is timed, those that its probes call included."""
        names = [
            name for name in dir(callback) if name.startswith(("on_", "before_", "behind_")) or name == "set_model"
        ]
        for name in names:
            hook = getattr(callback, name)
            if hook.__module__.startswith("dnnprov."):
                setattr(callback, name, self._timed_call(hook))
        return callback

    def count_threads(self) -> None:
        """Add the CPU time of dnnprov's threads of this process; once a run, before they end."""
        for thread in threading.enumerate():
            if thread.name.startswith("dnnprov"):
                self.thread_seconds += cpu_seconds(Path(f"/proc/self/task/{thread.native_id}/stat"))

    def follower_seconds(self) -> float:
        """CPU time of the follower of the store, as long as it lives."""
        total = 0.0
        for process in Path("/proc").glob("[0-9]*"):
            try:
                arguments = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"--follow" in arguments and str(self._store).encode() in arguments:
                total += cpu_seconds(process / "stat")
        return total

    def in_words(self) -> str:
        """The sum, and its parts."""
        follower = self.follower_seconds()
        total = self.call_seconds + self.thread_seconds + follower
        return (
            f"{total:.2f} s over {self.training_seconds:.0f} s of training, "
            f"{100 * total / self.training_seconds:.2f} % "
            f"(calls {self.call_seconds:.2f} s, threads {self.thread_seconds:.2f} s, follower {follower:.2f} s)"
        )

    def _timed_call(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        def timed_hook(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()  # not `timed`: its own cost would count, once a batch
            try:
                return hook(*args, **kwargs)
            finally:
                self.call_seconds += time.perf_counter() - started

        return timed_hook


def cpu_seconds(stat: Path) -> float:
    """User and system time from a `stat` file of /proc; 0 where there is none."""
    try:
        fields = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
