"""Names what changed a learning rate or another value of an optimizer in Keras, with the parameters that it had."""

from __future__ import annotations

import ast
import inspect
import struct
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeGuard

import keras

from dnnprov.integrations.keras.arguments import described_text, held_arguments
from dnnprov.integrations.keras.optimizers import schedule_config
from dnnprov.integrations.technique import BY_HAND, Technique
from dnnprov.model.tensors import shortest_float
from dnnprov.model.values import plain_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

INITIAL_RATE = "initial_lrate"
PAPER_NAMES = {"drop": "drop_n", "n": "epochs_drop", "m": "drop_n", "initial_learning_rate": INITIAL_RATE}
"""How people call the constants of a schedule function -> attribute of iAdaptation."""


def technique_of_callback(callback: Any, initial_rate: Any, epoch: int | None, logs: Mapping[str, Any]) -> Technique:
    """The technique that a callback is.

    Args:
        callback: that changed a value of the optimizer.
        initial_rate: that the training began with.
        epoch: Keras' index of the epoch that it ended, `None` in another hook.
        logs: what Keras gave it: a callback that monitors a metric found its value there.
    """
    parameters = {INITIAL_RATE: initial_rate, **_arguments(callback)}
    reason = triggered_by = None
    if isinstance(callback, keras.callbacks.LearningRateScheduler):
        parameters.update(_schedule_parameters(callback.schedule))
        reason = f"the schedule {parameters['schedule']}"
    monitor = getattr(callback, "monitor", None)
    if isinstance(monitor, str) and monitor in logs:
        triggered_by = f"{monitor}={number_text(logs[monitor])}"
        patience = getattr(callback, "patience", None)
        if patience is not None and epoch is not None:
            reason = f"{monitor} did not improve until epoch {epoch + 1}, patience {patience}"
    return Technique(type(callback).__name__, parameters, "callback", reason, triggered_by)


def technique_of_schedule(schedule: Any, others: Mapping[str, Any] | None = None) -> Technique:
    """The technique that a schedule inside the optimizer is.

    Args:
        schedule: a LearningRateSchedule, or a function that the optimizer asks for its rate.
        others: where several optimizers follow schedules of one class, all of them, by what is put behind the names of
            their parameters.
    """
    if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return Technique(_function_name(schedule), _schedule_parameters(schedule), "schedule")
    named = others if others and len(others) > 1 else {"": schedule}
    parameters = {
        f"{name}{suffix}": value for suffix, one in named.items() for name, value in _configuration(one).items()
    }
    return Technique(type(schedule).__name__, parameters, "schedule", "follows the steps of the optimizer")


def technique_in_epoch(candidates: list[Any], initial_rate: Any) -> Technique:
    """Who changed a value between begin and end of an epoch: the callbacks at work there, else a person."""
    if not candidates:
        return BY_HAND
    if len(candidates) == 1:
        return technique_of_callback(candidates[0], initial_rate, None, {})
    names = " or ".join(dict.fromkeys(type(one).__name__ for one in candidates))
    return Technique(names, {INITIAL_RATE: initial_rate}, "callback", "several callbacks were at work in the epoch")


def number_text(value: Any) -> str:
    """A metric's value in the fewest digits that still mean the same number.

    Example:
        >>> number_text(0.3100000023841858), number_text(0.31), number_text("n/a")
        ('0.31', '0.31', 'n/a')
    """
    if not isinstance(value, float):
        return str(value)
    with suppress(OverflowError):
        if struct.unpack("f", struct.pack("f", value))[0] == value:
            return repr(shortest_float(value, "float32"))
    return repr(value)


def _configuration(schedule: Any) -> dict[str, Any]:
    return {
        INITIAL_RATE if name == "initial_learning_rate" else name: plain_value(value)
        for name, value in schedule_config(schedule).items()
    }


def _arguments(callback: Any) -> dict[str, Any]:
    """The constructor's arguments of a callback, as far as it keeps them as plain values under their names."""
    held = {name: value for name, value in held_arguments(callback).items() if name != "verbose"}
    if _is_number(minimum := held.get("min_delta")):
        held["min_delta"] = abs(minimum)  # Keras gives it the sign of the direction when it first compares
    return {
        name: described_text(value)
        for name, value in held.items()
        if isinstance(value, bool | int | float | str | list | tuple)
    }


def _schedule_parameters(schedule: Callable[..., Any]) -> dict[str, Any]:
    """Name of a schedule function, and the constants it works with, as far as they can be read."""
    found: dict[str, Any] = {}
    with suppress(Exception):  # any object may be a schedule; one that cannot be read is recorded by its name alone
        found.update(_source_constants(schedule))
    with suppress(Exception):
        found.update(_bound_values(schedule))
    plain = {PAPER_NAMES.get(name.lower(), name.lower()): value for name, value in found.items() if _is_number(value)}
    return {**plain, "schedule": _function_name(schedule)}


def _bound_values(schedule: Any) -> dict[str, Any]:
    """What a function closes over, takes by default or, as a partial or a callable object, holds."""
    if hasattr(schedule, "func") and hasattr(schedule, "keywords"):
        return {**_bound_values(schedule.func), **schedule.keywords}
    if not inspect.isroutine(schedule):
        return dict(vars(schedule))
    defaults = {name: parameter.default for name, parameter in inspect.signature(schedule).parameters.items()}
    closed_over = inspect.getclosurevars(schedule)
    return {**defaults, **closed_over.globals, **closed_over.nonlocals}


def _source_constants(schedule: Any) -> dict[str, Any]:
    """Numbers that a function's own source gives to a name: `drop = 0.5`, as the paper's step decay does."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(schedule)))
    if not isinstance(tree.body[0], ast.FunctionDef):
        return {}
    return {
        target.id: statement.value.value
        for statement in tree.body[0].body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _function_name(function: Any) -> str:
    inner = getattr(function, "func", function)
    name = getattr(inner, "__qualname__", None) or type(inner).__name__
    return str(name).rpartition("<locals>.")[2]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
