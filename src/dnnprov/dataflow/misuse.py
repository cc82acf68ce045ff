"""What happens to calls that cannot be meant: an error before a training, a problem during it (promise P1)."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

from dnnprov.capture.current_runs import open_runs
from dnnprov.errors import UsageError
from dnnprov.journal.folder import store_folder
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from dnnprov.capture.run import Run


_words = reprlib.Repr()  # which bears objects that cannot say what they are
_words.maxstring = _words.maxother = 80


def shown(value: object) -> str:
    """A value as a message shows it: not too long, whatever it is."""
    return _words.repr(value)


def refuse(message: str) -> None:
    """Raise where nothing is under way yet; while a task is, tell it as a problem `misused_call`.

    Raises:
        UsageError: no task of any run of this process in this store is under way.
    """
    run = _run_under_way()
    if run is None:
        raise UsageError(message)
    run.recorder.note_problem("misused_call", message)


def expect(name: str, value: object, kind: Any, expected: str) -> bool:
    """Whether an argument has a type that can be meant; one that has not is refused."""
    if isinstance(value, kind):
        return True
    refuse(f"{name}={shown(value)} is a {type(value).__name__}; expected {expected}")
    return False


def tag_text(name: str, value: object) -> str:
    """A tag as text that can be written; anything but text that is not empty is refused."""
    if not isinstance(value, str) or not value:
        refuse(f"{name}={shown(value)} is no name; expected text that is not empty")
    return str(plain_value(value))


def _run_under_way() -> Run | None:
    here = store_folder()
    for run in list(open_runs):
        if run.recorder.folder == here and run.is_executing and not run.is_elsewhere():
            return run
    return None
