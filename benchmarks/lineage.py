"""How long lineage takes in a history of 100,000 elements.

    python benchmarks/lineage.py [--elements N] [--repeat N] [--json]

Records several histories of so many elements each into stores of their own, in a temporary folder, and asks for
ancestors, descendants and a path in each; prints the median and the slowest of several times. `warm` is the call in a
process that has asked before, `processor` what it took of a processor (less than `warm` where other programs run),
`making rows` reads the elements of the answer and makes a dict of each, `fresh` is a
process of its own that imports, opens the store and asks. Exits with 1 where a warm median is above the budget.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

os.environ["DNNPROV_FOLLOW"] = "0"

import dnnprov
from dnnprov.model.events import EnvironmentRecorded

BUDGET_SECONDS = 0.1


def one_long_run(folder, num_elements):
    """One training of all the epochs, adapted now and then, on images, with a test."""
    (folder / "images.tgz").write_bytes(b"images")
    with dnnprov.start_run("m", params={"learning_rate": 1.0}) as run:
        with run.task("Filters") as filters:
            filters.uses_file(folder / "images.tgz")
            filters.generates("oFilters", filter_name="gray-scale")
        with run.task("Training", after=filters) as training:
            for epoch in range(1, num_elements + 1):
                if epoch % (num_elements // 50) == 0:
                    run.adapt(dnnprov.Change("learning_rate", 1 / epoch, 0.5 / epoch, epoch=epoch), training)
                training.log(epoch=epoch, loss=1 / epoch, accuracy=0.5)
            (folder / "model.bin").write_bytes(b"weights")
            training.generates_file(folder / "model.bin", role="model")
        with run.task("Testing", after=training) as testing:
            testing.log(accuracy=0.5)
    return {"ancestors": "latest:oTestingModel", "descendants": str(folder / "images.tgz"),
            "path": ("latest:oTestingModel", str(folder / "images.tgz"))}  # fmt: skip


def many_runs(folder, num_elements, *, is_chain):
    """A thousand runs, all on the same images, or each from the model of the one before."""
    num_runs = 1000
    num_epochs = num_elements // num_runs
    image = folder / "images.tgz"
    image.write_bytes(b"images")
    before = image
    for number in range(num_runs):
        with dnnprov.start_run("m", name=f"run {number}") as run:
            with run.task("Training") as training:
                training.uses_file(before, role="dataset")
                for epoch in range(1, num_epochs + 1):
                    if epoch == num_epochs // 2:
                        run.adapt(dnnprov.Change("learning_rate", 0.1, 0.05, epoch=epoch), training)
                    training.log(epoch=epoch, loss=1 / epoch)
                model = folder / f"model-{number}.bin"
                model.write_bytes(b"weights %d" % number)
                training.generates_file(model, role="model")
            with run.task("Testing", after=training) as testing:
                testing.log(accuracy=0.5)
        before = model if is_chain else image
    return {"ancestors": f"run {num_runs - 1}:oTestingModel", "descendants": str(image),
            "path": (f"run {num_runs - 1}:oTestingModel", str(image))}  # fmt: skip


SHAPES = {
    "one long run": one_long_run,
    "1,000 runs on the same images": lambda folder, n: many_runs(folder, n, is_chain=False),
    "1,000 runs, each from the one before": lambda folder, n: many_runs(folder, n, is_chain=True),
}


def ask(history, what, thing):
    """One question, to an open history."""
    if what == "path":
        return history.path(*thing)
    return getattr(history, what)(thing)


FRESH = """
import json, sys, time
begin = time.perf_counter()
import dnnprov
what, thing = json.loads(sys.argv[1])
with dnnprov.open() as history:
    found = history.path(*thing) if what == "path" else getattr(history, what)(thing)
    print(time.perf_counter() - begin, len(found))
"""


def measure(what, thing, repeat):
    """Seconds of warm calls, of making the rows, of fresh processes; and the length of the answer."""
    calls, processor, rows, fresh = [], [], [], []
    with dnnprov.open() as history:
        ask(history, what, thing)
        for _ in range(repeat):
            found = None  # an answer that was looked at holds a dict for each row
            begin, begin_processor = time.perf_counter(), time.process_time()
            found = ask(history, what, thing)
            processor.append(time.process_time() - begin_processor)
            calls.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            num_rows = len(found.rows)
            rows.append(time.perf_counter() - begin)
    for _ in range(min(repeat, 3)):
        done = subprocess.run(
            [sys.executable, "-c", FRESH, json.dumps([what, thing])], capture_output=True, text=True, check=True
        )
        fresh.append(float(done.stdout.split()[0]))
    return {"rows": num_rows, "warm": calls, "processor": processor, "making rows": rows, "fresh": fresh}


def main():
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    for shape, make in SHAPES.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            os.environ["DNNPROV_STORE"] = str(folder / "store")
            with mock.patch("dnnprov.capture.start.environment", EnvironmentRecorded):  # to look at it takes long
                questions = make(folder, options.elements)
            with dnnprov.open() as history:
                history.catch_up()
            for what, thing in questions.items():
                results.append({"history": shape, "question": what, **measure(what, thing, options.repeat)})
                if not options.json:
                    print_line(results[-1])
    if options.json:
        print(json.dumps(results, indent=2))
    return 0 if all(statistics.median(one["warm"]) < BUDGET_SECONDS for one in results) else 1


def print_line(result):
    """One question in one line."""
    figures = "  ".join(
        f"{name} {1000 * statistics.median(result[name]):7.1f} (most {1000 * max(result[name]):7.1f})"
        for name in ("warm", "processor", "making rows", "fresh")
    )
    print(f"{result['history']:<38} {result['question']:<12} {result['rows']:>8,} rows   ms: {figures}")


if __name__ == "__main__":
    sys.exit(main())
