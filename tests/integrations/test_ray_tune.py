"""Ray Tune: real experiments, in processes of Ray's own. Collected only where Ray is installed."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import ray
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, PopulationBasedTraining

import dnnprov
from dnnprov.errors import UnsupportedVersionError, UsageError
from dnnprov.integrations.ray_tune.search_space import flat_config, space_rows
from dnnprov.integrations.ray_tune.version import check_ray
from dnnprov.ray import ProvenanceCallback
from recorded import column_of, rows_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # Ray's own, of many kinds
    pytest.mark.filterwarnings("error::RuntimeWarning"),  # ours
]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    yield
    ray.shutdown()


def trainables():
    """A class and a function that train; made here, since Ray's processes know nothing of this module."""

    class Climbing(tune.Trainable):
        """Its score grows by the rate in each step."""

        def setup(self, config):
            self.score = 0.0

        def step(self):
            self.score += self.config["rate"]
            return {"score": self.score, "nested": {"depth": 1}, "val/acc": 0.25}

        def save_checkpoint(self, folder):
            Path(folder, "score").write_text(str(self.score))

        def load_checkpoint(self, folder):
            self.score = float(Path(folder, "score").read_text())

        def reset_config(self, config):
            self.score = 0.0
            return True

    def reporting(config):
        for step in range(4):
            if config["rate"] == 0.3:
                raise ValueError("too steep")
            tune.report({"score": config["rate"] * (step + 1)})

    return Climbing, reporting


def climbed(place, *callbacks):
    """An experiment in which population-based training takes a trial over at iteration 2, and again at 4.

    What it does then to the values, it has done the second time already.
    """
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=2,
        quantile_fraction=0.5,
        hyperparam_mutations={"rate": tune.uniform(0.1, 0.9)},
        custom_explore_fn=lambda config: {**config, "rate": 0.5, "net": {"units": 8, "lr": 0.25}},
        synch=True,
    )
    tuner = tune.Tuner(
        trainables()[0],
        param_space={"rate": tune.grid_search([0.1, 0.9]), "net": {"units": 8, "lr": 0.5}},
        tune_config=tune.TuneConfig(metric="score", mode="max", scheduler=scheduler, reuse_actors=True),
        run_config=tune.RunConfig(
            callbacks=list(callbacks),
            storage_path=str(place),
            stop={"training_iteration": 6},
            verbose=0,
        ),
    )
    return tuner.fit()


@pytest.fixture(scope="module")
def adapted(tmp_path_factory, cluster):
    """A store with an experiment in which population-based training changed a rate."""
    place = tmp_path_factory.mktemp("ray")
    return place / "store", climbed(
        place / "ray", ProvenanceCallback("climb", store=place / "store", params={"budget": 2})
    )


@pytest.mark.captures("hyperparameters", "search", "without a call")
def test_an_experiment_is_a_run_and_its_trials_are_runs_below_it(adapted):
    place, results = adapted
    runs = rows_of(place, "SELECT run_id, name, status, parent_run_id, last_epoch FROM run ORDER BY run_id")
    assert (runs[0]["name"], runs[0]["parent_run_id"]) == ("climb-1", None)
    assert {run["parent_run_id"] for run in runs[1:]} == {runs[0]["run_id"]}
    assert [(run["status"], run["last_epoch"]) for run in runs] == [
        ("finished", None),
        ("finished", 6),
        ("finished", 6),
    ]
    best = max(column_of(place, "SELECT value FROM oSearch"))
    assert best == results.get_best_result().metrics["score"]
    assert column_of(place, "SELECT detail FROM problem") == []


