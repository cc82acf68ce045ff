"""The paper's experiment: AlexNet on Oxford Flowers 17, recorded and asked while it trains.

A grid of optimizer, learning rate, dropout, gray-scale filter and learning-rate adaptation (`grid.py`) is trained with
Keras, each training one run of the dataflow `alexnet`. A second process (`ask_live.py`) asks the provenance database
meanwhile. At the end: the paper's eight questions, a PROV document and a picture, and what provenance cost.

Usage: python examples/alexnet_flowers17.py [--epochs N] [--runs N] [--size PIXELS] [--scale FRACTION] [--output DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("KERAS_BACKEND", "jax")  # the fastest for small models on a CPU

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import dnnprov
from ask_live import LiveQuestions
from cost import Cost
from flowers17 import apply_gray_scale, load_flowers
from grid import EPOCHS, GRID

if TYPE_CHECKING:
    from flowers17 import LabelledImages
    from grid import Settings

DATAFLOW = "alexnet"


def main() -> None:
    """Train the grid, then ask."""
    options = read_options()
    console = Console()
    output: Path = options.output
    store = output / "store"
    if (store / "journal").is_dir():
        console.print(f"The store of an earlier demo, {store}, is replaced.")
        shutil.rmtree(store)
    output.mkdir(parents=True, exist_ok=True)
    os.environ["DNNPROV_STORE"] = str(store)

    data = load_flowers(options.size, allow_download=options.download)
    console.print(
        f"{data.name}: {len(data.train.labels)} images to train, {len(data.validation.labels)} to validate, "
        f"{len(data.test.labels)} to test; provenance goes to {store}\n",
        soft_wrap=True,
    )
    grid = GRID[: options.runs]
    cost = Cost(store)
    with train_progress(console) as progress, LiveQuestions(store, progress.console):
        bar = progress.add_task("", total=len(grid) * options.epochs)
        for number, settings in enumerate(grid, start=1):
            progress.update(bar, description=f"{number}/{len(grid)} {in_words(settings)}")
            train(settings, data, options, cost, lambda: progress.advance(bar))
    print_answers(console)
    export_best(console, output)
    console.print(f"\n[bold]What provenance cost[/bold]: {cost.in_words()}", soft_wrap=True)
    command = Path(sys.executable).with_name("dnnprov")
    console.print(f"\nAsk more: {command} --store {store} runs", soft_wrap=True)


def train(settings: Settings, data: LabelledImages, options: argparse.Namespace, cost: Cost, tick: Any) -> Any:
    """One training: a run with Filters (where there is one), Training, Adaptation and Testing as tasks.

    Returns:
        What Keras's `fit` returns.
    """
    import keras

    from alexnet import build_alexnet
    from batches import Batches

    keras.utils.clear_session()
    keras.utils.set_random_seed(options.seed)
    with cost.timed():
        run = dnnprov.start_run(DATAFLOW, params={"dropout": settings.dropout, "seed": options.seed})
    with run:
        filters = None
        if settings.filter_name != "none":
            with run.task("Filters") as filters:
                filters.uses("iFilters", dataset_name=data.name)
                if data.source:
                    filters.uses_file(data.source, role="dataset")
                data = apply_gray_scale(data)
                filters.generates("oFilters", filter_name=settings.filter_name)
        model = build_alexnet(
            data.input_shape,
            len(data.class_names),
            settings.dropout,
            scale=options.scale,
        )
        model.compile(
            optimizer=make_optimizer(settings),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        provenance = cost.watched(dnnprov.keras.ProvenanceCallback(DATAFLOW, run=run, after=filters))
        with cost.training():
            history = model.fit(
                Batches(data.train, 32, mirror=data.name == "17flowers", seed=options.seed),
                epochs=options.epochs,
                validation_data=(data.validation.images, data.validation.labels),
                callbacks=[
                    *adaptation(settings),
                    provenance,
                    keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: tick()),
                ],
                verbose=0,
            )
        path = options.output / f"{run.name}.keras"
        model.save(path)
        model.evaluate(data.test.images, data.test.labels, callbacks=[provenance], verbose=0)
        with cost.timed():
            cost.count_threads()
            run.finish()
    return history


def make_optimizer(settings: Settings) -> Any:
    """The Keras optimizer of a training."""
    import keras

    if settings.optimizer == "SGD":
        return keras.optimizers.SGD(settings.learning_rate, momentum=0.9)
    return keras.optimizers.Adam(settings.learning_rate)


def adaptation(settings: Settings) -> list[Any]:
    """The Keras callback that lowers the learning rate of a training, if any."""
    import keras

    def step_decay(epoch: int, _: float) -> float:
        return float(settings.learning_rate * 0.5 ** (epoch // 10))

    if settings.adaptation == "LearningRateScheduler":
        return [keras.callbacks.LearningRateScheduler(step_decay)]
    if settings.adaptation == "ReduceLROnPlateau":
        return [keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=4)]
    return []


def print_answers(console: Console) -> None:
    """The eight questions of the paper's Table 1, each by the command that a person types."""
    questions = [
        ("Q1", ["--epoch", "10"]),
        ("Q2", []),
        ("Q3", []),
        ("Q4", []),
        ("Q5", []),
        ("Q6", []),
        ("Q7", ["--dropout", "0.4"]),
        ("Q8", []),
    ]
    for question, more in questions:
        arguments = ["ask", question, "--dataflow", DATAFLOW, *more]
        console.print(f"\n[bold]$ dnnprov {' '.join(arguments)}[/bold]")
        answer = ask(*arguments).splitlines()
        console.print("\n".join(answer[:14]), markup=False, highlight=False, soft_wrap=True)
        if len(answer) > 14:
            console.print(f"... {len(answer) - 14} more rows")


