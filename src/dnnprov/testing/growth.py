"""A schema grows while runs exist: what is new is captured from the next record on, old rows read NULL (promise P6)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dnnprov.testing.recorded import assert_same, column, elements, opened, problems, recorders, recording, rows

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.testing.recorded import OpenStore

NUM_ATTRIBUTES = 450
"""More than a table has columns for."""

_GROWING = """
name = argument
with dnnprov.start_run("contract", store=folder) as run, run.task(f"Task {name}") as task:
    for number in range(20):
        task.generates("oShared", **{"x": number, f"{name} {number}": number, f"Both {number}": number})
        task.generates(f"o{name} {number}", x=number)
        run.log(**{f"metric {name} {number}": number})
        run.set_params(**{f"parameter {name} {number}": number})
"""


class Growth:
    """P6."""

    def test_an_open_store_sees_what_a_live_run_brings(self, open_store: OpenStore, tmp_path: Path) -> None:
        with opened(open_store, tmp_path) as store, recording(tmp_path) as run, run.task("Split") as task:
            task.log(x=1)
            assert elements(store, "oSplit") == [{"x": 1}]
            assert rows(store, "SELECT * FROM osplit")[0].keys() >= {"x", "element_id"}
            task.log(x=2, y="new")
            assert [row["y"] for row in rows(store, "SELECT * FROM osplit ORDER BY element_id")] == [None, "new"]
            assert column(store, "SELECT y FROM osplit ORDER BY element_id") == [None, "new"]
            task.generates("oOther", z=0.5)
            assert column(store, "SELECT z FROM oother") == [0.5]
            with run.task("Another") as another:
                another.log(x=1)
            assert column(store, "SELECT tag FROM data_transformation ORDER BY transformation_id") == [
                "Split",
                "Another",
            ]
            run.log(step=0, fresh=1)
            assert column(store, "SELECT name FROM metric") == ["fresh"]
            run.set_params(warmup=5)
            run.set_params(cooldown=7)
            assert rows(store, "SELECT warmup, cooldown FROM run_overview") == [{"warmup": 5, "cooldown": 7}]
            assert rows(store, "SELECT * FROM run_overview")[0]["cooldown"] == 7

    def test_earlier_runs_read_null_for_what_came_later(self, open_store: OpenStore, tmp_path: Path) -> None:
        with opened(open_store, tmp_path) as store:
            for number in range(3):
                parameters = {f"p{n}": n for n in range(number + 1)}
                with recording(tmp_path, params=parameters) as run, run.task("Training") as training:
                    training.log(epoch=1, **parameters)
                store.catch_up()
            expected = [{"p0": 0, "p1": None, "p2": None}, {"p0": 0, "p1": 1, "p2": None}, {"p0": 0, "p1": 1, "p2": 2}]
            assert rows(store, "SELECT p0, p1, p2 FROM otrainingmodel ORDER BY element_id") == expected
            assert rows(store, "SELECT p0, p1, p2 FROM run_overview ORDER BY run_id") == expected

    def test_a_change_of_the_plan_is_a_new_version(self, open_store: OpenStore, tmp_path: Path) -> None:
        with opened(open_store, tmp_path) as store:
            for tags in (["Split"], ["Split"], ["Split", "Filters"]):
                with recording(tmp_path) as run:
                    for tag in tags:
                        run.task(tag).end()
                store.catch_up()
            assert column(store, "SELECT version FROM dataflow_version ORDER BY version") == [1, 2]
            followed = (
                "SELECT v.version FROM run AS r"
                " JOIN dataflow_version AS v ON v.dataflow_version_id = r.dataflow_version_id ORDER BY r.run_id"
            )
            assert column(store, followed) == [1, 1, 2]

    def test_more_attributes_than_a_table_has_columns_for_are_kept(self, open_store: OpenStore, tmp_path: Path) -> None:
        values = {f"Value {number}": number for number in range(NUM_ATTRIBUTES)}
        special = {**values, f"Value {NUM_ATTRIBUTES - 1}": math.nan, "Value 0": -math.inf, "Value 1": "text"}
        last = {f"Value {NUM_ATTRIBUTES - 1}": "text", "one more": 0.5}
        with recording(tmp_path, params=values) as run, run.task("Split") as task:
            task.log(**values)
            task.log(**special)
            task.log(**last)
        with opened(open_store, tmp_path) as store:
            first, second, third = elements(store, "oSplit")
            assert_same(first, values)
            assert_same(second, special)
            assert_same(third, last)
            assert_same(elements(store, "iTrainingModel")[0], values)
            columns = set(rows(store, "SELECT * FROM osplit")[0])
            assert {"value_0", "value_300"} <= columns
            assert len(columns) < NUM_ATTRIBUTES
            (short,) = rows(store, "SELECT * FROM run_overview")
            assert short["value_0"] == 0

    def test_many_data_sets_and_metrics_are_kept(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path) as run, run.task("Split") as task:
            for number in range(60):
                task.generates(f"oSet {number}", x=number)
            run.log(step=0, **{f"metric {number}": number for number in range(2000)})
        with opened(open_store, tmp_path) as store:
            for number in range(60):
                assert elements(store, f"oSet {number}") == [{"x": number}]
            found = rows(store, "SELECT name, value FROM metric")
            assert {row["name"]: row["value"] for row in found} == {f"metric {n}": n for n in range(2000)}

    def test_processes_that_bring_new_names_at_once_lose_nothing(self, open_store: OpenStore, tmp_path: Path) -> None:
        names = ["a", "A", "b"]
        with (
            recorders(tmp_path, _GROWING, names) as processes,
            opened(open_store, tmp_path) as store,
            opened(open_store, tmp_path) as other,
        ):
            while any(process.poll() is None for process in processes):
                for reader in (store, other):
                    for row in rows(reader, "SELECT * FROM run_overview"):
                        assert row["dataflow"] in {"contract", None}
            assert [process.wait() for process in processes] == [0, 0, 0]
            for reader in (store, other):
                shared = elements(reader, "oShared")
                assert len(shared) == 60
                for name in names:
                    of_one = [row for row in shared if any(key.startswith(f"{name} ") for key in row)]
                    expected = [{"x": n, f"{name} {n}": n, f"Both {n}": n} for n in range(20)]
                    assert sorted(of_one, key=lambda row: row["x"]) == expected
                    for number in range(20):
                        assert elements(reader, f"o{name} {number}") == [{"x": number}]
                parameters = {f"parameter {name} {n}": n for name in names for n in range(20)}
                assert {name: row[name] for row in elements(reader, "iTrainingModel") for name in row} == parameters
                metrics = {row["name"]: row["value"] for row in rows(reader, "SELECT name, value FROM metric")}
                assert metrics == {f"metric {name} {n}": n for name in names for n in range(20)}
                assert problems(reader) == []