@pytest.mark.captures("adaptations")
def test_a_value_changed_in_mid_run_is_an_adaptation_with_its_cause(adapted):
    place, _ = adapted
    taken, other = column_of(place, "SELECT trial FROM oSearch ORDER BY value")[:2]
    changes = rows_of(place, "SELECT run_id, epoch, attribute, old_value, new_value, old_value_text, new_value_text,"
                             " technique, agent, reason, triggered_by FROM oAdaptation WHERE epoch = 3")  # fmt: skip
    run = changes[0]["run_id"]
    cause = {
        "technique": "PopulationBasedTraining", "agent": "schedule", "triggered_by": "score=0.2",
        "reason": f"went on from trial {other} as it was at iteration 2",
    }  # fmt: skip
    assert [{**row, **cause} for row in changes] == changes
    values = {
        row["attribute"]: (row["old_value"] or row["old_value_text"], row["new_value"] or row["new_value_text"])
        for row in changes
    }
    assert values == {
        "checkpoint": (f"{taken}, iteration 2", f"{other}, iteration 2"),
        "rate": (0.1, 0.5),
        "net/lr": (0.5, 0.25),
        "learning_rate": (0.5, 0.25),
    }
    assert column_of(place, "SELECT rate FROM iTrainingModel WHERE run_id = ?", (run,)) == [0.1]  # what it began with
    assert column_of(place, "SELECT perturbation_interval FROM iAdaptation")[0] == 2


@pytest.mark.captures("adaptations")
def test_a_trial_that_is_taken_over_without_any_new_value_is_adapted_too(adapted):
    place, _ = adapted
    (row,) = rows_of(place, "SELECT attribute, new_value_text, reason FROM oAdaptation WHERE epoch = 5")
    other = column_of(place, "SELECT trial FROM oSearch ORDER BY value")[1]
    assert tuple(row.values()) == (
        "checkpoint", f"{other}, iteration 4", f"went on from trial {other} as it was at iteration 4",
    )  # fmt: skip


@pytest.mark.captures("files")
def test_checkpoints_are_files_and_a_trial_that_was_taken_over_derives_from_one_of_the_other(adapted):
    place, results = adapted
    files = rows_of(place, "SELECT r.name, f.path, f.relation, f.role, f.sha256 FROM file AS f JOIN run AS r"
                           " USING (run_id) ORDER BY file_id")  # fmt: skip
    assert {file["role"] for file in files} == {"checkpoint"}
    used = [file for file in files if file["relation"] == "used"]
    generated = {file["path"]: file for file in files if file["relation"] == "generated"}
    assert len(used) == 2
    for file in used:
        source = generated[file["path"]]
        assert source["name"] != file["name"]
        assert source["sha256"] == file["sha256"] != None  # noqa: E711
    assert {result.checkpoint.path for result in results} <= generated.keys()


@pytest.mark.captures("hyperparameters")
def test_values_have_the_names_that_frameworks_share_too(adapted):
    place, _ = adapted
    rows = rows_of(place, "SELECT learning_rate, net_lr FROM iTrainingModel")
    assert [tuple(row.values()) for row in rows] == [(0.5, 0.5), (0.5, 0.5)]


@pytest.mark.captures("unchanged results")
def test_what_trials_report_is_the_same_without_recording(adapted, tmp_path):
    def told(results):  # at their end, since Ray itself leaves rows out of its files now and then
        last = [result.metrics for result in results]
        return sorted((one["score"], one["training_iteration"], one["config"]["rate"]) for one in last)

    assert told(climbed(tmp_path)) == told(adapted[1])


@pytest.mark.captures("epochs", "validation")
def test_what_a_trial_reports_are_its_epochs_without_what_ray_adds(adapted):
    place, _ = adapted
    rows = rows_of(place, "SELECT * FROM oTrainingModel WHERE run_id = (SELECT MAX(run_id) FROM run) ORDER BY epoch")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(row["nested_depth"] == 1 and row["elapsed_time"] >= 0 for row in rows)
    assert {row["val_accuracy"] for row in rows} == {0.25}  # as frameworks share the name, and as it came
    assert {row["val_acc"] for row in rows} == {0.25}
    assert not {"pid", "node_ip", "hostname", "done"} & set(rows[0])


