"""What is recorded of the calls that a program makes on its estimators."""

from __future__ import annotations

import atexit
import functools
import sys
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sklearn.base import is_classifier, is_regressor

from dnnprov.capture.current_runs import activate
from dnnprov.capture.run_task import end_of_block
from dnnprov.integrations.data_arrays import record_arrays
from dnnprov.integrations.run_choice import in_another_thread
from dnnprov.integrations.sklearn.by_identity import ByIdentity
from dnnprov.integrations.sklearn.estimators import final_estimator, hyperparameters, is_search
from dnnprov.integrations.sklearn.files import parts_of, take_file
from dnnprov.integrations.sklearn.filters import TransformedData, filter_rows, preprocessing_rows
from dnnprov.integrations.sklearn.results import candidates, epochs, fit_row, layer_rows, score_name
from dnnprov.integrations.training_steps import TrainingSteps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.run_choice import RunChoice
    from dnnprov.model.events import RunStatus

_transformed = TransformedData()
"""Of the whole process, since what one block transforms another may train with."""

_with_parts: weakref.WeakSet[EstimatorRecording] = weakref.WeakSet()


class FitRecorder:
    """Records fits, tests and filters; each estimator has its own run, where no run encloses the call.

    Args:
        choice: how to find or start a run.
        after: tasks whose results the trainings use.
    """

    def __init__(self, choice: RunChoice, after: RunTask | Iterable[RunTask] | None = None) -> None:
        self._choice = choice
        self._after = after
        self._known: ByIdentity[EstimatorRecording] = ByIdentity()

    def call(
        self, name: str, method: Callable[[], Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call a method of an estimator for the program, and record what it did.

        Args:
            name: of the method.
            method: to call.
            estimator: that it belongs to.
            args: of the call.
            kwargs: of the call.
        """
        data = args[0] if args else kwargs.get("X")
        targets = args[1] if len(args) > 1 else kwargs.get("y")
        if name in {"transform", "fit_transform"} or (name in {"fit", "partial_fit"} and not _predicts(estimator)):
            result = method()
            with suppress(Exception):  # the data is the user's, and may be anything
                if name in {"transform", "fit_transform"}:
                    _transformed.note(result, [*_transformed.rows_of(data), *filter_rows(estimator)])
            return result
        recording = self._recording(estimator)
        if recording is None:
            return method()
        if name == "score":
            return recording.score(method, data)
        return recording.fit(method, data, targets, is_part=name == "partial_fit")

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the runs that were started here."""
        for recording in self._known.values():
            recording.finish(status, reason)

    def dumped(self, value: Any, path: str) -> None:
        """Something was written to a file: one of the estimator in it that was fitted or tested here.

        Args:
            value: that was written.
            path: of the file.
        """
        known: list[EstimatorRecording] = []
        with suppress(Exception):  # the value is the user's, and may be anything
            known = [recording for one in parts_of(value) if (recording := self._find_around(one)) is not None]
        for recording in known[:1]:
            with recording.steps.guarded("sklearn dump"):
                recording.steps.add_file(path, "model")

    def _find_around(self, estimator: Any) -> EstimatorRecording | None:
        """The recording of an estimator, or of the one that it is the final one of."""
        if (found := self.find(estimator)) is not None:
            return found
        around = (recording for one, recording in self._known.items() if final_estimator(one) is estimator)
        return next(around, None)

    def find(self, estimator: Any) -> EstimatorRecording | None:
        """The recording of an estimator that was fitted or tested here."""
        return self._known.find(estimator)

    def _recording(self, estimator: Any) -> EstimatorRecording | None:
        """The recording of an estimator; `None` for one that cannot be remembered."""
        known = self._known.find(estimator)
        if known is None:
            steps = TrainingSteps(self._choice.another(), self._after)
            known = EstimatorRecording(estimator, steps)
            if not self._known.note(estimator, known):
                return None
            weakref.finalize(estimator, in_another_thread, known.finish).atexit = False
        return known


class EstimatorRecording:
    """What is recorded of one estimator.

    Attributes:
        steps: of its trainings.
    """

    def __init__(self, estimator: Any, steps: TrainingSteps) -> None:
        self._estimator = weakref.ref(estimator)
        self.steps = steps
        self._fitted_to: weakref.ref[Any] | None = None
        self._curve: list[dict[str, Any]] = []
        self._num_parts = 0

    def fit(self, method: Callable[[], Any], data: Any, targets: Any = None, *, is_part: bool = False) -> Any:
        """A fit: a Training task, within which its run is the active one.

        Args:
            method: to call.
            data: that it is fitted to.
            targets: likewise.
            is_part: whether it is a `partial_fit`; those that follow each other are one training.
        """
        estimator = self._estimator()
        if not (is_part and self._num_parts and self.steps.is_training):
            self.end_parts()
            with self.steps.guarded("sklearn fit"):
                self._begin(estimator, data)
            if self.steps.training is not None and self.steps.is_training:
                with self.steps.guarded("sklearn data"):
                    if (path := take_file(estimator)) is not None:
                        self.steps.training.uses_file(path, "model")
                    record_arrays(self.steps.training, data, targets, num_samples(data))
        take_back = activate(self.steps.run) if self.steps.run is not None and self.steps.is_training else None
        try:
            result = method()
        except BaseException as error:
            with self.steps.guarded("sklearn fit"):
                self._num_parts = 0
                self.steps.end_training(*end_of_block(error))
            raise
        finally:
            if take_back is not None:
                take_back()
        with self.steps.guarded("sklearn fit"):
            if is_part:
                self._num_parts += 1
                _with_parts.add(self)
                self._describe(estimator)
            else:
                self._end(estimator)
        return result

    def end_parts(self) -> None:
        """The last `partial_fit` was the last: its training is over, and has come to its end."""
        estimator, number = self._estimator(), self._num_parts
        self._num_parts = 0
        with self.steps.guarded("sklearn partial_fit"):
            if number and self.steps.training is not None and self.steps.is_training:
                result = {} if estimator is None else fit_row(final_estimator(estimator))
                self.steps.training.generates("oFit", num_partial_fits=number, **result)
                self.steps.end_training()

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run, where it was started here."""
        if status in (None, "finished"):
            self.end_parts()
        with self.steps.guarded("sklearn finish"):
            self.steps.finish(status, reason)

    def score(self, method: Callable[[], Any], data: Any) -> Any:
        """A test; on the very data that the estimator was fitted to, it is none, and said to be an Evaluation."""
        estimator = self._estimator()
        is_training_data = self._fitted_to is not None and self._fitted_to() is data
        if not is_training_data:
            with self.steps.guarded("sklearn score"):
                task = self.steps.begin_testing()
                if (path := take_file(estimator)) is not None:
                    task.uses_file(path, "model")
        result = method()
        with self.steps.guarded("sklearn score"):
            name = score_name(estimator)
            if not is_training_data:
                self.steps.end_testing({name: result}, {"num_samples": num_samples(data)})
            elif self.steps.run is not None:
                with self.steps.run.task("Evaluation", after=self.steps.training) as task:
                    task.log(**{name: result}, data_set="training", num_samples=num_samples(data))
        return result

    def _begin(self, estimator: Any, data: Any) -> None:
        parameters: dict[str, Any] = {}
        number = num_samples(data)
        with self.steps.guarded("sklearn hyperparameters"):
            parameters = hyperparameters(estimator, number)
        searched = {}
        if is_search(estimator):  # which are the result of the fit, not its condition
            searched = {name: parameters[name] for name in parameters if name.startswith(("search_", "estimator"))}
        shape = {"num_samples": number, "num_features": _num_features(data)}
        first_only = {name: value for name, value in shape.items() if value is not None}
        self.steps.begin_training(
            searched or parameters, self, None, first_only, functools.partial(_all_filters, estimator, data)
        )
        self.steps.begin_epoch(1)  # what was changed since the last fit, this one is made with
        self._fitted_to = None
        with suppress(TypeError):  # a list, say, which nothing can watch
            self._fitted_to = weakref.ref(data)

    def _describe(self, estimator: Any) -> None:
        """Record the layers, and what the curve has more than it had: a fit that goes on from the last keeps that."""
        training, final = self.steps.training, final_estimator(estimator)
        if training is None:
            return
        with self.steps.guarded("sklearn layers"):
            if rows := layer_rows(final):
                self.steps.describe(lambda: rows)
        with self.steps.guarded("sklearn curves"):
            before, self._curve = self._curve, epochs(final)
            known = len(before) if self._curve[: len(before)] == before else 0
            for row in self._curve[known:] if self._goes_on(final) else self._curve:
                training.log(**row)

    def _goes_on(self, final: Any) -> bool:
        return self._num_parts > 0 or bool(getattr(final, "warm_start", False))

    def _end(self, estimator: Any) -> None:
        training, final = self.steps.training, final_estimator(estimator)
        if training is None or not self.steps.is_training:
            return
        self._describe(estimator)
        with self.steps.guarded("sklearn search"):
            if is_search(estimator):
                training.run.fill_params(hyperparameters(estimator))
                training.record("oSearch", "generated", candidates(estimator))
        with self.steps.guarded("sklearn result"):
            if row := {**fit_row(final), **fit_row(estimator)}:
                training.generates("oFit", **row)
        self.steps.end_training()


def num_samples(data: Any) -> int | None:
    """How many rows data has; `None` where it does not tell."""
    shape = getattr(data, "shape", None)
    with suppress(Exception):
        return int(shape[0]) if shape is not None else len(data)
    return None


def _num_features(data: Any) -> int | None:
    shape = getattr(data, "shape", None)
    with suppress(Exception):
        return int(shape[1]) if shape is not None and len(shape) > 1 else None
    return None


def _all_filters(estimator: Any, data: Any) -> list[Any]:
    return [*_transformed.rows_of(data), *preprocessing_rows(estimator)]


def _predicts(estimator: Any) -> bool:
    """Whether it is fitted for what it says of data, not for what it makes of them."""
    with suppress(Exception):  # one that stacks others has no `predict` before it is fitted
        if is_classifier(estimator) or is_regressor(estimator):
            return True
    with suppress(Exception):
        return hasattr(estimator, "predict") or hasattr(estimator, "fit_predict") or not hasattr(estimator, "transform")
    return True


def _end_parts() -> None:
    """At exit: trainings in parts of a script that came to its end; an exception tells more, by itself."""
    if getattr(sys, "last_value", None) is None:
        for recording in list(_with_parts):
            recording.end_parts()


atexit.register(_end_parts)  # runs before the one of training_steps, which is imported before
