"""What recording costs a training: time inside dnnprov's calls, and processor time of its threads and its follower.

Three looks at it, in one process of its own:

- the demo as a whole (`examples/alexnet_flowers17.py`), which measures itself; its epochs take half a second;
- the same model with epochs of 20 s, made of as many batches as that takes: two of them after a first one show what an
  epoch costs, everything else counts as what a run costs once;
- epochs with and without the callback, in turns: whether anything was overlooked.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dnnprov
from benchmarks.child import ROOT, run_child
from benchmarks.measurement import Measurement, expect
from benchmarks.processor_time import follower_seconds, thread_seconds
from benchmarks.stores import new_store
from benchmarks.timing import median, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Size

QUICK = {"num_runs": 1, "num_epochs": 2, "pixels": 32, "scale": 1 / 64}
FULL = {"num_runs": 9, "num_epochs": 35, "pixels": 64, "scale": 1 / 8}
EPOCH_SECONDS = {"quick": 0.5, "full": 20.0, "large": 20.0}
NUM_LONG_EPOCHS = 3
PARTS = ("calls", "threads", "follower")
NUM_PAIRS = {"quick": 1, "full": 3, "large": 3}


def measure(size: Size) -> list[Measurement]:
    """Per cent of the training time."""
    shape = QUICK if size == "quick" else FULL
    with new_store(is_followed=True) as store:
        places = {kind: str(store.with_name(kind)) for kind in ("demo", "long", "pairs")}
        seen = run_child(
            train_all, places=places, epoch_seconds=EPOCH_SECONDS[size], num_pairs=NUM_PAIRS[size], **shape
        )
        check_demo(Path(places["demo"]), shape)
    return [
        measured_demo(seen["demo"], shape),
        measured_long_epochs(seen["long"], EPOCH_SECONDS[size]),
        measured_pairs(seen["pairs"]),
    ]


def check_demo(store: Path, shape: dict[str, Any]) -> None:
    """Everything was recorded."""
    with dnnprov.open(store) as history:
        expect("finished runs", len(history.runs(status="finished")), shape["num_runs"])
        (row,) = history.query("SELECT COUNT(*) AS n FROM oTrainingModel")
        expect("epochs", row["n"], shape["num_runs"] * shape["num_epochs"])


def measured_demo(cost: dict[str, float], shape: dict[str, Any]) -> Measurement:
    """The demo's trainings one after the other."""
    spent = sum(cost[name] for name in PARTS)
    num_epochs = shape["num_runs"] * shape["num_epochs"]
    parts = {name: f"{cost[name]:.2f} s, {100 * cost[name] / cost['training']:.2f} %" for name in PARTS}
    return Measurement(
        f"recording, over the demo's training of {shape['num_runs']} runs",
        100 * spent / cost["training"],
        "%",
        reach=0.5,
        details={
            **parts,
            "training": f"{cost['training']:.0f} s, {1000 * cost['training'] / num_epochs:.0f} ms an epoch",
            "calls, a run": f"{1000 * cost['calls'] / shape['num_runs']:.0f} ms",
            "the paper": "2 %",
        },
    )


def measured_long_epochs(seen: dict[str, Any], epoch_seconds: float) -> Measurement:
    """What a run costs once, and what an epoch costs, for as many epochs as a run of the demo has."""
    ends = seen["ends"]
    num_counted = len(ends) - 1
    each = {name: (ends[-1][name] - ends[0][name]) / num_counted for name in ends[0]}
    of_epoch = sum(each[name] for name in PARTS)
    once = sum(seen["total"].values()) - len(ends) * of_epoch
    num_epochs = FULL["num_epochs"]
    return Measurement(
        f"recording, epochs of {epoch_seconds:g} s, a run of {num_epochs}",
        100 * (once + num_epochs * of_epoch) / (num_epochs * each["time"]),
        "%",
        reach=0.1,
        details={
            "an epoch": f"{1000 * of_epoch:.1f} ms, {100 * of_epoch / each['time']:.3f} % of {each['time']:.1f} s",
            **{f"an epoch, {name}": f"{1000 * each[name]:.1f} ms" for name in PARTS},
            "a run once, start of the follower included": f"{1000 * once:.0f} ms",
            "how": f"{num_counted} epochs after a first one measured; the run of {num_epochs} computed of both figures",
        },
    )


def measured_pairs(seen: dict[str, list[list[float]]]) -> Measurement:
    """The same epochs with and without the callback."""
    ratio = median([median(on) / median(off) for on, off in zip(seen["on"], seen["off"], strict=True)])
    return Measurement(
        "an epoch of the demo with the callback over one without, sanity check",
        ratio,
        details={
            "epoch without": f"{1000 * median(list(itertools.chain(*seen['off']))):.0f} ms",
            "epoch with": f"{1000 * median(list(itertools.chain(*seen['on']))):.0f} ms",
            "how sure": f"{len(seen['on'])} pairs of trainings in turns; the noise of the machine is some per cent",
        },
    )


