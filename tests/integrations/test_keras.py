"""Real Keras trainings, on the JAX backend; the torch backend in a process of its own."""

from __future__ import annotations

import contextlib
import copy
import gc
import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

import dnnprov
from dnnprov.errors import MissingExtraError, UsageError
from dnnprov.keras import ProvenanceCallback
from dnnprov.model.events import (
    ElementsRecorded,
    FileRecorded,
    HyperparameterAdapted,
    ProblemRecorded,
    RunEnded,
    RunStarted,
    TaskBegan,
    TaskEnded,
)

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

X = np.linspace(-1, 1, 128, dtype="float32").reshape(32, 4)
Y = np.arange(32) % 3


def small_model(learning_rate=0.5, **compile_arguments):
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(5, activation="relu", name="hidden"),
            keras.layers.Dropout(0.4, name="drop"),
            keras.layers.Dense(3, name="logits"),
            keras.layers.Activation("softmax", name="out"),
        ]
    )
    arguments = {
        "optimizer": keras.optimizers.SGD(learning_rate, momentum=0.5, weight_decay=0.25),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }
    model.compile(**{**arguments, **compile_arguments})
    return model


def fit(model, callbacks, epochs=2, **arguments):
    return model.fit(X, Y, verbose=0, **{"batch_size": 16, "epochs": epochs, "callbacks": callbacks, **arguments})


def halve_in_third_epoch(epoch, lr):
    return lr * 0.5 if epoch == 2 else lr


def plateau(**arguments):
    """One that acts at the end of every epoch but the first: no loss improves by 100."""
    return keras.callbacks.ReduceLROnPlateau(
        **{"monitor": "loss", "factor": 0.5, "patience": 1, "min_delta": 100, **arguments}
    )


class SetRate(keras.callbacks.Callback):
    """A user's own technique: sets the rate in one hook of one epoch."""

    def __init__(self, hook, epoch, rate):
        super().__init__()
        self.rate = rate
        self.epoch = epoch
        self._now = 0
        action = {"on_epoch_begin": self._begin, "on_epoch_end": self._end, "on_train_batch_begin": self._batch}
        setattr(self, hook, action.get(hook, self._begin))
        if hook == "on_train_batch_begin":
            self.on_epoch_begin = self._remember

    def _remember(self, epoch, logs=None):
        self._now = epoch

    def _begin(self, epoch=None, logs=None):
        if not isinstance(epoch, int) or epoch == self.epoch:
            self.model.optimizer.learning_rate = self.rate

    def _end(self, epoch, logs=None):
        self._begin(epoch)

    def _batch(self, batch, logs=None):
        if self._now == self.epoch and batch == 1:
            self.model.optimizer.learning_rate = self.rate


# What is recorded of a training


@pytest.mark.captures("hyperparameters")
def test_hyperparameters_are_read_from_the_compiled_model(recorded):
    callback = ProvenanceCallback("net")
    fit(small_model(0.001), [callback], epochs=1)
    expected = {
        "optimizer_name": "SGD",
        "learning_rate": 0.001,  # not 0.0010000000474974513
        "momentum": 0.5,
        "nesterov": False,
        "decay": 0.25,
        "num_epochs": 1,
        "batch_size": 16,
        "num_layers": 4,
        "num_parameters": 43,
        "loss_function": "sparse_categorical_crossentropy",
        "dropout": 0.4,
    }
    assert expected.items() <= recorded.parameters().items()


@pytest.mark.captures("hyperparameters")
def test_hyperparameters_of_adam_have_their_keras_names(recorded):
    model = small_model(optimizer=keras.optimizers.Adam(0.002), loss=keras.losses.SparseCategoricalCrossentropy())
    fit(model, [ProvenanceCallback("net", params={"filter": "gray"})], epochs=1)
    found = recorded.parameters()
    expected = {"optimizer_name": "Adam", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "filter": "gray"}
    assert expected.items() <= found.items()
    assert found["loss_function"] == "sparse_categorical_crossentropy"
    assert "momentum" not in found


class Batches(keras.utils.PyDataset):
    batch_size = 8

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return X[index * 8 : index * 8 + 8], Y[index * 8 : index * 8 + 8]


@pytest.mark.parametrize(
    ("data", "batch_size"), [((X, Y), 32), ((Batches(),), 8), (((X[:8], Y[:8]) for _ in [1]), None)]
)
def test_the_batch_size_is_recorded_where_it_is_visible(recorded, data, batch_size):
    data = (data,) if not isinstance(data, tuple) else data
    small_model().fit(*data, verbose=0, callbacks=[ProvenanceCallback("net")], steps_per_epoch=1, shuffle=False)
    assert recorded.parameters().get("batch_size") == batch_size


