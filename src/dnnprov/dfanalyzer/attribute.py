"""An attribute of a data set, with its type."""

from __future__ import annotations

from dnnprov.dataflow.attribute import AttributeType, attribute_type
from dnnprov.dataflow.misuse import tag_text
from dnnprov.dfanalyzer.provenance_object import ProvenanceObject

__all__ = ["Attribute", "AttributeType"]


class Attribute(ProvenanceObject):
    """One attribute.

    Args:
        tag: its name, kept as written.
        type: an `AttributeType` or its name.

    Raises:
        UsageError: the name is empty, or there is no such type.

    Example:
        >>> Attribute("LOSS", AttributeType.NUMERIC).get_specification()
        {'name': 'LOSS', 'type': 'NUMERIC'}
    """

    def __init__(self, tag: str, type: AttributeType | str = AttributeType.TEXT) -> None:  # noqa: A002 - the original's word
        super().__init__("")
        self.name = tag
        self.type = type

    @property
    def name(self) -> str:
        """As written; may be set."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = tag_text("name", name)

    @property
    def type(self) -> str:
        """The name of its type; may be set."""
        return self._type

    @type.setter  # noqa: A003 - the original's word
    def type(self, value: AttributeType | str) -> None:
        self._type: str = attribute_type(value).value

    def __repr__(self) -> str:
        return f"{self._name}:{self._type}"
