"""An attribute of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dnnprov.dataflow.misuse import refuse, shown, tag_text


class AttributeType(Enum):
    """What the values of an attribute are.

    NUMERIC: numbers. TEXT: anything as text. FILE, RDFILE: paths; the file is recorded with its SHA-256.
    """

    TEXT = "TEXT"
    NUMERIC = "NUMERIC"
    FILE = "FILE"
    RDFILE = "RDFILE"


@dataclass(frozen=True)
class Attribute:
    """One attribute of a data set, with its type.

    Args:
        name: as you write it; the column gets a plain form of it.
        type: an `AttributeType` or its name; text where it is left out.

    Raises:
        UsageError: the name is empty or no text, or there is no such type.

    Example:
        >>> Attribute("LEARNING_RATE", AttributeType.NUMERIC)
        Attribute(name='LEARNING_RATE', type=<AttributeType.NUMERIC: 'NUMERIC'>)
    """

    name: str
    type: AttributeType = AttributeType.TEXT

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", tag_text("name", self.name))
        object.__setattr__(self, "type", attribute_type(self.type))


def attribute_type(value: object) -> AttributeType:
    """The type that a value means: itself, or its name in any case; what is none is refused."""
    if isinstance(value, AttributeType):
        return value
    if isinstance(value, str) and value.upper() in AttributeType.__members__:
        return AttributeType[value.upper()]
    known = ", ".join(AttributeType.__members__)
    refuse(f"type={shown(value)} is no type of an attribute; expected AttributeType, one of {known}")
    return AttributeType.TEXT
