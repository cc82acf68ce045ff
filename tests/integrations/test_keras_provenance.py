"""Fig. 6 on stock models: `model.provenance(...)`, then plain `fit` and `evaluate`. Real trainings, on any backend."""

from __future__ import annotations

import copy
import gc
import inspect
import json
import os
import pickle
import subprocess
import sys
import textwrap
import weakref

import keras
import numpy as np
import pytest

import dnnprov
from dnnprov import Attribute, AttributeType, DataSet, Element, Set, SetType, Task, Transformation
from dnnprov.capture.current_runs import open_runs
from dnnprov.errors import UsageError
from dnnprov.keras import ProvenanceCallback
from recorded import column_of, rows_of

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

X = np.linspace(-1, 1, 128, dtype="float32").reshape(32, 4)
Y = np.arange(32) % 3
HYPS = dict.fromkeys(
    ("OPTIMIZER_NAME", "LEARNING_RATE", "DECAY", "MOMENTUM", "NUM_EPOCHS", "BATCH_SIZE", "NUM_LAYERS"), True
)


@pytest.fixture(autouse=True)
def ended():
    """Runs that a test left open end with it, as they would with its process."""
    yield
    finish_all()


def finish_all():
    for run in list(open_runs):
        run.finish()


def bare_model(name="net"):
    keras.utils.set_random_seed(7)
    return keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(5, activation="relu", name="hidden"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dropout(0.4, name="drop"),
            keras.layers.Dense(3, name="logits"),
            keras.layers.Activation("softmax", name="out"),
        ],
        name=name,
    )


def compiled(model, optimizer=None):
    sgd = keras.optimizers.SGD(0.5, momentum=0.5)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer or sgd, loss, metrics=["accuracy"], run_eagerly=True)
    return model


def recorded_model(tag="alexnet", **arguments):
    model = bare_model()
    model.provenance(dataflow_tag=tag, **arguments)
    return compiled(model)


def fit(model, epochs=2, **arguments):
    return model.fit(X, Y, epochs=epochs, verbose=0, **{"batch_size": 16, **arguments})


def parameters(store):
    """The row of hyperparameters without what is NULL."""
    (row,) = rows_of(store, "SELECT * FROM itrainingmodel")
    own = {"element_id", "run_id", "task_id", "rank", "recorded_at", "relation", "process_id", "sequence", "row_number"}
    return {name: value for name, value in row.items() if name not in own and value is not None}


# As printed


def test_plain_fit_and_evaluate_are_recorded_without_a_callback(store):
    model = recorded_model(adaptation=False, hyps=HYPS)
    history = fit(model, validation_split=0.25)
    result = model.evaluate(X, Y, verbose=0)
    tasks = "SELECT tag, status FROM task ORDER BY task_id"
    assert rows_of(store, tasks) == [
        {"tag": "Training", "status": "finished"},
        {"tag": "Testing", "status": "finished"},
    ]
    expected = {"optimizer_name": "SGD", "learning_rate": 0.5, "momentum": 0.5, "num_epochs": 2, "batch_size": 16}
    assert expected.items() <= parameters(store).items()
    assert column_of(store, "SELECT loss FROM otrainingmodel ORDER BY epoch") == pytest.approx(history.history["loss"])
    assert rows_of(store, "SELECT loss, accuracy FROM otestingmodel")[0].values() == pytest.approx(result)
    assert column_of(store, "SELECT name FROM run") == ["alexnet-1"]


def test_it_may_be_called_after_compile_and_has_the_model_s_name_for_a_tag(store):
    model = compiled(bare_model("my_net"))
    model.provenance()
    fit(model, epochs=1)
    assert column_of(store, "SELECT tag FROM dataflow") == ["my_net"]


def test_the_signature_is_that_of_the_paper_and_fit_keeps_its_own(store):
    names = list(inspect.signature(keras.Model.provenance).parameters)
    assert names == ["self", "dataflow_tag", "adaptation", "hyps", "hyperparameters", "transformations", "kwargs"]
    assert list(inspect.signature(keras.Model.fit).parameters)[:4] == ["self", "x", "y", "batch_size"]
    for method in (keras.Model.fit, keras.Model.evaluate, keras.Model.predict):
        assert (method.__name__, method.__doc__) == (method.__wrapped__.__name__, method.__wrapped__.__doc__)
    assert list(inspect.signature(keras.Model.evaluate).parameters)[:3] == ["self", "x", "y"]


