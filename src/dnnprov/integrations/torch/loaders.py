"""What a DataLoader tells of itself: batch size, shuffling, workers, and how much there is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from torch.utils.data import IterableDataset, RandomSampler, SequentialSampler, SubsetRandomSampler

MAX_SAMPLERS = 4
_SEQUENTIAL = (SequentialSampler,)


def loader_values(loader: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a training is fed with.

    Returns:
        How (batch size, shuffling, workers), and on how much: that is no property of the model.
    """
    how = {
        "batch_size": _batch_size(loader),
        "shuffle": _shuffles(loader),
        "sampler": _sampler_name(loader),
        "num_workers": loader.num_workers,
        "drop_last": bool(loader.drop_last),
        "pin_memory": bool(loader.pin_memory),
    }
    on_what = {"num_samples": num_samples(loader), "steps_per_epoch": num_batches(loader)}
    return _known(how), _known(on_what)


def num_samples(loader: Any) -> int | None:
    """How many samples the data set has, or the part of it that is drawn from; `None` where it does not say."""
    if isinstance(loader.dataset, IterableDataset):
        return None
    with suppress(Exception):  # the data set is the user's
        sampler = _innermost_sampler(loader)
        return len(sampler if isinstance(sampler, SubsetRandomSampler) else loader.dataset)
    return None


def num_batches(loader: Any) -> int | None:
    """How many batches a whole pass has; `None` where that is not known."""
    if isinstance(loader.dataset, IterableDataset):
        return None  # asking for it would make PyTorch check the length, and warn of it
    with suppress(Exception):  # the sampler may be the user's
        return len(loader)
    return None


def _batch_size(loader: Any) -> int | None:
    size = loader.batch_size
    if size is None:
        size = getattr(loader.batch_sampler, "batch_size", None)
    return size if type(size) is int else None


def _shuffles(loader: Any) -> bool | None:
    sampler = _innermost_sampler(loader)
    if isinstance(sampler, RandomSampler | SubsetRandomSampler):
        return True
    if isinstance(sampler, _SEQUENTIAL):
        return False
    shuffle = getattr(sampler, "shuffle", None)  # DistributedSampler
    return shuffle if isinstance(shuffle, bool) else None


def _sampler_name(loader: Any) -> str | None:
    if isinstance(loader.dataset, IterableDataset):
        return None
    is_own = loader.batch_sampler is not None and not type(loader.batch_sampler).__module__.startswith("torch.")
    if is_own and _innermost_sampler(loader) is loader.batch_sampler:
        return type(loader.batch_sampler).__name__
    return type(_innermost_sampler(loader)).__name__


def _innermost_sampler(loader: Any) -> Any:
    """What decides on the order; `loader.sampler` says nothing where a batch sampler was given."""
    sampler = loader.batch_sampler
    for _ in range(MAX_SAMPLERS):  # Accelerate puts its own around that of a rank
        inner = getattr(sampler, "batch_sampler", None) or getattr(sampler, "sampler", None)
        if inner is None:
            break
        sampler = inner
    return loader.sampler if sampler is None else sampler


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
