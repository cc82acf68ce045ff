"""The optimizers of a Keras model: what they are made with, which rates they train with, what to watch in them.

A model has one optimizer, or a wrapper around one (LossScaleOptimizer), or several (MultiOptimizer, or attributes of a
model with a training step of its own). Of one, the values have their own names; of several, each value has the
optimizer's name behind it: `learning_rate_generator`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from dnnprov.integrations.keras.arguments import argument_names, described, described_text, held_arguments
from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

RATE = "learning_rate"
DECAY = "weight_decay"
PAPERS_DECAY = "decay"
_UNTOLD = frozenset({RATE, "name", "inner_optimizer", "optimizer_map"})


@dataclass(frozen=True)
class OptimizerPart:
    """An optimizer that updates weights itself.

    Attributes:
        optimizer: of Keras or of the user.
        suffix: behind the names of its values: `_generator`, empty where there is one optimizer only.
    """

    optimizer: Any
    suffix: str = ""

    def named(self, name: str) -> str:
        """The attribute of iTrainingModel that holds an argument of this optimizer."""
        return f"{name}{self.suffix}"


def optimizer_parts(model: Any) -> list[OptimizerPart]:
    """The optimizers that update the weights of a model; none where it was not compiled with any."""
    optimizer = getattr(model, "optimizer", None)
    found = [] if optimizer is None else _inner_parts(optimizer)
    others = {
        name: value
        for name, value in vars(model).items()
        if isinstance(value, keras.optimizers.Optimizer) and value is not optimizer and not name.startswith("_")
    }
    for name, other in others.items():
        found += [OptimizerPart(part.optimizer, f"_{name}{part.suffix}") for part in _inner_parts(other)]
    return found


def optimizer_values(model: Any) -> dict[str, Any]:
    """What the optimizers are and were made with, without their learning rates; what is `None` is left out."""
    found: dict[str, Any] = {}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        found["optimizer_name"] = type(_innermost(optimizer)).__name__
        for wrapper in _wrappers(optimizer):
            if not _is_several(wrapper):
                found["optimizer_wrapper"] = type(wrapper).__name__
            found.update(_arguments(wrapper))
    for part in optimizer_parts(model):
        if part.suffix:
            found[part.named("optimizer_name")] = type(part.optimizer).__name__
        found.update({part.named(name): value for name, value in _arguments(part.optimizer).items()})
        schedule = rate_schedule(part.optimizer)
        if schedule is not None:
            found[part.named("learning_rate_schedule")] = schedule_name(schedule)
            found[part.named("learning_rate_schedule_config")] = json_text(schedule_config(schedule))
    return found


def papers_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the paper has another name for, under that name.

    Example:
        >>> papers_names({"momentum": 0.9, "weight_decay": 0.01, "weight_decay_generator": 0.1})
        {'decay': 0.01, 'decay_generator': 0.1}
    """
    return {
        name.replace(DECAY, PAPERS_DECAY, 1): value
        for name, value in values.items()
        if name == DECAY or name.startswith(f"{DECAY}_")
    }


def learning_rates(model: Any) -> dict[str, Any]:
    """The rates as they are now, from the optimizers themselves, without those that cannot be read.

    Reading one waits for the device, so this is for the boundaries of epochs.
    """
    return _rates(optimizer_parts(model))


def unscheduled_values(model: Any) -> dict[str, Any]:
    """What may be changed in the optimizers, by a callback or by hand: rates that no schedule gives, other values.

    A value of `None` is among them, so that a clipping switched on later is seen.
    """
    parts = optimizer_parts(model)
    found = _rates([part for part in parts if rate_schedule(part.optimizer) is None])
    for part in parts:
        for name in argument_names(type(part.optimizer)):
            if name not in _UNTOLD:
                with suppress(Exception):  # no such attribute, or one that raises
                    value = getattr(part.optimizer, name)
                    if value is None or isinstance(value, bool | int | float | str):
                        found[part.named(name)] = value
                    elif isinstance(value, keras.Variable) and len(value.shape) == 0:
                        found[part.named(name)] = _read(value)
    return found


def scheduled_rates(model: Any) -> dict[str, tuple[Any, Any]]:
    """Name of each rate that a schedule gives -> the one that the last step trained with, and the schedule.

    `learning_rates` has the one that the next step will train with.
    """
    found = {}
    for part in optimizer_parts(model):
        schedule = rate_schedule(part.optimizer)
        if schedule is not None:
            with suppress(Exception):  # the schedule is the user's, and may raise anything
                found[part.named(RATE)] = (_trained_rate(part.optimizer, schedule), schedule)
    return found


