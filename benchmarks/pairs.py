"""What recording costs a training of any framework: a step, the end of an epoch, and once; pairs in short turns.

Two processes train the same, one of them recorded, on one thread of the processor each. They take turns every few
steps, within the training: a training tells when it draws a batch, and waits there until it is its turn again. So what
else the machine does, for seconds at a time, meets both. What the steps of a turn take more than those of the turn
beside it, by the median of all turns, is what recording adds to steps of any length. Where things lie in the memory of
a process lasts as long as that, so there are several such pairs of processes. Times are those of the process on the
processor.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from abc import ABC, abstractmethod
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import dnnprov
from benchmarks.child import Child, hear, tell
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median, percentile

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Size

STEPS_OF_EPOCH = 1000
"""Of an epoch whose cost is told: one of 5 s, where a step takes 5 ms."""

BEFORE_END = 2
"""Steps before the end of an epoch that count as a part of it: some frameworks draw a batch ahead."""


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
        turn: steps until the other process goes on.
        warming_up: steps of a turn, and of an epoch, that are not counted.
        table: that has a row for each epoch, or for each step.
        has_epochs: whether there are epochs, whose end costs something.
        is_automatic: whether `autolog` records it.
    """

    name: ClassVar[str]
    step: ClassVar[str] = "step"
    step_seconds: ClassVar[float] = 0.005
    reach: ClassVar[float] = 0.5
    shape: ClassVar[dict[str, int]] = {"num_pairs": 4, "num_turns": 3, "num_epochs": 4, "num_steps": 250}
    turn: ClassVar[int] = 25
    warming_up: ClassVar[int] = 4
    table: ClassVar[str] = "oTrainingModel"
    has_epochs: ClassVar[bool] = True
    is_automatic: ClassVar[bool] = True

    def __init__(self, is_recorded: bool, num_epochs: int, num_steps: int) -> None:
        self.is_recorded, self.num_epochs, self.num_steps = is_recorded, num_epochs, num_steps

    @abstractmethod
    def train(self, tick: Callable[[], None]) -> None:
        """Train once, from the beginning; `tick` is called at each draw of a batch."""

    @classmethod
    def expected_rows(cls, num_trainings: int, num_epochs: int, num_steps: int) -> int:
        """Of `table`, after so many trainings."""
        return num_trainings * (num_epochs if cls.has_epochs else num_epochs * num_steps)


@dataclass
class Seen:
    """Seconds of one pair of processes, without recording and with it.

    Attributes:
        turns: medians of the steps of two turns beside each other.
        ends: what the ends of epochs take beyond a usual step.
        once: what stands around all steps.
    """

    turns: list[tuple[float, float]] = field(default_factory=list)
    ends: list[tuple[float, float]] = field(default_factory=list)
    once: list[tuple[float, float]] = field(default_factory=list)

    def added(self) -> float:
        """Seconds that recording adds to a step."""
        return median([on - off for off, on in self.turns])


