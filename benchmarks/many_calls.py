"""100,000 calls of one metric as fast as they go, and how soon all of them can be read in another process.

The reader is an analysis object that is open before the first call and asks again and again, as a dashboard does: each
question takes in what is new. Time runs from the return of the last call until an answer has them all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import dnnprov
from benchmarks.child import Child, hear, tell
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measurement import Size

NUM_ROUNDS = {"quick": 1, "full": 7, "large": 7}
NUM_CALLS = {"quick": 1000, "full": 100_000, "large": 100_000}


def measure(size: Size) -> list[Measurement]:
    """Calls a second, and seconds until all are there; with and without somebody who reads meanwhile."""
    num_calls = NUM_CALLS[size]
    alone, beside, after, idle_after, followed = [], [], [], [], []
    for _ in range(NUM_ROUNDS[size]):
        with new_store() as store:
            rate, seconds = measure_round(store, num_calls, is_polling=True)
            beside.append(rate)
            after.append(seconds)
        with new_store() as store:
            rate, seconds = measure_round(store, num_calls, is_polling=False)
            alone.append(rate)
            idle_after.append(seconds)
        with new_store(is_followed=True) as store:
            followed.append(measure_round(store, num_calls, is_polling=False)[0])
    return [
        Measurement(
            f"{num_calls:,} calls of one metric",
            median(alone),
            "calls/s",
            reach=300_000,
            is_floor=True,
            details={
                "while another process asks all the time": f"{median(beside):,.0f} calls/s",
                "while the follower takes them in": f"{median(followed):,.0f} calls/s",
                "seen elsewhere": "54,000 calls/s (best tracker)",
            },
        ),
        Measurement(
            "all of them readable after the last call, by a reader that asks all the time",
            median(after),
            "s",
            reach=0.5,
            details={
                "by an open reader that asks only then": f"{median(idle_after):.2f} s",
                "worst round": f"{max(after):.2f} s",
            },
        ),
    ]


def measure_round(store: Path, num_calls: int, *, is_polling: bool) -> tuple[float, float]:
    """Calls a second, and seconds after the last call until the reader has all."""
    with dnnprov.start_run("calls") as run:
        run.log(loss=1.0)
        run.recorder.drain()
        with Child(read_until, place=str(store), num_values=num_calls + 1, is_polling=is_polling) as reader:
            expect("the reader", reader.hear(), "open")
            log = run.log
            begin = time.monotonic()
            for _ in range(num_calls):
                log(loss=0.5)
            end = time.monotonic()
            reader.tell()
            seen_at = reader.hear()
    return num_calls / (end - begin), seen_at - end


def read_until(place: str, num_values: int, *, is_polling: bool) -> float:
    """In the child: ask until all values are there; the time when they are, by the clock of the machine."""
    count = "SELECT COUNT(*) AS n FROM metric"
    known = "SELECT num_values AS n FROM run_metric"
    with dnnprov.open(place) as history:
        history.sql(count)
        tell("open")
        if not is_polling:
            hear()
        while (history.sql(known)[0]["n"]) < num_values:
            time.sleep(0.002)
        (row,) = history.sql(count)
        now = time.monotonic()
    expect("values", row["n"], num_values)
    return now
