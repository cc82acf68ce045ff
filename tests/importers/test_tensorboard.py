"""`dnnprov import tensorboard`: 34 real trainings and files of TensorFlow, against TensorFlow's own reader."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime

import pytest

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.errors import MissingExtraError
from dnnprov.importers.tensorboard import messages, records

PATTERN = "{}_{optimizer}_lr_{learning_rate}_gamma_{gamma}_batch_size_{batch_size}"

OF_TENSORFLOW = """
import json, pathlib, sys
import tensorflow as tf
found = {}
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*tfevents*")):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        values = found.setdefault(str(path.parent.relative_to(sys.argv[1])), [])
        if not event.summary.value:
            values.append([None, None, None, event.wall_time])
        for one in event.summary.value:
            kind = one.WhichOneof("value")
            number = one.simple_value if kind == "simple_value" else None
            values.append([one.tag, event.step, number, event.wall_time])
print(json.dumps(found))
"""

WRITTEN = """
import sys
import tensorflow as tf
place = sys.argv[1]
with tf.summary.create_file_writer(place + "/one").as_default():
    for step in range(1, 5):
        tf.summary.scalar("train/loss", [2.0, 1.0, float("nan"), float("inf")][step - 1], step=step)
        tf.summary.scalar("val/acc", [0.25, 0.5, 0.5, 0.75][step - 1], step=step)
        tf.summary.scalar("learning_rate", 0.5 if step < 3 else 0.125, step=step)
        for batch in range(10):
            tf.summary.scalar("batch/loss", step + batch / 16, step=step * 10 + batch)
    tf.summary.text("config", "lr=0.5", step=0)
    tf.summary.histogram("weights", [1.0, 2.0], step=0)
    tf.summary.image("input", tf.zeros((1, 2, 2, 3)), step=0)
