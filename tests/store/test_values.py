"""Whatever a user logs comes back as the plain value that it means, through every door that takes values."""

from __future__ import annotations

import math
import tempfile
import uuid
import warnings
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dnnprov
from dnnprov.journal.folder import StoreFolder
from dnnprov.model.values import MAX_DESCRIPTION, plain_value, split_non_finite
from dnnprov.store.rebuild import rebuild
from dnnprov.store.sqlite import SqliteStore
from dnnprov.testing.recorded import assert_same, elements, is_same, opened
from recorded import column_of, rows_of

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = (
    PLAIN
    | st.integers(-(2**70), 2**70)
    | st.decimals()
    | st.fractions()
    | st.binary()
    | st.datetimes()
    | st.dates()
    | st.timedeltas()
    | st.uuids()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.floats(width=32).map(np.float32)
    | st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
)
NAMES = st.text(max_size=80)


def elements_of(store, tag):
    with opened(lambda path: SqliteStore(StoreFolder(path)), store) as database:
        return elements(database, tag)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=5))
def test_rows_of_any_values_under_any_names_come_back(rows):
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        with dnnprov.start_run("m", store=store) as run, run.task("Split") as task:
            for row in rows:
                task.log(**row)
        found = elements_of(store, "oSplit") if rows else []
        assert len(found) == len(rows)
        for got, row in zip(found, rows, strict=True):
            plain, special = split_non_finite(row)
            expected = {**plain, **{name: float(value) for name, value in (special or {}).items()}}
            for name, value in expected.items():
                if value is None:
                    assert name not in got
                elif isinstance(got[name], str) and not isinstance(value, str):  # another row's text came first
                    assert float(got[name].replace("true", "1").replace("false", "0")) == value
                else:
                    assert is_same(got[name], value), (name, got[name], value)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parameters=st.dictionaries(NAMES, VALUES, max_size=6), tags=st.dictionaries(NAMES, VALUES, max_size=3))
def test_hyperparameters_and_tags_of_any_values_come_back(parameters, tags):
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        with dnnprov.start_run("m", params=parameters, tags=tags, store=store):
            pass
        plain, special = split_non_finite(parameters)
        plain |= {name: float(value) for name, value in (special or {}).items()}
        lowered = {name: value for name, value in plain.items() if value is not None}
        (found,) = elements_of(store, "iTrainingModel") if parameters else ({},)
        if not {name.lower() for name in plain} & {"momentum", "decay", "dropout"}:
            assert_same(found, lowered)
        found_tags = {row["name"]: row["value"] for row in rows_of(store, "SELECT name, value FROM run_tag")}
        assert found_tags == {plain_value(name): str(plain_value(value)) for name, value in tags.items()}


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(names=st.lists(NAMES.filter(lambda name: plain_value(name) == name), max_size=6, unique=True))
def test_data_sets_tasks_and_series_of_any_name_are_kept_apart(names):
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        with dnnprov.start_run("m", store=store) as run:
            for number, name in enumerate(names):
                with run.task(name) as task:
                    task.generates(f"My {name}", x=number)
            run.log(step=0, **{name: number for number, name in enumerate(names)})
        assert column_of(store, "SELECT tag FROM task ORDER BY task_id") == names
        found = {row["name"]: row["value"] for row in rows_of(store, "SELECT name, value FROM metric")}
        assert found == {name: number for number, name in enumerate(names)}
        tables = dict(
            row.values() for row in rows_of(store, "SELECT tag, table_name FROM data_set WHERE tag LIKE 'My %'")
        )
        assert len(set(tables.values())) == len(names)
        for number, name in enumerate(names):
            assert column_of(store, f"SELECT x FROM {tables[f'My {name}']}") == [number]


class Optimizer(Enum):
    ADAM = "Adam"
    RATE = 0.5


class Countless:
    """Counts how often it is described."""

    num_described = 0

    def __str__(self):
        Countless.num_described += 1
        return "x" * 10


class Huge:
    def __str__(self):
        return "x" * (3 * MAX_DESCRIPTION)


class Broken:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__

    def __getattr__(self, name):
        if name == "dtype":
            raise RuntimeError("no type")
        raise AttributeError(name)


