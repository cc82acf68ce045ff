"""Sees the files that estimators are written to and read from with joblib, which scikit-learn names for that.

What `joblib.dump` writes belongs to the run of the estimator in it; what `joblib.load` gave is a file that the first
task of this estimator uses. `pickle.dump` writes into a file of the program's, whose end nobody can see.
"""

from __future__ import annotations

import functools
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
from sklearn.base import BaseEstimator

from dnnprov.integrations.clean_traceback import leave_out_own_frames
from dnnprov.integrations.sklearn.by_identity import ByIdentity

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.integrations.sklearn.fits import FitRecorder

_loaded: ByIdentity[str] = ByIdentity()
"""Estimator -> file that it was read from, until a task used it."""

_MARK = "_dnnprov_original"
MAX_PARTS = 100


def watch_files(find_recorder: Callable[[], FitRecorder | None]) -> None:
    """Wrap `joblib.dump` and `joblib.load`, once.

    Args:
        find_recorder: finds who records what the program does now.
    """
    if not hasattr(joblib.dump, _MARK):
        joblib.dump, joblib.load = _dumping(joblib.dump, find_recorder), _loading(joblib.load, find_recorder)


def take_file(estimator: Any) -> str | None:
    """The file that an estimator was read from, once: the first task that uses it used that."""
    return _loaded.take(estimator)


def parts_of(value: Any) -> list[Any]:
    """The estimators in what is written: itself, or those in a list or mapping of a few."""
    if isinstance(value, dict):
        value = list(value.values())
    inside = value[:MAX_PARTS] if isinstance(value, list | tuple) else [value]
    return [one for one in inside if isinstance(one, BaseEstimator)]


def _dumping(original: Callable[..., Any], find_recorder: Callable[[], FitRecorder | None]) -> Callable[..., Any]:
    @functools.wraps(original)
    def dump(value: Any, filename: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            written = original(value, filename, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        recorder = find_recorder()
        if recorder is not None and isinstance(filename, str | os.PathLike):
            recorder.dumped(value, os.fspath(filename))
        return written

    setattr(dump, _MARK, original)
    return dump


def _loading(original: Callable[..., Any], find_recorder: Callable[[], FitRecorder | None]) -> Callable[..., Any]:
    @functools.wraps(original)
    def load(filename: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            value = original(filename, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        if find_recorder() is not None and isinstance(filename, str | os.PathLike):
            with suppress(Exception):  # what was read may be anything
                for one in parts_of(value):
                    _loaded.note(one, str(Path(filename).absolute()))
        return value

    setattr(load, _MARK, original)
    return load
