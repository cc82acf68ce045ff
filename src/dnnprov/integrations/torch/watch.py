"""`dnnprov.torch.watch`: says which model, optimizer and scheduler train, for those who rather say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from dnnprov.errors import UsageError, shorter
from dnnprov.integrations.autologging import default_dataflow
from dnnprov.integrations.finishing_block import FinishingBlock
from dnnprov.integrations.run_choice import RunChoice
from dnnprov.integrations.torch.activation import put_hooks_in_place
from dnnprov.integrations.torch.living import unwrapped
from dnnprov.integrations.torch.loops import Given, given
from dnnprov.integrations.torch.recordings import begin_recording

if TYPE_CHECKING:
    from dnnprov.capture.run import Run
    from dnnprov.model.events import RunStatus


class Watch(FinishingBlock):
    """A training that the user named, and a context manager; made by `watch`."""

    def __init__(self, models: list[Any], optimizers: list[Any], schedulers: list[Any], choice: RunChoice) -> None:
        self._recording = begin_recording(models[0], choice)
        for optimizer in optimizers:
            own = [one for one in schedulers if getattr(one, "optimizer", optimizer) is optimizer]
            given[optimizer] = Given(models, own, self._recording)

    @property
    def run(self) -> Run | None:
        """The run recorded into; `None` before the first step of an optimizer."""
        return self._recording.steps.run

    def log_epoch(self, epoch: float | None = None, /, **metrics: Any) -> None:
        """Record that an epoch is over, with metrics that only the loop knows.

        Args:
            epoch: its number, as you count; the one behind the last, where it is left out.
            metrics: name -> value. A value on a device is read here, which waits for it.
        """
        steps = self._recording.steps
        with steps.guarded("torch log_epoch"):
            if steps.run is not None:
                steps.run.log_epoch(epoch, **metrics)

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """End the training, and the run where it is the watch's own; otherwise they end with the model or the process.

        Args:
            status: `finished` where it is left out.
            reason: why, in words.
        """
        self._recording.finish(status, reason)


def watch(
    model: Any,
    optimizer: Any,
    scheduler: Any = None,
    dataflow: str | None = None,
    params: Mapping[str, Any] | None = None,
    run: Run | None = None,
) -> Watch:
    """Record what these train in a loop of your own, with `dnnprov.autolog()` or without.

    The Training task begins with the first step of an optimizer. Each pass over a DataLoader in which one steps is an
    epoch.

    Args:
        model: that trains, or several.
        optimizer: that trains it, or several: each after the first has a suffix behind the names of its values.
        scheduler: that steers an optimizer, or several; those of PyTorch are found by themselves.
        dataflow: tag of a run of our own; the name of the script where it is left out.
        params: hyperparameters that you state; they win over what PyTorch knows.
        run: to record into, instead of the one that encloses the training, or one of our own.

    Returns:
        A context manager; using it as one ends the training where the block ends.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.

    Example:
        ```python
        import torch

        model = torch.nn.Linear(4, 1)
        optimizer = torch.optim.Adam(model.parameters())
        with dnnprov.torch.watch(model, optimizer, dataflow="line") as watch:
            for epoch in range(1, 4):
                optimizer.zero_grad()
                loss = (model(torch.ones(8, 4)) - 1).pow(2).mean()
                loss.backward()
                optimizer.step()
                watch.log_epoch(epoch, val_accuracy=0.5)
        ```
    """
    models = [unwrapped(one) for one in _several("model", model, torch.nn.Module, "an nn.Module, or several")]
    optimizers = _several("optimizer", optimizer, None, "an optimizer with param_groups, or several")
    for one in optimizers:
        if not hasattr(one, "param_groups"):
            raise UsageError(f"optimizer: a {type(one).__name__} has no param_groups; expected an optimizer of PyTorch")
    schedulers = [] if scheduler is None else _several("scheduler", scheduler, None, "a scheduler, or several")
    choice = RunChoice(default_dataflow() if dataflow is None else dataflow, params, run=run)
    put_hooks_in_place()
    return Watch(models, optimizers, schedulers, choice)


def _several(name: str, value: Any, kind: type | None, expected: str) -> list[Any]:
    is_one = isinstance(value, torch.nn.Module | torch.optim.Optimizer) or not isinstance(value, Iterable | Mapping)
    found = [value] if is_one else list(value.values() if isinstance(value, Mapping) else value)
    if not found or any(kind is not None and not isinstance(one, kind) for one in found):
        shown = f"{name}={shorter(value)}" if isinstance(value, str | int | float | list | None) else name
        raise UsageError(f"{shown} is a {type(value).__name__}; expected {expected}")
    return found
