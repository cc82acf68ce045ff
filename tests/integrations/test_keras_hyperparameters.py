"""Hyperparameters of real Keras models, and of what `fit` was called with."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from dnnprov.integrations.keras.hyperparameters import hyperparameters
from dnnprov.keras import ProvenanceCallback
from dnnprov.model.events import ElementsRecorded, HyperparameterAdapted, ProblemRecorded, RunStarted

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

X = np.linspace(-1, 1, 128, dtype="float32").reshape(32, 4)
Y = np.arange(32) % 3


def model_with(optimizer="sgd", loss="sparse_categorical_crossentropy", **compile_arguments):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, activation="softmax", name="out")])
    model.compile(optimizer, loss, **compile_arguments)
    return model


def values_of(optimizer="sgd", loss="sparse_categorical_crossentropy", **compile_arguments):
    return hyperparameters(model_with(optimizer, loss, **compile_arguments), batch_size=None)


def fitted(recorded, model=None, data=(X, Y), **fit_arguments):
    """The hyperparameters that a training recorded."""
    arguments = {"verbose": 0, "epochs": 1, **fit_arguments}
    (model or model_with()).fit(*data, callbacks=[ProvenanceCallback("net")], **arguments)
    assert recorded.events(ProblemRecorded) == []
    return recorded.parameters()


# The optimizer


OPTIMIZERS = [
    kind
    for kind in vars(keras.optimizers).values()
    if isinstance(kind, type)
    and issubclass(kind, keras.optimizers.Optimizer)
    and kind.__name__ not in {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"}
]


@pytest.mark.captures("hyperparameters")
@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_every_value_of_an_optimizer_of_keras_is_a_hyperparameter(kind):
    optimizer = kind(0.25, weight_decay=0.125, clipnorm=2.0, use_ema=True, ema_momentum=0.75)
    found = values_of(optimizer)
    config = {name: value for name, value in optimizer.get_config().items() if value is not None}
    told = {"name", "learning_rate"}
    assert found["optimizer_name"] == kind.__name__
    assert found["weight_decay"] == 0.125
    scalars = {name: value for name, value in config.items() if name not in told and not isinstance(value, list)}
    assert scalars.items() <= found.items()


def test_clipping_averaging_and_accumulation_are_recorded_of_a_training(recorded):
    optimizer = keras.optimizers.AdamW(
        0.001, weight_decay=0.01, clipvalue=0.5, use_ema=True, ema_momentum=0.9, gradient_accumulation_steps=2
    )
    found = fitted(recorded, model_with(optimizer))
    expected = {
        "optimizer_name": "AdamW",
        "learning_rate": 0.001,  # not 0.0010000000474974513
        "weight_decay": 0.01,
        "decay": 0.01,
        "clipvalue": 0.5,
        "use_ema": True,
        "ema_momentum": 0.9,
        "gradient_accumulation_steps": 2,
        "beta_1": 0.9,
    }
    assert expected.items() <= found.items()
    assert found.keys().isdisjoint({"clipnorm", "global_clipnorm"})


def test_what_averages_nothing_has_no_momentum_of_averages():
    assert values_of(keras.optimizers.SGD())["use_ema"] is False
    assert "ema_momentum" not in values_of(keras.optimizers.SGD())


class Lamarck(keras.optimizers.SGD):
    """An optimizer of the user's, with values that are no arguments, and that its attributes call otherwise."""

    def __init__(self, learning_rate=0.5, giraffes=3, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self._giraffes = giraffes
        self.neck = np.float32(0.1)

    def get_config(self):
        return {**super().get_config(), "giraffes": self._giraffes, "neck_length": self.neck}


def test_an_optimizer_of_the_user_is_recorded_with_its_own_values(recorded):
    found = fitted(recorded, model_with(Lamarck(0.25, giraffes=7, momentum=0.5)))
    expected = {"optimizer_name": "Lamarck", "learning_rate": 0.25, "giraffes": 7, "neck_length": 0.1, "momentum": 0.5}
    assert expected.items() <= found.items()


def test_an_optimizer_whose_configuration_raises_costs_only_what_that_alone_tells(recorded):
    class Secretive(keras.optimizers.SGD):
        def get_config(self):
            raise RuntimeError("no configuration")

    found = fitted(recorded, model_with(Secretive(0.25, momentum=0.5)))
    assert {"optimizer_name": "Secretive", "learning_rate": 0.25, "momentum": 0.5}.items() <= found.items()


def test_an_optimizer_without_a_learning_rate_trains_and_is_recorded_without_one(recorded):
    class RateFree(keras.optimizers.SGD):
        @property
        def learning_rate(self):
            raise AttributeError("this optimizer finds its own")

        def update_step(self, gradient, variable, learning_rate=None):
            self.assign_sub(variable, gradient)

        def apply(self, grads, trainable_variables=None):
            for gradient, variable in zip(grads, trainable_variables or self._trainable_variables, strict=True):
                self.assign_sub(variable, gradient)
            self._iterations.assign_add(1)

    found = fitted(recorded, model_with(RateFree(momentum=0.5)), epochs=2)
    assert {"optimizer_name": "RateFree", "momentum": 0.5}.items() <= found.items()
    assert "learning_rate" not in found
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2]
    assert recorded.events(HyperparameterAdapted) == []