@pytest.mark.captures("layers")
def test_layers_are_recorded_in_order_with_their_values(recorded):
    inner = keras.Sequential(
        [keras.layers.Input((4, 4, 2)), keras.layers.Dropout(0.7), keras.layers.Flatten()], name="inner"
    )
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8, 1)),
            keras.layers.Conv2D(2, (3, 5), strides=2, padding="same", activation="relu"),
            inner,
            keras.layers.LeakyReLU(),
            keras.layers.Dense(3, activation="softmax", trainable=False),
        ]
    )
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 8, 8, 1)), np.ones((4, 3)), verbose=0, callbacks=[ProvenanceCallback("net")])
    rows = recorded.rows("iLayers")
    assert [(row["position"], row["type"], row.get("value")) for row in rows] == [
        (1, "Conv2D", "2"),
        (2, "Dropout", "0.7"),
        (3, "Flatten", None),
        (4, "LeakyReLU", "leaky_relu"),
        (5, "Dense", "3"),
    ]
    conv, dropout, _, _, dense = rows
    assert (conv["filters"], conv["kernel_size"], conv["strides"], conv["padding"]) == (2, "3x5", "2x2", "same")
    assert (conv["activation"], conv["num_parameters"], conv["output_shape"]) == ("relu", 32, "(None, 4, 4, 2)")
    assert dropout["rate"] == 0.7
    assert (dense["units"], dense["activation"], dense["trainable"]) == (3, "softmax", False)
    assert (recorded.parameters()["num_layers"], recorded.parameters()["dropout"]) == (5, 0.7)


def test_a_model_that_calls_its_layers_in_its_own_code_is_recorded(recorded):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3, activation="softmax")

        def call(self, inputs):
            return self.dense(inputs)

    model = Own()
    model.compile("sgd", "sparse_categorical_crossentropy")
    fit(model, [ProvenanceCallback("net")])
    assert [(row["type"], row["num_parameters"]) for row in recorded.rows("iLayers")] == [("Dense", 15)]
    assert recorded.events(ProblemRecorded) == []


@pytest.mark.captures("epochs")
def test_every_epoch_is_a_row_counted_from_one(recorded):
    history = fit(small_model(), [ProvenanceCallback("net")], epochs=3, validation_split=0.25).history
    rows = recorded.rows("oTrainingModel")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert [row[name] for row in rows] == history[name]
    assert [row["learning_rate"] for row in rows] == [0.5, 0.5, 0.5]
    assert all(isinstance(row["elapsed_time"], float) and row["elapsed_time"] > 0 for row in rows)
    assert all(row["timestamp"].endswith("Z") for row in rows)


def test_a_training_that_goes_on_at_a_later_epoch_counts_as_keras_prints(recorded):
    fit(small_model(), [ProvenanceCallback("net")], epochs=5, initial_epoch=3)
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [4, 5]


def test_a_diverged_loss_is_kept(recorded):
    model = small_model()
    model.fit(X * np.float32("nan"), Y, epochs=1, verbose=0, callbacks=[ProvenanceCallback("net")])
    (event,) = [event for event in recorded.events(ElementsRecorded) if event.set == "oTrainingModel"]
    assert event.non_finite == [{"loss": "NaN"}]


@pytest.mark.captures("test")
def test_an_evaluation_is_a_test_and_validation_is_not(recorded):
    model, callback = small_model(), ProvenanceCallback("net")
    fit(model, [callback], validation_data=(X, Y))
    result = model.evaluate(X, Y, verbose=0, callbacks=[callback], return_dict=True)
    began = recorded.events(TaskBegan)
    assert [(event.tag, event.after) for event in began] == [("Training", []), ("Testing", [began[0].seq])]
    (row,) = recorded.rows("oTestingModel")
    assert result.items() <= row.items()


def test_an_evaluation_during_a_fit_by_a_callback_of_the_user_is_a_test(recorded):
    callback = ProvenanceCallback("net")

    class TestEachEpoch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(X, Y, verbose=0, callbacks=[callback])

    fit(small_model(), [TestEachEpoch(), callback])
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Testing", "Testing"]
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2]


def test_a_model_that_is_only_evaluated_has_a_run(recorded):
    model, callback = small_model(), ProvenanceCallback("net")
    model.evaluate(X, Y, verbose=0, callbacks=[callback])
    callback.finish()
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Testing"]
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]


# Who changed the learning rate


