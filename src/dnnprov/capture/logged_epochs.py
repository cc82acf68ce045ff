"""Epochs that a loop tells by `Run.log_epoch` alone: their numbers, and the seconds between them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dnnprov.model.values import number_or_none, utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.capture.run import Run


class LoggedEpochs:
    """Records the epochs of one run, as rows of its Training task."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._since = time.perf_counter()

    def log(self, epoch: float | None, metrics: Mapping[str, Any]) -> None:
        """Record one, in the Training task under way, else in one that begins."""
        training = self._run.training
        if training is None or training.status != "running":
            training = self._run.task("Training")
        if epoch is None:
            last = training.last_epoch
            epoch = 1 if last is None else last + 1
        now = time.perf_counter()
        own = {"epoch": number_or_none(epoch), "elapsed_time": now - self._since}
        self._since = now
        training.log(**{"timestamp": utc_text(datetime.now(UTC)), **metrics, **own})
