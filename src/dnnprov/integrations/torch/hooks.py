"""Where every loop comes by: public hooks of PyTorch where it has them, wrappers around what has none.

A wrapper calls the function first, with what it was given, and passes on what it returns or raises, with no entry of
ours in the traceback. Then it tells the loop of its thread, from which nothing comes back: a failure of ours becomes a
problem of the run, or a warning. What `torch.compile` traces sees none of it.

Nothing here runs for each module of a model: once a batch for the loader, `backward`, the criterion and the optimizer,
and otherwise once in a while.
"""

from __future__ import annotations

import functools
import sys
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch.compiler import is_compiling
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import dataloader

from dnnprov.capture.user_warning import warn_user
from dnnprov.integrations.claims import claimed_by
from dnnprov.integrations.clean_traceback import leave_out_own_frames
from dnnprov.integrations.torch.bound_names import bind_anew
from dnnprov.integrations.torch.files import file_to_read, tell_put_into, tell_read, tell_written
from dnnprov.integrations.torch.loops import Loop, choice_of, current_loop, this_thread
from dnnprov.integrations.torch.schedulers import note_metric
from dnnprov.integrations.when_imported import run_when_imported
from dnnprov.model.signals import came_from_handler

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from dnnprov.integrations.torch.passes import Pass

_PLACE = "_dnnprov_pass"
_said: set[str] = set()


def install() -> list[str]:
    """Put everything in place; a second call does nothing.

    Returns:
        What this PyTorch does not have: what would be seen there is not recorded.
    """
    if hasattr(torch.Tensor.backward, "is_seen_by_dnnprov"):
        return []
    missing: list[str] = []

    def wrap(owner: Any, name: str, wrapper: Callable[[Any], Any]) -> None:
        if not _wrap(owner, name, wrapper):
            missing.append(f"{getattr(owner, '__name__', owner)}.{name}")

    wrap(dataloader.DataLoader, "__iter__", _iterating)
    wrap(dataloader._BaseDataLoaderIter, "__next__", _drawing)  # noqa: SLF001 - a pass tells its end nowhere else
    wrap(torch.Tensor, "backward", _going_back)
    wrap(torch.optim.Optimizer, "zero_grad", _zeroing)
    wrap(torch.nn.modules.loss._Loss, "__call__", _criterion)  # noqa: SLF001 - the class of all criterions
    wrap(torch.nn.Module, "eval", _evaluation_mode)
    wrap(torch.nn.Module, "load_state_dict", _putting)
    wrap(torch.optim.lr_scheduler.ReduceLROnPlateau, "step", _plateau)
    wrap(getattr(torch.amp, "GradScaler", None), "scale", _scaling)
    wrap(getattr(torch.amp, "GradScaler", None), "step", _scaled_step)
    for owner in (torch.nn.utils, torch.nn.utils.clip_grad):
        wrap(owner, "clip_grad_norm_", functools.partial(_clipping, name="clip_grad_norm"))
        wrap(owner, "clip_grad_value_", functools.partial(_clipping, name="clip_grad_value"))
    for owner in (torch, torch.serialization):
        wrap(owner, "save", functools.partial(_writing, writer="torch.save"))
        wrap(owner, "load", _reading)
    register_optimizer_step_pre_hook(_before_step)
    register_optimizer_step_post_hook(_after_step)
    run_when_imported("safetensors.torch", __name__, _install_for_safetensors)
    return missing


def _install_for_safetensors() -> None:
    from safetensors import torch as safe  # noqa: PLC0415 - only where the user has imported it

    before = safe.save_file, safe.load_file
    _wrap(safe, "save_file", functools.partial(_writing, writer="safetensors.torch.save_file"))
    _wrap(safe, "load_file", _reading)
    for original, seen in zip(before, (safe.save_file, safe.load_file), strict=True):
        bind_anew(original, seen)


def _wrap(owner: Any, name: str, wrapper: Callable[[Any], Any]) -> bool:
    original = getattr(owner, name, None)
    if original is None:
        return False
    if not hasattr(original, "is_seen_by_dnnprov"):
        seen = functools.wraps(original)(wrapper(original))
        vars(seen)["is_seen_by_dnnprov"] = True
        setattr(owner, name, seen)
    return True


_DRAWN_AHEAD = frozenset({"accelerate.data_loader"})
"""Modules that draw a batch before they give out the one before: their pass is over when they drop its iterator."""


def _tell(where: str, job: Callable[..., Any], *args: Any) -> Any:
    """Call something of ours out of which nothing comes into the user's code."""
    try:
        return job(*args)
    except Exception as error:  # noqa: BLE001 - P1: recording never raises into a training
        _note_failure(where, error)
        return None


def _note_failure(where: str, error: Exception) -> None:
    if came_from_handler(error):
        raise error
    training = current_loop().latest
    run = None if training is None else training.steps.run
    if run is not None:
        run.recorder.note_failure(f"torch {where}", error)
    elif where not in _said:
        _said.add(where)
        with suppress(Exception):
            warn_user(f"torch {where} was not recorded: {type(error).__name__}: {error}")


