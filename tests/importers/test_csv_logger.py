"""`dnnprov import csvlogger`: what Keras wrote, against what Keras says of itself."""

from __future__ import annotations

import math
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.importers.csv_logger import read_csv_log
from dnnprov.importers.told_training import number_in


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A log of Keras itself, and the history that `fit` returned."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("keras") / "digits.csv"
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.random.default_rng(1).normal(size=(60, 4)), np.arange(60) % 3
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch in {2, 4} else rate)
    logger = keras.callbacks.CSVLogger(str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras' own
        history = model.fit(x, y, epochs=6, validation_split=0.2, verbose=0, callbacks=[schedule, logger])
    return path, history.history


def test_every_value_is_the_one_that_keras_had(store, trained):
    path, history = trained
    assert exit_code(["import", "csvlogger", str(path)]) == 0
    with dnnprov.open() as opened:
        rows = opened.sql("SELECT * FROM otrainingmodel ORDER BY epoch")
        assert [row["epoch"] for row in rows] == list(range(6))
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert [row[name] for row in rows] == pytest.approx(history[name], rel=1e-12)
        best = max(history["val_accuracy"])
        (ranked,) = opened.ask("Q5")
        assert (ranked["run"], ranked["accuracy"], ranked["accuracy_source"]) == ("digits", best, "validation")
        assert opened.ask("Q4")[0]["learning_rate"] == 0.5


def test_changes_of_the_learning_rate_are_inferred_and_say_so(store, trained):
    path, _ = trained
    assert exit_code(["import", "csvlogger", str(path), "--dataflow", "digits-model", "--name", "first"]) == 0
    with dnnprov.open() as history:
        changes = history.ask("Q6", dataflow="digits-model")
        found = [(row["run"], row["epoch"], row["technique"], row["old_value"], row["new_value"]) for row in changes]
        assert found == [("first", 2, "inferred", 0.5, 0.25), ("first", 4, "inferred", 0.25, 0.125)]
        reasons = {row["reason"] for row in history.sql("SELECT reason FROM oadaptation")}
        assert all(reason.startswith("inferred: ") for reason in reasons)


def test_a_log_without_times_tells_no_seconds(store, trained):
    assert exit_code(["import", "csvlogger", str(trained[0])]) == 0
    with dnnprov.open() as history:
        rows = history.ask("Q3")
        assert [row["elapsed_seconds"] for row in rows] == [None] * 6
        assert "no times" in history.run("latest").run["tags"]["import_note"]


def test_missing_and_non_finite_values_and_texts_stay_what_they_are(store, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text('\ufeffepoch;loss;val_loss;note\n0;nan;NA;"a;b"\n1;-inf;2;\n', encoding="utf-8")
    assert exit_code(["import", "csvlogger", str(path), "--separator", ";"]) == 0
    with dnnprov.open() as history:
        first, second = history.ask("Q1", epoch=0)[0], history.ask("Q1", epoch=1)[0]
        assert math.isnan(first["value"])
        assert second["value"] == -math.inf
        rows = history.sql("SELECT val_loss, note, non_finite FROM otrainingmodel ORDER BY epoch")
        assert [(row["val_loss"], row["note"]) for row in rows] == [(None, "a;b"), (2.0, None)]
        assert history.run("latest").run["diverged"] == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "its first line is ''; expected names with 'epoch' among them"),
        (b"step,loss\n1,2\n", "its first line is 'step,loss'"),
        (b"epoch;loss\n1;2\n", "another separator: --separator"),
        (b"epoch,loss,loss\n1,2,3\n", "names a column twice"),
        (b"epoch,loss\n1,2,3\n", "line 2 has 3 values; expected 2"),
        (b"epoch,loss\nfirst,2\n", "line 2 has the epoch 'first'; expected a number"),
        (b'epoch,loss\n1,"2', "it is no CSV"),
        ("epoch,loss\n1,2\n".encode("utf-16"), "it is not in UTF-8"),
        (b"epoch,loss\n1,\xff\n", "it is not in UTF-8"),
    ],
)
def test_a_file_that_is_no_such_log_is_refused_whole(store, tmp_path, capsys, content, said):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    assert exit_code(["import", "csvlogger", str(path)]) == 1
    assert said in capsys.readouterr().err
    assert not store.exists()


def test_hostile_names_are_data(store, tmp_path):
    path = tmp_path / "'; DROP TABLE run; --.csv"
    path.write_text('epoch,"x""); DROP TABLE run; --",select\n0,1,2\n', encoding="utf-8")
    assert exit_code(["import", "csvlogger", str(path)]) == 0
    with dnnprov.open() as history:
        assert [run["dataflow"] for run in history.runs()] == ["'; DROP TABLE run; --"]
        (row,) = history.sql("SELECT * FROM otrainingmodel")
        assert row["select_"] == 2


@given(st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1)))
@settings(max_examples=300)
def test_a_number_comes_back_as_python_wrote_it(value):
    found = number_in(repr(value))
    assert found == value or (math.isnan(found) and math.isnan(value))
    assert isinstance(found, int) == isinstance(value, int)


def test_the_bar_is_told_how_far_it_is(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n" + "".join(f"{n},0.5\n" for n in range(20_000)), encoding="utf-8")
    told = []
    (run,) = read_csv_log(path, dataflow=None, name=None, separator=",", progress=lambda *at: told.append(at))

    class Sink:
        def append(self, event):
            return 0

    run.record(Sink())
    assert len(told) > 3
    assert told == sorted(told)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
