"""From the journal of a run that goes on into SQLite: values a second, and how much memory it takes.

Each ingest is a process of its own with a new database. The run is not finished meanwhile, so its journal is not
compressed; what that takes stands in the details.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

import dnnprov
from benchmarks.child import run_child
from benchmarks.log_call import values
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from benchmarks.measurement import Size

NUM_ROUNDS = {"quick": 1, "full": 5, "large": 1}
NUM_VALUES = {"quick": 5_000, "full": 300_000, "large": 3_000_000}
TIMES_LARGER = 10


def one_metric(run: dnnprov.Run, num_values: int) -> None:
    """A value a call, as most trackers are used."""
    for number in range(num_values):
        run.log(step=number, loss=1 / (number + 1))


def five_metrics(run: dnnprov.Run, num_values: int) -> None:
    """Five values a call."""
    for number in range(num_values // 5):
        run.log(step=number, **values(number))


def epoch_rows(run: dnnprov.Run, num_values: int) -> None:
    """Five metrics a row of oTrainingModel, beside its epoch and time."""
    with run.task("Training") as training:
        for number in range(num_values // 5):
            training.log(epoch=number + 1, elapsed_time=1.5, **values(number))


SHAPES = {
    "one metric a call": (one_metric, "metric_value", 1),
    "five metrics a call": (five_metrics, "metric_value", 1),
    "epochs, a row of five": (epoch_rows, "otrainingmodel", 5),
}


def measure(size: Size) -> list[Measurement]:
    """Values a second for each shape, and the memory at ten times the size."""
    num_values = NUM_VALUES[size]
    found = {name: measure_shape(num_values, name, NUM_ROUNDS[size]) for name in SHAPES}
    rates = {name: median([num_values / one["seconds"] for one in rounds]) for name, rounds in found.items()}
    worst = min(("one metric a call", "five metrics a call"), key=lambda name: rates[name])
    (larger,) = measure_shape(TIMES_LARGER * num_values, "five metrics a call", 1)
    smaller = found["five metrics a call"][0]
    finished = measure_shape(num_values, "five metrics a call", NUM_ROUNDS[size], is_finished=True)
    return [
        Measurement(
            f"ingest into SQLite, {num_values:,} values, {worst}",
            rates[worst],
            "values/s",
            reach=300_000,
            is_floor=True,
            details={
                **{name: f"{rate:,.0f} values/s" for name, rate in rates.items()},
                f"five metrics a call, {TIMES_LARGER * num_values:,} values": (
                    f"{TIMES_LARGER * num_values / larger['seconds']:,.0f} values/s"
                ),
                "five metrics a call of a finished run, journal compressed as well": (
                    f"{median([num_values / one['seconds'] for one in finished]):,.0f} values/s"
                ),
                **{
                    f"{name}, a second of the processor": f"{per_processor(num_values, rounds):,.0f} values"
                    for name, rounds in found.items()
                },
            },
        ),
        Measurement(
            f"memory of an ingest, {TIMES_LARGER * num_values:,} values beyond {num_values:,}",
            larger["megabytes"] - smaller["megabytes"],
            "MB",
            reach=67,
            details={
                f"{num_values:,} values": f"{smaller['megabytes']:.0f} MB beyond the process before",
                f"{TIMES_LARGER * num_values:,} values": f"{larger['megabytes']:.0f} MB",
                "the reach": "64 MiB, what SQLite's page cache may hold; beyond it nothing grows with the journal",
            },
        ),
    ]


def per_processor(num_values: int, rounds: list[dict[str, float]]) -> float:
    """Values in a second of the processor: the same however busy the machine is."""
    return median([num_values / one["processor"] for one in rounds])


def measure_shape(num_values: int, shape: str, num_rounds: int, *, is_finished: bool = False) -> list[dict[str, float]]:
    """What each of several ingests of one journal took."""
    make, table, per_row = SHAPES[shape]
    found = []
    with new_store() as store:
        run = record(make, num_values)
        if is_finished:
            num_rounds = 1
            run.finish()
        for _ in range(num_rounds):
            found.append(run_child(take_in, place=str(store), table=table, num_rows=num_values // per_row))
            for database in store.glob("provenance.db*"):
                database.unlink()
        run.finish()
    return found


def record(make: Callable[[dnnprov.Run, int], None], num_values: int) -> dnnprov.Run:
    """A run that goes on, with its journal."""
    run = dnnprov.start_run("ingest")
    make(run, num_values)
    run.recorder.drain()
    return run


def take_in(place: str, table: str, num_rows: int) -> dict[str, Any]:
    """In a child: seconds, processor seconds, and megabytes of the peak beyond what there was before."""
    from dnnprov.store.sqlite import open_store

    store = open_store(place)
    before = memory("VmRSS")
    began, worked = time.perf_counter(), time.process_time()
    store.catch_up()
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    peak = max(memory("VmHWM"), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 if before == 0 else 0)
    _, ((count,),) = store.read(f"SELECT COUNT(*) FROM {table}")
    expect("rows", count, num_rows)
    store.close()
    return {"seconds": seconds, "processor": processor, "megabytes": peak - before}


def memory(name: str) -> float:
    """Megabytes by a line of /proc/self/status; 0 where there is none."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    found = [float(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name + ":")]
    return found[0] if found else 0.0
