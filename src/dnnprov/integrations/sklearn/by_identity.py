"""Remembers something of objects as long as they live, told apart by which they are, whatever they are equal to."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

Value = TypeVar("Value")


class ByIdentity(Generic[Value]):
    """A mapping from objects that are not kept alive by it; nothing of theirs is called.

    Example:
        >>> class Estimator:
        ...     __hash__ = None
        >>> one, known = Estimator(), ByIdentity()
        >>> known.note(one, 1), known.find(one), known.find(Estimator())
        (True, 1, None)
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], Value]] = {}

    def find(self, thing: object) -> Value | None:
        """What is remembered of an object; `None` where nothing is."""
        known = self._known.get(id(thing))
        return known[1] if known is not None and known[0]() is thing else None

    def note(self, thing: object, value: Value) -> bool:
        """Remember something of an object; whether that is possible, as it is of most."""
        key = id(thing)
        try:
            reference = weakref.ref(thing, lambda gone: self._forget(key, gone))
        except TypeError:
            return False
        self._known[key] = reference, value
        return True

    def take(self, thing: object) -> Value | None:
        """What is remembered of an object, from now on no more."""
        found = self.find(thing)
        if found is not None:
            del self._known[id(thing)]
        return found

    def items(self) -> Iterator[tuple[Any, Value]]:
        """The objects that live, and what is remembered of them."""
        for reference, value in list(self._known.values()):
            thing = reference()
            if thing is not None:
                yield thing, value

    def values(self) -> list[Value]:
        """What is remembered."""
        return [value for _, value in list(self._known.values())]

    def _forget(self, key: int, gone: weakref.ref[Any]) -> None:
        known = self._known.get(key)
        if known is not None and known[0] is gone:  # else another object has the place by now
            del self._known[key]