@pytest.mark.captures("adaptations")
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("is_schedule_first", [True, False])
def test_a_schedule_and_a_plateau_are_told_apart_wherever_our_callback_stands(recorded, place, is_schedule_first):
    others = [keras.callbacks.LearningRateScheduler(halve_in_third_epoch), plateau()]
    callbacks = others if is_schedule_first else others[::-1]
    callbacks.insert(place, ProvenanceCallback("net"))
    fit(small_model(0.5), callbacks, epochs=4)
    assert recorded.adaptations() == [
        (3, "ReduceLROnPlateau", 0.5, 0.25),  # at the end of epoch 2
        (3, "LearningRateScheduler", 0.25, 0.125),  # at the begin of epoch 3
        (4, "ReduceLROnPlateau", 0.125, 0.0625),
    ]  # what the plateau does after epoch 4 trains nothing
    assert [row["learning_rate"] for row in recorded.rows("oTrainingModel")] == [0.5, 0.5, 0.125, 0.0625]


@pytest.mark.captures("adaptations")
def test_a_plateau_says_what_triggered_it_and_with_which_parameters(recorded):
    history = fit(small_model(0.5), [plateau(min_lr=0.01), ProvenanceCallback("net")], epochs=3).history
    (event,) = recorded.events(HyperparameterAdapted)
    name, _, value = event.triggered_by.partition("=")
    assert (name, np.float32(value)) == ("loss", np.float32(history["loss"][1]))
    assert (event.agent, event.reason) == ("callback", "loss did not improve until epoch 2, patience 1")
    (row,) = recorded.rows("iAdaptation")
    expected = {"technique": "ReduceLROnPlateau", "initial_lrate": 0.5, "factor": 0.5, "patience": 1, "min_lr": 0.01}
    assert expected.items() <= row.items()
    assert (row["monitor"], row["min_delta"]) == ("loss", 100)


def test_the_step_decay_of_the_paper_is_recorded_with_its_constants(recorded):
    def step_decay(epoch):
        initial_lrate = 0.5
        drop = 0.25
        epochs_drop = 2.0
        return initial_lrate * drop ** (epoch // epochs_drop)

    fit(small_model(0.5), [keras.callbacks.LearningRateScheduler(step_decay), ProvenanceCallback("net")], epochs=3)
    assert recorded.adaptations() == [(3, "LearningRateScheduler", 0.5, 0.125)]
    assert recorded.rows("iAdaptation") == [
        {
            "technique": "LearningRateScheduler",
            "schedule": "step_decay",
            "initial_lrate": 0.5,
            "drop_n": 0.25,
            "epochs_drop": 2.0,
        }
    ]


def test_a_schedule_that_closes_over_its_constants_is_recorded_with_them(recorded):
    def make(factor):
        return lambda epoch, lr: lr * factor

    fit(small_model(0.5), [keras.callbacks.LearningRateScheduler(make(0.5)), ProvenanceCallback("net")], epochs=1)
    assert recorded.adaptations() == [(1, "LearningRateScheduler", 0.5, 0.25)]
    (row,) = recorded.rows("iAdaptation")
    assert (row["schedule"], row["factor"]) == ("<lambda>", 0.5)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    ("hook", "epoch"), [("on_train_begin", 1), ("on_epoch_begin", 2), ("on_epoch_end", 3), ("on_train_batch_begin", 2)]
)
def test_a_callback_of_the_user_is_the_technique_in_whichever_hook_it_acts(recorded, place, hook, epoch):
    callbacks = [SetRate(hook, 1, 0.25), keras.callbacks.EarlyStopping("loss", patience=9)]
    callbacks.insert(place, ProvenanceCallback("net"))
    fit(small_model(0.5), callbacks, epochs=3)
    assert recorded.adaptations() == [(epoch, "SetRate", 0.5, 0.25)]
    (row,) = recorded.rows("iAdaptation")
    assert (row["technique"], row["rate"]) == ("SetRate", 0.25)


def test_a_lambda_callback_is_named_as_one(recorded):
    model = small_model(0.5)

    def drop(epoch, logs):
        model.optimizer.learning_rate = 0.125

    fit(model, [keras.callbacks.LambdaCallback(on_epoch_end=drop), ProvenanceCallback("net")])
    assert recorded.adaptations() == [(2, "LambdaCallback", 0.5, 0.125)]


@pytest.mark.captures("adaptations")
def test_a_change_between_two_fits_was_made_by_hand(recorded):
    model, callback = small_model(0.5), ProvenanceCallback("net")
    fit(model, [callback])
    model.optimizer.learning_rate = 0.25
    fit(model, [callback])
    assert recorded.adaptations() == [(1, "manual", 0.5, 0.25)]
    trainings = [event.seq for event in recorded.events(TaskBegan) if event.tag == "Training"]
    (adaptation,) = [event for event in recorded.events(TaskBegan) if event.tag == "Adaptation"]
    assert adaptation.after == trainings[1:]