def test_a_wrapper_is_recorded_beside_the_optimizer_in_it(recorded):
    inner = keras.optimizers.SGD(0.25, momentum=0.5)
    found = fitted(recorded, model_with(keras.optimizers.LossScaleOptimizer(inner, initial_scale=4.0)))
    expected = {
        "optimizer_name": "SGD",
        "optimizer_wrapper": "LossScaleOptimizer",
        "learning_rate": 0.25,
        "momentum": 0.5,
        "initial_scale": 4.0,
        "dynamic_growth_steps": 2000,
    }
    assert expected.items() <= found.items()


needs_multi = pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has none")


@needs_multi
def test_each_of_several_optimizers_is_recorded_under_its_name(recorded):
    optimizers = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.5, momentum=0.75))  # named sgd_17, say
    optimizers[".*bias"] = keras.optimizers.Adam(0.25, name="fast", weight_decay=0.125)
    found = fitted(recorded, model_with(keras.optimizers.MultiOptimizer(optimizers)))
    expected = {
        "optimizer_name": "MultiOptimizer",
        "optimizer_name_sgd": "SGD",
        "learning_rate_sgd": 0.5,
        "momentum_sgd": 0.75,
        "optimizer_name_fast": "Adam",
        "learning_rate_fast": 0.25,
        "weight_decay_fast": 0.125,
        "decay_fast": 0.125,
    }
    assert expected.items() <= found.items()
    assert found.keys().isdisjoint({"learning_rate", "momentum"})


def test_optimizers_of_a_training_step_of_the_user_are_recorded_too(recorded):
    class TwoSteps(keras.Sequential):
        def compile(self, critic_optimizer, **arguments):
            super().compile(**arguments)
            self.critic_optimizer = critic_optimizer

    model = TwoSteps([keras.layers.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.125), optimizer="sgd", loss="sparse_categorical_crossentropy")
    found = fitted(recorded, model)
    assert (found["optimizer_name"], found["learning_rate"]) == ("SGD", 0.01)
    assert (found["optimizer_name_critic_optimizer"], found["learning_rate_critic_optimizer"]) == ("Adam", 0.125)


def test_a_schedule_in_the_optimizer_is_recorded_with_its_configuration():
    schedule = keras.optimizers.schedules.CosineDecay(0.5, 100, alpha=0.125)
    found = values_of(keras.optimizers.SGD(schedule))
    assert found["learning_rate_schedule"] == "CosineDecay"
    expected = {"initial_learning_rate": 0.5, "decay_steps": 100, "alpha": 0.125}
    assert expected.items() <= json.loads(found["learning_rate_schedule_config"]).items()


# The loss and what else `compile` was given


def own_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_pred - y_true))


@pytest.mark.captures("loss function")
@pytest.mark.parametrize(
    ("loss", "name", "config"),
    [
        ("mse", "mse", None),
        (own_loss, "own_loss", None),
        (
            keras.losses.BinaryCrossentropy(label_smoothing=0.25),
            "binary_crossentropy",
            {"label_smoothing": 0.25, "from_logits": False},
        ),
        (keras.losses.Huber(delta=0.5, name="soft"), "soft", {"delta": 0.5}),
    ],
)
def test_a_loss_is_recorded_by_name_and_an_object_with_its_values(loss, name, config):
    found = values_of(loss=loss)
    assert found["loss_function"] == name
    if config is None:
        assert "loss_config" not in found
    else:
        assert config.items() <= json.loads(found["loss_config"]).items()


def two_outputs(**compile_arguments):
    inputs = keras.layers.Input((4,))
    a, b = keras.layers.Dense(1, name="a")(inputs), keras.layers.Dense(1, name="b")(inputs)
    model = keras.Model(inputs, {"a": a, "b": b})
    model.compile("sgd", **compile_arguments)
    return model


def test_losses_weights_and_metrics_of_several_outputs_are_recorded(recorded):
    model = two_outputs(
        loss={"a": "mse", "b": keras.losses.Huber(delta=0.5)},
        loss_weights={"a": 1.0, "b": 0.25},
        metrics={"a": ["mae", keras.metrics.MeanSquaredError(name="square")], "b": "mae"},
    )
    found = fitted(recorded, model, data=(X, {"a": X[:, :1], "b": X[:, 1:2]}))
    assert found["loss_function"] == "a: mse, b: huber_loss"
    assert json.loads(found["loss_weights"]) == {"a": 1.0, "b": 0.25}
    assert "delta=0.5" in json.loads(found["loss_config"])["b"]
    assert found["metrics"] == "a: [mae, square], b: mae"


