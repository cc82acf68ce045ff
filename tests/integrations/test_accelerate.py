"""Real loops with an Accelerator: with its tracker, and as `autolog` sees them."""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator

import dnnprov
from dnnprov.accelerate import Tracker
from dnnprov.errors import UsageError
from dnnprov.integrations.torch import recordings
from dnnprov.model.events import ProblemRecorded, RunEnded, RunStarted, TaskBegan, TaskEnded
from recorded import column_of, rows_of
from small_accelerate import train_whole


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
    expected = {"learning_rate": 0.1, "lr": 0.1, "num_epochs": 2, "nested_depth": 2, "gradient_accumulation_steps": 1}
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


@pytest.mark.captures("test", "validation", "endings")
def test_a_test_that_is_logged_is_a_task_and_what_an_epoch_says_of_test_data_is_none_of_its_accuracy(recorded):
    accelerator = Accelerator(log_with=Tracker("line"), cpu=True)
    accelerator.init_trackers("line")
    accelerator.log({"epoch": 1, "train_loss": 0.5, "val_loss": 0.7, "test_acc": 0.25})
    accelerator.log({"test_loss": 0.75, "test/acc": 0.5})
    accelerator.log({"test_acc": 0.1}, step=7)
    accelerator.end_training()
    (row,) = recorded.rows("oTrainingModel")
    assert {"loss": 0.5, "val_loss": 0.7, "test_acc": 0.25}.items() <= row.items()
    assert "accuracy" not in row
    (row,) = recorded.rows("oTestingModel")
    assert {"loss": 0.75, "accuracy": 0.5, "test_loss": 0.75, "test/acc": 0.5}.items() <= row.items()
    assert column_of(recorded.store, "SELECT accuracy_source FROM run") == ["test"]
    assert rows_of(recorded.store, "SELECT step, name FROM metric") == [{"step": 7, "name": "test_acc"}]
    assert [(event.status, event.reason) for event in recorded.events(RunEnded)] == [("finished", None)]
    assert recorded.events(ProblemRecorded) == []


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


# A whole script: validated after each epoch, tested at the end, with a schedule, checkpoints and accumulated gradients


@pytest.fixture(scope="module")
def trained(tmp_path_factory, recorded_in):
    folder = tmp_path_factory.mktemp("accelerate")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DNNPROV_STORE", str(folder / "store"))
        dnnprov.autolog("whole")
        losses = train_whole(folder)
        gc.collect()  # the model is gone, and with it the run is over
        dnnprov.autolog(torch=False)
    return SimpleNamespace(recorded=recorded_in(folder / "store"), folder=folder, losses=losses)


@pytest.mark.captures("epochs", "validation")
def test_epochs_and_their_validations_have_the_losses_of_the_script(trained):
    rows = trained.recorded.rows("oTrainingModel")
    means, validated, _ = trained.losses
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["loss"] for row in rows] == pytest.approx(means, rel=1e-6)
    assert [row["val_loss"] for row in rows] == pytest.approx(validated, rel=1e-6)


@pytest.mark.captures("adaptations")
def test_a_schedule_that_was_prepared_is_named(trained):
    assert trained.recorded.adaptations() == [(3, "StepLR", 0.1, 0.05)]
    assert trained.recorded.rows("oTrainingModel")[2]["learning_rate"] == 0.05


@pytest.mark.captures("test")
def test_a_pass_over_other_data_than_those_of_validation_is_a_test(trained):
    (row,) = trained.recorded.rows("oTestingModel")
    assert row["loss"] == pytest.approx(trained.losses[2], rel=1e-6)
    assert trained.recorded.rows("iTestingModel") == [{"num_samples": 24, "num_batches": 3}]


@pytest.mark.captures("files")
def test_states_and_models_that_were_saved_are_files_with_their_hash(trained):
    files = rows_of(trained.recorded.store, "SELECT path, role, sha256 FROM file")
    weights = [row["path"] for row in files if row["role"] == "weights"]
    folders = [*(f"state-{epoch}" for epoch in (1, 2, 3)), "model"]
    assert weights == [str(trained.folder / one / "model.safetensors") for one in folders]
    for row in files:
        assert row["sha256"] == hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest()


@pytest.mark.captures("data", "filters")
def test_the_data_and_their_transforms_are_recorded(trained):
    (row,) = trained.recorded.rows("iTrainingData")
    assert (row["data_set"], row["num_samples"], row["inputs_shape"]) == ("Doubled", 48, "[48, 4]")
    assert [row["filter_name"] for row in trained.recorded.rows("oFilters")] == ["Dropout"]


@pytest.mark.captures("hyperparameters")
def test_what_an_accelerator_adds_up_and_clips_are_hyperparameters(trained):
    found = trained.recorded.parameters()
    expected = {"batch_size": 8, "shuffle": True, "clip_grad_norm": 1.0, "gradient_accumulation_steps": 2, "seed": 3}
    assert expected.items() <= found.items()


def test_the_run_is_whole(trained):
    tags = [event.tag for event in trained.recorded.events(TaskBegan)]
    assert tags == ["Filters", "Training", "Adaptation", "Testing"]
    assert {event.status for event in trained.recorded.events(TaskEnded)} == {"finished"}
    assert [event.status for event in trained.recorded.events(RunEnded)] == ["finished"]
    assert trained.recorded.events(ProblemRecorded) == []


@pytest.mark.captures("unchanged results")
def test_results_are_equal_to_the_bit_with_and_without(trained, tmp_path):
    assert train_whole(tmp_path) == trained.losses


@pytest.mark.captures("endings")
def test_a_loop_that_fails_is_a_failed_run_with_all_epochs_before(store, tmp_path):
    script = """
        import sys
        import dnnprov
        dnnprov.autolog("whole")
        from pathlib import Path
        from small_accelerate import train_whole
        train_whole(Path(sys.argv[1]), ValueError("no such batch"), dnnprov.accelerate.Tracker())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), tmp_path], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: no such batch\n")
    assert "dnnprov/integrations" not in done.stderr
    assert rows_of(store, "SELECT status, exit_reason FROM run") == [
        {"status": "failed", "exit_reason": "ValueError: no such batch"}
    ]
    rows = rows_of(store, "SELECT epoch, val_loss FROM oTrainingModel")
    assert rows[0]["epoch"] == 1
    assert rows[0]["val_loss"] > 0
    assert rows_of(store, "SELECT kind FROM problem") == []
