"""What one callback records of the trainings and tests of a Trainer.

After the end of an epoch the Trainer still logs, evaluates and saves for it. So the row of an epoch, written when it
has trained, is amended until something else comes: a checkpoint, the next epoch, the end of the training, or an
exception.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnprov.capture.run_task import end_of_block
from dnnprov.integrations.metric_names import canonical_name, with_canonical_names
from dnnprov.integrations.torch.data import record_data
from dnnprov.integrations.torch.layers import layer_rows
from dnnprov.integrations.trainer_optimizers import TrainerOptimizers
from dnnprov.integrations.training_steps import TrainingSteps
from dnnprov.integrations.transformers.endings import (
    schedule_technique,
    step_schedulers,
    technique_after_epoch,
    why_ended,
)
from dnnprov.integrations.transformers.epoch_logs import EpochLogs, is_of_whole_training
from dnnprov.integrations.transformers.filters import preprocessing_rows
from dnnprov.integrations.transformers.hyperparameters import schedule_name, training_values
from dnnprov.integrations.transformers.saved_models import checkpoint_folder, weight_files
from dnnprov.integrations.transformers.trainer_frames import find_in_loop, find_trainer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.run_choice import RunChoice

RUNTIME = "_runtime"
_OF_EVALUATION = "eval"
"""What begins the names of metrics, unless the script says otherwise."""


class TrainerRecording:
    """Hands what happens in a Trainer to the steps of its trainings.

    Its methods may raise: who calls them wraps the call in `steps.guarded`. It holds neither Trainer nor model.

    Args:
        choice: the run to record into.
        after: tasks whose results a training uses.

    Attributes:
        steps: of its trainings.
    """

    def __init__(self, choice: RunChoice, after: RunTask | Iterable[RunTask] | None = None) -> None:
        self.steps = TrainingSteps(choice, after)
        self._optimizers = TrainerOptimizers(self.steps)
        self._logs = EpochLogs()
        self._evaluated: dict[str, Any] = {}
        self._schedule: str | None = None
        self._is_open = False
        self._has_validated = False

    def begin_training(self, arguments: Any, state: Any, given: Mapping[str, Any]) -> None:
        """A `train` has its data and its optimizer; a value that cannot be read costs that value, not the task.

        Args:
            arguments: TrainingArguments.
            state: TrainerState.
            given: what a callback is given by name: model, optimizer, train_dataloader.
        """
        model, optimizer = given.get("model"), given.get("optimizer")
        loader = given.get("train_dataloader")
        how: dict[str, Any] = {}
        length: dict[str, Any] = {}
        others: dict[str, Any] = {}
        with self.steps.guarded("transformers optimizer"):
            within = step_schedulers(given.get("lr_scheduler"))
            how, others = self._optimizers.begin([] if optimizer is None else [optimizer], within)
        with self.steps.guarded("transformers hyperparameters"):
            scheduler, trainer = given.get("lr_scheduler"), find_trainer()
            is_given = scheduler is not None and not getattr(trainer, "_created_lr_scheduler", True)
            self._schedule = None if is_given else schedule_name(arguments)
            how, length = training_values(arguments, state, model, loader, how, scheduler, is_given=is_given)
        self._is_open = self._has_validated = False
        layers = None if model is None else functools.partial(layer_rows, [model])
        dataset = getattr(loader, "dataset", None)
        collator = getattr(find_trainer(), "data_collator", None)
        filters = functools.partial(preprocessing_rows, dataset, given.get("processing_class"), collator)
        self.steps.begin_training(how, model, layers, {**others, **length}, filters)
        training = self.steps.training
        if training is not None:
            training.run.expect_own_end(None)
            if dataset is not None:
                with self.steps.guarded("transformers data"):
                    record_data(training, loader)
            self._use_files(training, model)

    def begin_epoch(self, arguments: Any, state: Any, given: Mapping[str, Any]) -> None:
        """An epoch begins; what was changed until now it trains with."""
        self.settle_epoch()
        scheduler = given.get("lr_scheduler")
        technique = functools.partial(technique_after_epoch, arguments, scheduler, self._evaluated)
        self._optimizers.see(technique, is_scheduled=bool(step_schedulers(scheduler)))
        self.steps.begin_epoch(int((state.epoch or 0) + 1e-6) + 1)
        self._evaluated = {}
        self._logs.begin(find_trainer(), state.global_step)
        self._is_open = True

    def close_epoch(self, arguments: Any, state: Any, given: Mapping[str, Any]) -> None:  # noqa: ARG002 - as the others
        """The epoch has trained; logs and an evaluation may still come for it."""
        scheduler = given.get("lr_scheduler")
        technique = functools.partial(schedule_technique, scheduler, self._schedule)
        self._logs.close(find_trainer(), state.global_step)
        self._optimizers.close_epoch(step_schedulers(scheduler), [], technique)
        self._is_open = False
        self._owe()

    def take_logs(self, state: Any, logs: Mapping[str, Any]) -> None:
        """The Trainer logged: within an epoch into series, at the end of one into its row."""
        run, values = self.steps.run, {name: value for name, value in logs.items() if name != "epoch"}
        if run is None or not self.steps.is_training or _is_of_evaluation(logs):
            return
        if is_of_whole_training(logs):
            self.settle_epoch()
            if self.steps.training is not None:
                self.steps.training.generates("oTrainingSummary", **values)
        elif self._is_open:
            run.log(**{**values, "step": state.global_step, "epoch": self.steps.last_epoch})
            self._logs.take(values)
        else:
            self._logs.take(values)
            self._owe()

    def evaluated(self, state: Any, metrics: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        """An evaluation gave this: within a training a part of it, else a task."""
        prefix = _prefix(metrics)
        if not self.steps.is_training:
            tag = "Validation" if prefix == _OF_EVALUATION and self._has_validated else "Testing"
            self._tested(tag, metrics, given)
            return
        self._has_validated = self._has_validated or prefix == _OF_EVALUATION
        self._evaluated = {name: value for name, value in metrics.items() if name != "epoch"}
        self._logs.take(self._evaluated)
        run = self.steps.run
        if self._is_open and run is not None:
            own = {"step": state.global_step, "epoch": self.steps.last_epoch}
            run.log(**{**with_canonical_names(self._evaluated), **own})
        elif not self._is_open:
            self._owe()

    def predicted(self, metrics: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        """A `predict` gave this: a test, where there were labels to compare with."""
        if any(canonical_name(name) in {"loss", "accuracy"} or not _is_of_speed(name) for name in metrics):
            self._tested("Testing", metrics, given)
        else:
            self.steps.begin_prediction()
            self.steps.end_prediction(_counts(given), _seconds(metrics))

    def settle_epoch(self) -> None:
        """Whatever comes next, the epoch is over, and its row done."""
        self.steps.settle_owed()

    def saved(self, arguments: Any, state: Any) -> None:
        """A checkpoint was written; of several ranks the first tells it."""
        self.settle_epoch()
        folder = checkpoint_folder(arguments.output_dir, state.global_step)
        training = self.steps.training
        if folder is None or training is None or not state.is_world_process_zero:
            return
        for file in weight_files(folder):
            training.generates_file(file, "checkpoint")
        row = {"epoch": self.steps.last_epoch, "step": state.global_step, "path": str(folder)}
        training.generates("oCheckpoint", **row, role="checkpoint", written_by="Trainer")

    def model_saved(self, folder: str) -> None:
        """The script saved the model."""
        for file in weight_files(folder):
            self.steps.add_file(file, "model")

    def end_training(self, arguments: Any, state: Any, control: Any) -> None:
        """The `train` came to its end; why, if before its last step, is why the run ended."""
        self.settle_epoch()
        self._optimizers.end()
        trainer, training = find_trainer(), self.steps.training
        callbacks = [] if trainer is None else list(trainer.callback_handler.callbacks)
        reason = why_ended(arguments, state, control, callbacks)
        if training is not None:
            self._record_best(arguments, state, training)
            if reason is not None:
                training.run.expect_own_end("finished", reason)
        self.steps.end_training("finished", reason)

    def fail(self, error: BaseException) -> None:
        """An exception left the training."""
        if self.steps.is_training:
            self.settle_epoch()
            self._optimizers.end()
            status, reason = end_of_block(error)
            self.steps.abandon_training(status, reason or type(error).__name__)

    def _owe(self) -> None:
        if self.steps.last_epoch is not None:
            self.steps.owe_epoch(self.steps.last_epoch, {**self._logs.row(), **self._optimizers.epoch_rates})

    def _tested(self, tag: str, metrics: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        own = {name: value for name, value in metrics.items() if name != "epoch"}
        prefix = _prefix(metrics)
        bare = {canonical_name(name.removeprefix(f"{prefix}_")): value for name, value in own.items()}
        named = {name: value for name, value in bare.items() if not _is_of_speed(f"_{name}")}
        self.steps.begin_testing(tag)
        self.steps.end_testing({**named, **own}, _counts(given), _seconds(metrics))

    def _record_best(self, arguments: Any, state: Any, training: RunTask) -> None:
        if not state.best_model_checkpoint or not state.is_world_process_zero:
            return
        folder = Path(state.best_model_checkpoint).absolute()
        for file in weight_files(folder):
            training.generates_file(file, "best")
        monitor = {"monitor": arguments.metric_for_best_model, "score": state.best_metric}
        training.generates("oCheckpoint", path=str(folder), role="best", written_by="Trainer", **monitor)

    def _use_files(self, training: RunTask, model: Any) -> None:
        resumed = find_in_loop("resume_from_checkpoint")
        with self.steps.guarded("transformers files"):
            loaded = getattr(getattr(model, "config", None), "_name_or_path", None)
            for folder, role in ((resumed, "checkpoint"), (None if resumed else loaded, "model")):
                for file in weight_files(folder) if folder else []:
                    training.uses_file(file, role)


def _prefix(metrics: Mapping[str, Any]) -> str:
    """What the names of metrics of an evaluation begin with."""
    return next((name.removesuffix(RUNTIME) for name in metrics if name.endswith(RUNTIME)), _OF_EVALUATION)


def _is_of_evaluation(logs: Mapping[str, Any]) -> bool:
    return _prefix(logs) != "train" and any(name.endswith(RUNTIME) for name in logs)


def _is_of_speed(name: str) -> bool:
    return name.endswith((RUNTIME, "_per_second", "_preparation_time", "_jit_compilation_time")) or name == "epoch"


def _seconds(metrics: Mapping[str, Any]) -> float | None:
    return metrics.get(f"{_prefix(metrics)}{RUNTIME}")


def _counts(given: Mapping[str, Any]) -> dict[str, Any]:
    loader = given.get("eval_dataloader")
    with suppress(Exception):  # a stream has no length
        return {"num_samples": len(loader.dataset), "num_batches": len(loader)}  # type: ignore[union-attr,arg-type]
    return {}
