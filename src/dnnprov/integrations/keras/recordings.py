"""The recordings of one callback, one for each model that it meets."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.keras.recording import ModelRecording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.run_choice import RunChoice
    from dnnprov.model.events import RunStatus


class ModelRecordings:
    """Finds the recording of a model.

    Models that train one after the other share a choice of run: a run of our own ends where the next model begins
    another. One that trains while another does gets a choice of its own, so that both runs go on side by side.

    Args:
        choice: the run to record into.
        after: tasks whose results each training uses.

    Attributes:
        latest: the recording that began a training last.
    """

    def __init__(self, choice: RunChoice, after: RunTask | Iterable[RunTask] | None = None) -> None:
        self._after = after
        self._choices = [choice]
        self._by_model: weakref.WeakKeyDictionary[Any, ModelRecording] = weakref.WeakKeyDictionary()
        self._lock = threading.RLock()
        self.latest = ModelRecording(choice, after)

    def to_train(self, model: Any, callback_list: Any | None = None) -> ModelRecording:
        """The recording for a training that begins; a `fit` that was left before is ended as it was left.

        Args:
            model: that trains.
            callback_list: of the `fit` that begins: from now on it is at work, as a model in another thread must know.
        """
        with self._lock:
            at_work = [one for one in set(self._by_model.values()) if one.is_at_work()]
            found = self._of(model)
            if any(one.steps.choice is found.steps.choice for one in at_work if one is not found):
                found.steps.choice = found.steps.choice.another()
                self._choices.append(found.steps.choice)
            if self.latest is not found and self.latest not in at_work:
                self.latest.settle()
            self.latest = found
            found.is_to_begin(callback_list)
            return found

    def to_test(self, model: Any) -> ModelRecording:
        """The recording for a test or a prediction: of a model that never trained in the run of the one that did."""
        with self._lock:
            return self._of(model)

    def of(self, model: Any) -> ModelRecording:
        """The recording of a model, of the latest training where that one has none."""
        return self._by_model.get(model, self.latest)

    def with_list(self, callback_list: Any | None) -> ModelRecording:
        """The recording of the `fit` with this list, without asking for its model, which would wait for the device."""
        if len(self._by_model) > 1:
            for one in list(self._by_model.values()):
                if callback_list is not None and one.callback_list() is callback_list:
                    return one
        return self.latest

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the runs that are our own, one whose training was left before its end as it was left."""
        with self._lock:
            if status is None:
                for one in {self.latest, *self._by_model.values()}:
                    one.settle()
            for choice in self._choices:
                choice.finish(status, reason)

    def _of(self, model: Any) -> ModelRecording:
        found = self._by_model.get(model)
        if found is None:
            is_first = not self._by_model and not self.latest.steps.is_training
            choice = self.latest.steps.choice
            found = self.latest if is_first else ModelRecording(choice, self._after)
            self._by_model[model] = found
        return found

    def __getstate__(self) -> dict[str, Any]:
        """For another process: it begins anew there, without the run and the tasks of this one."""
        return {"choice": self._choices[0]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["choice"])  # type: ignore[misc]

    def __deepcopy__(self, memo: dict[int, Any]) -> ModelRecordings:
        """In this process a copy records into the run that was given, or one of its own."""
        return ModelRecordings(self._choices[0].another(), self._after)