def test_a_change_outside_of_any_callback_was_made_by_hand(recorded):
    class Unsteady(keras.Sequential):
        def make_test_function(self, force=False):
            self.optimizer.learning_rate = 0.25
            return super().make_test_function(force)

    model = Unsteady([keras.layers.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    fit(model, [ProvenanceCallback("net"), plateau(patience=9)], epochs=1, validation_data=(X, Y))
    assert recorded.adaptations() == [(1, "manual", 0.5, 0.25)]


def test_a_model_compiled_anew_between_two_fits_was_changed_by_hand(recorded):
    model, callback = small_model(0.5), ProvenanceCallback("net")
    fit(model, [callback])
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    fit(model, [callback])
    changes = {e.attribute: (e.old_value, e.new_value) for e in recorded.events(HyperparameterAdapted)}
    assert changes == {
        "learning_rate": (0.5, 0.001),
        "optimizer_name": ("SGD", "Adam"),
        "beta_1": (None, 0.9),
        "beta_2": (None, 0.999),
        "epsilon": (None, 1e-7),
        "amsgrad": (None, False),
        "weight_decay": (0.25, None),
    }
    assert recorded.parameters().keys().isdisjoint({"beta_1", "beta_2", "epsilon", "amsgrad"})
    assert recorded.parameters()["momentum"] == 0.5


def test_a_change_after_the_last_epoch_belongs_to_the_next_fit_and_keeps_its_author(recorded):
    model, callback = small_model(0.5), ProvenanceCallback("net")
    fit(model, [callback, plateau()], epochs=2)
    assert recorded.adaptations() == []
    fit(model, [callback], epochs=1)
    assert recorded.adaptations() == [(1, "ReduceLROnPlateau", 0.5, 0.25)]


@pytest.mark.captures("adaptations")
def test_a_schedule_in_the_optimizer_is_one_adaptation_an_epoch(recorded):
    decay = keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=2, decay_rate=0.5, staircase=True)
    fit(small_model(decay), [ProvenanceCallback("net")], epochs=3)
    assert recorded.adaptations() == [(2, "ExponentialDecay", 0.5, 0.25), (3, "ExponentialDecay", 0.25, 0.125)]
    assert recorded.rows("iAdaptation") == [
        {
            "technique": "ExponentialDecay",
            "initial_lrate": 0.5,
            "decay_steps": 2,
            "decay_rate": 0.5,
            "staircase": True,
        }
    ]
    assert recorded.parameters()["learning_rate"] == 0.5
    assert recorded.parameters()["learning_rate_schedule"] == "ExponentialDecay"


EIGHT_STEPS = {"batch_size": 4}
"""Of the 32 examples: what makes 8 steps an epoch."""


def rates_by_epoch(recorded):
    return [row["learning_rate"] for row in recorded.rows("oTrainingModel")]


def test_a_schedule_that_goes_on_in_the_next_fit_is_the_technique_there_too(recorded):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 8, 0.5, staircase=True)
    model, callback = small_model(schedule), ProvenanceCallback("net")
    for _ in range(2):
        fit(model, [callback], epochs=1, **EIGHT_STEPS)
    (event,) = recorded.events(HyperparameterAdapted)
    assert (event.epoch, event.old_value, event.new_value) == (1, 0.1, 0.05)
    assert (event.technique, event.agent) == ("ExponentialDecay", "schedule")
    assert rates_by_epoch(recorded) == [0.1, 0.05]


def test_a_schedule_that_goes_on_is_known_to_another_callback_of_the_same_run(recorded):
    model = small_model(keras.optimizers.schedules.ExponentialDecay(0.1, 8, 0.5, staircase=True))
    with dnnprov.start_run("net"):
        for _ in range(2):
            fit(model, [ProvenanceCallback("net")], epochs=1, **EIGHT_STEPS)
    assert recorded.adaptations() == [(1, "ExponentialDecay", 0.1, 0.05)]


def test_another_schedule_between_two_fits_was_put_there_by_hand(recorded):
    def schedule(rate):
        return keras.optimizers.schedules.ExponentialDecay(rate, 8, 1.0, staircase=True)

    model, callback = small_model(schedule(0.5)), ProvenanceCallback("net")
    fit(model, [callback], epochs=1, **EIGHT_STEPS)
    model.optimizer.learning_rate = schedule(0.25)
    fit(model, [callback], epochs=1, **EIGHT_STEPS)
    assert recorded.adaptations() == [(1, "manual", 0.5, 0.25)]


