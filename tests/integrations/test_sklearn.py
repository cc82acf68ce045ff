"""scikit-learn: fits of any estimator, within a block or by themselves."""

from __future__ import annotations

import hashlib
import inspect
import pickle
import subprocess
import sys
import textwrap
import traceback
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, StackingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

import dnnprov
from dnnprov.errors import UnsupportedVersionError, UsageError
from dnnprov.integrations.sklearn.estimators import hyperparameters
from dnnprov.integrations.sklearn.results import epochs
from dnnprov.integrations.sklearn.version import check_sklearn
from dnnprov.model.events import ElementsRecorded, ParametersSet, ProblemRecorded, RunEnded, RunStarted, TaskBegan
from dnnprov.sklearn import watch
from recorded import column_of, rows_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = make_classification(60, 6, random_state=3)
X_TEST, Y_TEST = X[:20].copy(), Y[:20].copy()


def small_network(**arguments):
    return MLPClassifier((8, 4), max_iter=5, early_stopping=True, random_state=1, **arguments)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A store with one network behind a scaler, and the network."""
    place = tmp_path_factory.mktemp("sklearn") / "store"
    model = make_pipeline(StandardScaler(), small_network())
    with warnings.catch_warnings(), watch("net", params={"purpose": "test"}, store=place):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y)
        model.score(X, Y)
        model.score(X_TEST, Y_TEST)
    return place, model


@pytest.mark.captures("epochs", "validation")
def test_a_network_has_its_curves_as_epochs(done):
    place, model = done
    rows = rows_of(place, "SELECT epoch, loss, val_accuracy FROM oTrainingModel ORDER BY epoch")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["loss"] for row in rows] == model[-1].loss_curve_
    assert [row["val_accuracy"] for row in rows] == model[-1].validation_scores_


@pytest.mark.captures("hyperparameters")
def test_its_parameters_have_the_names_that_other_frameworks_have_for_them(done):
    place, _ = done
    (row,) = rows_of(
        place,
        "SELECT estimator, estimator_wrapper, optimizer_name, learning_rate, learning_rate_schedule, num_epochs,"
        " batch_size, weight_decay, hidden_layer_sizes, num_layers, solver, learning_rate_init, purpose, num_samples,"
        " num_features FROM iTrainingModel",
    )
    assert row == {
        "estimator": "MLPClassifier", "estimator_wrapper": "Pipeline", "optimizer_name": "adam", "learning_rate": 0.001,
        "learning_rate_schedule": "constant", "num_epochs": 5, "batch_size": 60, "weight_decay": 0.0001,
        "hidden_layer_sizes": "[8, 4]", "num_layers": 3, "solver": "adam", "learning_rate_init": 0.001,
        "purpose": "test", "num_samples": 60, "num_features": 6,
    }  # fmt: skip


@pytest.mark.captures("loss function")
@pytest.mark.parametrize(
    ("model", "name"),
    [
        (MLPClassifier(), "log_loss"),
        (MLPRegressor(), "squared_error"),
        (SGDClassifier(loss="hinge"), "hinge"),
        (make_pipeline(StandardScaler(), MLPClassifier()), "log_loss"),
        (GridSearchCV(MLPRegressor(), {}), "squared_error"),
        (PCA(), None),
    ],
)
def test_a_loss_function_is_told_by_its_name(model, name):
    assert hyperparameters(model).get("loss_function") == name


@pytest.mark.captures("files")
def test_what_joblib_writes_is_a_file_of_the_training_and_what_it_reads_of_what_uses_it(store, tmp_path):
    path, other = tmp_path / "model.joblib", tmp_path / "other.joblib"
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)
    with watch("net"):
        model = LogisticRegression().fit(X, Y)
        joblib.dump({"model": model, "classes": [0, 1]}, path)
        joblib.dump(X, tmp_path / "data.joblib")
        joblib.load(path)["model"].score(X_TEST, Y_TEST)
        search.fit(X, Y)
        joblib.dump(search.best_estimator_, str(other))
    joblib.dump(model, tmp_path / "later.joblib")
    files = rows_of(store, "SELECT r.name, t.tag, f.relation, f.role, f.path, f.sha256 FROM file AS f JOIN run AS r"
                           " USING (run_id) JOIN task AS t USING (task_id) ORDER BY file_id")  # fmt: skip
    hashes = {str(one): hashlib.sha256(one.read_bytes()).hexdigest() for one in (path, other)}
    assert [file.pop("sha256") for file in files] == [hashes[file["path"]] for file in files]
    assert [tuple(file.values()) for file in files] == [
        ("net-1", "Training", "generated", "model", str(path)),
        ("net-2", "Testing", "used", "model", str(path)),
        ("net-3", "Training", "generated", "model", str(other)),
    ]


@pytest.mark.captures("layers", "filters")
def test_the_steps_before_it_are_filters_and_its_layers_are_layers(done):
    place, _ = done
    assert [row["filter_name"] for row in dnnprov.open(place).ask("Q8", dataflow="net")] == ["StandardScaler"] * 2
    (row,) = rows_of(place, "SELECT step, parameters FROM oFilters")
    assert row["step"] == "standardscaler"
    assert '"with_mean": true' in row["parameters"]
    layers = rows_of(place, "SELECT position, name, activation, units, num_parameters FROM iLayers ORDER BY position")
    assert [tuple(row.values()) for row in layers] == [
        (1, "hidden_1", "relu", 8, 56), (2, "hidden_2", "relu", 4, 36), (3, "output", "logistic", 1, 5),
    ]  # fmt: skip


@pytest.mark.captures("data")
def test_the_arrays_of_a_fit_are_its_data(done):
    place, _ = done
    (row,) = rows_of(place, "SELECT * FROM iTrainingData")
    assert (row["inputs_shape"], row["targets_shape"], row["num_samples"]) == ("[60, 6]", "[60]", 60)
    assert row["sha256"] == hashlib.sha256(X.tobytes() + Y.tobytes()).hexdigest()
    assert row["class_counts"] == f'{{"0": {(Y == 0).sum()}, "1": {(Y == 1).sum()}}}'


@pytest.mark.captures("test")
def test_a_score_is_a_test_but_not_on_the_very_data_of_the_training(done):
    place, model = done
    assert rows_of(place, "SELECT accuracy FROM oTestingModel") == [{"accuracy": model.score(X_TEST, Y_TEST)}]
    assert rows_of(place, "SELECT accuracy, data_set, num_samples FROM oEvaluation") == [
        {"accuracy": model.score(X, Y), "data_set": "training", "num_samples": 60}
    ]
    run = rows_of(place, "SELECT status, accuracy, accuracy_source FROM run")
    assert run == [{"status": "finished", "accuracy": model.score(X_TEST, Y_TEST), "accuracy_source": "test"}]


@pytest.mark.captures("unchanged results")
def test_the_model_is_the_same_without_recording(done):
    again = make_pipeline(StandardScaler(), small_network()).fit(X, Y)
    assert again[-1].loss_curve_ == done[1][-1].loss_curve_
    assert all((one == other).all() for one, other in zip(again[-1].coefs_, done[1][-1].coefs_, strict=True))


@pytest.mark.captures("search")
def test_fits_within_a_search_are_candidates_not_runs(recorded):
    search = GridSearchCV(
        make_pipeline(MinMaxScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2
    )
    with watch("net"):
        search.fit(X, Y)
        search.score(X_TEST, Y_TEST)
        cross_val_score(LogisticRegression(), X, Y, cv=2)
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Filters", "Training", "Testing"]
    assert len(recorded.events(RunStarted)) == 1
    rows = recorded.rows("oSearch")
    assert [row["params"] for row in rows] == ['{"logisticregression__C": 0.1}', '{"logisticregression__C": 1.0}']
    assert [row["value"] for row in rows] == pytest.approx(list(search.cv_results_["mean_test_score"]))
    parameters = recorded.parameters()
    assert parameters["C"] == search.best_params_["logisticregression__C"]
    assert (parameters["estimator"], parameters["search_cv"]) == ("LogisticRegression", 2)
    assert "search_error_score" not in parameters  # NaN, as long as none is given
    assert recorded.rows("oFit")[0]["best_score"] == pytest.approx(search.best_score_)
    assert recorded.events(ProblemRecorded) == []


def test_fits_in_threads_of_a_search_are_no_runs_either(recorded):
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, n_jobs=2)
    with watch("net"), joblib.parallel_backend("threading"):
        search.fit(X, Y)
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"]


def test_what_transformers_gave_out_is_known_when_something_trains_with_it(recorded):
    with watch("net"):
        scaled = StandardScaler().fit_transform(X)
        reducer = PCA(2).fit(scaled)
        reduced = reducer.transform(scaled)
        LogisticRegression().fit(reduced, Y)
        LogisticRegression().fit(X, Y)
    rows = recorded.rows("oFilters")
    assert [row["filter_name"] for row in rows] == ["StandardScaler", "PCA"]
    assert len(recorded.events(RunStarted)) == 2
    tags = [event.tag for event in recorded.events(TaskBegan)]
    assert tags == ["Filters", "Training", "Training"]


@pytest.mark.captures("filters")
def test_branches_of_transformers_are_filters_with_their_columns(recorded):
    data = np.column_stack([X[:, 0], np.arange(60) % 3])
    branches = ColumnTransformer(
        [("number", StandardScaler(), [0]), ("kind", OneHotEncoder(), [1]), ("rest", "drop", [])]
    )
    with watch("net"):
        make_pipeline(branches, LogisticRegression()).fit(data, Y)
    rows = [(row["filter_name"], row["step"], row["columns"]) for row in recorded.rows("oFilters")]
    assert rows == [
        ("StandardScaler", "columntransformer.number", "[0]"),
        ("OneHotEncoder", "columntransformer.kind", "[1]"),
    ]


def test_each_estimator_has_a_run_and_a_test_belongs_to_that_of_its_own(store):
    with watch("net") as watched:
        first = LogisticRegression().fit(X, Y)
        second = LinearRegression().fit(X, Y)
        first.score(X_TEST, Y_TEST)
        second.score(X_TEST, Y_TEST)
        assert watched.run_of(first) is not watched.run_of(second)
        assert watched.run_of(X) is None
    rows = rows_of(
        store, "SELECT r.name, t.accuracy, t.r2 FROM oTestingModel AS t JOIN run AS r USING (run_id) ORDER BY 1"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("net-1", first.score(X_TEST, Y_TEST), None),
        ("net-2", None, second.score(X_TEST, Y_TEST)),
    ]


def test_within_a_run_everything_is_of_it(store, tmp_path):
    with dnnprov.start_run("net") as run, watch() as watched:
        model = LogisticRegression().fit(X, Y)
        SGDClassifier(random_state=1).fit(X, Y)
        path = tmp_path / "model.pickle"
        path.write_bytes(pickle.dumps(model))
        watched.add_file(model, path)
        assert watched.run_of(model) is run
    assert column_of(store, "SELECT tag FROM task ORDER BY task_id") == ["Training", "Training"]
    assert column_of(store, "SELECT role FROM file") == ["model"]


@pytest.mark.captures("adaptations")
def test_a_value_that_is_set_between_two_fits_was_adapted_by_hand(store):
    model = SGDClassifier(eta0=0.5, learning_rate="constant", random_state=1)
    with watch("net"):
        model.fit(X, Y)
        model.set_params(eta0=0.25).fit(X, Y)
    changes = rows_of(store, "SELECT attribute, epoch, technique, old_value, new_value FROM oAdaptation ORDER BY 1")
    assert column_of(store, "SELECT COUNT(*) FROM task WHERE tag = 'Training'") == [2]
    assert [tuple(row.values()) for row in changes] == [
        ("eta0", 1, "manual", 0.5, 0.25),
        ("learning_rate", 1, "manual", 0.5, 0.25),
    ]


@pytest.mark.captures("epochs")
@pytest.mark.parametrize(
    ("model", "names"),
    [
        (GradientBoostingClassifier(n_estimators=3), {"epoch", "loss"}),
        (HistGradientBoostingRegressor(max_iter=3, early_stopping=True), {"epoch", "loss", "val_loss"}),
        (MLPRegressor(hidden_layer_sizes=(3,), max_iter=3, early_stopping=True), {"epoch", "loss", "val_r2"}),
        (LogisticRegression(), None),
    ],
)
def test_the_curves_of_other_estimators_are_epochs_too(model, names):
    rows = epochs(clone(model).fit(X, Y))
    assert [row["epoch"] for row in rows] == ([1, 2, 3] if names else [])
    assert all(row.keys() == names for row in rows)


class Own(ClassifierMixin, BaseEstimator):
    """Of the user's, defined after the methods were wrapped, with a fit of another inside."""

    def __init__(self, depth=2, inner=None):
        self.depth, self.inner = depth, inner

    def fit(self, x, y):
        self.inner_ = LogisticRegression().fit(x, y)
        self.classes_ = self.inner_.classes_
        if self.depth < 0:
            raise ValueError("too deep")
        return self

    def predict(self, x):
        return self.inner_.predict(x)


