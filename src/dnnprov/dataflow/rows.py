"""Elements as rows of a data set: values by position get names, files are found, what does not fit is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any

from dnnprov.dataflow.attribute import AttributeType
from dnnprov.dataflow.file import File
from dnnprov.dataflow.misuse import shown
from dnnprov.model.positional import is_numeric, named_values, number_of
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from dnnprov.dataflow.attribute import Attribute
    from dnnprov.dataflow.element import Element

_FILES = (AttributeType.FILE, AttributeType.RDFILE)


@dataclass
class Row:
    """One row, and what is to be said of it.

    Attributes:
        values: attribute -> value.
        files: that are among the values.
        faults: what did not fit, each in words.
        plan_faults: what the plan lacks for such a row, the same for each, in words.
    """

    values: dict[str, Any] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    plan_faults: list[str] = field(default_factory=list)


def row_of(element: Element, data_set: str, attributes: list[Attribute] | None) -> Row:
    """The row that an element makes.

    Args:
        element: with its values.
        data_set: tag of the set.
        attributes: that values by position mean, in order; `None` where nobody declared them.
    """
    names = None if attributes is None else [attribute.name for attribute in attributes]
    found = named_values(element.values, element.named, data_set, names, shown)
    row = Row(faults=found.faults, plan_faults=found.plan_faults)
    types = {attribute.name: attribute.type for attribute in attributes or ()}
    for name, value in found.values.items():
        kind = types.get(name) or (AttributeType.NUMERIC if is_numeric(data_set, name) else None)
        row.values[name] = _value(value, kind, row)
    return row


def _value(value: Any, kind: AttributeType | None, row: Row) -> Any:
    if isinstance(value, File) or (kind in _FILES and isinstance(value, str | PathLike) and value != ""):
        file = value if isinstance(value, File) else File(value)  # type: ignore[arg-type]  # a path is one
        row.files.append(file)
        return str(file.place)
    if kind is AttributeType.NUMERIC:
        return number_of(value)
    if kind is AttributeType.TEXT and not isinstance(value, str) and value is not None:
        plain = plain_value(value)
        return plain if isinstance(plain, str) else str(plain)
    return value
