"""Loops of the user's own, recorded by calls, and the values of single batches."""

from __future__ import annotations

import threading

import jax
import keras
import numpy as np
import pytest

import dnnprov
from dnnprov.errors import UsageError
from dnnprov.keras import ProvenanceCallback
from dnnprov.model.events import (
    FileRecorded,
    HyperparameterAdapted,
    MetricsRecorded,
    ProblemRecorded,
    RunEnded,
    RunStarted,
    TaskBegan,
    TaskEnded,
)
from recorded import rows_of
from small_keras import X, Y, fit, small_model

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def train(model, training, epochs):
    for epoch in epochs:
        training.epoch(epoch, **model.train_on_batch(X, Y, return_dict=True))


# Loops


def test_a_loop_counts_its_epochs_and_their_seconds_by_itself(recorded):
    model, provenance = small_model(), ProvenanceCallback("net")
    with provenance.training(model) as training:
        for _ in range(3):
            training.epoch(**model.train_on_batch(X, Y, return_dict=True))
    rows = recorded.rows("oTrainingModel")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(0 < row["elapsed_time"] < 60 for row in rows)
    assert recorded.events(TaskEnded)[0].status == "finished"


def test_a_loop_and_a_fit_and_a_test_of_one_model_are_tasks_of_one_run(recorded, tmp_path):
    model = small_model()
    with ProvenanceCallback("net") as provenance:
        fit(model, [provenance])
        with provenance.training(model) as training:
            train(model, training, [3, 4])
            model.save(tmp_path / "net.keras")
        model.evaluate(X, Y, verbose=0, callbacks=[provenance])
    tasks = recorded.events(TaskBegan)
    assert [event.tag for event in tasks] == ["Training", "Training", "Testing"]
    assert tasks[2].after == [tasks[1].seq]
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2, 3, 4]
    assert [event.task for event in recorded.events(FileRecorded)] == [tasks[1].seq]
    assert recorded.rows("oCheckpoint")[0]["epoch"] == 4
    assert len(recorded.events(RunStarted)) == 1
    assert recorded.events(HyperparameterAdapted) == []


def test_a_rate_set_after_an_epoch_is_the_next_one_s(recorded):
    model, provenance = small_model(0.5), ProvenanceCallback("net")
    with provenance.training(model) as training:
        train(model, training, [1])
        model.optimizer.learning_rate = 0.25
        train(model, training, [2])
    assert recorded.adaptations() == [(2, "manual", 0.5, 0.25)]


def test_a_schedule_in_the_optimizer_is_seen_in_a_loop(recorded):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5, staircase=True)
    model, provenance = small_model(schedule), ProvenanceCallback("net")
    with provenance.training(model) as training:
        for _ in range(3):
            model.train_on_batch(X, Y)
            training.epoch(**model.train_on_batch(X, Y, return_dict=True))
    assert [(epoch, technique) for epoch, technique, _, _ in recorded.adaptations()] == [
        (2, "ExponentialDecay"),
        (3, "ExponentialDecay"),
    ]


def test_a_model_that_was_never_compiled_is_recorded_with_the_optimizer_of_the_loop(recorded):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    optimizer = keras.optimizers.Adam(0.5)
    optimizer.build(model.trainable_variables)

    def loss_of(weights):
        outputs, _ = model.stateless_call(weights, model.non_trainable_variables, X)
        return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(Y, outputs, from_logits=True))

    gradient = jax.value_and_grad(loss_of)
    provenance = ProvenanceCallback("net")
    with provenance.training(model, params={"loss_function": "cross-entropy"}, optimizer=optimizer) as training:
        for epoch in (1, 2):
            loss, gradients = gradient([variable.value for variable in model.trainable_variables])
            optimizer.apply(gradients, model.trainable_variables)
            optimizer.learning_rate = 0.25
            training.epoch(epoch, loss=loss)
    expected = {"optimizer_name": "Adam", "learning_rate": 0.5, "beta_1": 0.9, "loss_function": "cross-entropy"}
    assert expected.items() <= recorded.parameters().items()
    assert recorded.adaptations() == [(1, "manual", 0.5, 0.25)]
    rows = recorded.rows("oTrainingModel")
    assert all(isinstance(row["loss"], float) for row in rows)
    assert [row["type"] for row in recorded.rows("iLayers")] == ["Dense"]
    assert recorded.events(ProblemRecorded) == []


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "interrupted"), (ValueError, "failed")])
def test_a_loop_that_is_left_by_an_exception_ends_as_it_says(recorded, error, status):
    model, provenance = small_model(), ProvenanceCallback("net")
    with pytest.raises(error), provenance.training(model) as training:
        train(model, training, [1])
        raise error
    provenance.finish()
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1]
    assert [event.status for event in recorded.events(TaskEnded)] == [status]
    assert [event.status for event in recorded.events(RunEnded)] == [status]


def test_loops_of_two_models_in_turns_stay_apart_in_one_run(recorded):
    generator, critic = small_model(0.5), small_model(0.25)
    with dnnprov.start_run("gan") as run:
        provenance = ProvenanceCallback("gan")
        with provenance.training(generator) as first, provenance.training(critic) as second:
            for epoch in (1, 2):
                train(generator, first, [epoch])
                train(critic, second, [epoch])
        assert first.run is second.run is run
    tasks = recorded.events(TaskBegan)
    assert [event.tag for event in tasks] == ["Training", "Training"]
    assert recorded.adaptations() == []
    assert [event.status for event in recorded.events(TaskEnded)] == ["finished", "finished"]
    assert [row["learning_rate"] for row in recorded.rows("oTrainingModel")] == [0.5, 0.25, 0.5, 0.25]


