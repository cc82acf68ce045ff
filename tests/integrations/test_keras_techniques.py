"""Who changed what in the optimizers of real Keras trainings."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from dnnprov.integrations.keras import optimizers as keras_optimizers
from dnnprov.keras import ProvenanceCallback
from dnnprov.model.events import HyperparameterAdapted, ProblemRecorded, TaskBegan

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

X = np.linspace(-1, 1, 128, dtype="float32").reshape(32, 4)
Y = np.arange(32) % 3
schedules = keras.optimizers.schedules


def model_with(optimizer):
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, activation="softmax", name="out")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, callbacks, epochs=3, **arguments):
    """Of 8 steps an epoch."""
    return model.fit(X, Y, batch_size=4, verbose=0, epochs=epochs, callbacks=callbacks, **arguments)


def changes(recorded):
    """(attribute, epoch, technique, old value, new value) of every change."""
    assert recorded.events(ProblemRecorded) == []
    return [
        (event.attribute, event.epoch, event.technique, event.old_value, event.new_value)
        for event in recorded.events(HyperparameterAdapted)
    ]


class Warmup(keras.callbacks.Callback):
    """A technique of the user's, as one finds it on the net."""

    def __init__(self, target, epochs=2, milestones=(1, 2), verbose=1):
        super().__init__()
        self.target, self.epochs, self.milestones, self.verbose = target, epochs, milestones, verbose

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = self.target * min(1.0, (epoch + 1) / self.epochs)


def test_a_warm_up_of_the_user_is_named_with_its_arguments(recorded):
    fit(model_with(keras.optimizers.SGD(0.5)), [Warmup(0.5), ProvenanceCallback("net")])
    assert changes(recorded) == [
        ("learning_rate", 1, "Warmup", 0.5, 0.25),
        ("learning_rate", 2, "Warmup", 0.25, 0.5),
    ]
    (row,) = recorded.rows("iAdaptation")
    assert row == {
        "technique": "Warmup",
        "initial_lrate": 0.5,
        "target": 0.5,
        "epochs": 2,
        "milestones": "[1, 2]",
    }


def test_a_plateau_of_the_users_own_class_has_the_arguments_of_both(recorded):
    class Patient(keras.callbacks.ReduceLROnPlateau):
        def __init__(self, motto="wait", **arguments):
            super().__init__(**arguments)
            self.motto = motto

    plateau = Patient(monitor="val_loss", factor=0.5, patience=1, min_delta=100)
    history = fit(model_with(keras.optimizers.SGD(0.5)), [plateau, ProvenanceCallback("net")], validation_split=0.25)
    (event,) = recorded.events(HyperparameterAdapted)
    name, _, value = event.triggered_by.partition("=")
    assert (name, np.float32(value)) == ("val_loss", np.float32(history.history["val_loss"][1]))
    (row,) = recorded.rows("iAdaptation")
    expected = {"technique": "Patient", "motto": "wait", "monitor": "val_loss", "factor": 0.5, "patience": 1}
    assert expected.items() <= row.items()


class Turn(keras.callbacks.Callback):
    """Sets values of the optimizer at the begin of the second epoch."""

    def __init__(self, **values):
        super().__init__()
        self.values = values

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            for name, value in self.values.items():
                setattr(self.model.optimizer, name, value)


def test_other_values_of_an_optimizer_are_watched(recorded):
    model = model_with(keras.optimizers.AdamW(0.5, weight_decay=0.125))
    fit(model, [Turn(weight_decay=0.25, beta_1=0.75, clipnorm=1.0), ProvenanceCallback("net")])
    assert sorted(changes(recorded)) == [
        ("beta_1", 2, "Turn", 0.9, 0.75),
        ("clipnorm", 2, "Turn", None, 1.0),
        ("weight_decay", 2, "Turn", 0.125, 0.25),
    ]