def train_all(
    places: dict[str, str], epoch_seconds: float, num_pairs: int, num_runs: int, **shape: Any
) -> dict[str, Any]:
    """In a child: the three trainings, each into a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        options = demo_options(folder, **shape)
        found: dict[str, Any] = {}
        fit = make_fit(options)
        for kind, train in (
            ("demo", lambda store: train_demo(store, options, num_runs)),
            ("long", lambda store: train_long_epochs(store, fit, epoch_seconds)),
            ("pairs", lambda _: train_pairs(fit, options.epochs, num_pairs)),
        ):
            os.environ["DNNPROV_STORE"] = places[kind]
            found[kind] = train(Path(places[kind]))
        return found


def demo_options(folder: str, num_epochs: int, pixels: int, scale: float) -> Any:
    """The demo's own options, its modules made importable."""
    sys.path.insert(0, str(ROOT / "examples"))
    from alexnet_flowers17 import read_options

    options = ["--epochs", num_epochs, "--size", pixels, "--scale", scale, "--output", folder, "--no-download"]
    return read_options([str(one) for one in options])


def train_demo(store: Path, options: Any, num_runs: int) -> dict[str, float]:
    """The demo's trainings; seconds."""
    from alexnet_flowers17 import train
    from cost import Cost
    from grid import GRID

    class FineCost(Cost):
        def count_threads(self) -> None:
            self.thread_seconds += thread_seconds()

    cost, data = FineCost(store), photos(options.size)
    for settings in GRID[:num_runs]:
        train(settings, data, options, cost, lambda: None)
    return {
        "training": cost.training_seconds,
        "calls": cost.call_seconds,
        "threads": cost.thread_seconds,
        "follower": follower_seconds(store),
    }


def train_long_epochs(store: Path, fit: Callable[..., Any], epoch_seconds: float) -> dict[str, Any]:
    """Epochs of so many seconds; what was spent at the end of each, and in all."""
    import keras

    from cost import Cost

    ends, cost = [], Cost(store)

    def spent() -> dict[str, float]:
        return {"calls": cost.call_seconds, "threads": thread_seconds(), "follower": follower_seconds(store)}

    def note(*_: object) -> None:
        ends.append({"time": time.perf_counter(), **spent()})

    steps = 26
    fit(epochs=1, steps_per_epoch=1, callbacks=[])  # what is compiled once
    validation, training = (seconds_of_epoch(fit, number) for number in (1, 1 + steps))
    steps = max(steps, round((epoch_seconds - validation) * steps / max(training - validation, 1e-3)))
    with cost.timed():
        run = dnnprov.start_run("alexnet")
    callback = cost.watched(dnnprov.keras.ProvenanceCallback("alexnet", run=run))
    at_end = keras.callbacks.LambdaCallback(on_epoch_end=note)
    fit(epochs=NUM_LONG_EPOCHS, steps_per_epoch=steps, callbacks=[callback, at_end])
    total = spent()
    with cost.timed():
        run.finish()
    return {"ends": ends, "total": {**total, "calls": cost.call_seconds}}


def seconds_of_epoch(fit: Callable[..., Any], num_steps: int) -> float:
    """How long an epoch of so many batches takes, once everything is compiled."""
    return min(seconds_of(lambda: fit(epochs=1, steps_per_epoch=num_steps, callbacks=[])) for _ in range(3))


def train_pairs(fit: Callable[..., Any], num_epochs: int, num_pairs: int) -> dict[str, list[list[float]]]:
    """Seconds of each epoch but the first, with and without the callback."""
    import keras

    found: dict[str, list[list[float]]] = {"on": [], "off": []}
    for number in range(num_pairs):
        for kind in ("on", "off") if number % 2 else ("off", "on"):
            times = [time.perf_counter()]
            at_end = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_, t=times: t.append(time.perf_counter()))
            recording = [dnnprov.keras.ProvenanceCallback("alexnet")] if kind == "on" else []
            fit(epochs=min(11, num_epochs + 1), steps_per_epoch=26, callbacks=[*recording, at_end])
            found[kind].append([end - begin for begin, end in itertools.pairwise(times[1:])])
    return found


def make_fit(options: Any) -> Callable[..., Any]:
    """A function that trains the demo's model on as many batches an epoch as asked for."""
    from alexnet import build_alexnet
    from alexnet_flowers17 import make_optimizer
    from batches import Batches
    from grid import GRID

    data = photos(options.size)
    model = build_alexnet(data.input_shape, len(data.class_names), 0.4, scale=options.scale)
    model.compile(make_optimizer(GRID[0]), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    batches = Batches(data.train, 32, mirror=False, seed=1)
    whole = len(batches) - 1  # the last batch is smaller and would be compiled anew

    def endless() -> Any:
        for number in itertools.count():
            yield batches[number % whole]

    def fit(**arguments: Any) -> Any:
        validation = (data.validation.images, data.validation.labels)
        return model.fit(endless(), validation_data=validation, shuffle=False, verbose=0, **arguments)

    return fit


@functools.cache
def photos(pixels: int) -> Any:
    """The images of the demo."""
    from flowers17 import load_flowers

    return load_flowers(pixels, allow_download=False)
