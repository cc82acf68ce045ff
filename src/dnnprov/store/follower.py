"""The follower: keeps the database up to date while trainings record, for people who look at it with other tools.

One a store, by a lock. It is nice to the training beside it: low priority, short transactions, long sleeps when
little happens, and it ends by itself.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

from dnnprov.errors import SchemaVersionError
from dnnprov.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.journal.folder import StoreFolder

IDLE_SECONDS = 30.0
"""Three heartbeats: when nothing was recorded for so long, no training lives."""

CHUNK_BYTES = 64 << 10
"""Some 20 ms of work, so that a reader who wants to catch up waits no longer."""

SHORTEST_SLEEP, LONGEST_SLEEP = 1.0, 7.5
SCHEMA_CHECK_SECONDS = 5.0


def follow(folder: StoreFolder, idle_seconds: float = IDLE_SECONDS, told: Callable[[int], None] | None = None) -> int:
    """Take in what is recorded until nothing is for a while, or until the store is no longer the same.

    Args:
        folder: of the store.
        idle_seconds: without anything new, after which it ends.
        told: called with the number of new events whenever there were some.

    Returns:
        How many events were taken in; 0 at once where another follower lives.

    Raises:
        StoreError: the database cannot be written.
    """
    lock = os.open(folder.follower_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return 0
    try:
        return _follow(folder, idle_seconds, told)
    except SchemaVersionError as error:
        if error.found > error.expected:
            return 0  # a later dnnprov has taken over, and brings followers of its own
        raise
    finally:
        os.close(lock)


def _follow(folder: StoreFolder, idle_seconds: float, told: Callable[[int], None] | None) -> int:
    os.nice(10)
    store = SqliteStore(folder, chunk_bytes=CHUNK_BYTES)
    try:
        longest = min(LONGEST_SLEEP, idle_seconds / 4)
        total, pause, last_news, last_check = 0, min(SHORTEST_SLEEP, longest), time.monotonic(), time.monotonic()
        while time.monotonic() - last_news < idle_seconds and not store.is_replaced():
            num_events = store.ingest()
            total += num_events
            if num_events:
                last_news, pause = time.monotonic(), min(SHORTEST_SLEEP, longest)
                if told:
                    told(num_events)
            else:
                pause = min(pause * 2, longest)
            time.sleep(pause)
            if time.monotonic() - last_check > SCHEMA_CHECK_SECONDS:
                last_check = time.monotonic()
                if not store.has_current_schema():
                    break
        return total
    finally:
        store.close()
