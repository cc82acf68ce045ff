"""One log call of five metrics in a loop with other work between, against `json.dumps`, `write` and `flush`."""

from __future__ import annotations

import json
import math
import os
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import dnnprov
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median, percentile, time_calls
from dnnprov.journal.format import encode
from dnnprov.model.events import MetricsRecorded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.measurement import Size

Round: TypeAlias = "dict[str, list[float]]"
"""Seconds of each call of each variant."""

NUM_ROUNDS = {"quick": 2, "full": 7, "large": 7}
NUM_CALLS = {"quick": 50, "full": 3000, "large": 3000}
"""Of each variant in a round."""

SEEN_ELSEWHERE = {
    "seen elsewhere, us a call": (
        "in-memory trackers 3.5-9, TensorBoard writer 138-208, W&B off-line 121-176, Aim 271, MLflow 3,176, "
        "MLflow async 287, the original DfAnalyzer client 1,223"
    )
}
"""On such a machine, by the issue that this suite comes from; not measured here."""


def measure(size: Size) -> list[Measurement]:
    """The ratio to the plain write, the tail, and what a NaN, a second thread and the follower cost."""
    num_rounds, num_calls = NUM_ROUNDS[size], NUM_CALLS[size]
    with new_store() as store:
        rounds = [measure_round(store, num_calls, number * num_calls) for number in range(num_rounds)]
        threads = [measure_threads(store, num_calls, number) for number in range(min(2, num_rounds))]
        check(num_rounds * num_calls, num_calls, len(threads))
    with new_store(is_followed=True) as store:
        followed = [measure_round(store, num_calls, 0)]
    return [
        Measurement(
            "log call of 5 metrics over json.dumps + write + flush, medians",
            ratio(rounds, "log", "plain"),
            reach=0.65,
            details={
                "log call": in_us(rounds, "log"),
                "of it, os.write of the line": in_us(rounds, "of it: os.write"),
                "of it, encoding, the check for NaN and other types included": in_us(rounds, "of it: encode"),
                "of each figure, clock and loop": in_us(rounds, "nothing"),
                "json.dumps + write + flush": in_us(rounds, "plain"),
                "ratio where all values are short (0.5, 1.25)": f"{ratio(rounds, 'short', 'plain short'):.2f}",
                "log call with a NaN": f"{in_us(rounds, 'nan')}, ratio {ratio(rounds, 'nan', 'plain nan'):.2f}",
                "two threads log at once, a call": in_us(threads, "log"),
                "two threads write plainly, each a file, a call": in_us(threads, "plain"),
                "log call beside the follower": in_us(followed, "log"),
                "ratio beside the follower": f"{ratio(followed, 'log', 'plain'):.2f}",
                **SEEN_ELSEWHERE,
            },
        ),
        Measurement(
            "p99 of log calls over their own median",
            tail(rounds, "log"),
            reach=5,
            details={
                "of plain writes": f"{tail(rounds, 'plain'):.2f}",
                "beside the follower": f"{tail(followed, 'log'):.2f}",
            },
        ),
    ]


def ratio(rounds: list[Round], variant: str, plain: str) -> float:
    """Between medians, round by round."""
    return median([median(one[variant]) / median(one[plain]) for one in rounds])


def tail(rounds: list[Round], variant: str) -> float:
    """99th percentile over the median, round by round."""
    return median([percentile(one[variant], 99) / median(one[variant]) for one in rounds])


def in_us(rounds: list[Round], variant: str) -> str:
    """The median of the rounds' medians and 99th percentiles."""
    middle = median([median(one[variant]) for one in rounds])
    high = median([percentile(one[variant], 99) for one in rounds])
    return f"{1e6 * middle:.1f} us, p99 {1e6 * high:.1f} us"


