"""Keras Tuner: a search is a run, its trials are runs below it, and Keras trains in them."""

from __future__ import annotations

import traceback

import keras
import keras_tuner
import pytest

import dnnprov
from dnnprov.errors import UnsupportedVersionError, UsageError
from dnnprov.integrations.keras_tuner.version import check_keras_tuner
from dnnprov.keras import ProvenanceCallback
from dnnprov.keras_tuner import track
from recorded import column_of, rows_of
from small_keras import X, Y, small_model

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def build(values):
    rate = values.Float("lr", 1e-3, 0.1, sampling="log")
    values.Choice("optimizer", ["sgd"])
    values.Fixed("bs", 10)
    values.Fixed("wd", 0.25)
    return small_model(rate)


def halved(epoch, rate):
    return rate / 2 if epoch else rate


def new_tuner(folder, hypermodel=build, kind=keras_tuner.RandomSearch, **options):
    return kind(
        hypermodel,
        objective=keras_tuner.Objective("val_accuracy", "max"),
        directory=folder,
        project_name="net",
        seed=3,
        **{"max_trials": 2, **options},
    )


def search(tuner, **options):
    callbacks = [keras.callbacks.LearningRateScheduler(halved), *options.pop("callbacks", [])]
    tuner.search(X, Y, validation_data=(X, Y), epochs=2, batch_size=10, verbose=0, callbacks=callbacks, **options)
    return tuner


