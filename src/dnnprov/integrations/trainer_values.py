"""What the trainers built on PyTorch train with, read from modules, DataLoaders, and what scripts state."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.metric_names import flat
from dnnprov.integrations.torch.loaders import loader_values
from dnnprov.integrations.torch.losses import criterion_config
from dnnprov.model.values import json_text, plain_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_TEXT = 10_000
"""What takes more than so many characters to say is no hyperparameter."""

_SECRET = ("token", "password", "secret", "api_key")


def plain_parameters(values: Any) -> dict[str, Any]:
    """Hyperparameters as a table can hold them: of nested ones each, without objects, long texts and secrets.

    Args:
        values: a mapping or a namespace.
    """
    mapping = dict(values) if hasattr(values, "keys") else dict(vars(values))
    kept: dict[str, Any] = {}
    for name, value in mapping.items():
        with suppress(Exception):  # one that holds itself, or that cannot be read, costs only itself
            kept.update(_plain_values({str(name): value}))
    return kept


def _plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in flat(values).items():
        if any(word in name.lower() for word in _SECRET) or name.startswith("_"):
            continue
        if value is None or isinstance(value, bool | int | float):
            kept[name] = value
        elif isinstance(value, str | list | tuple | set) and len(value) <= MAX_TEXT:
            text = value if isinstance(value, str) else json_text(plain_value(list(value)))
            if text is not None and len(text) <= MAX_TEXT:
                kept[name] = text
    return {name: value for name, value in kept.items() if value is not None}


def loss_values(module: Any) -> dict[str, Any]:
    """The losses among the parts of a module: their classes, and what they were made with."""
    losses = [one for one in module.modules() if type(one).__module__ == "torch.nn.modules.loss"]
    if not losses:
        return {}
    configs = [criterion_config(one) for one in losses]
    config = configs[0] if len(configs) == 1 else configs
    names = dict.fromkeys(type(one).__name__ for one in losses)
    return {"loss_function": ", ".join(names), "loss_config": json_text(config)}


def fed_with(loader: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """How a training is fed, and on how much, as `loader_values` reads it; nothing of what is no DataLoader."""
    with suppress(Exception):  # a Trainer takes whatever can be gone through
        return loader_values(loader)
    return {}, {}


def data_counts(loaders: Any, num_batches: Any) -> dict[str, Any]:
    """How many samples and batches there are, where the data say so without being read."""
    samples = None
    with suppress(Exception):  # the data are the user's, and may raise anything
        samples = sum(len(one.dataset) for one in all_loaders(loaders))
    batches = sum(num_batches) if isinstance(num_batches, list) else num_batches
    return {"num_samples": samples or None, "num_batches": finite(batches)}


def all_loaders(loaders: Any) -> list[Any]:
    """The DataLoaders in what a Trainer was given: one, a list, a dict, or a CombinedLoader of them."""
    if isinstance(loaders, dict):
        return [one for value in loaders.values() for one in all_loaders(value)]
    if isinstance(loaders, list | tuple):
        return [one for value in loaders for one in all_loaders(value)]
    flattened = getattr(loaders, "flattened", None)
    return all_loaders(flattened) if isinstance(flattened, list) else [loaders]


def first_loader(loaders: Any) -> Any:
    """The first DataLoader of several."""
    return next(iter(all_loaders(loaders)), None)


def finite(number: Any) -> int | None:
    """A count; `None` for one without end."""
    return int(number) if isinstance(number, int | float) and number != float("inf") else None


def read(thing: Any, names: Iterable[str], usual: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Attributes as plain values; what is not there is left out.

    Args:
        thing: that has them; what a property of it raises costs that value.
        names: of the attributes.
        usual: values that say that nothing was asked for, which are left out too.
    """
    found = {}
    for name in names:
        with suppress(Exception):  # a property may raise anything
            value = plain_value(getattr(thing, name))
            if value is not None and (usual is None or value != usual.get(name)):
                found[name] = value
    return found


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not `None`."""
    return {name: value for name, value in values.items() if value is not None}
