"""A data set as a transformation declares it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dnnprov.dataflow.misuse import expect
from dnnprov.dataflow.set import SetType, set_type
from dnnprov.dfanalyzer.attribute import Attribute
from dnnprov.dfanalyzer.extractor import Extractor
from dnnprov.dfanalyzer.provenance_object import ProvenanceObject

__all__ = ["Set", "SetType"]


class Set(ProvenanceObject):
    """A data set with its attributes in the order of the values of an element.

    A transformation that it is added to has it as it is then: changed since, and added to another one, it is an input
    here and an output there. Attributes that come later come to all of them.

    Args:
        tag: kept in lower case.
        type: whether a transformation uses or generates it.
        attributes: in order.
        extractors: of raw data.
        dependency: tag of the transformation that it comes from.

    Raises:
        UsageError: an argument has a type that cannot be meant.
    """

    def __init__(
        self,
        tag: str,
        type: SetType | str,  # noqa: A002 - the original's word
        attributes: Iterable[Attribute] = (),
        extractors: Iterable[Extractor] = (),
        dependency: Any = "",
    ) -> None:
        super().__init__(tag)
        self.attributes = attributes  # what is read is what is specified, as in the original
        self.type = type
        self.extractors = extractors
        self.dependency = dependency

    @property
    def type(self) -> str:
        """INPUT or OUTPUT; may be set, also to a `SetType`."""
        return self._type

    @type.setter  # noqa: A003 - the original's word
    def type(self, value: SetType | str) -> None:
        self._type: str = set_type(value).value

    def set_type(self, type: SetType | str) -> None:  # noqa: A002 - the original's word
        """Make it an INPUT or OUTPUT of transformations that it is added to from now on."""
        self.type = type

    @property
    def attributes(self) -> list[dict[str, Any]]:
        """The specification of each; may be set, to a list of `Attribute`."""
        return self._attributes

    @attributes.setter
    def attributes(self, attributes: Iterable[Attribute]) -> None:
        self._attributes: list[dict[str, Any]] = []
        if expect("attributes", attributes, Iterable, "a list of Attribute"):
            for attribute in attributes:
                self.add_attribute(attribute)

    def add_attribute(self, attribute: Attribute) -> None:
        """Add an attribute behind the others."""
        if expect("attribute", attribute, Attribute, "an Attribute"):
            self._attributes.append(attribute.get_specification())

    @property
    def extractors(self) -> list[dict[str, Any]]:
        """The specification of each; may be set, to a list of `Extractor`."""
        return self._extractors

    @extractors.setter
    def extractors(self, extractors: Iterable[Extractor]) -> None:
        self._extractors: list[dict[str, Any]] = []
        if expect("extractors", extractors, Iterable, "a list of Extractor"):
            for extractor in extractors:
                self.add_extractor(extractor)

    def add_extractor(self, extractor: Extractor) -> None:
        """Add an extractor."""
        if expect("extractor", extractor, Extractor, "an Extractor"):
            self._extractors.append(extractor.get_specification())

    @property
    def dependency(self) -> str:
        """Tag of the transformation that it comes from; may be set, also to the transformation."""
        return self._dependency

    @dependency.setter
    def dependency(self, dependency: Any) -> None:
        tag = dependency._tag if isinstance(dependency, ProvenanceObject) else dependency or ""
        self._dependency: str = tag if expect("dependency", tag, str, "the tag of a transformation") else ""
