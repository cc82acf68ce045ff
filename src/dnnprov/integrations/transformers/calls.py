"""Wrappers around methods of the Trainer, for what no callback is told: a `train` that fails, a model that is saved.

They also claim what the Trainer does, so that PyTorch below records nothing of it, where a callback of ours is there.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.claims import claimed
from dnnprov.integrations.clean_traceback import leave_out_own_frames

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "transformers"
"""By which it claims trainings."""


def install(trainer_class: Any) -> None:
    """Put the wrappers on; a second call does nothing."""
    for name, wrapper in {"train": _training, "evaluate": _called, "predict": _called, "save_model": _saving}.items():
        original = getattr(trainer_class, name)
        if not hasattr(original, "is_seen_by_dnnprov"):
            seen = functools.wraps(original)(wrapper(original))
            vars(seen)["is_seen_by_dnnprov"] = True
            setattr(trainer_class, name, seen)


def _training(train: Callable[..., Any]) -> Callable[..., Any]:
    def seen_train(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return _call(train, self, args, kwargs)
        except BaseException as error:
            for callback in _callbacks(self):
                callback.training_failed(getattr(self, "model", None), error)
            leave_out_own_frames(error)
            raise

    return seen_train


def _called(method: Callable[..., Any]) -> Callable[..., Any]:
    def seen_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return _call(method, self, args, kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise

    return seen_call


def _saving(save_model: Callable[..., Any]) -> Callable[..., Any]:
    def seen_save(self: Any, output_dir: Any = None, _internal_call: bool = False, **kwargs: Any) -> Any:
        try:
            result = _call(save_model, self, (output_dir, _internal_call), kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        if not _internal_call and self.is_world_process_zero():  # else it is part of a checkpoint
            for callback in _callbacks(self):
                callback.model_saved(self.model, str(output_dir or self.args.output_dir))
        return result

    return seen_save


def _call(method: Callable[..., Any], trainer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if not _callbacks(trainer):
        return method(trainer, *args, **kwargs)
    with claimed(NAME):
        return method(trainer, *args, **kwargs)


def _callbacks(trainer: Any) -> list[Any]:
    """Ours among the callbacks of a Trainer."""
    found = getattr(getattr(trainer, "callback_handler", None), "callbacks", ())
    return [one for one in found if hasattr(one, "training_failed")]
