"""Tells whether an exception is there because of a signal, without a handler of ours.

A handler of ours would take the place of the user's, or would be taken for one by a framework that looks. So what is
looked at is the exception that left the block: the traceback of one that a handler raised leads through that handler.
"""

from __future__ import annotations

import functools
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType, TracebackType

_ENDING = tuple(
    number
    for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU")
    if (number := getattr(signal, name, None)) is not None
)
"""Signals by which people and schedulers end or preempt a program; that of a timer is the program's own affair."""

_BY_CONVENTION = {128 + number: number.name for number in _ENDING[:3]}
"""Exit codes that say which signal ended a program."""


def find_signal(error: BaseException) -> str | None:
    """Name of the signal that led to an exception; `None` where none did, as far as can be seen.

    Either the exception came out of the Python function that handles the signal, or it is a `SystemExit` with the code
    that shells give to a program that a signal ended: 143 for SIGTERM.
    """
    for number in _signals_of(error, _handlers(_ENDING)):
        return signal.Signals(number).name
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return _BY_CONVENTION.get(error.code)
    return None


def came_from_handler(error: BaseException) -> bool:
    """Whether the user's handler of any signal raised it, which then is meant for the user's code and nobody else's.

    A handler runs wherever the program is, in the middle of our code as well.
    """
    return next(_signals_of(error, _handlers(signal.valid_signals())), None) is not None


def _signals_of(error: BaseException, handlers: dict[CodeType, list[int]]) -> Iterator[int]:
    """The signals through whose handlers a traceback leads."""
    step: TracebackType | None = error.__traceback__
    while step is not None and handlers:
        for number in handlers.get(step.tb_frame.f_code, ()):
            code, found = step.tb_frame.f_code, step.tb_frame.f_locals
            given = [found.get(name) for name in code.co_varnames[: code.co_argcount]]
            if number in given or code.co_flags & 0x04:  # *args: who else would call a handler
                yield number
        step = step.tb_next


def _handlers(numbers: Iterable[int]) -> dict[CodeType, list[int]]:
    """The code of Python functions that handle signals now."""
    found: dict[CodeType, list[int]] = {}
    for number in numbers:
        handler: object = signal.getsignal(number)
        while isinstance(handler, functools.partial):
            handler = handler.func
        if not callable(handler):
            continue
        function = handler if hasattr(handler, "__code__") else getattr(handler, "__func__", type(handler).__call__)
        code = getattr(function, "__code__", None)
        if code is not None:
            found.setdefault(code, []).append(number)
    return found
