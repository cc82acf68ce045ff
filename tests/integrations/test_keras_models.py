"""Several models, several fits, one callback or several, copies, threads: nothing of one is taken for another's."""

from __future__ import annotations

import contextlib
import copy
import gc
import pickle
import subprocess
import sys
import threading
import weakref

import keras
import numpy as np
import pytest

import dnnprov
from dnnprov.errors import UnsupportedVersionError
from dnnprov.integrations.keras.data import record_data
from dnnprov.integrations.keras.version import OLDEST, check_version
from dnnprov.keras import ProvenanceCallback
from dnnprov.model.events import (
    ElementsRecorded,
    HyperparameterAdapted,
    MetricsRecorded,
    ProblemRecorded,
    RunEnded,
    RunStarted,
    TaskBegan,
    TaskEnded,
)
from small_keras import RaisesAtEnd, X, Y, fit, plateau, small_model

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def epochs_by_run(recorded):
    """Numbers of the epochs of each run, in the order of the runs."""
    rows, run = {}, None
    for event in recorded.events():
        if isinstance(event, RunStarted):
            run = event.name
        elif isinstance(event, ElementsRecorded) and event.set == "oTrainingModel":
            rows.setdefault(run, []).extend(row["epoch"] for row in event.rows)
    return rows


class FitsAnother(keras.callbacks.Callback):
    """Trains another model at the end of each epoch, as the generator of a GAN is trained in turns."""

    def __init__(self, other, callbacks):
        super().__init__()
        self.other, self.callbacks = other, callbacks

        self.losses = []

    def on_epoch_end(self, epoch, logs=None):
        self.losses += fit(self.other, self.callbacks, epochs=epoch + 1, initial_epoch=epoch).history["loss"]


# What the originals lost


def test_epochs_without_validation_data_which_the_original_lost_are_recorded(recorded):
    history = fit(small_model(), [ProvenanceCallback("net")], epochs=3).history
    assert [row["loss"] for row in recorded.rows("oTrainingModel")] == history["loss"]


@pytest.mark.captures("endings")
@pytest.mark.parametrize("validation", [{}, {"validation_split": 0.2}])
def test_the_last_epoch_before_an_early_stop_which_the_original_lost_is_recorded(recorded, validation):
    class StopInSecondEpoch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    history = fit(small_model(), [ProvenanceCallback("net"), StopInSecondEpoch()], epochs=9, **validation).history
    rows = recorded.rows("oTrainingModel")
    assert [(row["epoch"], row["loss"]) for row in rows] == list(enumerate(history["loss"], start=1))
    assert len(rows) == 2
    assert [row.get("val_loss") for row in rows] == history.get("val_loss", [None, None])


@pytest.mark.parametrize("how", ["finish", "in the run of the user", "callback gone", "next fit"])
def test_the_epoch_in_whose_end_a_callback_raises_has_its_row(recorded, how):
    """As one that prunes a trial does: the values of that very epoch are why."""

    class Pruner(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["rank"] = 3.0
            if epoch == 1:
                raise RuntimeError("pruned")

    model = small_model()
    outer = dnnprov.start_run("net") if how == "in the run of the user" else contextlib.nullcontext()
    callback = ProvenanceCallback("net")
    with contextlib.suppress(RuntimeError), outer:
        fit(model, [Pruner(), callback], epochs=5)
    if how == "finish":
        callback.finish()
    elif how == "next fit":
        fit(model, [callback], epochs=1)
    del callback
    gc.collect()
    rows = recorded.rows("oTrainingModel")[:2]
    assert [(row["epoch"], row["rank"], row["learning_rate"]) for row in rows] == [(1, 3.0, 0.5), (2, 3.0, 0.5)]
    assert all(row["loss"] > 0 and row["elapsed_time"] > 0 for row in rows)
    assert recorded.events(TaskEnded)[0].status == "failed"
    assert len(recorded.rows("oTrainingModel")) == 2 + (how == "next fit")
    assert not recorded.events(ProblemRecorded)


def test_the_test_loss_is_that_of_the_whole_set_where_the_original_stored_the_last_batch(recorded):
    model, callback = small_model(), ProvenanceCallback("net")
    batches = []
    seen = keras.callbacks.LambdaCallback()
    seen.on_test_batch_end = lambda batch, logs=None: batches.append(logs["loss"])
    result = model.evaluate(X, Y, batch_size=7, verbose=0, callbacks=[callback, seen], return_dict=True)
    per_example = -np.log(model.predict(X, verbose=0)[np.arange(30), Y])
    (row,) = recorded.rows("oTestingModel")
    assert row["loss"] == result["loss"] == pytest.approx(per_example.mean(), rel=1e-4)
    assert row["loss"] != pytest.approx(per_example[28:].mean(), rel=1e-3)
    assert recorded.rows("iTestingModel") == [{"num_samples": 30, "num_batches": 5, "batch_size": 7}]


# One model, several fits


def test_fits_that_go_on_where_the_last_ended_are_one_series_of_epochs(recorded):
    model, callback = small_model(), ProvenanceCallback("net")
    for first in (0, 2, 4):
        fit(model, [callback], epochs=first + 2, initial_epoch=first)
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2, 3, 4, 5, 6]
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"] * 3
    assert recorded.events(HyperparameterAdapted) == []


