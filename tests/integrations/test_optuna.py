"""Studies of Optuna: a run each, their trials runs below it. Real studies, in threads and in processes too."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
import threading
import traceback

import optuna
import pytest

import dnnprov
from dnnprov.capture.start import start_run
from dnnprov.errors import UnsupportedVersionError, UsageError
from dnnprov.integrations.optuna.version import check_optuna
from dnnprov.optuna import track
from recorded import column_of, rows_of
from small_keras import X, Y, fit, plateau, small_model

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def train(trial):
    """Three epochs on paper; trial 3 breaks, trial 4 returns nothing of use, and bad rates are pruned."""
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    layers = trial.suggest_int("num_layers", 1, 3)
    if trial.number == 3:
        raise ValueError("broken")
    if trial.number == 4:
        return float("nan")
    with dnnprov.active_run().task("Training") as training:
        for epoch in (1, 2, 3):
            accuracy = 1 - rate * layers / epoch
            training.log(epoch=epoch, loss=1 - accuracy, accuracy=accuracy)
            trial.report(accuracy, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
    trial.set_user_attr("note", "whole")
    return accuracy


def new_study(**options):
    return optuna.create_study(
        study_name="net",
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=3),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2),
        **options,
    )


def optimized(study, **options):
    study.optimize(train, n_trials=10, catch=(ValueError,), **options)
    return study


def told(study):
    return [(trial.number, trial.state.name, trial.params, trial.values, trial.intermediate_values)
            for trial in study.trials]  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A store with one study, and the study."""
    place = tmp_path_factory.mktemp("optuna") / "store"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = new_study()
    with track(study, store=place, params={"budget": 10}):
        optimized(study)
    return place, study


@pytest.mark.captures("search")
def test_a_study_is_a_run_and_its_trials_are_runs_below_it(done):
    place, study = done
    runs = rows_of(place, "SELECT run_id, name, status, parent_run_id FROM run ORDER BY run_id")
    assert (runs[0]["name"], runs[0]["status"], runs[0]["parent_run_id"]) == ("net-1", "finished", None)
    assert [run["name"] for run in runs[1:]] == [f"net-1-trial-{number}" for number in range(10)]
    assert {run["parent_run_id"] for run in runs[1:]} == {runs[0]["run_id"]}
    meant = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
    assert [run["status"] for run in runs[1:]] == [meant[trial.state.name] for trial in study.trials]
    assert {run["status"] for run in runs[1:]} == {"finished", "pruned", "failed"}


@pytest.mark.captures("hyperparameters")
def test_the_values_of_a_trial_are_the_hyperparameters_of_its_run(done):
    place, study = done
    rows = rows_of(place, "SELECT learning_rate, num_layers FROM iTrainingModel ORDER BY run_id")
    assert rows == [trial.params for trial in study.trials]


def test_what_trains_in_the_objective_records_into_the_run_of_its_trial(done):
    place, study = done
    epochs = rows_of(place, "SELECT r.name, COUNT(*) AS n FROM oTrainingModel JOIN run AS r USING (run_id) GROUP BY 1")
    found = {row["name"]: row["n"] for row in epochs}
    assert found == {
        f"net-1-trial-{trial.number}": len(trial.intermediate_values)
        for trial in study.trials
        if trial.intermediate_values
    }
    best = dnnprov.open(place).ask("Q5", dataflow="net", top=1)[0]
    whole = [trial for trial in study.trials if trial.intermediate_values]
    assert best["accuracy"] == max(max(trial.intermediate_values.values()) for trial in whole)


@pytest.mark.captures("batches")
def test_intermediate_values_are_a_series_with_the_steps_of_the_trial(done):
    place, study = done
    rows = rows_of(place, "SELECT r.name, m.step, m.value FROM metric AS m JOIN run AS r USING (run_id)"
                          " WHERE m.name = 'intermediate_value'")  # fmt: skip
    found = {(row["name"], row["step"]): row["value"] for row in rows}
    assert found == {
        (f"net-1-trial-{trial.number}", step): value
        for trial in study.trials
        for step, value in trial.intermediate_values.items()
    }


@pytest.mark.captures("search")
def test_the_search_tells_what_it_is_made_of_and_where_it_looks(done):
    place, _ = done
    (search,) = rows_of(place, "SELECT tuner, study_name, direction, algorithm, pruner, pruner_parameters, budget"
                               " FROM iSearch")  # fmt: skip
    assert search.pop("pruner_parameters").startswith('{"n_startup_trials": 2, ')
    assert search == {
        "tuner": "optuna", "study_name": "net", "direction": "maximize", "algorithm": "RandomSampler",
        "pruner": "MedianPruner", "budget": 10,
    }  # fmt: skip
    space = rows_of(place, "SELECT name, distribution, low, high, step, log FROM iSearchSpace ORDER BY name")
    assert space == [
        {"name": "learning_rate", "distribution": "float", "low": 1e-4, "high": 0.1, "step": None, "log": 1},
        {"name": "num_layers", "distribution": "int", "low": 1, "high": 3, "step": 1, "log": 0},
    ]


