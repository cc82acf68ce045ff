"""The layers of real Keras models as rows of iLayers."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from counted_calls import num_calls
from dnnprov.integrations.keras.layers import layer_rows
from dnnprov.keras import ProvenanceCallback
from dnnprov.model.events import ProblemRecorded

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

layers = keras.layers


def sequential(*parts, shape=(4,), name="model"):
    return keras.Sequential([layers.Input(shape), *parts], name=name)


def row_of(layer, shape=(4,)):
    """The row of a layer alone in a model."""
    (row,) = layer_rows(sequential(layer, shape=shape))
    return row


def by_name(model):
    return {row["name"]: row for row in layer_rows(model)}


def recorded_layers(recorded, model, x, y):
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0, callbacks=[ProvenanceCallback("net")])
    assert recorded.events(ProblemRecorded) == []
    return recorded.rows("iLayers")


# What is told of one layer


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (layers.Activation("relu", name="activation_1"), ("activation_1", "Activation", "relu")),
        (layers.Dropout(0.4, name="dropout_1"), ("dropout_1", "Dropout", "0.4")),
        (layers.LeakyReLU(name="leak"), ("leak", "LeakyReLU", "leaky_relu")),
        (layers.Dense(7, name="fc"), ("fc", "Dense", "7")),
        (layers.Reshape((2, 2), name="square"), ("square", "Reshape", "2x2")),
    ],
)
def test_name_type_and_value_are_those_of_the_paper(layer, told):
    row = row_of(layer)
    assert (row["name"], row["type"], row["value"]) == told


def test_a_convolution_tells_all_it_was_made_with():
    layer = layers.Conv2D(
        6,
        (3, 5),
        strides=2,
        padding="same",
        dilation_rate=1,
        groups=3,
        activation="relu",
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.25),
        kernel_regularizer=keras.regularizers.L1L2(0.5, 0.25),
        kernel_constraint=keras.constraints.MaxNorm(3),
        activity_regularizer="l2",
    )
    row = row_of(layer, (8, 8, 3))
    expected = {
        "filters": 6,
        "kernel_size": "3x5",
        "strides": "2x2",
        "padding": "same",
        "dilation_rate": "1x1",
        "groups": 3,
        "activation": "relu",
        "data_format": "channels_last",
        "use_bias": False,
        "kernel_initializer": "RandomNormal(mean=0.0, stddev=0.25)",
        "kernel_regularizer": "L1L2(l1=0.5, l2=0.25)",
        "kernel_constraint": "MaxNorm(max_value=3, axis=0)",
        "activity_regularizer": "L2(l2=0.01)",
        "trainable": True,
        "dtype": "float32",
        "num_parameters": 90,
        "num_trainable_parameters": 90,
        "input_shape": "(None, 8, 8, 3)",
        "output_shape": "(None, 4, 4, 6)",
    }
    assert expected.items() <= row.items()
    assert row.keys().isdisjoint({"bias_regularizer", "rate", "units"})


def test_a_pooling_a_normalisation_and_a_recurrent_layer_tell_theirs():
    pooling = row_of(layers.MaxPooling2D((2, 3), strides=1), (8, 8, 3))
    assert (pooling["pool_size"], pooling["strides"], pooling["padding"]) == ("2x3", "1x1", "valid")
    normal = row_of(layers.BatchNormalization(momentum=0.75, epsilon=0.125))
    assert (normal["momentum"], normal["epsilon"]) == (0.75, 0.125)
    assert (normal["num_parameters"], normal["num_trainable_parameters"]) == (16, 8)
    recurrent = row_of(layers.LSTM(2, dropout=0.25, recurrent_dropout=0.5, return_sequences=True), (3, 4))
    expected = {"units": 2, "dropout": 0.25, "recurrent_dropout": 0.5, "return_sequences": True, "activation": "tanh"}
    assert expected.items() <= recurrent.items()


def test_what_has_no_column_is_kept_as_json():
    config = json.loads(row_of(layers.UpSampling2D((2, 3), interpolation="bilinear"), (4, 4, 1))["config"])
    assert config == {"size": [2, 3], "interpolation": "bilinear"}


def test_a_value_that_does_not_fit_its_column_is_kept_as_json():
    class Rates(layers.Layer):
        def __init__(self, rate, **kwargs):
            super().__init__(**kwargs)
            self.rate = rate

        def call(self, inputs):
            return inputs

    row = row_of(Rates([0.25, 0.5]))
    assert "rate" not in row
    assert json.loads(row["config"]) == {"rate": [0.25, 0.5]}


def test_a_value_from_a_narrow_float_is_the_shortest_decimal():
    assert row_of(layers.Dropout(np.float32(0.1)))["rate"] == 0.1


def test_a_frozen_layer_has_no_parameters_to_train():
    row = row_of(layers.Dense(3, trainable=False))
    assert (row["trainable"], row["num_parameters"], row["num_trainable_parameters"]) == (False, 15, 0)


def test_an_activation_object_of_the_user_is_named():
    def swoosh(x):
        return x

    assert row_of(layers.Dense(3, activation=swoosh))["activation"] == "swoosh"
    assert row_of(layers.Dense(3, activation=layers.LeakyReLU(name="leak")))["activation"] == "leak"


# Where a layer stands


def test_nested_models_give_way_to_their_layers(recorded):
    head = keras.Sequential([layers.Dense(3, name="one"), layers.Dropout(0.5, name="drop")], name="head")
    inner_input = layers.Input((8,))
    body = keras.Model(inner_input, head(layers.Dense(4, name="first")(inner_input)), name="body")
    model = sequential(layers.Dense(8, name="stem"), body, layers.Dense(1, name="last"))
    rows = recorded_layers(recorded, model, np.ones((4, 4)), np.ones((4, 1)))
    assert [(row["position"], row["path"], row.get("parent"), row["depth"]) for row in rows] == [
        (1, "stem", None, 1),
        (2, "body/first", "body", 2),
        (3, "body/head/one", "head", 3),
        (4, "body/head/drop", "head", 3),
        (5, "last", None, 1),
    ]
    assert [row.get("inbound_layers") for row in rows] == [None, "stem", "first", "one", "drop"]
    assert sum(row["num_parameters"] for row in rows) == model.count_params()
    assert recorded.parameters()["num_layers"] == 5


def two_towers():
    """A functional model with a layer and a model that both towers use, and an operation that is no layer."""
    a, b = layers.Input((4,), name="a"), layers.Input((4,), name="b")
    shared = layers.Dense(5, name="shared")
    base = sequential(layers.Dense(3, name="inner"), shape=(5,), name="base")
    joined = layers.Concatenate(name="join")([base(shared(a)), base(shared(b))])
    return keras.Model([a, b], layers.Dense(1, name="out")(joined * 2.0))


@pytest.mark.captures("layers")
def test_a_functional_model_is_in_the_order_of_its_graph_with_its_links():
    rows = layer_rows(two_towers())
    assert [(row["name"], row.get("inbound_layers")) for row in rows] == [
        ("a", None),
        ("b", None),
        ("shared", "a, b"),
        ("inner", "shared"),
        ("join", "inner"),
        ("out", "join"),
    ]


def test_a_shared_layer_comes_once_with_its_number_of_uses():
    model = two_towers()
    rows = layer_rows(model)
    assert [row["num_uses"] for row in rows] == [1, 1, 2, 2, 1, 1]
    assert sum(row["num_parameters"] for row in rows) == model.count_params()


def test_uses_in_another_model_do_not_count():
    inputs = layers.Input((4,))
    shared = layers.Dense(4, name="shared")
    first = keras.Model(inputs, shared(inputs))
    keras.Model(inputs, shared(shared(inputs)))
    assert by_name(first)["shared"]["num_uses"] == 1


def test_a_layer_used_at_several_shapes_tells_each():
    a, b = layers.Input((3,)), layers.Input((5,))
    flat = layers.Flatten(name="flat")
    model = keras.Model([a, b], layers.Concatenate()([flat(a), flat(b)]))
    assert by_name(model)["flat"]["input_shape"] == "(None, 3); (None, 5)"


def test_a_layer_of_several_inputs_tells_the_shape_of_each():
    a, b = layers.Input((3,)), layers.Input((5,))
    model = keras.Model([a, b], layers.Concatenate(name="join")([a, b]))
    row = by_name(model)["join"]
    assert (row["input_shape"], row["output_shape"]) == ("(None, 3), (None, 5)", "(None, 8)")


def test_a_wrapper_tells_what_is_in_it():
    both = row_of(layers.Bidirectional(layers.LSTM(3, recurrent_dropout=0.25)), (5, 4))
    assert (both["type"], both["wrapped_type"], both["units"], both["recurrent_dropout"]) == (
        "Bidirectional",
        "LSTM",
        3,
        0.25,
    )
    each = row_of(layers.TimeDistributed(layers.Dense(2, activation="relu")), (5, 4))
    assert (each["type"], each["wrapped_type"], each["units"], each["activation"]) == (
        "TimeDistributed",
        "Dense",
        2,
        "relu",
    )
    assert each["num_parameters"] == 10
    cells = row_of(layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]), (5, 4))
    assert cells["wrapped_type"] == "StackedRNNCells"
    assert "GRUCell(units=2" in cells["config"]


def test_a_wrapper_around_a_model_gives_way_to_its_layers():
    inner = sequential(layers.Conv2D(2, 3, name="conv"), layers.Flatten(name="flat"), shape=(8, 8, 1), name="cnn")
    model = sequential(layers.TimeDistributed(inner, name="each"), layers.LSTM(2, name="lstm"), shape=(5, 8, 8, 1))
    rows = layer_rows(model)
    assert [row["path"] for row in rows] == ["each/cnn/conv", "each/cnn/flat", "lstm"]
    assert rows[2]["inbound_layers"] == "flat"


class Block(layers.Layer):
    """A layer of the user's with layers and a weight of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(2, 3, dropout=0.125, name="attention")
        self.dense = keras.Sequential([layers.Dense(4, activation="gelu", name="dense")], name="mlp")

    def build(self, shape):
        self.token = self.add_weight(shape=(7,), name="token")
        super().build(shape)

    def call(self, inputs):
        return self.dense(self.attention(inputs, inputs)) + keras.ops.mean(self.token)


