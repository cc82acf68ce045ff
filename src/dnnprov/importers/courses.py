"""The courses of series in a log, and which of them count epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from dnnprov.importers.logged_names import meaning

if TYPE_CHECKING:
    from collections.abc import Mapping

Steps: TypeAlias = Literal["auto", "epochs", "batches"]

MAX_EPOCHS = 100_000
"""A series that is longer is none of epochs."""


@dataclass
class Course:
    """The course of a series.

    Attributes:
        first, last: its steps.
        count: of its values.
        is_consecutive: whether each step is one more than the one before, but for those that a later file repeats.
    """

    first: int
    last: int
    count: int = 1
    is_consecutive: bool = True

    def add(self, step: int) -> None:
        """One more value came."""
        if step != self.last + 1:
            self.is_consecutive = False
        self.last = step
        self.count += 1

    def go_on(self, step: int) -> None:
        """The first value of another file came: of a training that went on, it may repeat some steps."""
        if self.first <= step <= self.last:
            self.last = step - 1
        self.add(step)


def epoch_tags(series: Mapping[str, Course], steps: Steps) -> frozenset[str]:
    """The tags whose steps are epochs.

    Args:
        series: tag -> course.
        steps: what all of them are; `auto`: epochs where a series of the validation has the same steps, each one more
            than the last, since nobody validates after every batch.
    """
    short = {tag: one for tag, one in series.items() if one.count <= MAX_EPOCHS}
    if steps != "auto":
        return frozenset(short if steps == "epochs" else ())
    validated = [one for tag, one in short.items() if meaning(tag)[0] == "val" and one.is_consecutive]
    return frozenset(
        tag
        for tag, one in short.items()
        if one.is_consecutive
        and meaning(tag)[0] != "test"
        and any(one.first == val.first and one.count <= val.count + 1 for val in validated)
    )
