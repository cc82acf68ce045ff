"""Real trainings by the Trainer of Transformers, of a small model on the CPU, without a network."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import BertTokenizer, EarlyStoppingCallback, Trainer, TrainerCallback, get_cosine_schedule_with_warmup

import dnnprov
from dnnprov.errors import UsageError
from dnnprov.integrations.autologging import FRAMEWORKS
from dnnprov.integrations.claims import claimed_by
from dnnprov.model.events import ProblemRecorded, RunEnded, RunStarted, TaskBegan, TaskEnded
from dnnprov.transformers import Callback
from recorded import column_of, rows_of
from small_transformers import NoLabels, Words, small_bert, trainer

TORCH = tuple(int(number) for number in torch.__version__.split(".")[:2])

pytestmark = pytest.mark.filterwarnings("ignore:.*treespec", "ignore:.*pin_memory", "ignore:.*lr_scheduler.step")

EVERYTHING = {
    "num_train_epochs": 3,
    "logging_strategy": "steps",
    "logging_steps": 2,
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "load_best_model_at_end": True,
    "metric_for_best_model": "loss",
    "warmup_steps": 2,
    "weight_decay": 0.1,
    "label_smoothing_factor": 0.1,
    "seed": 5,
}


class KeepsLosses(Trainer):
    """Keeps the loss of every step."""

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        self.losses = [*getattr(self, "losses", []), loss.item()]
        return loss


class Raises(TrainerCallback):
    """Raises in the middle of an epoch, counted from 0."""

    def __init__(self, error, epoch):
        self.error, self.epoch = error, epoch

    def on_step_end(self, args, state, control, **kwargs):
        if state.epoch > self.epoch:
            raise self.error


@pytest.fixture(scope="module")
def trained(tmp_path_factory, recorded_in):
    """A training of three epochs with evaluations and checkpoints, then tests."""
    folder = tmp_path_factory.mktemp("transformers")
    provenance = Callback("bert", params={"filter": "lower-case"}, store=folder / "store")
    runs = trainer(folder, [provenance], trainer_class=KeepsLosses, **EVERYTHING)
    runs.train()
    evaluated = runs.evaluate()
    tested = runs.predict(Words(12)).metrics
    runs.predict(NoLabels(12))
    runs.save_model(str(folder / "final"))
    provenance.finish()
    recorded = recorded_in(folder / "store")
    return SimpleNamespace(
        recorded=recorded, store=recorded.store, folder=folder, losses=runs.losses, evaluated=evaluated, tested=tested,
        history=runs.state.log_history,
    )  # fmt: skip


# What is recorded of a training


@pytest.mark.captures("hyperparameters", "loss function")
def test_hyperparameters_have_the_shared_names_and_their_own(trained):
    found = trained.recorded.parameters()
    expected = {
        "optimizer_name": "AdamW",
        "learning_rate": 0.01,
        "weight_decay": 0.1,
        "batch_size": 8,
        "per_device_train_batch_size": 8,
        "num_epochs": 3,
        "num_train_epochs": 3,
        "num_steps": 9,
        "num_samples": 24,
        "steps_per_epoch": 3,
        "shuffle": True,
        "dropout": 0.1,
        "lr_scheduler_type": "linear",
        "warmup_steps": 2,
        "label_smoothing_factor": 0.1,
        "seed": 5,
        "model": "BertForSequenceClassification",
        "model_type": "bert",
        "loss_function": "ForSequenceClassification",
        "filter": "lower-case",  # stated
    }
    assert expected.items() <= found.items()
    assert found["sampler"].endswith("RandomSampler")  # of Accelerate or PyTorch
    assert found["num_parameters"] == sum(row["num_parameters"] for row in trained.recorded.rows("iLayers"))
    assert not [name for name in found if "token" in name or "dir" in name or name.startswith(("hub", "logging"))]


@pytest.mark.captures("epochs", "validation")
def test_every_epoch_has_its_row_with_the_mean_loss_however_it_was_logged(trained):
    rows = trained.recorded.rows("oTrainingModel")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    evaluations = [entry for entry in trained.history if "eval_loss" in entry][:3]
    for epoch, (row, evaluation) in enumerate(zip(rows, evaluations, strict=True)):
        assert row["loss"] == pytest.approx(sum(trained.losses[3 * epoch : 3 * epoch + 3]) / 3, rel=1e-6)
        assert row["val_loss"] == row["eval_loss"] == evaluation["eval_loss"]
        assert row["val_accuracy"] == row["eval_accuracy"] == evaluation["eval_accuracy"]
        assert row["elapsed_time"] > 0


@pytest.mark.captures("batches")
def test_what_is_logged_by_steps_are_series(trained):
    series = rows_of(trained.store, "SELECT step, epoch, value FROM metric WHERE name = 'loss' ORDER BY step")
    logged = [(entry["step"], entry["loss"]) for entry in trained.history if "loss" in entry]
    assert [(row["step"], row["value"]) for row in series] == logged
    assert [row["epoch"] for row in series] == [1, 2, 2, 3]
    assert {"grad_norm", "learning_rate"} <= set(column_of(trained.store, "SELECT DISTINCT name FROM metric"))


@pytest.mark.captures("adaptations")
def test_a_schedule_of_steps_is_one_adaptation_an_epoch(trained):
    told = trained.recorded.adaptations()
    assert [(epoch, technique) for epoch, technique, *_ in told] == [(2, "linear"), (3, "linear")]
    assert [new for *_, new in told] == pytest.approx([0.01 * 4 / 7, 0.01 / 7])  # of the last step of each
    rates = [row["learning_rate"] for row in trained.recorded.rows("oTrainingModel")]
    assert rates == [0.01, *(new for *_, new in told)]
    (technique,) = trained.recorded.rows("iAdaptation")
    expected = {"technique": "linear", "num_warmup_steps": 2, "num_training_steps": 9, "initial_lrate": 0.01}
    assert expected.items() <= technique.items()
    assert trained.recorded.parameters()["learning_rate_schedule"] == "linear"


def test_a_schedule_and_an_optimizer_that_the_script_made_are_told_and_not_those_of_the_arguments(recorded, tmp_path):
    model = small_bert()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    schedule = get_cosine_schedule_with_warmup(optimizer, 1, 6, num_cycles=0.25)
    trainer(tmp_path, [Callback("bert")], model, optimizers=(optimizer, schedule), warmup_steps=3).train()
    found = recorded.parameters()
    expected = {"optimizer_name": "SGD", "learning_rate": 0.5, "momentum": 0.9, "learning_rate_schedule": "cosine"}
    assert expected.items() <= found.items()
    assert {"optim", "lr_scheduler_type", "warmup_steps"}.isdisjoint(found)
    (technique,) = recorded.rows("iAdaptation")
    expected = {"technique": "cosine", "num_warmup_steps": 1, "num_training_steps": 6, "num_cycles": 0.25}
    assert expected.items() <= technique.items()


def test_a_schedule_of_the_scripts_own_functions_has_its_class(recorded, tmp_path):
    model = small_bert()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    trainer(tmp_path, [Callback("bert")], model, optimizers=(optimizer, schedule)).train()
    assert {technique for _, technique, *_ in recorded.adaptations()} == {"LambdaLR"}
    assert "schedule" not in recorded.rows("iAdaptation")[0]


@pytest.mark.captures("files")
def test_checkpoints_are_files_with_their_hash_and_the_best_is_told(trained):
    files = rows_of(trained.store, "SELECT path, role, sha256 FROM file")
    assert [row["role"] for row in files] == ["checkpoint"] * 3 + ["best", "model"]
    for row in files:
        assert row["sha256"] == hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest()
    told = rows_of(trained.store, "SELECT epoch, step, role, path, monitor, score FROM oCheckpoint")
    assert [(row["epoch"], row["step"]) for row in told[:3]] == [(1, 3), (2, 6), (3, 9)]
    best = min((entry for entry in trained.history if "eval_loss" in entry), key=lambda entry: entry["eval_loss"])
    assert (told[3]["role"], told[3]["monitor"], told[3]["score"]) == ("best", "loss", best["eval_loss"])
    assert told[3]["path"].endswith(f"checkpoint-{best['step']}")


@pytest.mark.captures("validation")
def test_an_evaluation_with_the_data_of_validation_is_a_validation(trained):
    (row,) = trained.recorded.rows("oValidation")
    assert row["loss"] == row["eval_loss"] == trained.evaluated["eval_loss"]
    assert row["accuracy"] == trained.evaluated["eval_accuracy"]
    assert row["elapsed_time"] == trained.evaluated["eval_runtime"]


@pytest.mark.captures("test")
def test_a_prediction_with_labels_is_a_test_and_one_without_is_counted(trained):
    (row,) = trained.recorded.rows("oTestingModel")
    assert row["loss"] == row["test_loss"] == trained.tested["test_loss"]
    assert row["accuracy"] == row["test_accuracy"]
    assert trained.recorded.rows("iTestingModel") == [{"num_samples": 12, "num_batches": 2}]
    (counted,) = trained.recorded.rows("oPrediction")
    assert (counted["num_samples"], counted["num_batches"]) == (12, 2)


def test_what_is_logged_at_the_end_is_a_row_of_its_own(trained):
    (row,) = trained.recorded.rows("oTrainingSummary")
    assert row["train_loss"] == pytest.approx(sum(trained.losses) / 9)
    assert row["train_runtime"] > 0


@pytest.mark.captures("layers")
def test_the_run_is_whole(trained):
    tags = [event.tag for event in trained.recorded.events(TaskBegan)]
    assert tags == ["Training", "Adaptation", "Validation", "Testing", "Prediction"]
    assert {event.status for event in trained.recorded.events(TaskEnded)} == {"finished"}
    assert [event.status for event in trained.recorded.events(RunEnded)] == ["finished"]
    assert trained.recorded.events(ProblemRecorded) == []


@pytest.mark.captures("unchanged results")
def test_results_are_equal_to_the_bit_with_and_without(trained, tmp_path):
    runs = trainer(tmp_path, trainer_class=KeepsLosses, **EVERYTHING)
    runs.train()
    assert runs.losses == trained.losses
    assert runs.evaluate()["eval_loss"] == trained.evaluated["eval_loss"]


# What it trains on


class Held(torch.utils.data.TensorDataset):
    """What `Words` has, as tensors that can be seen."""

    def __init__(self):
        self.transform = torch.nn.Dropout(0.5)
        super().__init__(Words().words, torch.arange(24) % 3)

    def __getitem__(self, place):
        words, label = super().__getitem__(place)
        return {"input_ids": words, "labels": label}


def tokenizer(folder):
    (folder / "vocabulary.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb")
    return BertTokenizer(str(folder / "vocabulary.txt"), model_max_length=16)


@pytest.mark.captures("data", "filters")
def test_the_data_and_what_prepared_them_are_recorded(recorded, tmp_path):
    given = {"processing_class": tokenizer(tmp_path)}
    with Callback("bert") as provenance:
        trainer(tmp_path, [provenance], data=Held(), given=given, num_train_epochs=1).train()
    (row,) = recorded.rows("iTrainingData")
    expected = {"data_set": "Held", "num_samples": 24, "inputs_shape": "[24, 6]", "targets_dtype": "int64"}
    assert expected.items() <= row.items()
    assert row["class_counts"] == '{"0": 8, "1": 8, "2": 8}'
    whole = Words().words.numpy().tobytes() + (torch.arange(24) % 3).numpy().tobytes()
    assert row["sha256"] == hashlib.sha256(whole).hexdigest()
    filters = {row["filter_name"]: json.loads(row["parameters"]) for row in recorded.rows("oFilters")}
    assert list(filters) == ["BertTokenizer", "Dropout", "DataCollatorWithPadding"]
    assert {"vocab_size": 7, "model_max_length": 16, "padding_side": "right"}.items() <= filters[
        "BertTokenizer"
    ].items()
    assert filters["DataCollatorWithPadding"] == {"padding": True, "return_tensors": "pt"}
    assert [event.tag for event in recorded.events(TaskBegan)][:2] == ["Filters", "Training"]


@pytest.mark.skipif(find_spec("datasets") is None, reason="datasets of Hugging Face is not installed")
def test_a_data_set_of_hugging_face_is_known_by_its_fingerprint(recorded, tmp_path):
    import datasets

    words = {"input_ids": Words().words.tolist(), "label": [place % 3 for place in range(24)]}
    held = datasets.Dataset.from_dict(words).cast_column("label", datasets.ClassLabel(names=["a", "b", "c"]))
    held.save_to_disk(str(tmp_path / "held"))
    held = datasets.load_from_disk(str(tmp_path / "held")).shuffle(seed=1)
    with Callback("bert") as provenance:
        runs = trainer(tmp_path, [provenance], data=held, num_train_epochs=1)
        runs.train()
    (row,) = recorded.rows("iTrainingData")
    assert row["fingerprint"] == runs.get_train_dataloader().dataset._fingerprint  # it leaves out unused columns
    assert json.loads(row["columns"]) == {"input_ids": "List(int32)", "label": "ClassLabel"}
    assert (row["classes"], row["num_classes"]) == ('["a", "b", "c"]', 3)
    assert row["class_counts"] == '{"0": 8, "1": 8, "2": 8}'
    assert row["num_files"] == len(held.cache_files)
    assert row["first_file"].endswith(".arrow")


# Epochs and logs


def test_epochs_that_log_once_have_that_loss(recorded, tmp_path):
    runs = trainer(tmp_path, [Callback("bert")], logging_strategy="epoch")
    runs.train()
    logged = [entry["loss"] for entry in runs.state.log_history if "loss" in entry]
    assert [row["loss"] for row in recorded.rows("oTrainingModel")] == logged
    assert rows_of(recorded.store, "SELECT name FROM metric") == []


@pytest.mark.captures("epochs")
def test_epochs_that_log_nothing_have_their_loss_all_the_same(recorded, tmp_path):
    runs = trainer(tmp_path, [Callback("bert")], trainer_class=KeepsLosses, gradient_accumulation_steps=3)
    runs.train()
    losses = [sum(runs.losses[:3]), sum(runs.losses[3:])]  # one step of three batches; each loss is divided by three
    assert [row["loss"] for row in recorded.rows("oTrainingModel")] == pytest.approx(losses)


def test_evaluations_within_an_epoch_are_series_too(recorded, tmp_path):
    runs = trainer(tmp_path, [Callback("bert")], num_train_epochs=1, eval_strategy="steps", eval_steps=2)
    runs.train()
    series = rows_of(recorded.store, "SELECT step, epoch FROM metric WHERE name = 'val_loss'")
    evaluated = [log["step"] for log in runs.state.log_history if "eval_loss" in log]  # older ones leave the end out
    assert series == [{"step": step, "epoch": 1} for step in evaluated]
    assert evaluated[0] == 2
    assert recorded.rows("oTrainingModel")[0]["val_loss"] > 0


@pytest.mark.captures("adaptations")
def test_a_scheduler_that_waits_for_a_metric_tells_the_value_it_saw(recorded, tmp_path):
    slow = {"lr_scheduler_kwargs": {"patience": 0, "threshold": 100.0, "factor": 0.5}}
    runs = trainer(
        tmp_path, [Callback("bert")], lr_scheduler_type="reduce_lr_on_plateau", eval_strategy="epoch", **slow
    )
    runs.train()
    told = rows_of(recorded.store, "SELECT epoch, technique, old_value, new_value, triggered_by FROM oAdaptation")
    first = recorded.rows("oTrainingModel")[0]["eval_loss"]
    assert [tuple(row.values()) for row in told] == [(2, "ReduceLROnPlateau", 0.01, 0.005, f"eval_loss={first}")]


def test_a_training_that_ends_within_an_epoch_has_that_epoch_too(recorded, tmp_path):
    trainer(tmp_path, [Callback("bert")], max_steps=4).train()
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2]
    assert recorded.parameters()["num_epochs"] == 2


# Endings


@pytest.mark.captures("endings")
def test_an_early_stop_is_the_reason_that_the_run_ended(recorded, tmp_path):
    stops = EarlyStoppingCallback(early_stopping_patience=1, early_stopping_threshold=100.0)
    arguments = {**EVERYTHING, "num_train_epochs": 9, "save_total_limit": 1}
    with Callback("bert") as provenance:
        trainer(tmp_path, [provenance, stops], **arguments).train()
    (run,) = recorded.events(RunEnded)
    assert run.status == "finished"
    assert run.reason.startswith("EarlyStoppingCallback: eval_loss did not improve for 1 evaluations, best ")
    assert [event.reason for event in recorded.events(TaskEnded) if event.reason] == [run.reason]
    assert len(recorded.rows("oTrainingModel")) == 2


@pytest.mark.captures("endings")
def test_a_train_that_fails_is_a_failed_run_with_all_epochs_before(recorded, tmp_path):
    error, provenance = ValueError("no such batch"), Callback("bert")
    with pytest.raises(ValueError, match="no such batch") as caught:
        trainer(tmp_path, [provenance, Raises(error, 2)], num_train_epochs=3).train()
    assert caught.value is error
    assert all("dnnprov/integrations" not in str(entry.path) for entry in caught.traceback)
    assert claimed_by() is None
    assert {event.status for event in recorded.events(TaskEnded)} == {"failed"}  # at once
    provenance.finish()
    (run,) = recorded.events(RunEnded)
    assert (run.status, run.reason) == ("failed", "ValueError: no such batch")
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2]


@pytest.mark.captures("endings")
def test_ctrl_c_is_an_interrupted_run(recorded, tmp_path):
    provenance = Callback("bert")
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, [provenance, Raises(KeyboardInterrupt(), 1)]).train()
    provenance.finish()
    assert [(one.status, one.reason) for one in recorded.events(RunEnded)] == [("interrupted", "KeyboardInterrupt")]


@pytest.mark.skipif(TORCH < (2, 6), reason="Transformers loads no state of an optimizer with older torch")
def test_a_training_that_goes_on_from_a_checkpoint_used_it(recorded, tmp_path):
    trainer(tmp_path, num_train_epochs=1, save_strategy="epoch").train()  # nobody records it
    checkpoint = tmp_path / "out" / "checkpoint-3"
    trainer(tmp_path, [Callback("bert")]).train(resume_from_checkpoint=str(checkpoint))
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [2]
    (used,) = rows_of(recorded.store, "SELECT path, role, relation FROM file")
    assert used == {"path": str(checkpoint / "model.safetensors"), "role": "checkpoint", "relation": "used"}


@pytest.mark.captures("files")
def test_a_model_that_was_loaded_from_a_folder_used_its_weights(recorded, tmp_path):
    small_bert().save_pretrained(tmp_path / "pretrained")
    loaded = type(small_bert()).from_pretrained(tmp_path / "pretrained")
    trainer(tmp_path, [Callback("bert")], loaded, num_train_epochs=1).train()
    (used,) = rows_of(recorded.store, "SELECT path, role, relation FROM file")
    place = str(tmp_path / "pretrained" / "model.safetensors")
    assert used == {"path": place, "role": "model", "relation": "used"}
    assert recorded.parameters()["pretrained"] == str(tmp_path / "pretrained")


# Which run


@pytest.mark.captures("test")
def test_an_evaluation_of_a_model_that_was_not_validated_is_a_test(recorded, tmp_path):
    runs = trainer(tmp_path, [Callback("bert")], num_train_epochs=1)
    runs.train()
    runs.evaluate()
    runs.evaluate(Words(6), metric_key_prefix="held_out")
    first, second = recorded.rows("oTestingModel")
    assert first["loss"] == first["eval_loss"]
    assert second["loss"] == second["held_out_loss"]


def test_two_trainings_of_a_model_are_of_one_run_and_another_model_begins_another(recorded, tmp_path):
    provenance, model = Callback("bert"), small_bert()
    for one in (model, model, small_bert()):
        trainer(tmp_path, [provenance], one, num_train_epochs=1, lr_scheduler_type="constant").train()
    provenance.finish()
    assert len(recorded.events(RunStarted)) == 2
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"] * 3


def test_the_run_of_an_enclosing_block_is_taken(recorded, tmp_path):
    with dnnprov.start_run("mine"):
        trainer(tmp_path, [Callback()], num_train_epochs=1).train()
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["mine"]


def test_wrong_arguments_are_refused_before_anything_trains():
    with pytest.raises(UsageError, match="params='x' is a str"):
        Callback("bert", params="x")


def test_a_pickled_callback_begins_anew_with_the_same_arguments(recorded):
    copied = pickle.loads(pickle.dumps(Callback("bert", params={"filter": "lower-case"})))
    assert copied.run is None
    assert copied.recording.steps.choice.dataflow == "bert"


# Failures of ours


HOOKS = {
    "on_epoch_begin": "begin_epoch",
    "on_epoch_end": "close_epoch",
    "on_log": "take_logs",
    "on_evaluate": "evaluated",
    "on_predict": "predicted",
    "on_save": "saved",
    "on_train_end": "end_training",
    "model_saved": "model_saved",
}


def fail(*_, **__):
    raise RuntimeError("injected")


def test_failures_of_ours_in_every_hook_do_not_reach_the_training(trained, recorded, tmp_path, monkeypatch):
    provenance = Callback("bert")
    for method in HOOKS.values():
        monkeypatch.setattr(provenance.recording, method, fail)
    runs = trainer(tmp_path, [provenance], trainer_class=KeepsLosses, **{**EVERYTHING, "num_train_epochs": 1})
    runs.train()
    runs.predict(Words(6))
    runs.save_model(str(tmp_path / "final"))
    assert runs.losses == trained.losses[:3]
    details = {event.detail for event in recorded.events(ProblemRecorded)}
    assert details == {f"transformers {hook}: RuntimeError: injected" for hook in HOOKS}


def test_a_training_that_cannot_be_begun_is_said_and_trains(recorded, tmp_path, monkeypatch):
    provenance = Callback("bert")
    monkeypatch.setattr(provenance.recording, "begin_training", fail)
    with pytest.warns(RuntimeWarning, match="on_train_begin: RuntimeError: injected"):
        trainer(tmp_path, [provenance], num_train_epochs=1).train()
    assert recorded.rows("oTrainingModel") == []


# By itself


def only_transformers():
    return {one.name: False for one in FRAMEWORKS if one.name != "transformers"}


@pytest.mark.captures("without a call")
def test_autolog_records_a_trainer_without_any_callback(recorded, tmp_path, autolog_off):
    dnnprov.autolog("net", **only_transformers())
    claims = []

    class Looks(TrainerCallback):
        def on_step_end(self, *_, **__):
            claims.append(claimed_by())

    model = small_bert()
    trainer(tmp_path, [Looks()], model, lr_scheduler_type="constant").train()
    trainer(tmp_path, model=model).evaluate()  # another Trainer, the same model
    assert set(claims) == {"transformers"}
    assert claimed_by() is None
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Testing"]
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["net"]


def test_autolog_may_come_before_everything_else(tmp_path):
    script = """
        import dnnprov
        dnnprov.autolog("net")
        dnnprov.transformers
        import transformers
        assert hasattr(transformers.Trainer.train, "is_seen_by_dnnprov")
        from transformers.trainer import DEFAULT_CALLBACKS
        assert [one.__name__ for one in DEFAULT_CALLBACKS] == ["DefaultFlowCallback", "AutomaticCallback"]
    """
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", textwrap.dedent(script)],
        capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "is not recorded" not in done.stderr


def test_autolog_leaves_a_trainer_with_a_callback_of_ours_to_that(recorded, tmp_path, autolog_off):
    dnnprov.autolog("other", **only_transformers())
    trainer(tmp_path, [Callback("net")], num_train_epochs=1, lr_scheduler_type="constant").train()
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["net"]
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"]


def test_autolog_with_transformers_switched_off_records_nothing(recorded, tmp_path, autolog_off):
    dnnprov.autolog("net", **only_transformers())
    made_before = trainer(tmp_path, num_train_epochs=1)
    dnnprov.autolog("net", **only_transformers(), transformers=False)
    made_before.train()
    trainer(tmp_path, num_train_epochs=1).train()
    assert recorded.events() == []
