"""The schedulers that steer an optimizer: which of them has stepped, and what it is, as the technique of a change."""

from __future__ import annotations

import inspect
import weakref
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.technique import BY_HAND, Technique
from dnnprov.integrations.torch.described import described, in_call
from dnnprov.integrations.torch.library_schedules import library_arguments, library_name
from dnnprov.integrations.torch.living import find_living, find_schedulers
from dnnprov.model.values import json_text, plain_value, same_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dnnprov.integrations.torch.living import Living

INITIAL_RATE = "initial_lrate"
PAPER_NAMES = {"step_size": "epochs_drop", "gamma": "drop_n"}
"""Arguments of StepLR -> attributes of iAdaptation that mean the same in the paper."""

MAX_SEARCHES = 3
"""For one optimizer, whose rate a loop may set by hand in every epoch: each costs a tenth of a second."""

_UNTOLD = frozenset({"optimizer", "last_epoch", "verbose", "schedulers"})

_metrics: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
"""Scheduler that looks at a metric -> the value that it was given last."""


def note_metric(scheduler: Any, metric: Any) -> None:
    """A scheduler was stepped with this value of a metric."""
    _metrics[scheduler] = metric.detach() if hasattr(metric, "detach") else metric


class SchedulerWatch:
    """Knows the schedulers of one optimizer, and how far each has stepped; none of them is kept alive.

    Args:
        optimizer: that they steer.
        living: what is alive now.
        given: schedulers that the user named, for instance of another library.
    """

    def __init__(self, optimizer: Any, living: Living, given: Iterable[Any] = ()) -> None:
        self._optimizer = weakref.ref(optimizer)
        self._known: list[tuple[weakref.ref[Any], int | None]] = []
        self._num_searches = 0
        self._take([*given, *find_schedulers(optimizer, living)])

    def schedulers(self) -> list[Any]:
        """Those that are alive."""
        return [one for reference, _ in self._known if (one := reference()) is not None]

    def stepped(self) -> list[Any]:
        """Those that have stepped since the last call."""
        found, known = [], []
        for reference, before in self._known:
            scheduler = reference()
            if scheduler is not None:
                now = position(scheduler)
                known.append((reference, now))
                if now != before:
                    found.append(scheduler)
        self._known = known
        return found

    def new(self) -> list[Any]:
        """Those that were made since the optimizer was met: asked for where a rate has moved and none has stepped."""
        optimizer = self._optimizer()
        if optimizer is None or self._num_searches >= MAX_SEARCHES:
            return []
        self._num_searches += 1
        before = self.schedulers()
        found = [one for one in find_schedulers(optimizer, find_living()) if not any(one is known for known in before)]
        self._take(found)
        return found

    def _take(self, schedulers: Iterable[Any]) -> None:
        for one in schedulers:
            if not any(one is known for known in self.schedulers()):
                with suppress(TypeError):  # no weak references to it
                    self._known.append((weakref.ref(one), position(one)))


def technique_of(schedulers: list[Any], metrics: Mapping[str, Any]) -> Technique:
    """The technique that changed a learning rate.

    Args:
        schedulers: that stepped before the change; none: a person did it.
        metrics: of the epochs so far, by name, to tell which one a plateau was seen in.
    """
    if not schedulers:
        return BY_HAND
    if len(schedulers) > 1:
        names = " and ".join(dict.fromkeys(scheduler_name(one) for one in schedulers))
        return Technique(names, {}, "schedule", f"{names} act on the same optimizer")
    scheduler = schedulers[0]
    name, parameters = scheduler_name(scheduler), scheduler_parameters(scheduler)
    if scheduler not in _metrics:
        return Technique(name, parameters, "schedule", _reason(scheduler))
    value = plain_value(_metrics[scheduler])
    monitor = next((one for one, known in metrics.items() if _is_near(known, value)), "metric")
    patience = getattr(scheduler, "patience", None)
    reason = f"{monitor} did not improve, patience {patience}"
    return Technique(name, parameters, "schedule", reason, f"{monitor}={value}")


