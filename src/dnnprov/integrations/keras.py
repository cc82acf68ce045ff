"""Provenance of Keras 3 trainings, on any backend, through one callback.

How the parts fit: `keras_probes` tells which callback did what, `keras_techniques` names it, `keras_hyperparameters`,
`keras_layers` and `keras_checkpoints` read the model and its files; the callback hands it all to `training_steps`.
"""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

import keras

from dnnprov.capture.run_task import end_of_block
from dnnprov.integrations.keras_checkpoints import CheckpointWatch
from dnnprov.integrations.keras_hyperparameters import (
    hyperparameters,
    learning_rates,
    rate_schedule,
    trained_rates,
)
from dnnprov.integrations.keras_layers import layer_rows
from dnnprov.integrations.keras_probes import (
    batch_callbacks,
    find_batch_size,
    find_callback_list,
    insert_probes,
    remove_probes,
)
from dnnprov.integrations.keras_techniques import technique_in_epoch, technique_of_callback, technique_of_schedule
from dnnprov.integrations.run_choice import RunChoice, in_another_thread
from dnnprov.integrations.technique import BY_HAND
from dnnprov.integrations.training_steps import TrainingSteps

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.technique import Technique
    from dnnprov.model.events import RunStatus

Parameters = ParamSpec("Parameters")
Callback = TypeVar("Callback", bound="ProvenanceCallback")

_schedules: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()
"""Optimizer -> the schedule in it when it last trained."""


