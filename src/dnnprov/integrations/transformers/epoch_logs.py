"""Which logged values belong to which epoch, and the mean loss of an epoch.

A Trainer logs every so many steps, over the borders of epochs. What it logged within an epoch makes its row; the loss
is asked for from the sum that the Trainer keeps, once an epoch, so that it is the mean over all steps of the epoch,
whenever and whether or not it was logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.integrations.metric_names import with_canonical_names
from dnnprov.integrations.transformers.trainer_frames import find_in_loop

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_THE_WHOLE = "train_runtime"
"""In what is logged when the training is over."""

_PLACE = frozenset({"epoch", "step"})


class EpochLogs:
    """The values of the epoch under way."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._total, self._began_at = 0.0, 0

    def begin(self, trainer: Any, step: int) -> None:
        """An epoch begins, before this step."""
        self._values, self._began_at = {}, step
        self._total = self._total_loss(trainer) or 0.0

    def take(self, logs: Mapping[str, Any]) -> None:
        """Values were logged."""
        self._values.update({name: value for name, value in logs.items() if name not in _PLACE})

    def close(self, trainer: Any, step: int) -> None:
        """The epoch has trained, up to this step: take its mean loss."""
        total, num_steps = self._total_loss(trainer), step - self._began_at
        if total is not None and num_steps > 0:
            self._values["loss"] = (total - self._total) / num_steps

    def row(self) -> dict[str, Any]:
        """The values, under the shared names too; of those logged twice the last."""
        return with_canonical_names(self._values)

    def _total_loss(self, trainer: Any) -> float | None:
        """The sum of the losses of all steps until now; `None` where this Trainer does not keep it as others do."""
        since = getattr(trainer, "_tr_loss", None)
        if since is None:
            since = find_in_loop("tr_loss")  # before Transformers 5
        logged = getattr(trainer, "_total_loss_scalar", None)
        return None if since is None or logged is None else float(logged) + float(since.item())


def is_of_whole_training(logs: Mapping[str, Any]) -> bool:
    """Whether these values were logged when the training was over."""
    return _OF_THE_WHOLE in logs
