"""Processor time of threads and other processes, finer than the 10 ms that Linux's `stat` files count in."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path


def thread_seconds(prefix: str = "dnnprov") -> float:
    """Of the live threads of this process whose name begins so."""
    threads = [thread for thread in threading.enumerate() if thread.name.startswith(prefix)]
    return sum(_task_seconds(Path(f"/proc/self/task/{thread.native_id}")) for thread in threads)


def follower_seconds(store: Path) -> float:
    """Of the live follower of a store."""
    return sum(
        _task_seconds(task)
        for process in Path("/proc").glob("[0-9]*")
        if _is_follower(process, store)
        for task in (process / "task").iterdir()
    )


def _is_follower(process: Path, store: Path) -> bool:
    try:
        arguments = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"--follow" in arguments and str(store).encode() in arguments


def _task_seconds(task: Path) -> float:
    with suppress(OSError, ValueError, IndexError):  # it ended in this moment
        return int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    return 0.0