@pytest.mark.captures("search")
def test_the_search_tells_who_decides_and_where_it_looks(adapted):
    place, _ = adapted
    (row,) = rows_of(place, "SELECT tuner, algorithm, pruner, metric, direction, budget FROM iSearch")
    assert tuple(row.values()) == (
        "ray_tune", "BasicVariantGenerator", "PopulationBasedTraining", "score", "maximize", 2,
    )  # fmt: skip
    assert rows_of(place, "SELECT name, distribution, choices FROM iSearchSpace") == [
        {"name": "rate", "distribution": "grid", "choices": "[0.1, 0.9]"}
    ]
    assert column_of(place, "SELECT net_units FROM iTrainingModel") == [8, 8]


@pytest.mark.captures("endings")
def test_trials_that_the_scheduler_stops_are_pruned_and_those_that_raise_failed(store, tmp_path, autolog_off):
    """By autolog, without a callback; one trial at a time, so that the good one comes first."""
    dnnprov.autolog("climb")
    scheduler = AsyncHyperBandScheduler(grace_period=1, max_t=4, reduction_factor=2)
    tuner = tune.Tuner(
        tune.with_resources(trainables()[1], {"cpu": 2}),
        param_space={"rate": tune.grid_search([0.9, 0.1, 0.3])},
        tune_config=tune.TuneConfig(metric="score", mode="max", scheduler=scheduler),
        run_config=tune.RunConfig(storage_path=str(tmp_path / "ray"), verbose=0),
    )
    tuner.fit()
    runs = rows_of(store, "SELECT i.rate, r.status, r.exit_reason FROM run AS r JOIN iTrainingModel AS i USING (run_id)"
                          " ORDER BY r.run_id")  # fmt: skip
    assert [(run["rate"], run["status"]) for run in runs] == [(0.9, "finished"), (0.1, "pruned"), (0.3, "failed")]
    assert runs[1]["exit_reason"] == "AsyncHyperBandScheduler at iteration 1, score 0.1"
    assert runs[2]["exit_reason"] == "ValueError: too steep"


def test_a_callback_that_is_copied_begins_anew(store):
    copied = pickle.loads(pickle.dumps(ProvenanceCallback("climb", params={"budget": 2})))
    assert copied.run is None
    assert copied._arguments[:2] == ("climb", {"budget": 2})
    assert not store.exists()


@pytest.mark.parametrize("broken", ["find_deciders", "trial_values", "space_rows", "find_origin"])
def test_a_failure_of_ours_does_not_reach_the_experiment(store, monkeypatch, broken):
    class Trial:
        trial_id, config, last_result = "1", {"rate": 0.1}, {}

    monkeypatch.setattr(f"dnnprov.integrations.ray_tune.callback.{broken}", lambda *_: 1 // 0)
    callback = ProvenanceCallback("climb")
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"):
        callback.setup()
        callback.on_trial_start(1, [], Trial())
        callback.on_trial_result(1, [], Trial(), {"score": 0.5, "training_iteration": 1})
        callback.on_trial_complete(1, [], Trial())
        callback.on_experiment_end([])
    assert column_of(store, "SELECT DISTINCT kind FROM problem") == ["capture_failure"]


def test_spaces_and_configurations_of_any_depth_are_flat():
    space = {
        "lr": tune.loguniform(1e-4, 0.1),
        "net": {"units": tune.choice([8, 16])},
        "seed": 3,
        "q": tune.quniform(0, 1, 0.5),
    }
    assert space_rows(space) == [
        {"name": "lr", "distribution": "float", "low": 1e-4, "high": 0.1, "log": True},
        {"name": "net/units", "distribution": "categorical", "choices": "[8, 16]"},
        {"name": "q", "distribution": "float", "low": 0, "high": 1, "step": 0.5},
    ]
    assert flat_config({"a": {"b": [1, 2]}, "c": None}) == {"a/b": "[1, 2]"}


def test_wrong_arguments_raise_and_an_older_version_is_refused():
    with pytest.raises(UsageError, match="name=3 is a int"):
        ProvenanceCallback("climb", name=3)
    with pytest.raises(UnsupportedVersionError, match="Get a later one"):
        check_ray("2.9.0")