def scheduler_name(scheduler: Any) -> str:
    """What a scheduler is: its class, or the schedule that a library made of a class for any."""
    return library_name(scheduler) or type(scheduler).__name__


def scheduler_parameters(scheduler: Any) -> dict[str, Any]:
    """What a scheduler was made with, as far as it keeps that; of one made of others, these as texts."""
    found = _arguments(scheduler) if library_name(scheduler) is None else library_arguments(scheduler)
    base = vars(scheduler).get("base_lrs")
    if base:
        found[INITIAL_RATE] = plain_value(described(base[0]))
    if type(scheduler).__name__ == "StepLR":
        found.update({PAPER_NAMES[name]: found[name] for name in PAPER_NAMES if name in found})
    parts = vars(scheduler).get("_schedulers")
    if parts:
        found["schedulers"] = ", ".join(_in_words(part) for part in parts)
    return found


def schedule_values(schedulers: list[Any], suffix: str = "") -> dict[str, Any]:
    """What iTrainingModel says of the schedulers of an optimizer."""
    if not schedulers:
        return {}
    configs = [scheduler_parameters(one) for one in schedulers]
    return {
        f"learning_rate_schedule{suffix}": ", ".join(scheduler_name(one) for one in schedulers),
        f"learning_rate_schedule_config{suffix}": json_text(configs[0] if len(configs) == 1 else configs),
    }


def position(scheduler: Any) -> int | None:
    """How often a scheduler has stepped."""
    parts = getattr(scheduler, "_schedulers", None)
    if parts and not hasattr(scheduler, "last_epoch"):
        return sum(position(part) or 0 for part in parts)
    for name in ("last_epoch", "_step_count"):
        value = getattr(scheduler, name, None)
        if isinstance(value, int | float):
            return int(value)
    return None


def _arguments(scheduler: Any) -> dict[str, Any]:
    held = vars(scheduler)
    found = {}
    for name in inspect.signature(type(scheduler).__init__).parameters:
        if name in _UNTOLD or name == "self":
            continue
        names = (name, f"_{name}", f"{name}s", {"lr_lambda": "lr_lambdas", "min_lr": "min_lrs"}.get(name, name))
        value = next((held[one] for one in names if held.get(one) is not None), None)
        if value is not None:
            found[name] = plain_value(_told(value))
    group = scheduler.optimizer.param_groups[0] if getattr(scheduler, "optimizer", None) is not None else {}
    found.update(
        {name: plain_value(group[name]) for name in ("max_lr", "min_lr") if "total_steps" in held and name in group}
    )
    return found


def _told(value: Any) -> Any:
    if isinstance(value, Counter):  # the milestones of MultiStepLR
        value = sorted(value.elements())
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    told = described(value)
    if isinstance(value, list | tuple) and isinstance(told, list) and any(callable(one) for one in value):
        return ", ".join(str(one) for one in told)
    return told


def _in_words(part: Any) -> str:
    inner = ", ".join(f"{name}={in_call(value)}" for name, value in scheduler_parameters(part).items())
    return f"{scheduler_name(part)}({inner})"


def _reason(scheduler: Any) -> str:
    parts, milestones = vars(scheduler).get("_schedulers"), vars(scheduler).get("_milestones")
    if parts and milestones is not None:
        place = sum(scheduler.last_epoch >= milestone for milestone in milestones)
        return f"the schedule {scheduler_name(parts[min(place, len(parts) - 1)])}"
    return f"the schedule {scheduler_name(scheduler)}"


def _is_near(known: Any, value: Any) -> bool:
    if not isinstance(known, int | float) or not isinstance(value, int | float):
        return False
    return same_value(known, value) or abs(known - value) <= 1e-5 * max(abs(known), abs(value))
