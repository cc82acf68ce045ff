"""One training in a plain loop: its optimizers, its epochs, what was evaluated after each, and the row of each.

An epoch is a pass over the training's loader in which an optimizer steps. Its row is written at the end of the pass,
and amended by what comes behind that: evaluations, and what the user logs. It is done when the next epoch begins, at
the end of the training, or as soon as all has come that came behind the epoch before.
"""

from __future__ import annotations

import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from dnnprov.integrations.torch.passes import Evaluation, Pass
    from dnnprov.integrations.torch.trained_optimizer import TrainedOptimizer
    from dnnprov.integrations.training_steps import TrainingSteps
    from dnnprov.model.events import RunStatus

WINDOW = 100
"""Steps that are summed up in one value, where no loader tells epochs apart; of long trainings a hundredth of them."""


@dataclass(frozen=True, slots=True)
class HotStep:
    """All that a step needs which is neither the first of its optimizer nor of its pass.

    Attributes:
        training: that it belongs to.
        trained: the optimizer that makes it.
        current: the pass that it is in, as long as the training's epoch is over that.
        is_first: whether that is the first of the training, whose steps count.
        see: is told values that may have changed.
    """

    training: LoopTraining
    trained: TrainedOptimizer
    current: Pass
    is_first: bool
    see: Callable[[TrainedOptimizer, Mapping[str, Any]], None]


