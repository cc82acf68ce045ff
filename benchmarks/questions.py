"""The eight questions in an open analysis object: each warm, its look for news included, with nothing new."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import dnnprov
from benchmarks.child import ROOT, run_child
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median, seconds_of

if TYPE_CHECKING:
    from benchmarks.measurement import Size

NUM_TIMES = {"quick": 2, "full": 15, "large": 5}
HISTORIES = {"quick": (12, 5, 2), "full": (1000, 100, 6), "large": (10_000, 1000, 6)}
"""Runs, epochs of each, metrics of an epoch."""

REACH_MS = {"quick": 10, "full": 10, "large": 50}
ARGUMENTS: dict[str, dict[str, object]] = {"Q1": {"epoch": 3}, "Q7": {"dropout": 0.4}}


def measure(size: Size) -> list[Measurement]:
    """Milliseconds of the slowest question; all of them as details."""
    num_runs, num_epochs, num_metrics = HISTORIES[size]
    with new_store() as store:
        subprocess.run(
            [sys.executable, "benchmarks/big_history.py", str(store), "--runs", str(num_runs), "--epochs",
             str(num_epochs), "--metrics", str(num_metrics)],
            cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        found = run_child(ask_all, place=str(store), num_times=NUM_TIMES[size], num_runs=num_runs)
        size_mb = sum(path.stat().st_size for path in Path(store).rglob("*") if path.is_file()) / 1e6
    times = {name: 1000 * median(seconds) for name, seconds in found["warm"].items()}
    slowest = max(times, key=lambda name: times[name])
    anew = {name: 1000 * median(seconds) for name, seconds in found["anew"].items()}
    slowest_anew = max(anew, key=lambda name: anew[name])
    history = f"{num_runs:,} runs x {num_epochs:,} epochs x {num_metrics}"
    return [
        Measurement(
            f"the slowest question ({slowest}), warm, nothing new, {history}",
            times[slowest],
            "ms",
            reach=REACH_MS[size],
            details={
                **{
                    name: f"{one:.1f} ms, anew {anew[name]:.1f} ms, first time {1000 * found['first'][name]:.1f} ms, "
                    f"{found['rows'][name]:,} rows"
                    for name, one in times.items()
                },
                "of each, looking for news": f"{1000 * median(found['catch up']):.2f} ms",
                "opening the store": f"{1000 * found['open']:.1f} ms",
                "the store": f"{size_mb:,.0f} MB",
            },
        ),
        Measurement(
            f"the slowest question ({slowest_anew}), warm, after anything new, {history}",
            anew[slowest_anew],
            "ms",
            reach=REACH_MS[size],
        ),
    ]


def ask_all(place: str, num_times: int, num_runs: int) -> dict[str, object]:
    """In a child: seconds of each question, first and warm."""
    from dnnprov.analysis.questions import QUESTIONS

    first, warm, anew, rows = {}, {}, {}, {}
    opened: list[dnnprov.History] = []
    seconds = seconds_of(lambda: opened.append(dnnprov.open(place)))
    with opened[0] as history:
        (row,) = history.query("SELECT COUNT(*) AS n FROM run")
        expect("runs", row["n"], num_runs)
        for name in QUESTIONS:

            def ask(name: str = name) -> None:
                rows[name] = len(history.ask(name, **ARGUMENTS.get(name, {})))  # type: ignore[arg-type]

            first[name] = seconds_of(ask)
            warm[name] = [seconds_of(ask) for _ in range(num_times)]
            anew[name] = [seconds_of(ask) for _ in range(num_times) if history.store.forget_answers() is None]
            expect(f"an answer to {name}", rows[name] > 0, expected=True)
        news = [seconds_of(history.catch_up) for _ in range(num_times)]
    return {"open": seconds, "first": first, "warm": warm, "anew": anew, "rows": rows, "catch up": news}
