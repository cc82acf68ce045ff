"""The preprocessing layers of real Keras models as Filters before their trainings."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

import dnnprov
from dnnprov.integrations.keras.filters import filter_rows
from dnnprov.keras import ProvenanceCallback
from dnnprov.model.events import ProblemRecorded, TaskBegan

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

layers = keras.layers
X = np.ones((8, 6, 6, 1), "float32")
Y = np.ones((8, 1), "float32")


def augmented(*first):
    """A model that preprocesses images itself."""
    rest = [layers.Flatten(), layers.Dropout(0.4), layers.Dense(1)]
    model = keras.Sequential([layers.Input((6, 6, 1)), *first, *rest])
    model.compile("sgd", "mse", metrics=["accuracy"])
    return model


def names(model):
    return [row["filter_name"] for row in filter_rows(model)]


def fit(model, callback):
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[callback])


@pytest.mark.captures("filters")
def test_the_preprocessing_of_a_model_is_a_filters_task_before_its_training(recorded):
    flips = keras.Sequential([layers.RandomFlip("horizontal", name="flip")], name="augment")
    fit(augmented(layers.Rescaling(0.5, offset=1.0, name="scale"), flips), ProvenanceCallback("net"))
    filters, training = recorded.events(TaskBegan)
    assert [(filters.tag, filters.after), (training.tag, training.after)] == [
        ("Filters", []),
        ("Training", [filters.seq]),
    ]
    rows = recorded.rows("oFilters")
    assert [(row["filter_name"], row["layer"]) for row in rows] == [
        ("Rescaling", "scale"),
        ("RandomFlip", "augment/flip"),
    ]
    assert json.loads(rows[0]["parameters"]) == {"scale": 0.5, "offset": 1.0}
    assert json.loads(rows[1]["parameters"])["mode"] == "horizontal"
    assert recorded.events(ProblemRecorded) == []


def test_questions_name_the_filters_of_the_user_first_and_then_the_models_own(store):
    with dnnprov.start_run("net") as run:
        with run.task("Filters") as filters:
            filters.generates("oFilters", filter_name="gray-scale")
        callback = ProvenanceCallback("net", after=filters)
        model = augmented(layers.Rescaling(0.5), layers.RandomFlip())
        fit(model, callback)
        model.evaluate(X, Y, verbose=0, callbacks=[callback])
    with dnnprov.start_run("net"):
        fit(augmented(), ProvenanceCallback("net"))
    with dnnprov.open(store) as history:
        found = {(row["filter_name"], row["num_runs"]) for row in history.ask("Q7", dropout=0.4)}
        assert found == {("gray-scale, Rescaling, RandomFlip", 1), ("none", 1)}
        assert {row["filter_name"] for row in history.ask("Q8")} <= {"gray-scale, Rescaling, RandomFlip", "none"}


def test_two_trainings_of_one_model_share_its_filters(recorded):
    model, callback = augmented(layers.Rescaling(0.5)), ProvenanceCallback("net")
    fit(model, callback)
    fit(model, callback)
    filters, *trainings = recorded.events(TaskBegan)
    assert [event.tag for event in trainings] == ["Training", "Training"]
    assert [event.after for event in trainings] == [[filters.seq], [filters.seq]]
    assert len(recorded.rows("oFilters")) == 1


def test_each_run_of_a_model_has_its_filters(recorded):
    model = augmented(layers.Rescaling(0.5))
    for _ in range(2):
        with dnnprov.start_run("net"):
            fit(model, ProvenanceCallback("net"))
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Filters", "Training"] * 2


def test_what_comes_behind_a_layer_that_learns_is_no_filter():
    model = augmented(layers.Rescaling(0.5), layers.Conv2D(1, 1), layers.Rescaling(2.0), layers.RandomFlip())
    assert names(model) == ["Rescaling"]


def test_what_does_not_learn_may_come_between():
    model = augmented(layers.Rescaling(0.5), layers.ZeroPadding2D(), layers.RandomContrast(0.25))
    assert names(model) == ["Rescaling", "RandomContrast"]


def test_every_input_of_a_functional_model_has_its_filters():
    image, number = layers.Input((6, 6, 1)), layers.Input((2,))
    seen = layers.Flatten()(layers.Resizing(3, 3)(image))
    told = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0], axis=-1, name="normal")(number)
    learned = layers.Dense(2)(layers.Concatenate()([seen, told]))
    model = keras.Model([image, number], layers.Rescaling(3.0)(learned + 1.0))
    rows = filter_rows(model)
    assert [row["filter_name"] for row in rows] == ["Resizing", "Normalization"]
    assert json.loads(rows[1]["parameters"])["mean"] == [[1.0, 2.0]]


def test_a_model_with_its_own_code_has_all_it_holds():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)
            self.flip = layers.RandomFlip()

        def call(self, inputs):
            return self.dense(layers.Flatten()(self.flip(inputs)))

    assert names(Own()) == ["RandomFlip"]


def test_a_class_made_from_a_preprocessing_layer_has_its_own_name():
    class Brighter(layers.Rescaling):
        pass

    assert names(augmented(Brighter(2.0))) == ["Brighter"]


def test_a_vocabulary_that_was_learnt_is_told():
    pytest.importorskip("tensorflow")
    lookup = layers.TextVectorization(max_tokens=10, output_sequence_length=3)
    lookup.adapt(np.array(["a rose is a rose"]))
    model = keras.Sequential([lookup, layers.Embedding(10, 2), layers.Flatten(), layers.Dense(1)])
    (row,) = filter_rows(model)
    parameters = json.loads(row["parameters"])
    assert (row["filter_name"], parameters["vocabulary_size"]) == ("TextVectorization", 5)
    assert sorted(parameters["vocabulary"]) == ["", "[UNK]", "a", "is", "rose"]


def test_a_model_without_preprocessing_has_no_filters_task(recorded):
    fit(augmented(), ProvenanceCallback("net"))
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"]
    assert recorded.rows("oFilters") == []