class Own(keras.Model):
    """A model that calls its layers in its own code."""

    def __init__(self):
        super().__init__(name="own")
        self.embed = layers.Embedding(9, 4, name="embed")
        self.block = Block(name="block")
        self.drop = layers.Dropout(0.5, name="drop")
        self.heads = [layers.Dense(3, name="head")]

    def call(self, inputs):
        return self.heads[0](self.drop(self.block(self.embed(inputs))))


def test_a_model_with_its_own_code_is_recorded_by_what_it_holds(recorded):
    model = Own()
    rows = recorded_layers(recorded, model, np.ones((4, 5), "int32"), np.ones((4, 5, 3)))
    assert [(row["path"], row["type"]) for row in rows] == [
        ("embed", "Embedding"),
        ("block", "Block"),
        ("block/attention", "MultiHeadAttention"),
        ("block/mlp/dense", "Dense"),
        ("drop", "Dropout"),
        ("head", "Dense"),
    ]
    assert rows[1]["num_parameters"] == 7  # what none of its layers has
    assert sum(row["num_parameters"] for row in rows) == model.count_params()
    assert (rows[2]["num_heads"], rows[2]["key_dim"], rows[2]["dropout"]) == (2, 3, 0.125)
    assert (rows[5]["input_shape"], rows[5]["output_shape"]) == ("(None, 5, 4)", "(None, 5, 3)")
    assert all("num_uses" not in row for row in rows)