class LoopTraining:
    """Counts the epochs of one training and records each.

    Its methods may raise: who calls them wraps the call in `steps.guarded`.

    Args:
        steps: to record with; its Training task has begun.
        models: that are trained.

    Attributes:
        steps: as given.
        open_pass: the pass that the epoch under way is over; `None` between epochs, and without a loader.
        num_steps: of its first optimizer.
        is_over: whether it was ended.
    """

    def __init__(self, steps: TrainingSteps, models: list[Any]) -> None:
        self.steps = steps
        self.open_pass: Pass | None = None
        self.num_steps = 0
        self.is_over = False
        self._task = steps.training
        self._models = [weakref.ref(model) for model in models]
        self._optimizers: list[TrainedOptimizer] = []
        self._number, self._shift = 0, 0
        self._is_under_way = False
        self._began = self._elapsed = self._left_at = 0.0
        self._owed: dict[str, Any] | None = None
        self._metrics: dict[str, Any] = {}
        self._window: dict[str, Any] = {}
        self._held: list[Evaluation] = []
        self._was_followed_by: tuple[int, bool] | None = None
        self._validation: weakref.WeakSet[Any] = weakref.WeakSet()
        self._tested: weakref.ref[Any] | None = None  # the loader of the first test behind the last row
        self._loaders: weakref.WeakSet[Any] = weakref.WeakSet()  # that it is fed from
        self._num_drawn = 0

    @property
    def epoch(self) -> int | None:
        """The number of the last epoch; `None` before the first."""
        return self._number + self._shift if self._number else None

    def models(self) -> list[Any]:
        """Those that are alive."""
        return [model for reference in self._models if (model := reference()) is not None]

    def goes_on(self) -> bool:
        """Whether a step that is made now belongs to it: its run is open, and no other one encloses the step."""
        return not self.is_over and self._task is not None and self.steps.choice.goes_on_in(self._task.run)

    def is_open(self) -> bool:
        """Whether something may still be recorded of it: its model is there, and its run goes on."""
        return bool(self._models and self.models()) and self._task is not None and self._task.run.status == "running"

    def optimizers(self) -> list[TrainedOptimizer]:
        """In the order in which they stepped first."""
        return self._optimizers

    def join(self, optimizer: TrainedOptimizer, models: list[Any]) -> None:
        """One more optimizer takes part, with the models that it trains."""
        self._optimizers.append(optimizer)
        known = self.models()
        self._models += [weakref.ref(one) for one in models if not any(one is other for other in known)]

    def hot_step(self, trained: TrainedOptimizer, current: Pass) -> HotStep:
        """What the next steps of an optimizer in the open pass need."""
        return HotStep(self, trained, current, trained is self._optimizers[0], self._see_change)

    def stepped(self, trained: TrainedOptimizer, optimizer: Any, losses: Collection[Any], current: Pass | None) -> None:
        """An optimizer has made a step, in this pass if in any."""
        self._close_left()
        if not self._is_under_way or (current is not self.open_pass and current is not None):
            self._begin_epoch(current)
        trained.step(optimizer, losses, self._see_change)
        if trained is self._optimizers[0]:
            self.num_steps += 1
            if self.open_pass is None and self.num_steps % max(WINDOW, self.num_steps // WINDOW) == 0:
                self._close_window()

    def pass_begins(self, loader: Any) -> None:
        """A pass over a loader begins: where the training is fed from it, the epoch before has all that it gets."""
        if loader in self._loaders:
            self._close_left()
            if self._owed is not None:
                self._record_row()

    def evaluation_begins(self) -> None:
        """A pass without training begins: an epoch whose own pass was left early is over."""
        self._close_left()

    def drew(self, over: Pass) -> None:
        """A step was made with a batch that was drawn by itself, from a pass of its own: epochs are counted so."""
        loader = over.loader()
        if loader is not None:
            self._loaders.add(loader)
        self._num_drawn += over.num_batches
        if over.length is not None and self._num_drawn >= over.length and self._is_under_way:
            self._num_drawn = 0
            self._close_epoch()

    def pass_ends(self, over: Pass) -> None:
        """The pass of the epoch is over; one that is left early ends the epoch when anything follows but an error."""
        if over is self.open_pass:
            self._left_at = time.perf_counter()
            if over.is_whole:
                self._close_epoch()

    def evaluated(self, evaluation: Evaluation) -> None:
        """A model of this training was evaluated on a loader."""
        self._close_left()
        if self.is_over or (self._owed is None and not self._is_under_way):
            if evaluation.loader() not in self._loaders:
                self._tested = self._tested or evaluation.loader
                self._record_test(evaluation)
            return
        self._held.append(evaluation)
        if self._owed is not None:
            self._elapsed = time.perf_counter() - self._began
            if self._was_followed_by == (len(self._held), False):
                self._record_row()
            else:
                self._tell_row()

    def log_epoch(self, epoch: float | None, metrics: Mapping[str, Any]) -> bool:
        """Take metrics that the user logs for the epoch behind it; whether this training is the one to take them."""
        if self.is_over:
            return False
        if self._is_under_way:
            self._close_epoch()
        if epoch is not None and float(epoch).is_integer():
            self._shift = int(epoch) - self._number
        self._owed = {**(self._owed or {}), **metrics}
        self._record_row(is_logged=True)
        return True

    def close(self, status: RunStatus = "finished", reason: str | None = None) -> None:
        """The training is over: record what waits, and end its task; a second call does nothing."""
        if self.is_over:
            return
        self.settle()
        self.is_over = True
        if self.steps.training is self._task:
            self.steps.end_training(status, reason)

    def settle(self) -> None:
        """Record what waits, as at the end: a run that is finished ends the task itself, as it ends."""
        if self.is_over or self._task is None or self._task.run.is_elsewhere():
            return
        ending = self._task.run.ending
        if self._is_under_way and self.open_pass is not None and ending is not None and ending[0] != "finished":
            self._is_under_way = False  # an epoch that was left in its midst has no row
        if self._is_under_way:
            self._close_epoch()
        if self._owed is not None:
            self._record_row(is_end=True)

    def _begin_epoch(self, current: Pass | None) -> None:
        if self._is_under_way:
            self._close_epoch()
        if self._owed is not None:
            self._record_row()
        if not self._validation and (tested := self._tested and self._tested()) is not None:
            self._validation.add(tested)  # between two epochs: the loop validates, if only now and then
        self._tested = None
        self._number += 1
        self._window = {}
        self._is_under_way, self.open_pass = True, current
        self._began = time.perf_counter()
        if current is not None:
            self._began, current.training = current.began, self
            if (loader := current.loader()) is not None:
                self._loaders.add(loader)
        self.steps.begin_epoch(self._number + self._shift)
        for optimizer in self._optimizers:
            optimizer.begin_epoch()

    def _close_left(self) -> None:
        """Something follows: where the pass was left early, its epoch is over."""
        if self._is_under_way and self.open_pass is not None and self.open_pass.is_over:
            self._close_epoch()

    def _close_epoch(self) -> None:
        """The epoch has trained; what changes from now on is for the next one."""
        is_left = self.open_pass is not None and self.open_pass.is_over
        self._is_under_way, self.open_pass = False, None
        self._elapsed = (self._left_at if is_left else time.perf_counter()) - self._began
        self._owed = self._read_optimizers()
        self.steps.close_epoch()
        if self._was_followed_by == (0, False) and not self._held and not self._validation:
            self._record_row()
        else:
            self._tell_row()

    def _close_window(self) -> None:
        """Without a loader: record the loss of the last steps as a series, and what changed in them."""
        values = self._read_optimizers()
        losses = {name: value for name, value in values.items() if name.startswith("loss")}
        if losses and self._task is not None:
            self._task.run.log(step=self.num_steps, **losses)
        for optimizer in self._optimizers:
            optimizer.begin_epoch()
        self._window.update(losses)

    def _read_optimizers(self) -> dict[str, Any]:
        """Loss and rates of the steps since the last reading, which waits for the device."""
        found: dict[str, Any] = {}
        for optimizer in self._optimizers:
            loss = optimizer.loss.read()
            name = f"loss{optimizer.suffix}"
            if loss is None:
                loss = self._window.get(name)  # no step since the last window
            if loss is not None:
                found[name] = loss
            found.update(optimizer.close_epoch(self._see_change))
        return found

    def _see_change(self, optimizer: TrainedOptimizer, values: Mapping[str, Any]) -> None:
        self.steps.see(values, lambda: optimizer.technique(self._metrics))

    def _tell_row(self) -> None:
        """Write the row as far as it is known: whatever comes, it is not lost."""
        self.steps.tell_epoch(
            self._number + self._shift, {**self._evaluated_so_far(), **(self._owed or {})}, self._elapsed
        )

    def _evaluated_so_far(self) -> dict[str, Any]:
        """What the evaluations behind the epoch gave, of those that are its validations whatever comes."""
        found: dict[str, Any] = {}
        others = []
        for evaluation in self._held:
            loader = evaluation.loader()
            if loader in self._loaders:
                found.update(evaluation.metrics("train_"))
                continue
            others.append(loader)
            is_first = self._number == 1 and not self._validation and len(others) == 1
            if loader is not None and (is_first or loader in self._validation):
                found.update(evaluation.metrics("val_"))
        return found

    def _record_row(self, *, is_end: bool = False, is_logged: bool = False) -> None:
        """Record the epoch, with the evaluations behind it that are validations; the others are tests."""
        owed, held = self._owed or {}, self._held
        self._owed, self._held = None, []
        self._was_followed_by = (len(held), is_logged)
        tests, seen = [], {}
        for evaluation in held:
            if evaluation.loader() in self._loaders:
                seen.update(evaluation.metrics("train_"))
            elif self._is_validation(evaluation, is_end=is_end):
                seen.update(evaluation.metrics("val_"))
            else:
                tests.append(evaluation)
        owed = {**seen, **owed}
        self._metrics = dict(owed)
        self.steps.end_epoch(self._number + self._shift, owed, self._elapsed)
        for evaluation in tests:
            self._record_test(evaluation)

    def _is_validation(self, evaluation: Evaluation, *, is_end: bool) -> bool:
        """Whether an evaluation behind an epoch belongs to it: the loader that is evaluated first does, each time.

        At the end of a training of several epochs, none of which was evaluated, it is a test.
        """
        loader = evaluation.loader()
        if loader is None or loader in self._validation:
            return loader is not None
        if self._validation or (is_end and self._number > 1):
            return False
        self._validation.add(loader)
        return True

    def _record_test(self, evaluation: Evaluation) -> None:
        if evaluation.loss is None:
            return  # a result that nobody can see: the loop has it, and may log it
        self.steps.begin_testing()
        self.steps.end_testing(evaluation.metrics(""), evaluation.data(), evaluation.seconds)
