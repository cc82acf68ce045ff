"""A real loop with an Accelerator and its tracker."""

from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator

import dnnprov
from dnnprov.accelerate import Tracker
from dnnprov.errors import UsageError
from dnnprov.integrations.torch import recordings
from dnnprov.model.events import ProblemRecorded, RunEnded, RunStarted, TaskBegan
from recorded import rows_of


def train(tracker, epochs=2):
    accelerator = Accelerator(log_with=tracker, cpu=True)
    accelerator.init_trackers("line", config={"lr": 0.1, "num_epochs": epochs, "nested": {"depth": 2}})
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model, optimizer = accelerator.prepare(model, optimizer)
    for epoch in range(1, epochs + 1):
        for step in range(3):
            loss = model(torch.ones(1, 1)).square().mean()
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            accelerator.log({"batch_loss": loss.item()}, step=3 * (epoch - 1) + step)
        accelerator.log({"epoch": epoch, "train_loss": loss.item(), "val_acc": 0.5}, step=3 * epoch)
    return accelerator


@pytest.mark.captures("hyperparameters", "epochs", "batches")
def test_a_loop_is_a_run_with_its_hyperparameters_epochs_and_series(recorded):
    tracker = Tracker("line")
    accelerator = train(tracker)
    assert accelerator.get_tracker("dnnprov", unwrap=True) is tracker.run
    accelerator.end_training()
    expected = {"learning_rate": 0.1, "lr": 0.1, "num_epochs": 2, "nested_depth": 2}
    assert recorded.parameters() == expected
    first, second = recorded.rows("oTrainingModel")
    assert (first["epoch"], second["epoch"]) == (1, 2)
    assert first["loss"] == first["train_loss"] > second["loss"] > 0
    assert first["val_accuracy"] == first["val_acc"] == 0.5
    series = rows_of(recorded.store, "SELECT step FROM metric WHERE name = 'batch_loss' ORDER BY step")
    assert [row["step"] for row in series] == [0, 1, 2, 3, 4, 5]
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]
    assert recorded.events(ProblemRecorded) == []


def test_the_run_of_an_enclosing_block_is_taken_and_left_open(recorded):
    with dnnprov.start_run("mine") as run:
        train(Tracker()).end_training()
        assert run.status == "running"
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["mine"]
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"]


def test_a_failure_of_ours_does_not_reach_the_loop(recorded, monkeypatch):
    tracker = Tracker("line")
    monkeypatch.setattr("dnnprov.integrations.accelerate.tracker.with_canonical_names", None)
    train(tracker).end_training()
    assert "NoneType" in recorded.events(ProblemRecorded)[0].detail


def test_the_run_begins_with_the_trackers_whether_or_not_there_is_a_config(recorded):
    tracker = Tracker("line")
    accelerator = Accelerator(log_with=tracker, cpu=True)
    accelerator.init_trackers("line")
    assert tracker.run.status == "running"
    accelerator.end_training()
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["line"]


def test_wrong_arguments_are_refused_before_anything_trains():
    with pytest.raises(UsageError, match="params='x' is a str"):
        Tracker("line", params="x")


@pytest.mark.captures("loss function", "layers", "without a call")
@pytest.mark.parametrize("is_tracked", [False, True])
def test_a_loop_that_autolog_sees_has_an_epoch_a_pass_and_one_training(recorded, is_tracked):
    """Its loaders draw one batch ahead, so that the loader under them is through before the last batch trains."""
    dnnprov.autolog("line")
    accelerator = Accelerator(cpu=True, log_with=Tracker("line") if is_tracked else None)
    accelerator.init_trackers("line")
    torch.manual_seed(3)
    data = torch.utils.data.TensorDataset(torch.randn(24, 4), torch.arange(24) % 2)
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model, optimizer, batches = accelerator.prepare(model, optimizer, torch.utils.data.DataLoader(data, batch_size=8))
    means = []
    for epoch in (1, 2, 3):
        losses = []
        for x, y in batches:
            loss = torch.nn.functional.cross_entropy(model(x), y)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        means.append(sum(losses) / 3)
        accelerator.log({"epoch": epoch, "val_acc": epoch / 4})
    accelerator.end_training()
    recordings._finish_all()  # as at the end of the program
    rows = recorded.rows("oTrainingModel")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["loss"] for row in rows] == pytest.approx(means, rel=1e-6)
    assert [row.get("val_accuracy") for row in rows] == ([0.25, 0.5, 0.75] if is_tracked else [None] * 3)
    assert recorded.parameters()["loss_function"] == "cross_entropy"
    assert [row["type"] for row in recorded.rows("iLayers")] == ["Linear"]
    assert len([event for event in recorded.events(TaskBegan) if event.tag == "Training"]) == 1
    assert len({event.name for event in recorded.events(RunStarted)}) == 1
    assert recorded.events(ProblemRecorded) == []