def test_a_model_that_was_never_built_tells_what_it_was_made_with():
    rows = layer_rows(Own())
    assert [row["name"] for row in rows] == ["embed", "attention", "dense", "drop", "head"]
    assert (rows[0]["output_dim"], rows[4]["units"]) == (4, 3)
    assert "num_parameters" not in rows[0]
    assert [row["units"] for row in layer_rows(keras.Sequential([layers.Dense(3), layers.Dense(2)]))] == [3, 2]


def test_a_layer_that_holds_its_model_is_no_endless_way():
    class Child(layers.Layer):
        def __init__(self, owner):
            super().__init__(name="child")
            self.owner = owner
            self.dense = layers.Dense(2, name="dense")

    class Parent(keras.Model):
        def __init__(self):
            super().__init__()
            self.child = Child(self)

    assert [row["name"] for row in layer_rows(Parent())] == ["dense"]


# Bad input


def test_a_layer_whose_configuration_raises_is_recorded_all_the_same(recorded):
    class Secretive(layers.Dense):
        def get_config(self):
            raise RuntimeError("no configuration")

    (row,) = recorded_layers(recorded, sequential(Secretive(3)), np.ones((4, 4)), np.ones((4, 3)))
    assert (row["type"], row["units"], row["num_parameters"]) == ("Secretive", 3, 15)