def export_best(console: Console, output: Path) -> None:
    """The run with the best accuracy on the test set, as PROV documents and pictures."""
    (best,) = json.loads(ask("ask", "Q5", "--dataflow", DATAFLOW, "--top", "1", "--json"))
    console.print(f"\n[bold]The provenance of the best run, {best['run']}[/bold]")
    for suffix in ("provn", "json", "svg", "png"):
        path = output / f"{best['run']}.prov.{suffix}" if suffix == "json" else output / f"{best['run']}.{suffix}"
        ask("export", best["run"], "-o", str(path))


def ask(*arguments: str) -> str:
    """What the command line prints; its messages go to our own stderr."""
    done = subprocess.run([sys.executable, "-m", "dnnprov", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def in_words(settings: Settings) -> str:
    """The settings of a training for the progress bar."""
    parts = [settings.optimizer, f"{settings.learning_rate:g}", f"dropout {settings.dropout:g}"]
    if settings.filter_name != "none":
        parts.append(settings.filter_name)
    if settings.adaptation:
        parts.append(settings.adaptation)
    return ", ".join(parts)


def train_progress(console: Console) -> Progress:
    """A bar over the epochs of all trainings."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="AlexNet on Oxford Flowers 17, with provenance")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each training")
    parser.add_argument("--runs", type=int, default=len(GRID), help="only the first so many of the grid")
    parser.add_argument("--size", type=int, default=64, help="photos are shrunk to so many pixels")
    parser.add_argument("--scale", type=float, default=1 / 8, help="width of the layers, 1 is the original AlexNet")
    parser.add_argument("--seed", type=int, default=2, help="of all random numbers")
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), help="folder for store, models and pictures"
    )
    parser.add_argument("--no-download", dest="download", action="store_false", help="without photos, take digits")
    options = parser.parse_args(arguments)
    for name in ("epochs", "runs", "size"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}; expected at least 1")
    return options


if __name__ == "__main__":
    started = time.perf_counter()
    main()
    print(f"\nThe demo took {time.perf_counter() - started:.0f} s.")
