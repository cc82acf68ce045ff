"""The store that examples of the reference are asked of: a few runs of one dataflow, the same each time."""

from __future__ import annotations

import os
import sys
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dnnprov

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = (  # optimizer, learning rate, dropout, filter, epoch at which the rate is halved
    ("Adam", 0.002, 0.4, None, None),
    ("Adam", 0.002, 0.4, None, 3),
    ("SGD", 0.01, 0.7, None, None),
    ("Adam", 0.002, 0.4, "gray-scale", 3),
)
EPOCHS = 4


@contextmanager
def example_history(place: Path) -> Iterator[dnnprov.History]:
    """Record the runs into a folder, and open it."""
    for variable in [name for name in os.environ if name.startswith("DNNPROV_")]:
        del os.environ[variable]  # the store is here, wherever that of the user is
    os.environ["DNNPROV_FOLLOW"] = "0"
    arguments, sys.argv = sys.argv, ["train.py"]
    try:
        with chdir(place):
            for number in range(len(RUNS)):
                _record(number)
            _record_study()
            with dnnprov.open() as history:
                yield history
    finally:
        sys.argv = arguments


def _record(number: int) -> None:
    optimizer, rate, dropout, filter_name, halved_at = RUNS[number]
    params = {"optimizer_name": optimizer, "learning_rate": rate, "dropout": dropout, "batch_size": 32}
    Path("photos.csv").write_text("photo,class\n", encoding="utf-8")
    with dnnprov.start_run("alexnet", params=params, tags={"purpose": "grid"}) as run:
        after = None
        if filter_name is not None:
            with run.task("Filters") as after:
                after.uses("iFilters", dataset_name="17flowers")
                after.generates("oFilters", filter_name=filter_name)
        with run.task("Training", after=after) as training:
            training.uses_file("photos.csv", role="dataset")
            training.record("iLayers", "used", _layers(dropout))
            _train(run, training, number, rate, halved_at)
            Path("model.keras").write_text(f"weights {number}", encoding="utf-8")
            training.generates_file("model.keras", role="model")
        with run.task("Testing", after=training) as testing:
            testing.log(loss=0.9 + 0.1 * number, accuracy=(0.62, 0.71, 0.55, 0.37)[number])


def _layers(dropout: float) -> list[dict[str, object]]:
    return [
        {"position": 1, "name": "conv2d", "type": "Conv2D", "value": "96", "filters": 96, "num_parameters": 34944},
        {"position": 2, "name": "dropout", "type": "Dropout", "value": str(dropout), "rate": dropout},
        {"position": 3, "name": "dense", "type": "Dense", "value": "17", "units": 17, "num_parameters": 69649},
    ]


def _train(run: dnnprov.Run, training: dnnprov.RunTask, number: int, rate: float, halved_at: int | None) -> None:
    for epoch in range(1, EPOCHS + 1):
        if epoch == halved_at:
            trigger = f"epoch={epoch}"
            how = {"epochs_drop": 2, "drop_n": 0.5, "initial_lrate": rate}
            change = ("learning_rate", rate, rate / 2, epoch, None, "StepDecay", "schedule", "every 2 epochs", trigger)
            run.adapt(dnnprov.Change(*change, parameters=how))
        loss = float("nan") if number == 2 and epoch == EPOCHS else round(3.4 / epoch + 0.1 * number, 3)
        accuracy = round(0.15 * epoch + 0.02 * (3 - number), 3)
        training.log(
            epoch=epoch, elapsed_time=20.5 + number, loss=loss, accuracy=accuracy, val_loss=round(3.6 / epoch, 3),
            val_accuracy=round(accuracy - 0.05, 3),
        )  # fmt: skip
        for batch in range(2):
            run.log(epoch=epoch, step=2 * (epoch - 1) + batch, batch_loss=round(3.5 / (2 * epoch + batch), 3))


def _record_study() -> None:
    """A run with a part, a value that does not fit, a set with very many attributes, a plan that was posted."""
    plan = dnnprov.Dataflow("study", True)
    plan.save()
    plan.finish()
    with (
        dnnprov.start_run("study", name="learning rates") as study,
        dnnprov.start_run("study", params={"learning_rate": "fast"}, parent=study) as part,
        part.task("Training") as training,
    ):
        training.log(epoch=1, loss=1.5)
        training.generates("oFeatures", **{f"feature_{number}": number / 2 for number in range(1, 403)})
