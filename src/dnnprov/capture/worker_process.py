"""How processes of `multiprocessing` end: without the exit of others, and those of a pool are killed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_AFTER_OTHERS = -100
"""Priority among what is done when such a process ends: its own children are joined by then."""

_prepared: set[int] = set()


def at_worker_end(job: Callable[[BaseException | None], None]) -> None:
    """Do something once when this process ends, if it is one that `multiprocessing` started.

    Args:
        job: gets the exception that the process ends with.
    """
    process, ending = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is None or ending is None or process.parent_process() is None or os.getpid() in _prepared:
        return
    _prepared.add(os.getpid())
    ending.Finalize(None, lambda: job(sys.exc_info()[1]), exitpriority=_AFTER_OTHERS)


def is_killed_at_end() -> bool:
    """Whether this process ends without a word, as the workers of a pool do."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and bool(process.current_process().daemon)