def test_a_failure_of_ours_does_not_reach_the_loop(recorded, monkeypatch):
    monkeypatch.setattr("dnnprov.integrations.keras.recording.hyperparameters", lambda *_: 1 // 0)
    monkeypatch.setattr("dnnprov.integrations.keras.recording.ModelRecording.close_epoch", lambda *_: 1 // 0)
    model, provenance = small_model(), ProvenanceCallback("net")
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"), provenance.training(model) as training:
        train(model, training, [1])
    assert {event.kind for event in recorded.events(ProblemRecorded)} == {"capture_failure"}


def test_a_loop_is_not_recorded_where_recording_is_disabled(store, monkeypatch):
    monkeypatch.setenv("DNNPROV_DISABLED", "1")
    model, provenance = small_model(), ProvenanceCallback("net")
    with provenance.training(model) as training:
        train(model, training, [1])
    assert not store.exists()


# Batches


@pytest.mark.captures("batches")
def test_batches_are_rows_of_metric_numbered_through_all_fits(store):
    model = small_model()
    with ProvenanceCallback("net", batches=True) as provenance:
        for first in (0, 2):
            fit(model, [provenance], epochs=first + 2, initial_epoch=first)
    rows = rows_of(store, "SELECT step, epoch, value FROM metric WHERE name = 'loss' ORDER BY step")
    assert [(row["step"], row["epoch"]) for row in rows] == [(step, step // 3 + 1) for step in range(12)]
    assert all(row["value"] > 0 for row in rows)
    last = rows_of(store, "SELECT loss FROM oTrainingModel ORDER BY epoch")
    assert [row["value"] for row in rows[2::3]] == pytest.approx([row["loss"] for row in last], rel=1e-6)


@pytest.mark.parametrize(
    ("every", "together", "steps"), [(4, 1, [3, 7]), (1, 5, [4, 9]), (4, 5, [4, 9]), (7, 5, [9]), (False, 1, [])]
)
def test_every_so_many_batches_are_recorded(recorded, every, together, steps):
    model = small_model(steps_per_execution=together)
    fit(model, [ProvenanceCallback("net", batches=every)], epochs=1, batch_size=3)
    assert sorted(event.step for event in recorded.events(MetricsRecorded)) == steps


def test_a_training_step_of_the_user_may_return_what_we_call_something_else(recorded):
    class Counting(keras.Sequential):
        def train_step(self, *args, **kwargs):
            logs, state = super().train_step(*args, **kwargs)
            return {**logs, "step": 7.0, "epoch": 9.0}, state

    model = Counting([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    fit(model, [ProvenanceCallback("net", batches=True)], epochs=1)
    batches = sorted(recorded.events(MetricsRecorded), key=lambda event: event.step)  # of threads of Keras' own
    assert [(event.step, event.epoch, list(event.values)) for event in batches] == [
        (step, 1, ["loss"]) for step in range(3)
    ]
    assert not recorded.events(ProblemRecorded)
    assert [row["step"] for row in recorded.rows("oTrainingModel")] == [7.0]


@pytest.mark.parametrize("batches", [True, False])
def test_the_training_thread_reads_no_value_of_a_batch(recorded, monkeypatch, batches):
    """Reading one waits for the device; Keras reads them in another thread as long as every callback is safe there."""
    from keras.src.utils import python_utils

    original = python_utils.pythonify_logs

    def readers_in_a_fit(callbacks):
        readers = []

        def pythonify_logs(logs):
            if any(hasattr(value, "block_until_ready") for value in (logs or {}).values()):
                readers.append(threading.current_thread())
            return original(logs)

        monkeypatch.setattr(python_utils, "pythonify_logs", pythonify_logs)
        fit(small_model(), callbacks, epochs=2)
        return len(readers), readers.count(threading.main_thread())

    without = readers_in_a_fit([])
    assert readers_in_a_fit([ProvenanceCallback("net", batches=batches)]) == without
    assert without[0] - without[1] == 6  # batches; at the ends of epochs and of the training they are asked for by all
    assert len(recorded.events(MetricsRecorded)) == 6 * batches


def test_a_wrong_number_of_batches_raises_before_the_training():
    with pytest.raises(UsageError, match="batches=-1 is negative"):
        ProvenanceCallback("net", batches=-1)
    with pytest.raises(UsageError, match="batches='all' is a str"):
        ProvenanceCallback("net", batches="all")


def test_predictions_between_trainings_are_one_task_each_time(recorded):
    model = small_model()
    with ProvenanceCallback("net") as provenance:
        for _ in range(2):
            fit(model, [provenance], epochs=1)
            for _ in range(3):
                model.predict(X, verbose=0, callbacks=[provenance])
    tasks = recorded.events(TaskBegan)
    assert [event.tag for event in tasks] == ["Training", "Prediction", "Training", "Prediction"]
    assert [event.after for event in tasks[1::2]] == [[tasks[0].seq], [tasks[2].seq]]
    assert len(recorded.rows("oPrediction")) == 6
    assert np.sum([row["num_samples"] for row in recorded.rows("oPrediction")]) == 180
