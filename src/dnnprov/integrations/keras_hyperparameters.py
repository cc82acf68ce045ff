"""The hyperparameters of a Keras training, read from the compiled model."""

from __future__ import annotations

from typing import Any

import keras

from dnnprov.integrations.keras_layers import all_layers

RENAMED = {"weight_decay": "decay"}
"""Name in an optimizer's configuration -> attribute of iTrainingModel."""


def hyperparameters(model: Any, batch_size: int | None) -> dict[str, Any]:
    """What the training begins with, without the learning rate and the number of epochs.

    Args:
        model: compiled.
        batch_size: where it is known.
    """
    layers = all_layers(model)
    found = {
        "optimizer_name": type(inner_optimizer(model.optimizer)).__name__,
        "batch_size": batch_size,
        "num_layers": len(layers),
        "num_parameters": model.count_params() if model.built else None,
        "loss_function": loss_name(model.loss),
        "dropout": the_dropout(layers),
        "learning_rate_schedule": _schedule_name(model.optimizer),
        **optimizer_values(inner_optimizer(model.optimizer)),
    }
    return {name: value for name, value in found.items() if value is not None}


def learning_rates(optimizer: Any) -> dict[str, Any]:
    """The rate as it is now, from the optimizer itself; one for each of several optimizers.

    Reading it waits for the device, so this is for the boundaries of epochs.
    """
    inner = getattr(optimizer, "optimizers", None)
    if inner is None:
        return {"learning_rate": _read(optimizer.learning_rate)}
    return {f"learning_rate_{one.name}": _read(one.learning_rate) for one in inner}


def trained_rates(optimizer: Any) -> dict[str, Any]:
    """The rate that the last step trained with; `learning_rates` has the one that the next step will."""
    schedule, inner = rate_schedule(optimizer), inner_optimizer(optimizer)
    if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return learning_rates(optimizer)
    # The public `iterations` counts whole updates where gradients are accumulated; Keras asks its schedule with this.
    step = int(keras.ops.convert_to_numpy(inner._iterations.value))  # noqa: SLF001
    return {"learning_rate": _read(schedule(max(step - 1, 0)))}


def rate_schedule(optimizer: Any) -> Any | None:
    """The schedule or function inside an optimizer that gives its rate; `None` where the rate is a value."""
    # Keras shows the schedule only in its serialised form, which leaves out functions.
    rate = getattr(inner_optimizer(optimizer), "_learning_rate", None)
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return rate
    return rate if callable(rate) and not isinstance(rate, keras.Variable) else None


def inner_optimizer(optimizer: Any) -> Any:
    """The optimizer that a loss-scaling one wraps, else itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def optimizer_values(optimizer: Any) -> dict[str, float]:
    """Numbers and switches of an optimizer's configuration: momentum, beta_1, epsilon, ..."""
    config = optimizer.get_config()
    return {
        RENAMED.get(name, name): value
        for name, value in config.items()
        if isinstance(value, bool | int | float)
        and name != "learning_rate"
        and (not name.startswith(("use_ema", "ema_")) or config.get("use_ema"))
    }


def loss_name(loss: Any) -> str | None:
    """Name of a loss: the text it was given as, a loss object's or function's name; several of them joined.

    Example:
        >>> loss_name("mse"), loss_name(keras.losses.Hinge()), loss_name({"a": "mse", "b": max})
        ('mse', 'hinge', 'a: mse, b: max')
    """
    if loss is None or isinstance(loss, str):
        return loss
    if isinstance(loss, dict):
        return ", ".join(f"{output}: {loss_name(one)}" for output, one in loss.items())
    if isinstance(loss, list | tuple):
        return ", ".join(str(loss_name(one)) for one in loss)
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or type(loss).__name__)


def the_dropout(layers: list[Any]) -> float | None:
    """The dropout rate where all Dropout layers have the same; `None` where there is none or they differ."""
    rates = {layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)}
    return float(rates.pop()) if len(rates) == 1 else None


def _schedule_name(optimizer: Any) -> str | None:
    schedule = rate_schedule(optimizer)
    return None if schedule is None else str(getattr(schedule, "__name__", type(schedule).__name__))


def _read(rate: Any) -> Any:
    # Keras reads a variable through a protocol that makes NumPy 2 warn, its tensor not.
    return keras.ops.convert_to_numpy(rate.value if isinstance(rate, keras.Variable) else rate)
