"""Elements that are alike, placed together: rows of one task with the same attributes, which epochs are.

What `Elements.place` finds out value by value is found out here column by column, with the same result, or not at all:
where any value would not be stored as it came, the rows have to be placed one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnnprov.store.elements import EXACT_INTEGER
from dnnprov.store.summaries import is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnnprov.model.events import ElementsRecorded, Reference, Relation
    from dnnprov.store.catalog import Attribute, DataSet

FEW = 4
"""Fewer rows are placed one by one, which is faster then."""


@dataclass
class AlikeElements:
    """Events of one row each, gathered until they are taken in.

    Attributes:
        data_set: that the rows belong to.
        relation: of the task to it.
        task: of the rows.
        names: attributes that each of them has, in this order.
        events: in the order they came.
    """

    data_set: DataSet
    relation: Relation
    task: Reference | None
    names: tuple[str, ...]
    events: list[ElementsRecorded] = field(default_factory=list)

    def fits(self, event: ElementsRecorded) -> bool:
        """Whether another event is alike."""
        return event.task == self.task and event.relation == self.relation and tuple(event.rows[0]) == self.names


def can_be_gathered(event: ElementsRecorded, data_set: DataSet) -> bool:
    """Whether the rows of an event need no look at what is in the database already."""
    return (
        len(event.rows) == 1
        and event.non_finite is None
        and not isinstance(event.task, str)  # of another segment: a row may have to be made for it
        and data_set.table != "itrainingmodel"
    )


def find_columns(attributes: Sequence[Attribute], events: Sequence[ElementsRecorded]) -> dict[str, tuple[Any, ...]]:
    """Column -> values of the rows, in the order of the attributes; empty where any has to be placed by itself."""
    found = {}
    columns = zip(*[event.rows[0].values() for event in events], strict=True)
    for attribute, values in zip(attributes, columns, strict=True):
        if attribute.column is None or not _is_stored_as_it_is(attribute, values):
            return {}
        found[attribute.column] = values
    return found


def _is_stored_as_it_is(attribute: Attribute, values: tuple[Any, ...]) -> bool:
    kinds = set(map(type, values)) - {type(None)}
    if not kinds or attribute.type not in {"number", "integer", "boolean"}:
        return not kinds or (attribute.type == "text" and kinds == {str})
    if kinds == {float}:
        return attribute.type == "number"
    if attribute.type == "boolean" and int in kinds:  # which makes it an attribute of integers
        return False
    if not kinds <= {float, int, bool} or (float in kinds and attribute.type != "number"):
        return False
    largest = EXACT_INTEGER if attribute.turns_to_float else None
    return all(
        value is None or (is_number(value) and (largest is None or type(value) is float or abs(value) <= largest))
        for value in values
    )
