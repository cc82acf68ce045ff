"""What one callback records of one model: its trainings, tests, predictions, files.

A callback may meet several models, also at once: in turns, nested, or in threads. Each has a recording of its own, so
that nothing of one model is taken for another's. A recording never holds its model, which would keep it alive.
"""

from __future__ import annotations

import functools
import weakref
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnprov.capture.file_hash import FileState, file_state
from dnnprov.integrations.call_stack import how_left, is_on_a_stack
from dnnprov.integrations.keras.data import loader_filters, record_data
from dnnprov.integrations.keras.file_watch import files_read_into, watch_files
from dnnprov.integrations.keras.filters import filter_rows
from dnnprov.integrations.keras.hyperparameters import fit_values, hyperparameters, model_values
from dnnprov.integrations.keras.layers import layer_rows
from dnnprov.integrations.keras.optimizer_watch import OptimizerWatch
from dnnprov.integrations.keras.optimizers import optimizer_values, papers_names, trained_rates
from dnnprov.integrations.keras.probes import batch_callbacks, find_batch_size, find_fit_arguments
from dnnprov.integrations.keras.techniques import technique_in_epoch, technique_of_callback
from dnnprov.integrations.metric_names import with_canonical_names
from dnnprov.integrations.training_steps import TrainingSteps

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.run_choice import RunChoice
    from dnnprov.integrations.technique import Technique
    from dnnprov.model.events import RunStatus