def test_an_estimator_of_the_user_s_is_recorded_and_what_it_fits_in_turn_is_not(recorded):
    with watch("net"):

        class Later(Own):
            def fit(self, x, y):
                return super().fit(x, y)

        model = Later().fit(X, Y)
        assert model.score(X_TEST, Y_TEST) > 0.5
    parameters = [event.values for event in recorded.events(ParametersSet) if "estimator" in event.values]
    assert [values["estimator"] for values in parameters] == ["Later"]
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Testing"]


@pytest.mark.captures("endings")
def test_what_is_raised_in_a_fit_comes_out_as_it_was_and_shows_nothing_of_ours(recorded):
    with watch("net"):
        with pytest.raises(ValueError, match="too deep") as caught:
            Own(-1).fit(X, Y)
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not any("dnnprov/integrations" in file for file in files)
    (ended,) = recorded.events(RunEnded)
    assert (ended.status, ended.reason) == ("failed", "ValueError: too deep")


def test_what_trains_within_a_fit_records_into_its_run(recorded):
    class Logging(Own):
        def fit(self, x, y):
            dnnprov.active_run().task("Training").log(epoch=1, loss=0.5)
            return super().fit(x, y)

    with watch("net"):
        Logging().fit(X, Y)
    assert [row["loss"] for row in recorded.rows("oTrainingModel")] == [0.5]
    assert len(recorded.events(RunStarted)) == 1


