"""Lineage in a history of 100,000 elements: ancestors, descendants and a path in three shapes of history.

`warm` is the call in a process that has asked before, `processor` what it took of a processor (less than `warm` where
other programs run), `making rows` reads the elements of the answer and makes a dict of each, `fresh` is a process of
its own that imports, opens the store and asks.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import dnnprov
from benchmarks.child import run_child
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median
from dnnprov.model.events import EnvironmentRecorded

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measurement import Size

NUM_ELEMENTS = {"quick": 100, "full": 100_000, "large": 100_000}
NUM_RUNS = {"quick": 10, "full": 1000, "large": 1000}
NUM_TIMES = {"quick": 1, "full": 7, "large": 7}
FIGURES = ("warm", "processor", "making rows", "fresh")


def measure(size: Size) -> list[Measurement]:
    """Milliseconds of the slowest question of each history; all others as details."""
    return [measure_history(name, size) for name in SHAPES]


def measure_history(shape: str, size: Size) -> Measurement:
    """One history, asked from both ends."""
    details, warm = {}, {}
    with new_store() as store:
        folder = store.parent
        with mock.patch("dnnprov.capture.start.environment", EnvironmentRecorded):  # to look at it takes long
            asked = SHAPES[shape](folder, NUM_ELEMENTS[size], NUM_RUNS[size])
        for question, thing in asked.items():
            found = measure_question(question, thing, NUM_TIMES[size])
            warm[question] = 1000 * median(found["warm"])
            figures = [
                f"{name} {1000 * median(found[name]):.1f} ms (most {1000 * max(found[name]):.1f})" for name in FIGURES
            ]
            details[question] = ", ".join([f"{found['rows']:,} rows", *figures])
    slowest = max(warm, key=lambda question: warm[question])
    what = f"lineage of {NUM_ELEMENTS[size]:,} elements, {shape}, the slowest question ({slowest}), warm"
    return Measurement(what, warm[slowest], "ms", reach=100, details=details)


def one_long_run(folder: Path, num_elements: int, num_runs: int) -> dict[str, Any]:
    """One training of all the epochs, adapted now and then, on images, with a test."""
    del num_runs
    (folder / "images.tgz").write_bytes(b"images")
    with dnnprov.start_run("m", params={"learning_rate": 1.0}) as run:
        with run.task("Filters") as filters:
            filters.uses_file(folder / "images.tgz")
            filters.generates("oFilters", filter_name="gray-scale")
        with run.task("Training", after=filters) as training:
            for epoch in range(1, num_elements + 1):
                if epoch % (max(1, num_elements // 50)) == 0:
                    run.adapt(dnnprov.Change("learning_rate", 1 / epoch, 0.5 / epoch, epoch=epoch), training)
                training.log(epoch=epoch, loss=1 / epoch, accuracy=0.5)
            (folder / "model.bin").write_bytes(b"weights")
            training.generates_file(folder / "model.bin", role="model")
        with run.task("Testing", after=training) as testing:
            testing.log(accuracy=0.5)
    return {"ancestors": "latest:oTestingModel", "descendants": str(folder / "images.tgz"),
            "path": ("latest:oTestingModel", str(folder / "images.tgz"))}  # fmt: skip


def many_runs(folder: Path, num_elements: int, num_runs: int, *, is_chain: bool) -> dict[str, Any]:
    """Many runs, all on the same images, or each from the model of the one before."""
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
    "many runs on the same images": functools.partial(many_runs, is_chain=False),
    "many runs, each from the one before": functools.partial(many_runs, is_chain=True),
}


def ask(history: dnnprov.History, question: str, thing: Any) -> Any:
    """One question, to an open history."""
    return history.path(*thing) if question == "path" else getattr(history, question)(thing)


def measure_question(question: str, thing: Any, num_times: int) -> dict[str, Any]:
    """Seconds of warm calls, of making the rows, of fresh processes; and the length of the answer."""
    calls, processor, rows = [], [], []
    with dnnprov.open() as history:
        ask(history, question, thing)
        for _ in range(num_times):
            found = None  # an answer that was looked at holds a dict for each row
            history.store.forget_answers()  # type: ignore[attr-defined]
            begin, begin_processor = time.perf_counter(), time.process_time()
            found = ask(history, question, thing)
            processor.append(time.process_time() - begin_processor)
            calls.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            num_rows = len(found.rows)
            rows.append(time.perf_counter() - begin)
    expect(f"an answer to {question}", num_rows > 0, expected=True)
    fresh = [run_child(ask_fresh, question=question, thing=thing) for _ in range(min(num_times, 3))]
    return {"rows": num_rows, "warm": calls, "processor": processor, "making rows": rows, "fresh": fresh}


def ask_fresh(question: str, thing: Any) -> float:
    """In a child: seconds from opening the store to the answer; the imports count as far as they are lazy."""
    begin = time.perf_counter()
    with dnnprov.open() as history:
        expect("an answer", len(ask(history, question, thing)) > 0, expected=True)
    return time.perf_counter() - begin
