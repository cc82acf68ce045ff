"""Values by position: which attribute each of them means, and what is told where they are too many or too few.

Both doors of the paper's face read elements by these rules: the classes in a process, and the REST protocol. Positional
values need an order. It is the one declared, else the one registered in the store, else the paper's. Attributes
declared that are all new to a set come after those it has; a declaration that names any of them says the whole order
anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dnnprov.model.training import predefined_set
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class _Named(Protocol):
    @property
    def name(self) -> str: ...


NamedAttribute = TypeVar("NamedAttribute", bound=_Named)


def canonical_name(data_set: str, attribute: str) -> str:
    """The name that an attribute of a predefined set goes by, of another set its own."""
    known = predefined_set(data_set)
    return (known.column(attribute) if known else None) or attribute


def is_numeric(data_set: str, attribute: str) -> bool:
    """Whether a predefined set has numbers under this name."""
    known = predefined_set(data_set)
    column = known.column(attribute) if known else None
    return known is not None and column is not None and known.attributes[column] != "text"


def ordered(
    data_set: str, base: Sequence[NamedAttribute] | None, own: Sequence[NamedAttribute]
) -> Sequence[NamedAttribute] | None:
    """The order that a declaration makes of an earlier one; `None` where there is neither."""
    if not own or not base:
        return own or base
    known = {canonical_name(data_set, one.name) for one in base}
    says_anew = any(canonical_name(data_set, one.name) in known for one in own)
    return own if says_anew else [*base, *own]


@dataclass
class NamedValues:
    """The values of an element by name, and what is to be said of them.

    Attributes:
        values: attribute -> value.
        surplus: values by position beyond the last attribute.
        faults: what did not fit, each in words.
        plan_faults: what the plan lacks for such an element, the same for each, in words.
    """

    values: dict[str, Any] = field(default_factory=dict)
    surplus: list[Any] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    plan_faults: list[str] = field(default_factory=list)


def named_values(
    values: Sequence[Any],
    named: Mapping[str, Any],
    data_set: str,
    names: Sequence[str] | None,
    shown: Callable[[object], str],
) -> NamedValues:
    """All values by name; a value by position that has no name keeps one of its own where it can.

    Args:
        values: by position.
        named: by name.
        data_set: tag of the set.
        names: of the attributes that values by position mean, in order; `None` where nobody declared them.
        shown: how a value looks in a message.
    """
    found = NamedValues()
    if names is None and values:
        names = [f"value_{number}" for number in range(1, len(values) + 1)]
        found.plan_faults.append(
            f"nobody declared the attributes that {len(values)} values by position mean; "
            f"kept as {names[0]} to {names[-1]}; declare the set, or give the values by name"
        )
    names = names or ()
    by_name = {canonical_name(data_set, name) for name in named}
    for name, value in zip(names, values, strict=False):
        if canonical_name(data_set, name) in by_name:
            found.faults.append(
                f"attribute {name!r}: {shown(plain_value(value))} by position, another by name; the latter is kept"
            )
        else:
            found.values[name] = value
    found.surplus = list(values[len(names) :])
    for number, value in enumerate(found.surplus, start=len(names) + 1):
        found.faults.append(
            f"attribute {number} of {len(names)}: {shown(plain_value(value))} is one value too many; kept here only"
        )
    lacking = [name for name in names[len(values) :] if canonical_name(data_set, name) not in by_name]
    if values and lacking:
        found.plan_faults.append(
            f"{len(values)} values for {len(names)} attributes: none for {', '.join(map(repr, lacking))}"
        )
    found.values.update(named)
    return found


def number_of(value: Any) -> Any:
    """A number that comes as text or as a span of time; anything else as it is.

    Example:
        >>> number_of("10"), number_of("1e-3"), number_of("1_000"), number_of("fast")
        (10, 0.001, '1_000', 'fast')
    """
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str) and "_" not in value:  # which Python takes for a separator of thousands
        for read in (int, float):
            try:
                return read(value)
            except ValueError:
                continue
    return value