"""


def of_tensorflow(script, *arguments):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.fixture(scope="module")
def imported(flowers_logs, tmp_path_factory):
    """A store with the 34 trainings, and the values that TensorFlow reads: folder -> (tag, step, value, time)."""
    place = tmp_path_factory.mktemp("flowers") / "store"
    command = ["import", "tensorboard", str(flowers_logs), "--dataflow", "flowers17", "--pattern", PATTERN]
    assert exit_code([*command, "--store", str(place)]) == 0
    with dnnprov.open(place) as history:
        yield history, json.loads(of_tensorflow(OF_TENSORFLOW, flowers_logs).splitlines()[-1])


def series(read, folder, tag):
    return [(step, value) for name, step, value, _ in read[folder] if name == tag]


def folders(read):
    return sorted(name for name in read if "/" not in name)


def results_of(read, folder):
    """What the folder of the session, below that of the training, has as results."""
    inner = next((name for name in read if name.startswith(f"{folder}/")), None)
    return {tag: value for tag, _, value, _ in read[inner] if value is not None} if inner else {}


def test_each_folder_is_a_run_and_those_of_sessions_are_not(imported):
    history, read = imported
    runs = history.runs(limit=None)
    assert len(runs) == 34
    assert sorted(run["name"] for run in runs) == folders(read)
    assert {run["dataflow"] for run in runs} == {"flowers17"}


def test_every_epoch_has_the_values_that_tensorflow_reads(imported):
    history, read = imported
    tags = {"loss": "Loss/train", "accuracy": "acc/train", "val_loss": "Loss/val", "val_accuracy": "acc/val"}
    num_rows = 0
    for folder in folders(read):
        sql = "SELECT o.* FROM otrainingmodel AS o JOIN run AS r ON r.run_id = o.run_id WHERE r.name = "
        rows = list(history.sql(f"{sql}'{folder}' ORDER BY epoch"))
        num_rows += len(rows)
        for column, tag in tags.items():
            assert [(row["epoch"], row[column]) for row in rows] == series(read, folder, tag)
        last = {step: time for tag, step, _, time in read[folder] if tag in tags.values()}
        for row in rows:
            assert datetime.fromisoformat(row["recorded_at"]).timestamp() == pytest.approx(last[row["epoch"]], abs=2e-6)
    assert num_rows == 26 * 50 + 16 + 45


def test_hyperparameters_are_those_that_the_names_of_folders_say(imported):
    history, read = imported
    found = {
        row["name"]: row
        for row in history.sql("SELECT r.name, p.* FROM itrainingmodel AS p JOIN run AS r ON r.run_id = p.run_id")
    }
    assert sorted(found) == folders(read)
    for folder, row in found.items():
        told = re.fullmatch(r".*_(\w+?)_lr_([\de.-]+)_gamma_([\d.]+)_batch_size_(\d+)", folder)
        assert (row["learning_rate"], row["gamma"]) == (float(told[2]), float(told[3]))
        assert (row["batch_size"], row["optimizer_name"]) == (int(told[4]), told[1].rpartition("_")[2])
        if results_of(read, folder):
            assert row["num_epochs"] == 50
            assert f"{row['model_name']}_" in folder


def test_q1_to_q8_agree_with_the_files(imported):
    history, read = imported
    tested = {folder: results for folder in folders(read) if (results := results_of(read, folder))}
    assert len(tested) == 26
    best = max(results["test_acc"] for results in tested.values())
    worst = min(results["test_acc"] for results in tested.values())
    for folder in folders(read):
        losses = series(read, folder, "Loss/train")
        times = [time for tag, _, _, time in read[folder] if tag in {"Loss/train", "acc/train", "Loss/val", "acc/val"}]
        third = history.ask("Q3", run=folder)
        assert [(row["epoch"], row["loss"]) for row in third] == losses
        began = min(time for *_, time in read[folder])
        assert sum(row["elapsed_seconds"] for row in third) == pytest.approx(max(times, default=began) - began, abs=0.1)
        assert [row["value"] for row in history.ask("Q1", run=folder, epoch=10)] == [v for s, v in losses if s == 10]
        assert history.ask("Q2", run=folder).rows == []
    (fourth,) = history.ask("Q4")
    assert (fourth["accuracy"], fourth["accuracy_source"]) == (best, "test")
    assert tested[fourth["run"]]["test_acc"] == best
    assert f"_lr_{fourth['learning_rate']:g}_" in fourth["run"]
    ranked = history.ask("Q5", top=26)
    assert [row["accuracy"] for row in ranked] == sorted((one["test_acc"] for one in tested.values()), reverse=True)
    assert [tested[row["run"]]["test_acc"] for row in ranked] == [row["accuracy"] for row in ranked]
    assert [row["adapted"] for row in history.ask("Q6")] == [0]
    assert history.ask("Q7", dropout=0.4).rows == []
    extremes = [(row["which"], row["accuracy"], row["filter_name"], row["num_epochs"]) for row in history.ask("Q8")]
    assert extremes == [("best", best, "none", 50), ("worst", worst, "none", 50)]


def test_pictures_are_told_and_nothing_else_is_left_out(imported):
    history, read = imported
    found = history.sql("SELECT r.name, p.kind, p.detail FROM problem AS p JOIN run AS r ON r.run_id = p.run_id")
    assert {row["kind"] for row in found} == {"not_imported"}
    counts = {row["name"]: int(row["detail"].split()[0]) for row in found}
    expected = {folder: len(series(read, folder, "Graphs")) for folder in folders(read)}
    assert counts == {folder: count for folder, count in expected.items() if count}


def test_importing_the_34_trainings_again_adds_nothing(imported, flowers_logs, capsys):
    history, _ = imported
    command = ["import", "tensorboard", f"{flowers_logs}/../runs/", "--dataflow", "flowers17", "--json"]
    assert exit_code([*command, "--store", str(history.folder.path)]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (len(done["new"]), len(done["known"]), done["num_events"]) == (0, 34, 0)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A log that TensorFlow 2 wrote: scalars as tensors, series of epochs and of batches, other things."""
    place = tmp_path_factory.mktemp("written")
    of_tensorflow(WRITTEN, place)
    return place


def test_a_log_of_tensorflow_2_has_epochs_batches_and_inferred_changes(store, written):
    assert exit_code(["import", "tensorboard", str(written), "--dataflow", "m"]) == 0
    with dnnprov.open() as history:
        rows = history.ask("Q3")
        assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
        assert [row["loss"] for row in rows][:2] == [2.0, 1.0]
        assert math.isnan(rows[2]["loss"])
        assert rows[3]["loss"] == math.inf
        assert history.ask("Q5")[0]["accuracy"] == 0.75
        changes = [(row["epoch"], row["technique"], row["old_value"], row["new_value"]) for row in history.ask("Q6")]
        assert changes == [(3, "inferred", 0.5, 0.125)]
        assert history.ask("Q4")[0]["learning_rate"] == 0.5
        values = history.sql("SELECT step, value FROM metric WHERE name = 'batch/loss' ORDER BY step")
        expected = [(step * 10 + batch, step + batch / 16) for step in range(1, 5) for batch in range(10)]
        assert [(row["step"], row["value"]) for row in values] == expected
        left_out = {row["detail"] for row in history.sql("SELECT detail FROM problem")}
        words = [("text", "config"), ("histogram", "weights"), ("picture", "input")]
        assert left_out == {f"1 values of tag {t!r} are of the kind {w}; numbers are imported" for w, t in words}


