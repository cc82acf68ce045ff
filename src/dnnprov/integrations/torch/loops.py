"""The loops of one thread: which passes over loaders are open, which trainings go on, and what belongs to which.

A step of an optimizer that trains nothing yet begins a training. In a pass that another optimizer steps in already it
joins that one's training, as the two networks of a GAN do; in a pass of its own it is a training by itself, inside
the other where that one's pass is still open. Where there is no loader, one that steps soon after the first joins it.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import get_worker_info

from dnnprov.capture.current_runs import before_failure, told_errors
from dnnprov.integrations.claims import claimed_by
from dnnprov.integrations.torch.beginning import FirstStep, begin_training, join_training
from dnnprov.integrations.torch.living import (
    Living,
    find_living,
    find_models,
    find_optimizers,
    held_by_frames,
    unwrapped,
)
from dnnprov.integrations.torch.losses import function_of
from dnnprov.integrations.torch.passes import Pass, evaluation_of
from dnnprov.integrations.torch.recordings import ModelRecording, begin_recording, recording_of
from dnnprov.integrations.torch.trained_optimizer import TrainedOptimizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.integrations.run_choice import RunChoice
    from dnnprov.integrations.torch.training import HotStep, LoopTraining

MAX_OPTIMIZERS = 8
"""Of one training; a search that makes a new one in every step is not recorded as so many columns."""

MAX_STEPS_BEFORE_JOINING = 16
"""Of a training without a loader, after which another optimizer begins a training of its own."""

MAX_LOSSES = 1000
"""That wait for a step: where none ever comes, as in an attack on a model, the first are forgotten."""

_ONE_BY_ONE = 1
"""Batches of a pass that is left before a step: the loop draws its batches one by one, from a pass each."""

choice_of: list[Callable[[], RunChoice | None]] = []
"""Gives the run for a training that nobody named; the last one put here is asked."""


class Given:
    """What the user said of an optimizer, by `watch`."""

    def __init__(self, models: list[Any], schedulers: list[Any], recording: ModelRecording) -> None:
        self.models = [weakref.ref(one) for one in models]
        self.schedulers = [weakref.ref(one) for one in schedulers]
        self.recording = recording


given: weakref.WeakKeyDictionary[Any, Given] = weakref.WeakKeyDictionary()
"""Optimizer -> what `watch` was told of it."""


class Loop:
    """What goes on in one thread. Its methods may raise; the hooks keep that from the user's code.

    Attributes:
        latest: the training that made a step last.
        num_steps: of all optimizers.
        extras: hyperparameters of scaling and clipping that were seen since the last step.
        losses: that `backward` was called on since the last step, off their graphs.
        scaling: a scaled loss, weakly, and the loss that it was made from.
        is_evaluating: whether `eval` was called on a model, no step was made since, and the model is not known to be
            back in training mode: `train` is called for each module of a model, by some in every step.
        hot: by the address of an optimizer, what its next step in the same pass belongs to. What it is empty for takes
            the long way, which looks at everything; most steps of a training take the short one.
    """

    def __init__(self) -> None:
        self.latest: LoopTraining | None = None
        self.num_steps = 0
        self.extras: dict[str, Any] = {}
        self._passes: list[Pass] = []
        self._drawn: Pass | None = None
        self._left: Pass | None = None
        self._open: list[LoopTraining] = []
        self._trainings: weakref.WeakKeyDictionary[Any, tuple[LoopTraining, TrainedOptimizer] | None] = (
            weakref.WeakKeyDictionary()
        )
        self.losses: deque[Any] = deque(maxlen=MAX_LOSSES)
        self.hot: dict[int, HotStep] = {}
        self._function: str | None = None
        self._is_in_closure = False
        self.scaling: tuple[weakref.ref[Any], Any] | None = None
        self._criterions: dict[type, Any] = {}
        self._doubtful: dict[type, Any] = {}  # called beside a model in evaluation mode, as a teacher is
        self._evaluated: weakref.ref[Any] | None = None
        self.is_evaluating = False

    # Passes

    def begin_pass(self, loader: Any) -> Pass | None:
        """`iter(loader)` was called."""
        if claimed_by() is not None or get_worker_info() is not None:
            return None
        for one in [one for one in self._passes if one.loader() is loader]:
            self.end_pass(one)  # it was left early, and its iterator lives on
        self.hot = {}
        begun = Pass(loader)
        is_evaluation = self._is_evaluation()
        for training in self._going_on():
            if is_evaluation:
                training.evaluation_begins()
            else:
                training.pass_begins(loader)
        self._passes.append(begun)
        return begun

    def end_pass(self, over: Pass) -> None:
        """A pass came to its end, or its iterator went away before that."""
        if over.is_over:
            return
        self.hot = {}
        over.is_over = True
        self._passes = [one for one in self._passes if one is not over]
        if over.training is not None:
            over.training.pass_ends(over)
        elif self._is_evaluation():
            self._evaluate(over)
        else:
            self._left = over
            if over.num_batches == _ONE_BY_ONE:
                self._drawn = over

    def meet_left(self, error: BaseException) -> None:
        """An exception ends a run or the program: a training that it left before the first step begins, to have failed.

        That was one, where batches were drawn to train with and there are optimizers that never made a step. Of
        several, those are meant that the functions hold which the exception left.
        """
        left = self._passes[-1] if self._passes else self._left
        if left is None or left.training is not None or claimed_by() is not None or self._is_evaluation():
            return
        new = [one for one in find_optimizers() if one not in self._trainings]
        self._drawn = left
        for optimizer in held_by_frames(new, error) or new:
            if (known := self._meet(optimizer)) is not None:
                self.latest = known[0]
        self._drawn = None

    # Steps

    def went_back(self, loss: Any) -> None:
        """`backward` was called on a loss."""
        if self.scaling is not None and self.scaling[0]() is loss:
            loss, self.scaling = self.scaling[1], None
        if loss.numel() != 1 or (self._is_in_closure and self.losses):
            return
        if not self.losses and not self.hot:
            self._function = function_of(loss)
        self.losses.append(loss.detach())

    def zeroed(self, optimizer: Any) -> None:
        """Gradients were set to zero: what led to them is no part of the next step, where one optimizer makes it."""
        if not self.losses or self._is_in_closure:
            return
        known = self._trainings.get(optimizer)
        if known is None or (known[0] is self.latest and len(known[0].optimizers()) == 1):
            self.losses.clear()

    def begin_step(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """An optimizer is about to step; of a closure, which is called several times, the first loss counts."""
        if any(callable(one) for one in args) or callable(kwargs.get("closure")):
            self._is_in_closure, self.hot = True, {}
            self.losses.clear()

    def stepped(self, optimizer: Any) -> None:
        """An optimizer has made a step."""
        self.num_steps += 1
        self.is_evaluating = False
        hot = self.hot.get(id(optimizer))
        if hot is not None and hot.trained.reference() is optimizer and hot.training.open_pass is hot.current:
            self.latest = hot.training
            if hot.is_first:
                hot.training.num_steps += 1
            hot.trained.step(optimizer, self.losses, hot.see)
        else:
            self._step(optimizer)
        self.losses.clear()

    def _step(self, optimizer: Any) -> None:
        self._is_in_closure = False
        if claimed_by() is not None:
            return
        known = self._trainings.get(optimizer)
        if known is None or not known[0].goes_on():
            known = self._meet(optimizer)
        self._criterions, self._doubtful, self._left = {}, {}, None
        if known is None:
            return
        self.latest, trained = known
        current = self._pass_of(self.latest)
        self.latest.stepped(trained, optimizer, self.losses, current)
        if current is not None and self.latest.open_pass is current:
            self.hot[id(optimizer)] = self.latest.hot_step(trained, current)
        elif self._drawn is not None:
            self.latest.drew(self._drawn)
        self._drawn = None

    def skipped(self) -> None:
        """A scaler left a step out, since gradients were not finite: its losses belong to no step."""
        self.losses.clear()

    def scaled(self, result: Any, loss: Any) -> None:
        """A scaler has multiplied a loss: what `backward` is going to be called on is not what the user means."""
        if isinstance(result, torch.Tensor):
            self.scaling = weakref.ref(result), loss

    # Modules

    def called(self, criterion: Any, result: Any) -> None:
        """A criterion of `torch.nn` was called."""
        if not self._is_evaluation():
            self._criterions[type(criterion)] = criterion  # until the next step
            return
        if result.requires_grad:
            self._doubtful[type(criterion)] = criterion
        current = self._passes[-1] if self._passes else None
        if current is not None and current.training is None and result.numel() == 1:
            current.loss.add([result.detach()])

    def switched_to_evaluation(self, model: Any) -> None:
        """`eval` was called on a model."""
        self._evaluated, self.is_evaluating = weakref.ref(model), True

    def _is_evaluation(self) -> bool:
        if self.is_evaluating:
            model = None if self._evaluated is None else self._evaluated()
            self.is_evaluating = model is not None and not model.training
        return self.is_evaluating or not torch.is_grad_enabled()

    def _evaluate(self, over: Pass) -> None:
        """A pass without a training: of the model that was last switched to evaluation, else of the latest training."""
        training = self.latest
        evaluated = None if self._evaluated is None else self._evaluated()
        if evaluated is not None:
            model = unwrapped(evaluated)
            recording = recording_of(model)
            if recording is not None:
                training = recording.training
            elif training is None or not any(_is_part(model, one) for one in training.models()):
                return
        is_told = over.loss.count or (over.is_whole and over.num_batches)
        if training is not None and is_told and training.is_open():
            training.evaluated(evaluation_of(over))

    # Which training

    def _pass_of(self, training: LoopTraining) -> Pass | None:
        own = training.open_pass
        if own is not None and not own.is_over:
            return own
        current = self._passes[-1] if self._passes else None
        return current if current is not None and current.training in (None, training) else None

    def _going_on(self) -> list[LoopTraining]:
        self._open = [training for training in self._open if not training.is_over]
        return self._open

    def _meet(self, optimizer: Any) -> tuple[LoopTraining, TrainedOptimizer] | None:
        """An optimizer that is in no training steps: it joins one, or begins one."""
        if optimizer in self._trainings and self._trainings[optimizer] is None:
            return None
        if get_worker_info() is not None:
            return None
        told = given.get(optimizer)
        recording = None if told is None else told.recording
        choice = None
        if recording is None:
            choice = choice_of[-1]() if choice_of else None
            if choice is None:
                return None
        living = find_living()
        models = (
            find_models(optimizer, living)
            if told is None
            else [one for ref in told.models if (one := ref()) is not None]
        )
        schedulers = [] if told is None else [one for ref in told.schedulers if (one := ref()) is not None]
        current = self._passes[-1] if self._passes else None
        first = self._first_step(optimizer, models, current or self._drawn)
        joined = self._joined(current)
        if joined is not None:
            known = self._join(joined, first, living, schedulers)
        else:
            key = models[0] if models else optimizer
            recording = recording or recording_of(key) or begin_recording(key, choice)  # type: ignore[arg-type]
            self._end_others()
            if recording.training is not None:
                recording.training.close()
            trained = TrainedOptimizer(optimizer, "", living, schedulers)
            known = begin_training(recording, trained, first), trained
            self._open.append(known[0])
        self._trainings[optimizer] = known
        return known

    def _first_step(self, optimizer: Any, models: list[Any], current: Pass | None) -> FirstStep:
        loader = None if current is None else current.loader()
        extras, self.extras = self.extras, {}
        criterions = list((self._criterions or self._doubtful).values())
        return FirstStep(optimizer, models, loader, self._function, criterions, extras)

    def _joined(self, current: Pass | None) -> LoopTraining | None:
        """The training that an optimizer which steps now takes part in; `None` where it begins its own."""
        if current is not None:
            return current.training if current.training is not None and current.training.goes_on() else None
        latest = self.latest
        if latest is None or not latest.goes_on() or latest.open_pass is not None:
            return None
        is_alive = latest.models() and all(one.reference() is not None for one in latest.optimizers())
        return latest if is_alive and latest.num_steps <= MAX_STEPS_BEFORE_JOINING else None

    def _join(
        self, training: LoopTraining, first: FirstStep, living: Living, schedulers: list[Any]
    ) -> tuple[LoopTraining, TrainedOptimizer] | None:
        if len(training.optimizers()) >= MAX_OPTIMIZERS:
            return None
        trained = TrainedOptimizer(first.optimizer, _suffix(training, first.models), living, schedulers)
        join_training(training, trained, first)
        return training, trained

    def _end_others(self) -> None:
        """Another training begins: those that are not around it are over."""
        for training in list(self._going_on()):
            if training.open_pass is None or training.open_pass.is_over or not training.goes_on():
                with training.steps.guarded("torch training"):
                    training.close()


def _suffix(training: LoopTraining, models: list[Any]) -> str:
    """What stands behind the names of a further optimizer: the class of its model, else a number."""
    known = {type(one).__name__ for one in training.models()}
    name = next((type(one).__name__ for one in models), None)
    taken = {one.suffix for one in training.optimizers()}
    if name is not None and name not in known and f"_{name.lower()}" not in taken:
        return f"_{name.lower()}"
    return f"_{len(training.optimizers()) + 1}"


def _is_part(module: Any, model: Any) -> bool:
    return isinstance(model, torch.nn.Module) and any(one is module for one in model.modules())


class _Loops(threading.local):
    def __init__(self) -> None:
        self.loop = Loop()


this_thread = _Loops()
"""Its `loop` is that of the thread that asks."""


def current_loop() -> Loop:
    """The loop of this thread."""
    return this_thread.loop


def _record_first_failure() -> None:
    """At exit: an uncaught exception may have left a training that no run knows of yet."""
    error = getattr(sys, "last_value", None)
    if error is not None and id(error) not in told_errors:
        with suppress(Exception):  # P1: nothing of ours is shown beside the user's own error
            current_loop().meet_left(error)


def _meet_left(error: BaseException) -> None:
    """An exception leaves the block of a run."""
    current_loop().meet_left(error)


before_failure.append(_meet_left)
atexit.register(_record_first_failure)  # before the run is ended, by what is registered earlier


def _forget() -> None:
    """A forked child trains, if at all, by itself: nothing of its parent goes on in it."""
    this_thread.loop = Loop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