def test_importing_again_wraps_nothing_twice():
    from dnnprov.integrations.keras.provenance import install

    before = keras.Model.fit, keras.Model.evaluate, keras.Model.predict
    install()
    assert (keras.Model.fit, keras.Model.evaluate, keras.Model.predict) == before


def test_a_model_without_provenance_is_left_alone(store):
    fit(compiled(bare_model()), epochs=1)
    assert not store.exists()


def test_losses_are_equal_to_the_bit_with_provenance_and_without(store):
    plain = compiled(bare_model())
    without = fit(plain, epochs=3, validation_split=0.25).history
    model = recorded_model(adaptation=True, hyps=HYPS)
    assert fit(model, epochs=3, validation_split=0.25).history == without
    assert model.evaluate(X, Y, verbose=0) == plain.evaluate(X, Y, verbose=0)


# Hyperparameters


def test_false_is_not_recorded_and_what_is_not_named_is(store):
    model = recorded_model(hyps={"MOMENTUM": False, "learning_rate": False, "DECAY": True, "Num_Epochs": False})
    fit(model, epochs=1)
    found = parameters(store)
    assert not {"momentum", "learning_rate", "num_epochs", "decay"} & found.keys()
    assert {"optimizer_name": "SGD", "batch_size": 16, "dropout": 0.4}.items() <= found.items()


def test_true_is_null_where_the_optimizer_has_none(store):
    model = bare_model()
    model.provenance("net", hyps=HYPS)
    fit(compiled(model, keras.optimizers.Adam(0.01)), epochs=1)
    assert rows_of(store, "SELECT learning_rate, momentum, decay FROM itrainingmodel") == [
        {"learning_rate": 0.01, "momentum": None, "decay": None}
    ]
    assert rows_of(store, "SELECT kind, detail FROM problem") == []


def test_what_is_left_out_is_also_left_out_of_later_trainings(store):
    model = recorded_model(hyps={"MOMENTUM": False})
    fit(model, epochs=1)
    fit(compiled(model, keras.optimizers.SGD(0.25, momentum=0.75)), epochs=1)
    assert column_of(store, "SELECT momentum FROM itrainingmodel WHERE momentum IS NOT NULL") == []


def test_more_hyperparameters_come_by_keyword_or_are_found_by_name(store):
    model = bare_model()
    model.patience = 9
    model.provenance(
        "net",
        hyperparameters=[("warmup", "NUMERIC"), ("nesterov", "TEXT"), ("shuffle", "TEXT"), ("PATIENCE", "NUMERIC")],
        warmup="5",
        author="Pina",
    )
    fit(compiled(model), epochs=1, shuffle=False)
    found = parameters(store)
    expected = {"warmup": 5, "nesterov": "false", "shuffle": "false", "patience": 9, "author": "Pina"}
    assert expected.items() <= found.items()
    types = "SELECT a.name, a.type FROM attribute AS a JOIN data_set AS s USING (data_set_id) WHERE s.tag = ?"
    declared = {row["name"]: row["type"] for row in rows_of(store, types, ("iTrainingModel",))}
    assert {"warmup": "number", "nesterov": "text", "PATIENCE": "number"}.items() <= declared.items()


def test_a_hyperparameter_that_is_nowhere_is_told_once(store):
    model = recorded_model(hyperparameters={"temperature": "NUMERIC"})
    with pytest.warns(RuntimeWarning, match="hyperparameter 'temperature' of dataflow 'alexnet' is neither"):
        fit(model, epochs=1)
    fit(model, epochs=1)
    assert column_of(store, "SELECT kind FROM problem") == ["unknown_hyperparameter"]
    assert column_of(store, "SELECT temperature FROM itrainingmodel") == [None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataflow_tag": 3}, "dataflow_tag=3 is a int"),
        ({"hyps": ["MOMENTUM"]}, "hyps=['MOMENTUM'] is a list"),
        ({"hyperparameters": 3}, "hyperparameters=3 is a int; expected a list such as"),
        ({"hyperparameters": [("a", "NUMERIC", 3)]}, "hyperparameters has ('a', 'NUMERIC', 3)"),
        ({"hyperparameters": [("a", "FLOAT")]}, "type='FLOAT' is no type of an attribute"),
        ({"transformations": "Filters"}, "'Filters' is a str; expected a dict"),
        ({"transformations": {"Filters": 3}}, "transformations has 3; expected a dict"),
        ({"transformations": {"Filters": {"inputs": {}}}}, "transformations['Filters'] has 'inputs'"),
    ],
)
def test_arguments_that_cannot_be_meant_raise(store, arguments, message):
    with pytest.raises(UsageError) as raised:
        bare_model().provenance(**arguments)
    assert message in str(raised.value)


