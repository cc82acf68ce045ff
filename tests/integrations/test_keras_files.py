"""Files that models are written to and read from are recorded by themselves, through whichever door of Keras."""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import pytest

import dnnprov
from dnnprov.integrations.keras import files as keras_files
from dnnprov.keras import ProvenanceCallback
from dnnprov.model.events import FileHashed, FileRecorded, ProblemRecorded, TaskBegan
from recorded import rows_of
from small_keras import RaisesAtEnd, X, Y, fit, small_model

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture
def trained():
    """A model after a `fit` of two epochs, and its callback."""
    model, callback = small_model(), ProvenanceCallback("net")
    fit(model, [callback])
    return model, callback


def files(recorded, relation=None):
    """(name, role, tag of its task) of the files recorded."""
    tags = {event.seq: event.tag for event in recorded.events(TaskBegan)}
    found = [event for event in recorded.events(FileRecorded) if relation in {None, event.relation}]
    return [(Path(event.path).name, event.role, tags.get(event.task)) for event in found]


def hashes(recorded):
    by_seq = {event.file: event.sha256 for event in recorded.events(FileHashed)}
    return [by_seq[event.seq] for event in recorded.events(FileRecorded)]


# Written


@pytest.mark.captures("files")
def test_a_saved_model_is_recorded_with_hash_epoch_and_training(recorded, trained, tmp_path):
    model, callback = trained
    model.save(tmp_path / "net.keras")
    callback.finish()
    assert files(recorded) == [("net.keras", "model", "Training")]
    assert hashes(recorded) == [sha256(tmp_path / "net.keras")]
    assert recorded.rows("oCheckpoint") == [
        {"epoch": 2, "path": str(tmp_path / "net.keras"), "written_by": "model.save", "role": "model"}
    ]


@pytest.mark.parametrize(
    ("save", "name", "role"),
    [
        (lambda model, path: model.save(path), "a.keras", "model"),
        (lambda model, path: model.save(filepath=str(path)), "a.h5", "model"),
        (lambda model, path: model.save(path, zipped=False), "folder", "model"),
        (keras.saving.save_model, "a.keras", "model"),
        (lambda model, path: keras.models.save_model(model=model, filepath=path), "a.keras", "model"),
        (lambda model, path: model.save_weights(path), "a.weights.h5", "weights"),
        (keras.saving.save_weights, "a.weights.h5", "weights"),
    ],
)
def test_every_way_to_save_is_seen(recorded, trained, tmp_path, save, name, role):
    model, callback = trained
    assert save(model, tmp_path / name) is None
    callback.finish()
    assert files(recorded) == [(name, role, "Training")]
    assert all(hashes(recorded))


def test_each_shard_of_weights_is_recorded(recorded, trained, tmp_path):
    model, callback = trained
    model.save_weights(tmp_path / "big.weights.json", max_shard_size=1e-7)
    callback.finish()
    names = [name for name, _, _ in files(recorded)]
    assert names[0] == "big.weights.json"
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("big"))
    assert len(names) > 2
    assert all(hashes(recorded))


def test_an_exported_model_is_recorded(recorded, trained, tmp_path, monkeypatch):
    model, callback = trained
    monkeypatch.setattr("keras.src.export.export_onnx", lambda model, path, *_, **__: Path(path).write_bytes(b"onnx"))
    model.export(tmp_path / "net.onnx", format="onnx")
    callback.finish()
    assert files(recorded) == [("net.onnx", "export", "Training")]


def test_the_best_checkpoint_is_recorded_each_time_it_is_written(recorded, tmp_path):
    best = keras.callbacks.ModelCheckpoint(str(tmp_path / "best-{epoch}.keras"), monitor="loss", save_best_only=True)
    history = fit(small_model(0.1), [ProvenanceCallback("net"), best], epochs=4).history["loss"]
    improved = [epoch for epoch, loss in enumerate(history, start=1) if loss == min(history[:epoch])]
    assert files(recorded) == [(f"best-{epoch}.keras", "checkpoint", "Training") for epoch in improved]
    rows = recorded.rows("oCheckpoint")
    assert [(row["epoch"], row["written_by"]) for row in rows] == [(epoch, "ModelCheckpoint") for epoch in improved]


