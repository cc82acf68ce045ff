"""The hyperparameters of a Keras training, read from the compiled model and from the arguments of `fit`."""

from __future__ import annotations

import functools
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import keras

from dnnprov.integrations.keras.arguments import described, described_text, held_arguments
from dnnprov.integrations.keras.data import feeding_values
from dnnprov.integrations.keras.layer_tree import all_layers
from dnnprov.integrations.keras.optimizers import optimizer_values
from dnnprov.model.values import json_text, plain_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

COMPILED = ("jit_compile", "run_eagerly", "steps_per_execution")
"""Arguments of `compile` that a model keeps under their names."""


def hyperparameters(model: Any, batch_size: int | None) -> dict[str, Any]:
    """What the training begins with, without the learning rate and the number of epochs.

    What cannot be read, or is not there, is left out.

    Args:
        model: compiled.
        batch_size: where it is known.
    """
    found: dict[str, Any] = {"batch_size": batch_size}
    for part in (optimizer_values, _compile_values, model_values):
        with suppress(Exception):  # optimizer, loss and layers are the user's, and may raise anything
            found.update(part(model))
    return {name: value for name, value in found.items() if value is not None}


def fit_values(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `fit` was called with, and what of that is no property of the model, so that another value is no adaptation.

    Args:
        arguments: of the `fit`, as `find_fit_arguments` finds them.

    Returns:
        How it trains (class weights, shuffling), and how long and on what (epochs, steps, samples, validation).
    """
    if not arguments:
        return {}, {}
    class_weight = arguments.get("class_weight")
    how = {
        "shuffle": arguments.get("shuffle"),
        "class_weight": None if not class_weight else json_text({str(k): v for k, v in class_weight.items()}),
        "sample_weight": arguments.get("sample_weight") is not None or None,
        **feeding_values(arguments.get("x")),
    }
    validation = arguments.get("validation_data")
    epoch_iterator = arguments.get("epoch_iterator")
    on_what = {
        "num_samples": _num_samples(arguments.get("x"), epoch_iterator),
        "initial_epoch": arguments.get("initial_epoch"),
        "steps_per_epoch": arguments.get("steps_per_epoch") or _positive(getattr(epoch_iterator, "num_batches", None)),
        "validation_split": arguments.get("validation_split") or None,
        "validation": _validation(arguments),
        "num_validation_samples": None if validation is None else _num_samples(_first(validation), None),
        "validation_steps": arguments.get("validation_steps"),
        "validation_batch_size": arguments.get("validation_batch_size"),
        "validation_freq": None if validation is None else arguments.get("validation_freq"),
    }
    return _known(how), _known(on_what)


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


def loss_config(loss: Any) -> str | None:
    """What loss objects were made with, as JSON; `None` for names and functions.

    Example:
        >>> loss_config(keras.losses.Huber(delta=0.5))
        '{"delta": 0.5, "reduction": "sum_over_batch_size"}'
    """
    if isinstance(loss, keras.losses.Loss):
        held = {name: described(value) for name, value in held_arguments(loss).items() if name not in {"name", "dtype"}}
        return json_text(_known(held)) or None
    if isinstance(loss, dict | list | tuple):
        objects = [one for one in keras.tree.flatten(loss) if isinstance(one, keras.losses.Loss)]
        return json_text(described(loss)) if objects else None
    return None


def the_dropout(layers: Iterable[Any]) -> float | None:
    """The dropout rate where all Dropout layers have the same; `None` where there is none or they differ."""
    kinds = (keras.layers.Dropout, keras.layers.AlphaDropout, keras.layers.GaussianDropout)
    rates = {layer.rate for layer in layers if isinstance(layer, kinds)}
    return float(rates.pop()) if len(rates) == 1 else None


def model_values(model: Any) -> dict[str, Any]:
    """What the model itself tells; the number of its parameters only where it is built."""
    layers = all_layers(model)
    found = {"num_layers": len(layers), "dropout": the_dropout(layers)}
    with suppress(Exception):
        found["dtype_policy"] = model.dtype_policy.name
    if model.built:
        found["num_parameters"] = model.count_params()
        found["num_trainable_parameters"] = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return found


def _compile_values(model: Any) -> dict[str, Any]:
    loss = getattr(model, "loss", None)
    config = getattr(getattr(model, "_compile_config", None), "config", None) or {}  # what `compile` was given
    readers: dict[str, Callable[[], Any]] = {
        "loss_function": lambda: loss_name(loss),
        "loss_config": lambda: loss_config(loss),
        "loss_weights": lambda: described_text(config.get("loss_weights")),
        "metrics": lambda: _metric_names(config.get("metrics")),
        "weighted_metrics": lambda: _metric_names(config.get("weighted_metrics")),
        **{name: functools.partial(getattr, model, name, None) for name in COMPILED},
    }
    found = {}
    for name, read in readers.items():
        with suppress(Exception):  # a loss or metric of the user's may raise anything
            found[name] = plain_value(read())
    return found


def _metric_names(metrics: Any) -> str | None:
    """Names of metrics as `compile` was given them, those of several outputs by output."""
    if not metrics:
        return None
    if isinstance(metrics, dict):
        return ", ".join(f"{output}: {_one_output(one)}" for output, one in metrics.items())
    return ", ".join(_one_output(one) for one in metrics)


def _one_output(metrics: Any) -> str:
    if isinstance(metrics, list | tuple) and len(metrics) == 1:  # as older versions keep a single one
        return _one_output(metrics[0])
    if isinstance(metrics, list | tuple):
        return f"[{', '.join(str(loss_name(one)) for one in metrics)}]"
    return str(loss_name(metrics))


def _validation(arguments: Mapping[str, Any]) -> str:
    if arguments.get("validation_split"):
        return "split"
    return "none" if arguments.get("validation_data") is None else "data"


def _num_samples(data: Any, epoch_iterator: Any) -> int | None:
    """How many examples there are, where the data say so without being read."""
    known = getattr(getattr(epoch_iterator, "data_adapter", None), "_num_samples", None)
    if type(known) is int:
        return known
    with suppress(Exception):  # the data are the user's, and may raise anything
        shapes = [one.shape for one in keras.tree.flatten(data) if getattr(one, "shape", None)]
        if shapes and isinstance(shapes[0][0], int):
            return int(shapes[0][0])
        dataset = getattr(data, "dataset", None)  # of a PyTorch DataLoader
        return None if dataset is None else len(dataset)
    return None


def _first(validation: Any) -> Any:
    return validation[0] if isinstance(validation, list | tuple) and validation else validation


def _positive(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