# What the original lost


def test_every_epoch_without_validation_data_is_recorded(store):
    fit(recorded_model(), epochs=3)
    rows = rows_of(store, "SELECT epoch, loss, val_loss FROM otrainingmodel ORDER BY epoch")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(row["loss"] is not None and row["val_loss"] is None for row in rows)


def test_the_last_epoch_on_an_early_stop_is_recorded(store):
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=1, min_delta=100)
    history = fit(recorded_model(), epochs=9, callbacks=[stop])
    assert len(history.epoch) < 9
    assert column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch") == [
        number + 1 for number in history.epoch
    ]
    assert column_of(store, "SELECT status FROM task WHERE tag = 'Training'") == ["finished"]


def test_all_layers_are_recorded_whatever_they_are_called(store):
    fit(recorded_model(), epochs=1)
    with dnnprov.open() as history:
        rows = [(row["name"], row["type"], row["value"]) for row in history.ask("Q2") if row["type"] != "InputLayer"]
    assert [(name, kind) for name, kind, _ in rows] == [
        ("hidden", "Dense"), ("norm", "BatchNormalization"), ("drop", "Dropout"), ("logits", "Dense"),
        ("out", "Activation"),
    ]  # fmt: skip
    assert [value for name, _, value in rows if name in {"drop", "out"}] == ["0.4", "softmax"]


def test_the_technique_of_an_adaptation_is_recorded(store):
    halving = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch == 2 else rate)
    model = recorded_model(adaptation=True, hyps=HYPS)
    fit(model, epochs=3, callbacks=halving)
    model.evaluate(X, Y, verbose=0)
    with dnnprov.open() as history:
        (row,) = history.ask("Q6")
    assert [row[name] for name in ("adapted", "epoch", "technique", "old_value", "new_value")] == [
        1, 3, "LearningRateScheduler", 0.5, 0.25,
    ]  # fmt: skip


def test_the_test_loss_is_that_of_the_whole_test_set_and_not_of_its_last_batch(store):
    model = recorded_model()
    fit(model, epochs=1)
    whole, _ = model.evaluate(X, Y, batch_size=5, verbose=0)
    last = model.test_on_batch(X[-2:], Y[-2:])[0]
    assert whole != pytest.approx(last, rel=1e-5)
    assert column_of(store, "SELECT loss FROM otestingmodel") == pytest.approx([whole])


# The plan, and tasks of the user


def plan_of(store):
    return json.loads(column_of(store, "SELECT specification FROM dataflow_version ORDER BY version DESC")[0])


def test_an_adaptation_is_declared_beforehand_where_it_is_asked_for(store):
    fit(recorded_model(adaptation=False), epochs=1)
    assert set(plan_of(store)) == {"Training", "Testing"}
    fit(recorded_model(adaptation=True), epochs=1)
    assert set(plan_of(store)) == {"Training", "Testing", "Adaptation"}
    assert column_of(store, "SELECT version FROM dataflow_version ORDER BY version") == [1, 2]


def test_an_adaptation_that_happens_is_recorded_either_way(store):
    model = recorded_model(adaptation=False)
    fit(model, epochs=1)
    model.optimizer.learning_rate = 0.125
    fit(model, epochs=1)
    assert rows_of(store, "SELECT new_value, technique FROM oadaptation WHERE attribute = 'learning_rate'") == [
        {"new_value": 0.125, "technique": "manual"}
    ]
    assert "Adaptation" in plan_of(store)


