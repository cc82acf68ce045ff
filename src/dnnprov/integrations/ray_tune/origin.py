"""What a trial of Ray Tune trains on from, and the files of its checkpoints.

Population-based training puts the checkpoint of a good trial in the place of a bad one's own, with what the good one
had reported by then. So the name in that report tells whether a trial was taken over, and the iteration at which state.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Origin:
    """State of another trial that one went on from.

    Attributes:
        trial: whose it is.
        iteration: of that trial.
        path: of its checkpoint; `None` where that lies on no disk of this machine.
    """

    trial: str
    iteration: int | None
    path: str | None

    @property
    def reason(self) -> str:
        """In words."""
        at = "" if self.iteration is None else f" as it was at iteration {self.iteration}"
        return f"went on from trial {self.trial}{at}"

    @property
    def state(self) -> str:
        """As a value that a trial took over."""
        return state_of(self.trial, self.iteration)


def state_of(trial: str, iteration: int | None) -> str:
    """The state of a trial at an iteration, as a value.

    Example:
        >>> state_of("a1_00000", 4)
        'a1_00000, iteration 4'
    """
    return trial if iteration is None else f"{trial}, iteration {iteration}"


def find_origin(trial: Any) -> Origin | None:
    """The state of another trial that one is about to go on from; `None` where its state is its own, or new."""
    result = getattr(trial, "latest_checkpoint_result", None)
    metrics = getattr(result, "metrics", None) or {}
    owner = metrics.get("trial_id")
    if owner is None or owner == trial.trial_id:
        return None
    return Origin(str(owner), metrics.get("training_iteration"), local_path(getattr(result, "checkpoint", None)))


def local_path(checkpoint: Any) -> str | None:
    """Where a checkpoint lies on this machine; `None` for one that lies elsewhere."""
    with suppress(Exception):  # a filesystem of the user's
        if getattr(checkpoint.filesystem, "type_name", None) == "local":
            return str(checkpoint.path)
    return None
