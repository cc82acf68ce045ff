"""Provenance of trainings of the Hugging Face Trainer through one callback, which hands all to its recording."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any, Self

import transformers

from dnnprov.capture.run_task import end_of_block
from dnnprov.integrations.autologging import program_name
from dnnprov.integrations.run_choice import RunChoice, in_another_thread
from dnnprov.integrations.transformers.recording import TrainerRecording

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.model.events import RunStatus

_base: Any = transformers.TrainerCallback


def _guarded(hook: Callable[..., None]) -> Callable[..., None]:
    """A hook out of which no failure of ours comes into the training, and that does nothing where another records."""

    @functools.wraps(hook)
    def guarded_hook(self: Callback, *args: Any, **kwargs: Any) -> None:
        try:
            if self.is_recording(kwargs.get("model")):
                hook(self, *args, **kwargs)
        except Exception:  # the way out is made only where it is needed: there is a hook for each step
            with self.recording.steps.guarded(f"transformers {hook.__name__}"):
                raise

    return guarded_hook


class Callback(_base):  # type: ignore[misc]
    """Records what a Trainer does: hyperparameters, layers, epochs, adaptations, checkpoints, tests, and how it ended.

    Each `train` is a Training task; the evaluations within it are part of it. An `evaluate` outside of one is a Testing
    task, or a Validation task where the training was validated too; a `predict` with labels is a Testing task.

    **Which run.** The one given as `run`, else the one whose `with dnnprov.start_run(...)` encloses the call, else a
    run of the callback's own. That lasts as long as the callback, so that an `evaluate` later on belongs to it; a
    `train` of another model begins another run. To finish it earlier: `finish()`, or `with` around it.

    **Ranks.** Every rank records what it sees itself.

    Args:
        dataflow: its tag, what you call the model or project; the name of the script where it is left out.
        params: hyperparameters that you state; they win over what the Trainer knows.
        name: of a run of our own; `<dataflow>-<n>` where it is left out.
        tags: of a run of our own.
        store: of a run of our own; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: to record into.
        after: the task or tasks whose results the training uses: Filters.

    Attributes:
        recording: what it hands everything to, for integrations.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.

    Example:
        ```python
        callbacks = [dnnprov.transformers.Callback("sentiment")]  # for Trainer(..., callbacks=callbacks)
        ```
    """

    def __init__(
        self,
        dataflow: str | None = None,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | Iterable[str] | None = None,
        store: str | os.PathLike[str] | None = None,
        run: Run | None = None,
        after: RunTask | Iterable[RunTask] | None = None,
    ) -> None:
        super().__init__()
        choice = RunChoice(program_name() if dataflow is None else dataflow, params, name, tags, store, run)
        self.recording = TrainerRecording(choice, after)
        self._is_tied = False

    @property
    def run(self) -> Run | None:
        """The run recorded into; `None` before the first `train`, `evaluate` or `predict`."""
        return self.recording.steps.run

    def is_recording(self, model: Any) -> bool:  # noqa: ARG002
        """Whether this is the callback that records what a Trainer does with a model."""
        self.tie()
        return True

    def add_file(self, path: str | os.PathLike[str], role: str = "model") -> None:
        """Record a file that the training led to and that was not seen by itself; its SHA-256 follows."""
        with self.recording.steps.guarded("transformers add_file"):
            self.recording.steps.add_file(path, role)

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run, where it is the callback's own.

        Args:
            status: as the last `train` was left, else `finished`, if left out.
            reason: why, in words.
        """
        with self.recording.steps.guarded("transformers finish"):
            self.recording.steps.finish(status, reason)

    @_guarded
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Begin the Training task."""
        self.recording.begin_training(args, state, kwargs)

    @_guarded
    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """An epoch begins."""
        self.recording.begin_epoch(args, state, kwargs)

    @_guarded
    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Look at the rates of a step: two attributes, nothing is read from a device."""
        self.recording.optimizer_steps(kwargs["optimizer"])

    @_guarded
    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """The epoch has trained."""
        self.recording.close_epoch(args, state, kwargs)

    @_guarded
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
        """The Trainer logged."""
        self.recording.take_logs(state, logs or {})

    @_guarded
    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
        """An evaluation is through."""
        self.recording.evaluated(state, metrics or {}, kwargs)

    @_guarded
    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
        """A prediction is through."""
        self.recording.predicted(metrics or {}, kwargs)

    @_guarded
    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """A checkpoint was written."""
        self.recording.saved(args, state)

    @_guarded
    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """End the Training task; Transformers calls this only where nothing was raised."""
        self.recording.end_training(args, state, control)

    def training_failed(self, model: Any, error: BaseException) -> None:
        """A `train` was left by an exception: see `calls`."""
        with self.recording.steps.guarded("transformers training_failed"):
            if self.is_recording(model):
                self.recording.fail(error)

    def model_saved(self, model: Any, folder: str) -> None:
        """The script saved the model: see `calls`."""
        with self.recording.steps.guarded("transformers model_saved"):
            if self.is_recording(model):
                self.recording.model_saved(folder)

    def tie(self) -> None:
        """Finish a run of our own when this callback goes away; at exit the run does it itself, knowing why."""
        if not self._is_tied:
            self._is_tied = True
            weakref.finalize(self, in_another_thread, self.recording.steps.finish).atexit = False

    def __getstate__(self) -> dict[str, Any]:
        """A copy, and what another process unpickles, begins anew, with the same arguments."""
        kept = {name: value for name, value in vars(self).items() if name != "recording"}
        return {**kept, "_choice": self.recording.steps.choice.another(), "_is_tied": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        choice = state.pop("_choice")
        self.__dict__.update(state)
        self.recording = TrainerRecording(choice)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.finish(*end_of_block(error))
