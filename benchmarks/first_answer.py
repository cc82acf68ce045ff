"""A fresh process to the printed answer of Q1: what a person waits for who types a question."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import dnnprov
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import in_turns, median, processor_of, seconds_of

if TYPE_CHECKING:
    from benchmarks.measurement import Size

NUM_ROUNDS = {"quick": 1, "full": 21, "large": 21}
NUM_RUNS, NUM_EPOCHS = 9, 35  # as many as the demo has


def measure(size: Size) -> list[Measurement]:
    """Milliseconds from the start of the process to its end."""
    with new_store():
        record()
        script = Path(sys.executable).with_name("dnnprov")
        command = [str(script)] if script.exists() else [sys.executable, "-m", "dnnprov"]
        question = [*command, "ask", "Q1", "--dataflow", "alexnet", "--epoch", "10"]
        done = subprocess.run([*question, "--json"], check=True, capture_output=True, text=True)
        expect("the answer", [row["epoch"] for row in json.loads(done.stdout)], [10])
        variants = {
            "Q1": lambda: run_program(question),
            "Q1 --json": lambda: run_program([*question, "--json"]),
            "--version": lambda: run_program([*command, "--version"]),
            "bare Python": lambda: run_program([sys.executable, "-c", "pass"]),
        }
        processor = 1000 * median([processor_of(variants["Q1"]) for _ in range(NUM_ROUNDS[size])])
        found = {name: 1000 * median(times) for name, times in in_turns(variants, NUM_ROUNDS[size]).items()}
    return [
        Measurement(
            "fresh process to the printed answer of Q1",
            found["Q1"],
            "ms",
            reach=200,
            details={
                **{name: f"{found[name]:.0f} ms" for name in ("Q1 --json", "--version", "bare Python")},
                "processor time of it": f"{processor:.0f} ms",
            },
        )
    ]


def record() -> None:
    """A few finished runs, and one that goes on while it is asked."""
    for _ in range(NUM_RUNS):
        with dnnprov.start_run("alexnet", params={"learning_rate": 0.002}) as run, run.task("Training") as training:
            for epoch in range(1, NUM_EPOCHS + 1):
                training.log(epoch=epoch, loss=1 / epoch, accuracy=1 - 1 / (epoch + 1), elapsed_time=1.5)


def run_program(command: list[str]) -> float:
    """Seconds from start to end of a process."""
    return seconds_of(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