def test_a_piecewise_schedule_shows_each_of_its_rates_where_it_trained(recorded):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([8, 16], [0.1, 0.05, 0.01])
    fit(small_model(schedule), [ProvenanceCallback("net")], epochs=3, **EIGHT_STEPS)
    assert rates_by_epoch(recorded) == [0.1, 0.05, 0.01]
    assert recorded.adaptations() == [
        (2, "PiecewiseConstantDecay", 0.1, 0.05),
        (3, "PiecewiseConstantDecay", 0.05, 0.01),
    ]


def test_a_staircase_changes_in_the_epoch_that_first_trains_with_the_new_rate(recorded):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 8, 0.5, staircase=True)
    fit(small_model(schedule), [ProvenanceCallback("net")], epochs=2, **EIGHT_STEPS)
    assert rates_by_epoch(recorded) == [0.1, 0.05]
    assert recorded.adaptations() == [(2, "ExponentialDecay", 0.1, 0.05)]


def test_rows_and_adaptations_of_a_warm_up_say_the_same(recorded):
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 24, warmup_target=0.5, warmup_steps=8)
    fit(small_model(schedule), [ProvenanceCallback("net")], epochs=4, **EIGHT_STEPS)
    rates = rates_by_epoch(recorded)
    changes = recorded.adaptations()
    assert [(epoch, new) for epoch, _, _, new in changes] == list(enumerate(rates, start=1))
    assert [old for _, _, old, _ in changes] == [recorded.parameters()["learning_rate"], *rates[:-1]]


def test_the_rate_of_an_optimizer_that_scales_its_loss_follows_its_schedule(recorded):
    inner = keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([8], [0.1, 0.05]))
    model = small_model(optimizer=keras.optimizers.LossScaleOptimizer(inner, initial_scale=1.0))
    fit(model, [ProvenanceCallback("net")], **EIGHT_STEPS)
    assert rates_by_epoch(recorded) == [0.1, 0.05]
    assert recorded.adaptations() == [(2, "PiecewiseConstantDecay", 0.1, 0.05)]


def test_arguments_of_a_callback_keep_their_names(recorded):
    class Every(SetRate):
        def __init__(self, n, m):
            super().__init__("on_epoch_begin", 1, 0.25)
            self.n, self.m = n, m

    fit(small_model(0.5), [Every(n=3, m=4), ProvenanceCallback("net")])
    (row,) = recorded.rows("iAdaptation")
    assert row == {"technique": "Every", "initial_lrate": 0.5, "n": 3, "m": 4}


def test_an_adaptation_ends_with_its_training(recorded):
    model, callback = small_model(0.5), ProvenanceCallback("net")
    fit(model, [callback, plateau()], epochs=3)
    adaptation = recorded.events(TaskBegan)[1]
    assert (adaptation.tag, recorded.events(RunEnded)) == ("Adaptation", [])
    assert [(event.task, event.status) for event in recorded.events(TaskEnded)][1] == (adaptation.seq, "finished")


def test_other_epochs_in_the_next_fit_are_no_adaptation(recorded):
    model, callback = small_model(0.5), ProvenanceCallback("net")
    fit(model, [callback], epochs=2)
    fit(model, [callback], epochs=5, initial_epoch=2)
    assert recorded.events(HyperparameterAdapted) == []
    assert recorded.parameters()["num_epochs"] == 2


def test_a_training_without_a_change_has_no_adaptation(recorded):
    callbacks = [
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.5),
        ProvenanceCallback("net"),
        plateau(patience=9),
    ]
    fit(small_model(0.5), callbacks, epochs=3)
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"]


@pytest.mark.skipif(not hasattr(keras.optimizers, "OptimizerMap"), reason="there is no OptimizerMap before Keras 3.15")
def test_each_of_several_optimizers_is_watched(recorded):
    optimizers = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.5, name="slow"))
    optimizers["hidden/.*"] = keras.optimizers.Adam(0.25, name="fast")
    model = small_model(optimizer=keras.optimizers.MultiOptimizer(optimizers))
    fit(model, [plateau(), ProvenanceCallback("net")], epochs=3)
    changes = {event.attribute: (event.old_value, event.new_value) for event in recorded.events(HyperparameterAdapted)}
    assert changes == {"learning_rate_slow": (0.5, 0.25), "learning_rate_fast": (0.25, 0.125)}


def test_the_callback_list_of_the_user_has_no_probes_after_the_training(recorded):
    model, callback = small_model(0.5), ProvenanceCallback("net")
    callbacks = keras.callbacks.CallbackList([callback, plateau()], add_history=True, model=model, epochs=3)
    for _ in range(2):
        before = list(callbacks.callbacks) if _ else None
        fit(model, callbacks, epochs=3)
    assert callbacks.callbacks == before
    assert len(callbacks.callbacks) == 3
    assert {technique for _, technique, _, _ in recorded.adaptations()} == {"ReduceLROnPlateau"}