def test_a_callback_of_the_user_that_saves_is_named_as_the_writer(recorded, tmp_path):
    class EverySecond(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch % 2:
                self.model.save_weights(tmp_path / f"{epoch}.weights.h5")

    fit(small_model(), [EverySecond(), ProvenanceCallback("net")], epochs=4)
    rows = [(row["epoch"], row["written_by"], row["role"]) for row in recorded.rows("oCheckpoint")]
    assert rows == [(2, "EverySecond", "weights"), (4, "EverySecond", "weights")]


def test_a_part_of_a_model_that_is_saved_comes_from_the_training_of_the_whole(recorded, tmp_path):
    inputs = keras.Input((4,))
    code = keras.layers.Dense(2)(inputs)
    encoder = keras.Model(inputs, code)
    model, callback = keras.Model(inputs, keras.layers.Dense(4)(code)), ProvenanceCallback("net")
    model.compile("sgd", "mse")
    model.fit(X, X, verbose=0, callbacks=[callback])
    encoder.save(tmp_path / "encoder.keras")
    assert files(recorded) == [("encoder.keras", "model", "Training")]


def test_a_file_is_recorded_once_where_the_user_names_it_too(recorded, trained, tmp_path):
    model, callback = trained
    model.save(tmp_path / "net.keras")
    callback.add_file(tmp_path / "net.keras")
    assert len(files(recorded)) == 1
    callback.add_file(tmp_path / "net.keras", role="submission")
    assert files(recorded)[1] == ("net.keras", "submission", "Training")


def test_models_that_no_callback_saw_and_runs_that_are_over_get_no_file(recorded, trained, tmp_path):
    model, callback = trained
    small_model().save(tmp_path / "other.keras")
    pickle.loads(pickle.dumps(model)).save(tmp_path / "copy.keras")
    callback.finish()
    model.save(tmp_path / "late.keras")
    assert files(recorded) == []
    assert recorded.events(ProblemRecorded) == []


def test_in_a_run_of_the_user_a_model_is_saved_by_the_latest_training_once(recorded, tmp_path):
    model = small_model()
    with dnnprov.start_run("net"):
        for _ in range(2):
            fit(model, [ProvenanceCallback("net")])
        model.save(tmp_path / "net.keras")
    trainings = [event.seq for event in recorded.events(TaskBegan)]
    assert [event.task for event in recorded.events(FileRecorded)] == [trainings[1]]


# Read


def train_and_save(path, callback=None):
    model = small_model()
    fit(model, [callback] if callback else [])
    model.save(path)
    return model


@pytest.mark.captures("files")
def test_a_model_that_is_loaded_and_trained_on_uses_its_file(recorded, tmp_path):
    train_and_save(tmp_path / "first.keras")
    model, callback = keras.models.load_model(tmp_path / "first.keras"), ProvenanceCallback("net")
    fit(model, [callback])
    model.evaluate(X, Y, verbose=0, callbacks=[callback])
    fit(model, [callback])
    callback.finish()
    assert files(recorded) == [("first.keras", "model", "Training")]  # the test and the second training come after it
    assert hashes(recorded) == [sha256(tmp_path / "first.keras")]
    assert {event.relation for event in recorded.events(FileRecorded)} == {"used"}


def test_a_file_has_the_hash_of_what_was_read_also_where_the_training_overwrites_it(recorded, tmp_path):
    train_and_save(tmp_path / "net.keras")
    before = sha256(tmp_path / "net.keras")
    model, callback = keras.models.load_model(tmp_path / "net.keras"), ProvenanceCallback("net")
    fit(model, [callback])
    model.save(tmp_path / "net.keras")
    callback.finish()
    assert hashes(recorded) == [before, sha256(tmp_path / "net.keras")]
    assert len(set(hashes(recorded))) == 2


@pytest.mark.parametrize("name", ["a.weights.h5", "a.keras", "a.h5"])
def test_weights_that_are_loaded_are_used(recorded, tmp_path, name):
    model = small_model()
    (model.save_weights if "weights" in name else model.save)(tmp_path / name)
    model, callback = small_model(), ProvenanceCallback("net")
    model.load_weights(tmp_path / name)
    model.evaluate(X, Y, verbose=0, callbacks=[callback])
    assert files(recorded) == [(name, "weights", "Testing")]


def test_only_the_last_weights_loaded_over_others_are_used(recorded, tmp_path):
    model, callback = small_model(), ProvenanceCallback("net")
    for name in ("a.weights.h5", "b.weights.h5"):
        model.save_weights(tmp_path / name)
        model.load_weights(tmp_path / name)
    fit(model, [callback])
    assert files(recorded) == [("b.weights.h5", "weights", "Training")]


def test_the_best_weights_loaded_after_the_training_are_what_the_test_used(recorded, tmp_path):
    model, callback = small_model(), ProvenanceCallback("net")
    best = keras.callbacks.ModelCheckpoint(str(tmp_path / "best.weights.h5"), save_weights_only=True)
    fit(model, [best, callback], epochs=1)
    model.load_weights(tmp_path / "best.weights.h5")
    model.evaluate(X, Y, verbose=0, callbacks=[callback])
    model.evaluate(X, Y, verbose=0, callbacks=[callback])
    callback.finish()
    assert files(recorded, "used") == [("best.weights.h5", "weights", "Testing")] * 2
    assert len(set(hashes(recorded))) == 1


@pytest.mark.parametrize("take", [lambda base: [base], lambda base: base.layers[:1]])
def test_a_model_built_on_a_loaded_one_or_on_its_layers_uses_its_file(recorded, tmp_path, take):
    train_and_save(tmp_path / "base.keras")
    base = keras.models.load_model(tmp_path / "base.keras")
    base.trainable = False
    model = keras.Sequential([keras.layers.Input((4,)), *take(base), keras.layers.Dense(3, activation="softmax")])
    del base
    model.compile("sgd", "sparse_categorical_crossentropy")
    fit(model, [ProvenanceCallback("net")])
    assert files(recorded) == [("base.keras", "model", "Training")]


def test_a_clone_has_the_shape_of_a_loaded_model_and_not_its_weights(recorded, tmp_path):
    train_and_save(tmp_path / "base.keras")
    model = keras.models.clone_model(keras.models.load_model(tmp_path / "base.keras"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    fit(model, [ProvenanceCallback("net")])
    assert files(recorded) == []


FINE_TUNE = """
import keras, dnnprov, numpy as np
from small_keras import X, Y, fit, small_model
from dnnprov.keras import ProvenanceCallback
{body}
"""


def in_a_process(body):
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": tests}
    script = FINE_TUNE.format(body=textwrap.dedent(body))
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "dnnprov" in done.stderr) == (0, False), done.stderr


def test_fine_tuning_in_another_process_uses_the_very_file_that_the_first_run_generated(store, tmp_path):
    path = tmp_path / "base.keras"
    with ProvenanceCallback("net", name="first") as first:
        train_and_save(path, first)
    in_a_process(f"""
        model, provenance = keras.saving.load_model({str(path)!r}), ProvenanceCallback("net", name="second")
        fit(model, [provenance])
    """)
    rows = rows_of(
        store,
        "SELECT r.name, t.tag, f.relation, f.sha256 FROM file AS f JOIN run AS r ON r.run_id = f.run_id"
        " JOIN task AS t ON t.task_id = f.task_id ORDER BY r.run_id",
    )
    assert rows == [
        {"name": "first", "tag": "Training", "relation": "generated", "sha256": sha256(path)},
        {"name": "second", "tag": "Training", "relation": "used", "sha256": sha256(path)},
    ]


def test_a_training_that_is_taken_up_from_a_backup_uses_the_file_of_the_one_that_stopped(store, tmp_path):
    backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
    with pytest.raises(ValueError, match="stop"), ProvenanceCallback("net") as callback:
        fit(small_model(), [backup, callback, RaisesAtEnd(ValueError("stop"), 1)], epochs=3)
    in_a_process(f"""
        backup = keras.callbacks.BackupAndRestore({str(tmp_path / "backup")!r})
        fit(small_model(), [backup, ProvenanceCallback("net")], epochs=3)
    """)
    rows = rows_of(store, "SELECT run_id, relation, role, sha256 FROM file WHERE role = 'backup' ORDER BY file_id")
    assert [(row["run_id"], row["relation"]) for row in rows] == [
        (1, "generated"),
        (1, "generated"),
        (2, "used"),
        (2, "generated"),
    ]
    assert rows[1]["sha256"] == rows[2]["sha256"] is not None
    epochs = rows_of(store, "SELECT run_id, epoch FROM oTrainingModel ORDER BY run_id, epoch")
    assert [(row["run_id"], row["epoch"]) for row in epochs] == [(1, 1), (1, 2), (2, 3)]


# It never disturbs


def test_what_people_call_is_as_it_was(tmp_path):
    for function in (keras.saving.save_model, keras.saving.load_model, keras.Model.save, keras.Model.load_weights):
        assert not function.__module__.startswith("dnnprov")
        assert not hasattr(function, "is_seen_by_dnnprov")
    assert list(inspect.signature(keras.Model.export).parameters)[:2] == ["self", "filepath"]
    assert (keras.Model.export.__qualname__, pickle.loads(pickle.dumps(keras.Model.export))) == (
        "Model.export",
        keras.Model.export,
    )
    with pytest.raises(ValueError, match="File not found"):
        keras.saving.load_model(tmp_path / "missing.keras")
    with pytest.raises(ValueError, match="must end in"):
        small_model().save_weights(tmp_path / "wrong.bin")


def test_a_failure_of_ours_does_not_reach_who_saves_or_loads(trained, tmp_path, monkeypatch):
    def broken(*arguments, **named):
        raise ZeroDivisionError("ours")

    model, _ = trained
    for name in ("listeners_of", "remember_file", "ReadFile"):
        with monkeypatch.context() as patch:
            patch.setattr(keras_files, name, broken)
            with pytest.warns(RuntimeWarning, match="was not recorded: ZeroDivisionError: ours"):
                model.save(tmp_path / "net.keras")
                assert isinstance(keras.saving.load_model(tmp_path / "net.keras"), keras.Sequential)


def test_nothing_is_hashed_where_recording_is_disabled(monkeypatch, tmp_path):
    monkeypatch.setenv("DNNPROV_DISABLED", "1")
    monkeypatch.setenv("DNNPROV_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(keras_files, "ReadFile", None)  # calling it would fail
    with ProvenanceCallback("net") as callback:
        train_and_save(tmp_path / "net.keras", callback)
        fit(keras.saving.load_model(tmp_path / "net.keras"), [callback])
    assert not (tmp_path / "store").exists()


def test_a_keras_without_one_of_the_functions_is_told_by_name(monkeypatch):
    monkeypatch.setitem(keras_files.WRITERS, ("keras.src.saving.saving_lib", "save_in_a_new_way"), "model")
    assert keras_files.install() == ["keras.src.saving.saving_lib.save_in_a_new_way"]
