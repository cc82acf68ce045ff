"""Starts the follower: the process that keeps the database up to date for people who look at it with other tools.

One a store. Whether one lives is known from a lock it holds; two started at once are no harm, the second ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from typing import TYPE_CHECKING

from dnnprov.capture.detached import start_detached
from dnnprov.capture.switches import is_switched_on

if TYPE_CHECKING:
    from dnnprov.journal.folder import StoreFolder

FOLLOW_VARIABLE = "DNNPROV_FOLLOW"


def start_follower(folder: StoreFolder) -> None:
    """Start a follower of this store unless one lives or `DNNPROV_FOLLOW=0`.

    It has its own session, no standard streams and low priority, and ends by itself.

    Raises:
        OSError: the process could not be started.
    """
    is_python = bool(sys.executable) and not getattr(sys, "frozen", False)  # a frozen program would start itself
    if not is_python or not is_switched_on(FOLLOW_VARIABLE, default=True) or _is_followed(folder):
        return
    follower = [sys.executable, "-m", "dnnprov", "ingest", "--follow", "--store", str(folder.path)]
    start_detached(follower)


def _is_followed(folder: StoreFolder) -> bool:
    """Whether a live process holds the follower's lock."""
    try:
        lock = os.open(folder.follower_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        return True  # where we cannot make a lock a follower cannot write either
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        with contextlib.suppress(OSError):
            os.close(lock)
