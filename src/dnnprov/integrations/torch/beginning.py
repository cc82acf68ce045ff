"""What is known of a training when its first optimizer makes its first step, handed to the steps that record it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from dnnprov.integrations.torch.accelerator import values_in_pass
from dnnprov.integrations.torch.data import record_data
from dnnprov.integrations.torch.files import use_files
from dnnprov.integrations.torch.layers import layer_rows, model_values
from dnnprov.integrations.torch.loaders import loader_values
from dnnprov.integrations.torch.losses import criterion_config
from dnnprov.integrations.torch.optimizers import optimizer_names, other_names, starting_values
from dnnprov.integrations.torch.schedulers import schedule_values
from dnnprov.integrations.torch.training import LoopTraining
from dnnprov.integrations.torch.transforms import filter_rows
from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.integrations.torch.recordings import ModelRecording
    from dnnprov.integrations.torch.trained_optimizer import TrainedOptimizer


@dataclass(frozen=True)
class FirstStep:
    """What was seen around the first step of an optimizer.

    Attributes:
        optimizer: that made it.
        models: that it trains.
        loader: whose pass it was in.
        function: of `torch.nn.functional` that the loss came from, as far as its graph tells.
        criterions: modules of `torch.nn` that were called for these.
        extras: further hyperparameters that were seen on the way: of scaling, of clipping.
    """

    optimizer: Any
    models: list[Any]
    loader: Any | None
    function: str | None
    criterions: list[Any]
    extras: Mapping[str, Any] = field(default_factory=dict)


def begin_training(recording: ModelRecording, trained: TrainedOptimizer, first: FirstStep) -> LoopTraining:
    """Begin the Training task; what cannot be read costs that value, not the task."""
    steps, models, loader = recording.steps, first.models, first.loader
    parameters, first_only = _parameters(recording, trained, first)
    dataset = None if loader is None else loader.dataset
    steps.begin_training(
        parameters,
        models[0] if models else None,
        functools.partial(layer_rows, models) if models else None,
        first_only,
        list if dataset is None else functools.partial(filter_rows, dataset),
    )
    training = LoopTraining(steps, models)
    training.join(trained, [])
    recording.training = training
    task = steps.training
    if task is not None:
        task.run.expect_end(task, "finished")  # a loop does not say when it is over
        task.run.before_finish(training.settle)
        task.run.hear_epochs(training.log_epoch)
        with steps.guarded("torch data"):
            if loader is not None:
                record_data(task, loader)
        with steps.guarded("torch files"):
            use_files(task, models)
    return training


def join_training(training: LoopTraining, trained: TrainedOptimizer, first: FirstStep) -> None:
    """One more optimizer in a training, as of the two networks of a GAN: its values have a suffix."""
    steps, suffix = training.steps, trained.suffix
    known = training.models()
    new = [one for one in first.models if not any(one is other for other in known)]
    training.join(trained, new)
    task = steps.training
    if task is None:
        return
    with steps.guarded("torch hyperparameters"):
        values = {**optimizer_names(first.optimizer, suffix), **other_names(first.optimizer, suffix)}
        values.update(starting_values(first.optimizer.param_groups, suffix))
        values.update(schedule_values(trained.schedulers.schedulers(), suffix))
        task.run.set_params(**task.run.hyperparameters.new(task.run.hyperparameters.kept(values)))
    if new:
        with steps.guarded("torch layers"):
            task.record("iLayers", "used", layer_rows([*known, *new])[len(layer_rows(known)) :])
        with steps.guarded("torch files"):
            use_files(task, new)


def _parameters(
    recording: ModelRecording, trained: TrainedOptimizer, first: FirstStep
) -> tuple[dict[str, Any], dict[str, Any]]:
    steps, optimizer = recording.steps, first.optimizer
    parameters: dict[str, Any] = {}
    first_only: dict[str, Any] = {"framework": f"torch {torch.__version__}", "seed": torch.initial_seed()}
    with steps.guarded("torch optimizer"):
        parameters.update(optimizer_names(optimizer))
        parameters.update(starting_values(optimizer.param_groups))
        first_only.update(other_names(optimizer))
    with steps.guarded("torch schedulers"):
        parameters.update(schedule_values(trained.schedulers.schedulers()))
    with steps.guarded("torch loader"):
        if first.loader is not None:
            how, on_what = loader_values(first.loader)
            parameters.update(how)
            first_only.update(on_what)
    with steps.guarded("torch loss"):
        parameters.update(_loss_values(first))
    with steps.guarded("torch model"):
        first_only.update(model_values(first.models))
    with steps.guarded("torch accelerator"):
        first_only.update(values_in_pass())
    return {**parameters, **first.extras}, first_only


def _loss_values(first: FirstStep) -> dict[str, Any]:
    if first.criterions:
        names = dict.fromkeys(type(one).__name__ for one in first.criterions)
        configs = [criterion_config(one) for one in first.criterions]
        config = configs[0] if len(configs) == 1 else configs
        return {"loss_function": ", ".join(names), "loss_config": json_text(config)}
    return {} if first.function is None else {"loss_function": first.function}
