"""Sees what a program calls on estimators: `fit`, `transform`, `score` and their like, of any class, also of its own.

scikit-learn has no hook for that, so the methods are wrapped, of the classes that there are and of those that are
defined later. A call that scikit-learn makes itself is none of the program's: the fits of a search, of the steps of a
pipeline, of the folds of a cross-validation. Where nothing is recorded, a wrapper is one look at a variable.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sklearn import base

from dnnprov.integrations.clean_traceback import leave_out_own_frames
from dnnprov.integrations.sklearn.files import watch_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnnprov.integrations.sklearn.fits import FitRecorder

METHODS = ("fit", "partial_fit", "fit_transform", "fit_predict", "transform", "score")
_MIXINS = ("TransformerMixin", "ClassifierMixin", "RegressorMixin", "ClusterMixin", "OutlierMixin")
_THEIRS = frozenset({"sklearn", "joblib", "imblearn", "keras_tuner", "optuna", "ray", "shap"})
"""Packages whose calls are none of the program's: their fits are parts of what the program called."""

_BETWEEN = "sklearn.utils._set_output"
"""Where scikit-learn wraps `transform` itself; who called that is who called."""

_MARK = "_dnnprov_original"

watched: ContextVar[FitRecorder | None] = ContextVar("dnnprov_sklearn", default=None)
"""The recorder of the block that encloses a call."""

_others: list[Callable[[], FitRecorder | None]] = []
_lock = threading.RLock()


class _Call(threading.local):
    is_recorded = False


_call = _Call()


def record_others(recorder: Callable[[], FitRecorder | None]) -> None:
    """Record what no block encloses, too, with the recorder that this returns; not where it returns none."""
    _others[:] = [recorder]
    install()


def install() -> None:
    """Wrap the methods of all classes, once."""
    with _lock:
        if "__init_subclass__" in vars(base.BaseEstimator):
            return
        watch_files(_find_recorder)
        base.BaseEstimator.__init_subclass__ = classmethod(_wrap_new_class)
        for name in _MIXINS:
            if (mixin := getattr(base, name, None)) is not None:
                _wrap_class(mixin)
        for kind in _subclasses(base.BaseEstimator, set()):
            _wrap_class(kind)


def _wrap_new_class(kind: type, /, **options: Any) -> None:
    super(base.BaseEstimator, kind).__init_subclass__(**options)
    _wrap_class(kind)


def _subclasses(kind: type, seen: set[type]) -> Iterator[type]:
    subclasses: list[type] = type.__subclasses__(kind)
    for one in subclasses:
        if one not in seen:
            seen.add(one)
            yield one
            yield from _subclasses(one, seen)


def _wrap_class(kind: type) -> None:
    for name in METHODS:
        method: Any = vars(kind).get(name)
        if inspect.isfunction(method):
            if not hasattr(method, _MARK):
                setattr(kind, name, _wrapped(name, method))
        elif hasattr(method, "check") and inspect.isfunction(inner := getattr(method, "fn", None)):  # of available_if
            method.fn = inner if hasattr(inner, _MARK) else _wrapped(name, inner)


def _wrapped(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = None if _call.is_recorded else _find_recorder()
        if recorder is None or _is_theirs():
            return method(self, *args, **kwargs)
        _call.is_recorded = True
        try:
            return recorder.call(name, functools.partial(method, self, *args, **kwargs), self, args, kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        finally:
            _call.is_recorded = False

    setattr(call, _MARK, method)
    return call


def _find_recorder() -> FitRecorder | None:
    recorder = watched.get()
    return recorder if recorder is not None or not _others else _others[0]()


def _is_theirs() -> bool:
    """Whether scikit-learn itself, or a library that uses it, made the call."""
    frame = sys._getframe(2)  # noqa: SLF001 - who called the wrapper
    caller = str(frame.f_globals.get("__name__", ""))
    if caller == _BETWEEN and frame.f_back is not None:
        caller = str(frame.f_back.f_globals.get("__name__", ""))
    return caller.partition(".")[0] in _THEIRS
