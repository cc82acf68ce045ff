"""Who decides in an experiment of Ray Tune: found on the stack, since callbacks are told of trials only."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.made_with import held_text, held_values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

MAX_FRAMES = 60


@dataclass(frozen=True)
class Deciders:
    """Scheduler and search algorithm of an experiment, as far as they are known.

    Attributes:
        scheduler: stops trials, and changes them.
        algorithm: chooses the values of trials.
        space: where it searches.
    """

    scheduler: Any = None
    algorithm: Any = None
    space: Any = None

    @property
    def name(self) -> str:
        """Of the scheduler."""
        return "Ray Tune" if self.scheduler is None else type(self.scheduler).__name__

    @property
    def metric(self) -> str | None:
        """What the scheduler goes by."""
        metric = getattr(self.scheduler, "_metric", None) or getattr(self.algorithm, "metric", None)
        return metric if isinstance(metric, str) and not metric.startswith("_") else None

    @property
    def parameters(self) -> dict[str, Any]:
        """What the scheduler was made with."""
        return {} if self.scheduler is None else held_values(self.scheduler)

    def described(self) -> dict[str, Any]:
        """As values of iSearch."""
        row = {
            "algorithm": None if self.algorithm is None else type(self.algorithm).__name__,
            "algorithm_parameters": None if self.algorithm is None else held_text(self.algorithm),
            "pruner": None if self.scheduler is None else self.name,
            "pruner_parameters": None if self.scheduler is None else held_text(self.scheduler),
            "metric": self.metric,
            "direction": {"min": "minimize", "max": "maximize"}.get(str(getattr(self.scheduler, "_mode", ""))),
        }
        return {name: value for name, value in row.items() if value is not None}

    def has_pruned(self, trial: Any, result: Mapping[str, Any]) -> bool:
        """Whether it was the scheduler that ended a trial with this result, and no criterion."""
        if self.scheduler is None or self.name == "FIFOScheduler" or not result.get("done"):
            return False
        limit = getattr(self.scheduler, "_max_t", None)
        reached = result.get(getattr(self.scheduler, "_time_attr", None) or "training_iteration", 0)
        criteria = getattr(trial, "stopping_criterion", None) or {}
        return not (limit is not None and reached >= limit) and not any(
            name in result and result[name] >= value for name, value in criteria.items()
        )


def find_deciders() -> Deciders:
    """Those of the experiment that called; `None` in the place of what is not found."""
    controller = space = None
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - documented, if for debuggers
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        owner = frame.f_locals.get("self")
        if controller is None and hasattr(owner, "_scheduler_alg"):
            controller = owner
        if frame.f_globals.get("__name__") == "ray.tune.tune" and frame.f_code.co_name == "run":
            space = frame.f_locals.get("config")
            break
        frame = frame.f_back
    scheduler, algorithm = getattr(controller, "_scheduler_alg", None), getattr(controller, "_search_alg", None)
    return Deciders(scheduler, getattr(algorithm, "searcher", algorithm), space)


def reason_of_failure() -> str | None:
    """What the trial raised of which Ray tells that it failed: the exception that came from its process."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - documented, if for debuggers
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        error = frame.f_locals.get("exception")
        if isinstance(error, Exception):
            cause = getattr(error, "cause", None) or error
            return f"{type(cause).__name__}: {cause}"
        frame = frame.f_back
    return None
