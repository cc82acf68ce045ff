"""Provenance of Keras 3 trainings, on any backend, through one callback.

The callback hands what it sees to the recording of its model (`recordings`, `recording`), which reads the model,
watches its optimizers (`optimizer_watch`) and tells `training_steps`.
"""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import keras

from dnnprov.capture.run_task import end_of_block
from dnnprov.errors import UsageError
from dnnprov.integrations.finishing_block import FinishingBlock
from dnnprov.integrations.keras.batches import BatchLog
from dnnprov.integrations.keras.loop import TrainingLoop
from dnnprov.integrations.keras.probes import (
    find_callback_list,
    find_data_counts,
    find_trained_epoch,
    insert_probes,
    remove_probes,
)
from dnnprov.integrations.keras.recordings import ModelRecordings
from dnnprov.integrations.metric_names import with_canonical_names
from dnnprov.integrations.run_choice import RunChoice, check_type, in_another_thread

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.keras.recording import ModelRecording
    from dnnprov.model.events import RunStatus

Parameters = ParamSpec("Parameters")
Callback = TypeVar("Callback", bound="ProvenanceCallback")


def _guarded(
    hook: Callable[Concatenate[Callback, Parameters], None],
) -> Callable[Concatenate[Callback, Parameters], None]:
    """A hook out of which no failure of ours comes into the training."""

    @functools.wraps(hook)
    def guarded_hook(self: Callback, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            hook(self, *args, **kwargs)
        except Exception:  # the way out is made only where it is needed: there is a hook for each batch
            with self._guarded(f"keras {hook.__name__}"):
                raise

    return guarded_hook


def _not_asked_for(batch: int, logs: dict[str, Any] | None = None) -> None:
    """In the place of `on_train_batch_end`; a function that is bound to nothing, so that no cycle keeps a callback."""


class ProvenanceCallback(FinishingBlock, keras.callbacks.Callback):  # type: ignore[misc]
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

    **Several models.** Each is recorded by itself, also where one callback meets them in turns, nested or in threads.
    A run of the callback's own is one model's: another model that trains begins another run, beside the first while
    that still trains, else in its place. Inside `with dnnprov.start_run(...)` all are trainings of that run.

    **Files.** What is saved of a model that trained, and what it was loaded from, is recorded by itself.

    Args:
        dataflow: its tag, what you call the model or project. For a run of our own.
        params: hyperparameters that you state; they win over what Keras knows.
        name: of a run of our own; `<dataflow>-<n>` where it is left out.
        tags: of a run of our own.
        store: of a run of our own; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: to record into.
        after: the task or tasks whose results the training uses: Filters.
        batches: True to record the values of each batch as series, a number to record every so many batches.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.

    Example:
        ```python
        provenance = dnnprov.keras.ProvenanceCallback("alexnet")
        model.fit(x, y, epochs=10, validation_split=0.1, callbacks=[provenance])
        model.save("alexnet.keras")
        model.evaluate(x_test, y_test, callbacks=[provenance])
        ```
    """

    async_safe = True
    """Keras may call `on_train_batch_end` from another thread, where it reads the values of a batch without stopping
    the training for them."""

    def __init__(
        self,
        dataflow: str,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | Iterable[str] | None = None,
        store: str | os.PathLike[str] | None = None,
        run: Run | None = None,
        after: RunTask | Iterable[RunTask] | None = None,
        batches: bool | int = False,
    ) -> None:
        super().__init__()
        check_type("batches", batches, bool | int, "True, or a number to record every so many batches")
        if batches < 0:
            raise UsageError(f"batches={batches!r} is negative; expected True, False, or every how many batches")
        self._recordings = ModelRecordings(RunChoice(dataflow, params, name, tags, store, run), after)
        self._batches = BatchLog(int(batches))
        if not batches:  # the one hook that is called for each batch
            self.on_train_batch_end = _not_asked_for  # type: ignore[method-assign]
        self._is_tied = False

    @property
    def run(self) -> Run | None:
        """The run recorded into; `None` before the first `fit` or `evaluate`."""
        return self._recordings.latest.steps.run

    def add_file(self, path: str | os.PathLike[str], role: str = "model") -> None:
        """Record a file that the training led to and that was not seen by itself; its SHA-256 follows."""
        with self._guarded("keras add_file"):
            self._recordings.latest.add_file(path, role)

    def training(
        self,
        model: Any,
        params: Mapping[str, Any] | None = None,
        optimizer: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
    ) -> TrainingLoop:
        """Record a training that is no `fit`: a loop of your own, with `train_on_batch` or without.

        Args:
            model: that trains, compiled or not.
            params: hyperparameters of this training that Keras does not know; they win over what it knows.
            optimizer: where the model was not compiled with it.
            epochs: how many are planned.
            batch_size: of the loop.

        Returns:
            A context manager: a Training task from its begin to its end.

        Example:
            ```python
            with provenance.training(model, batch_size=32) as training:
                for epoch in range(1, 11):
                    for x, y in batches:
                        logs = model.train_on_batch(x, y, return_dict=True)
                    training.epoch(epoch, **logs)
            ```
        """
        self._tie()
        stated = {"num_epochs": epochs, "batch_size": batch_size, **(params or {})}
        known = {name: value for name, value in stated.items() if value is not None}
        return TrainingLoop(self._recordings, model, optimizer, known)

    def before_callbacks_failed(self, model: Any, arguments: Mapping[str, Any], error: BaseException) -> None:
        """Record a training that raised before Keras told any callback of it, as one whose model cannot be built.

        Args:
            model: that was to train; where it is not compiled, no training was begun.
            arguments: of the `fit`, by name.
            error: out of it.
        """
        with self._guarded("keras fit"):
            if not model.compiled:
                return
            self._tie()
            recording = self._recordings.to_train(model)
            given = {**arguments, "x": None} if arguments.get("validation_split") else arguments  # it was not cut yet
            recording.begin_training(model, None, arguments.get("epochs", 1), given)
            recording.steps.end_training(*end_of_block(error))

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run, where it is the callback's own.

        Args:
            status: `failed` or `interrupted` where the last `fit` was left by an exception, else `finished`, if left
                out.
            reason: why, in words.
        """
        with self._guarded("keras finish"):
            self._recordings.finish(status, reason)

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
        recording, _, callback_list = self._at_hand()
        if recording.is_begun_by_probe and recording.callback_list() is callback_list:
            recording.is_begun_by_probe = False
            return
        self._begin_training()
        if callback_list is not None:
            insert_probes(callback_list, self)

    @_guarded
    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Where there is no probe: the epoch begins."""
        recording, model, _ = self._at_hand()
        if recording.callback_list() is None:
            recording.begin_epoch(model, epoch + 1)

    @_guarded
    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the values of a batch; called only where that was asked for."""
        callback_list = find_callback_list(self)
        self._batches.record(self._recordings.with_list(callback_list), batch, logs or {})

    @_guarded
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the row of the epoch, counted from 1."""
        recording, model, _ = self._at_hand()
        if recording.callback_list() is None:
            recording.close_epoch(model)
        self._batches.end_epoch(recording)
        recording.end_epoch(epoch + 1, logs or {})

    @_guarded
    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """End the Training task; Keras calls this only where nothing was raised."""
        recording, _, callback_list = self._at_hand()
        recording.end_training()
        if callback_list is not None:
            remove_probes(callback_list, self)

    @_guarded
    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a Testing task; where this is the validation of a `fit`, record what is known of its epoch."""
        if not self._is_validation():
            self._tie()
            _, model, _ = self._at_hand()
            self._recordings.to_test(model).begin_testing(model)
            return
        recording, model, callback_list = self._at_hand()
        if (trained := find_trained_epoch(callback_list)) is not None:
            epoch, logs = trained
            recording.tell_epoch(model, epoch + 1, logs)

    @_guarded
    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Record the test result: `logs` holds the averages over the whole test set."""
        if not self._is_validation():
            recording, _, _ = self._at_hand()
            recording.steps.end_testing(with_canonical_names(logs or {}), find_data_counts())

    @_guarded
    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """A prediction begins."""
        self._tie()
        _, model, _ = self._at_hand()
        self._recordings.to_test(model).begin_prediction(model)

    @_guarded
    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Record how much was predicted, and in how long."""
        recording, _, _ = self._at_hand()
        recording.steps.end_prediction(find_data_counts())

    @_guarded
    def before_callbacks(self, hook: str, epoch: int | None, logs: dict[str, Any]) -> None:
        """A probe tells: no callback has run this hook yet."""
        if hook == "on_train_begin":
            self._begin_training().is_begun_by_probe = True
            return
        recording, model, _ = self._at_hand()
        if hook == "on_epoch_begin" and epoch is not None:
            recording.begin_epoch(model, epoch + 1)
        elif hook == "on_epoch_end" and epoch is not None:
            recording.close_epoch(model)
            recording.owe_epoch(epoch + 1, logs)
        elif hook == "on_train_end":
            recording.steps.end_training()

    @_guarded
    def behind_callback(self, callback: Any, hook: str, epoch: int | None, logs: dict[str, Any]) -> None:
        """A probe tells: this callback has just run this hook."""
        recording, model, _ = self._at_hand()
        recording.saw_callback(model, callback, hook, epoch, logs)

    def _begin_training(self) -> ModelRecording:
        self._tie()
        _, model, callback_list = self._at_hand()
        recording = self._recordings.to_train(model, callback_list)
        recording.begin_training(model, callback_list, (self.params or {}).get("epochs"))
        self._batches.begin_training(recording, int(getattr(model, "steps_per_execution", 1) or 1))
        return recording

    def _at_hand(self) -> tuple[ModelRecording, Any, Any | None]:
        """Recording, model and list of callbacks of the hook under way; this callback may be in several lists."""
        callback_list = find_callback_list(self)
        model = self.model if callback_list is None else callback_list.model
        return self._recordings.of(model), model, callback_list

    def _is_validation(self) -> bool:
        """Whether the evaluation under way is part of the `fit`: that hands its own list of callbacks on."""
        recording, _, callback_list = self._at_hand()
        return recording.steps.is_training if callback_list is None else callback_list is recording.callback_list()

    def _guarded(self, where: str) -> AbstractContextManager[None]:
        return self._recordings.latest.steps.guarded(where)

    def _tie(self) -> None:
        """Finish a run of our own when this callback goes away; at exit the run does it itself, knowing why."""
        if not self._is_tied:
            self._is_tied = True
            weakref.finalize(self, in_another_thread, self._recordings.finish).atexit = False

    def __getstate__(self) -> dict[str, Any]:
        """A copy, and what another process unpickles, begins anew, with the same arguments."""
        return {**vars(self), "_model": None, "_is_tied": False}
