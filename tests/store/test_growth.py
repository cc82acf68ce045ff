"""Schemas that grow far, and what is beyond the columns of a table: everything that reads finds it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.journal.folder import StoreFolder
from dnnprov.store.sqlite import SqliteStore
from dnnprov.testing.recorded import assert_same, elements, opened
from recorded import column_of, rows_of

NUM_ATTRIBUTES = 2100
VALUES = {f"Value {number}": number for number in range(NUM_ATTRIBUTES)}
LAST = f"Value {NUM_ATTRIBUTES - 1}"


@pytest.fixture(scope="module")
def wide_store(tmp_path_factory):
    """A run with thousands of hyperparameters and metrics, one of them not finite."""
    store = tmp_path_factory.mktemp("wide") / "store"
    with dnnprov.start_run("m", store=store, params={**VALUES, LAST: math.inf, "dropout": 0.4}) as run:
        with run.task("Training") as training:
            training.log(epoch=1, accuracy=0.5, **VALUES)
            training.log(epoch=2, accuracy=0.7, **{**VALUES, LAST: math.nan})
        run.log(step=0, **VALUES)
    with dnnprov.start_run("m", store=store, params={"dropout": 0.4}) as run:
        run.task("Training").log(epoch=1, accuracy=0.6)
    return store


def test_more_attributes_than_a_table_holds_come_back(wide_store):
    with opened(lambda path: SqliteStore(StoreFolder(path)), wide_store) as store:
        first, second, _ = elements(store, "oTrainingModel")
        assert_same(first, {"epoch": 1, "accuracy": 0.5, **VALUES})
        assert_same(second, {"epoch": 2, "accuracy": 0.7, **VALUES, LAST: math.nan})
        assert_same(elements(store, "iTrainingModel")[0], {**VALUES, LAST: math.inf, "dropout": 0.4})


def test_metrics_beyond_the_columns_are_summed_up_and_can_be_asked(wide_store):
    with dnnprov.open(wide_store) as history:
        (asked,) = history.ask("Q1", run="m-1", epoch=1, metric=LAST)
        assert asked["value"] == NUM_ATTRIBUTES - 1
        (asked,) = history.ask("Q1", run="m-1", epoch=1, metric="value_2000")
        assert asked["value"] == 2000
        (asked,) = history.ask("Q1", run="m-1", epoch=2, metric=LAST)
        assert math.isnan(asked["value"])
        assert list(history.ask("Q1", run="m-1", epoch=1, metric="Value 9999")) == []
        summaries = {row["name"]: row for row in history.run("m-1").metrics if row["level"] == "epoch"}
        assert len(summaries) == NUM_ATTRIBUTES + 1
        assert (summaries["value_5"]["last"], summaries["Value 2000"]["last"]) == (5, 2000)
        assert math.isnan(summaries[LAST]["last"])
        assert (summaries[LAST]["last_finite"], summaries[LAST]["num_non_finite"]) == (NUM_ATTRIBUTES - 1, 1)


def test_hyperparameters_beyond_the_columns_are_shown_of_runs_and_in_rankings(wide_store):
    with dnnprov.open(wide_store) as history:
        later, first = history.runs()
        assert (first["value_5"], first["value_1000"]) == (5, 1000)
        assert (later["value_5"], later["value_1000"]) == (None, None)
        assert first["diverged"] == 1
        best, second = history.ask("Q5")
        assert (best["run"], best["value_5"], best["value_1000"], best["dropout"]) == ("m-1", 5, 1000, 0.4)
        assert (second["run"], second["value_1000"]) == ("m-2", None)
        shown = history.run("m-1").hyperparameters
        assert len(shown) == NUM_ATTRIBUTES + 1
        assert (shown["value_2000"], shown[f"value_{NUM_ATTRIBUTES - 1}"]) == (2000, math.inf)
        (row,) = history.sql("SELECT * FROM run_overview WHERE name = 'm-1'")
        assert row["value_5"] == 5


@pytest.mark.slow
def test_commands_and_exports_hold_what_is_beyond_the_columns(wide_store, tmp_path, capsys):
    def answer(*command):
        capsys.readouterr()
        assert exit_code(["--store", str(wide_store), *command]) == 0
        return capsys.readouterr().out

    shown = json.loads(answer("show", "m-1", "--json"))
    assert shown["hyperparameters"]["value_2000"] == 2000
    assert shown["hyperparameters"][f"value_{NUM_ATTRIBUTES - 1}"] == "Infinity"
    assert "value_2000" in answer("show", "m-1")
    _, first = json.loads(answer("runs", "--json"))
    assert first["value_1000"] == 1000
    sql = (
        "SELECT e.epoch, v.value FROM oTrainingModel AS e JOIN element_value AS v ON v.element_id = e.element_id"
        " JOIN attribute AS a ON a.attribute_id = v.attribute_id JOIN data_set AS s ON s.data_set_id = v.data_set_id"
        " WHERE s.tag = 'oTrainingModel' AND a.name = 'Value 2000' ORDER BY e.epoch"
    )
    assert json.loads(answer("query", sql, "--json")) == [{"epoch": 1, "value": 2000}, {"epoch": 2, "value": 2000}]
    exported = answer("export", "m-1", "--format", "json")
    assert exported.count("2099") >= 1
    assert "Value_x20_2000" in exported or "Value 2000" in exported


def test_what_fills_screens_is_cut_for_people_and_whole_in_json(store, capsys):
    text, many = "x" * 1_000_000, {f"p{number}": number for number in range(100)}
    with dnnprov.start_run("m", params={"prompt": text, **many}) as run:
        run.finish("failed", reason=text)
    for command in (["runs"], ["show", "latest"], ["query", "SELECT prompt FROM itrainingmodel"], ["doctor"]):
        exit_code(command)
        captured = capsys.readouterr()
        assert len(captured.out) + len(captured.err) < 20_000, command
    assert "(1,000,000 characters)" in _printed(["show", "latest"], capsys)
    exit_code(["runs"])
    assert " and 61 more" in capsys.readouterr().err
    (row,) = json.loads(_printed(["runs", "--json"], capsys))
    assert row["prompt"] == text
    assert json.loads(_printed(["show", "latest", "--json"], capsys))["run"]["exit_reason"] == text


def _printed(command, capsys):
    capsys.readouterr()
    assert exit_code(command) == 0
    return capsys.readouterr().out


def test_metrics_beyond_the_columns_of_a_resumed_run_are_those_of_its_last_attempt(store):
    values = {f"m{number}": number for number in range(450)}
    first = dnnprov.start_run("m")
    first.task("Training").log(epoch=1, attempt=7, **values)
    first.finish("failed")
    with dnnprov.start_run("m", resume=first.uid) as run:
        run.task("Training").log(epoch=1, attempt=9, **{name: -value for name, value in values.items()})
    found = {row["name"]: row for row in rows_of(store, "SELECT name, last, num_values FROM run_metric")}
    assert found["m5"] == {"name": "m5", "last": -5, "num_values": 1}
    assert found["m449"] == {"name": "m449", "last": -449, "num_values": 1}
    assert found["attempt"]["last"] == 9


def test_a_hyperparameter_called_attempt_is_one_like_any_other(store):
    with dnnprov.start_run("m", params={"attempt": 7}) as run, run.task("Training") as training:
        training.uses("iTrainingModel", attempt=7, warmup=3)
    assert rows_of(store, "SELECT attempt, warmup FROM itrainingmodel") == [{"attempt": 7, "warmup": 3}]


def test_a_name_that_only_differs_from_a_column_beyond_the_columns_is_another(store):
    columns = {f"c{number}": number for number in range(400)}
    with dnnprov.start_run("m", params=columns) as run:
        run.set_params(**{"c1!": "mine", "C1": math.nan, "c1": 1})
    with dnnprov.open(store) as history:
        shown = history.run("latest").hyperparameters
        assert (shown["c1"], shown["c1_"]) == (1, "mine")
        assert math.isnan(shown["c1_2"])


def test_a_thousand_data_sets_and_tasks_are_taken_in(store):
    with dnnprov.start_run("m") as run:
        for number in range(1000):
            with run.task(f"Task {number}") as task:
                task.log(x=number)
    assert column_of(store, "SELECT COUNT(*) FROM data_set WHERE tag LIKE 'oTask %'") == [1000]
    assert column_of(store, "SELECT x FROM otask_999") == [999]
    with dnnprov.open(store) as history:
        assert len(history.run("latest").tasks) == 1000


def test_a_series_for_each_of_thousands_of_names_is_kept(store):
    with dnnprov.start_run("m") as run:
        for step in range(3):
            run.log(step=step, **{f"gradient/{number}": number + step for number in range(4000)})
    assert column_of(store, "SELECT COUNT(*) FROM metric") == [12_000]
    assert rows_of(store, "SELECT min, max, num_values FROM run_metric WHERE name = 'gradient/3999'") == [
        {"min": 3999, "max": 4001, "num_values": 3}
    ]


def test_rows_that_never_have_the_same_attributes_are_kept_in_bounded_memory(store):
    names = [f"a{number}" for number in range(12)]
    with dnnprov.start_run("m") as run, run.task("Split") as task:
        for mask in range(1, 1500):
            task.log(**{name: mask for bit, name in enumerate(names) if mask >> bit & 1})
    with SqliteStoreOf(store) as database:
        database.catch_up()
        assert len(database._ingest._rows._elements._elements._statements) <= 1000
        assert database.read("SELECT COUNT(*), SUM(a0) FROM osplit")[1] == [(1499, sum(range(1, 1500, 2)))]


class SqliteStoreOf:
    def __init__(self, folder):
        self.store = SqliteStore(StoreFolder(folder))

    def __enter__(self):
        return self.store

    def __exit__(self, *_):
        self.store.close()


_BOTH = """
import dnnprov, sys
with dnnprov.start_run("m") as run, run.task("Training") as training:
    for number in range(60):
        training.log(**{"epoch": number, "shared": number, f"{sys.argv[1]} {number}": number})
        run.set_params(**{f"{sys.argv[1]} parameter {number}": number})
        run.log(step=number, **{f"{sys.argv[1]}/{number}": number})
