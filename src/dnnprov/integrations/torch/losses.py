"""The loss that `backward` is called on: summed up on its device, read once an epoch, and named for its function.

Reading a value waits for the device, so losses stay there until the epoch is over: one small copy a step, no more.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Collection

FUNCTIONS = {
    "NllLoss": "nll_loss",
    "NllLoss2D": "nll_loss",
    "MseLoss": "mse_loss",
    "BinaryCrossEntropy": "binary_cross_entropy",
    "BinaryCrossEntropyWithLogits": "binary_cross_entropy_with_logits",
    "SmoothL1Loss": "smooth_l1_loss",
    "HuberLoss": "huber_loss",
    "CtcLoss": "ctc_loss",
    "CudnnCtcLoss": "ctc_loss",
    "MultiMarginLoss": "multi_margin_loss",
    "MultilabelMarginLoss": "multilabel_margin_loss",
    "SoftMarginLoss": "soft_margin_loss",
}
"""Name of an autograd node, without `Backward0` -> function of `torch.nn.functional`."""

NUM_PLACES = 64
"""For losses of a device between two sums."""

MAX_NODES = 16
"""Of the graph behind a loss that are looked at for its function: divisions and sums stand before it."""


class RunningLoss:
    """The mean of losses, kept on the device that they are on."""

    def __init__(self) -> None:
        self._kept: dict[Any, Kept] = {}
        self._latest: Kept | None = None
        self.count = 0

    def add(self, losses: Collection[Any]) -> None:
        """Add the loss of one step: the sum of what `backward` was called on for it; one with many values is none."""
        is_one = False
        kept = self._latest
        for loss in losses:
            if loss.dim():
                if loss.numel() != 1:
                    continue
                loss = loss.reshape(())  # noqa: PLW2901 - the same value
            if kept is None or loss.device != kept.device:
                kept = self._latest = self._kept_on(loss.device)
            if kept.is_cuda and torch.cuda.is_current_stream_capturing():
                continue  # what is copied now would be copied again at each replay
            if not kept.free:
                kept.sum_up()
            kept.free.pop().copy_(loss)
            is_one = True
        self.count += is_one

    def _kept_on(self, device: Any) -> Kept:
        known = self._kept.get(device)
        if known is None:
            known = self._kept[device] = Kept(device)
        return known

    def forget(self) -> None:
        """Begin anew."""
        self._kept, self._latest, self.count = {}, None, 0

    def mean(self) -> float | None:
        """That over the steps so far, which waits for the device; `None` where there was none."""
        return sum(kept.total() for kept in self._kept.values()) / self.count if self.count else None

    def read(self) -> float | None:
        """The mean over the steps since the last reading, which waits for the device; `None` where there was none."""
        mean = self.mean()
        for kept in self._kept.values() if self.count else ():
            kept.begin_anew()
        self.count = 0
        return mean


class Kept:
    """Losses of one device: each is copied to a place of its own there, and all are summed up when no place is free.

    A copy takes less than half of an addition to a sum that is a double, and makes a double of it as well. It is made
    at once all the same: where the loss stands its loop may write something else.

    Args:
        device: of all of them.

    Attributes:
        device: as given.
        is_cuda: whether it may be recorded into a graph of CUDA.
        free: places that no loss was copied to yet; the last is next.
    """

    def __init__(self, device: Any) -> None:
        wide = torch.float32 if device.type == "mps" else torch.float64  # the former has no doubles
        self.device, self.is_cuda = device, device.type == "cuda"
        with torch.inference_mode(mode=False):  # they are filled on where that mode has ended
            self._all = torch.zeros(NUM_PLACES, dtype=wide, device=device)
            self._sum = torch.zeros((), dtype=wide, device=device)
            self._places = self._all.unbind()
        self.free = list(self._places)

    def sum_up(self) -> None:
        """Add what stands in the places to the sum, on the device."""
        self._sum.add_(self._all[len(self.free) :].sum())
        self.free = list(self._places)

    def total(self) -> float:
        """The sum so far, which waits for the device."""
        self.sum_up()
        return float(self._sum.item())

    def begin_anew(self) -> None:
        """Forget the sum."""
        self._sum.zero_()


def function_of(loss: Any) -> str | None:
    """The function of `torch.nn.functional` that a loss came from, as its graph tells; `None` for one it does not."""
    nodes = [getattr(loss, "grad_fn", None)]
    for _ in range(MAX_NODES):
        if not nodes or (node := nodes.pop(0)) is None:
            continue
        name = str(node.name()).partition("Backward")[0].rpartition("::")[2]
        behind = [following for following, _ in node.next_functions if following is not None]
        if name in FUNCTIONS:
            is_of_logits = name.startswith("NllLoss") and any("LogSoftmax" in one.name() for one in behind)
            return "cross_entropy" if is_of_logits else FUNCTIONS[name]
        nodes += behind
    return None


def criterion_config(criterion: Any) -> dict[str, Any]:
    """What a criterion of `torch.nn` was made with, as far as it keeps that."""
    found: dict[str, Any] = {}
    for name in getattr(type(criterion), "__constants__", ()):
        with suppress(Exception):  # a property of the user's may raise anything
            found[name] = getattr(criterion, name)
    return {name: value for name, value in found.items() if isinstance(value, bool | int | float | str)}