def measured(training: type[Training], size: Size) -> list[Measurement]:
    """What recording adds to trainings of one kind."""
    shape = quick(training) if size == "quick" else training.shape
    seen = [seen_by_pair(training, **shape) for _ in range(shape["num_pairs"])]
    of_pairs = [one.added() for one in seen]
    added = median(of_pairs)
    turns = [turn for one in seen for turn in one.turns]
    more = [on - off for off, on in turns]
    at_end = median([on - off for one in seen for off, on in one.ends]) if training.has_epochs else 0.0
    once = median([on - off for one in seen for off, on in one.once])
    part = f"{training.step_seconds:g} s" if training.step_seconds >= 1 else f"{1000 * training.step_seconds:g} ms"
    without, with_it = (median([turn[place] for turn in turns]) for place in (0, 1))
    each = {
        f"a {training.step}": f"{1e6 * without:.0f} us without, {1e6 * with_it:.0f} us with",
        "added": f"{1e6 * added:.1f} us a {training.step}; half of all turns between "
        f"{1e6 * percentile(more, 25):.1f} and {1e6 * percentile(more, 75):.1f} us",
        "by pairs of processes": ", ".join(f"{1e6 * one:.1f}" for one in sorted(of_pairs)) + " us",
        "once": f"{1000 * once:.0f} ms a training, its begin and its end",
        "how": f"{len(turns)} turns of {training.turn} each way, {shape['num_pairs']} pairs of processes, one thread",
    }
    found = [
        Measurement(
            f"{training.name}, a {training.step} of {part}",
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
    return {
        "num_pairs": 1,
        "num_turns": 1,
        "num_epochs": 2 if training.has_epochs else 1,
        "num_steps": training.turn + training.warming_up + 2 * BEFORE_END,
    }


def seen_by_pair(training: type[Training], num_pairs: int, num_turns: int, **shape: int) -> Seen:  # noqa: ARG001
    """What two new processes take, which train in turns; the first training of each warms up."""
    asked = {"module": training.__module__, "kind": training.__name__, "num_trainings": num_turns + 1, **shape}
    seen = Seen()
    with new_store() as store, Child(train, store="", **asked) as bare, Child(train, store=str(store), **asked) as on:
        for number in range(num_turns + 1):
            off_parts, on_parts = one_training([bare, on], number)
            if number:
                seen.once.append((off_parts["once"], on_parts["once"]))
                seen.ends += zip(off_parts["ends"], on_parts["ends"], strict=True)
                pairs = zip(off_parts["turns"], on_parts["turns"], strict=True)
                seen.turns += [(median(off), median(with_it)) for off, with_it in pairs if off]
        for child in (bare, on):
            child.hear()
        with dnnprov.open(store) as history:
            (row,) = history.query(f"SELECT COUNT(*) AS n FROM {training.table}")
            rows = training.expected_rows(num_turns + 1, shape["num_epochs"], shape["num_steps"])
            expect(f"rows of {training.table}", row["n"], rows)
    return seen


def one_training(children: list[Child], number: int) -> list[dict[str, Any]]:
    """Let the processes train once, a turn each after the other; what each says at its end."""
    found: list[dict[str, Any]] = []
    while not found:
        number += 1
        heard = []
        for child in children if number % 2 else reversed(children):
            child.tell()
            heard.append(child.hear())
        found = [one for one in (heard if number % 2 else reversed(heard)) if one is not None]
    return found


class Clock:
    """Notes when batches are drawn, and waits for its turn every few of them.

    Args:
        turn: batches of a turn.

    Attributes:
        drawn: when, before a wait.
        gone_on: when, behind it.
    """

    def __init__(self, turn: int) -> None:
        self._turn = turn
        self.drawn: list[float] = []
        self.gone_on: list[float] = []

    def tick(self) -> None:
        """A batch is drawn."""
        self.drawn.append(time.process_time())
        if len(self.drawn) % self._turn == 0:
            tell()
            hear()
        self.gone_on.append(time.process_time())


def train(store: str, module: str, kind: str, num_trainings: int, num_epochs: int, num_steps: int) -> None:
    """In a child: trainings, turn by turn as the parent asks for them, and what each took."""
    training = getattr(importlib.import_module(module), kind)
    if store:
        os.environ["DNNPROV_STORE"] = store
        if training.is_automatic:
            dnnprov.autolog("bench")
    one = training(bool(store), num_epochs, num_steps)
    for _ in range(num_trainings):
        hear()
        clock = Clock(training.turn)
        began = time.process_time()
        with redirect_stdout(sys.stderr):  # where the parent does not listen
            one.train(clock.tick)
        ended = time.process_time()
        expect("batches", len(clock.drawn), num_epochs * num_steps)
        tell(parts(training, began, clock, ended, num_steps))


def parts(training: type[Training], began: float, clock: Clock, ended: float, num_steps: int) -> dict[str, Any]:
    """The seconds between ticks, by what they are of."""
    steps = [drawn - gone_on for gone_on, drawn in zip(clock.gone_on, clock.drawn[1:], strict=False)]
    turns: list[list[float]] = [[] for _ in range(len(steps) // training.turn + 1)]
    for place, seconds in enumerate(steps):
        last = num_steps - BEFORE_END if training.has_epochs else num_steps
        in_turn, in_epoch = (place + 1) % training.turn, place % num_steps
        if in_turn >= training.warming_up and training.warming_up <= in_epoch < last:
            turns[(place + 1) // training.turn].append(seconds)
    usual = median([seconds for one in turns for seconds in one])
    around_ends = [
        steps[place - BEFORE_END : place + training.warming_up]
        for place in range(num_steps, len(steps), num_steps)
        if training.has_epochs
    ]
    first = steps[: training.warming_up]
    return {
        "turns": turns,
        "ends": [sum(one) - usual * len(one) for one in around_ends],
        "once": clock.drawn[0] - began + sum(first) - usual * len(first) + ended - clock.gone_on[-1],
    }
