"""Provenance of Lightning trainings through one callback: it hands what it sees to the recording of its Trainer."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.claims import claim, release
from dnnprov.integrations.lightning.bases import package
from dnnprov.integrations.lightning.checkpoints import NAME, install
from dnnprov.integrations.lightning.recording import TrainerRecording
from dnnprov.integrations.trainer_callback import TrainerCallback

if TYPE_CHECKING:
    from collections.abc import Callable


def _guarded(hook: Callable[..., None]) -> Callable[..., None]:
    """A hook out of which no failure of ours comes into the training, and that does nothing where another records."""

    @functools.wraps(hook)
    def guarded_hook(self: Callback, *args: Any, **kwargs: Any) -> None:
        if self.is_silent:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception:  # the way out is made only where it is needed: there is one for each batch
            with self.recording.steps.guarded(f"lightning {hook.__name__}"):
                raise

    return guarded_hook


class Callback(TrainerCallback[TrainerRecording], package.Callback):  # type: ignore[misc]
    """Records what a Trainer does: hyperparameters, layers, epochs, adaptations, checkpoints, tests, and how it ended.

    Each `fit` is a Training task, each `test` a Testing task after it, each `validate` a Validation task; the
    validation within a `fit` is part of the training.

    **Which run.** The one given as `run`, else the one whose `with dnnprov.start_run(...)` encloses the call, else a
    run of the callback's own. That lasts as long as the callback, so that a `test` later on belongs to it; a `fit` of
    another module begins another run. To finish it earlier: `finish()`, or `with` around it.

    **Ranks.** Every rank records what it sees itself.

    Args:
        dataflow: its tag, what you call the model or project; the name of the script where it is left out.
        params: hyperparameters that you state; they win over what Lightning knows.
        name: of a run of our own; `<dataflow>-<n>` where it is left out.
        tags: of a run of our own.
        store: of a run of our own; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: to record into.
        after: the task or tasks whose results the training uses: Filters.

    Attributes:
        recording: what it hands everything to, for integrations.
        is_silent: whether another callback records the Trainer.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.

    Example:
        ```python
        from lightning.pytorch import Trainer

        trainer = Trainer(max_epochs=10, callbacks=[dnnprov.lightning.Callback("alexnet")])
        ```
    """

    framework = "lightning"
    make_recording = TrainerRecording
    is_silent = False

    @_guarded
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ARG002
        """Lightning gets ready: PyTorch below records nothing of it."""
        self.tie()
        claim(NAME)
        install(package.Trainer)  # here, for a rank that was spawned imports no more than this

    @_guarded
    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ARG002
        """Lightning is through."""
        release(NAME)

    @_guarded
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:  # noqa: ARG002
        """Whatever was under way was left."""
        release(NAME)
        self.recording.fail(trainer, exception)

    @_guarded
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the Training task."""
        self.recording.begin_training(trainer, pl_module)

    @_guarded
    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """An epoch begins."""
        self.recording.begin_epoch(trainer)

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Any) -> None:  # noqa: ARG002
        """A loss has its graph now, and no longer."""
        if not (self.recording.is_loss_named or self.is_silent):
            with self.recording.steps.guarded("lightning on_before_backward"):
                self.recording.goes_backward(loss)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Add the loss of a batch to the sum, on its device."""
        if not self.is_silent:
            try:
                self.recording.metrics.add_step(outputs)
            except Exception:  # P1; nothing around it that costs something in each batch
                with self.recording.steps.guarded("lightning on_train_batch_end"):
                    raise

    @_guarded
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """The epoch has trained and validated."""
        self.recording.close_epoch(trainer)

    @_guarded
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """End the Training task; Lightning calls this only where nothing was raised."""
        self.recording.end_training(trainer)

    @_guarded
    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Within a `fit` a part of it, else a Validation task."""
        if trainer.state.fn == "validate":
            self.recording.begin_testing(trainer, "Validation")
        elif not trainer.sanity_checking:
            self.recording.begin_validation(trainer)

    @_guarded
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Take the metrics of the validation."""
        if trainer.state.fn == "validate":
            self.recording.end_testing(trainer)
        elif not trainer.sanity_checking:
            self.recording.end_validation(trainer)

    @_guarded
    def on_test_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Begin the Testing task."""
        self.recording.begin_testing(trainer, "Testing")

    @_guarded
    def on_test_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Record the metrics on the whole test set."""
        self.recording.end_testing(trainer)

    @_guarded
    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """A prediction begins."""
        self.recording.begin_prediction(trainer)

    @_guarded
    def on_predict_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Record how much was predicted, and in how long."""
        self.recording.end_prediction(trainer)

    @_guarded
    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        """The row of the epoch comes before the file that is written after it; nothing of ours goes into that."""
        self.recording.settle_epoch(trainer)

    @_guarded
    def checkpoint_written(self, trainer: Any, path: Any, writer: Any) -> None:
        """The Trainer wrote a checkpoint: see `checkpoints`."""
        self.recording.file_written(trainer, path, writer)