def _guarded(
    hook: Callable[Concatenate[Callback, Parameters], None],
) -> Callable[Concatenate[Callback, Parameters], None]:
    """A hook out of which no failure of ours comes into the training."""

    @functools.wraps(hook)
    def guarded_hook(self: Callback, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        with self._steps.guarded(f"keras {hook.__name__}"):
            hook(self, *args, **kwargs)

    return guarded_hook


class ProvenanceCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Records what `fit` and `evaluate` do: hyperparameters, layers, epochs, adaptations, test result, checkpoints.

    Each `fit` is a Training task, each `evaluate` outside of one a Testing task after it; validation is part of the
    training. Where in the list of callbacks this one stands does not matter, except that the epoch's row holds what
    callbacks before it put into `logs`.

    **Which run.** The one given as `run`, else the one whose `with dnnprov.start_run(...)` encloses the call, else a
    run of the callback's own. That begins with the first `fit` or `evaluate` and lasts as long as the callback, so that
    an `evaluate` later on belongs to it; a `fit` of another model begins another run. To finish it earlier: `finish()`,
    or `with` around it. What ends the process ends it, an uncaught exception as `failed` with its message. Where the
    script catches what `fit` raised, or exits within it, the Training task is `failed`, and so is the run unless it
    trains again.

    **Files.** What ModelCheckpoint writes is recorded; after `model.save(path)` say `add_file(path)`.

    Args:
        dataflow: its tag, what you call the model or project. For a run of our own.
        params: hyperparameters that you state; they win over what Keras knows.
        name: of a run of our own; `<dataflow>-<n>` where it is left out.
        tags: of a run of our own.
        store: of a run of our own; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: to record into.
        after: the task or tasks whose results the training uses: Filters.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.

    Example:
        ```python
        provenance = dnnprov.keras.ProvenanceCallback("alexnet")
        model.fit(x, y, epochs=10, validation_split=0.1, callbacks=[provenance])
        model.evaluate(x_test, y_test, callbacks=[provenance])
        model.save("alexnet.keras")
        provenance.add_file("alexnet.keras")
        ```
    """

    def __init__(
        self,
        dataflow: str,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | Iterable[str] | None = None,
        store: str | os.PathLike[str] | None = None,
        run: Run | None = None,
        after: RunTask | Iterable[RunTask] | None = None,
    ) -> None:
        super().__init__()
        self._steps = TrainingSteps(RunChoice(dataflow, params, name, tags, store, run), after)
        self._checkpoints = CheckpointWatch()
        self._fit_list: weakref.ref[Any] | None = None
        self._initial_rate: Any = None
        self._epoch_rates: dict[str, Any] = {}
        self._is_begun_by_probe = False
        self._is_tied = False

    @property
    def run(self) -> Run | None:
        """The run recorded into; `None` before the first `fit` or `evaluate`."""
        return self._steps.run

    def add_file(self, path: str | os.PathLike[str], role: str = "model") -> None:
        """Record a file that the training led to, as after `model.save(path)`; its SHA-256 follows."""
        with self._steps.guarded("keras add_file"):
            self._steps.add_file(path, role)

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run, where it is the callback's own.

        Args:
            status: `failed` where the last `fit` was left by an exception, else `finished`, if left out.
            reason: why, in words.
        """
        with self._steps.guarded("keras finish"):
            self._steps.finish(status, reason)

    @_guarded
    def set_model(self, model: Any) -> None:
        """Put the probes into the list of the `fit` that begins."""
        super().set_model(model)
        callback_list = find_callback_list(self)
        if callback_list is not None:
            insert_probes(callback_list, self)

    @_guarded
    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Begin the Training task, unless the leading probe did."""
        if self._is_begun_by_probe:
            self._is_begun_by_probe = False
            return
        self._begin_training()
        if (callback_list := self._callback_list()) is not None:
            insert_probes(callback_list, self)

    @_guarded
    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Where there is no probe: the epoch begins."""
        if self._callback_list() is None:
            self._begin_epoch(epoch)

    @_guarded
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the row of the epoch, counted from 1."""
        if self._callback_list() is None:
            self._close_epoch()
        self._steps.end_epoch(epoch + 1, {**(logs or {}), **self._epoch_rates})

    @_guarded
    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """End the Training task; Keras calls this only where nothing was raised."""
        self._steps.end_training()
        if (callback_list := self._callback_list()) is not None:
            remove_probes(callback_list, self)
        self._fit_list = None

    @_guarded
    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Begin a Testing task, unless this is the validation of a `fit`."""
        if not self._is_validation():
            self._tie()
            self._steps.begin_testing()

    @_guarded
    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Record the test result: `logs` holds the averages over the whole test set."""
        if not self._is_validation():
            self._steps.end_testing(logs or {})

    @_guarded
    def before_callbacks(self, hook: str, epoch: int | None) -> None:
        """A probe tells: no callback has run this hook yet."""
        if hook == "on_train_begin":
            self._is_begun_by_probe = True
            self._begin_training()
        elif hook == "on_epoch_begin" and epoch is not None:
            self._begin_epoch(epoch)
        elif hook == "on_epoch_end":
            self._close_epoch()
        elif hook == "on_train_end":
            self._steps.end_training()

    @_guarded
    def behind_callback(self, callback: Any, hook: str, epoch: int | None, logs: dict[str, Any]) -> None:
        """A probe tells: this callback has just run this hook."""
        ended = epoch if hook == "on_epoch_end" else None
        if self._schedule() is None:
            self._steps.see(self._rates(), lambda: technique_of_callback(callback, self._initial_rate, ended, logs))
        if ended is not None:
            for path in self._checkpoints.changed(callback):
                self._steps.add_checkpoint(path, ended + 1, type(callback).__name__)

    def _begin_training(self) -> None:
        """Begin a Training task; a value that cannot be read costs that value, not the task."""
        self._tie()
        model, callback_list, parameters = self.model, find_callback_list(self), {}
        self._initial_rate, first_only = None, {}
        if (epochs := (self.params or {}).get("epochs")) is not None:
            first_only["num_epochs"] = epochs
        with self._steps.guarded("keras hyperparameters"):
            parameters = hyperparameters(model, find_batch_size())
        with self._steps.guarded("keras learning rate"):
            rates = self._rates()
            self._initial_rate = next(iter(rates.values()))
            (first_only if self._goes_on_with_schedule() else parameters).update(rates)
        self._steps.begin_training(parameters, model, functools.partial(layer_rows, model), first_only)
        self._fit_list = None
        if callback_list is not None:
            self._fit_list = weakref.ref(callback_list)
            self._steps.end_with(callback_list)
            self._checkpoints.begin(callback_list.callbacks)

    def _begin_epoch(self, epoch: int) -> None:
        self._steps.begin_epoch(epoch + 1)
        if self._schedule() is None:
            self._steps.see(self._rates(), lambda: BY_HAND)

    def _close_epoch(self) -> None:
        """The epoch's row and the adaptation say the same rate: the one that its last step trained with."""
        self._epoch_rates = trained_rates(self.model.optimizer)
        self._steps.see(self._epoch_rates, self._technique_in_epoch)
        self._steps.close_epoch()

    def _rates(self) -> dict[str, Any]:
        return learning_rates(self.model.optimizer)

    def _schedule(self) -> Any | None:
        return rate_schedule(self.model.optimizer)

    def _goes_on_with_schedule(self) -> bool:
        """Whether the optimizer trained with the schedule before that it has now: then that changed the rate since."""
        schedule, before = self._schedule(), _schedules.pop(self.model.optimizer, None)
        if schedule is None:
            return False
        _schedules[self.model.optimizer] = weakref.ref(schedule)
        return before is not None and before() is schedule

    def _technique_in_epoch(self) -> Technique:
        if (schedule := self._schedule()) is not None:
            return technique_of_schedule(schedule)
        return technique_in_epoch(batch_callbacks(self._callback_list()), self._initial_rate)

    def _callback_list(self) -> Any | None:
        return None if self._fit_list is None else self._fit_list()

    def _is_validation(self) -> bool:
        """Whether the evaluation under way is part of the `fit`: that hands its own list of callbacks on."""
        callback_list = find_callback_list(self)
        return self._steps.is_training if callback_list is None else callback_list is self._callback_list()

    def _tie(self) -> None:
        """Finish a run of our own when this callback goes away; at exit the run does it itself, knowing why."""
        if not self._is_tied:
            self._is_tied = True
            weakref.finalize(self, in_another_thread, self._steps.finish).atexit = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.finish(*end_of_block(error))
