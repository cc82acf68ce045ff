"""Histories to record: what a test says happened, strategies that make such up, and how they get into a store.

The recorder's clock is set by hand, so that times between records are known.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

import dnnprov
from dnnprov.capture.recorder import Recorder
from dnnprov.journal.folder import store_folder
from dnnprov.model.events import EnvironmentRecorded

NAN = float("nan")
INF = float("inf")
START = 1_790_000_000.0
"""When the first run starts, in seconds since 1970; the next ones an hour later each."""


@dataclass(frozen=True)
class Epoch:
    """One row of oTrainingModel, or a part of one."""

    number: int | None
    values: dict[str, float]
    seconds: float = 1.0


@dataclass(frozen=True)
class Adaptation:
    attribute: str
    old: float
    new: float
    epoch: int
    technique: str | None = "LearningRateScheduler"


@dataclass(frozen=True)
class Training:
    epochs: tuple[Epoch, ...]
    tag: str = "Training"
    filtered: bool = True  # depends on the last filter
    continued: bool = False  # depends on the training before
    adaptations: tuple[Adaptation, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """What one process of the run did. `filters`: the names that each of a chain of tasks generated."""

    filters: tuple[tuple[str | None, ...], ...] = ()
    trainings: tuple[Training, ...] = ()
    tests: tuple[dict[str, float], ...] = ()


@dataclass(frozen=True)
class RunPlan:
    dataflow: str = "alexnet"
    params: dict[str, Any] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = (Attempt(),)
    layers: tuple[dict[str, Any], ...] = ()
    batches: tuple[tuple[int, dict[str, float]], ...] = ()  # epoch, values
    status: str = "finished"
    noise_rank: bool = False
    name: str = ""


class Clock:
    """Stands for the module `time` in the journal's writer."""

    def __init__(self, monkeypatch: Any) -> None:
        self.now = START
        monkeypatch.setattr(
            "dnnprov.journal.writer.time", SimpleNamespace(time_ns=lambda: round(self.now * 1e6) * 1000)
        )
        monkeypatch.setattr("dnnprov.capture.start.environment", EnvironmentRecorded)  # to look at it takes long


def record(plans: list[RunPlan], clock: Clock) -> list[RunPlan]:
    """Record runs one after the other; the plans with the names that the runs got."""
    return [_record_run(plan, clock, START + 3600 * number) for number, plan in enumerate(plans)]


def _record_run(plan: RunPlan, clock: Clock, start: float) -> RunPlan:
    clock.now = start
    uid, name = None, plan.name
    for number, attempt in enumerate(plan.attempts):
        if uid is None:
            run = dnnprov.start_run(plan.dataflow, params=plan.params, name=plan.name or None)
        else:
            run = dnnprov.start_run(plan.dataflow, resume=uid)
        name, uid = (run.name, run.uid) if number == 0 else (name, uid)
        _record_attempt(run, plan, attempt, clock)
        if number == len(plan.attempts) - 1:
            for epoch, values in plan.batches:
                run.log(epoch=epoch, **values)
        run.finish(plan.status)
    if plan.noise_rank:
        _record_noise(plan, uid)
    return replace(plan, name=name)


def _record_attempt(run: dnnprov.Run, plan: RunPlan, attempt: Attempt, clock: Clock) -> None:
    last_filter = last_training = None
    for number, names in enumerate(attempt.filters):
        with run.task("Crop" if number % 2 else "Filters", after=last_filter) as last_filter:
            for filter_name in names:
                last_filter.generates("oCrop" if number % 2 else "oFilters", filter_name=filter_name, size=3)
    for index, training in enumerate(attempt.trainings):
        after = [last_filter] if last_filter and training.filtered else []
        after += [last_training] if last_training and training.continued else []
        with run.task(training.tag, after=after) as last_training:
            if plan.layers:
                last_training.record("iLayers", "used", [{**layer, "units": index} for layer in plan.layers])
            for epoch in training.epochs:
                clock.now += epoch.seconds
                row = epoch.values if epoch.number is None else {"epoch": epoch.number, **epoch.values}
                last_training.generates("oTrainingModel", **row)
            for made in training.adaptations:
                change = dnnprov.Change(made.attribute, made.old, made.new, epoch=made.epoch, technique=made.technique)
                run.adapt(change, last_training)
    for values in attempt.tests:
        with run.task("Testing", after=last_training) as testing:
            testing.log(**values)