@pytest.mark.parametrize("arguments", [{"epochs": 0}, {"epochs": 2, "initial_epoch": 2}])
def test_a_fit_without_epochs_is_a_finished_training_without_rows(recorded, arguments):
    with ProvenanceCallback("net") as callback:
        fit(small_model(), [callback], **arguments)
    assert recorded.rows("oTrainingModel") == []
    assert [event.status for event in recorded.events(TaskEnded)] == ["finished"]
    assert recorded.events(ProblemRecorded) == []


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_a_fit_without_batches_fails_as_keras_says(recorded):
    callback = ProvenanceCallback("net")
    with pytest.raises((ValueError, UnboundLocalError, StopIteration)):
        with callback:
            small_model().fit(iter(()), epochs=1, verbose=0, callbacks=[callback])
    assert recorded.rows("oTrainingModel") == []


def test_a_model_compiled_twice_before_its_fit_has_the_last_values(recorded):
    model = small_model(0.5)
    model.compile(keras.optimizers.Adam(0.25), "sparse_categorical_crossentropy")
    fit(model, [ProvenanceCallback("net")])
    found = recorded.parameters()
    assert (found["optimizer_name"], found["learning_rate"]) == ("Adam", 0.25)
    assert recorded.events(HyperparameterAdapted) == []


# Several models


def test_two_models_trained_in_turns_with_a_callback_each_stay_apart(recorded):
    first, second = small_model(0.5), small_model(0.25)
    callbacks = [ProvenanceCallback("net"), ProvenanceCallback("net")]
    for epoch in range(3):
        for model, callback in zip((first, second), callbacks, strict=True):
            fit(model, [callback], epochs=epoch + 1, initial_epoch=epoch)
    assert epochs_by_run(recorded) == {"net-1": [1, 2, 3], "net-2": [1, 2, 3]}
    assert recorded.events(HyperparameterAdapted) == []


def test_a_callback_that_stands_twice_in_a_list_records_once(recorded):
    model, callback = small_model(), ProvenanceCallback("net", batches=3)
    fit(model, [callback, plateau(), callback])
    model.evaluate(X, Y, verbose=0, callbacks=[callback, callback])
    callback.finish()
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Testing"]
    assert {event.status for event in recorded.events(TaskEnded)} == {"finished"}
    assert epochs_by_run(recorded) == {"net-1": [1, 2]}
    assert sorted(event.step for event in recorded.events(MetricsRecorded)) == [2, 5]
    assert len(recorded.rows("oTestingModel")) == 1
    assert not recorded.events(ProblemRecorded)


def test_models_trained_in_turns_in_one_run_do_not_adapt_each_other(recorded):
    first, second = small_model(0.5), small_model(0.25)
    with dnnprov.start_run("gan"):
        callbacks = [ProvenanceCallback("gan"), ProvenanceCallback("gan")]
        for epoch in range(2):
            for model, callback in zip((first, second), callbacks, strict=True):
                fit(model, [callback], epochs=epoch + 1, initial_epoch=epoch)
        second.optimizer.learning_rate = 0.125
        fit(second, [callbacks[1]], epochs=3, initial_epoch=2)
    assert recorded.adaptations() == [(3, "manual", 0.25, 0.125)]
    assert recorded.parameters()["learning_rate"] == 0.5
    (other,) = recorded.rows("iTrainingModel")  # of the second model, whose rate is another
    assert other["learning_rate"] == 0.25


@pytest.mark.parametrize("fails", [False, True])
def test_a_callback_that_meets_another_model_within_a_fit_records_both_side_by_side(recorded, fails):
    first, second, provenance = small_model(0.5), small_model(0.25), ProvenanceCallback("net")
    error = [RaisesAtEnd(ValueError("no more"), 2)] if fails else []
    inner = FitsAnother(second, [provenance])
    try:
        fit(first, [plateau(), provenance, inner, *error], epochs=3)
    except ValueError:
        provenance.finish()
    provenance.finish()
    assert epochs_by_run(recorded) == {"net-1": [1, 2, 3], "net-2": [1, 2, 3]}
    assert recorded.adaptations() == [(3, "ReduceLROnPlateau", 0.5, 0.25)]
    assert [event.status for event in recorded.events(RunEnded)].count("failed") == fails
    assert recorded.events(ProblemRecorded) == []
    losses = [row["loss"] for row in recorded.rows("oTrainingModel")]
    seen = {tuple(first.history.history["loss"][:2]), tuple(inner.losses[:2])}  # the third epoch may have failed
    assert {tuple(losses[:2]), tuple(losses[3:5])} == seen


