"""A data set as a transformation declares it: whether it uses or generates it, and its attributes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING, Any

from dnnprov.dataflow.attribute import Attribute
from dnnprov.dataflow.misuse import expect, refuse, shown, tag_text
from dnnprov.dataflow.tagged import Tagged

if TYPE_CHECKING:
    from dnnprov.model.events import Relation


class SetType(Enum):
    """Whether a transformation uses a set (INPUT) or generates it (OUTPUT)."""

    INPUT = "INPUT"
    OUTPUT = "OUTPUT"

    @property
    def relation(self) -> Relation:
        """The word for it in PROV and in the tables."""
        return "used" if self is SetType.INPUT else "generated"


class Set(Tagged):
    """A data set with its attributes in the order of positional values.

    Args:
        tag: `iTrainingModel`, `oFilters` or any name.
        type: INPUT or OUTPUT.
        attributes: in order. More may be added at any time.
        extractors: of the original system; there are none here, so anything but nothing is refused.
        dependency: tag of the transformation that the set comes from.

    Raises:
        UsageError: an argument has a type that cannot be meant.

    Attributes:
        tag: as given.
        dependency: tag of the transformation that the set comes from; empty where there is none.

    Example:
        >>> filters = Set("oFilters", SetType.OUTPUT, [Attribute("filter_name")])
        >>> filters.add_attribute(Attribute("size"))
        >>> [attribute.name for attribute in filters.attributes]
        ['filter_name', 'size']
    """

    def __init__(
        self,
        tag: str,
        type: SetType | str,  # noqa: A002 - the paper's word
        attributes: Iterable[Attribute] = (),
        extractors: Iterable[object] = (),
        dependency: Any = "",
    ) -> None:
        self.tag = tag_text("tag", tag)
        self._type = set_type(type)
        self._attributes: dict[str, Attribute] = {}
        self.dependency = dependency
        if expect("attributes", attributes, Iterable, "a list of Attribute"):
            for attribute in attributes:
                self.add_attribute(attribute)
        if extractors:
            refuse(f"extractors={shown(extractors)}: raw data are not extracted; record the values as elements instead")

    @property
    def type(self) -> SetType:
        """INPUT or OUTPUT; may be set."""
        return self._type

    @type.setter  # noqa: A003 - the paper's word
    def type(self, value: SetType | str) -> None:
        self._type = set_type(value)

    def set_type(self, type: SetType | str) -> None:  # noqa: A002 - the paper's word
        """Make it an INPUT or OUTPUT; transformations that it was added to before keep what it was."""
        self._type = set_type(type)

    @property
    def dependency(self) -> str:
        """Tag of the transformation that the set comes from; may be set, also to the transformation."""
        return self._dependency

    @dependency.setter
    def dependency(self, value: Any) -> None:
        tag = "" if value is None else value.tag if isinstance(value, Tagged) else value
        self._dependency = tag if expect("dependency", tag, str, "the tag of a transformation") else ""

    @property
    def attributes(self) -> list[Attribute]:
        """In order."""
        return list(self._attributes.values())

    def add_attribute(self, attribute: Attribute) -> None:
        """Add an attribute behind the others; one of a name that is there takes its place."""
        if expect("attribute", attribute, Attribute, "an Attribute"):
            self._attributes[attribute.name] = attribute

    def __repr__(self) -> str:
        return f"<Set {self.tag!r}, {self.type.name}, {len(self._attributes)} attributes>"


def set_type(value: object) -> SetType:
    """The type that a value means: itself, or its name in any case; what is none is refused."""
    if isinstance(value, SetType):
        return value
    if isinstance(value, str) and value.upper() in SetType.__members__:
        return SetType[value.upper()]
    refuse(f"type={shown(value)} is no type of a set; expected SetType.INPUT or SetType.OUTPUT")
    return SetType.INPUT
