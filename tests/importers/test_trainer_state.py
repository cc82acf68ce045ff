"""`dnnprov import trainer-state`: what the Trainer of transformers keeps, in the shapes that it has."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

import dnnprov
from dnnprov.cli.main import exit_code

BY_EPOCHS = [
    {"epoch": 1.0, "grad_norm": 2.5, "learning_rate": 4e-05, "loss": 0.9, "step": 100},
    {"epoch": 1.0, "eval_accuracy": 0.6, "eval_loss": 0.8, "eval_runtime": 1.5, "step": 100},
    {"epoch": 2.0, "grad_norm": 1.5, "learning_rate": 2e-05, "loss": 0.5, "step": 200},
    {"epoch": 2.0, "eval_accuracy": 0.8, "eval_loss": 0.7, "eval_runtime": 1.5, "step": 200},
    {"epoch": 2.0, "step": 200, "total_flos": 123456.0, "train_loss": 0.7, "train_runtime": 12.5},
]
BY_STEPS = [
    {"epoch": 0.25, "learning_rate": 5e-05, "loss": 0.9, "step": 50},
    {"epoch": 0.5, "learning_rate": 5e-05, "loss": 0.8, "step": 100},
    {"epoch": 0.5, "eval_loss": 0.85, "step": 100},
    {"epoch": 0.75, "learning_rate": 2.5e-05, "loss": math.nan, "step": 150},
    {"epoch": 1.0, "learning_rate": 2.5e-05, "loss": 0.6, "step": 200},
    {"epoch": 1.0, "eval_loss": 0.7, "eval_accuracy": 0.5, "step": 200},
]


def written(folder, history, **state):
    folder.mkdir()
    whole = {"log_history": history, "global_step": 200, "max_steps": 200, "num_train_epochs": 2, **state}
    (folder / "trainer_state.json").write_text(json.dumps(whole), encoding="utf-8")
    return str(folder)


def test_epochs_that_were_logged_and_evaluated_are_rows(store, tmp_path):
    folder = written(tmp_path / "bert", BY_EPOCHS, train_batch_size=8, trial_params={"weight_decay": 0.1})
    assert exit_code(["import", "trainer-state", folder]) == 0
    with dnnprov.open() as history:
        rows = history.sql(
            "SELECT epoch, loss, val_loss, val_accuracy, eval_runtime FROM otrainingmodel ORDER BY epoch"
        )
        assert [tuple(row.values()) for row in rows] == [(1, 0.9, 0.8, 0.6, 1.5), (2, 0.5, 0.7, 0.8, 1.5)]
        (best,) = history.ask("Q5")
        shown = {"run": "bert", "accuracy": 0.8, "num_epochs": 2, "batch_size": 8, "weight_decay": 0.1}
        assert shown.items() <= best.items()
        assert history.ask("Q4")[0]["learning_rate"] == 4e-05
        changes = history.ask("Q6")
        assert [(row["epoch"], row["technique"], row["new_value"]) for row in changes] == [(2, "inferred", 2e-05)]
        assert history.run("bert").run["status"] == "finished"
        series = {row["name"]: row["value"] for row in history.sql("SELECT name, value FROM metric")}
        assert series == {"train_loss": 0.7, "train_runtime": 12.5, "total_flos": 123456.0}


REAL = """
import json, sys
import torch
from transformers import Trainer, TrainingArguments

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)

    def forward(self, x, labels):
        logits = self.layer(x)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

def accuracy(found):
    return {"accuracy": float((found.predictions.argmax(-1) == found.label_ids).mean())}

data = [{"x": torch.tensor([n / 8, 1.0]), "labels": n % 2} for n in range(8)]
arguments = TrainingArguments(
    sys.argv[1], use_cpu=True, report_to=[], num_train_epochs=3, per_device_train_batch_size=4, learning_rate=0.01,
    logging_strategy="epoch", eval_strategy="epoch", save_strategy="epoch", disable_tqdm=True)
trainer = Trainer(Model(), arguments, train_dataset=data, eval_dataset=data, compute_metrics=accuracy)
trainer.train()
with open(sys.argv[1] + "/told.json", "w") as file:
    json.dump(trainer.state.log_history, file)
