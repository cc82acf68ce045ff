"""Which of the metrics that a Trainer holds belong to the epoch that ended.

`trainer.callback_metrics` keeps the last value of each metric, also of one that was not logged again: of a validation
some epochs ago. Lightning makes each value anew as an object: what is the same object as before was not logged since.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnnprov.integrations.metric_names import with_canonical_names
from dnnprov.integrations.torch.losses import RunningLoss

_FORKS = ("_step", "_epoch")
"""Lightning keeps a metric that is logged both by step and by epoch under three names; the bare one is the epoch's."""


class EpochMetrics:
    """The metrics of the epoch under way, and the mean of its loss, which nobody may have logged.

    The loss of a step lies on the device until it is asked for, which waits for that. So losses stay there, and their
    mean is asked for once an epoch.

    Attributes:
        num_parts: by which Lightning has divided the losses: the batches whose gradients are added up.
    """

    def __init__(self) -> None:
        self._before: dict[str, Any] = {}
        self._loss = RunningLoss()
        self.num_parts = 1
        self._read: tuple[int, float | None] = 0, None  # the mean, and of how many steps it is

    def begin(self, metrics: Mapping[str, Any]) -> None:
        """An epoch, a validation or a test begins: what the Trainer holds now is of before."""
        self._before = dict(metrics)
        self._loss.forget()
        self._read = 0, None

    def add_step(self, outputs: Any) -> None:
        """A step gave this: the outputs of `training_step`, as Lightning hands them to callbacks."""
        is_mapping = type(outputs) is dict or isinstance(outputs, Mapping)  # the question for the class costs less
        loss: Any = outputs.get("loss") if is_mapping else outputs
        if hasattr(loss, "detach"):
            self._loss.add((loss.detach() if loss.requires_grad else loss,))

    def logged(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """What was logged since `begin`, each metric under its bare name."""
        new = {name: value for name, value in metrics.items() if self._before.get(name) is not value}
        return {name: value for name, value in new.items() if not _is_fork(name, new)}

    def row(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """The metrics of the epoch that ended, under the shared names too.

        Its loss is the mean of its steps, for a `train_loss` that is logged may be that of the last step alone; what
        the script itself calls `loss` stays.
        """
        logged = self.logged(metrics)
        found = with_canonical_names(logged)
        if "loss" not in logged:
            found.update(self.trained())
        return found

    def trained(self) -> dict[str, Any]:
        """The mean of the loss of the steps until now, which waits for the device the first time."""
        if self._read[0] != self._loss.count:
            self._read = self._loss.count, self._loss.mean()
        mean = self._read[1]
        return {} if mean is None else {"loss": mean * self.num_parts}


def _is_fork(name: str, metrics: Mapping[str, Any]) -> bool:
    return any(name.endswith(fork) and name.removesuffix(fork) in metrics for fork in _FORKS)