def scores(tuner):
    return [trial.score for trial in tuner.oracle.trials.values()]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A store with one search, and the tuner."""
    place = tmp_path_factory.mktemp("keras_tuner")
    tuner = new_tuner(place / "tuner")
    with track(tuner, store=place / "store"):
        search(tuner)
    return place / "store", tuner


@pytest.mark.captures("search")
def test_a_search_is_a_run_and_its_trials_are_runs_below_it(done):
    place, tuner = done
    runs = rows_of(place, "SELECT run_id, name, status, parent_run_id, last_epoch FROM run ORDER BY run_id")
    trials = list(tuner.oracle.trials)
    assert [run["name"] for run in runs] == ["net-1", *(f"net-1-trial-{trial}" for trial in trials)]
    assert {run["parent_run_id"] for run in runs[1:]} == {runs[0]["run_id"]}
    assert {run["status"] for run in runs} == {"finished"}
    assert [run["last_epoch"] for run in runs] == [None, 2, 2]


@pytest.mark.captures("hyperparameters")
def test_the_values_of_a_trial_are_hyperparameters_beside_what_keras_knows(done):
    """Under the names that frameworks share too, of which Keras knows some better; that is no conflict."""
    place, tuner = done
    rows = rows_of(place, "SELECT lr, optimizer, bs, wd, learning_rate, optimizer_name, batch_size, weight_decay"
                          " FROM iTrainingModel ORDER BY run_id")  # fmt: skip
    rates = [row.pop("learning_rate") for row in rows]
    shared = {"optimizer_name": "SGD", "batch_size": 10, "weight_decay": 0.25}
    assert rows == [{**trial.hyperparameters.values, **shared} for trial in tuner.oracle.trials.values()]
    assert rates == pytest.approx([row["lr"] for row in rows], rel=1e-6)
    assert column_of(place, "SELECT detail FROM problem") == []


@pytest.mark.captures("epochs", "validation", "layers", "loss function", "data")
def test_what_keras_trains_in_a_trial_is_recorded_as_always(done):
    place, tuner = done
    for trial in tuner.oracle.trials.values():
        run = f"net-1-trial-{trial.trial_id}"
        epochs = rows_of(place, "SELECT epoch, loss, val_loss, val_accuracy FROM oTrainingModel JOIN run USING (run_id)"
                                " WHERE name = ? ORDER BY epoch", (run,))  # fmt: skip
        assert [row["epoch"] for row in epochs] == [1, 2]
        (best,) = column_of(place, "SELECT best_epoch FROM oSearch WHERE trial = ?", (trial.trial_id,))
        told = {name: float(trial.metrics.get_best_value(name)) for name in ("loss", "val_loss", "val_accuracy")}
        assert epochs[best - 1] == {"epoch": best, **told}
        layers = column_of(place, "SELECT i.name FROM iLayers AS i JOIN run AS r USING (run_id) WHERE r.name = ?"
                                  " ORDER BY position", (run,))  # fmt: skip
        assert layers == ["hidden", "drop", "out"]
    assert column_of(place, "SELECT loss_function FROM iTrainingModel") == ["sparse_categorical_crossentropy"] * 2
    data = rows_of(place, "SELECT inputs_shape, targets_shape, num_classes FROM iTrainingData")
    assert data == [{"inputs_shape": "[30, 4]", "targets_shape": "[30]", "num_classes": 3}] * 2


@pytest.mark.captures("adaptations", "files")
def test_a_trial_has_the_changes_of_its_rate_and_the_checkpoints_of_the_tuner(done):
    place, tuner = done
    changes = rows_of(place, "SELECT epoch, attribute, technique, new_value FROM oAdaptation ORDER BY run_id")
    halves = [trial.hyperparameters.values["lr"] / 2 for trial in tuner.oracle.trials.values()]
    assert [row.pop("new_value") for row in changes] == pytest.approx(halves)
    assert changes == [{"epoch": 2, "attribute": "learning_rate", "technique": "LearningRateScheduler"}] * 2
    files = rows_of(place, "SELECT path, sha256 FROM file WHERE relation = 'generated'")
    written = {str(tuner._get_checkpoint_fname(trial)) for trial in tuner.oracle.trials}
    assert {file["path"] for file in files} == written
    assert all(file["sha256"] for file in files)


@pytest.mark.captures("search")
def test_the_search_tells_its_oracle_its_space_and_the_score_of_each_trial(done):
    place, tuner = done
    (row,) = rows_of(place, "SELECT tuner, study_name, algorithm, metric, direction FROM iSearch")
    assert tuple(row.values()) == ("keras_tuner", "net", "RandomSearch", "val_accuracy", "maximize")
    space = rows_of(place, "SELECT name, distribution, low, high, log, choices FROM iSearchSpace ORDER BY name")
    assert [tuple(one.values()) for one in space] == [
        ("bs", "fixed", None, None, None, None),
        ("lr", "float", 0.001, 0.1, 1, None),
        ("optimizer", "choice", None, None, None, '["sgd"]'),
        ("wd", "fixed", None, None, None, None),
    ]
    assert column_of(place, "SELECT value FROM oSearch ORDER BY element_id") == scores(tuner)


@pytest.mark.captures("unchanged results")
def test_the_scores_are_the_same_without_recording(done, tmp_path):
    keras.utils.set_random_seed(3)
    bare = search(new_tuner(tmp_path / "bare"))
    keras.utils.set_random_seed(3)
    recorded = new_tuner(tmp_path / "recorded")
    with track(recorded, store=tmp_path / "store"):
        search(recorded)
    assert scores(bare) == scores(recorded)
    assert "run_trial" not in vars(recorded)


def test_a_callback_of_the_user_records_and_none_is_added(store, tmp_path):
    tuner = new_tuner(tmp_path / "tuner", max_trials=1)
    with track(tuner):
        search(tuner, callbacks=[ProvenanceCallback("mine")])
    assert column_of(store, "SELECT tag FROM dataflow") == ["net"]
    assert column_of(store, "SELECT COUNT(*) FROM task WHERE tag = 'Training'") == [1]


@pytest.mark.captures("endings")
def test_a_model_that_cannot_be_built_is_a_failed_trial_and_a_search_of_one_s_own_is_recorded(store, tmp_path):
    class OwnTuner(keras_tuner.RandomSearch):
        def run_trial(self, trial, scale):
            x = trial.hyperparameters.Float("x", 0, 1)
            dnnprov.active_run().log(seen=x)
            if len(self.oracle.trials) > 1:
                raise keras_tuner.errors.FailedTrialError("too large")
            return {"val_accuracy": x * scale}

    tuner = new_tuner(tmp_path / "tuner", None, OwnTuner)
    with track(tuner, "own", params={"budget": 2}):
        tuner.search(2.0)
    runs = rows_of(store, "SELECT status, exit_reason FROM run WHERE parent_run_id IS NOT NULL ORDER BY run_id")
    assert [run["status"] for run in runs] == ["finished", "failed"]
    assert "too large" in runs[1]["exit_reason"]
    assert column_of(store, "SELECT value FROM oTrial ORDER BY element_id")[0] == scores(tuner)[0]
    values = column_of(store, "SELECT value FROM metric WHERE name = 'seen' ORDER BY run_id")
    assert values == column_of(store, "SELECT x FROM iTrainingModel ORDER BY run_id")
    assert column_of(store, "SELECT budget FROM iSearch") == [2]


def test_what_ends_a_search_comes_out_as_it_was_and_shows_nothing_of_ours(store, tmp_path):
    class Broken(keras_tuner.RandomSearch):
        def run_trial(self, trial):
            raise KeyboardInterrupt

    tuner = new_tuner(tmp_path / "tuner", None, Broken)
    with pytest.raises(KeyboardInterrupt) as caught, track(tuner):
        tuner.search()
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not any("dnnprov/integrations" in file for file in files)
    assert set(column_of(store, "SELECT status FROM run")) == {"interrupted"}


@pytest.mark.parametrize("broken", ["_described", "_space_row", "_recorded_kwargs", "activate"])
def test_a_failure_of_ours_does_not_reach_the_search(store, tmp_path, monkeypatch, broken):
    class Short(keras_tuner.RandomSearch):
        def run_trial(self, trial):
            return {"val_accuracy": trial.hyperparameters.Float("x", 0, 1)}

    monkeypatch.setattr(f"dnnprov.integrations.keras_tuner.tuner_recording.{broken}", lambda *_: 1 // 0)
    tuner = new_tuner(tmp_path / "tuner", None, Short)
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"), track(tuner):
        tuner.search()
    assert [trial.status for trial in tuner.oracle.trials.values()] == ["COMPLETED", "COMPLETED"]
    assert column_of(store, "SELECT DISTINCT kind FROM problem") == ["capture_failure"]


def test_wrong_arguments_raise_and_an_older_version_is_refused():
    with pytest.raises(UsageError, match="tuner=3 is a int"):
        track(3)
    with pytest.raises(UnsupportedVersionError, match="pip install 'keras-tuner>=1.4'"):
        check_keras_tuner("1.3.5")


@pytest.mark.captures("without a call")
def test_a_search_without_any_call_of_ours_is_recorded_and_each_training_once(store, tmp_path, autolog_off):
    dnnprov.autolog("net")
    tuner = search(new_tuner(tmp_path / "tuner", max_trials=1))
    dnnprov.autolog(keras_tuner=False, keras=False)
    del tuner
    assert column_of(store, "SELECT name FROM run WHERE parent_run_id IS NULL") == ["net-1"]
    assert column_of(store, "SELECT tag FROM task ORDER BY task_id") == ["Search", "Trial", "Training", "Adaptation"]