"""


def test_a_checkpoint_of_a_real_training_has_what_its_trainer_says(store, tmp_path):
    folder = tmp_path / "real"
    subprocess.run([sys.executable, "-c", REAL, str(folder)], check=True, capture_output=True)
    told = json.loads((folder / "told.json").read_text())
    assert exit_code(["import", "trainer-state", str(folder / "checkpoint-6")]) == 0
    trained = {entry["epoch"]: entry for entry in told if "loss" in entry}
    evaluated = {entry["epoch"]: entry for entry in told if "eval_loss" in entry}
    with dnnprov.open() as history:
        rows = history.sql(
            "SELECT epoch, loss, grad_norm, learning_rate, val_loss, val_accuracy FROM otrainingmodel ORDER BY epoch"
        )
        assert [tuple(row.values()) for row in rows] == [
            (
                epoch,
                *(trained[epoch][name] for name in ("loss", "grad_norm", "learning_rate")),
                *(evaluated[epoch][name] for name in ("eval_loss", "eval_accuracy")),
            )
            for epoch in (1, 2, 3)
        ]
        rates = [trained[epoch]["learning_rate"] for epoch in (1, 2, 3)]
        changes = history.ask("Q6").rows
        assert [(row["epoch"], row["old_value"], row["new_value"]) for row in changes] == [
            (2, rates[0], rates[1]),
            (3, rates[1], rates[2]),
        ]
        (run,) = history.runs()
        assert (run["name"], run["status"], run["num_epochs"], run["batch_size"]) == ("checkpoint-6", "finished", 3, 4)


def test_what_was_logged_within_epochs_is_a_series_with_steps(store, tmp_path):
    folder = written(tmp_path / "gpt", BY_STEPS)
    assert exit_code(["import", "trainer-state", f"{folder}/trainer_state.json", "--dataflow", "m", "--name", "n"]) == 0
    with dnnprov.open() as history:
        rows = history.sql("SELECT step, epoch, value, non_finite FROM metric WHERE name = 'loss' ORDER BY step")
        assert [(row["step"], row["epoch"]) for row in rows] == [(50, 0.25), (100, 0.5), (150, 0.75), (200, 1)]
        assert [row["non_finite"] for row in rows] == [None, None, "NaN", None]
        assert history.sql("SELECT step, value FROM metric WHERE name = 'val_loss'") == [{"step": 100, "value": 0.85}]
        (epoch,) = history.sql("SELECT epoch, loss, val_loss, val_accuracy FROM otrainingmodel")
        assert tuple(epoch.values()) == (1, 0.6, 0.7, 0.5)
        (change,) = history.sql("SELECT epoch, step, old_value, new_value FROM oadaptation")
        assert tuple(change.values()) == (0.75, 150, 5e-05, 2.5e-05)


def test_a_log_that_stops_before_the_last_step_is_of_an_interrupted_training(store, tmp_path):
    folder = written(tmp_path / "half", BY_STEPS, global_step=200, max_steps=900)
    assert exit_code(["import", "trainer-state", folder]) == 0
    with dnnprov.open() as history:
        run = history.run("half").run
        assert run["status"] == "interrupted"
        assert history.sql("SELECT exit_reason FROM run")[0]["exit_reason"] == "the log ends at step 200 of 900"


def test_results_of_a_test_are_those_of_a_testing_task(store, tmp_path):
    folder = written(tmp_path / "tested", [*BY_EPOCHS, {"epoch": 2.0, "test_accuracy": 0.75, "step": 200}])
    assert exit_code(["import", "trainer-state", folder]) == 0
    with dnnprov.open() as history:
        (best,) = history.ask("Q5")
        assert (best["accuracy"], best["accuracy_source"]) == (0.75, "test")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"log_history": [{"epoch": 1.0', "it is no JSON, or ends early"),
        (b"[]", "it has no list 'log_history'"),
        (b'{"log_history": {}}', "it has no list 'log_history'"),
        (b'{"log_history": [{"epoch": "one", "loss": 1}]}', "entry 0 of 'log_history'"),
        (b'{"log_history": [7]}', "entry 0 of 'log_history' is 7"),
        ('{"log_history": []}'.encode("latin-1") + b"\xe9", "it is not in UTF-8"),
        (b"[" * 100_000, "it is no JSON, or ends early"),
    ],
)
def test_a_file_that_is_no_such_state_is_refused_whole(store, tmp_path, capsys, content, said):
    path = tmp_path / "trainer_state.json"
    path.write_bytes(content)
    assert exit_code(["import", "trainer-state", str(path)]) == 1
    assert said in capsys.readouterr().err
    assert not store.exists()