@pytest.mark.captures("search")
def test_the_search_has_a_row_a_trial_with_its_value_and_its_run(done):
    place, study = done
    rows = rows_of(place, "SELECT s.trial, s.status, s.value, r.name FROM oSearch AS s JOIN run AS r"
                          " ON r.uid = s.run_uid ORDER BY s.trial")  # fmt: skip
    assert [row["value"] for row in rows] == [trial.value for trial in study.trials]
    assert [row["name"] for row in rows] == [f"net-1-trial-{row['trial']}" for row in rows]
    assert column_of(place, 'SELECT COUNT(*) FROM oTrial WHERE user_attrs = \'{"note": "whole"}\'') == [
        sum(trial.state.name == "COMPLETE" for trial in study.trials)
    ]


@pytest.mark.captures("endings")
def test_a_run_tells_why_its_trial_ended(done):
    place, _ = done
    reasons = dict(
        tuple(row.values()) for row in rows_of(place, "SELECT name, exit_reason FROM run WHERE exit_reason > ''")
    )
    assert reasons["net-1-trial-3"] == "ValueError: broken"
    assert reasons["net-1-trial-4"] == "Optuna took the trial for failed: its objective returned nan, no usable value"
    pruned = column_of(place, "SELECT exit_reason FROM run WHERE status = 'pruned'")
    assert pruned
    assert all(reason.startswith("MedianPruner at step ") for reason in pruned)


@pytest.mark.captures("unchanged results")
def test_the_results_are_those_without_recording(done):
    assert told(done[1]) == told(optimized_outside())


def optimized_outside():
    """The same study where nothing is recorded: `train` needs a run, so one that records nothing is active."""
    study = new_study()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DNNPROV_DISABLED", "1")
        with start_run("other"):
            return optimized(study)


def test_threads_each_have_the_run_of_their_own_trial(store):
    study, meeting = new_study(), threading.Barrier(2, timeout=30)

    def objective(trial):
        rate = trial.suggest_float("learning_rate", 0.0, 1.0)
        meeting.wait()  # both are in their objectives now
        dnnprov.active_run().log(seen=rate)
        meeting.wait()
        return rate

    with track(study):
        study.optimize(objective, n_trials=4, n_jobs=2)
    rows = rows_of(store, "SELECT r.name, m.value, i.learning_rate FROM run AS r JOIN metric AS m USING (run_id)"
                          " JOIN iTrainingModel AS i USING (run_id) WHERE m.name = 'seen'")  # fmt: skip
    assert {row["name"]: row["value"] for row in rows} == {
        f"net-1-trial-{trial.number}": trial.value for trial in study.trials
    }
    assert all(row["value"] == row["learning_rate"] for row in rows)


WORKER = """
    import sys
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    import dnnprov, dnnprov.optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend("study.log"))
    study = optuna.create_study(storage=storage, study_name="net", load_if_exists=True)
    dnnprov.optuna.track(study)

    def objective(trial):
        if trial.number == 0 and sys.argv[1:] == ["waits"]:
            print("began", flush=True)
            sys.stdin.readline()
        return trial.suggest_float("x", 0, 1)

    study.optimize(objective, n_trials=2)
"""


def worker(folder, *args, **options):
    script = folder / "worker.py"
    script.write_text(textwrap.dedent(WORKER), encoding="utf-8")
    return subprocess.Popen([sys.executable, str(script), *args], cwd=folder, text=True, **options)


