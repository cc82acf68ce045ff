"""Schedules that a library makes of a LambdaLR: which of its schedules one is, and what it was made with.

`get_cosine_schedule_with_warmup` of Transformers, which loops of every framework use, gives a LambdaLR around a
function of its own, so the class says nothing. The function does, and the arguments that were bound to it.
"""

from __future__ import annotations

import functools
from typing import Any

MODULE = "transformers.optimization"

NAMES = {
    "_get_constant_lambda": "constant",
    "_get_constant_schedule_with_warmup_lr_lambda": "constant_with_warmup",
    "_get_linear_schedule_with_warmup_lr_lambda": "linear",
    "_get_cosine_schedule_with_warmup_lr_lambda": "cosine",
    "_get_cosine_with_hard_restarts_schedule_with_warmup_lr_lambda": "cosine_with_restarts",
    "_get_cosine_with_min_lr_schedule_with_warmup_lr_rate_lambda": "cosine_warmup_with_min_lr",
    "_get_polynomial_decay_schedule_with_warmup_lr_lambda": "polynomial",
    "_get_inverse_sqrt_schedule_lr_lambda": "inverse_sqrt",
    "_get_wsd_scheduler_lambda": "warmup_stable_decay",
}
"""Function that gives the factors -> the schedule, as `lr_scheduler_type` calls it."""

LOWEST_RATE = "min_lr_rate"
"""What makes the schedule `cosine` one that does not end at nothing, which has a name of its own."""


def library_name(scheduler: Any) -> str | None:
    """The name of a schedule that a library made; `None` for any other."""
    function, bound = _function(scheduler)
    name = NAMES.get(getattr(function, "__name__", "")) if getattr(function, "__module__", None) == MODULE else None
    return "cosine_with_min_lr" if name == "cosine" and LOWEST_RATE in bound else name


def library_arguments(scheduler: Any) -> dict[str, Any]:
    """What such a schedule was made with: steps of warm-up, cycles and the like."""
    _, bound = _function(scheduler)
    return {name: value for name, value in bound.items() if isinstance(value, int | float | str)}


def _function(scheduler: Any) -> tuple[Any, dict[str, Any]]:
    """The function that gives the factors of the first group, and what is bound to it."""
    function = next(iter(vars(scheduler).get("lr_lambdas") or ()), None)
    return (function.func, function.keywords) if isinstance(function, functools.partial) else (function, {})
