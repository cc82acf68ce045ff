"""What recording costs a training of any framework: a step, the end of an epoch, and once; pairs in turns.

Two processes train the same, one of them recorded, in turns, each on one thread of the processor. A training tells when
it draws a batch; what lies between two draws is a step, or around the last draw of an epoch its end. What these take
more by their medians is what recording adds to steps of any length. Times are those of the process on the processor,
which other programs on the machine lengthen least.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from abc import ABC, abstractmethod
from contextlib import redirect_stdout
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import dnnprov
from benchmarks.child import Child, hear, tell
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.measurement import Size

STEPS_OF_EPOCH = 1000
"""Of an epoch whose cost is told: one of 5 s, where a step takes 5 ms."""

WARMING_UP = 3
"""Steps of an epoch that are not counted."""


class Training(ABC):
    """A small real training; one object trains several times.

    Args:
        is_recorded: whether it is one that is recorded; where `autolog` does that, there is nothing more to do.
        num_epochs: of each training.
        num_steps: of each epoch.

    Attributes:
        name: in the table.
        step: what stands between two ticks, in words.
        step_seconds: how long one is where a part of it is told.
        reach: per cent of a step, and of an epoch.
        shape: of a full measurement.
        table: that has a row for each epoch, or for each step.
        has_epochs: whether there are epochs, whose end costs something.
        is_automatic: whether `autolog` records it.
    """

    name: ClassVar[str]
    step: ClassVar[str] = "step"
    step_seconds: ClassVar[float] = 0.005
    reach: ClassVar[float] = 0.5
    shape: ClassVar[dict[str, int]] = {"num_turns": 10, "num_epochs": 3, "num_steps": 150}
    table: ClassVar[str] = "oTrainingModel"
    has_epochs: ClassVar[bool] = True
    is_automatic: ClassVar[bool] = True

    def __init__(self, is_recorded: bool, num_epochs: int, num_steps: int) -> None:
        self.is_recorded, self.num_epochs, self.num_steps = is_recorded, num_epochs, num_steps

    @abstractmethod
    def train(self, tick: Callable[[], None]) -> None:
        """Train once, from the beginning; `tick` is called at each draw of a batch."""

    @classmethod
    def expected_rows(cls, num_turns: int, num_epochs: int, num_steps: int) -> int:
        """Of `table`, after so many trainings."""
        return num_turns * (num_epochs if cls.has_epochs else num_epochs * num_steps)


def measured(training: type[Training], size: Size) -> list[Measurement]:
    """What recording adds to trainings of one kind."""
    shape = quick(training) if size == "quick" else training.shape
    seen = seconds_seen(training, **shape)
    parts_of = ("step", "end", "once")
    step, end, once = ({kind: median(values) for kind, values in seen[name].items()} for name in parts_of)
    added = step["on"] - step["off"]
    at_end = end["on"] - end["off"]
    unit = f"{training.step_seconds:g} s" if training.step_seconds >= 1 else f"{1000 * training.step_seconds:g} ms"
    how = "{num_turns} trainings each way in turns, {num_epochs} epochs of {num_steps}, one thread"
    if not training.has_epochs:
        how = "{num_turns} times each way in turns, {num_steps} each time, one thread"
    each = {
        f"a {training.step}": f"{1e6 * step['off']:.0f} us without, {1e6 * step['on']:.0f} us with",
        "added": f"{1e6 * added:.1f} us a {training.step}",
        "once": f"{1000 * (once['on'] - once['off']):.0f} ms a training, its begin and its end",
        "how": how.format(**shape),
    }
    found = [
        Measurement(
            f"{training.name}, a {training.step} of {unit}",
            100 * added / training.step_seconds,
            "%",
            reach=training.reach,
            details=each,
        )
    ]
    if training.has_epochs:
        per_epoch = STEPS_OF_EPOCH * added + at_end
        found.append(
            Measurement(
                f"{training.name}, an epoch of {STEPS_OF_EPOCH} such steps",
                100 * per_epoch / (STEPS_OF_EPOCH * training.step_seconds),
                "%",
                reach=training.reach,
                details={"an epoch's end": f"{1000 * at_end:.2f} ms"},
            )
        )
    return found


def quick(training: type[Training]) -> dict[str, int]:
    """As little as shows that it works."""
    return {"num_turns": 1, "num_epochs": 2 if training.has_epochs else 1, "num_steps": 8}


def seconds_seen(
    training: type[Training], num_turns: int, num_epochs: int, num_steps: int
) -> dict[str, dict[str, list[float]]]:
    """Seconds of all steps, ends of epochs and of what is around them, with and without recording."""
    asked = {
        "module": training.__module__,
        "kind": training.__name__,
        "num_turns": num_turns,
        "num_epochs": num_epochs,
        "num_steps": num_steps,
    }
    seen: dict[str, dict[str, list[float]]] = {name: {"on": [], "off": []} for name in ("step", "end", "once")}
    with new_store() as store, Child(train, store="", **asked) as bare, Child(train, store=str(store), **asked) as on:
        turns = [("off", bare), ("on", on)]
        for number in range(num_turns + 1):
            for kind, child in turns if number % 2 else reversed(turns):
                child.tell()
                heard = child.hear()
                for name, values in heard.items() if number else ():  # the first one warms up
                    seen[name][kind] += values
        for _, child in turns:
            child.hear()
        check(store, training, num_turns + 1, num_epochs, num_steps)
    return seen


def check(store: Path, training: type[Training], *shape: int) -> None:
    """Everything was recorded, once."""
    with dnnprov.open(store) as history:
        (row,) = history.query(f"SELECT COUNT(*) AS n FROM {training.table}")
        expect(f"rows of {training.table}", row["n"], training.expected_rows(*shape))


def train(store: str, module: str, kind: str, num_turns: int, num_epochs: int, num_steps: int) -> None:
    """In a child: trainings as the parent asks for them, and what each step of them took."""
    training = getattr(importlib.import_module(module), kind)
    if store:
        os.environ["DNNPROV_STORE"] = store
        if training.is_automatic:
            dnnprov.autolog("bench")
    one = training(bool(store), num_epochs, num_steps)
    for _ in range(num_turns + 1):
        hear()
        ticks: list[float] = []
        clock, note = time.process_time, ticks.append
        began = clock()
        with redirect_stdout(sys.stderr):  # where the parent does not listen
            one.train(lambda: note(clock()))  # noqa: B023 - called within the turn
        tell(parts(began, ticks, clock(), num_epochs, num_steps))


def parts(began: float, ticks: list[float], ended: float, num_epochs: int, num_steps: int) -> dict[str, list[float]]:
    """The seconds between ticks, by what they are of."""
    expect("batches", len(ticks), num_epochs * num_steps)
    between = [later - earlier for earlier, later in pairwise(ticks)]
    is_end = [number % num_steps == 0 for number in range(1, len(ticks))]
    counted = [number % num_steps > WARMING_UP for number in range(1, len(ticks))]
    step = [seconds for seconds, is_counted in zip(between, counted, strict=True) if is_counted]
    usual = median(step)
    # With the steps before it and behind it: some frameworks draw a batch ahead, and tell of an epoch's end later.
    around_ends = [between[max(place - 1, 0) : place + WARMING_UP] for place, is_one in enumerate(is_end) if is_one]
    end = [sum(one) - usual * len(one) for one in around_ends]
    around = ticks[0] - began + sum(between[:WARMING_UP]) - usual * WARMING_UP + ended - ticks[-1]
    return {"step": step, "end": end or [0.0], "once": [around]}