def test_methods_keep_their_signature_and_estimators_can_be_copied(store):
    with watch("net"):
        assert list(inspect.signature(LogisticRegression.fit).parameters) == ["self", "X", "y", "sample_weight"]
        model = pickle.loads(pickle.dumps(LogisticRegression().fit(X, Y)))
        assert not hasattr(make_pipeline(StandardScaler(), PCA(2)), "score_samples_of")
    assert (model.predict(X) == LogisticRegression().fit(X, Y).predict(X)).all()


def test_outside_of_the_block_nothing_is_recorded(store):
    with watch("net"):
        pass
    LogisticRegression().fit(X, Y)
    assert not store.exists()


def test_partial_fits_that_follow_each_other_are_one_training(store):
    model = MLPClassifier((3,), random_state=1)
    with watch("net"):
        for _ in range(3):
            model.partial_fit(X, Y, classes=[0, 1])
        model.score(X_TEST, Y_TEST)
        StandardScaler().partial_fit(X)
        SGDClassifier(random_state=1).partial_fit(X, Y, classes=[0, 1])
    tasks = rows_of(
        store, "SELECT r.name, t.tag, t.status FROM task AS t JOIN run AS r USING (run_id) ORDER BY task_id"
    )
    assert [tuple(task.values()) for task in tasks] == [
        ("net-1", "Training", "finished"), ("net-1", "Testing", "finished"), ("net-2", "Training", "finished"),
    ]  # fmt: skip
    rows = rows_of(store, "SELECT epoch, loss FROM oTrainingModel ORDER BY element_id")
    assert [tuple(row.values()) for row in rows] == list(enumerate(model.loss_curve_, 1))
    assert column_of(store, "SELECT num_partial_fits FROM oFit ORDER BY run_id") == [3, 1]
    assert column_of(store, "SELECT optimizer_name FROM iTrainingModel ORDER BY run_id") == ["adam", None]


