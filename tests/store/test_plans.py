"""Plans in the database: what is declared, versions, the file for the recording side, databases of older schemas."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest

import dnnprov
from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.plan_file import read_plan
from dnnprov.model.events import (
    AttributeDeclared,
    DataflowDeclared,
    DataSetDeclared,
    ProgramDeclared,
    TransformationDeclared,
)
from dnnprov.store.ingest import Ingest
from dnnprov.store.migrations import migrate, schema_version
from dnnprov.store.schema import SCHEMA_VERSION
from recorded import column_of, rows_of
from store import version_1


def split_of(*attributes, dependency=None):
    declared = [AttributeDeclared(name, kind) for name, kind in attributes]
    return TransformationDeclared("Split", [DataSetDeclared("iSplit", "used", declared, dependency)])


def versions(store):
    rows = rows_of(store, "SELECT specification FROM dataflow_version ORDER BY version")
    return [json.loads(row["specification"]) for row in rows]


def test_a_declaration_of_some_attributes_puts_them_first_and_of_new_ones_last(store):
    with dnnprov.start_run("m") as run:
        run.declare([split_of(("a", "numeric"), ("b", "file"))])
        run.declare([split_of(("c", "text"))])
        run.declare([split_of(("c", "text"), ("a", "numeric"))])
        run.declare([split_of(("a", "numeric"))])
    orders = [list(one["Split"]["attributes"]["iSplit"].items()) for one in versions(store)]
    assert orders == [
        [("a", "numeric"), ("b", "file")],
        [("a", "numeric"), ("b", "file"), ("c", "text")],
        [("c", "text"), ("a", "numeric"), ("b", "file")],
        [("a", "numeric"), ("c", "text"), ("b", "file")],
    ]


def test_names_of_predefined_sets_are_declared_in_any_case(store):
    sets = [DataSetDeclared("ITRAININGMODEL", "used", [AttributeDeclared("LEARNING_RATE", "NUMERIC")])]
    with dnnprov.start_run("m") as run:
        run.declare([TransformationDeclared("Training", sets)])
    assert versions(store)[0]["Training"] == {
        "attributes": {"iTrainingModel": {"learning_rate": "numeric"}},
        "used": ["iTrainingModel"],
    }


def test_a_dependency_that_is_declared_after_it_was_recorded_names_its_set(store):
    with dnnprov.start_run("m") as run:
        with run.task("Load") as load:
            pass
        run.task("Split", after=load).uses("iSplit", a=1)
        run.declare([split_of(("a", "numeric"), dependency="Load")])
        run.declare([split_of(("a", "numeric"), dependency="Load")])
    sql = "SELECT s.tag FROM data_dependency AS d LEFT JOIN data_set AS s USING (data_set_id)"
    assert column_of(store, sql) == ["iSplit"]
    assert [one["Split"]["after"] for one in versions(store)] == [{"Load": []}, {"Load": ["iSplit"]}]


def test_a_program_that_is_declared_takes_the_place_of_the_script(store):
    with dnnprov.start_run("m") as run:
        run.task("Split").end()
        declared = split_of()
        declared.programs = [ProgramDeclared("/bin/split", "split")]
        run.declare([declared])
        run.declare([declared])
    sql = (
        "SELECT p.path, p.name FROM data_transformation AS t JOIN program AS p USING (program_id) WHERE t.tag = 'Split'"
    )
    assert rows_of(store, sql) == [{"path": "/bin/split", "name": "split"}]
    assert len(versions(store)) == 2


def test_the_plan_of_another_dataflow_is_no_version_of_the_run_s_own(store):
    with dnnprov.start_run("m") as run:
        run.task("Training").end()
        run.recorder.append(DataflowDeclared(dataflow="other", transformations=[split_of()]))
    sql = (
        "SELECT d.tag FROM run AS r JOIN dataflow_version AS v USING (dataflow_version_id)"
        " JOIN dataflow AS d ON d.dataflow_id = v.dataflow_id"
    )
    assert column_of(store, sql) == ["m"]
    assert column_of(store, "SELECT tag FROM dataflow ORDER BY tag") == ["m", "other"]


def test_the_file_says_what_the_database_does(store):
    with dnnprov.start_run("m") as run:
        run.declare([split_of(("a", "numeric"), dependency="Load")])
    assert read_plan(StoreFolder(store), "m") is None
    column_of(store, "SELECT 1")
    plan = read_plan(StoreFolder(store), "m")
    assert (plan.dataflow, plan.version) == ("m", 1)
    assert plan.transformations == [
        TransformationDeclared("Load"),
        TransformationDeclared(
            "Split", [DataSetDeclared("iSplit", "used", [AttributeDeclared("a", "numeric")], "Load")]
        ),
    ]


def test_a_file_that_cannot_be_written_costs_no_answer_and_is_written_later(store):
    with dnnprov.start_run("m") as run:
        run.task("Training").end()
    for entry in (store / "dataflows").rglob("*"):
        if entry.is_file():
            entry.unlink()
    for folder in sorted((store / "dataflows").rglob("*"), reverse=True):
        folder.rmdir()
    (store / "dataflows").rmdir()
    (store / "dataflows").touch()
    assert column_of(store, "SELECT tag FROM task") == ["Training"]
    (store / "dataflows").unlink()
    assert column_of(store, "SELECT tag FROM task") == ["Training"]
    assert [one.tag for one in read_plan(StoreFolder(store), "m").transformations] == ["Training"]
    assert [path.name for path in (store / "dataflows").iterdir()] == ["m.json"]


@pytest.fixture
def old_store(store):
    """A store with journals of two runs, and the database that the program of schema version 1 made of them."""
    version_1.write_journals(store)
    connection = sqlite3.connect(store / "provenance.db")
    connection.executescript(version_1.DUMP.read_text())
    connection.close()
    return store


def test_a_database_of_version_1_is_brought_up_to_date_with_all_that_is_in_it(old_store):
    connection = sqlite3.connect(old_store / "provenance.db")
    assert connection.execute("SELECT version, archive_read FROM schema_version").fetchall() == [(1, 0)]
    tasks = "SELECT tag, status, started_at FROM task ORDER BY started_at"
    before = connection.execute(tasks).fetchall()
    connection.close()
    shutil.rmtree(old_store / "journal")
    assert [tuple(row.values()) for row in rows_of(old_store, tasks)] == before
    assert column_of(old_store, "SELECT DISTINCT identifier FROM task") == [None]
    assert column_of(old_store, "SELECT version FROM schema_version") == [SCHEMA_VERSION]
    assert column_of(old_store, "SELECT table_name FROM data_set WHERE tag = 'plan_fact'") == ["ds_plan_fact"]
    assert column_of(old_store, "SELECT x FROM ds_plan_fact ORDER BY x") == [3, 3, 7, 7]
    assert read_plan(StoreFolder(old_store), "m").version == 2
    with dnnprov.start_run("m") as run:
        run.task("Testing", identifier="7").end()
    assert column_of(old_store, "SELECT identifier FROM task WHERE identifier IS NOT NULL") == ["7"]
    assert column_of(old_store, "SELECT COUNT(*) FROM dataflow_version") == [2]


def test_a_database_of_version_1_says_afterwards_what_one_made_anew_says(old_store):
    def said():
        queries = (
            (
                "SELECT v.version, v.specification, v.recorded_at, v.sequence, r.uid FROM dataflow_version AS v"
                " JOIN run AS r USING (run_id) ORDER BY v.version"
            ),
            "SELECT r.uid, v.version FROM run AS r JOIN dataflow_version AS v USING (dataflow_version_id) ORDER BY 1",
            (
                "SELECT f.transformation, f.relation, f.object, f.data_set, f.sequence, r.uid FROM plan_fact AS f"
                " JOIN process AS p USING (process_id) JOIN run AS r USING (run_id) ORDER BY 1, 2, 3"
            ),
            "SELECT t.tag, p.path FROM data_transformation AS t JOIN program AS p USING (program_id) ORDER BY 1",
            (
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql <> '' AND name NOT LIKE 'data set%'"
                " ORDER BY 1"
            ),
        )
        return [rows_of(old_store, sql) for sql in queries]

    migrated = said()
    assert [(row["uid"][0], row["version"]) for row in migrated[1]] == [("1", 1), ("2", 2)]
    for path in old_store.glob("provenance.db*"):
        path.unlink()
    assert said() == migrated


def test_steps_of_the_schema_are_done_once_by_whoever_comes_first(tmp_path):
    first, second = (sqlite3.connect(tmp_path / "x.db", isolation_level=None) for _ in range(2))
    migrate(first, "x")
    migrate(second, "x")
    assert schema_version(second) == SCHEMA_VERSION
    Ingest(second, StoreFolder(tmp_path / "none")).catch_up()
    first.close()
    second.close()
