"""Real Lightning trainings, of a small module on the CPU."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, GradientAccumulationScheduler, ModelCheckpoint

import dnnprov
import small_lightning
from dnnprov.errors import UsageError
from dnnprov.integrations.claims import claimed_by
from dnnprov.lightning import Callback, Logger
from dnnprov.model.events import ProblemRecorded, RunEnded, RunStarted, TaskBegan, TaskEnded
from recorded import column_of, rows_of
from small_lightning import IGNORED, loader, small_net, trainer

pytestmark = [pytest.mark.filterwarnings(one) for one in IGNORED]


def step_lr(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)


class Data(pl.LightningDataModule):
    def __init__(self, crop=3):
        super().__init__()
        self.save_hyperparameters()

    def train_dataloader(self):
        return loader(shuffle=True)

    def val_dataloader(self):
        return loader(16)

    def test_dataloader(self):
        return loader(24)

    def predict_dataloader(self):
        return loader(8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, recorded_in):
    """A training of four epochs with all that Lightning has, then tests."""
    folder = tmp_path_factory.mktemp("lightning")
    module, data = small_net(scheduler=step_lr), Data()
    keeps_best = ModelCheckpoint(folder / "best", monitor="val_loss", save_top_k=-1)
    provenance = Callback("net", params={"filter": "gray"}, store=folder / "store")
    runs = trainer(folder, [provenance, keeps_best], max_epochs=4, enable_checkpointing=True, num_sanity_val_steps=1)
    runs.fit(module, datamodule=data)
    losses = list(module.step_losses)
    runs.save_checkpoint(folder / "last.ckpt")
    runs.test(module, datamodule=data, verbose=False, ckpt_path=str(folder / "last.ckpt"))
    runs.validate(module, datamodule=data, verbose=False)
    runs.predict(module, datamodule=data)
    provenance.finish()
    recorded = recorded_in(folder / "store")
    return SimpleNamespace(recorded=recorded, store=recorded.store, folder=folder, losses=losses, best=keeps_best)


# What is recorded of a training


@pytest.mark.captures("hyperparameters", "loss function")
def test_hyperparameters_have_the_shared_names_and_their_own(trained):
    found = trained.recorded.parameters()
    expected = {
        "optimizer_name": "SGD",
        "learning_rate": 0.1,
        "lr": 0.1,  # as the module calls it
        "momentum": 0.9,
        "weight_decay": 0,
        "dropout": 0.25,
        "hidden": 5,
        "crop": 3,  # of the data module
        "filter": "gray",  # stated
        "batch_size": 8,
        "shuffle": True,
        "num_epochs": 4,
        "num_samples": 32,
        "steps_per_epoch": 4,
        "num_parameters": 43,
        "loss_function": "CrossEntropyLoss",
        "learning_rate_schedule": "StepLR",
    }
    assert expected.items() <= found.items()


@pytest.mark.captures("epochs", "validation")
def test_every_epoch_has_its_row_with_the_mean_loss_and_what_was_logged(trained):
    rows = trained.recorded.rows("oTrainingModel")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    for epoch, row in enumerate(rows):
        mean = sum(trained.losses[4 * epoch : 4 * epoch + 4]) / 4
        assert row["loss"] == pytest.approx(mean, rel=1e-6)
        assert row["accuracy"] == row["train_acc"]
        assert row["val_accuracy"] == row["val_acc"]
        assert 0 < row["val_loss"] < 3
        assert row["train_loss"] == pytest.approx(trained.losses[4 * epoch + 3])  # logged by step: that of the last one
        assert row["elapsed_time"] > 0
        assert "train_acc_step" not in row
        assert "train_acc_epoch" not in row
    assert [row["learning_rate"] for row in rows] == [0.1, 0.1, 0.05, 0.05]


@pytest.mark.captures("adaptations")
def test_a_scheduler_of_epochs_is_named_with_its_parameters(trained):
    recorded = trained.recorded
    assert recorded.adaptations() == [(3, "StepLR", 0.1, 0.05)]
    (technique,) = recorded.rows("iAdaptation")
    assert {"technique": "StepLR", "step_size": 2, "gamma": 0.5, "initial_lrate": 0.1}.items() <= technique.items()


@pytest.mark.captures("layers")
def test_layers_are_rows_in_their_order(trained):
    rows = trained.recorded.rows("iLayers")
    assert [row["type"] for row in rows][:4] == ["Linear", "ReLU", "Dropout", "Linear"]
    assert sum(row.get("num_parameters", 0) for row in rows) == 43


@pytest.mark.captures("files")
def test_checkpoints_are_files_with_their_hash_and_the_best_is_told(trained):
    store, folder, keeps_best = trained.store, trained.folder, trained.best
    rows = rows_of(store, "SELECT path, sha256, role FROM file WHERE relation = 'generated'")
    roles = [row["role"] for row in rows]
    assert roles.count("checkpoint") == 5  # four of the callback, one of the script
    assert roles.count("best") == 1
    for row in rows:
        assert row["sha256"] == hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest()
    told = rows_of(store, "SELECT epoch, path, role, written_by, monitor, score FROM oCheckpoint")
    assert [row["epoch"] for row in told if row["written_by"] == "ModelCheckpoint"][:4] == [1, 2, 3, 4]
    assert [row["path"] for row in told if row["written_by"] == "trainer.save_checkpoint"] == [
        str(folder / "last.ckpt")
    ]
    (best,) = [row for row in told if row["role"] == "best"]
    assert best["path"] == keeps_best.best_model_path
    assert best["score"] == pytest.approx(keeps_best.best_model_score.item())
    assert best["monitor"] == "val_loss"


def test_the_row_of_an_epoch_is_there_before_its_checkpoint(trained):
    order = rows_of(
        trained.store,
        "SELECT 'row' AS what, epoch, sequence FROM oTrainingModel UNION ALL"
        " SELECT 'file', epoch, sequence FROM oCheckpoint WHERE written_by = 'ModelCheckpoint' AND role = 'checkpoint'"
        " ORDER BY sequence",
    )
    assert [(row["what"], row["epoch"]) for row in order] == [(w, e) for e in (1, 2, 3, 4) for w in ("row", "file")]


@pytest.mark.captures("test")
def test_a_test_is_a_testing_task_that_used_its_checkpoint(trained):
    store, folder = trained.store, trained.folder
    (row,) = trained.recorded.rows("oTestingModel")
    assert row["accuracy"] == row["test_acc"]
    assert row["loss"] == row["test_loss"]
    assert "val_loss" not in row
    used = rows_of(store, "SELECT path, tag FROM file JOIN task USING (task_id) WHERE relation = 'used'")
    assert used == [{"path": str(folder / "last.ckpt"), "tag": "Testing"}]
    assert trained.recorded.rows("iTestingModel") == [{"num_samples": 24, "num_batches": 3}]


@pytest.mark.captures("validation")
def test_a_validation_outside_of_a_fit_is_a_task_of_its_own(trained):
    (row,) = trained.recorded.rows("oValidation")
    assert row["accuracy"] == row["val_acc"]
    assert row["loss"] == row["val_loss"]
    assert set(row) == {"accuracy", "loss", "val_acc", "val_loss", "elapsed_time"}


def test_a_prediction_is_counted(trained):
    (row,) = trained.recorded.rows("oPrediction")
    assert (row["num_samples"], row["num_batches"]) == (8, 1)


def test_the_run_is_whole(trained):
    recorded = trained.recorded
    tags = [event.tag for event in recorded.events(TaskBegan)]
    assert tags == ["Training", "Adaptation", "Testing", "Validation", "Prediction"]
    assert {event.status for event in recorded.events(TaskEnded)} == {"finished"}
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]
    assert recorded.events(ProblemRecorded) == []


@pytest.mark.captures("unchanged results")
def test_results_are_equal_to_the_bit_with_and_without(trained, tmp_path):
    module = small_net(scheduler=step_lr)
    runs = trainer(tmp_path, [ModelCheckpoint(tmp_path, monitor="val_loss")], 4, enable_checkpointing=True,
                   num_sanity_val_steps=1)  # fmt: skip
    runs.fit(module, datamodule=Data())
    assert module.step_losses == trained.losses


# Schedules


@pytest.mark.captures("adaptations")
def test_a_schedule_of_steps_is_one_adaptation_an_epoch(recorded, tmp_path):
    def one_cycle(optimizer):
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.4, total_steps=12)
        return {"scheduler": schedule, "interval": "step"}

    module = small_net(scheduler=one_cycle)
    rates, momenta = [], []

    class Looks(pl.Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            rates.append(optimizer.param_groups[0]["lr"])
            momenta.append(optimizer.param_groups[0]["momentum"])

    trainer(tmp_path, [Callback("net"), Looks()], max_epochs=3).fit(module, loader())
    told = recorded.adaptations()
    assert [epoch for epoch, *_ in told] == [1, 2, 3]
    assert {technique for _, technique, _, _ in told} == {"OneCycleLR"}
    assert [new for *_, new in told] == pytest.approx([rates[3], rates[7], rates[11]])
    assert [row["learning_rate"] for row in recorded.rows("oTrainingModel")] == [new for *_, new in told]
    sql = "SELECT epoch, technique, old_value, new_value FROM oAdaptation WHERE attribute = 'momentum'"
    assert [tuple(row.values()) for row in rows_of(recorded.store, sql)] == [  # it is moved after each step, too
        (1, "OneCycleLR", momenta[0], momenta[3]),
        (2, "OneCycleLR", momenta[3], momenta[7]),
        (3, "OneCycleLR", momenta[7], momenta[11]),
    ]
    assert not module.trainer.optimizers[0]._optimizer_step_pre_hooks


@pytest.mark.captures("adaptations")
def test_a_scheduler_that_waits_for_a_metric_tells_the_value_it_saw(recorded, tmp_path):
    def plateau(optimizer):
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=100.0)
        return {"scheduler": schedule, "monitor": "val_loss"}

    trainer(tmp_path, [Callback("net")], max_epochs=3).fit(small_net(scheduler=plateau), loader(), loader(16))
    seen = {row["epoch"]: row["val_loss"] for row in recorded.rows("oTrainingModel")}
    told = rows_of(recorded.store, "SELECT epoch, technique, old_value, new_value, triggered_by FROM oAdaptation")
    assert [tuple(change.values()) for change in told] == [
        (2, "ReduceLROnPlateau", 0.1, 0.05, f"val_loss={seen[1]}"),  # nothing improves by a factor of 100
        (3, "ReduceLROnPlateau", 0.05, 0.025, f"val_loss={seen[2]}"),
    ]


@pytest.mark.captures("adaptations")
def test_a_rate_set_by_hand_between_epochs_is_manual(recorded, tmp_path):
    class Sets(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            trainer.optimizers[0].param_groups[0]["lr"] = 0.01

    trainer(tmp_path, [Callback("net"), Sets()]).fit(small_net(), loader())
    assert recorded.adaptations() == [(2, "manual", 0.1, 0.01)]


def test_gradients_added_up_over_more_batches_are_an_adaptation_and_the_loss_stays_the_mean(recorded, tmp_path):
    module = small_net()
    schedule = GradientAccumulationScheduler(scheduling={1: 2})
    trainer(tmp_path, [Callback("net"), schedule], max_epochs=2).fit(module, loader())
    (change,) = rows_of(recorded.store, "SELECT epoch, attribute, old_value, new_value, technique FROM oAdaptation")
    assert change == {
        "epoch": 2,
        "attribute": "accumulate_grad_batches",
        "old_value": 1,
        "new_value": 2,
        "technique": "GradientAccumulationScheduler",
    }
    losses = [row["loss"] for row in recorded.rows("oTrainingModel")]
    assert losses == pytest.approx([sum(module.step_losses[:4]) / 4, sum(module.step_losses[4:]) / 4])


# Epochs


def test_a_validation_of_another_epoch_is_not_told_again(recorded, tmp_path):
    runs = trainer(tmp_path, [Callback("net")], max_epochs=3, check_val_every_n_epoch=2)
    runs.fit(small_net(), loader(), loader(16))
    assert ["val_loss" in row for row in recorded.rows("oTrainingModel")] == [False, True, False]


def test_validations_within_an_epoch_are_series_and_the_last_is_the_epochs(recorded, tmp_path):
    runs = trainer(tmp_path, [Callback("net")], max_epochs=1, val_check_interval=2)
    runs.fit(small_net(), loader(), loader(16))
    series = rows_of(recorded.store, "SELECT step, epoch, value FROM metric WHERE name = 'val_loss' ORDER BY step")
    assert [(row["step"], row["epoch"]) for row in series] == [(2, 1), (4, 1)]
    assert recorded.rows("oTrainingModel")[0]["val_loss"] == pytest.approx(series[1]["value"])


@pytest.mark.captures("loss function")
def test_what_a_module_logs_late_is_in_its_row_and_a_loss_that_is_no_part_of_it_is_named(recorded, tmp_path):
    class LogsLate(small_lightning.Net):
        def on_train_epoch_end(self):
            self.log("late", float(self.current_epoch))

    module = LogsLate()
    del module.criterion
    module.criterion = torch.nn.functional.cross_entropy  # no part of the module
    trainer(tmp_path, [Callback("net")]).fit(module, loader())
    assert [row["late"] for row in recorded.rows("oTrainingModel")] == [0.0, 1.0]
    assert recorded.parameters()["loss_function"] == "cross_entropy"


def test_a_loss_that_is_no_number_is_kept(recorded, tmp_path):
    class Diverges(small_lightning.Net):
        def training_step(self, batch, index):
            return self._step(batch, "train") * float("nan")

    trainer(tmp_path, [Callback("net")], max_epochs=1).fit(Diverges(), loader())
    assert column_of(recorded.store, "SELECT diverged FROM run_overview") == [1]


def test_two_optimizers_stepped_by_hand_have_their_values(recorded, tmp_path):
    class Adversaries(small_lightning.Net):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, index):
            for optimizer in self.optimizers():
                loss = self._step(batch, "train")
                optimizer.zero_grad()
                self.manual_backward(loss)
                optimizer.step()

        def on_train_epoch_end(self):
            for schedule in self.lr_schedulers():
                schedule.step()

        def configure_optimizers(self):
            first, second = self.layers[0].parameters(), self.layers[3].parameters()
            optimizers = [torch.optim.Adam(first, lr=0.01), torch.optim.SGD(second, lr=0.5)]
            schedules = torch.optim.lr_scheduler
            return optimizers, [schedules.StepLR(optimizers[0], 1, 0.5), schedules.ExponentialLR(optimizers[1], 0.9)]

    trainer(tmp_path, [Callback("net")], max_epochs=2).fit(Adversaries(), loader())
    changes = rows_of(
        recorded.store, "SELECT epoch, attribute, new_value, technique FROM oAdaptation ORDER BY technique"
    )
    assert [tuple(row.values()) for row in changes] == [
        (2, "learning_rate_2", 0.45, "ExponentialLR"),
        (2, "learning_rate", 0.005, "StepLR"),
    ]
    found = recorded.parameters()
    assert {"optimizer_name": "Adam", "learning_rate": 0.01}.items() <= found.items()
    assert 0.5 in [value for name, value in found.items() if name.startswith("learning_rate_")]
    assert len(recorded.rows("oTrainingModel")) == 2


# Endings


@pytest.mark.captures("endings")
def test_an_early_stop_is_the_reason_that_the_run_ended(recorded, tmp_path):
    stops = EarlyStopping("val_loss", patience=1, min_delta=100.0)
    with Callback("net") as provenance:
        runs = trainer(tmp_path, [provenance, stops], max_epochs=9)
        runs.fit(small_net(), loader(), loader(16))
    (task,) = recorded.events(TaskEnded)
    (run,) = recorded.events(RunEnded)
    assert (task.status, run.status) == ("finished", "finished")
    assert task.reason == run.reason
    assert run.reason.startswith("EarlyStopping: ")
    assert "val_loss did not improve" in run.reason
    assert len(recorded.rows("oTrainingModel")) == 2


@pytest.mark.captures("endings")
def test_a_fit_that_fails_is_a_failed_run_with_all_epochs_before(recorded, tmp_path):
    error = ValueError("no such batch")
    provenance = Callback("net")
    with pytest.raises(ValueError, match="no such batch") as caught:
        trainer(tmp_path, [provenance], max_epochs=4).fit(small_net(fails_in_epoch=2, error=error), loader())
    assert caught.value is error
    assert all("dnnprov/integrations" not in str(entry.path) for entry in caught.traceback)
    assert claimed_by() is None
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed"]
    provenance.finish()
    (run,) = recorded.events(RunEnded)
    assert (run.status, run.reason) == ("failed", "ValueError: no such batch")
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2]


@pytest.mark.captures("endings")
def test_ctrl_c_is_an_interrupted_run(recorded, tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    provenance = Callback("net")
    module = small_net(fails_in_epoch=1, error=KeyboardInterrupt())
    try:
        with contextlib.suppress(SystemExit):  # before 2.4 it returns
            trainer(tmp_path, [provenance]).fit(module, loader())
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning ignores it from then on
    provenance.finish()
    assert [(one.status, one.reason) for one in recorded.events(RunEnded)] == [("interrupted", "KeyboardInterrupt")]


def test_a_fit_that_is_told_to_terminate_is_an_interrupted_run(recorded, tmp_path):
    class Told(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.current_epoch == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    try:
        with Callback("net") as provenance, contextlib.suppress(SystemExit):  # older versions return
            trainer(tmp_path, [provenance, Told()], max_epochs=3).fit(small_net(), loader())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [(one.status, one.reason) for one in recorded.events(RunEnded)] == [("interrupted", "SIGTERM")]
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1]


def test_a_test_that_fails_is_a_failed_task(recorded, tmp_path):
    class Fails(small_lightning.Net):
        def test_step(self, batch, index):
            raise ValueError("no such batch")

    with pytest.raises(ValueError, match="no such batch"):
        trainer(tmp_path, [Callback("net")]).test(Fails(), loader(), verbose=False)
    assert [(one.status, one.reason) for one in recorded.events(TaskEnded)] == [("failed", "ValueError: no such batch")]


def test_a_fit_that_goes_on_from_a_checkpoint_used_it(recorded, tmp_path):
    first = trainer(tmp_path, max_epochs=1)
    first.fit(small_net(), loader())
    first.save_checkpoint(tmp_path / "one.ckpt")  # nobody records it
    trainer(tmp_path, [Callback("net")], max_epochs=2).fit(small_net(), loader(), ckpt_path=tmp_path / "one.ckpt")
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [2]
    (used,) = rows_of(recorded.store, "SELECT path, sha256, relation, role FROM file")
    assert (used["relation"], used["role"]) == ("used", "checkpoint")
    assert used["path"] == str(tmp_path / "one.ckpt")


# Which run


def test_two_fits_of_a_module_are_two_trainings_of_a_run_and_another_module_begins_another(recorded, tmp_path):
    provenance, module = Callback("net"), small_net()
    for trained_module in (module, module, small_net()):
        trainer(tmp_path, [provenance], max_epochs=1).fit(trained_module, loader())
    provenance.finish()
    assert len(recorded.events(RunStarted)) == 2
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"] * 3


def test_the_run_of_an_enclosing_block_is_taken(recorded, tmp_path):
    with dnnprov.start_run("net", params={"learning_rate": 0.1}) as run:
        with run.task("Filters") as filters:
            filters.generates("oFilters", filter_name="gray")
        trainer(tmp_path, [Callback("other", after=filters)], max_epochs=1).fit(small_net(), loader())
        assert run.training is not None
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["net"]
    assert column_of(recorded.store, "SELECT filter_name FROM oFilters") == ["gray"]


def test_wrong_arguments_are_refused_before_anything_trains():
    with pytest.raises(UsageError, match="params='x' is a str"):
        Callback("net", params="x")
    with pytest.raises(UsageError, match="no tag"):
        Logger("")


def test_a_pickled_callback_begins_anew_with_the_same_arguments(recorded, tmp_path):
    provenance = Callback("net", params={"filter": "gray"})
    trainer(tmp_path, [provenance], max_epochs=1).fit(small_net(), loader())
    copied = pickle.loads(pickle.dumps(provenance))
    assert copied.run is None
    trainer(tmp_path, [copied], max_epochs=1).fit(small_net(), loader())
    assert copied.run is not provenance.run
    assert copied.run.dataflow == "net"
    assert copied.run.hyperparameters.known("filter") == "gray"


# The logger


@pytest.mark.captures("batches")
def test_a_logger_records_what_a_callback_does_and_series_besides(recorded, tmp_path):
    logger = Logger("net", name="by logger")
    runs = trainer(tmp_path, logger=logger, log_every_n_steps=2, enable_checkpointing=True)
    module = small_net()
    runs.fit(module, loader(), loader(16))
    runs.test(module, loader(), verbose=False)
    assert (logger.name, logger.version) == ("net", "by logger")
    assert logger.experiment is logger.run
    logger.finish()
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Testing"]
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2]
    assert recorded.parameters()["hidden"] == 5
    series = rows_of(recorded.store, "SELECT step, epoch FROM metric WHERE name = 'train_loss' ORDER BY step")
    assert [(row["step"], row["epoch"]) for row in series] == [(1, 1), (3, 1), (5, 2), (7, 2)]
    (checkpoint,) = [path for path in tmp_path.rglob("*.ckpt") if "step=8" in path.name]
    assert checkpoint.parent == tmp_path / "net" / "by logger" / "checkpoints"
    assert str(checkpoint) in column_of(recorded.store, "SELECT path FROM file")


def test_a_logger_beside_a_callback_records_nothing_twice(recorded, tmp_path):
    with dnnprov.start_run("net"):
        trainer(tmp_path, [Callback("a")], logger=Logger("b"), log_every_n_steps=1).fit(small_net(), loader())
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"]
    assert len(recorded.rows("oTrainingModel")) == 2


def test_what_the_script_logs_to_the_logger_is_recorded(recorded):
    logger = Logger("net")
    logger.log_hyperparams({"optimizer": {"name": "sgd", "lr": 0.2}, "api_key": "secret", "model": object()})
    logger.log_metrics({"speed": 3.5}, step=7)
    logger.finish()
    assert recorded.parameters() == {"optimizer_name": "sgd", "optimizer_lr": 0.2}
    assert rows_of(recorded.store, "SELECT name, step, value FROM metric") == [
        {"name": "speed", "step": 7, "value": 3.5}
    ]


def test_other_ranks_than_the_first_log_nothing(recorded, monkeypatch):
    logger = Logger("net")
    monkeypatch.setattr(pl.utilities.rank_zero_only, "rank", 1)
    logger.log_metrics({"speed": 3.5}, step=7)
    logger.log_hyperparams({"lr": 0.2})
    logger.experiment.anything(1)
    assert logger.run is None


# Failures of ours


HOOKS = {
    "on_train_epoch_start": "begin_epoch",
    "on_train_batch_end": "metrics.add_step",
    "on_train_epoch_end": "close_epoch",
    "on_train_end": "end_training",
    "on_validation_start": "begin_validation",
    "on_validation_end": "end_validation",
    "on_test_start": "begin_testing",
    "on_test_end": "end_testing",
    "on_predict_start": "begin_prediction",
    "on_predict_end": "end_prediction",
    "on_save_checkpoint": "settle_epoch",
    "checkpoint_written": "file_written",
}


def fail(*_, **__):
    raise RuntimeError("injected")


def test_failures_of_ours_in_every_hook_do_not_reach_the_training(trained, recorded, tmp_path, monkeypatch):
    provenance = Callback("net")
    for method in HOOKS.values():
        owner, _, name = method.rpartition(".")
        monkeypatch.setattr(getattr(provenance.recording, owner) if owner else provenance.recording, name, fail)
    module, data = small_net(scheduler=step_lr), Data()
    keeps_best = ModelCheckpoint(tmp_path, monitor="val_loss", save_top_k=-1)
    runs = trainer(tmp_path, [provenance, keeps_best], 1, enable_checkpointing=True, num_sanity_val_steps=1)
    runs.fit(module, datamodule=data)
    runs.test(module, datamodule=data, verbose=False)
    runs.predict(module, datamodule=data)
    assert module.step_losses == trained.losses[:4]
    details = {event.detail for event in recorded.events(ProblemRecorded)}
    assert details == {f"lightning {hook}: RuntimeError: injected" for hook in HOOKS}


def test_a_failure_of_ours_while_a_loss_is_named_is_told(recorded, tmp_path, monkeypatch):
    provenance, module = Callback("net"), small_net()
    del module.criterion
    module.criterion = torch.nn.functional.cross_entropy  # no part of the module
    monkeypatch.setattr(provenance.recording, "goes_backward", fail)
    trainer(tmp_path, [provenance], 1).fit(module, loader())
    details = {event.detail for event in recorded.events(ProblemRecorded)}
    assert details == {"lightning on_before_backward: RuntimeError: injected"}


def test_a_failure_of_ours_while_a_fit_fails_leaves_its_exception(recorded, tmp_path, monkeypatch):
    provenance = Callback("net")
    monkeypatch.setattr(provenance.recording, "fail", fail)
    with pytest.raises(ValueError, match="no such batch"):
        trainer(tmp_path, [provenance]).fit(small_net(fails_in_epoch=1, error=ValueError("no such batch")), loader())
    assert claimed_by() is None
    (problem,) = recorded.events(ProblemRecorded)
    assert problem.detail == "lightning on_exception: RuntimeError: injected"


def test_a_training_that_cannot_be_begun_is_said_and_trains(recorded, tmp_path, monkeypatch):
    provenance = Callback("net")
    monkeypatch.setattr(provenance.recording, "begin_training", fail)
    module = small_net()
    with pytest.warns(RuntimeWarning, match="on_train_start: RuntimeError: injected"):
        trainer(tmp_path, [provenance], max_epochs=1).fit(module, loader())
    assert len(module.step_losses) == 4
    assert recorded.rows("oTrainingModel") == []


class Unreadable:
    def __repr__(self):
        raise RuntimeError("not yours")

    __str__ = __repr__


def test_a_module_that_says_nothing_of_itself_trains_all_the_same(recorded, tmp_path):
    class Odd(small_lightning.Net):
        def __init__(self):
            super().__init__()
            endless = {}
            endless["again"] = endless
            self.hparams.update(thing=Unreadable(), text="x" * 100_000, endless=endless)
            self.layers[0] = torch.nn.LazyLinear(5)  # has no size yet
            self.parameters_of_mine = self.type_of = None

    module = Odd()
    module.layers(torch.ones(1, 4))
    trainer(tmp_path, [Callback("net")], max_epochs=1).fit(module, loader())
    assert len(recorded.rows("oTrainingModel")) == 1
    assert {"thing", "text", "endless"}.isdisjoint(recorded.parameters())
    assert recorded.parameters()["hidden"] == 5
    assert recorded.events(ProblemRecorded) == []


# By itself


@pytest.mark.captures("without a call")
def test_autolog_records_a_trainer_without_any_callback(recorded, tmp_path, autolog_off):
    dnnprov.autolog("net", **others_off())
    claims = []

    class Looks(pl.Callback):
        def on_train_batch_end(self, *_):
            claims.append(claimed_by())

    module = small_net()
    trainer(tmp_path, [Looks()], max_epochs=1).fit(module, loader())
    trainer(tmp_path).test(module, loader(), verbose=False)  # another Trainer, the same module
    assert set(claims) == {"lightning"}
    assert claimed_by() is None
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Testing"]
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["net"]


def test_autolog_leaves_a_trainer_with_a_callback_of_ours_to_that(recorded, tmp_path, autolog_off):
    dnnprov.autolog("other", **others_off())
    trainer(tmp_path, [Callback("net")], max_epochs=1).fit(small_net(), loader())
    trainer(tmp_path, logger=Logger("net"), max_epochs=1, log_every_n_steps=1).fit(small_net(), loader())
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["net", "net"]
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Training"]


def test_lightning_logs_no_line_about_the_callback_of_autolog(tmp_path, autolog_off, caplog):
    dnnprov.autolog("net", **others_off())
    with caplog.at_level("INFO", logger="lightning.fabric"):
        made = trainer(tmp_path)
    assert any(type(one).__name__ == "AutomaticCallback" for one in made.callbacks)
    assert "dnnprov" not in caplog.text


def test_autolog_with_lightning_switched_off_records_nothing(recorded, tmp_path, autolog_off):
    dnnprov.autolog("net", **others_off())
    made_before = trainer(tmp_path, max_epochs=1)
    dnnprov.autolog("net", **{**others_off(), "lightning": False})
    made_before.fit(small_net(), loader())
    trainer(tmp_path, max_epochs=1).fit(small_net(), loader())
    assert recorded.events() == []


def others_off():
    """Only Lightning: what else this process has loaded is none of these tests'."""
    from dnnprov.integrations.autologging import FRAMEWORKS

    return {one.name: False for one in FRAMEWORKS if one.name != "lightning"}


