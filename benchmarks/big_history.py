"""Makes a store with many runs, as years of training leave it: `python benchmarks/big_history.py STORE --runs 1000`.

Every run has hyperparameters, layers with a dropout, filters, epochs, adaptations, and half of them a test; most
finished, some failed or were interrupted. All of it enters through journals, in the format that the recorder writes,
and is then taken into the database. The same arguments give the same history.

    python benchmarks/big_history.py /tmp/small --runs 1000 --epochs 100 --metrics 4
    python benchmarks/big_history.py /tmp/big --runs 10000 --epochs 1000 --metrics 6

`--batches N` records N values of a series in each run besides. `--no-ingest` leaves the journals unread.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import resource
import time
from pathlib import Path

from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.format import encode
from dnnprov.model.events import (
    ElementsRecorded,
    EnvironmentRecorded,
    HyperparameterAdapted,
    MetricsRecorded,
    ParametersSet,
    RunEnded,
    RunStarted,
    SegmentClosed,
    SegmentOpened,
    TaskBegan,
    TaskEnded,
)
from dnnprov.store.sqlite import open_store

DATAFLOW = "alexnet"
START = 1_700_000_000_000_000
"""When the first run began, in microseconds since 1970."""

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "precision", "recall", "f1", "auc")
FILTERS = (("none",), ("gray-scale",), ("gray-scale", "crop"), ("blur",))
NUM_CURVES = 50
"""Histories of epochs that differ. Runs share them, which spares making new ones and nothing of their reading."""

_SEQUENCE, _AT = 1_111_111_111_111_111, 2_222_222_222_222_222
"""Stand in the line of an event for numbers that are put in later."""


def hyperparameters(number, num_epochs):
    """Of a run: those of the paper, and what a Keras training tells besides."""
    return {
        "optimizer_name": ("Adam", "SGD", "RMSprop")[number % 3],
        "learning_rate": (0.0005, 0.001, 0.002)[number // 3 % 3],
        "num_epochs": num_epochs,
        "num_layers": 8,
        "batch_size": (16, 32, 64)[number // 9 % 3],
        "dropout": (0.4, 0.7)[number % 2],
        "momentum": 0.9,
        "decay": 1e-6,
        "loss_function": "categorical_crossentropy",
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "weight_decay": None,
        "seed": number,
        "shuffle": True,
        "steps_per_epoch": 85,
    }


def layers(number):
    """Of the model of a run."""
    rate = (0.4, 0.7)[number % 2]
    kinds = ("Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dropout", "Dense")
    return [
        {
            "position": position,
            "name": f"{kind.lower()}_{position}",
            "type": kind,
            "value": str(rate) if kind == "Dropout" else "relu",
            "activation": None if kind == "Dropout" else "relu",
            "rate": rate if kind == "Dropout" else None,
            "num_parameters": 34944 * position,
        }
        for position, kind in enumerate(kinds)
    ]


def environment():
    """The same machine each time."""
    return EnvironmentRecorded(
        user="ada",
        host="gpu-1",
        os="Linux",
        python="3.12.1",
        num_cpus=16,
        memory_bytes=64 << 30,
        packages={f"package-{number}": f"1.{number}" for number in range(60)},
        frameworks={"keras": "3.15.0", "torch": "2.13.0"},
        git_commit="0123456789abcdef0123456789abcdef01234567",
        command_line=["train.py", "--seed", "1"],
        software="0.2.0",
    )


@functools.cache
def epoch_rows(curve, seed, num_epochs, num_metrics):
    """One of the histories of epochs: a row of oTrainingModel each."""
    chance = random.Random(f"{seed} {curve}")
    names = METRICS[:num_metrics]
    best = 0.3 + 0.6 * chance.random()
    rows = []
    for epoch in range(1, num_epochs + 1):
        done = 1 - 1 / (1 + epoch / 8)
        values = {
            name: (3.5 * (1 - best * done) if "loss" in name else best * done) + 0.02 * chance.random()
            for name in names
        }
        rows.append({"epoch": epoch, "elapsed_time": 20 + chance.random(), **values})
    return rows


@functools.cache
def epoch_bodies(curve, seed, num_epochs, num_metrics, task):
    """Lines of those epochs, with places for what follows from where they stand."""
    return [
        _body(ElementsRecorded(set="oTrainingModel", relation="generated", rows=[row], task=task))
        for row in epoch_rows(curve, seed, num_epochs, num_metrics)
    ]


def _body(event):
    """The line of an event as the recorder writes it, with places for its number and time."""
    event.seq, event.at = _SEQUENCE, _AT
    line = encode(event).replace(b"%", b"%%")
    return line.replace(b"%d" % _SEQUENCE, b"%(seq)d").replace(b"%d" % _AT, b"%(at)d")


class Segment:
    """The lines of a process, numbered and stamped one second apart."""

    def __init__(self, at):
        self.lines = []
        self.at = at

    def add(self, event):
        """Add an event; its number."""
        event.seq, event.at = len(self.lines), self.at
        self.lines.append(encode(event))
        self.at += 1_000_000
        return event.seq

    def add_bodies(self, bodies, seconds):
        """Add lines that are encoded, so many seconds apart."""
        first, at, step = len(self.lines), self.at, round(seconds * 1e6)
        self.lines += [body % {b"seq": first + number, b"at": at + number * step} for number, body in enumerate(bodies)]
        self.at = at + len(bodies) * step


def write_run(folder, number, options):
    """The journal of one run."""
    chance = random.Random(f"{options.seed} run {number}")
    uid = f"{chance.getrandbits(64):016x}"
    segment = Segment(START + number * 3_600_000_000)
    segment.add(SegmentOpened(format=1, run=uid, process="r0-1-0", host="gpu-1", pid=1000 + number, boot="another"))
    segment.add(RunStarted(dataflow=DATAFLOW, name=f"{DATAFLOW}-{number + 1}", program="train.py"))
    segment.add(environment())
    segment.add(ParametersSet(values=hyperparameters(number, options.epochs)))
    before = []
    for name in FILTERS[chance.randrange(len(FILTERS))]:
        before = [segment.add(TaskBegan(tag="Filters", after=before))]
        row = {"filter_name": name, "size": 1360}
        segment.add(ElementsRecorded(set="oFilters", relation="generated", rows=[row], task=before[0]))
        segment.add(TaskEnded(task=before[0], status="finished"))
    training = segment.add(TaskBegan(tag="Training", after=before))
    segment.add(ElementsRecorded(set="iLayers", relation="used", rows=layers(number), task=training))
    curve = chance.randrange(NUM_CURVES)
    bodies = epoch_bodies(curve, options.seed, options.epochs, options.metrics, training)
    begin = 0
    for change, epoch in enumerate(sorted(chance.sample(range(1, options.epochs + 1), k=min(2, options.epochs)))):
        segment.add_bodies(bodies[begin:epoch], 20)
        begin = epoch
        task = segment.add(TaskBegan(tag="Adaptation", after=[training]))
        segment.add(
            HyperparameterAdapted(
                attribute="learning_rate",
                old_value=0.002 / 2**change,
                new_value=0.001 / 2**change,
                epoch=epoch + 1,
                technique="LearningRateScheduler",
                adaptation_id=change + 1,
                task=task,
            )
        )
        segment.add(TaskEnded(task=task, status="finished"))
    segment.add_bodies(bodies[begin:], 20)
    if options.batches:
        segment.add_bodies(batch_bodies(options.batches), 0.1)
    segment.add(TaskEnded(task=training, status="finished"))
    if number % 2:
        task = segment.add(TaskBegan(tag="Testing", after=[training]))
        row = {"loss": 1 + chance.random(), "accuracy": chance.random()}
        segment.add(ElementsRecorded(set="oTestingModel", relation="generated", rows=[row], task=task))
        segment.add(TaskEnded(task=task, status="finished"))
    segment.add(RunEnded(status=("finished", "failed", "interrupted")[max(0, chance.randrange(20) - 17)]))
    segment.add(SegmentClosed())
    path = folder.segment(uid, "r0-1-0")
    path.parent.mkdir()
    path.write_bytes(b"".join(segment.lines))
    return len(segment.lines)


@functools.cache
def batch_bodies(num_batches):
    """Lines of log calls of one metric."""
    chance = random.Random(num_batches)
    return [_body(MetricsRecorded(values={"batch_loss": chance.random()}, step=step)) for step in range(num_batches)]


def main():
    """Make the store that the command line asks for; the times as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--metrics", type=int, default=4, choices=range(1, len(METRICS) + 1))
    parser.add_argument("--batches", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chunk", type=int, default=500, help="runs that are written before they are taken in")
    parser.add_argument("--no-ingest", action="store_true")
    options = parser.parse_args()
    folder = StoreFolder(options.store.absolute())
    folder.create()
    print(json.dumps(make(folder, options)))


def make(folder, options):
    """Write the runs chunk by chunk and take them in, so that little more than the archive is on the disk."""
    writing = taking = 0.0
    num_events = 0
    for first in range(0, options.runs, options.chunk):
        began = time.perf_counter()
        for number in range(first, min(first + options.chunk, options.runs)):
            num_events += write_run(folder, number, options)
        writing += time.perf_counter() - began
        if not options.no_ingest:
            began = time.perf_counter()
            store = open_store(folder.path)
            store.catch_up()
            store.close()
            taking += time.perf_counter() - began
    num_values = options.runs * (options.epochs * options.metrics + options.batches)
    return {
        "runs": options.runs,
        "events": num_events,
        "metric_values": num_values,
        "writing_seconds": round(writing, 3),
        "ingest_seconds": round(taking, 3),
        "values_per_second": round(num_values / taking) if taking else None,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "database_mb": round(folder.database.stat().st_size / 1e6, 1) if folder.database.exists() else 0,
        "archive_mb": round(sum(path.stat().st_size for path in folder.archived_segments()) / 1e6, 1),
    }


if __name__ == "__main__":
    main()
