"""What a task depends on, by tags and ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dnnprov.dataflow.misuse import refuse, shown
from dnnprov.model.values import plain_value


class Dependency:
    """Tasks of this process that another one depends on.

    Args:
        tags: of their transformations.
        ids: theirs, in the same order.

    Raises:
        UsageError: they are no lists, or not of the same length.

    Example:
        >>> Dependency(["Filters", "Resize"], [1, 2]).pairs
        [('Filters', '1'), ('Resize', '2')]
    """

    def __init__(self, tags: Iterable[str], ids: Iterable[object]) -> None:
        given_tags, given_ids = _listed("tags", tags), _listed("ids", ids)
        if len(given_tags) != len(given_ids):
            refuse(f"{len(given_tags)} tags and {len(given_ids)} ids; expected as many of the one as of the other")
        self.pairs = [
            (str(plain_value(tag)), str(plain_value(number)))
            for tag, number in zip(given_tags, given_ids, strict=False)
        ]

    @property
    def tags(self) -> list[str]:
        """Of the transformations."""
        return [tag for tag, _ in self.pairs]

    @property
    def ids(self) -> list[str]:
        """Of the tasks."""
        return [number for _, number in self.pairs]


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, Iterable) and not isinstance(values, str | bytes):
        return list(values)
    refuse(f"{name}={shown(values)} is a {type(values).__name__}; expected a list")
    return [values]
