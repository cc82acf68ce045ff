"""Sees the checkpoints that a Trainer writes, also those that the script asks for.

Lightning tells only loggers of a checkpoint, and of one that `trainer.save_checkpoint` writes, nobody. All of them go
through that method, so there is a wrapper around it, which tells the callback of ours that the Trainer has.
"""

from __future__ import annotations

import functools
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dnnprov.integrations.claims import claimed
from dnnprov.integrations.clean_traceback import leave_out_own_frames
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "lightning"
"""By which Lightning's trainings are claimed."""

BY_HAND = "trainer.save_checkpoint"
"""What is said to have written a checkpoint that no callback did."""


class CheckpointListener(Protocol):
    """A callback that records what its Trainer writes; it keeps its failures to itself."""

    def checkpoint_written(self, trainer: Any, path: Path, writer: Any) -> None:
        """A checkpoint was written: by a callback of Lightning's, or, where that is `None`, by the script."""


def install(trainer_class: Any) -> None:
    """Put the wrapper on; a second call does nothing."""
    original = trainer_class.save_checkpoint
    if hasattr(original, "is_seen_by_dnnprov"):
        return
    seen = _seen(original)
    vars(seen)["is_seen_by_dnnprov"] = True
    trainer_class.save_checkpoint = seen


def _seen(save_checkpoint: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(save_checkpoint)
    def save(self: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        ours = [one for one in getattr(self, "callbacks", None) or () if hasattr(one, "checkpoint_written")]
        try:
            with claimed(NAME) if ours else nullcontext():  # PyTorch below records no file of it
                result = save_checkpoint(self, filepath, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        caller = sys._getframe(1).f_locals.get("self")  # noqa: SLF001 - who saves does not say so in any other way
        for callback in ours:
            callback.checkpoint_written(self, filepath, caller if hasattr(caller, "best_model_path") else None)
        return result

    return save


def written_row(trainer: Any, writer: Any) -> dict[str, Any]:
    """What oCheckpoint says of a checkpoint beside its path."""
    row: dict[str, Any] = {"step": int(trainer.global_step), "role": "checkpoint", "written_by": BY_HAND}
    if writer is not None:
        score = getattr(writer, "current_score", None)
        row |= {
            "written_by": type(writer).__name__,
            "monitor": getattr(writer, "monitor", None),
            "score": None if score is None else plain_value(score),
        }
    return {name: value for name, value in row.items() if value is not None}


def best_rows(trainer: Any) -> list[dict[str, Any]]:
    """What the callbacks that keep checkpoints hold for the best, one row of oCheckpoint each."""
    rows = []
    for callback in trainer.checkpoint_callbacks:
        path, score = getattr(callback, "best_model_path", ""), getattr(callback, "best_model_score", None)
        if path and score is not None and Path(path).exists():
            monitor = {"monitor": callback.monitor, "score": plain_value(score)}
            rows.append(
                {"path": str(Path(path).absolute()), "role": "best", "written_by": type(callback).__name__, **monitor}
            )
    return rows
