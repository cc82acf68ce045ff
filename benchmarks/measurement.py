"""What a benchmark returns: plain figures, each beside what it is to reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Size: TypeAlias = Literal["quick", "full", "large"]
"""`quick` shows in seconds that a benchmark works, `full` measures, `large` is what takes minutes and gigabytes."""


class WrongResultError(Exception):
    """What was timed did not do what it should have done, so its time says nothing."""


@dataclass(frozen=True)
class Measurement:
    """One figure.

    Attributes:
        what: was measured, in words.
        figure: in `unit`.
        unit: of the figure and of the reach; empty for a ratio.
        reach: that the figure is to keep below, or above; `None` for one that is only told.
        is_floor: whether the figure is to be above its reach.
        details: further figures of the same run, already in words.
    """

    what: str
    figure: float
    unit: str = ""
    reach: float | None = None
    is_floor: bool = False
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """The figure as a part of its reach."""
        return None if not self.reach else self.figure / self.reach

    @property
    def is_reached(self) -> bool | None:
        """Whether it is; `None` where nothing is asked."""
        if self.reach is None:
            return None
        return self.figure >= self.reach if self.is_floor else self.figure <= self.reach


def expect(what: str, found: object, expected: object) -> None:
    """Make sure that what was timed came out right.

    Raises:
        WrongResultError: it did not.
    """
    if found != expected:
        raise WrongResultError(f"{what}: found {found!r}, expected {expected!r}")


def in_digits(value: float) -> str:
    """A figure for people: three digits that count, thousands set apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f}" if abs(value) >= 0.1 else f"{value:.2g}"
