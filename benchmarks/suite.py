"""All benchmarks by name, in the order of the table, and how they are run."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.measurement import Measurement, Size

BENCHMARKS = {
    "log_call": "one log call of five metrics",
    "many_calls": "100,000 calls as fast as they go, until all can be read",
    "training_cost": "what recording costs the training of the demo, and one of long epochs",
    "keras": "what recording costs a fit of Keras",
    "torch": "what autolog costs a plain PyTorch loop",
    "lightning": "what autolog costs a fit of Lightning",
    "transformers": "what autolog costs a Trainer of Transformers",
    "jax": "what watch costs a loop with JAX",
    "sklearn": "what autolog costs fits of scikit-learn",
    "optuna": "what autolog costs trials of Optuna",
    "keras_tuner": "what autolog costs trials of Keras Tuner",
    "import_time": "import dnnprov",
    "ingest": "from journals into the database",
    "importing": "from other systems into journals",
    "live_visibility": "from a log call here to an answer there",
    "questions": "the eight questions, warm",
    "first_answer": "a fresh process to the answer of Q1",
    "disk": "bytes on the disk for a value",
    "memory": "memory that recording adds",
    "lineage": "lineage among 100,000 elements",
    "export": "PROV documents of a long run",
    "posts": "posts of many clients to the server",
}
"""Name of a module of this package -> what it measures."""

IN_LARGE = frozenset({"questions", "ingest"})
"""Those that have a large size, which takes minutes and gigabytes."""


@dataclass(frozen=True)
class Measured:
    """What one benchmark returned.

    Attributes:
        name: of the benchmark.
        measurements: its figures; none where it failed.
        seconds: that it took.
        failure: what it raised.
    """

    name: str
    measurements: tuple[Measurement, ...]
    seconds: float
    failure: Exception | None = None


def run(names: Iterable[str], size: Size, told: Callable[[str], None]) -> Iterator[Measured]:
    """Run benchmarks one after the other, in this process and children of it.

    Args:
        names: of `BENCHMARKS`.
        size: of all.
        told: called with the name of each before it begins.
    """
    for name in names:
        told(name)
        began = time.perf_counter()
        measurements, failure = (), None
        try:
            measurements = tuple(importlib.import_module(f"benchmarks.{name}").measure(size))
        except Exception as error:  # noqa: BLE001 - the others are measured all the same
            failure = error
        yield Measured(name, measurements, time.perf_counter() - began, failure)