def test_the_filters_of_the_paper_come_before_the_training(store):
    for filter_name in (None, "gray-scale"):
        model = recorded_model(hyps=HYPS)
        if filter_name:
            df = model.get_dataflow()
            filters = Transformation("Filters")
            filters.add_set(Set("iFilters", SetType.INPUT, [Attribute("dataset_name")]))
            filters.add_set(Set("oFilters", SetType.OUTPUT, [Attribute("filter_name")]))
            df.add_transformation(filters)
            task = Task(1, "alexnet", "Filters")
            task.add_dataset(DataSet("iFilters", [Element(["17flowers"])]))
            task.begin()
            task.add_dataset(DataSet("oFilters", [Element([filter_name])]))
            task.end()
        fit(model)
        model.evaluate(X, (Y + bool(filter_name)) % 3, verbose=0)
    with dnnprov.open() as history:
        assert [(row["filter_name"], row["runs"]) for row in history.ask("Q7", dropout=0.4)] == [
            ("gray-scale", "alexnet-2"),
            ("none", "alexnet-1"),
        ]
        assert {row["filter_name"] for row in history.ask("Q8")} == {"none", "gray-scale"}
        statuses = {row["name"]: row["status"] for row in history.runs()}
    assert statuses == {"alexnet-1": "finished", "alexnet-2": "running"}  # the next model of a tag ends the one before
    assert column_of(store, "SELECT version FROM dataflow_version ORDER BY version") == [1, 2]


def dense_block(model, *, with_output=True):
    """The example in the original's README."""
    df = model.get_dataflow()
    tf_denseb = Transformation("DenseBlock")
    inputs = [Attribute("growth_rate", AttributeType.NUMERIC), Attribute("layers_db", AttributeType.NUMERIC)]
    sets = [Set("iDenseBlock", SetType.INPUT, inputs)]
    if with_output:
        sets.append(Set("oDenseBlock", SetType.OUTPUT, [Attribute("output", AttributeType.TEXT)]))
    tf_denseb.set_sets(sets)
    df.add_transformation(tf_denseb)
    t_denseb = Task(4, "alexnet", "DenseBlock")
    t_denseb.add_dataset(DataSet("iDenseBlock", [Element([1, 33])]))
    t_denseb.begin()
    if with_output:
        t_denseb.add_dataset(DataSet("oDenseBlock", [Element(["a block"])]))
    t_denseb.end()


def befores(store, tag="Training"):
    sql = (
        "SELECT b.tag FROM task_dependency AS d JOIN task AS t USING (task_id)"
        " JOIN task AS b ON b.task_id = d.depends_on_task_id WHERE t.tag = ? ORDER BY t.task_id, b.task_id"
    )
    return column_of(store, sql, (tag,))


def test_the_dense_block_of_the_original_s_readme_is_recorded(store):
    model = recorded_model(hyps=HYPS)
    dense_block(model)
    fit(model, epochs=1)
    assert rows_of(store, "SELECT growth_rate, layers_db FROM idenseblock") == [{"growth_rate": 1, "layers_db": 33}]
    assert column_of(store, "SELECT output FROM odenseblock") == ["a block"]
    assert befores(store) == ["DenseBlock"]
    assert column_of(store, "SELECT COUNT(*) FROM run") == [1]


def test_what_the_user_began_before_and_the_model_are_one_run(store):
    df = dnnprov.Dataflow("alexnet", True)
    filters = Task(1, "alexnet", "Filters")
    filters.add_dataset(DataSet("oFilters", [Element(["gray-scale"])]))
    filters.end()
    model = recorded_model()
    fit(model, epochs=1)
    report = Task(2, df, "Report", dependency=filters)
    report.begin()
    del model
    gc.collect()
    report.end()
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "alexnet-1", "status": "running"}]
    assert befores(store) == ["Filters"]


def test_a_task_that_generates_nothing_feeds_no_training(store):
    model = recorded_model()
    dense_block(model, with_output=False)
    fit(model, epochs=1)
    assert befores(store) == []


def test_of_a_chain_of_steps_the_last_feeds_the_training_and_what_is_for_the_test_does_not(store):
    model = recorded_model(
        transformations={
            "Resize": {"input": {"size": "numeric"}, "output": {"resized": "text"}},
            "Holdout": {"output": {"held_out": "text"}},
        }
    )
    df = model.get_dataflow()
    filters = Transformation("Filters", [Set("oFilters", SetType.OUTPUT, [Attribute("filter_name")])])
    filters.add_set(Set("oResize", SetType.INPUT, dependency="Resize"))
    df.add_transformation(filters)
    df.add_transformation(Transformation("Testing", [Set("oHoldout", SetType.INPUT, dependency="Holdout")]))
    for number, tag in enumerate(("Resize", "Filters", "Holdout")):
        Task(number, "alexnet", tag).begin()
    fit(model, epochs=1)
    fit(model, epochs=1)
    assert befores(store) == ["Filters", "Filters"]