def test_losses_in_a_list_are_named_in_order():
    found = hyperparameters(two_outputs(loss=["mse", own_loss], loss_weights=[1.0, 0.5]), None)
    assert (found["loss_function"], found["loss_weights"]) == ("mse, own_loss", "[1.0, 0.5]")


def test_what_compile_was_given_is_recorded(recorded):
    steps = 1 if keras.backend.backend() == "torch" else 2  # all that Keras allows there
    model = model_with(
        metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")],
        weighted_metrics=["sparse_categorical_accuracy"],
        jit_compile=False,
        steps_per_execution=steps,
    )
    found = fitted(recorded, model, batch_size=8)
    expected = {
        "metrics": "accuracy, top2",
        "weighted_metrics": "sparse_categorical_accuracy",
        "jit_compile": False,
        "run_eagerly": False,
        "steps_per_execution": steps,
        "dtype_policy": "float32",
    }
    assert expected.items() <= found.items()


def test_a_model_that_finds_its_loss_itself_has_none(recorded):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, inputs):
            outputs = self.dense(inputs)
            self.add_loss(keras.ops.mean(outputs**2))
            return outputs

    model = Own()
    model.compile("sgd")
    found = fitted(recorded, model)
    assert "loss_function" not in found
    assert (found["num_layers"], found["num_parameters"], found["num_trainable_parameters"]) == (1, 5, 5)


def test_frozen_weights_are_counted_apart():
    model = model_with()
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    found = hyperparameters(model, None)
    assert (found["num_parameters"], found["num_trainable_parameters"]) == (15, 0)


# What `fit` was given


@pytest.mark.captures("data")
def test_a_validation_split_is_recorded_with_the_samples_on_both_sides(recorded):
    found = fitted(recorded, validation_split=0.25, batch_size=8, shuffle=False)
    expected = {
        "num_samples": 24,
        "validation": "split",
        "validation_split": 0.25,
        "num_validation_samples": 8,
        "steps_per_epoch": 3,
        "batch_size": 8,
        "shuffle": False,
        "initial_epoch": 0,
    }
    assert expected.items() <= found.items()


@pytest.mark.captures("data")
def test_the_arrays_of_a_fit_are_its_data_without_those_cut_off_for_validation(recorded):
    fitted(recorded, validation_split=0.25)
    (row,) = recorded.rows("iTrainingData")
    expected = {
        "inputs_shape": "[24, 4]",
        "inputs_dtype": "float32",
        "targets_shape": "[24]",
        "num_samples": 24,
        "class_counts": '{"0": 8, "1": 8, "2": 8}',
        "num_classes": 3,
        "num_bytes": X[:24].nbytes + Y[:24].nbytes,
        "sha256": hashlib.sha256(X[:24].tobytes() + Y[:24].tobytes()).hexdigest(),
    }
    assert expected.items() <= row.items()


@pytest.mark.captures("validation")
def test_validation_data_and_how_they_are_used_are_recorded(recorded):
    data = {"validation_data": (X[:16], Y[:16]), "validation_steps": 1, "validation_freq": 2}
    found = fitted(recorded, epochs=4, initial_epoch=2, validation_batch_size=4, **data)
    expected = {
        "num_samples": 32,
        "validation": "data",
        "num_validation_samples": 16,
        "validation_steps": 1,
        "validation_batch_size": 4,
        "validation_freq": 2,
        "initial_epoch": 2,
        "num_epochs": 4,
    }
    assert expected.items() <= found.items()
    assert "validation_split" not in found


@pytest.mark.captures("data")
def test_class_weights_are_recorded(recorded):
    found = fitted(recorded, class_weight={0: 1.0, 1: 2.0, 2: 0.5})
    assert json.loads(found["class_weight"]) == {"0": 1.0, "1": 2.0, "2": 0.5}
    assert found["validation"] == "none"
    assert found.keys().isdisjoint({"sample_weight", "validation_freq", "num_validation_samples"})


def test_sample_weights_are_noted(recorded):
    assert fitted(recorded, sample_weight=np.ones(32))["sample_weight"] is True


def test_steps_of_data_without_a_size_are_recorded(recorded):
    def forever():
        while True:
            yield X[:8], Y[:8]

    found = fitted(recorded, data=(forever(),), steps_per_epoch=3, shuffle=False)
    assert found["steps_per_epoch"] == 3
    assert found.keys().isdisjoint({"num_samples", "batch_size"})


class Doubled:
    """A data set whose samples go through a transform."""

    def __init__(self):
        self.data, self.targets, self.transform = X, Y, Doubling(2.0)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.transform(self.data[index]), self.targets[index]


