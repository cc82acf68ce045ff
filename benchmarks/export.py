"""How long an export of a long run takes, in each format: `python benchmarks/export.py [--epochs 10000]`.

Records a run of so many epochs with six values each and ten adaptations, takes it in, and exports it, full and
collapsed. Prints seconds of the clock and of the processor, and the size of the file. A full picture is not measured:
Graphviz lays out so many nodes for minutes.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ["DNNPROV_FOLLOW"] = "0"

import dnnprov
from dnnprov.export.formats import FORMATS


def record(store, num_epochs):
    """A run of so many epochs; the learning rate is halved ten times."""
    learning_rate = 0.1
    parameters = {"learning_rate": learning_rate}
    with (
        dnnprov.start_run("alexnet", params=parameters, store=store, name="long") as run,
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


def measured(history, format_name, *, full):
    """One export: its format, seconds and size."""
    began, worked = time.perf_counter(), time.process_time()
    content = dnnprov.export_provenance(history, "long", format=format_name, full=full)
    return {
        "format": format_name,
        "full": full,
        "seconds": round(time.perf_counter() - began, 2),
        "processor_seconds": round(time.process_time() - worked, 2),
        "megabytes": round(len(content) / 1e6, 2),
    }


def main():
    """Record, export, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=10_000)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        record(store, arguments.epochs)
        with dnnprov.open(store) as history:
            history.catch_up()
            dnnprov.export_provenance(history, "long", format="json", full=False)  # what is loaded once
            for one in FORMATS.values():
                for full in (False,) if one.is_picture else (True, False):
                    row = measured(history, one.name, full=full)
                    print(
                        json.dumps(row) if arguments.json else "  ".join(f"{k} {v}" for k, v in row.items()), flush=True
                    )


if __name__ == "__main__":
    main()