class _SharedNames(Mapping[str, Any]):
    """Values that may still change, under the names that every framework shares and under their own."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return with_canonical_names(self._values)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(with_canonical_names(self._values))

    def __len__(self) -> int:
        return len(with_canonical_names(self._values))


class ModelRecording:
    """Hands what happens to one model to the steps of its trainings.

    Its methods may raise: who calls them wraps the call in `steps.guarded`.

    Args:
        choice: the run to record into.
        after: tasks whose results a training uses.

    Attributes:
        steps: of its trainings.
        is_begun_by_probe: whether the probe before all callbacks has begun the training.
    """

    def __init__(self, choice: RunChoice, after: RunTask | Iterable[RunTask] | None = None) -> None:
        self.steps = TrainingSteps(choice, after)
        self.is_begun_by_probe = False
        self._optimizers = OptimizerWatch(self.steps)
        self._unbuilt: weakref.ref[Any] | None = None
        self._fit_list: weakref.ref[Any] | None = None
        self._list_to_begin: weakref.ref[Any] | None = None
        self._is_in_loop = False
        self._run: Run | None = None
        self._used_by: weakref.WeakKeyDictionary[Run | RunTask, set[int]] = weakref.WeakKeyDictionary()
        self._written: dict[Path, tuple[FileState, set[str]]] = {}

    def is_to_begin(self, callback_list: Any | None) -> None:
        """The `fit` of this list is about to begin a training."""
        self._list_to_begin = None if callback_list is None else weakref.ref(callback_list)

    def begin_training(
        self,
        model: Any,
        callback_list: Any | None,
        num_epochs: int | None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin a Training task for a `fit`; a value that cannot be read costs that value, not the task.

        Args:
            model: that trains.
            callback_list: of the `fit`.
            num_epochs: that are asked for.
            arguments: of the `fit`; those of the one on the stack where they are left out.
        """
        parameters: dict[str, Any] = {}
        on_what: dict[str, Any] = {}
        first_only: dict[str, Any] = {} if num_epochs is None else {"num_epochs": num_epochs}
        arguments = arguments or {}
        with self.steps.guarded("keras hyperparameters"):
            parameters = hyperparameters(model, arguments.get("batch_size") or find_batch_size())
        with self.steps.guarded("keras fit arguments"):
            arguments = arguments or find_fit_arguments()
            how, on_what = fit_values(arguments)
            parameters.update(how)
            first_only.update(on_what)
        self._begin(model, model, parameters, first_only, arguments.get("x"))
        if self.steps.training is not None:
            with self.steps.guarded("keras data"):
                record_data(self.steps.training, arguments, on_what.get("num_samples"))
        if callback_list is not None:
            self._fit_list, self._list_to_begin = weakref.ref(callback_list), None
            self.steps.end_with(callback_list)

    def begin_loop(self, model: Any, optimized: Any, stated: Mapping[str, Any]) -> None:
        """Begin a Training task for a loop of the user's.

        Args:
            model: that trains.
            optimized: what has the optimizer: the model where it was compiled with it.
            stated: hyperparameters that the user states; they win over what is read.
        """
        parameters: dict[str, Any] = {}
        with self.steps.guarded("keras hyperparameters"):
            parameters = hyperparameters(model, None)
            parameters.update(optimizer_values(optimized))
        self._begin(model, optimized, {**parameters, **stated}, {}, None)
        self._is_in_loop = True
        self.steps.start_clock()

    def end_loop(self, status: RunStatus, reason: str | None) -> None:
        """The loop was left, in whatever way."""
        self._is_in_loop = False
        self.steps.end_training(status, reason)

    def _begin(
        self, model: Any, optimized: Any, parameters: dict[str, Any], first_only: dict[str, Any], data: Any
    ) -> None:
        with self.steps.guarded("keras learning rate"):
            rates, going_on = self._optimizers.begin(optimized)
            parameters = {**rates, **parameters}
            first_only = {**going_on, **first_only}
        first_only = {**papers_names(parameters), **first_only}
        self.settle()
        self._fit_list = None
        self.steps.begin_training(
            parameters,
            model,
            functools.partial(layer_rows, model) if model.built else None,
            first_only,
            lambda: [*loader_filters(data), *filter_rows(model)],
        )
        self._unbuilt = None if model.built else weakref.ref(model)
        self._optimizers.see(optimized)
        self._watch_files(model, self.steps.training)

    def begin_epoch(self, model: Any, epoch: int) -> None:
        """An epoch begins, counted from 1; what was changed until now it trains with."""
        self.steps.begin_epoch(epoch)
        self._optimizers.see(model)

    def close_epoch(self, model: Any) -> None:
        """The epoch has trained and validated; who changed a value in it is not known for certain."""
        if self._unbuilt is not None and (built := self._unbuilt()) is not None:  # TensorFlow builds at the first step
            self._unbuilt = None
            self.steps.describe(functools.partial(layer_rows, built), functools.partial(model_values, built))
        self._optimizers.close_epoch(model, self._technique_in_epoch)
        self.steps.close_epoch()

    def tell_epoch(self, model: Any, epoch: int, logs: Mapping[str, Any]) -> None:
        """The epoch has trained, and is validated from now on: its row as far as it is known."""
        self.steps.tell_epoch(epoch, with_canonical_names({**logs, **trained_rates(model)}))

    def owe_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """The epoch's row comes when callbacks before ours are done with `logs`, or one of them has raised."""
        told = ChainMap(self._optimizers.epoch_rates, logs)  # type: ignore[arg-type] # only read
        self.steps.owe_epoch(epoch, _SharedNames(told))

    def end_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Record the epoch's row, with the rate that its last step trained with."""
        self.steps.end_epoch(epoch, with_canonical_names({**logs, **self._optimizers.epoch_rates}))

    def end_training(self) -> None:
        """The `fit` came to its end."""
        self.steps.end_training()
        self._fit_list = None

    def saw_callback(self, model: Any, callback: Any, hook: str, epoch: int | None, logs: Mapping[str, Any]) -> None:
        """A callback has just run a hook: what is changed now was changed by it."""
        ended = epoch if hook == "on_epoch_end" else None
        initial_rate = self._optimizers.initial_rate
        self._optimizers.see(model, lambda: technique_of_callback(callback, initial_rate, ended, logs))

    def begin_testing(self, model: Any) -> None:
        """Begin a Testing task with the files that the model came from, where it has not been trained since."""
        self._watch_files(model, self.steps.begin_testing())

    def begin_prediction(self, model: Any) -> None:
        """Begin to count a prediction."""
        self._watch_files(model, self.steps.begin_prediction())

    def callback_list(self) -> Any | None:
        """The list of the `fit` under way."""
        return None if self._fit_list is None else self._fit_list()

    def is_at_work(self) -> bool:
        """Whether it is in a loop, or its `fit` is on the stack of any thread now, and not just left without a word."""
        trains = self._fit_list if self.steps.is_training else None
        lists = [held() for held in (trains, self._list_to_begin) if held is not None]
        return self._is_in_loop or any(one is not None and is_on_a_stack(one) for one in lists)

    def settle(self) -> None:
        """End a training whose `fit` was left, as it was left, as far as that can be known."""
        if self.steps.is_training:
            self.steps.abandon_training(*how_left(self.callback_list()))

    def add_file(self, path: str | os.PathLike[str], role: str) -> None:
        """Record a file that the user names, unless it was seen when it was written."""
        place = Path(path).absolute()
        if place in self._written:
            state, roles = self._written[place]
            if (role in roles or role == "model") and file_state(place) == state:
                return
        self.steps.add_file(path, role)

    def file_run(self) -> Run | None:
        """The run of the last task of this model, while it is open."""
        return self._run if self._run is not None and self._run.status == "running" else None

    def file_written(self, path: Path, role: str, writer: str) -> None:
        """Record that the model was written: the file, and a row of oCheckpoint that says after which epoch."""
        with self.steps.guarded("keras file"):
            self._note_written(path, role)
            training, place = self.steps.training, str(Path(path).absolute())
            if training is not None and training.run is self._run:
                training.generates_file(place, role)
                row = {"path": place, "written_by": writer, "role": role}
                training.generates("oCheckpoint", **{"epoch": self.steps.last_epoch, **row})
            elif self._run is not None:
                self._run.add_file(place, role)

    def files_read(self, model: Any) -> None:
        """Record at once what a model reads while it trains, as BackupAndRestore does."""
        with self.steps.guarded("keras file"):
            training = self.steps.training
            if training is not None and training.status == "running" and self.is_at_work():
                self._use_files(model, training)

    def _watch_files(self, model: Any, task: RunTask | None) -> None:
        with self.steps.guarded("keras files"):
            if task is not None:
                is_watching = self._run is task.run and task is not self.steps.training
                self._run = task.run
                self._use_files(model, task)
                if not is_watching:
                    watch_files(model, self)

    def _use_files(self, model: Any, task: RunTask) -> None:
        """Record the files that a model came from; those it has trained with in this run are behind that training."""
        trained_with = self._used_by.setdefault(task.run, set())
        used = trained_with if task is self.steps.training else self._used_by.setdefault(task, set())
        for file in files_read_into(model):
            if file.number not in trained_with and file.number not in used:
                used.add(file.number)
                file.record(task)

    def _note_written(self, path: Path, role: str) -> None:
        place = Path(path).absolute()
        state = file_state(place)
        known, roles = self._written.get(place, (state, set()))
        self._written[place] = state, {role} | (roles if known == state else set())

    def _technique_in_epoch(self) -> Technique:
        return technique_in_epoch(batch_callbacks(self.callback_list()), self._optimizers.initial_rate)
