"""Who changed a rate between two epochs of a Lightning training, and why the training ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.capture.run_task import end_of_block
from dnnprov.integrations.technique import BY_HAND
from dnnprov.integrations.trainer_optimizers import metric_technique
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from dnnprov.integrations.technique import Technique
    from dnnprov.model.events import RunStatus


def all_schedulers(trainer: Any) -> list[Any]:
    """All that the Trainer was given, whoever steps them."""
    return [one.scheduler for one in trainer.lr_scheduler_configs]


def schedulers(trainer: Any, interval: str) -> list[Any]:
    """The schedulers that act after every step or every epoch, without those that wait for a metric."""
    return [
        one.scheduler for one in trainer.lr_scheduler_configs if one.interval == interval and not one.reduce_on_plateau
    ]


def technique_after_epoch(trainer: Any) -> Technique:
    """The technique that acts when everything of an epoch is known: a scheduler that waits for a metric."""
    for one in trainer.lr_scheduler_configs:
        if one.reduce_on_plateau:
            value = trainer.callback_metrics.get(one.monitor)
            return metric_technique(one.scheduler, str(one.monitor), None if value is None else plain_value(value))
    return BY_HAND


def how_left(error: BaseException) -> tuple[RunStatus, str | None]:
    """How a training was left by an exception; Lightning makes one of a signal, between two batches."""
    if type(error).__name__ == "SIGTERMException":
        return "interrupted", "SIGTERM"
    return end_of_block(error)


def why_ended(trainer: Any) -> str | None:
    """Why a training ended before it was done; `None` where it was not."""
    if not trainer.should_stop:
        return None
    for callback in trainer.callbacks:
        message = getattr(callback, "stopping_reason_message", None)
        if getattr(callback, "stopped_epoch", 0) or message:
            monitor = getattr(callback, "monitor", None)
            patience = getattr(callback, "patience", None)
            told = message or f"{monitor} did not improve, patience {patience}"
            return f"{type(callback).__name__}: {told}"
    timer = next((one for one in trainer.callbacks if type(one).__name__ == "Timer"), None)
    if timer is not None and timer.time_remaining() is not None and timer.time_remaining() <= 0:
        return "Timer: the time that was allowed is over"
    return "trainer.should_stop was set"