def test_it_works_under_the_older_name_too_and_without_a_word_at_exit(tmp_path):
    script = """
        import warnings
        warnings.simplefilter("ignore")
        import sys
        import pytorch_lightning as pl
        import torch
        import dnnprov
        assert issubclass(dnnprov.lightning.Callback, pl.Callback)
        assert issubclass(dnnprov.lightning.Logger, pl.loggers.Logger)
        dnnprov.autolog("auto")

        class Line(pl.LightningModule):
            def __init__(self):
                super().__init__()
                self.line = torch.nn.Linear(1, 1)
            def training_step(self, batch, index):
                return self.line(batch[0]).square().mean()
            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), lr=0.1)

        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4, 1)), batch_size=2)
        made = dict(accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False,
                    enable_progress_bar=False, enable_model_summary=False)
        module = Line()
        pl.Trainer(callbacks=dnnprov.lightning.Callback("net"), **made).fit(module, data)
        pl.Trainer(**made).fit(module, data)
        assert "lightning.pytorch" not in sys.modules
    """
    environment = {**os.environ, "DNNPROV_STORE": str(tmp_path / "store"), "DNNPROV_FOLLOW": "0"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, env=environment, timeout=120,
        cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = rows_of(tmp_path / "store", "SELECT dataflow, status, last_epoch, optimizer_name FROM run_overview")
    expected = {"status": "finished", "last_epoch": 2, "optimizer_name": "SGD"}
    assert found == [{"dataflow": "net", **expected}, {"dataflow": "auto", **expected}]


@pytest.mark.captures("files")
def test_a_module_that_was_loaded_from_a_checkpoint_used_it_and_nothing_is_recorded_below(
    recorded, tmp_path, autolog_off
):
    first = trainer(tmp_path, max_epochs=1)
    first.fit(small_net(), loader())
    first.save_checkpoint(tmp_path / "one.ckpt")  # nobody records it
    dnnprov.autolog("net", **{**others_off(), "torch": True})
    module = small_lightning.Net.load_from_checkpoint(tmp_path / "one.ckpt")
    runs = trainer(tmp_path, max_epochs=1)
    runs.fit(module, loader())
    runs.save_checkpoint(tmp_path / "two.ckpt")
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"]
    files = rows_of(recorded.store, "SELECT path, relation, role FROM file ORDER BY relation")
    assert [tuple(file.values()) for file in files] == [
        (str(tmp_path / "two.ckpt"), "generated", "checkpoint"),
        (str(tmp_path / "one.ckpt"), "used", "checkpoint"),
    ]


def test_a_checkpoint_that_is_read_again_with_nothing_to_follow_is_a_file_that_the_run_used(
    recorded, tmp_path, autolog_off
):
    dnnprov.autolog("net", **{**others_off(), "torch": True})
    runs, module = trainer(tmp_path, max_epochs=1, enable_checkpointing=True), small_net()
    runs.fit(module, loader(), loader(16))
    runs.validate(module, loader(16), verbose=False)
    path = runs.checkpoint_callback.best_model_path
    for _ in range(2):
        small_lightning.Net.load_from_checkpoint(path)
    del module, runs
    gc.collect()
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]
    files = rows_of(recorded.store, "SELECT path, relation, task_id IS NULL AS of_run FROM file ORDER BY relation")
    assert [tuple(file.values()) for file in files] == [(path, "generated", 0), (path, "used", 1)]


@pytest.mark.captures("data", "filters")
def test_the_data_and_their_transforms_are_recorded(recorded, tmp_path):
    class Doubled(torch.utils.data.TensorDataset):
        def __init__(self, *tensors):
            super().__init__(*tensors)
            self.transform = torch.nn.Dropout(0.5)

    data = loader().dataset.tensors
    fed = torch.utils.data.DataLoader(Doubled(*data), batch_size=8)
    provenance = Callback("net")
    trainer(tmp_path, [provenance], max_epochs=1).fit(small_net(), fed)
    provenance.finish()
    (row,) = recorded.rows("iTrainingData")
    assert (row["data_set"], row["num_samples"], row["inputs_shape"]) == ("Doubled", 32, "[32, 4]")
    assert [row["filter_name"] for row in recorded.rows("oFilters")] == ["Dropout"]
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Filters", "Training"]
