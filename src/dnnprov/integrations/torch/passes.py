"""Passes over DataLoaders: how far each came, and the loss of one in which nothing was trained."""

from __future__ import annotations

import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.torch.loaders import num_batches, num_samples
from dnnprov.integrations.torch.losses import RunningLoss

if TYPE_CHECKING:
    from dnnprov.integrations.torch.training import LoopTraining


class Pass:
    """One pass over a loader, from `iter(loader)` on.

    Args:
        loader: that is gone through; known weakly.

    Attributes:
        began: when, by `time.perf_counter`.
        length: batches of a whole pass, where the loader says.
        num_batches: that were drawn so far.
        training: that stepped in it first; `None` while none did.
        loss: of the criterion, where it was called without a training.
        is_over: whether it was drawn to its end, or let go.
        is_whole: whether it was drawn to its end.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = weakref.ref(loader)
        self.began = time.perf_counter()
        self.length = num_batches(loader)
        self.num_batches = 0
        self.training: LoopTraining | None = None
        self.loss = RunningLoss()
        self.is_over = self.is_whole = False


@dataclass(frozen=True)
class Evaluation:
    """A model was evaluated on a loader.

    Attributes:
        loader: that was gone through, as a weak reference.
        num_batches: that were evaluated.
        seconds: that it took.
        loss: the mean over its batches of what the criterion gave; `None` where none was called.
    """

    loader: weakref.ref[Any]
    num_batches: int
    seconds: float
    loss: float | None

    def metrics(self, prefix: str) -> dict[str, Any]:
        """What was seen of its result, by name."""
        return {} if self.loss is None else {f"{prefix}loss": self.loss}

    def data(self) -> dict[str, Any]:
        """How much it went through."""
        loader = self.loader()
        if loader is None:
            return {"num_batches": self.num_batches}
        is_whole = num_batches(loader) == self.num_batches
        size = loader.batch_size if isinstance(loader.batch_size, int) else None
        samples = num_samples(loader) if is_whole else None
        return {"num_samples": samples, "num_batches": self.num_batches, "batch_size": size}


def evaluation_of(over: Pass) -> Evaluation:
    """What a pass in which nothing was trained gave; reading its loss waits for the device."""
    return Evaluation(over.loader, over.num_batches, time.perf_counter() - over.began, over.loss.read())
