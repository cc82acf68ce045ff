"""What a task depends on, by tags and ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dnnprov.dataflow.misuse import refuse, shown
from dnnprov.dfanalyzer.provenance_object import ProvenanceObject
from dnnprov.model.values import plain_value


class Dependency(ProvenanceObject):
    """Tasks that another one depends on.

    Args:
        tags: of their transformations.
        ids: theirs, in the same order.

    Raises:
        UsageError: they are no lists.

    Example:
        >>> Dependency(["split"], [2]).get_specification()
        {'tags': [{'tag': 'split'}], 'ids': [{'id': 2}]}
    """

    def __init__(self, tags: Iterable[str], ids: Iterable[object]) -> None:
        super().__init__("")
        self.tags = tags  # what is read is what is specified, as in the original
        self.ids = ids

    @property
    def tags(self) -> list[dict[str, Any]]:
        """Of the transformations; may be set, to a list of texts."""
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._tags: list[dict[str, Any]] = [{"tag": tag} for tag in _listed("tags", tags)]

    @property
    def ids(self) -> list[dict[str, Any]]:
        """Of the tasks; may be set, to a list."""
        return self._ids

    @ids.setter
    def ids(self, ids: Iterable[object]) -> None:
        self._ids: list[dict[str, Any]] = [{"id": number} for number in _listed("ids", ids)]


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, Iterable) and not isinstance(values, str | bytes):
        return [plain_value(value) for value in values]
    refuse(f"{name}={shown(values)} is a {type(values).__name__}; expected a list")
    return [plain_value(values)]
