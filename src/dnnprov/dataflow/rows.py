"""Elements as rows of a data set: values by position get names, files are found, what does not fit is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any

from dnnprov.dataflow.attribute import AttributeType
from dnnprov.dataflow.file import File
from dnnprov.dataflow.misuse import shown
from dnnprov.dataflow.plan import canonical_name, is_numeric
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
    row = Row()
    types = {attribute.name: attribute.type for attribute in attributes or ()}
    for name, value in _named(element, data_set, attributes, row).items():
        kind = types.get(name) or (AttributeType.NUMERIC if is_numeric(data_set, name) else None)
        row.values[name] = _value(value, kind, row)
    return row


def _named(element: Element, data_set: str, attributes: list[Attribute] | None, row: Row) -> dict[str, Any]:
    """All values by name; a value by position that has no name keeps one of its own where it can."""
    values, named = element.values, element.named
    if attributes is None and values:
        names = [f"value_{number}" for number in range(1, len(values) + 1)]
        row.plan_faults.append(
            f"nobody declared the attributes that {len(values)} values by position mean; "
            f"kept as {names[0]} to {names[-1]}; declare the set, or give the values by name"
        )
    else:
        names = [attribute.name for attribute in attributes or ()]
    by_name = {canonical_name(data_set, name) for name in named}
    found: dict[str, Any] = {}
    for name, value in zip(names, values, strict=False):
        if canonical_name(data_set, name) in by_name:
            row.faults.append(
                f"attribute {name!r}: {shown(plain_value(value))} by position, another by name; the latter is kept"
            )
        else:
            found[name] = value
    for number, value in enumerate(values[len(names) :], start=len(names) + 1):
        row.faults.append(
            f"attribute {number} of {len(names)}: {shown(plain_value(value))} is one value too many; kept here only"
        )
    lacking = [name for name in names[len(values) :] if canonical_name(data_set, name) not in by_name]
    if values and lacking:
        row.plan_faults.append(
            f"{len(values)} values for {len(names)} attributes: none for {', '.join(map(repr, lacking))}"
        )
    return {**found, **named}


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


def number_of(value: Any) -> Any:
    """A number that comes as text or as a span of time; anything else as it is."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        for read in (int, float):
            try:
                return read(value)
            except ValueError:
                continue
    return value