def test_a_value_set_within_an_epoch_is_of_the_callback_at_work_there(recorded):
    class Batchwise(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.optimizer.momentum = 0.25

    fit(model_with(keras.optimizers.SGD(0.5, momentum=0.5)), [Batchwise(), ProvenanceCallback("net")], epochs=2)
    assert changes(recorded) == [("momentum", 1, "Batchwise", 0.5, 0.25)]


def test_a_value_set_between_two_fits_was_set_by_hand(recorded):
    model, callback = model_with(keras.optimizers.SGD(0.5, momentum=0.5)), ProvenanceCallback("net")
    fit(model, [callback], epochs=1)
    model.optimizer.momentum = 0.75
    model.optimizer.global_clipnorm = 2.0
    fit(model, [callback], epochs=1)
    assert sorted(changes(recorded)) == [
        ("global_clipnorm", 1, "manual", None, 2.0),
        ("momentum", 1, "manual", 0.5, 0.75),
    ]
    (event, _) = recorded.events(HyperparameterAdapted)
    assert event.agent == "person"


def test_other_values_are_watched_beside_a_schedule_too(recorded):
    rates = schedules.PiecewiseConstantDecay([8], [0.5, 0.25])
    fit(model_with(keras.optimizers.SGD(rates, momentum=0.5)), [Turn(momentum=0.75), ProvenanceCallback("net")])
    assert sorted(changes(recorded)) == [
        ("learning_rate", 2, "PiecewiseConstantDecay", 0.5, 0.25),
        ("momentum", 2, "Turn", 0.5, 0.75),
    ]


def test_a_value_that_is_a_variable_of_the_optimizer_is_watched(recorded):
    class Fading(keras.optimizers.SGD):
        """Halves its noise at every step, as a value on the device."""

        def __init__(self, learning_rate, noise=0.5, **kwargs):
            super().__init__(learning_rate, **kwargs)
            self.noise = keras.Variable(noise, dtype="float32", trainable=False, name="noise")
            self._track_variable(self.noise)

    def halve(epoch, logs):
        model.optimizer.noise.assign(0.1)

    model = model_with(Fading(0.5))
    fit(model, [keras.callbacks.LambdaCallback(on_epoch_end=halve), ProvenanceCallback("net")], epochs=2)
    assert changes(recorded) == [("noise", 2, "LambdaCallback", 0.5, 0.1)]
    assert recorded.parameters()["noise"] == 0.5


def test_a_schedule_is_one_adaptation_with_its_configuration(recorded):
    schedule = schedules.PiecewiseConstantDecay([8, 16], [0.5, 0.25, 0.125])
    fit(model_with(keras.optimizers.SGD(schedule)), [ProvenanceCallback("net")])
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Adaptation"]
    (row,) = recorded.rows("iAdaptation")
    assert row == {
        "technique": "PiecewiseConstantDecay",
        "boundaries": "[8, 16]",
        "values": "[0.5, 0.25, 0.125]",
    }


class Halving(schedules.LearningRateSchedule):
    """A schedule of the user's that says nothing of itself, around another one."""

    def __init__(self, inner, every):
        self.inner, self.every = inner, every

    def __call__(self, step):
        return self.inner(step) * 0.5 ** keras.ops.floor(keras.ops.cast(step, "float32") / self.every)

    def get_config(self):
        raise NotImplementedError


def test_a_schedule_of_the_user_around_another_is_recorded_with_both(recorded):
    schedule = Halving(schedules.ExponentialDecay(0.5, 8, 1.0), every=8)
    fit(model_with(keras.optimizers.SGD(schedule)), [ProvenanceCallback("net")], epochs=2)
    assert changes(recorded) == [("learning_rate", 2, "Halving", 0.5, 0.25)]
    (row,) = recorded.rows("iAdaptation")
    assert (row["every"], row["inner"].startswith("ExponentialDecay(initial_learning_rate=0.5")) == (8, True)


def test_a_function_as_learning_rate_is_recorded_with_its_constants(recorded):
    held = keras.Variable(0.5, dtype="float32", trainable=False)

    def from_a_variable(unit=2.0):
        return keras.ops.convert_to_tensor(held) * unit

    def halve(epoch, logs):
        held.assign(0.25)

    model = model_with(keras.optimizers.SGD(from_a_variable))
    fit(model, [keras.callbacks.LambdaCallback(on_epoch_end=halve), ProvenanceCallback("net")], epochs=2)
    assert changes(recorded) == [("learning_rate", 2, "from_a_variable", 1.0, 0.5)]
    (row,) = recorded.rows("iAdaptation")
    assert row == {"technique": "from_a_variable", "schedule": "from_a_variable", "unit": 2.0}


needs_multi = pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has none")


def several(slow, fast):
    optimizers = keras.optimizers.OptimizerMap(slow)
    optimizers[".*bias"] = fast
    return keras.optimizers.MultiOptimizer(optimizers)


@needs_multi
def test_a_schedule_in_one_of_several_optimizers_is_told_from_a_change_in_the_other(recorded):
    schedule = schedules.PiecewiseConstantDecay([8], [0.5, 0.25])
    fast = keras.optimizers.Adam(0.125, name="fast")

    class TurnFast(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                fast.learning_rate = 0.0625
                fast.beta_1 = 0.5

    model = model_with(several(keras.optimizers.SGD(schedule, name="slow"), fast))
    fit(model, [TurnFast(), ProvenanceCallback("net")])
    assert sorted(changes(recorded)) == [
        ("beta_1_fast", 2, "TurnFast", 0.9, 0.5),
        ("learning_rate_fast", 2, "TurnFast", 0.125, 0.0625),
        ("learning_rate_slow", 2, "PiecewiseConstantDecay", 0.5, 0.25),
    ]
    rows = recorded.rows("oTrainingModel")
    assert [(row["learning_rate_slow"], row["learning_rate_fast"]) for row in rows] == [
        (0.5, 0.125),
        (0.25, 0.0625),
        (0.25, 0.0625),
    ]


@needs_multi
def test_two_schedules_of_one_class_are_told_apart(recorded):
    def decay(rate):
        return schedules.ExponentialDecay(rate, 8, 0.5, staircase=True)

    optimizers = several(keras.optimizers.SGD(decay(0.5), name="slow"), keras.optimizers.SGD(decay(0.25), name="fast"))
    fit(model_with(optimizers), [ProvenanceCallback("net")], epochs=2)
    assert sorted(changes(recorded)) == [
        ("learning_rate_fast", 2, "ExponentialDecay", 0.25, 0.125),
        ("learning_rate_slow", 2, "ExponentialDecay", 0.5, 0.25),
    ]
    (row,) = recorded.rows("iAdaptation")
    assert (row["initial_lrate_slow"], row["initial_lrate_fast"]) == (0.5, 0.25)


def test_a_schedule_in_a_wrapped_optimizer_goes_on_in_the_next_fit(recorded):
    inner = keras.optimizers.SGD(schedules.PiecewiseConstantDecay([8, 16], [0.5, 0.25, 0.125]))
    model = model_with(keras.optimizers.LossScaleOptimizer(inner, initial_scale=1.0))
    callback = ProvenanceCallback("net")
    fit(model, [callback], epochs=1)
    fit(model, [callback], epochs=1)
    assert changes(recorded) == [("learning_rate", 1, "PiecewiseConstantDecay", 0.5, 0.25)]


def test_watching_reads_the_device_at_the_boundaries_of_epochs_only(recorded, monkeypatch):
    reads = []
    read = keras_optimizers._read
    monkeypatch.setattr(keras_optimizers, "_read", lambda rate: reads.append(rate) or read(rate))

    def reads_of(num_batches):
        reads.clear()
        arguments = {"batch_size": 32 // num_batches, "epochs": 2, "verbose": 0}
        model_with(keras.optimizers.SGD(0.5)).fit(X, Y, **arguments, callbacks=[Warmup(0.5), ProvenanceCallback("net")])
        return len(reads)

    assert 0 < reads_of(2) == reads_of(16)


def test_a_technique_without_readable_arguments_is_named_alone(recorded):
    class Silent(keras.callbacks.Callback):
        def __init__(self, *values):
            super().__init__()
            self._values = values

        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate = self._values[epoch]

    fit(model_with(keras.optimizers.SGD(0.5)), [Silent(0.25, 0.25), ProvenanceCallback("net")], epochs=2)
    assert changes(recorded) == [("learning_rate", 2, "Silent", 0.5, 0.25)]
    assert recorded.rows("iAdaptation") == [{"technique": "Silent", "initial_lrate": 0.5}]


def test_a_schedule_of_the_configuration_is_recorded_before_it_changes_anything(recorded):
    schedule = schedules.PolynomialDecay(0.5, 1000, 0.5)  # never another rate
    fit(model_with(keras.optimizers.SGD(schedule)), [ProvenanceCallback("net")], epochs=1)
    assert changes(recorded) == []
    found = recorded.parameters()
    assert found["learning_rate_schedule"] == "PolynomialDecay"
    assert json.loads(found["learning_rate_schedule_config"])["decay_steps"] == 1000