def endless():
    one = []
    one.append(one)
    return one


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Optimizer.ADAM, "Adam"),
        (Optimizer.RATE, 0.5),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (timedelta(seconds=-1.5), -1.5),
        (date(2026, 1, 2), "2026-01-02"),
        (Decimal("1E+400"), "1E+400"),
        (Decimal("sNaN"), math.nan),
        (Decimal("-Infinity"), -math.inf),
        (Fraction(1, 3), "1/3"),
        (Fraction(10**400), "1" + "0" * 400),
        (1 + 2j, "(1+2j)"),
        (b"", "base64:"),
        (bytearray(b"ab"), "base64:YWI="),
        (Path("a/b"), "a/b"),
        ({1: "a", "1": "b"}, '[[1, "a"], ["1", "b"]]'),
        ({"a": math.nan, "b": [math.inf, None, Optimizer.ADAM]}, '{"a": NaN, "b": [Infinity, null, "Adam"]}'),
        ({3, 1}, "[1, 3]"),
        (float, "<class 'float'>"),
        (np.ndarray, "<class 'numpy.ndarray'>"),
        (Broken(), "<Broken: not readable, RuntimeError>"),
        (endless(), "<list: not readable, RecursionError>"),
    ],
)
def test_every_door_takes_the_same_value_for_it(store, value, expected):
    with dnnprov.start_run("m", params={"stated": value}, tags={"tag": value}) as run:
        run.set_params(set_later=value)
        with run.task("Split") as task:
            task.uses("iSplit", x=value)
            task.generates("oSplit", x=value)
    assert_same(elements_of(store, "iTrainingModel")[0], {"stated": expected, "set_later": expected})
    for tag in ("iSplit", "oSplit"):
        assert_same(elements_of(store, tag)[0], {"x": expected})
    assert column_of(store, "SELECT value FROM run_tag") == [str(expected)]


def test_an_exact_number_is_the_nearest_float_in_a_series(store):
    with dnnprov.start_run("m") as run:
        run.log(step=0, third=Fraction(1, 3), long=Decimal("0.12345678901234567890123"), quiet=Decimal("NaN"))
        run.log(step=1, huge=Decimal("1E+400"))
    assert rows_of(store, "SELECT name, value, non_finite FROM metric ORDER BY name") == [
        {"name": "long", "value": 0.12345678901234568, "non_finite": None},
        {"name": "quiet", "value": None, "non_finite": "NaN"},
        {"name": "third", "value": 1 / 3, "non_finite": None},
    ]
    (detail,) = column_of(store, "SELECT detail FROM problem")
    assert "'huge': '1E+400' is no number of 64 bits" in detail


def test_an_object_is_described_once_and_in_bounds(store):
    Countless.num_described = 0
    with dnnprov.start_run("m", params={"model": Countless(), "large": Huge()}):
        pass
    assert Countless.num_described == 1
    (text,) = column_of(store, "SELECT large FROM itrainingmodel")
    assert len(text) < MAX_DESCRIPTION + 100
    assert text.endswith(f"... ({3 * MAX_DESCRIPTION} characters)")


def test_a_text_of_the_user_is_kept_whole_whatever_its_length(store):
    text = "Größe 🌷" * 500_000
    with dnnprov.start_run("m", params={"prompt": text}) as run, run.task("Split") as task:
        task.log(x=1, note=text)
        task.log(x=text)
    assert column_of(store, "SELECT prompt FROM itrainingmodel") == [text]
    assert column_of(store, "SELECT note FROM osplit WHERE note IS NOT NULL") == [text]
    assert column_of(store, "SELECT x_text FROM osplit WHERE x_text IS NOT NULL") == [text]
    (detail,) = column_of(store, "SELECT detail FROM problem")
    assert len(detail) < 1000


def test_two_names_that_are_written_the_same_are_both_kept(store):
    with dnnprov.start_run("m") as run, run.task("Split") as task:
        task.log(**{"k\udc80": 1, "k\\udc80": 2})
    assert elements_of(store, "oSplit") == [{"k\\udc80": 1, "k\\udc80_": 2}]


def test_no_value_raises_or_warns_into_the_training(store):
    values = {
        str(number): value for number, value in enumerate([Broken(), endless(), Huge(), object(), lambda: 0, ...])
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with dnnprov.start_run("m", params=values, tags=values) as run:
            run.log(**values)
            run.set_params(**{f"later {name}": value for name, value in values.items()})
            with run.task("Split") as task:
                task.log(**values)
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert len(column_of(store, "SELECT detail FROM problem")) == len(values)


def test_a_naive_time_is_one_of_this_place(store, monkeypatch):
    moment = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - that is the case
    with dnnprov.start_run("m", params={"at": moment}):
        pass
    (text,) = column_of(store, "SELECT at FROM itrainingmodel")
    assert datetime.fromisoformat(text) == moment.astimezone()


def test_what_a_predefined_name_means_follows_from_its_row_alone(store):
    """Also after a row that had the name in two spellings, of which one is then an attribute of its own."""
    for name, rows in [("before", [{"LOSS": 3.0}]), ("both", [{"LOSS": 2.0, "loss": 1.0}]), ("after", [{"LOSS": 0.5}])]:
        with dnnprov.start_run("m", name=name, store=store) as run, run.task("Training") as training:
            for row in rows:
                training.log(epoch=1, **row)
        column_of(store, "SELECT 1")
    sql = "SELECT r.name, e.loss, e.loss_2 FROM otrainingmodel AS e JOIN run AS r USING (run_id) ORDER BY r.started_at"
    expected = [("before", 3.0, None), ("both", 1.0, 2.0), ("after", 0.5, None)]
    assert [tuple(row.values()) for row in rows_of(store, sql)] == expected
    assert column_of(store, "SELECT loss FROM run_overview ORDER BY started_at") == [3.0, 1.0, 0.5]
    rebuild(StoreFolder(store))
    assert [tuple(row.values()) for row in rows_of(store, sql)] == expected
