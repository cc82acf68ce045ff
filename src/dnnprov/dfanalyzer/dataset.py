"""Elements that a task used or generated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dnnprov.dataflow.misuse import refuse, shown, tag_text
from dnnprov.dfanalyzer.element import Element, texts
from dnnprov.dfanalyzer.provenance_object import ProvenanceObject


class DataSet(ProvenanceObject):
    """Elements of a data set.

    Args:
        tag: of the set, kept in lower case.
        elements: a list of them.

    Raises:
        UsageError: the tag is empty, or something is no element.

    Attributes:
        rows: the values of each element as they were given, which are recorded.

    Example:
        >>> DataSet("oTestingModel", [Element([0.5, 0.9])]).get_specification()
        {'tag': 'otestingmodel', 'elements': [['0.5', '0.9']]}
    """

    def __init__(self, tag: str, elements: Iterable[Element] = ()) -> None:
        super().__init__(tag_text("tag", tag))
        self.elements = elements  # what is read are texts, as in the original

    @property
    def elements(self) -> list[list[str]]:
        """The values of each as texts, which the original sends; may be set, to a list of `Element`."""
        return [texts(row) for row in self.rows]

    @elements.setter
    def elements(self, elements: Iterable[Element]) -> None:
        self.rows: list[list[Any]] = []
        for element in elements if _are_several(elements) else [elements]:
            self.add_element(element)

    def add_element(self, element: Any) -> None:
        """Add an `Element` behind the others."""
        if not isinstance(element, Element):
            refuse(
                f"data set {self._tag!r}: {shown(element)} is a {type(element).__name__}; expected a list of Element"
            )
            element = Element(element)
        self.rows.append(element.given)

    def get_specification(self, prefix: str = "_") -> dict[str, Any]:
        """What DfAnalyzer's library would send of it."""
        specification = super().get_specification(prefix)
        return {**specification, "elements": self.elements} if self.rows and prefix == "_" else specification


def _are_several(elements: object) -> bool:
    return isinstance(elements, Iterable) and not isinstance(elements, str | bytes)
