"""What the trainers built on PyTorch train with, read from modules, DataLoaders, and what scripts state."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.metric_names import flat
from dnnprov.model.values import json_text, plain_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_TEXT = 10_000
"""What takes more than so many characters to say is no hyperparameter."""

MAX_SAMPLERS = 5
_SECRET = ("token", "password", "secret", "api_key")


def plain_parameters(values: Any) -> dict[str, Any]:
    """Hyperparameters as a table can hold them: of nested ones each, without objects, long texts and secrets.

    Args:
        values: a mapping or a namespace.
    """
    mapping = dict(values) if hasattr(values, "keys") else dict(vars(values))
    kept: dict[str, Any] = {}
    for name, value in flat(mapping).items():
        if any(word in str(name).lower() for word in _SECRET) or str(name).startswith("_"):
            continue
        if value is None or isinstance(value, bool | int | float):
            kept[str(name)] = value
        elif isinstance(value, str | list | tuple | set) and len(value) <= MAX_TEXT:
            text = value if isinstance(value, str) else json_text(plain_value(list(value)))
            if text is not None and len(text) <= MAX_TEXT:
                kept[str(name)] = text
    return {name: value for name, value in kept.items() if value is not None}


def size_values(module: Any) -> dict[str, Any]:
    """What the module itself tells: the number of its parameters, its losses, its dropout where it has one rate."""
    found: dict[str, Any] = {}
    with suppress(Exception):  # a parameter that is not there yet has no size
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in module.parameters()]
        found["num_parameters"] = sum(size for size, _ in sizes)
        found["num_trainable_parameters"] = sum(size for size, is_trained in sizes if is_trained)
    kinds = [(type(one), one) for one in module.modules()]
    losses = [kind.__name__ for kind, _ in kinds if kind.__module__ == "torch.nn.modules.loss"]
    if losses:
        found["loss_function"] = ", ".join(dict.fromkeys(losses))
    rates = {one.p for kind, one in kinds if kind.__module__ == "torch.nn.modules.dropout"}
    if len(rates) == 1:
        found["dropout"] = float(rates.pop())
    return found


def loader_values(loader: Any) -> dict[str, Any]:
    """How a DataLoader hands out its data."""
    found = read(loader, ("batch_size", "num_workers", "drop_last"))
    sampler = loader
    for _ in range(
        MAX_SAMPLERS
    ):  # that of a batch sampler is the one that is asked, and ranks each have theirs around it
        inner = getattr(sampler, "batch_sampler", None) or getattr(sampler, "sampler", None)
        if inner is None:
            break
        sampler = inner
    kind = type(sampler).__name__
    if kind.endswith(("RandomSampler", "SequentialSampler")):
        found["shuffle"] = kind.endswith("RandomSampler")
    elif isinstance(shuffle := getattr(sampler, "shuffle", None), bool):
        found["shuffle"] = shuffle
    return found


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
