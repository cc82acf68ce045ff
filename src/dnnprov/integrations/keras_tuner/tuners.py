"""Which tuners are recorded, and how: `search` is wrapped, and while it goes on, two methods of that one tuner.

Keras Tuner calls a method of the tuner for a trial, and one after it. Users override these in classes of their own, so
it is the methods of the object that are wrapped, and only as long as it searches.
"""

from __future__ import annotations

import functools
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from keras_tuner.engine.base_tuner import BaseTuner

from dnnprov.integrations.clean_traceback import leave_out_own_frames
from dnnprov.integrations.keras_tuner.tuner_recording import TunerRecording
from dnnprov.integrations.run_choice import in_another_thread
from dnnprov.integrations.search_steps import SearchSteps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_recordings: weakref.WeakKeyDictionary[Any, TunerRecording] = weakref.WeakKeyDictionary()
_automatic: weakref.WeakSet[TunerRecording] = weakref.WeakSet()
_others: list[tuple[Callable[[], bool], Callable[[], str]]] = []
"""What `record_others` was given last."""

_lock = threading.RLock()
_MARK = "_dnnprov_original"


def record_tuner(tuner: Any, search: SearchSteps) -> TunerRecording:
    """Record a tuner from now on; one that is recorded already is from now on recorded in this way."""
    _install()
    with _lock:
        before = _recordings.get(tuner)
        recording = _recordings[tuner] = TunerRecording(search)
    if before is not None:
        before.finish()
    weakref.finalize(tuner, in_another_thread, recording.finish).atexit = False
    return recording


def record_others(is_on: Callable[[], bool], dataflow: Callable[[], str]) -> None:
    """Record every tuner that nobody named, too.

    Args:
        is_on: tells whether they are recorded now.
        dataflow: tells the tag of one that begins now.
    """
    _others[:] = [(is_on, dataflow)]
    _install()


def _find_recording(tuner: Any) -> TunerRecording | None:
    recording = _recordings.get(tuner)
    if recording is not None and recording not in _automatic:
        return recording
    if not _others or not _others[0][0]():
        return None
    if recording is None:
        recording = record_tuner(tuner, SearchSteps(_others[0][1]()))
        _automatic.add(recording)
    return recording


def _install() -> None:
    """Wrap `search`, once."""
    with _lock:
        if not hasattr(BaseTuner.search, _MARK):
            BaseTuner.search = _searching(BaseTuner.search)


def _searching(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def search(self: Any, *args: Any, **kwargs: Any) -> None:
        recording = None
        try:
            recording = _find_recording(self)
            if recording is None:
                original(self, *args, **kwargs)
                return
            recording.begin(self)
            with _recorded(self, recording):
                original(self, *args, **kwargs)
        except BaseException as error:
            if recording is not None:
                recording.search.note_left(error)
            leave_out_own_frames(error)
            raise

    setattr(search, _MARK, original)
    return search


@contextmanager
def _recorded(tuner: Any, recording: TunerRecording) -> Iterator[None]:
    """A block in which the trials of a tuner are recorded."""
    run_trial, on_trial_end = tuner.run_trial, tuner.on_trial_end
    held = {name: vars(tuner)[name] for name in ("run_trial", "on_trial_end") if name in vars(tuner)}

    @functools.wraps(run_trial)
    def recorded_run_trial(trial: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return recording.run_trial(tuner, run_trial, trial, args, kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise

    @functools.wraps(on_trial_end)
    def recorded_on_trial_end(trial: Any) -> None:
        try:
            on_trial_end(trial)
        finally:
            recording.ended(tuner, trial)

    tuner.run_trial, tuner.on_trial_end = recorded_run_trial, recorded_on_trial_end
    try:
        yield
    finally:
        for name in ("run_trial", "on_trial_end"):
            vars(tuner).pop(name, None)
        vars(tuner).update(held)
        recording.end_left_trials()
