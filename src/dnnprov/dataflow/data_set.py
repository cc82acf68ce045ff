"""A data set as a task records it: elements of one tag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dnnprov.dataflow.element import Element
from dnnprov.dataflow.misuse import refuse, shown, tag_text
from dnnprov.dataflow.tagged import Tagged


class DataSet(Tagged):
    """Elements of a data set, to be added to a task.

    Args:
        tag: of the set: `iAdaptation`.
        elements: a list of them.

    Raises:
        UsageError: the tag is empty, or something is no element.

    Attributes:
        tag: as given.
        elements: in order. A task that it is added to again records those that are new to it.

    Example:
        >>> DataSet("iAdaptation", [Element([10.0, 0.5, 0.002])])
        <DataSet 'iAdaptation', 1 element>
    """

    def __init__(self, tag: str, elements: Iterable[Element] = ()) -> None:
        self.tag = tag_text("tag", tag)
        self.elements: list[Element] = []
        for element in _given(elements):
            self.add_element(element)

    def add_element(self, element: Any) -> None:
        """Add one `Element` behind the others."""
        if not isinstance(element, Element):
            refuse(f"data set {self.tag!r}: {shown(element)} is a {type(element).__name__}; expected an Element")
            element = Element(element)
        self.elements.append(element)

    def __repr__(self) -> str:
        number = len(self.elements)
        return f"<DataSet {self.tag!r}, {number} element{'' if number == 1 else 's'}>"


def _given(elements: Any) -> list[Any]:
    """What was given, as a list: also one element alone."""
    if isinstance(elements, Iterable) and not isinstance(elements, str | bytes | Mapping):
        return list(elements)
    return [elements]