def _record_noise(plan: RunPlan, uid: str) -> None:
    """Another rank, whose values must not count beside those of the same kind of rank 0."""
    trainings = [training for attempt in plan.attempts for training in attempt.trainings]
    names = {name for training in trainings for epoch in training.epochs for name in epoch.values}
    recorder = Recorder(store_folder(), uid, rank=1)
    run = dnnprov.Run(recorder, plan.dataflow, "")
    if any(training.epochs or training.tag.startswith("Training") for training in trainings):
        with run.task("Filters") as filters:
            filters.generates("oFilters", filter_name="noise")
        with run.task("Training", after=filters) as task:
            if plan.layers:
                task.uses("iLayers", position=0, name="noise", type="Noise")
            for number in range(9) if names else ():
                task.log(epoch=number, **dict.fromkeys(names, 0.99))
            if any(made.attribute == "learning_rate" for training in trainings for made in training.adaptations):
                run.adapt(dnnprov.Change("learning_rate", 9.0, 8.0, epoch=1, technique="noise"), task)
    if any(attempt.tests for attempt in plan.attempts):
        with run.task("Testing") as testing:
            testing.log(accuracy=0.99)
    recorder.close()


# Few values, so that ties are many.
_accuracies = st.sampled_from([0.1, 0.25, 0.5, 0.5, 0.75, NAN, INF, -INF])
_losses = st.sampled_from([0.125, 1.5, 3.0, NAN])
_values = st.fixed_dictionaries(
    {}, optional={"loss": _losses, "accuracy": _accuracies, "val_accuracy": _accuracies, "elapsed_time": st.just(7.5)}
)
_epochs = st.builds(
    Epoch,
    number=st.one_of(st.integers(1, 4), st.integers(1, 4), st.none()),
    values=_values,
    seconds=st.sampled_from([0.25, 1.5, 60.001]),
)
_rates = st.sampled_from([0.002, 0.001, 0.0005])
_adaptations = st.builds(
    Adaptation,
    attribute=st.sampled_from(["learning_rate", "learning_rate", "momentum"]),
    old=_rates,
    new=_rates,
    epoch=st.integers(1, 4),
    technique=st.sampled_from(["LearningRateScheduler", "manual"]),
)
_trainings = st.builds(
    Training,
    epochs=st.lists(_epochs, max_size=5).map(tuple),
    tag=st.sampled_from(["Training", "TrainingModel", "Fit"]),
    filtered=st.booleans(),
    continued=st.booleans(),
    adaptations=st.lists(_adaptations, max_size=2).map(tuple),
)
_filter_names = st.sampled_from(["gray-scale", "crop, 3", "None", "", None, "blur"])
_attempts = st.builds(
    Attempt,
    filters=st.lists(st.lists(_filter_names, max_size=2).map(tuple), max_size=3).map(tuple),
    trainings=st.lists(_trainings, min_size=1, max_size=2).map(tuple),
    tests=st.lists(st.fixed_dictionaries({"accuracy": _accuracies}), max_size=2).map(tuple),
)
_dropouts = st.sampled_from([0.4, 0.4 * (1 + 5e-7), 0.4 * (1 + 5e-6), 0.7, NAN])
_parameters = st.fixed_dictionaries(
    {}, optional={"learning_rate": _rates, "dropout": _dropouts, "optimizer_name": st.just("Adam"), "run": st.just("x")}
)
_layers = st.lists(
    st.one_of(
        st.builds(lambda rate: {"name": "d", "type": "Dropout", "rate": rate}, _dropouts),
        st.builds(lambda text: {"name": "d", "type": "dropout", "value": text}, st.sampled_from(["0.4", "0.7"])),
        st.just({"name": "c", "type": "Conv2D", "activation": "relu", "num_parameters": 2**40, "rate": 0.4}),
    ),
    max_size=3,
).map(lambda layers: tuple({"position": number, **layer} for number, layer in enumerate(layers)))

run_plans = st.builds(
    RunPlan,
    dataflow=st.sampled_from(["alexnet", "alexnet", "vgg"]),
    params=_parameters,
    attempts=st.lists(_attempts, min_size=1, max_size=2).map(tuple),
    layers=_layers,
    batches=st.lists(st.tuples(st.integers(1, 4), _values), max_size=3).map(tuple),
    status=st.sampled_from(["finished", "failed", "stopped"]),
    noise_rank=st.booleans(),
    name=st.sampled_from(["", "", "same"]),
)
