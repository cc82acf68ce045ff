"""Memory that recording adds to the training process: two processes that differ in nothing else.

`USS`: what is the process's own, which is what would be free again without it. `PSS` adds its part of what it shares.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.child import run_child
from benchmarks.measurement import Measurement
from benchmarks.stores import new_store
from benchmarks.timing import in_turns, median, other_work

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Size

NUM_ROUNDS = {"quick": 1, "full": 5, "large": 5}
NUM_CALLS = {"quick": 1000, "full": 100_000, "large": 1_000_000}


def measure(size: Size) -> list[Measurement]:
    """Megabytes between a process that records and one that does not."""
    cases = {"": False, " with Keras loaded": True}
    if size == "quick":
        cases = {"": False}
    return [added(size, is_keras=is_keras, title=title) for title, is_keras in cases.items()]


def added(size: Size, *, is_keras: bool, title: str) -> Measurement:
    """What 100,000 calls leave behind, beside the same loop without them."""

    def variant(num_calls: int, *, is_recording: bool) -> Callable[[], dict[str, float]]:
        return lambda: record(num_calls, is_recording=is_recording, is_keras=is_keras)

    num_calls = NUM_CALLS[size]
    variants = {
        "without": variant(num_calls, is_recording=False),
        "after 1": variant(1, is_recording=True),
        "after all": variant(num_calls, is_recording=True),
    }
    found = in_turns(variants, NUM_ROUNDS[size])  # type: ignore[arg-type, var-annotated]

    def more(name: str, kind: str) -> float:
        pairs = zip(found[name], found["without"], strict=True)
        return median([one[kind] - other[kind] for one, other in pairs])

    return Measurement(
        f"memory added to the training process{title}, {num_calls:,} calls",
        more("after all", "Uss"),
        "MB",
        reach=10,
        details={
            "PSS, RSS": f"{more('after all', 'Pss'):.1f} MB, {more('after all', 'Rss'):.1f} MB",
            "after a single call": f"{more('after 1', 'Uss'):.1f} MB",
            "the process without recording": f"{median([one['Uss'] for one in found['without']]):.0f} MB",
        },
    )


def record(num_calls: int, *, is_recording: bool, is_keras: bool) -> dict[str, float]:
    """Memory of a child after its loop."""
    with new_store():
        result: dict[str, float] = run_child(
            training, num_calls=num_calls, is_recording=is_recording, is_keras=is_keras
        )
    return result


def training(num_calls: int, *, is_recording: bool, is_keras: bool) -> dict[str, float]:
    """In the child: a loop that logs five metrics, or only computes them."""
    if is_keras:
        import keras

        keras.layers.Dense(1).build((None, 1))
    if not is_recording:
        for number in range(num_calls):
            metrics(number)
        return own_memory()
    import dnnprov

    with dnnprov.start_run("memory") as run:
        for number in range(num_calls):
            run.log(step=number, **metrics(number))
        run.recorder.drain()
        return own_memory()


def metrics(number: int) -> dict[str, float]:
    """Five values."""
    if number % 1000 == 0:
        other_work()
    return {"loss": 1 / (number + 1), "accuracy": 0.5, "val_loss": 0.25, "val_accuracy": 0.75, "learning_rate": 0.001}


def own_memory() -> dict[str, float]:
    """Megabytes of this process: Rss, Pss and Uss."""
    found: dict[str, float] = {}
    for line in Path(f"/proc/{os.getpid()}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) * 1024 / 1e6
    return {"Rss": found["Rss"], "Pss": found["Pss"], "Uss": found["Private_Clean"] + found["Private_Dirty"]}
