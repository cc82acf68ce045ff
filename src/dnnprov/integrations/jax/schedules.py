"""What a schedule of optax is: by which name, with which values, and which rate its warm-up leads to.

A schedule is a function of the count of steps; what it was made with stands in its closure.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.jax.transformations import closure_of
from dnnprov.model.values import json_text, plain_value

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 4
_DOUBLINGS = 24
_JOINED: dict[tuple[str, ...], str] = {
    ("polynomial_schedule", "cosine_decay_schedule"): "warmup_cosine_decay_schedule",
    ("polynomial_schedule", "exponential_decay"): "warmup_exponential_decay_schedule",
}
"""What a function of optax joins -> its name."""


def schedule_name(schedule: Any) -> str:
    """The function that made a schedule: `exponential_decay`.

    Example:
        >>> def exponential_decay(rate):
        ...     return lambda count: rate * 0.9**count
        >>> schedule_name(exponential_decay(0.1))
        'exponential_decay'
    """
    name = str(getattr(schedule, "__qualname__", type(schedule).__name__))
    name = name.partition(".<locals>")[0].rpartition(".")[2] or "schedule"
    return _JOINED.get(tuple(schedule_name(part) for part in _joined(schedule)), name)


def schedule_values(schedule: Any) -> dict[str, Any]:
    """What a schedule was made with, as far as these are numbers; of several joined ones each, the later ones numbered.

    Example:
        >>> def exponential_decay(rate):
        ...     return lambda count: rate * 0.9**count
        >>> schedule_values(exponential_decay(0.1))
        {'rate': 0.1}
    """
    parts = _joined(schedule)
    if not parts:
        held = closure_of(schedule)
        found = {name: value for name, value in held.items() if isinstance(value, bool | int | float | str)}
        lists = {name: value for name, value in held.items() if isinstance(value, tuple | list)}
        return {**found, **{name: json_text([plain_value(one) for one in value]) for name, value in lists.items()}}
    found = {"boundaries": json_text([plain_value(one) for one in closure_of(schedule)["boundaries"]])}
    for number, part in enumerate(parts, start=1):
        behind = "" if number == 1 else f"_{number}"
        found.update({f"{name}{behind}": value for name, value in schedule_values(part).items()})
    return found


def leads_to(schedule: Callable[[Any], Any], depth: int = 0) -> Any:
    """The value that a schedule which begins at zero leads to; `None` where it does not begin there, or leads nowhere.

    Example:
        >>> leads_to(lambda count: min(count / 1000, 1.0) * 0.25), leads_to(lambda count: 0.5)
        (0.25, None)
    """
    if float(schedule(0)) != 0:
        return None
    parts = _joined(schedule)
    if parts and depth < MAX_DEPTH:
        if _joined(parts[0]):
            return leads_to(parts[0], depth + 1)
        return plain_value(schedule(int(closure_of(schedule)["boundaries"][0])))
    return _first_peak(schedule)


def _first_peak(schedule: Callable[[Any], Any]) -> Any:
    """The value at which a schedule first stops to climb: doubling the count, then halving what lies between."""
    before, best = 0, 0
    for number in range(_DOUBLINGS):
        count = 1 << number
        if float(schedule(count)) <= float(schedule(best)):
            break
        before, best = best, count
    low, high = before, best * 2
    while low < high:
        middle = (low + high) // 2
        if float(schedule(middle + 1)) > float(schedule(middle)):
            low = middle + 1
        else:
            high = middle
    return plain_value(schedule(low)) or None


def _joined(schedule: Any) -> list[Any]:
    """The schedules that one is joined of; none where it is not."""
    with suppress(Exception):  # of the user's, and may hold anything
        held = closure_of(schedule)
        if len(held["boundaries"]) == len(held["schedules"]) - 1:
            return list(held["schedules"])
    return []
