"""From a log call in one process to an answer in another: how old is what an open analysis object tells?

The logged value is the time of its call, by the clock that all processes of a machine share. The reader asks for the
latest one; what it gets back and had not seen before is as old as the way took.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import dnnprov
from benchmarks.child import Child, run_child, tell
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median, percentile

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measurement import Size

NUM_CALLS = {"quick": 20, "full": 500, "large": 500}
LATEST = "SELECT last_finite AS sent FROM run_metric WHERE name = 'sent'"
PAUSES = {"asks again at once": 0.0, "asks every 20 ms": 0.02}


def measure(size: Size) -> list[Measurement]:
    """Milliseconds for a reader that asks without a pause; others as details."""
    num_calls = NUM_CALLS[size]
    found = {name: measure_pause(num_calls, pause) for name, pause in PAUSES.items()}
    at_once = found["asks again at once"]
    details = {
        f"a reader that {name}": f"median {1000 * median(ages):.1f} ms, p99 {1000 * percentile(ages, 99):.1f} ms"
        for name, ages in found.items()
    }
    what = "log call here, seen by an open analysis object there"
    return [
        Measurement(f"{what}, median", 1000 * median(at_once), "ms", reach=50, details=details),
        Measurement(f"{what}, p99", 1000 * percentile(at_once, 99), "ms", reach=50),
    ]


def measure_pause(num_calls: int, pause: float) -> list[float]:
    """Seconds from call to answer of each value that the reader saw."""
    with new_store() as store, dnnprov.start_run("live") as run:
        run.log(sent=0.0)
        run.recorder.drain()
        with Child(record, place=str(store), num_calls=num_calls) as recorder:
            expect("the recorder", recorder.hear(), "recording")
            ages = run_child(read, place=str(store), pause=pause)
            recorder.hear()
        check(store, num_calls)
    return ages


def record(place: str, num_calls: int) -> None:
    """In a child: log the time, now and then."""
    with dnnprov.start_run("live", store=place, name="told") as run:
        run.recorder.drain()
        tell("recording")
        time.sleep(0.5)
        for _ in range(num_calls):
            run.log(sent=time.monotonic())
            time.sleep(random.uniform(0.01, 0.03))
        run.log(sent=0.0)


def read(place: str, pause: float) -> list[float]:
    """In another child: ask for the latest value until the last one is there."""
    ages: list[float] = []
    sql = f"{LATEST} AND run_id = (SELECT run_id FROM run WHERE name = 'told')"
    last = None
    with dnnprov.open(place) as history:
        while True:
            rows = history.sql(sql)
            now = time.monotonic()
            sent = rows[0]["sent"] if rows else None
            if sent == 0:
                return ages
            if sent is not None and sent != last:
                last = sent
                ages.append(now - sent)
            if pause:
                time.sleep(pause)


def check(store: Path, num_calls: int) -> None:
    """Every value arrived."""
    with dnnprov.open(store) as history:
        (row,) = history.query(
            "SELECT COUNT(*) AS n FROM metric AS m JOIN run AS r USING (run_id) WHERE r.name = 'told'"
        )
    expect("values", row["n"], num_calls + 1)
