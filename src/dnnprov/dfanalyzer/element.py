"""One element of a data set: its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dnnprov.dataflow.misuse import shown


class Element:
    """One row of a data set.

    Args:
        values: in the order of the attributes declared.

    Attributes:
        given: the values as they were given, which are recorded.

    Example:
        >>> element = Element([0.5, 2])
        >>> element.values, element.given
        (['0.5', '2'], [0.5, 2])
    """

    def __init__(self, values: Iterable[Any]) -> None:
        self.values = values  # what is read are texts, as in the original

    @property
    def values(self) -> list[str]:
        """As texts, which the original sends; may be set."""
        return texts(self.given)

    @values.setter
    def values(self, values: Iterable[Any]) -> None:
        is_list = isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping)
        is_list = is_list and getattr(values, "shape", None) != ()  # a number of NumPy or a tensor without dimensions
        self.given: list[Any] = list(values) if is_list else [values]


def texts(values: Iterable[Any]) -> list[str]:
    """Values as texts; one that cannot say what it is, is named by its type."""
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - an object of the program's
        return shown(value)