def test_a_callback_in_two_threads_at_once_records_both_models(recorded):
    provenance, barrier, errors = ProvenanceCallback("net"), threading.Barrier(2, timeout=60), []
    models = [small_model(0.5), small_model(0.25)]

    class Together(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            barrier.wait()

    def train(model):
        try:
            fit(model, [provenance, Together()], epochs=3)
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=train, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provenance.finish()
    assert errors == []
    assert epochs_by_run(recorded) == {"net-1": [1, 2, 3], "net-2": [1, 2, 3]}
    assert recorded.events(ProblemRecorded) == []
    assert recorded.events(HyperparameterAdapted) == []


def test_a_fit_that_begins_while_another_is_beginning_has_a_run_of_its_own(recorded, monkeypatch):
    provenance, arrived, barrier = ProvenanceCallback("net"), threading.Event(), threading.Barrier(2, timeout=60)

    def read_together(*args):
        arrived.set()
        barrier.wait()
        record_data(*args)

    monkeypatch.setattr("dnnprov.integrations.keras.recording.record_data", read_together)
    models = [small_model(0.5), small_model(0.25)]
    threads = [threading.Thread(target=fit, args=(model, [provenance])) for model in models]
    threads[0].start()
    assert arrived.wait(60)
    threads[1].start()
    for thread in threads:
        thread.join()
    provenance.finish()
    assert epochs_by_run(recorded) == {"net-1": [1, 2], "net-2": [1, 2]}
    assert recorded.events(ProblemRecorded) == []


def test_what_is_saved_after_two_models_trained_goes_to_the_run_of_each(recorded, tmp_path):
    models, provenance = [small_model(), small_model()], ProvenanceCallback("net")
    with dnnprov.start_run("both"):
        for model in models:
            fit(model, [provenance])
        for number, model in enumerate(models):
            model.save(tmp_path / f"{number}.keras")
    trainings = [event.seq for event in recorded.events(TaskBegan)]
    tasks = [event.task for event in recorded.events(ElementsRecorded) if event.set == "oCheckpoint"]
    assert tasks == trainings


# Interrupts


@pytest.mark.captures("endings")
def test_an_interrupt_that_a_notebook_shows_interrupts_the_training(recorded, monkeypatch):
    model, callback = small_model(), ProvenanceCallback("net")
    try:
        fit(model, [callback, RaisesAtEnd(KeyboardInterrupt())])
    except KeyboardInterrupt as error:
        monkeypatch.setattr(sys, "last_value", error, raising=False)
    fit(model, [callback])
    callback.finish()
    assert [event.status for event in recorded.events(TaskEnded)] == ["interrupted", "finished"]
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]


# Copies


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_recorded_model_can_be_copied_and_the_copy_recorded(recorded, copied):
    model, callback = small_model(), ProvenanceCallback("net")
    fit(model, [callback])
    again = copied(model)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    fit(again, [callback])
    callback.finish()
    assert epochs_by_run(recorded) == {"net-1": [1, 2], "net-2": [1, 2]}
    assert recorded.events(ProblemRecorded) == []


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda callback: pickle.loads(pickle.dumps(callback))])
def test_a_copied_callback_begins_anew_with_the_same_arguments(recorded, copied):
    callback = ProvenanceCallback("net", params={"filter": "gray"}, tags=["a"], batches=2)
    fit(small_model(), [callback])
    again = copied(callback)
    assert again.run is None
    fit(small_model(), [again])
    for one in (callback, again):
        one.finish()
    assert {event.name: event.tags for event in recorded.events(RunStarted)} == {"net-1": {"a": ""}, "net-2": {"a": ""}}
    assert epochs_by_run(recorded) == {"net-1": [1, 2], "net-2": [1, 2]}


def test_a_callback_for_a_given_run_can_be_sent_to_another_process(store):
    with dnnprov.start_run("net") as run:
        with run.task("Filters") as filters:
            pass
        callback = ProvenanceCallback("net", run=run, after=filters)
        assert copy.deepcopy(callback).run is run
        assert pickle.loads(pickle.dumps(callback)).run is None


def test_recording_keeps_no_model_alive(recorded, tmp_path):
    model, callback = small_model(), ProvenanceCallback("net")
    fit(model, [callback])
    model.save(tmp_path / "net.keras")
    fit(small_model(), [callback])  # Keras itself holds the model of a callback
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


# Versions


def test_a_keras_that_is_too_old_is_told_with_both_versions():
    with pytest.raises(UnsupportedVersionError, match=f"Keras {OLDEST} and later; installed is Keras 3.9.2"):
        check_version("3.9.2")
    for version in (OLDEST, f"{OLDEST}.0.dev1", "3.15.1", "4.0"):
        check_version(version)


def test_the_import_says_that_keras_is_too_old():
    script = "import keras; keras.__version__ = '3.2.1'; import dnnprov.keras"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert f"dnnprov.keras records Keras {OLDEST} and later; installed is Keras 3.2.1" in done.stderr.splitlines()[-1]
