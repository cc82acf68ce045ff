"""What a training does is recorded the same on every backend: here on the one of this process, then on the others.

The tests marked `every_backend` run in this process, and again in one process for each further backend.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from dnnprov.keras import ProvenanceCallback
from dnnprov.model.events import (
    ElementAmended,
    FileHashed,
    FileRecorded,
    MetricsRecorded,
    ProblemRecorded,
    RunEnded,
    TaskBegan,
    TaskEnded,
)
from small_keras import RaisesAtEnd, X, Y, fit, plateau, small_model

every_backend = pytest.mark.every_backend
pytestmark = [
    # Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # TensorFlow's, of parts of itself and of NumPy.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorflow"),
    pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning"),
]

BACKENDS = ("jax", "torch", "tensorflow")


@pytest.mark.parametrize("backend", [one for one in BACKENDS if one != keras.backend.backend()])
def test_every_scenario_passes_on(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "every_backend", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=560)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"the backend is {backend}" in done.stdout
    marked = [one for one in globals().values() if every_backend.mark in getattr(one, "pytestmark", ())]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= len(marked) > 10
    assert "skipped" not in done.stdout


@every_backend
def test_the_backend_is_the_one_asked_for(capsys):
    wanted = os.environ["KERAS_BACKEND"]
    assert keras.backend.backend() == wanted
    tensor = keras.ops.ones((2,)) * 2
    assert type(tensor).__module__.partition(".")[0] in {wanted, "jaxlib" if wanted == "jax" else wanted}
    with capsys.disabled():
        print(f"the backend is {wanted}")


@every_backend
def test_each_epoch_of_a_fit_without_validation_is_a_row(recorded):
    history = fit(small_model(), [ProvenanceCallback("net")], epochs=3).history
    rows = recorded.rows("oTrainingModel")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["loss"] for row in rows] == history["loss"]
    assert [row["accuracy"] for row in rows] == history["accuracy"]
    assert all(row["elapsed_time"] > 0 and "val_loss" not in row for row in rows)
    assert recorded.parameters()["learning_rate"] == 0.5
    assert recorded.parameters()["batch_size"] == 10
    assert [row["type"] for row in recorded.rows("iLayers")] == ["Dense", "Dropout", "Dense"]
    assert recorded.events(ProblemRecorded) == []


@every_backend
def test_the_row_of_an_epoch_is_there_while_it_is_validated_which_amends_it(recorded):
    class Looking(keras.callbacks.Callback):
        def on_test_end(self, logs=None):
            seen.append(recorded.rows("oTrainingModel"))

    seen = []
    arguments = {"epochs": 3, "validation_split": 0.5, "validation_freq": 2}
    history = fit(small_model(), [Looking(), ProvenanceCallback("net")], **arguments).history
    [[one, two]] = seen
    assert [one["loss"], two["loss"]] == history["loss"][:2]
    assert (two["epoch"], two["accuracy"], two["learning_rate"]) == (2, history["accuracy"][1], 0.5)
    assert "val_loss" not in two
    [amended] = [event.values for event in recorded.events(ElementAmended)]
    assert (amended["epoch"], amended["val_loss"]) == (2, history["val_loss"][0])
    assert amended["loss"] == two["loss"]


@every_backend
def test_validation_of_every_second_epoch_is_in_the_rows_of_these(recorded):
    model = small_model()
    history = fit(model, [ProvenanceCallback("net")], epochs=4, validation_split=0.3, validation_freq=2).history
    rows = recorded.rows("oTrainingModel")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row.get("val_loss") for row in rows] == [None, history["val_loss"][0], None, history["val_loss"][1]]
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"]


@every_backend
def test_a_test_is_over_the_whole_test_set(recorded):
    model, callback = small_model(), ProvenanceCallback("net")
    fit(model, [callback])
    whole = model.evaluate(X, Y, batch_size=30, verbose=0, return_dict=True)
    last_batch = model.evaluate(X[24:], Y[24:], verbose=0, return_dict=True)
    model.evaluate(X, Y, batch_size=8, verbose=0, callbacks=[callback])
    (row,) = recorded.rows("oTestingModel")
    assert row["loss"] == pytest.approx(whole["loss"], rel=1e-5)
    assert row["loss"] != pytest.approx(last_batch["loss"], rel=1e-3)
    assert row["elapsed_time"] > 0
    assert recorded.rows("iTestingModel") == [{"num_samples": 30, "num_batches": 4, "batch_size": 8}]


@every_backend
def test_a_schedule_in_the_optimizer_is_an_adaptation_where_it_changes_the_rate(recorded):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 6, 0.5, staircase=True)
    fit(small_model(schedule), [ProvenanceCallback("net")], epochs=4)
    assert recorded.adaptations() == [(3, "ExponentialDecay", 0.5, 0.25)]
    assert [row["learning_rate"] for row in recorded.rows("oTrainingModel")] == [0.5, 0.5, 0.25, 0.25]


@every_backend
def test_a_scheduler_and_a_plateau_are_told_apart(recorded):
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch == 2 else rate)
    fit(small_model(0.5), [plateau(), ProvenanceCallback("net"), scheduler], epochs=3)
    assert recorded.adaptations() == [
        (3, "ReduceLROnPlateau", 0.5, 0.25),
        (3, "LearningRateScheduler", 0.25, 0.125),
    ]


@every_backend
def test_an_early_stop_keeps_its_last_epoch(recorded):
    stop = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=100)
    history = fit(small_model(), [stop, ProvenanceCallback("net")], epochs=9).history
    assert [row["loss"] for row in recorded.rows("oTrainingModel")] == history["loss"]
    assert [event.status for event in recorded.events(TaskEnded)] == ["finished"]
    assert 1 < len(history["loss"]) < 9


@every_backend
@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), "interrupted"), (ValueError("no more"), "failed")])
def test_a_fit_that_is_interrupted_or_fails_ends_so(recorded, error, status):
    callback = ProvenanceCallback("net")
    with pytest.raises(type(error)):
        try:
            fit(small_model(), [callback, RaisesAtEnd(error, epoch=1)], epochs=3)
        except BaseException:
            callback.finish()
            raise
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2]
    assert [event.status for event in recorded.events(TaskEnded)] == [status]
    assert [event.status for event in recorded.events(RunEnded)] == [status]


@every_backend
def test_files_of_checkpoints_and_of_the_model_are_recorded_with_their_hash(recorded, tmp_path):
    model, callback = small_model(), ProvenanceCallback("net")
    checkpoint = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True)
    fit(model, [checkpoint, callback])
    model.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")
    again.evaluate(X, Y, verbose=0, callbacks=[callback])
    callback.finish()
    files = recorded.events(FileRecorded)
    assert [(event.role, event.relation) for event in files] == [
        ("checkpoint", "generated"),
        ("checkpoint", "generated"),
        ("model", "generated"),
        ("model", "used"),
    ]
    hashes = {event.file: event.sha256 for event in recorded.events(FileHashed)}
    assert hashes[files[2].seq] == hashes[files[3].seq] is not None
    assert [row["epoch"] for row in recorded.rows("oCheckpoint")] == [1, 2, 2]


@every_backend
def test_predictions_are_counted(recorded):
    model, callback = small_model(), ProvenanceCallback("net")
    fit(model, [callback])
    for _ in range(2):
        model.predict(X, batch_size=8, verbose=0, callbacks=[callback])
    callback.finish()
    rows = recorded.rows("oPrediction")
    assert [(row["num_samples"], row["num_batches"]) for row in rows] == [(30, 4), (30, 4)]
    assert all(row["elapsed_time"] > 0 for row in rows)
    training, prediction = recorded.events(TaskBegan)
    assert (prediction.tag, prediction.after) == ("Prediction", [training.seq])
    assert [event.status for event in recorded.events(TaskEnded)] == ["finished", "finished"]


@every_backend
def test_a_loop_with_train_on_batch_is_recorded_by_its_calls(recorded):
    model, callback = small_model(0.5), ProvenanceCallback("net")
    losses = []
    with callback.training(model, epochs=3, batch_size=10) as training:
        for epoch in range(1, 4):
            if epoch == 3:
                model.optimizer.learning_rate = 0.25
            for start in (0, 10, 20):
                logs = model.train_on_batch(X[start : start + 10], Y[start : start + 10], return_dict=True)
            training.epoch(epoch, **logs)
            losses.append(logs["loss"])
    rows = recorded.rows("oTrainingModel")
    assert [(row["epoch"], row["loss"], row["learning_rate"]) for row in rows] == list(
        zip([1, 2, 3], losses, [0.5, 0.5, 0.25], strict=True)
    )
    assert recorded.adaptations() == [(3, "manual", 0.5, 0.25)]
    assert {"num_epochs": 3, "batch_size": 10, "optimizer_name": "SGD"}.items() <= recorded.parameters().items()
    assert len(recorded.rows("iLayers")) == 3


@every_backend
def test_values_of_batches_are_series(recorded):
    seen = []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["loss"]))
    fit(small_model(), [ProvenanceCallback("net", batches=True), watch], epochs=2)
    events = sorted(recorded.events(MetricsRecorded), key=lambda event: event.step)
    assert [(event.epoch, event.step) for event in events] == [(1, 0), (1, 1), (1, 2), (2, 3), (2, 4), (2, 5)]
    assert [event.values["loss"] for event in events] == seen


class Batches(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()
        self.x, self.y = X, Y

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return self.x[index * 10 : index * 10 + 10], self.y[index * 10 : index * 10 + 10]


def generator():
    while True:
        yield X[:10], Y[:10]


def tf_dataset():
    tensorflow = pytest.importorskip("tensorflow")
    return tensorflow.data.Dataset.from_tensor_slices((X, Y)).cache().batch(10).prefetch(1)


def torch_loader():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=10)


NAMES = {Batches: "Batches", generator: "generator", tf_dataset: "Dataset", torch_loader: "TensorDataset"}


@pytest.mark.captures("data")
@every_backend
@pytest.mark.parametrize("data", [Batches, generator, tf_dataset, torch_loader])
def test_any_data_that_keras_takes_are_recorded(recorded, data):
    model, callback = small_model(), ProvenanceCallback("net")
    steps = {"steps_per_epoch": 3} if data is generator else {}
    history = model.fit(data(), epochs=2, shuffle=False, verbose=0, callbacks=[callback], **steps).history
    steps = {"steps": 3} if data is generator else {}
    model.evaluate(data(), verbose=0, callbacks=[callback], **steps)
    assert [row["loss"] for row in recorded.rows("oTrainingModel")] == history["loss"]
    assert recorded.rows("iTestingModel")[0]["num_batches"] == 3
    assert recorded.events(ProblemRecorded) == []
    (row,) = recorded.rows("iTrainingData")
    whole = hashlib.sha256(X.tobytes() + Y.tobytes()).hexdigest()
    assert row.get("sha256") == (None if data is generator else whole)
    assert row["data_set"] == NAMES[data]
    assert recorded.parameters().get("batch_size") == (10 if data in (tf_dataset, torch_loader) else None)
    assert recorded.parameters().get("shuffle") == (None if data is generator else False)
    if data is tf_dataset:
        assert json.loads(row["pipeline"]) == ["TensorSlice", "Cache", "Batch", "Prefetch"]


def results(callbacks):
    model = small_model(0.5)
    history = fit(model, [plateau(), *callbacks], epochs=3, validation_split=0.2).history
    history.pop("learning_rate", None)
    tested = model.evaluate(X, Y, verbose=0, callbacks=callbacks, return_dict=True)
    predicted = model.predict(X, verbose=0, callbacks=callbacks)
    return history, tested, predicted.tobytes()


@every_backend
def test_losses_are_the_same_to_the_bit_with_and_without_recording(store, recorded):
    plain = results([])
    assert results([ProvenanceCallback("net", batches=True)]) == plain
    assert not np.isnan(plain[0]["loss"]).any()
    assert recorded.events(ProblemRecorded) == []