def test_a_step_between_two_trainings_feeds_the_second(store):
    model = recorded_model(transformations={"Augment": {"output": {"kind": "text"}}})
    fit(model, epochs=1)
    Task(1, "alexnet", "Augment").begin()
    fit(model, epochs=1)
    Task(2, "alexnet", "Augment", dependency=Task(1, "alexnet", "Augment")).begin()
    fit(model, epochs=1)
    training = (
        "SELECT t.task_id AS training, b.identifier FROM task AS t LEFT JOIN task_dependency AS d USING (task_id)"
        " LEFT JOIN task AS b ON b.task_id = d.depends_on_task_id WHERE t.tag = 'Training' ORDER BY 1, 2"
    )
    assert [row["identifier"] for row in rows_of(store, training)] == [None, "1", "2"]


def test_a_dataflow_is_there_only_with_provenance(store):
    with pytest.raises(UsageError, match="model 'net' has no dataflow yet; call model.provenance"):
        bare_model().get_dataflow()


# Runs


def test_several_fits_are_trainings_of_one_run_and_several_models_runs_of_their_own(store):
    model = recorded_model()
    fit(model, epochs=1)
    fit(model, epochs=1)
    other = recorded_model("other")
    fit(other, epochs=1)
    fit(model, epochs=1)
    sql = "SELECT r.name, COUNT(*) AS trainings FROM run AS r JOIN task AS t USING (run_id) GROUP BY 1 ORDER BY 1"
    assert rows_of(store, sql) == [{"name": "alexnet-1", "trainings": 3}, {"name": "other-1", "trainings": 1}]


def test_inside_a_run_the_model_records_into_it_and_leaves_its_end_alone(store):
    model = recorded_model()
    with dnnprov.start_run("project", name="mine") as run:
        fit(model, epochs=1)
        model.evaluate(X, Y, verbose=0)
        assert run.status == "running"
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "mine", "status": "finished"}]


def test_a_callback_that_is_given_too_records_alone(store):
    model = recorded_model()
    callback = ProvenanceCallback("mine")
    fit(model, epochs=2, callbacks=[callback])
    model.evaluate(X, Y, verbose=0, callbacks=callback)
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == [1, 2]
    assert column_of(store, "SELECT COUNT(*) FROM otestingmodel") == [1]
    assert column_of(store, "SELECT name FROM run") == ["mine-1"]
    callback.finish()


def test_callbacks_may_be_one_a_tuple_or_a_list_that_keras_made(store):
    model = recorded_model()
    history = keras.callbacks.History()
    fit(model, epochs=1, callbacks=(history,))
    made = keras.callbacks.CallbackList([history], add_history=False, model=model)
    fit(model, epochs=1, callbacks=made)
    assert made.callbacks == [history]
    model.fit(X, Y, 16, 1, 0, [history])
    assert column_of(store, "SELECT COUNT(*) FROM otrainingmodel") == [3]
    given = [history]
    fit(model, epochs=1, callbacks=given)
    assert given == [history]


def test_an_evaluation_within_a_fit_is_part_of_it(store):
    class Evaluating(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(X, Y, verbose=0)

    fit(recorded_model(), epochs=2, validation_split=0.25, callbacks=[Evaluating()])
    assert column_of(store, "SELECT tag FROM task") == ["Training"]


def test_a_model_that_is_only_tested_has_a_run(store):
    model = recorded_model()
    model.predict(X, verbose=0)
    assert not store.exists()
    model.evaluate(X, Y, verbose=0)
    assert column_of(store, "SELECT tag FROM task") == ["Testing"]


class Failing(keras.callbacks.Callback):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_epoch_end(self, epoch, logs=None):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("loss is gone"), "failed", "ValueError: loss is gone"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
    ],
)
def test_a_fit_that_is_left_ends_its_training_and_its_run_as_it_was_left(store, error, status, reason):
    model = recorded_model()
    with pytest.raises(type(error)):
        fit(model, callbacks=[Failing(error)])
    finish_all()
    assert rows_of(
        store, "SELECT r.status, r.exit_reason, t.status AS task FROM run AS r JOIN task AS t USING (run_id)"
    ) == [{"status": status, "exit_reason": reason, "task": status}]


def test_a_run_that_trains_again_after_a_failure_is_no_failure(store):
    model = recorded_model()
    with pytest.raises(ValueError, match="gone"):
        fit(model, callbacks=[Failing(ValueError("gone"))])
    fit(model, epochs=1)
    finish_all()
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT status FROM task ORDER BY task_id") == ["failed", "finished"]