# Files


@pytest.mark.captures("files")
def test_every_file_of_a_model_checkpoint_is_recorded_with_its_epoch(recorded, tmp_path):
    (tmp_path / "00-old.keras").write_bytes(b"of an earlier training")
    each = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch:02d}-{loss:.2f}.keras"))
    last = keras.callbacks.ModelCheckpoint(str(tmp_path / "last.weights.h5"), save_weights_only=True)
    history = fit(small_model(), [each, ProvenanceCallback("net"), last]).history
    names = [f"{epoch:02d}-{loss:.2f}.keras" for epoch, loss in enumerate(history["loss"], start=1)]
    files = recorded.events(FileRecorded)
    training = recorded.events(TaskBegan)[0].seq
    assert [event.path for event in files] == [
        str(tmp_path / name) for name in (names[0], "last.weights.h5", names[1], "last.weights.h5")
    ]
    assert {(event.role, event.relation, event.task) for event in files} == {("checkpoint", "generated", training)}
    assert [row["epoch"] for row in recorded.rows("oCheckpoint")] == [1, 1, 2, 2]


def test_checkpoints_within_an_epoch_and_only_the_best_are_seen(recorded, tmp_path):
    batches = keras.callbacks.ModelCheckpoint(str(tmp_path / "b{epoch}-{batch}.keras"), save_freq=1)
    best = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "best{epoch}.keras"), monitor="loss", save_best_only=True, initial_value_threshold=-1.0
    )
    fit(small_model(), [batches, best, ProvenanceCallback("net")], epochs=1)
    assert [Path(event.path).name for event in recorded.events(FileRecorded)] == ["b1-1.keras", "b1-2.keras"]


# Which run


def test_the_run_given_wins_over_the_active_one_and_that_over_one_of_its_own(recorded):
    model = small_model()
    given = dnnprov.start_run("given")
    with dnnprov.start_run("active") as active:
        callback, explicit = ProvenanceCallback("own"), ProvenanceCallback("own", run=given)
        fit(model, [callback, explicit])
        assert (callback.run, explicit.run) == (active, given)
    given.finish()
    assert {event.dataflow for event in recorded.events(RunStarted)} == {"active", "given"}
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2, 1, 2]


def test_a_run_of_its_own_lasts_as_long_as_the_callback(recorded):
    model, callback = small_model(), ProvenanceCallback("net", name="mine", tags=["baseline"])
    fit(model, [callback])
    assert recorded.events(RunEnded) == []
    del callback
    gc.collect()
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]
    (started,) = recorded.events(RunStarted)
    assert (started.dataflow, started.name, started.tags) == ("net", "mine", {"baseline": ""})


def test_what_is_tested_when_the_run_is_over_is_in_the_run_of_that_time_and_not_lost(store):
    """The one that is active then, else one of the callback's own."""
    model, provenance = small_model(), ProvenanceCallback("a")
    with dnnprov.start_run("a", name="training"):
        fit(model, [provenance], epochs=1)
    with dnnprov.start_run("a", name="test"):
        model.evaluate(X, Y, verbose=0, callbacks=[provenance])
    model.predict(X, verbose=0, callbacks=[provenance])
    provenance.finish()
    model.evaluate(X, Y, verbose=0, callbacks=[provenance])
    provenance.finish()
    with dnnprov.open(store) as history:
        tasks = history.sql("SELECT name, task.tag FROM task JOIN run USING (run_id) ORDER BY run.started_at")
        assert [tuple(row.values()) for row in tasks] == [
            ("training", "Training"),
            ("test", "Testing"),
            ("a-1", "Prediction"),
            ("a-2", "Testing"),
        ]
        assert not history.sql("SELECT * FROM problem")
        assert len(history.sql("SELECT * FROM oTestingModel")) == 2


def test_a_with_block_finishes_the_run(recorded):
    with ProvenanceCallback("net") as callback:
        fit(small_model(), [callback])
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]


def test_a_with_block_that_is_left_by_an_exception_says_so(recorded):
    callback = ProvenanceCallback("net")
    with pytest.raises(ValueError, match="no more"), callback:
        fit(small_model(), [callback, Raises(ValueError("no more"))])
    (end,) = recorded.events(RunEnded)
    assert (end.status, end.reason) == ("failed", "ValueError: no more")


