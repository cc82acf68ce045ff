"""One element of a data set: its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Element:
    """One row of a data set, by position, by name, or both.

    Values by position go to the attributes of the set in the order declared; those of the predefined sets in the order
    of the paper. Values by name may name any attribute; one that is new becomes a column.

    Args:
        values: a list of values, or a dict of attribute to value.
        named: attribute -> value.

    Example:
        >>> element = Element([10.0, 0.5, 0.002], technique="LearningRateScheduler")
        >>> element.values, element.named
        ([10.0, 0.5, 0.002], {'technique': 'LearningRateScheduler'})
    """

    def __init__(self, values: Iterable[Any] | Mapping[str, Any] = (), /, **named: Any) -> None:
        self.values: list[Any] = []
        self.named: dict[str, Any] = dict(named)
        if isinstance(values, Mapping):
            self.named = {**{str(name): value for name, value in values.items()}, **named}
        elif isinstance(values, Iterable) and not isinstance(values, str | bytes) and _has_length(values):
            self.values = list(values)
        else:
            self.values = [values]

    def __repr__(self) -> str:
        parts = [*map(repr, self.values), *(f"{name}={value!r}" for name, value in self.named.items())]
        return f"<Element {', '.join(parts)}>"


def _has_length(values: Iterable[Any]) -> bool:
    """Whether it is a list of values: not so a number of NumPy or a tensor without dimensions."""
    return getattr(values, "shape", None) != ()