class Doubling:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, sample):
        return sample * self.factor


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning")
def test_a_data_loader_is_recorded_as_in_a_loop_of_pytorch(recorded):
    loading = pytest.importorskip("torch").utils.data
    found = fitted(recorded, data=(loading.DataLoader(Doubled(), batch_size=8),))
    assert (found["num_samples"], found["batch_size"], found["steps_per_epoch"]) == (32, 8, 4)
    assert (found["shuffle"], found["sampler"], found["num_workers"]) == (False, "SequentialSampler", 0)
    (row,) = recorded.rows("iTrainingData")
    assert row["sha256"] == hashlib.sha256(X.tobytes() + Y.tobytes()).hexdigest()
    assert [(row["filter_name"], json.loads(row["parameters"])) for row in recorded.rows("oFilters")] == [
        ("Doubling", {"factor": 2.0})
    ]


def test_another_number_of_samples_in_the_next_fit_is_no_adaptation(recorded):
    model, callback = model_with(), ProvenanceCallback("net")
    model.fit(X, Y, verbose=0, callbacks=[callback], validation_split=0.25)
    model.fit(X[:16], Y[:16], verbose=0, callbacks=[callback])
    assert recorded.events(HyperparameterAdapted) == []


def test_other_class_weights_in_the_next_fit_are_a_change_by_hand(recorded):
    model, callback = model_with(), ProvenanceCallback("net")
    for weight in (1.0, 2.0):
        model.fit(X, Y, verbose=0, callbacks=[callback], class_weight={0: weight, 1: 1.0, 2: 1.0})
    (event,) = recorded.events(HyperparameterAdapted)
    assert (event.attribute, event.technique) == ("class_weight", "manual")
    assert json.loads(event.new_value)["0"] == 2.0


# Bad input


def test_a_model_that_is_not_compiled_raises_as_keras_does_and_leaves_no_run(recorded):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="compile"):
        model.fit(X, Y, verbose=0, callbacks=[ProvenanceCallback("net")])
    assert recorded.events(RunStarted) == []


def test_a_model_compiled_twice_is_recorded_as_it_trains(recorded):
    model = model_with(keras.optimizers.SGD(0.5), metrics=["accuracy"])
    model.compile(keras.optimizers.Adam(0.25), "sparse_categorical_crossentropy", metrics=["acc"])
    found = fitted(recorded, model)
    assert (found["optimizer_name"], found["learning_rate"], found["metrics"]) == ("Adam", 0.25, "acc")


def test_a_metric_has_the_name_that_frameworks_share_and_its_own(recorded):
    model, callback = model_with(metrics=["acc"]), ProvenanceCallback("net")
    model.fit(X, Y, verbose=0, callbacks=[callback], validation_data=(X, Y))
    model.evaluate(X, Y, verbose=0, callbacks=[callback])
    (trained,), (tested,) = recorded.rows("oTrainingModel"), recorded.rows("oTestingModel")
    assert trained["accuracy"] == trained["acc"]
    assert trained["val_accuracy"] == trained["val_acc"]
    assert tested["accuracy"] == tested["acc"]


class Odd(keras.metrics.Metric):
    """A metric of several values, one of them no number."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        pass

    def result(self):
        return {"top": keras.ops.convert_to_tensor(0.5), "nothing": keras.ops.convert_to_tensor(float("nan"))}

    def reset_state(self):
        pass


def test_metrics_of_several_values_and_without_a_number_are_kept(recorded):
    model, callback = model_with(metrics=[Odd(name="odd")]), ProvenanceCallback("net")
    model.fit(X, Y, verbose=0, callbacks=[callback])
    assert recorded.parameters()["metrics"] == "odd"
    (event,) = [event for event in recorded.events(ElementsRecorded) if event.set == "oTrainingModel"]
    assert event.rows[0]["top"] == 0.5
    assert event.non_finite == [{"nothing": "NaN"}]


SCRIPT = """
import sys
import keras, numpy as np
from dnnprov.keras import ProvenanceCallback

class Own(keras.layers.Dense):
    def get_config(self):
        return {**super().get_config(), "mine": 1}

schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5)
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Rescaling(2.0), keras.layers.RandomZoom(0.1),
                          Own(3, kernel_regularizer="l2")][:2] + [Own(3, kernel_regularizer="l2")])
model.compile(keras.optimizers.Adam(schedule), keras.losses.Huber(), metrics=["mae"])
model.fit(np.ones((8, 4)), np.ones((8, 3)), epochs=2, verbose=0, callbacks=[ProvenanceCallback("net")])
assert "tensorflow" not in sys.modules
"""


def test_reading_a_model_brings_no_other_backend_into_the_process(recorded):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["type"] for row in recorded.rows("iLayers")] == ["Rescaling", "Own"]