def test_processes_that_share_a_study_put_their_trials_below_one_run(store, tmp_path):
    first = worker(tmp_path, "waits", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.stdout.readline() == "began\n"  # its trial goes on while the second works
    assert worker(tmp_path).wait(60) == 0
    first.communicate("on\n", timeout=60)
    assert first.returncode == 0
    assert worker(tmp_path).wait(60) == 0  # all are gone: it goes on with the same run
    runs = rows_of(store, "SELECT name, parent_run_id, run_id, status FROM run ORDER BY name")
    assert [run["name"] for run in runs] == ["net-1", *(f"net-1-trial-{number}" for number in range(6))]
    assert {run["parent_run_id"] for run in runs[1:]} == {runs[0]["run_id"]}
    assert {run["status"] for run in runs} == {"finished"}
    assert column_of(store, "SELECT detail FROM problem") == []


def test_trials_asked_for_and_told_by_hand_are_recorded_too(store):
    study = new_study()
    study.set_metric_names(["val_accuracy"])
    provenance = track(study)
    first = study.ask({"rate": optuna.distributions.FloatDistribution(0, 1)})
    second = study.ask()
    assert provenance.run_of(first).name == "net-1-trial-0"
    second.suggest_categorical("activation", ["relu", None])
    study.tell(first, 0.5)
    study.tell(second, state=optuna.trial.TrialState.PRUNED)
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    third = study.ask()
    provenance.finish()
    assert provenance.run_of(third) is None
    runs = rows_of(store, "SELECT name, status, exit_reason, accuracy FROM run ORDER BY name")
    assert [(run["name"], run["status"]) for run in runs] == [
        ("net-1", "finished"), ("net-1-trial-0", "finished"), ("net-1-trial-1", "pruned"), ("net-1-trial-2", "failed"),
        ("net-1-trial-3", "failed"),
    ]  # fmt: skip
    assert [run["accuracy"] for run in runs] == [None, 0.5, None, None, None]
    assert runs[3]["exit_reason"] == "Optuna was told that the trial failed"
    assert column_of(store, "SELECT choices FROM iSearchSpace WHERE name = 'activation'") == ['["relu", null]']
    assert column_of(store, "SELECT rate FROM iTrainingModel") != [None]


def test_several_objectives_have_a_value_each(store):
    study = optuna.create_study(directions=["minimize", "maximize"])
    with track(study, "two"):
        study.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 2.0), n_trials=1)
    assert column_of(store, "SELECT value_1 FROM oTrial") == [2.0]
    assert column_of(store, "SELECT direction FROM iSearch") == ['["minimize", "maximize"]']


def test_an_exception_of_the_objective_comes_out_as_it_was_and_shows_nothing_of_ours(store):
    study = new_study()

    def objective(trial):
        raise KeyError("gone")

    with track(study), pytest.raises(KeyError) as caught:
        study.optimize(objective, n_trials=3)
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not any("dnnprov/integrations" in file for file in files)
    assert caught.value.__context__ is None
    assert column_of(store, "SELECT exit_reason FROM run WHERE status = 'failed'") == ["KeyError: 'gone'"]


@pytest.mark.captures("endings")
def test_ctrl_c_interrupts_the_trial(store):
    study = new_study()

    def objective(trial):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), track(study):
        study.optimize(objective, n_trials=3)
    assert column_of(store, "SELECT status FROM run") == ["interrupted", "interrupted"]


@pytest.mark.captures("endings")
def test_a_program_that_exits_in_its_objective_has_left_the_study(store):
    study = new_study()

    def objective(trial):
        raise SystemExit(4)

    provenance = track(study)
    with pytest.raises(SystemExit):
        study.optimize(objective, n_trials=3)
    provenance.finish()
    runs = rows_of(store, "SELECT status, exit_reason FROM run")
    assert [tuple(run.values()) for run in runs] == [("failed", "SystemExit: 4")] * 2


def test_what_optuna_raises_shows_nothing_of_ours(store):
    study = new_study()
    provenance = track(study)
    trial = study.ask()
    errors = []
    for call in (
        lambda: study.ask({"x": 3}),
        lambda: trial.suggest_float("x", 2, 1),
        lambda: trial.report("much", 0),
        lambda: study.tell(7, 0.5),
    ):
        with pytest.raises(Exception) as caught:
            call()
        errors.append(caught.value)
    provenance.finish()
    frames = [frame.filename for error in errors for frame in traceback.extract_tb(error.__traceback__)]
    assert not any("dnnprov/integrations" in file for file in frames)


def test_wrong_arguments_meet_optuna_s_own_message(store):
    study = new_study()
    track(study)
    with pytest.raises(TypeError, match="n_trails"):
        study.optimize(train, n_trails=3)
    with pytest.raises(UsageError, match="study=3 is a int"):
        track(3)