def test_two_fits_of_one_model_are_two_trainings_of_one_run(recorded):
    model, callback = small_model(), ProvenanceCallback("net")
    fit(model, [callback])
    fit(model, [callback])
    callback.finish()
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Training"]
    assert len(recorded.events(RunStarted)) == 1
    assert len(recorded.rows("iLayers")) == 4


def test_another_model_is_another_run(recorded):
    callback = ProvenanceCallback("net")
    for _ in range(2):
        fit(small_model(), [callback])
    callback.finish()
    assert [event.name for event in recorded.events(RunStarted)] == ["net-1", "net-2"]
    assert [event.status for event in recorded.events(RunEnded)] == ["finished", "finished"]


def test_a_copied_callback_has_a_run_of_its_own(recorded):
    template = ProvenanceCallback("net")
    for callback in (copy.deepcopy(template), copy.deepcopy(template)):  # as tuners do for each trial
        fit(small_model(), [callback], epochs=1)
    del callback
    gc.collect()
    assert [event.status for event in recorded.events(RunEnded)] == ["finished", "finished"]


def test_a_disabled_recorder_leaves_no_trace(store, monkeypatch):
    monkeypatch.setenv("DNNPROV_DISABLED", "1")
    with ProvenanceCallback("net") as callback:
        fit(small_model(), [callback, plateau()], epochs=3)
    assert not store.exists()


class Raises(keras.callbacks.Callback):
    """Raises at the end of the first epoch."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_epoch_end(self, epoch, logs=None):
        error, self.error = self.error, None
        if error is not None:
            raise error


def fit_and_catch(model, callback):
    with contextlib.suppress(ValueError):
        fit(model, [callback, Raises(ValueError("no more"))])
    gc.collect()


def test_a_run_that_is_finished_where_the_exception_is_caught_has_failed(recorded):
    callback = ProvenanceCallback("net")
    try:
        fit(small_model(), [callback, Raises(ValueError("no more"))])
    except ValueError as error:
        print(error)
        callback.finish()
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed"]
    assert [event.status for event in recorded.events(RunEnded)] == ["failed"]


def test_a_fit_whose_exception_is_kept_has_failed_when_the_next_one_begins(recorded):
    model, callback = small_model(), ProvenanceCallback("net")
    try:
        fit(model, [callback, Raises(ValueError("no more"))])
    except ValueError as error:
        kept = error
    fit(model, [callback])
    callback.finish()
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed", "finished"]
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]
    assert kept is not None


def test_a_run_whose_fit_failed_before_another_model_trains_has_failed(recorded):
    callback = ProvenanceCallback("net")
    try:
        fit(small_model(), [callback, Raises(ValueError("no more"))])
    except ValueError as error:
        kept = error
    fit(small_model(), [callback])
    callback.finish()
    assert [event.status for event in recorded.events(RunEnded)] == ["failed", "finished"]
    assert kept is not None


def test_what_is_caught_within_the_run_of_the_user_fails_the_training_alone(recorded):
    with dnnprov.start_run("net"):
        try:
            fit(small_model(), [ProvenanceCallback("net"), Raises(ValueError("no more"))])
        except ValueError as error:
            kept = error
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed"]
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]
    assert kept is not None


def test_what_a_fit_raised_and_the_script_caught_fails_the_training_and_the_run(recorded):
    callback = ProvenanceCallback("net")
    fit_and_catch(small_model(), callback)
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed"]
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1]
    callback.finish()
    assert [event.status for event in recorded.events(RunEnded)] == ["failed"]


def test_an_evaluation_after_a_fit_that_raised_is_a_test_and_another_fit_mends_the_run(recorded):
    model, callback = small_model(), ProvenanceCallback("net")
    fit_and_catch(model, callback)
    model.evaluate(X, Y, verbose=0, callbacks=[callback])
    fit(model, [callback])
    callback.finish()
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Testing", "Training"]
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed", "finished", "finished"]
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]


def test_an_exception_that_leaves_the_run_of_the_user_fails_it(recorded):
    with pytest.raises(ValueError, match="no more"), dnnprov.start_run("net"):
        fit(small_model(), [ProvenanceCallback("net"), Raises(ValueError("no more"))])
    gc.collect()
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed"]
    assert [event.reason for event in recorded.events(RunEnded)] == ["ValueError: no more"]


SCRIPT = """
import keras, numpy as np
from dnnprov.keras import ProvenanceCallback

class Ends(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        {action}

model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dropout(0.4), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.5), "mse", metrics=["mae"])
callback = ProvenanceCallback("net")
plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100)
x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
try:
    model.fit(x, y, epochs=3, verbose=0, callbacks=[plateau, callback, Ends()])
except {caught}:
    if {is_last}:
        raise SystemExit(0)
