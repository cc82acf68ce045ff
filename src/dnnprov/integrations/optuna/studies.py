"""Which studies are recorded, and the wrappers around Optuna's public methods through which that happens.

Optuna has a callback for the end of a trial only, and a run has to be the active one while the objective trains. So
`Study.optimize`, `ask` and `tell`, and what a trial suggests and reports, are wrapped once in the process. Where a
study is not recorded, a wrapper is one look into a dictionary.
"""

from __future__ import annotations

import functools
import inspect
import threading
import weakref
from typing import TYPE_CHECKING, Any

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from dnnprov.integrations.clean_traceback import leave_out_own_frames
from dnnprov.integrations.optuna.study_recording import StudyRecording
from dnnprov.integrations.run_choice import in_another_thread
from dnnprov.integrations.search_steps import SearchSteps

if TYPE_CHECKING:
    from collections.abc import Callable

_recordings: weakref.WeakKeyDictionary[Study, StudyRecording] = weakref.WeakKeyDictionary()
_lock = threading.RLock()
_is_installed = False
_automatic: weakref.WeakSet[StudyRecording] = weakref.WeakSet()
_others: list[tuple[Callable[[], bool], Callable[[], str]]] = []
"""What `record_others` was given last."""


def record_study(study: Study, search: SearchSteps) -> StudyRecording:
    """Record a study from now on; one that is recorded already is from now on recorded in this way."""
    _install()
    with _lock:
        before = _recordings.get(study)
        recording = _recordings[study] = StudyRecording(search)
    if before is not None:
        before.search.finish()
    weakref.finalize(study, in_another_thread, recording.finish).atexit = False
    return recording


def record_others(is_on: Callable[[], bool], dataflow: Callable[[], str]) -> None:
    """Record every study that nobody named, too.

    Args:
        is_on: tells whether they are recorded now.
        dataflow: tells the tag of one that begins now.
    """
    _others[:] = [(is_on, dataflow)]
    _install()


def find_recording(study: Study) -> StudyRecording | None:
    """The recording of a study; `None` where it is not recorded."""
    recording = _recordings.get(study)
    if recording is not None and recording not in _automatic:
        return recording
    if not _others or not _others[0][0]():
        return None
    with _lock:
        recording = _recordings.get(study)
        if recording is None:
            recording = record_study(study, SearchSteps(_others[0][1]()))
            _automatic.add(recording)
    return recording


def _install() -> None:
    """Wrap the methods, once."""
    global _is_installed  # noqa: PLW0603 - one for the process
    with _lock:
        if not _is_installed:
            _is_installed = True
            for owner, name, wrapper in _WRAPPERS:
                if hasattr(owner, name):
                    setattr(owner, name, wrapper(getattr(owner, name)))


def _optimize(original: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def optimize(self: Study, *args: Any, **kwargs: Any) -> None:
        recording = None
        try:
            recording = find_recording(self)
            given = None if recording is None else _bound(signature, self, args, kwargs)
            if recording is None or given is None:
                original(self, *args, **kwargs)
                return
            recording.begin(self)
            objective = _Objective(given.arguments["func"], recording)
            given.arguments["func"] = objective
            given.arguments["callbacks"] = [recording.ended, *(given.arguments.get("callbacks") or ())]
            with recording.left_ended(objective.numbers):
                original(*given.args, **given.kwargs)
        except BaseException as error:
            if recording is not None:
                recording.search.note_left(error)
            leave_out_own_frames(error)
            raise

    return optimize


def _bound(
    signature: inspect.Signature, study: Study, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments | None:
    """The arguments by name; `None` where Optuna will refuse them."""
    try:
        given = signature.bind(study, *args, **kwargs)
    except TypeError:
        return None
    return given if callable(given.arguments.get("func")) else None


class _Objective:
    """The user's objective, with the run of its trial as the active one."""

    def __init__(self, objective: Callable[[Trial], Any], recording: StudyRecording) -> None:
        self._objective = objective
        self._recording = recording
        self.numbers: set[int] = set()

    def __call__(self, trial: Trial) -> Any:
        self.numbers.add(trial.number)
        try:
            return self._recording.execute(self._objective, trial)
        except BaseException as error:
            leave_out_own_frames(error)
            raise


def _ask(original: Callable[..., Trial]) -> Callable[..., Trial]:
    @functools.wraps(original)
    def ask(self: Study, *args: Any, **kwargs: Any) -> Trial:
        try:
            trial = original(self, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        recording = find_recording(self)
        if recording is not None:
            recording.begin_trial(trial)
        return trial

    return ask


def _tell(original: Callable[..., FrozenTrial]) -> Callable[..., FrozenTrial]:
    @functools.wraps(original)
    def tell(self: Study, *args: Any, **kwargs: Any) -> FrozenTrial:
        try:
            told = original(self, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        recording = find_recording(self)
        if recording is not None:
            recording.ended(self, told)
        return told

    return tell


def _suggest(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def suggest(self: Trial, name: str, *args: Any, **kwargs: Any) -> Any:
        try:
            value = original(self, name, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        recording = find_recording(self.study)
        if recording is not None:
            recording.suggested(self, name)
        return value

    return suggest


def _report(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def report(self: Trial, value: float, step: int) -> None:
        try:
            original(self, value, step)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        recording = find_recording(self.study)
        if recording is not None:
            recording.reported(self, value, step)

    return report


_WRAPPERS: tuple[tuple[type, str, Callable[[Callable[..., Any]], Callable[..., Any]]], ...] = (
    (Study, "optimize", _optimize),
    (Study, "ask", _ask),
    (Study, "tell", _tell),
    (Trial, "suggest_float", _suggest),
    (Trial, "suggest_int", _suggest),
    (Trial, "suggest_categorical", _suggest),
    (Trial, "report", _report),
)