def values(number: int) -> dict[str, float]:
    """What an epoch of a training logs: results of arithmetic, with all their digits, and a learning rate."""
    chance = random.random()
    return {
        "loss": 2.9 / (number + 1) + chance,
        "accuracy": 1 - chance / 3,
        "val_loss": 3.1 / (number + 1) + chance,
        "val_accuracy": 1 - chance / 2,
        "learning_rate": 0.001,
    }


SHORT = {"loss": 0.5, "accuracy": 0.25, "val_loss": 1.25, "val_accuracy": 0.75, "learning_rate": 0.001}


def measure_round(store: Path, num_calls: int, first: int) -> Round:
    """Seconds of each call of each variant, which take turns."""
    made = [values(number) for number in range(first, first + num_calls)]
    with dnnprov.start_run("calls", name="turns") as run, (store.parent / "plain.txt").open("a") as file:
        log = run.log

        def write_plain(number: int, metrics: dict[str, Any]) -> None:
            file.write(json.dumps({"step": number, **metrics}) + "\n")
            file.flush()

        line = encode(event_of(first, made[0]))
        variants: dict[str, Callable[[int], object]] = {
            "log": lambda number: log(step=number, **made[number - first]),
            "plain": lambda number: write_plain(number, made[number - first]),
            "short": lambda number: log(step=number + 10**9, **SHORT),
            "plain short": lambda number: write_plain(number, SHORT),
            "nan": lambda number: log(step=number + 2 * 10**9, **{**made[number - first], "loss": math.nan}),
            "of it: os.write": lambda _: os.write(file.fileno(), line),
            "of it: encode": lambda number: encode(event_of(number, made[number - first])),
            "nothing": lambda _: None,
            "plain nan": lambda number: write_plain(number, {**made[number - first], "loss": math.nan}),
        }
        run.recorder.drain()  # what a run does once, at its start, is not of a call
        return time_calls(variants, num_calls, first)


def event_of(number: int, metrics: dict[str, float]) -> MetricsRecorded:
    """What a log call writes."""
    return MetricsRecorded(values=metrics, step=number, seq=number, at=1_700_000_000_000_000)


def measure_threads(store: Path, num_calls: int, number: int) -> Round:
    """Seconds of the calls of one of two threads, which do the same: both log, then both write files of their own."""
    with dnnprov.start_run("calls", name="threads") as run:
        run.recorder.drain()

        def log_all(thread: int) -> Callable[[int], object]:
            return lambda step: run.log(step=step, **{f"{key}_{number}_{thread}": v for key, v in made[step].items()})

        def write_all(thread: int) -> Callable[[int], object]:
            file = (store.parent / f"plain-{number}-{thread}.txt").open("w", buffering=1)
            return lambda step: file.write(json.dumps({"step": step, **made[step]}) + "\n")

        made = [values(step) for step in range(num_calls)]
        found = {}
        for name, kind in (("log", log_all), ("plain", write_all)):
            calls = [kind(thread) for thread in range(2)]
            with ThreadPoolExecutor(2) as pool:
                first, _ = pool.map(lambda call: time_calls({"call": call}, num_calls), calls)
            found[name] = first["call"]
    return found


def check(num_turns: int, num_in_thread: int, num_thread_rounds: int) -> None:
    """Every value is in the database once, each NaN as what it is."""
    with dnnprov.open() as history:
        counts = "SELECT COUNT(*) AS n, COUNT(DISTINCT r.run_id || ' ' || m.name || ' ' || step) AS steps"
        counts += " FROM metric AS m JOIN run AS r USING (run_id) WHERE r.name = ?"
        expected = {"turns": 3 * 5 * num_turns, "threads": num_thread_rounds * 2 * 5 * num_in_thread}
        for name, number in expected.items():
            (row,) = history.query(counts, (name,))
            expect(f"values of {name}", (row["n"], row["steps"]), (number, number))
        (row,) = history.query("SELECT COUNT(*) AS n FROM metric WHERE non_finite = 'NaN'")
        expect("NaN", row["n"], num_turns)
