"""Who changed a rate, and why a training of the Trainer ended."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.technique import BY_HAND
from dnnprov.integrations.torch.schedulers import technique_of
from dnnprov.integrations.trainer_optimizers import metric_technique

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.integrations.technique import Technique

WAITS_FOR_METRIC = frozenset({"ReduceLROnPlateau", "GreedyLR"})
"""Schedulers that the Trainer moves after an evaluation, not after every step."""


def step_schedulers(scheduler: Any) -> list[Any]:
    """The schedulers that act after every step."""
    return [] if scheduler is None or type(scheduler).__name__ in WAITS_FOR_METRIC else [scheduler]


def schedule_technique(arguments: Any, scheduler: Any) -> Technique:
    """The technique that a scheduler is, with what the arguments call it: most of them are a LambdaLR."""
    technique = technique_of([scheduler], {})
    kind = getattr(arguments.lr_scheduler_type, "value", arguments.lr_scheduler_type)
    function = next(iter(getattr(scheduler, "lr_lambdas", ())), None)
    given = function.keywords if isinstance(function, functools.partial) else {}  # num_warmup_steps and the like
    plain = {name: value for name, value in given.items() if isinstance(value, int | float | str)}
    parameters = {**technique.parameters, **plain, "schedule": str(kind)}
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