def test_a_script_that_ends_after_its_partial_fits_has_trained_to_the_end(store):
    script = """
        import dnnprov
        dnnprov.autolog("net")
        from sklearn.linear_model import SGDClassifier
        model = SGDClassifier().partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, timeout=60, check=True)
    assert column_of(store, "SELECT status FROM run UNION ALL SELECT status FROM task") == ["finished", "finished"]


def test_a_warm_start_goes_on_with_the_epochs_of_the_last_fit(store):
    model = MLPClassifier((3,), max_iter=2, warm_start=True, random_state=1)
    with watch("net"):
        model.fit(X, Y)
        model.set_params(max_iter=3).fit(X, Y)
    rows = rows_of(store, "SELECT epoch, loss FROM oTrainingModel ORDER BY element_id")
    assert [tuple(row.values()) for row in rows] == list(enumerate(model.loss_curve_, 1))
    assert column_of(store, "SELECT COUNT(*) FROM task WHERE tag = 'Training'") == [2]


def test_a_candidate_whose_fits_raise_has_failed(recorded):
    with warnings.catch_warnings(), watch("net"):
        warnings.simplefilter("ignore")
        GridSearchCV(Own(), {"depth": [1, -1]}, cv=2).fit(X, Y)
    assert [row["status"] for row in recorded.rows("oSearch")] == ["finished", "failed"]


def test_estimators_that_stack_others_are_fitted_for_what_they_predict(recorded):
    with watch("net"):
        StackingClassifier([("one", LogisticRegression())], cv=2).fit(X, Y).score(X_TEST, Y_TEST)
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Testing"]


class Incomparable(Own):
    """Says neither what it is equal to nor, in full, what it is."""

    loss_curve_ = coefs_ = estimator = steps = "of another meaning"

    def __eq__(self, other):
        raise RuntimeError("incomparable")

    __hash__ = Own.__hash__

    def get_params(self, deep=True):
        raise RuntimeError("untold")


def test_estimators_that_raise_wherever_they_can_are_recorded_as_far_as_they_tell(recorded):
    with watch("net"):
        for model in (Incomparable(), Incomparable(), Unhashable()):
            model.fit(X, Y).score(X_TEST, Y_TEST)
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Testing"] * 3
    assert {event.status for event in recorded.events(RunEnded)} == {"finished"}


class Unhashable(Own):
    __hash__ = None

    def __eq__(self, other):
        return self is other


@pytest.mark.parametrize(
    "broken",
    ["hyperparameters", "epochs", "layer_rows", "fit_row", "score_name", "preprocessing_rows", "final_estimator"],
)
def test_a_failure_of_ours_does_not_reach_the_fit(store, monkeypatch, broken):
    monkeypatch.setattr(f"dnnprov.integrations.sklearn.fits.{broken}", lambda *_: 1 // 0)
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"), watch("net"):
        model = LogisticRegression().fit(X, Y)
        assert model.score(X_TEST, Y_TEST) > 0.5
    assert column_of(store, "SELECT DISTINCT kind FROM problem") == ["capture_failure"]


def test_estimators_and_data_of_any_make_are_fitted_as_ever(recorded):
    with watch("net"):
        assert Unhashable().fit(X, Y).predict(X).shape == (60,)
        LogisticRegression().fit(X.tolist(), Y.tolist())
        with pytest.raises(TypeError):
            LogisticRegression().fit()
    assert [row for row in recorded.events(ElementsRecorded) if row.set == "oFilters"] == []
    parameters = recorded.parameters()
    assert parameters["num_samples"] == 60


def test_wrong_arguments_raise_and_an_older_version_is_refused():
    with pytest.raises(UsageError, match="params=3 is a int"):
        watch("net", params=3)
    with pytest.raises(UnsupportedVersionError, match="pip install 'scikit-learn>=1.5'"):
        check_sklearn("1.4.2")


def test_parameters_that_are_objects_are_told_by_their_class():
    found = hyperparameters(Own(inner=PCA(2)))
    assert found == {"estimator": "Own", "depth": 2, "inner": "PCA"}


# autolog


@pytest.mark.captures("without a call")
def test_a_script_without_any_call_of_ours_is_recorded(store, autolog_off):
    dnnprov.autolog("net")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    model.score(X_TEST, Y_TEST)
    dnnprov.autolog("net", sklearn=False)
    LogisticRegression().fit(X, Y)
    del model
    assert rows_of(store, "SELECT name, status, accuracy_source FROM run") == [
        {"name": "net-1", "status": "finished", "accuracy_source": "test"}
    ]
    assert column_of(store, "SELECT filter_name FROM oFilters") == ["StandardScaler"]
