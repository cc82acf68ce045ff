"""Provenance of Lightning trainings through one callback: it hands what it sees to the recording of its Trainer."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any, Self

from dnnprov.capture.run_task import end_of_block
from dnnprov.integrations.autologging import program_name
from dnnprov.integrations.claims import claim, release
from dnnprov.integrations.lightning.bases import package
from dnnprov.integrations.lightning.checkpoints import NAME, install
from dnnprov.integrations.lightning.recording import TrainerRecording
from dnnprov.integrations.run_choice import RunChoice, in_another_thread

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.model.events import RunStatus


def _guarded(hook: Callable[..., None]) -> Callable[..., None]:
    """A hook out of which no failure of ours comes into the training, and that does nothing where another records."""

    @functools.wraps(hook)
    def guarded_hook(self: Callback, *args: Any, **kwargs: Any) -> None:
        if self.is_silent:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception:  # the way out is made only where it is needed: there is a hook for each batch
            with self.recording.steps.guarded(f"lightning {hook.__name__}"):
                raise

    return guarded_hook


class Callback(package.Callback):  # type: ignore[misc]
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
        self.is_silent = False
        self._is_tied = False

    @property
    def run(self) -> Run | None:
        """The run recorded into; `None` before the first `fit`, `validate`, `test` or `predict`."""
        return self.recording.steps.run

    def add_file(self, path: str | os.PathLike[str], role: str = "model") -> None:
        """Record a file that the training led to and that was not seen by itself; its SHA-256 follows."""
        with self.recording.steps.guarded("lightning add_file"):
            self.recording.steps.add_file(path, role)

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run, where it is the callback's own.

        Args:
            status: as the last `fit` was left, else `finished`, if left out.
            reason: why, in words.
        """
        with self.recording.steps.guarded("lightning finish"):
            self.recording.steps.finish(status, reason)

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

    @_guarded
    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:  # noqa: ARG002
        """Look at the rates of a step: two attributes, nothing is read from a device."""
        self.recording.optimizer_steps(optimizer)

    @_guarded
    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Add the loss of a batch to the sum, on its device."""
        self.recording.add_step(trainer, pl_module, outputs)

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
