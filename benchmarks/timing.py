"""Clocks and orders: variants take turns, so that what else the machine does meets all of them."""

from __future__ import annotations

import resource
import statistics
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Key = TypeVar("Key")

median = statistics.median

CALLS_A_TURN = 50
"""Some 3 ms with the work between."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which so many percent of the values are."""
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def in_turns(variants: Mapping[Key, Callable[[], float]], num_rounds: int) -> dict[Key, list[float]]:
    """What each variant returns in each round; every other round goes backwards, so none is always the first."""
    found: dict[Key, list[float]] = {key: [] for key in variants}
    for number in range(num_rounds):
        keys = list(variants) if number % 2 == 0 else list(reversed(variants))
        for key in keys:
            found[key].append(variants[key]())
    return found


def other_work() -> int:
    """What a training does between two calls: about 50 us of Python, so that caches are as they would be."""
    total = 0
    for number in range(1500):
        total += number * number
    return total


def time_calls(calls: Mapping[Key, Callable[[int], object]], num_calls: int, first: int = 0) -> dict[Key, list[float]]:
    """Seconds of every single call, each in a loop with other work between.

    A training that logs does not write plainly between two of its log calls, so each variant has a loop of its own. The
    loops take turns every few milliseconds, so that what else the machine does meets all variants alike.

    Args:
        calls: called with the number of the call.
        num_calls: of each.
        first: number of the first call.
    """
    clock = time.perf_counter
    found: dict[Key, list[float]] = {key: [] for key in calls}
    turns = [(call, found[key].append) for key, call in calls.items()]
    end = first + num_calls
    for begin_of_turn in range(first, end, CALLS_A_TURN):
        for call, note in turns:
            for number in range(begin_of_turn, min(begin_of_turn + CALLS_A_TURN, end)):
                other_work()
                begin = clock()
                call(number)
                note(clock() - begin)
    return found


def seconds_of(function: Callable[[], object]) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def processor_of(function: Callable[[], object]) -> float:
    """Processor seconds of the processes that a call runs and waits for; the same however busy the machine is."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    function()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