def _going_back(original: Callable[..., Any]) -> Callable[..., Any]:
    def backward(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        loop = this_thread.loop
        if loop.hot and loop.scaling is None:
            loop.losses.append(self.detach())
        elif claimed_by() is None and not is_compiling():
            _tell("backward", loop.went_back, self)
        return result

    return backward


def _zeroing(original: Callable[..., Any]) -> Callable[..., Any]:
    def zero_grad(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        loop = this_thread.loop
        if loop.losses:
            _tell("zero_grad", loop.zeroed, self)
        return result

    return zero_grad


def _evaluation_mode(original: Callable[..., Any]) -> Callable[..., Any]:
    def switch(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        if not is_compiling():
            _tell("eval", current_loop().switched_to_evaluation, self)
        return result

    return switch


def _iterating(original: Callable[..., Any]) -> Callable[..., Any]:
    def iterate(self: Any) -> Any:
        try:
            iterator = original(self)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        _tell("pass", _begin_pass, self, iterator)
        return iterator

    return iterate


def _begin_pass(loader: Any, iterator: Any) -> None:
    loop = current_loop()
    begun = loop.begin_pass(loader)
    vars(iterator)[_PLACE] = begun
    if begun is not None and not loader.persistent_workers:  # whose iterator outlives the pass
        weakref.finalize(iterator, _let_go, weakref.ref(loop), begun).atexit = False


def _end_pass(over: Pass, drawn_by: FrameType) -> None:
    over.is_whole = True
    if drawn_by.f_globals.get("__name__") not in _DRAWN_AHEAD:
        current_loop().end_pass(over)


def _let_go(loop: weakref.ref[Loop], begun: Pass) -> None:
    """The iterator of a pass is gone: the loop was left early."""
    here = current_loop()
    if loop() is here:  # else another thread collects garbage
        _tell("end of a pass", here.end_pass, begun)


def _drawing(original: Callable[..., Any]) -> Callable[..., Any]:
    def draw(self: Any) -> Any:
        try:
            batch = original(self)
        except BaseException as error:
            if isinstance(error, StopIteration) and (over := vars(self).get(_PLACE)) is not None:
                _tell("end of a pass", _end_pass, over, sys._getframe(1))  # noqa: SLF001 - there is no other way to know
            leave_out_own_frames(error)
            raise
        current = getattr(self, _PLACE, None)
        if current is not None:
            current.num_batches += 1
        return batch

    return draw


def _criterion(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        if not is_compiling():
            loop = this_thread.loop
            if (not loop.hot or loop.is_evaluating or not torch.is_grad_enabled()) and claimed_by() is None:
                _tell("criterion", loop.called, self, result)
        return result

    return call


def _putting(original: Callable[..., Any]) -> Callable[..., Any]:
    def put(self: Any, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = original(self, state_dict, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        _tell("load_state_dict", tell_put_into, self, state_dict)
        return result

    return put


def _plateau(original: Callable[..., Any]) -> Callable[..., Any]:
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        _tell("plateau", note_metric, self, args[0] if args else kwargs.get("metrics"))
        return result

    return step


def _scaling(original: Callable[..., Any]) -> Callable[..., Any]:
    def scale(self: Any, outputs: Any) -> Any:
        try:
            result = original(self, outputs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        if not is_compiling() and self.is_enabled():
            _tell("scale", current_loop().scaled, result, outputs)
        return result

    return scale


def _scaled_step(original: Callable[..., Any]) -> Callable[..., Any]:
    def step(self: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        loop = current_loop()
        before = loop.num_steps
        loop.extras["grad_scaler"] = bool(self.is_enabled())
        try:
            result = original(self, optimizer, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        if loop.num_steps == before:
            _tell("skipped step", loop.skipped)
        return result

    return step


def _clipping(original: Callable[..., Any], name: str) -> Callable[..., Any]:
    def clip(*args: Any, **kwargs: Any) -> Any:
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        if claimed_by() is None and not is_compiling():
            limit = args[1] if len(args) > 1 else kwargs.get("max_norm", kwargs.get("clip_value"))
            if isinstance(limit, int | float):
                this_thread.loop.extras[name] = limit
        return result

    return clip


def _writing(original: Callable[..., Any], writer: str) -> Callable[..., Any]:
    def write(*args: Any, **kwargs: Any) -> Any:
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        if claimed_by() is None:
            what = args[0] if args else kwargs.get("obj", kwargs.get("tensors"))
            place = args[1] if len(args) > 1 else kwargs.get("f", kwargs.get("filename"))
            _tell("save", tell_written, what, place, writer, current_loop().latest)
        return result

    return write


def _reading(original: Callable[..., Any]) -> Callable[..., Any]:
    def read(*args: Any, **kwargs: Any) -> Any:
        place = args[0] if args else kwargs.get("f", kwargs.get("filename"))
        is_seen = claimed_by() is None and bool(choice_of) and choice_of[-1]() is not None
        file = _tell("load", file_to_read, place) if is_seen else None
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        if file is not None:
            _tell("load", tell_read, result, file)
        return result

    return read


def _before_step(optimizer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: ARG001 - of PyTorch
    if (len(args) > 1 or kwargs) and not is_compiling() and claimed_by() is None:  # the first is the optimizer
        _tell("step", current_loop().begin_step, args, kwargs)


def _after_step(optimizer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: ARG001 - of PyTorch
    if not is_compiling():
        loop = this_thread.loop
        if not loop.hot and claimed_by() is not None:
            return
        try:
            loop.stepped(optimizer)
        except Exception as error:  # noqa: BLE001 - P1: recording never raises into a training
            _note_failure("step", error)
