"""Values within a trace: while `jit` traces a function there are none to be read, and what is kept leaks out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTSIDE = "call it outside, with what the compiled function gave back"


class WithinTraceError(RuntimeError):
    """A value came from within a trace."""


def is_traced(value: Any) -> bool:
    """Whether a value stands for one that is only known when the compiled function is executed."""
    return isinstance(value, jax.core.Tracer)


def untraced(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those values that are none of a trace."""
    return {name: value for name, value in values.items() if not is_traced(value)}


def refuse_traced(values: Mapping[str, Any], where: str) -> None:
    """Raise WithinTraceError where one of the values is of a trace; for a guard to take note of."""
    if traced := [name for name, value in values.items() if is_traced(value)]:
        raise WithinTraceError(
            f"{where} was called while a function was traced, where {traced[0]} has no value; {OUTSIDE}"
        )


def kept(value: Any) -> Any:
    """A value to be read later: a copy of an array on a device, whose buffer the program may give away."""
    return value.copy() if isinstance(value, jax.Array) else value
