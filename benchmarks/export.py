"""PROV documents of a long run in each format, in full and with its epochs folded.

A run of 10,000 epochs with six values each and ten adaptations. A full picture is not measured: Graphviz lays out so
many nodes for minutes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import dnnprov
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store

if TYPE_CHECKING:
    from benchmarks.measurement import Size

NUM_EPOCHS = {"quick": 20, "full": 10_000, "large": 10_000}
REACH_SECONDS = {"json": 5.0}
"""By format, in full."""


def measure(size: Size) -> list[Measurement]:
    """Seconds of PROV-JSON in full; every other export as details."""
    from dnnprov.export.formats import FORMATS

    details, seconds = {}, 0.0
    with new_store() as store:
        record(NUM_EPOCHS[size])
        with dnnprov.open(store) as history:
            history.catch_up()
            dnnprov.export_provenance(history, "long", format="json", full=False)  # what is loaded once
            for one in FORMATS.values():
                for is_full in (False,) if one.is_picture else (True, False):
                    took, details[f"{one.name}, {'in full' if is_full else 'folded'}"] = measure_export(
                        history, one.name, is_full=is_full
                    )
                    if (one.name, is_full) == ("json", True):
                        seconds = took
    return [
        Measurement(
            f"PROV-JSON of {NUM_EPOCHS[size]:,} epochs in full",
            seconds,
            "s",
            reach=REACH_SECONDS["json"],
            details=details,
        )
    ]


def record(num_epochs: int) -> None:
    """A run of so many epochs; the learning rate is halved ten times."""
    learning_rate = 0.1
    with (
        dnnprov.start_run("alexnet", params={"learning_rate": learning_rate}, name="long") as run,
        run.task("Training") as training,
    ):
        for epoch in range(1, num_epochs + 1):
            if epoch % max(1, num_epochs // 10) == 0:
                changed = ("learning_rate", learning_rate, learning_rate / 2)
                run.adapt(dnnprov.Change(*changed, epoch=epoch, technique="LearningRateScheduler"), training)
                learning_rate /= 2
            training.log(
                epoch=epoch,
                elapsed_time=1.5,
                loss=3 / epoch,
                accuracy=1 - 1 / (epoch + 1),
                val_loss=4 / epoch,
                val_accuracy=1 - 1 / (epoch + 2),
            )


def measure_export(history: dnnprov.History, format_name: str, *, is_full: bool) -> tuple[float, str]:
    """One export: its seconds, and its figures in words."""
    began, worked = time.perf_counter(), time.process_time()
    content = dnnprov.export_provenance(history, "long", format=format_name, full=is_full)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    expect(f"a document in {format_name}", len(content) > 1000, expected=True)
    return seconds, f"{seconds:.2f} s, processor {processor:.2f} s, {len(content) / 1e6:.2f} MB"
