"""What one callback records of the trainings and tests of a Trainer.

The row of an epoch is written when it has trained, before its validation, with what is known then. Lightning logs for
an epoch until the hooks of the module and of all callbacks are through, and moves a scheduler that waits for a metric
after that. So the row is amended until something else comes: a checkpoint, the next epoch, the end of the training, or
an exception.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.lightning.checkpoints import best_rows, written_row
from dnnprov.integrations.lightning.endings import (
    all_schedulers,
    how_left,
    schedulers,
    technique_after_epoch,
    why_ended,
)
from dnnprov.integrations.lightning.epoch_metrics import EpochMetrics
from dnnprov.integrations.lightning.hyperparameters import training_values
from dnnprov.integrations.metric_names import canonical_name, with_canonical_names
from dnnprov.integrations.technique import Technique
from dnnprov.integrations.torch.data import record_data
from dnnprov.integrations.torch.files import note_written, use_files
from dnnprov.integrations.torch.layers import layer_rows
from dnnprov.integrations.torch.losses import function_of
from dnnprov.integrations.torch.transforms import filter_rows
from dnnprov.integrations.trainer_optimizers import TrainerOptimizers
from dnnprov.integrations.trainer_values import data_counts, first_loader
from dnnprov.integrations.training_steps import TrainingSteps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.run_choice import RunChoice


class TrainerRecording:
    """Hands what happens in a Trainer to the steps of its trainings.

    Its methods may raise: who calls them wraps the call in `steps.guarded`. It holds neither Trainer nor module.

    Args:
        choice: the run to record into.
        after: tasks whose results a training uses.

    Attributes:
        steps: of its trainings.
        metrics: of the epoch under way.
        is_loss_named: whether the name of the loss function is known, or not asked for.
    """

    def __init__(self, choice: RunChoice, after: RunTask | Iterable[RunTask] | None = None) -> None:
        self.steps = TrainingSteps(choice, after)
        self._optimizers = TrainerOptimizers(self.steps)
        self.metrics = EpochMetrics()
        self._validation = EpochMetrics()
        self.is_loss_named = True
        self._owed: int | None = None
        self._validated: dict[str, Any] = {}

    def begin_training(self, trainer: Any, module: Any) -> None:
        """A `fit` has its data and its optimizers; a value that cannot be read costs that value, not the task."""
        how: dict[str, Any] = {}
        length: dict[str, Any] = {}
        others: dict[str, Any] = {}
        with self.steps.guarded("lightning optimizers"):
            by_hand = [] if module.automatic_optimization else all_schedulers(trainer)
            how, others = self._optimizers.begin(trainer.optimizers, schedulers(trainer, "step"), by_hand)
        with self.steps.guarded("lightning hyperparameters"):
            how, length = training_values(trainer, module, how)
        self._owed = None
        loader = first_loader(trainer.train_dataloader)
        dataset = getattr(loader, "dataset", None)
        filters = list if dataset is None else functools.partial(filter_rows, dataset)
        self.steps.begin_training(how, module, functools.partial(layer_rows, [module]), {**others, **length}, filters)
        training = self.steps.training
        self.is_loss_named = training is None or "loss_function" in how
        if training is not None:
            training.run.expect_own_end(None)
            if dataset is not None:
                with self.steps.guarded("lightning data"):
                    record_data(training, loader)
            self._use_files(trainer, training)

    def begin_epoch(self, trainer: Any) -> None:
        """An epoch begins; what was changed until now it trains with."""
        self.settle_epoch(trainer)
        is_scheduled = bool(schedulers(trainer, "step"))
        self._optimizers.see(lambda: technique_after_epoch(trainer), is_scheduled=is_scheduled)
        self.steps.begin_epoch(trainer.current_epoch + 1)
        self._validated = {}
        self.metrics.begin(trainer.callback_metrics)

    def goes_backward(self, loss: Any) -> None:
        """The first loss of a training tells its function, where the module holds none as a part."""
        if self.steps.run is not None:
            self.is_loss_named = True
            name = function_of(loss)
            if name is not None:
                self.steps.run.fill_params({"loss_function": name})

    def begin_validation(self, trainer: Any) -> None:
        """The training validates, behind the last batch of an epoch or before."""
        self._validation.begin(trainer.callback_metrics)
        self._tell_trained(trainer)

    def end_validation(self, trainer: Any) -> None:
        """The training has validated: at the end of an epoch for its row, else as series too."""
        found = with_canonical_names(self._validation.logged(trainer.callback_metrics))
        self._validated = found
        run = self.steps.run
        if run is not None and found and trainer.val_check_batch != trainer.num_training_batches:
            run.log(step=int(trainer.global_step), epoch=trainer.current_epoch + 1, **found)
        self._tell_trained(trainer)

    def close_epoch(self, trainer: Any) -> None:
        """The epoch has trained and validated, and schedulers of epochs have acted; its row is still to come."""
        self._see_accumulation(trainer)
        self._count_parts(trainer)
        within, behind = schedulers(trainer, "step"), schedulers(trainer, "epoch")
        self._optimizers.close_epoch(within, behind)
        self._owed = trainer.current_epoch + 1
        self.steps.owe_epoch(self._owed, self._row(trainer))

    def settle_epoch(self, trainer: Any) -> None:
        """Whatever comes next, the epoch is over, and its row done."""
        if self._owed is None:
            return
        epoch, self._owed = self._owed, None
        with self.steps.guarded("lightning metrics"):
            self.steps.owe_epoch(epoch, self._row(trainer))
        self.steps.settle_owed()

    def end_training(self, trainer: Any) -> None:
        """The `fit` came to its end; why, if before it was done, is why the run ended."""
        self.settle_epoch(trainer)
        self._optimizers.end()
        training, reason = self.steps.training, why_ended(trainer)
        if training is not None:
            for row in best_rows(trainer):
                training.generates_file(row["path"], "best")
                training.generates("oCheckpoint", **row)
            if reason is not None:
                training.run.expect_own_end("finished", reason)
        self.steps.end_training("finished", reason)

    def fail(self, trainer: Any, error: BaseException) -> None:
        """An exception left whatever was under way."""
        self.settle_epoch(trainer)
        self._optimizers.end()
        status, reason = how_left(error)
        self.steps.abandon_training(status, reason or type(error).__name__)
        self.steps.abandon_testing(status, reason)

    def begin_testing(self, trainer: Any, tag: str) -> None:
        """A `test` or a `validate` begins."""
        self._validation.begin(trainer.callback_metrics)
        self._use_files(trainer, self.steps.begin_testing(tag))

    def end_testing(self, trainer: Any) -> None:
        """A `test` or a `validate` has its metrics."""
        is_test = trainer.state.fn == "test"
        loaders = trainer.test_dataloaders if is_test else trainer.val_dataloaders
        counts = data_counts(loaders, trainer.num_test_batches if is_test else trainer.num_val_batches)
        found = self._validation.logged(trainer.callback_metrics)
        bare = {canonical_name(name).removeprefix("val_"): value for name, value in found.items()}
        self.steps.end_testing({**bare, **found}, counts)

    def begin_prediction(self, trainer: Any) -> None:
        """A `predict` begins."""
        self._use_files(trainer, self.steps.begin_prediction())

    def end_prediction(self, trainer: Any) -> None:
        """A `predict` is through."""
        self.steps.end_prediction(data_counts(trainer.predict_dataloaders, trainer.num_predict_batches))

    def file_written(self, trainer: Any, path: Any, writer: Any) -> None:
        """A checkpoint was written; of several ranks the first tells it."""
        self.settle_epoch(trainer)
        place = Path(path).absolute()
        if not trainer.is_global_zero or not place.exists():
            return
        self.steps.add_file(place, "checkpoint")
        if self.steps.run is not None:
            note_written(self.steps.run, place)
        if self.steps.training is not None:
            row = {"epoch": self.steps.last_epoch, "path": str(place), **written_row(trainer, writer)}
            self.steps.training.generates("oCheckpoint", **row)

    def _tell_trained(self, trainer: Any) -> None:
        """Where the epoch has trained: write its row with what does not change any more."""
        if trainer.is_last_batch:
            with self.steps.guarded("lightning epoch"):
                self._count_parts(trainer)
                row = {**self.metrics.trained(), **self._validated, **self._optimizers.trained_rates()}
                self.steps.tell_epoch(trainer.current_epoch + 1, row)

    def _count_parts(self, trainer: Any) -> None:
        is_automatic = trainer.lightning_module.automatic_optimization
        self.metrics.num_parts = trainer.accumulate_grad_batches if is_automatic else 1

    def _row(self, trainer: Any) -> dict[str, Any]:
        return {**self.metrics.row(trainer.callback_metrics), **self._validated, **self._optimizers.epoch_rates}

    def _see_accumulation(self, trainer: Any) -> None:
        scheduler = next((one for one in trainer.callbacks if hasattr(one, "going_to_accumulate_grad_batches")), None)
        technique = Technique() if scheduler is None else Technique(type(scheduler).__name__, agent="callback")
        self.steps.see({"accumulate_grad_batches": trainer.accumulate_grad_batches}, lambda: technique)

    def _use_files(self, trainer: Any, task: RunTask) -> None:
        """The checkpoint that the Trainer was given, and what the module was loaded from before."""
        path = trainer.ckpt_path
        if path and Path(path).exists():
            task.uses_file(path, "checkpoint")
        with self.steps.guarded("lightning files"):
            use_files(task, [trainer.lightning_module])