def test_arguments_that_keras_refuses_are_refused_by_keras(store):
    with pytest.raises(TypeError, match="no_such"):
        recorded_model().fit(X, Y, no_such=1)
    assert not store.exists()


def test_a_failure_of_ours_does_not_reach_the_training(store, monkeypatch):
    model = recorded_model()
    monkeypatch.setattr(dnnprov.Run, "declare", lambda *_: 1 / 0)
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"):
        assert len(fit(model).epoch) == 2
    assert "capture_failure" in column_of(store, "SELECT kind FROM problem")
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == [1, 2]


def test_switched_off_nothing_is_recorded(store, monkeypatch):
    monkeypatch.setenv("DNNPROV_DISABLED", "1")
    model = recorded_model()
    fit(model, epochs=1)
    assert not store.exists()


def test_provenance_again_changes_what_is_recorded_of_the_same_run(store):
    model = recorded_model(hyps={"MOMENTUM": False})
    model.provenance("alexnet", seed=3)
    fit(model, epochs=1)
    assert {"momentum": 0.5, "seed": 3}.items() <= parameters(store).items()
    model.provenance("another")
    fit(model, epochs=1)
    assert column_of(store, "SELECT name FROM run ORDER BY name") == ["alexnet-1", "another-1"]


# Models come, go and are copied


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), keras.models.clone_model],
    ids=["deepcopy", "pickle", "clone_model"],
)
def test_a_copy_of_a_model_has_no_provenance_of_its_own(store, copied):
    model = recorded_model()
    fit(model, epochs=1)
    other = compiled(copied(model))
    fit(other, epochs=1)
    with pytest.raises(UsageError):
        other.get_dataflow()
    fit(model, epochs=1)
    assert column_of(store, "SELECT COUNT(*) FROM otrainingmodel") == [2]


def test_a_model_saved_and_loaded_is_recorded_when_that_is_said(store, tmp_path):
    model = recorded_model()
    fit(model, epochs=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.provenance("alexnet")
    loaded.evaluate(X, Y, verbose=0)
    assert column_of(store, "SELECT COUNT(*) FROM run") == [2]


def test_a_model_that_is_gone_is_not_kept_and_its_run_is_over(store):
    model = recorded_model()
    fit(model, epochs=1)
    model.evaluate(X, Y, verbose=0)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_a_subclass_is_recorded_where_its_fit_goes_on_to_that_of_keras(store):
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3, activation="softmax")

        def call(self, inputs):
            return self.dense(inputs)

        def fit(self, *args, **kwargs):
            return super().fit(*args, **kwargs)

    model = Mine()
    model.provenance("mine")
    fit(compiled(model), epochs=2)
    assert column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch") == [1, 2]


FIG_6 = """
    import keras, numpy as np
    import dnnprov.keras

    assert keras.backend.backend() == {backend!r}
    x, y = np.linspace(-1, 1, 128, dtype="float32").reshape(32, 4), np.arange(32) % 3
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(5, activation="relu"),
                              keras.layers.Dropout(0.4), keras.layers.Dense(3, activation="softmax")])
    hyps = {{"OPTIMIZER_NAME": True,
            "LEARNING_RATE": True,
            "DECAY": True,
            "MOMENTUM": True,
            "NUM_EPOCHS": True,
            "BATCH_SIZE": True,
            "NUM_LAYERS": True}}
    model.provenance(dataflow_tag="alexnet",
                     adaptation=True,
                     hyps=hyps)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    lrate = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.02 if epoch < 2 else 0.01)
    model.fit(x, y, epochs=3, validation_split=0.25, callbacks=[lrate], verbose=0)
    model.evaluate(x, y, verbose=0)
"""


@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_fig_6_as_printed_in_a_script_that_says_nothing_more(store, backend):
    pytest.importorskip(backend)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FIG_6.format(backend=backend))],
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert rows_of(store, "SELECT name, status, last_epoch FROM run") == [
        {"name": "alexnet-1", "status": "finished", "last_epoch": 3}
    ]
    with dnnprov.open() as history:
        assert [(row["epoch"], row["technique"], row["new_value"]) for row in history.ask("Q6")] == [
            (1, "LearningRateScheduler", 0.02),
            (3, "LearningRateScheduler", 0.01),
        ]
        assert history.ask("Q5")[0]["accuracy_source"] == "test"
