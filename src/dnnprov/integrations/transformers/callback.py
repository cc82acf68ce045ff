"""Provenance of trainings of the Hugging Face Trainer through one callback, which hands all to its recording."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import transformers

from dnnprov.integrations.trainer_callback import TrainerCallback
from dnnprov.integrations.transformers.recording import TrainerRecording

if TYPE_CHECKING:
    from collections.abc import Callable


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


class Callback(TrainerCallback[TrainerRecording], _base):  # type: ignore[misc]
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

    framework = "transformers"
    make_recording = TrainerRecording

    def is_recording(self, model: Any) -> bool:  # noqa: ARG002
        """Whether this is the callback that records what a Trainer does with a model."""
        self.tie()
        return True

    @_guarded
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Begin the Training task."""
        self.recording.begin_training(args, state, kwargs)

    @_guarded
    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """An epoch begins."""
        self.recording.begin_epoch(args, state, kwargs)

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