model.evaluate(x, y, verbose=0, callbacks=[callback])
"""


def run_script(action, backend="jax", *, caught="()", is_last=False):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT.format(action=action, caught=caught, is_last=is_last))],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.captures("endings")
@pytest.mark.parametrize(
    ("action", "status", "reason"),
    [
        ("pass", "finished", None),
        ("raise ValueError('no more')", "failed", "ValueError: no more"),
        ("raise KeyboardInterrupt", "interrupted", "KeyboardInterrupt"),
    ],
)
def test_a_script_that_ends_ends_the_run_as_it_does(recorded, action, status, reason):
    run_script(action)
    (end,) = recorded.events(RunEnded)
    assert (end.status, end.reason) == (status, reason)
    assert recorded.events(TaskEnded)[0].status == status


@pytest.mark.parametrize("is_last", [True, False])
def test_a_script_that_catches_what_a_fit_raised_and_ends_has_a_failed_run(recorded, is_last):
    run_script("raise ValueError('no more')", caught="ValueError", is_last=is_last)
    (end,) = recorded.events(RunEnded)
    assert (end.status, "left before its end" in end.reason) == ("failed", True)
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed", "finished"][: 2 - is_last]


def test_a_script_that_exits_within_a_fit_has_a_failed_run(recorded):
    assert run_script("raise SystemExit(3)").returncode == 3
    (end,) = recorded.events(RunEnded)
    assert (end.status, "left before its end" in end.reason) == ("failed", True)
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed"]


# It never disturbs a training

HOOKS = [name for name in vars(ProvenanceCallback) if hasattr(getattr(ProvenanceCallback, name), "__wrapped__")]


def losses(callbacks):
    model = small_model(0.5)
    history = fit(model, [keras.callbacks.LearningRateScheduler(halve_in_third_epoch), *callbacks, plateau()], epochs=4)
    evaluated = model.evaluate(X, Y, verbose=0, callbacks=callbacks)
    return history.history["loss"], evaluated, model.predict(X, verbose=0, callbacks=callbacks).tolist()


@pytest.fixture(scope="module")
def undisturbed():
    with pytest.MonkeyPatch.context():
        return losses([])


@pytest.mark.captures("unchanged results")
def test_a_recorded_training_has_the_same_losses_to_the_bit(recorded, undisturbed):
    assert losses([ProvenanceCallback("net")]) == undisturbed
    assert recorded.events(ProblemRecorded) == []


def test_every_hook_is_guarded():
    hooks = [name for name in vars(ProvenanceCallback) if name.startswith(("on_", "set_"))]
    assert set(hooks) < set(HOOKS)


@pytest.mark.filterwarnings("ignore:dnnprov:RuntimeWarning")
@pytest.mark.parametrize("hook", HOOKS)
def test_a_failure_in_any_hook_of_ours_leaves_the_training_as_it_is(recorded, undisturbed, hook):
    guarded = getattr(ProvenanceCallback, hook)
    (cell,) = [one for one in guarded.__closure__ if one.cell_contents is guarded.__wrapped__]

    def broken(*arguments, **named):
        raise ZeroDivisionError(f"injected into {hook}")

    broken.__name__ = hook
    cell.cell_contents = broken
    try:
        with ProvenanceCallback("net", batches=hook == "on_train_batch_end") as callback:
            assert losses([callback]) == undisturbed
    finally:
        cell.cell_contents = guarded.__wrapped__
    problems = recorded.events(ProblemRecorded)
    assert f"keras {hook}: ZeroDivisionError: injected into {hook}" in {problem.detail for problem in problems}
    assert {problem.kind for problem in problems} == {"capture_failure"}
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]


def test_without_probes_every_change_is_still_seen(recorded, monkeypatch):
    monkeypatch.setattr("dnnprov.integrations.keras.callback.find_callback_list", lambda callback: None)
    fit(small_model(0.5), [ProvenanceCallback("net"), plateau()], epochs=3, validation_data=(X, Y))
    assert [(epoch, old, new) for epoch, _, old, new in recorded.adaptations()] == [(3, 0.5, 0.25)]
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Adaptation"]


def test_a_wrong_argument_raises_before_training():
    with pytest.raises(UsageError, match="expected text such as 'alexnet'"):
        ProvenanceCallback(None)
    with pytest.raises(UsageError, match="after='Filters' is a str; expected a task"):
        ProvenanceCallback("net", after="Filters")


def test_without_keras_the_import_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.delitem(sys.modules, "dnnprov.keras")
    with pytest.raises(MissingExtraError, match=r"pip install 'dnnprov\[keras\]'"):
        importlib.import_module("dnnprov.keras")