"""


def test_growth_by_several_processes_beside_a_follower_and_an_open_history(store):
    environment = {**os.environ, "DNNPROV_STORE": str(store), "DNNPROV_FOLLOW": "0"}
    with dnnprov.start_run("m") as run:
        run.set_params(first=1)
    follow = [sys.executable, "-m", "dnnprov", "ingest", "--follow", "--idle", "1"]
    follower = subprocess.Popen(follow, env=environment, stderr=subprocess.DEVNULL)
    recorders = [subprocess.Popen([sys.executable, "-c", _BOTH, name], env=environment) for name in ("a", "b")]
    with dnnprov.open(store) as history:
        while any(process.poll() is None for process in recorders):
            assert {row["dataflow"] for row in history.runs()} <= {"m", None}
            history.sql("SELECT * FROM otrainingmodel")
        assert [process.returncode for process in recorders] == [0, 0]
        assert follower.wait() == 0
        found = history.sql("SELECT * FROM otrainingmodel", limit=None)
        assert len(found) == 120
        for name in ("a", "b"):
            for number in range(60):
                column = f"{name}_{number}"
                assert [row[column] for row in found if row[column] is not None] == [number]
        series = {f"{name}/{number}" for name in ("a", "b") for number in range(60)}
        assert {row["name"] for row in history.query("SELECT name FROM metric")} == series
        assert history.query("SELECT * FROM problem") == []
        *of_both, first = history.runs()
        assert [sum(value is not None for name, value in row.items() if "_parameter_" in name) for row in of_both] == [
            60,
            60,
        ]
        assert first["first"] == 1
