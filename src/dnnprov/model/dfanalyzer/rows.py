"""Elements of clients as rows: values get names from the plan, and the types that were declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from dnnprov.errors import shorter
from dnnprov.model.dfanalyzer.numbers import script_number
from dnnprov.model.positional import canonical_name, is_numeric, named_values, number_of
from dnnprov.model.related_rows import COMPLETED
from dnnprov.model.training import predefined_set
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.model.dfanalyzer.plan import SetMeaning

_NUMBERS = frozenset({"numeric", "number", "integer"})
_FILES = frozenset({"file", "rdfile"})
_PLAIN = frozenset({float, bool, type(None)})
"""Types of JSON whose values are as they travel; a text may hold what UTF-8 cannot, a number be too long."""

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


@dataclass
class ClientRow:
    """One row, and what is to be said of it.

    Attributes:
        data_set: its tag.
        values: attribute -> value.
        surplus: values by position beyond the last attribute.
        files: paths among the values.
        faults: what did not fit, each in words.
        plan_faults: what the plan lacks for such a row, the same for each, in words.
    """

    data_set: str
    values: dict[str, Any]
    surplus: list[Any]
    files: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    plan_faults: list[str] = field(default_factory=list)

    @cached_property
    def key(self) -> int:
        """Stands for all that the client sent; to be asked before the row is completed."""
        return row_key(self.data_set, self.values, self.surplus)


def separate_elements(elements: Iterable[Any], meaning: SetMeaning) -> list[Any]:
    """The elements, where values joined by `;` are lists, and a list of texts may be the values of one element."""
    found = list(elements)
    attributes = meaning.attributes
    are_texts = len(found) > 1 and all(isinstance(one, str) and ";" not in one for one in found)
    if are_texts and attributes is not None and len(attributes) == len(found):
        return [found]
    is_single = attributes is not None and len(attributes) == 1
    return [
        one if not isinstance(one, str) else [one] if is_single else [part.strip() for part in one.split(";")]
        for one in found
        if one not in ("", [], {})
    ]


def row_of(element: list[Any] | dict[str, Any], meaning: SetMeaning) -> ClientRow:
    """The row that an element makes."""
    data_set, types = meaning.tag, meaning.types
    by_position, by_name = (element, {}) if isinstance(element, list) else ([], element)
    found = named_values(by_position, by_name, data_set, meaning.names, shorter)
    row = ClientRow(data_set, {}, found.surplus, faults=found.faults, plan_faults=found.plan_faults)
    for name, value in found.values.items():
        kind = "numeric" if is_numeric(data_set, name) else types.get(name)  # clients declare ELAPSED_TIME a text
        if kind is None and isinstance(element, list):
            kind = "unknown"
        row.values[name] = typed = _typed(value, kind)
        if kind in _FILES and isinstance(typed, str) and typed:
            row.files.append(typed)
    return row


def row_key(data_set: str, values: dict[str, Any], surplus: Iterable[Any] = ()) -> int:
    """What two rows of a task have in common that are one row sent twice; the same again after a journal is read."""
    predefined = predefined_set(data_set)
    if predefined:
        left_out = COMPLETED if predefined.tag == "oAdaptation" else ()
        named = {canonical_name(data_set, name): value for name, value in values.items()}
        values = {name: value for name, value in named.items() if name not in left_out}
    return hash(repr((sorted(values.items(), key=_name), list(surplus))))


_name = itemgetter(0)


def _typed(value: Any, kind: str | None) -> Any:
    """A value as its attribute's type asks, as far as it can be one."""
    plain = value if type(value) in _PLAIN else plain_value(value)
    if kind in _NUMBERS:
        return None if plain == "" else script_number(plain)
    if kind == "unknown":
        return number_of(plain)
    if kind == "boolean":
        return _BOOLEANS.get(str(plain).lower(), plain)
    if kind is not None and plain is not None and not isinstance(plain, str):  # text, file
        return str(plain)
    return plain
