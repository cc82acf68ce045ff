"""What all parts of a dataflow have in common: a tag, and a specification."""

from __future__ import annotations

from enum import Enum
from typing import Any


class ProvenanceObject:
    """A part of a dataflow that has a tag.

    Attributes whose names begin with an underscore are its specification, as programs for DfAnalyzer read them; ours
    have names of their own.

    Args:
        tag: kept in lower case.
    """

    def __init__(self, tag: str) -> None:
        self._tag = str(tag).lower()

    def get_specification(self, prefix: str = "_") -> dict[str, Any]:
        """What DfAnalyzer's library would send of it.

        Args:
            prefix: of the attributes that count. A key is what follows it up to the next one, so `_sub_id` is `sub`.
        """
        found = {}
        for name, value in vars(self).items():
            if name.startswith(prefix) and value not in (None, "", [], {}):
                found[name.removeprefix(prefix).partition(prefix)[0]] = value
        return found


class Specified:
    """A value of the specification under its own name, that may be set; of an `Enum` it is the value.

    Args:
        what: it is.
    """

    def __init__(self, what: str) -> None:
        self.__doc__ = what

    def __set_name__(self, owner: type, name: str) -> None:
        self._place = f"_{name}"

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """The value; of the class, this itself."""
        return self if instance is None else getattr(instance, self._place)

    def __set__(self, instance: object, value: Any) -> None:
        """Specify another one."""
        setattr(instance, self._place, value.value if isinstance(value, Enum) else value)