def test_a_layer_that_raises_when_asked_costs_that_value_alone():
    class Broken(layers.Dense):
        is_made = False

        @property
        def use_bias(self):
            if self.is_made:
                raise RuntimeError("asked too much")
            return False

        @use_bias.setter
        def use_bias(self, value):
            pass

    model = sequential(Broken(3))
    Broken.is_made = True
    (row,) = layer_rows(model)
    assert (row["units"], row["num_parameters"], row["output_shape"]) == (3, 12, "(None, 3)")


def test_big_values_are_told_by_a_digest():
    words = [f"word{number}" for number in range(50)]
    pytest.importorskip("tensorflow")
    (row,) = layer_rows(keras.Sequential([layers.StringLookup(vocabulary=words)]))
    assert json.loads(row["config"])["vocabulary"].startswith("50 values, sha256 ")


def test_each_of_five_hundred_layers_costs_what_each_of_fifty_does():
    def model(num_pairs):
        pairs = [(layers.Dense(4, kernel_regularizer="l2"), layers.LayerNormalization()) for _ in range(num_pairs)]
        return sequential(*[layer for pair in pairs for layer in pair])

    def cost(model):
        return num_calls(lambda: layer_rows(model))

    small, large = model(25), model(250)
    cost(small)  # what is read once of each class
    assert cost(large) <= 10.5 * cost(small)
    assert len(layer_rows(large)) == 500


BUILT_LATE = """
import keras, numpy as np
from dnnprov.keras import ProvenanceCallback

model = keras.Sequential([keras.layers.Rescaling(0.5), keras.layers.Flatten(), keras.layers.Dense(3)])
model.compile("sgd", "mse")
assert not model.built
model.fit(np.ones((4, 4)), np.ones((4, 3)), epochs=2, verbose=0, callbacks=[ProvenanceCallback("net")])
"""


def test_a_model_that_its_first_step_builds_is_described_after_its_first_epoch(recorded):
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("tensorflow is not installed, the backend that builds so late")
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run([sys.executable, "-c", BUILT_LATE], env=environment, check=False, timeout=120)
    assert done.returncode == 0
    assert [(row["type"], row["num_parameters"], row["output_shape"]) for row in recorded.rows("iLayers")] == [
        ("Rescaling", 0, "(None, 4)"),
        ("Flatten", 0, "(None, 4)"),
        ("Dense", 15, "(None, 3)"),
    ]
    assert recorded.parameters()["num_parameters"] == 15
    assert [row["filter_name"] for row in recorded.rows("oFilters")] == ["Rescaling"]
    assert recorded.events(ProblemRecorded) == []