@pytest.mark.parametrize(("steps", "num_epochs", "num_values"), [("batches", 0, 52), ("epochs", 44, 0)])
def test_what_steps_are_can_be_said(store, written, steps, num_epochs, num_values):
    assert exit_code(["import", "tensorboard", str(written), "--steps", steps]) == 0
    with dnnprov.open() as history:
        assert history.sql("SELECT COUNT(*) AS n FROM otrainingmodel") == [{"n": num_epochs}]
        assert history.sql("SELECT COUNT(*) AS n FROM metric") == [{"n": num_values}]


@pytest.fixture
def log(written, tmp_path):
    """A copy of that log, to be damaged."""
    shutil.copytree(written, tmp_path / "logs")
    (path,) = (tmp_path / "logs" / "one").iterdir()
    return path


@pytest.mark.parametrize("where", [0.05, 0.3, 0.5, 0.7, 0.95])
def test_a_flipped_bit_anywhere_is_met_and_nothing_is_stored(store, log, capsys, where):
    content = bytearray(log.read_bytes())
    content[int(len(content) * where)] ^= 0x10
    log.write_bytes(content)
    assert exit_code(["import", "tensorboard", str(log.parents[1])]) == 1
    error = capsys.readouterr().err
    assert "the checksum of the" in error
    assert log.name in error
    assert not store.exists()


def test_a_log_whose_process_was_killed_in_a_write_is_taken_as_far_as_it_is(store, log):
    log.write_bytes(log.read_bytes() + b"\x18\x00\x00\x00\x00\x00\x00\x00\xa3\x7f")
    assert exit_code(["import", "tensorboard", str(log.parents[1])]) == 0
    with dnnprov.open() as history:
        assert len(history.ask("Q3")) == 4
        details = [row["detail"] for row in history.sql("SELECT detail FROM problem")]
        assert any("the last 10 bytes of" in detail and "half a record" in detail for detail in details)


def test_a_file_that_is_no_event_file_and_a_folder_without_any_are_refused(store, tmp_path, capsys):
    (tmp_path / "logs").mkdir()
    assert exit_code(["import", "tensorboard", str(tmp_path / "logs")]) == 1
    assert "no file below it has 'tfevents' in its name" in capsys.readouterr().err
    (tmp_path / "logs" / "events.out.tfevents.1").write_bytes(b"SQLite format 3\0" * 10)
    assert exit_code(["import", "tensorboard", str(tmp_path / "logs")]) == 1
    assert "the checksum of the length of the record at byte 0 is wrong" in capsys.readouterr().err
    assert exit_code(["import", "tensorboard", str(tmp_path / "none")]) == 1
    assert "it is no folder" in capsys.readouterr().err
    assert not store.exists()


def test_a_name_that_does_not_fit_the_pattern_is_told(store, written):
    assert exit_code(["import", "tensorboard", str(written), "--pattern", "{}_lr_{learning_rate}"]) == 0
    with dnnprov.open() as history:
        details = [row["detail"] for row in history.sql("SELECT detail FROM problem")]
        assert "the name 'one' does not fit the pattern of names; it tells no hyperparameters" in details


@pytest.mark.parametrize("pattern", ["", "no names", "{a}_{a}", "{1}", "{}"])
def test_a_pattern_that_tells_nothing_is_wrong_usage(store, written, capsys, pattern):
    assert exit_code(["import", "tensorboard", str(written), "--pattern", pattern]) == 2
    assert "--pattern" in capsys.readouterr().err


@pytest.mark.parametrize(("module", "needed"), [(records, "google_crc32c"), (messages, "google.protobuf")])
def test_without_the_extra_the_command_says_what_to_install(store, written, monkeypatch, capsys, module, needed):
    messages.message_class.cache_clear()
    monkeypatch.setitem(sys.modules, needed, None)
    assert exit_code(["import", "tensorboard", str(written)]) == 1
    assert "pip install 'dnnprov[tensorboard]'" in capsys.readouterr().err
    assert issubclass(MissingExtraError, ImportError)
    assert not store.exists()
