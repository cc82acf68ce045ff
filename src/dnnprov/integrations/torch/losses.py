"""The loss that `backward` is called on: summed up on its device, read once an epoch, and named for its function.

Reading a value waits for the device, so a sum stays there until the epoch is over: one addition a step, no more.
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

MAX_NODES = 16
"""Of the graph behind a loss that are looked at for its function: divisions and sums stand before it."""


class RunningLoss:
    """The mean of losses, kept on the device that they are on."""

    def __init__(self) -> None:
        self._totals: dict[Any, Any] = {}
        self.count = 0

    def add(self, losses: Collection[Any]) -> None:
        """Add the loss of one step: the sum of what `backward` was called on for it; one with many values is none."""
        is_one = False
        for loss in losses:
            total = self._totals.get(loss.device)
            if loss.dim():
                if loss.numel() != 1:
                    continue
                loss = loss.reshape(())  # noqa: PLW2901 - the same value
            if loss.is_cuda and torch.cuda.is_current_stream_capturing():
                continue  # what is added now would be added again at each replay
            (self._begin(loss.device) if total is None else total).add_(loss)
            is_one = True
        self.count += is_one

    def _begin(self, device: Any) -> Any:
        wide = torch.float32 if device.type == "mps" else torch.float64  # the former has no doubles
        with torch.inference_mode(mode=False):  # the sum goes on where that mode has ended
            total = self._totals[device] = torch.zeros((), dtype=wide, device=device)
        return total

    def read(self) -> float | None:
        """The mean over the steps since the last reading, which waits for the device; `None` where there was none."""
        if not self.count:
            return None
        mean = float(sum(total.item() for total in self._totals.values())) / self.count
        self._totals, self.count = {}, 0
        return mean


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
