"""The runs of this process: which are open, and which one a call without a run means."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.capture.run import Run

_active: ContextVar[Run | None] = ContextVar("dnnprov_active_run", default=None)
open_runs: set[Run] = set()
"""Runs of this process that are not finished, kept until they are, also where nobody else holds them."""

told_errors: set[int] = set()
"""Identity of each exception that has left the block of a run, which so knows of it."""

before_failure: list[Callable[[BaseException], None]] = []
"""Told of an exception that leaves the block of a run, while that is still the active one: a framework may know of a
training that the exception left before its first step."""


def active_run() -> Run | None:
    """The run whose `with` block encloses this call, if any."""
    return _active.get()


def activate(run: Run) -> Callable[[], None]:
    """Make a run the active one, as its `with` block does, without ending it.

    Returns:
        What takes that back, to be called in the same thread.
    """
    token = _active.set(run)

    def take_back() -> None:
        try:
            _active.reset(token)
        except ValueError:  # in another context, as an async framework may do
            if _active.get() is run:
                _active.set(None)

    return take_back