def trained_rates(model: Any) -> dict[str, Any]:
    """The rates that the last step trained with."""
    return {**learning_rates(model), **{name: rate for name, (rate, _) in scheduled_rates(model).items()}}


def rate_schedule(optimizer: Any) -> Any | None:
    """The schedule or function inside an optimizer that gives its rate; `None` where the rate is a value."""
    # Keras shows the schedule only in its serialised form, which leaves out functions.
    rate = getattr(_innermost(optimizer), "_learning_rate", None)
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return rate
    return rate if callable(rate) and not isinstance(rate, keras.Variable) else None


def schedule_name(schedule: Any) -> str:
    """Class of a schedule, or the name of a function."""
    return str(getattr(schedule, "__name__", type(schedule).__name__))


def schedule_config(schedule: Any) -> dict[str, Any]:
    """What a schedule was made with, as JSON can hold it."""
    held = {name: value for name, value in held_arguments(schedule).items() if name != "name"}
    return {name: described(value) for name, value in held.items() if value is not None}


def _inner_parts(optimizer: Any) -> list[OptimizerPart]:
    innermost = _innermost(optimizer)
    if not _is_several(innermost):
        return [OptimizerPart(innermost)]
    optimizers = list(innermost.optimizers)
    return [OptimizerPart(one, f"_{name}") for one, name in zip(optimizers, _distinct_names(optimizers), strict=True)]


def _distinct_names(optimizers: list[Any]) -> list[str]:
    """Names of several optimizers. Keras numbers those it makes up through the process: here they begin anew."""
    found: list[str] = []
    for one in optimizers:
        own = str(one.name)
        made_up = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(one).__name__).lower()
        stem = made_up if re.fullmatch(rf"{re.escape(made_up)}(_\d+)?", own) else own
        number = sum(re.fullmatch(rf"{re.escape(stem)}(_\d+)?", name) is not None for name in found)
        found.append(f"{stem}_{number + 1}" if number else stem)
    return found


def _wrappers(optimizer: Any) -> list[Any]:
    """The optimizers around the innermost, the outermost first, and that itself where it is several."""
    found: list[Any] = []
    while (inner := _wrapped(optimizer)) is not None and len(found) < _MAX_WRAPPERS:
        found.append(optimizer)
        optimizer = inner
    return [*found, optimizer] if _is_several(optimizer) else found


_MAX_WRAPPERS = 8


def _innermost(optimizer: Any) -> Any:
    for _ in range(_MAX_WRAPPERS):
        inner = _wrapped(optimizer)
        if inner is None:
            break
        optimizer = inner
    return optimizer


def _wrapped(optimizer: Any) -> Any | None:
    for name in ("inner_optimizer", "optimizer", "_optimizer"):
        inner = getattr(optimizer, name, None)
        if isinstance(inner, keras.optimizers.Optimizer) and inner is not optimizer:
            return inner
    return None


def _is_several(optimizer: Any) -> bool:
    return isinstance(getattr(optimizer, "optimizers", None), list | tuple)


def _arguments(optimizer: Any) -> dict[str, Any]:
    held = held_arguments(optimizer)
    if not type(optimizer).__module__.startswith("keras.") and not _wrappers(optimizer):
        held = {**_own_config(optimizer), **held}
    if not held.get("use_ema"):
        held = {name: value for name, value in held.items() if not name.startswith("ema_")}
    told = {
        name: value
        for name, value in held.items()
        if value is not None and name not in _UNTOLD and not isinstance(value, keras.optimizers.Optimizer)
    }
    return {name: described_text(value) for name, value in told.items()}


def _own_config(optimizer: Any) -> dict[str, Any]:
    """The configuration that an optimizer of the user's tells, which may name values as its constructor does not."""
    if rate_schedule(optimizer) is not None:
        return {}  # Keras would serialise it, for which it imports TensorFlow
    with suppress(Exception):
        return dict(optimizer.get_config())
    return {}


def _rates(parts: list[OptimizerPart]) -> dict[str, Any]:
    found = {}
    for part in parts:
        with suppress(Exception):  # an optimizer of the user's may have no rate, or none that can be read
            found[part.named(RATE)] = _read(part.optimizer.learning_rate)
    return found


def _trained_rate(optimizer: Any, schedule: Any) -> Any:
    if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return _read(optimizer.learning_rate)
    # The public `iterations` counts whole updates where gradients are accumulated; Keras asks its schedule with this.
    step = int(keras.ops.convert_to_numpy(optimizer._iterations.value))  # noqa: SLF001
    return _read(schedule(max(step - 1, 0)))


def _read(rate: Any) -> Any:
    # Keras reads a variable through a protocol that makes NumPy 2 warn, its tensor not.
    return keras.ops.convert_to_numpy(rate.value if isinstance(rate, keras.Variable) else rate)
