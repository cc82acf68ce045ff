"""What `autolog` costs a plain PyTorch loop: on each step, on each epoch, and once.

A small model whose steps take a few hundred microseconds trains in two processes in turns, with autolog and without, on
one thread of the processor. What a step takes more is what autolog adds to a step of any length; its part of a step of
5 ms is computed of that. Times are those of the training's thread, which other programs on the machine lengthen least.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import dnnprov
from benchmarks.child import Child, hear, tell
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measurement import Size

STEP_SECONDS = 0.005
NUM_STEPS = {"quick": 20, "full": 500, "large": 500}
NUM_EPOCHS = {"quick": 2, "full": 20, "large": 40}
BATCH = 8
STEPS_OF_EPOCH = 1000
"""Of an epoch whose cost is told: one of 5 s."""


def measure(size: Size) -> list[Measurement]:
    """Per cent of a step and of an epoch."""
    shape = {"num_steps": NUM_STEPS[size], "num_epochs": NUM_EPOCHS[size]}
    with (
        new_store() as store,
        Child(train, store="", **shape) as bare,
        Child(train, store=str(store), **shape) as recorded,
    ):
        seen: dict[str, Any] = {"first": recorded.hear(), "off": [], "on": []}
        bare.hear()
        for number in range(shape["num_epochs"]):
            turns = [("off", bare), ("on", recorded)]
            for kind, child in turns if number % 2 else reversed(turns):
                child.tell()
                seen[kind].append(child.hear())
        for child in (bare, recorded):
            child.tell()
        bare.hear()
        seen.update(recorded.hear())
        check(store, seen["losses"])
    added = median(seen["on"]) - median(seen["off"])
    quickest = min(seen["on"]) - min(seen["off"])
    an_epoch = seen["epoch_end"]
    once = seen["first"] - median(seen["on"]) * shape["num_steps"]
    per_epoch = STEPS_OF_EPOCH * added + an_epoch
    return [
        Measurement(
            "autolog of PyTorch, a step of 5 ms",
            100 * added / STEP_SECONDS,
            "%",
            reach=1.0,
            details={
                "a step": f"{1e6 * median(seen['off']):.0f} us without, {1e6 * median(seen['on']):.0f} us with",
                "added": f"{1e6 * added:.1f} us a step; by the quickest epochs {1e6 * quickest:.1f} us",
                "how": f"{len(seen['on'])} epochs of {shape['num_steps']} steps each way, one thread",
            },
        ),
        Measurement(
            f"autolog of PyTorch, an epoch of {STEPS_OF_EPOCH} such steps",
            100 * per_epoch / (STEPS_OF_EPOCH * STEP_SECONDS),
            "%",
            reach=1.0,
            details={
                "an epoch's end": f"{1000 * an_epoch:.2f} ms: its row, its loss read",
                "once": f"{1000 * once:.0f} ms at the first step: model, layers and schedulers found, the run begun",
            },
        ),
    ]


def check(store: Path, losses: list[float]) -> None:
    """The epochs were recorded, with the losses that the loop itself has seen."""
    with dnnprov.open(store) as history:
        rows = history.query("SELECT epoch, loss FROM oTrainingModel ORDER BY epoch")
    expect("epochs", [row["epoch"] for row in rows], list(range(1, len(losses) + 1)))
    expect("losses", [round(row["loss"], 5) for row in rows], [round(loss, 5) for loss in losses])


def train(store: str, num_steps: int, num_epochs: int) -> dict[str, Any]:
    """In a child: seconds of a step, epoch by epoch as the parent asks for them; with autolog if there is a store."""
    import torch

    torch.set_num_threads(1)
    if store:
        os.environ["DNNPROV_STORE"] = store
        dnnprov.autolog("bench")
    loop = Loop(num_steps)
    tell(loop.epoch() * num_steps)
    for _ in range(num_epochs):
        hear()
        tell(loop.epoch())
    hear()
    return {"epoch_end": loop.epoch_end(), "losses": loop.losses}


class Loop:
    """A plain loop, as people write it."""

    def __init__(self, num_steps: int) -> None:
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        torch.manual_seed(3)
        inputs = torch.randn(num_steps * BATCH, 8)
        self.batches = DataLoader(TensorDataset(inputs, (inputs.sum(1) > 0).long()), batch_size=BATCH)
        self.model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.criterion = torch.nn.CrossEntropyLoss()
        self.losses: list[float] = []

    def epoch(self) -> float:
        """One epoch; seconds of a step."""
        seen = []
        began = time.thread_time()
        for inputs, targets in self.batches:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(inputs), targets)
            loss.backward()
            self.optimizer.step()
            seen.append(loss.detach())
        seconds = time.thread_time() - began
        self.losses.append(float(sum(seen)) / len(seen))
        return seconds / len(seen)

    def epoch_end(self) -> float:
        """Seconds from the last batch to the begin of the next pass, which is where an epoch is recorded."""
        times = []
        for _ in range(5):
            seen = []
            for inputs, targets in self.batches:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(inputs), targets)
                loss.backward()
                self.optimizer.step()
                seen.append(loss.item())
                began = time.thread_time()
            next(iter(self.batches))
            times.append(time.thread_time() - began)
            self.losses.append(sum(seen) / len(seen))
        return median(times)