@pytest.mark.parametrize(
    "broken",
    ["optuna.study_recording._described", "optuna.study_recording._space_row", "optuna.study_recording._result",
     "optuna.shared_study.store_folder", "search_steps.SearchSteps.find_trial", "search_steps.start_run"],
)  # fmt: skip
def test_a_failure_of_ours_does_not_reach_the_study(store, tmp_path, monkeypatch, broken):
    monkeypatch.setattr(f"dnnprov.integrations.{broken}", lambda *_, **__: 1 // 0)
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.log"))
    study = new_study(storage=optuna.storages.JournalStorage(backend))
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"), track(study):
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE"]


def test_a_study_inside_a_run_is_that_run(store):
    study = new_study()
    with dnnprov.start_run("whole", name="experiment") as run:
        provenance = track(study)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
        assert provenance.run is run
        provenance.finish()
        assert run.status == "running"
    runs = rows_of(store, "SELECT name, dataflow FROM run_overview ORDER BY name")
    assert [tuple(row.values()) for row in runs] == [("experiment", "whole"), ("experiment-trial-0", "whole")]


def test_a_study_that_is_not_recorded_and_a_pickle_of_one_that_is_work_as_ever(store):
    study = new_study()
    track(study)
    again = pickle.loads(pickle.dumps(study))
    again.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert len(again.trials) == 1
    assert not store.exists()


def test_an_older_optuna_is_refused_with_what_to_do():
    with pytest.raises(UnsupportedVersionError, match="pip install 'optuna>=4.0'"):
        check_optuna("3.6.1")


# autolog


# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.captures(
    "without a call", "epochs", "validation", "layers", "loss function", "data", "adaptations", "test", "files"
)
def test_a_study_without_any_call_of_ours_is_recorded_and_what_keras_trains_in_it_is_of_the_trial(
    store, tmp_path, autolog_off
):
    dnnprov.autolog("net")
    study, histories = new_study(), []

    def objective(trial):
        model = small_model(trial.suggest_float("lr", 0.01, 0.1))
        trial.suggest_categorical("optimizer", ["sgd"])  # Keras says SGD, which is no conflict
        trial.suggest_int("bs", 10, 10)
        histories.append(fit(model, [plateau()], epochs=3, validation_data=(X, Y)).history)
        model.save_weights(tmp_path / f"{trial.number}.weights.h5")
        return model.evaluate(X, Y, verbose=0)[1]

    study.optimize(objective, n_trials=2)
    dnnprov.autolog(optuna=False)
    study.optimize(lambda trial: 1.0, n_trials=1)
    trials = study.trials
    del study
    runs = rows_of(store, "SELECT name, status, last_epoch, accuracy, accuracy_source FROM run ORDER BY name")
    assert [tuple(run.values()) for run in runs] == [
        ("net-1", "finished", None, None, None),
        ("net-1-trial-0", "finished", 3, trials[0].value, "test"),
        ("net-1-trial-1", "finished", 3, trials[1].value, "test"),
    ]
    rows = rows_of(store, "SELECT loss, accuracy, val_loss, val_accuracy FROM oTrainingModel ORDER BY run_id, epoch")
    told = [{name: values[epoch] for name, values in history.items()} for history in histories for epoch in range(3)]
    assert rows == [{name: values[name] for name in rows[0]} for values in told]
    values = rows_of(store, "SELECT lr, bs, optimizer_name, batch_size, loss_function FROM iTrainingModel")
    shared = {"optimizer_name": "SGD", "batch_size": 10, "loss_function": "sparse_categorical_crossentropy"}
    assert values == [{"lr": trial.params["lr"], "bs": 10, **shared} for trial in trials[:2]]
    assert column_of(store, "SELECT name FROM iLayers ORDER BY run_id, position") == ["hidden", "drop", "out"] * 2
    assert column_of(store, "SELECT inputs_shape FROM iTrainingData") == ["[30, 4]"] * 2
    changes = rows_of(store, "SELECT epoch, technique, new_value FROM oAdaptation ORDER BY run_id")
    assert [(row["epoch"], row["technique"]) for row in changes] == [(3, "ReduceLROnPlateau")] * 2
    assert [row["new_value"] for row in changes] == pytest.approx([trial.params["lr"] / 2 for trial in trials[:2]])
    assert [path.rpartition("/")[2] for path in column_of(store, "SELECT path FROM file")] == [
        "0.weights.h5", "1.weights.h5",
    ]  # fmt: skip
    # the framework holds the rate in single precision, which is no conflict with what the trial states
    assert column_of(store, "SELECT detail FROM problem") == []


def test_values_have_the_names_that_frameworks_share_as_soon_as_the_trial_reports(store):
    study, seen = new_study(), []

    def objective(trial):
        trial.suggest_float("lr", 0.5, 0.5)
        trial.suggest_int("epochs", 3, 3)
        trial.report(0.5, 1)
        seen.extend(rows_of(store, "SELECT learning_rate, num_epochs, lr FROM iTrainingModel"))
        trial.suggest_float("wd", 0.25, 0.25)
        return 0.5

    with track(study):
        study.optimize(objective, n_trials=1)
    assert seen == [{"learning_rate": 0.5, "num_epochs": 3, "lr": 0.5}]
    assert column_of(store, "SELECT weight_decay FROM iTrainingModel") == [0.25]
