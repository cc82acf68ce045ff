"""Who changed a rate, and why a training of the Trainer ended."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.technique import BY_HAND
from dnnprov.integrations.torch.schedulers import technique_of
from dnnprov.integrations.trainer_optimizers import metric_technique

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.integrations.technique import Technique

WAITS_FOR_METRIC = frozenset({"ReduceLROnPlateau", "GreedyLR"})
"""Schedulers that the Trainer moves after an evaluation, not after every step."""

UNNAMED = "LambdaLR"
"""What a schedule is called where the function that it takes its factors from is none that is known."""


def step_schedulers(scheduler: Any) -> list[Any]:
    """The schedulers that act after every step."""
    return [] if scheduler is None or type(scheduler).__name__ in WAITS_FOR_METRIC else [scheduler]


def schedule_technique(scheduler: Any, kind: str | None) -> Technique:
    """The technique that a scheduler is.

    Args:
        scheduler: of the Trainer.
        kind: what the arguments call it, where the Trainer made it of them; said of one whose class says nothing.
    """
    technique = technique_of([scheduler], {})
    told = {} if kind is None or technique.name != UNNAMED else {"schedule": kind}
    parameters = {**technique.parameters, **told}
    return dataclasses.replace(technique, parameters=parameters, reason="follows the steps of the optimizer")


def technique_after_epoch(arguments: Any, scheduler: Any, metrics: Mapping[str, Any]) -> Technique:
    """The technique of a scheduler that waits for a metric; by hand, where there is none."""
    if type(scheduler).__name__ not in WAITS_FOR_METRIC:
        return BY_HAND
    name = _metric_name(arguments)
    return metric_technique(scheduler, name, metrics.get(name))


def why_ended(arguments: Any, state: Any, control: Any, callbacks: list[Any]) -> str | None:
    """Why a training ended before its last step; `None` where it did not."""
    if not control.should_training_stop or not state.max_steps or state.global_step >= state.max_steps:
        return None
    for callback in callbacks:
        patience = getattr(callback, "early_stopping_patience", None)
        counter = getattr(callback, "early_stopping_patience_counter", 0)
        if patience is not None and counter >= patience:
            best = "" if state.best_metric is None else f", best {state.best_metric}"
            name = _metric_name(arguments)
            return f"{type(callback).__name__}: {name} did not improve for {counter} evaluations{best}"
    return "control.should_training_stop was set"


def _metric_name(arguments: Any) -> str:
    name = str(arguments.metric_for_best_model or "loss")
    return name if name.startswith("eval_") else f"eval_{name}"
