from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

import dnnprov
from dnnprov.errors import SchemaVersionError, StoreError, StoreNotFoundError
from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.format import encode
from dnnprov.model.events import (
    AttributeDeclared,
    DataflowDeclared,
    DataSetDeclared,
    ElementsRecorded,
    MetricsRecorded,
    RunEnded,
    RunResumed,
    RunStarted,
    SegmentClosed,
    SegmentOpened,
    TaskBegan,
    TransformationDeclared,
)
from dnnprov.store.follower import follow
from dnnprov.store.sqlite import open_store
from recorded import column_of, rows_of


def write_segment(store, run, process, events, **header):
    """A segment as a process of another machine may leave it."""
    path = StoreFolder(store).segment(run, process)
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = SegmentOpened(format=1, run=run, process=process, host="elsewhere", **header)
    now = time.time_ns() // 1000
    lines = []
    for number, event in enumerate([opened, *events]):
        event.seq, event.at = number, now + number
        lines.append(encode(event))
    path.write_bytes(b"".join(lines))
    return path


def record_run(name="m", epochs=3, **params):
    with dnnprov.start_run(name, params=params or {"a": 1}) as run, run.task("Training") as training:
        for epoch in range(1, epochs + 1):
            training.log(epoch=epoch, loss=1.0 / epoch)
            run.log(step=epoch, loss=float(epoch))
    return run


def table_counts(store):
    names = column_of(store, "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'schema_version'")
    return {name: column_of(store, f'SELECT COUNT(*) FROM "{name}"')[0] for name in names}


def test_taking_in_twice_changes_nothing(store):
    record_run()
    before = table_counts(store)
    assert table_counts(store) == before
    assert before["otrainingmodel"] == 3


def test_a_database_that_was_deleted_is_made_anew_from_the_journals(store):
    record_run()
    record_run(epochs=5)
    before = table_counts(store)
    assert not list((store / "journal").glob("*/*.jsonl"))
    assert len(list((store / "journal" / "archive").glob("*/*.jsonl.gz"))) == 2
    for path in store.glob("provenance.db*"):
        path.unlink()
    assert table_counts(store) == before


def test_only_closed_segments_are_archived(store):
    run = dnnprov.start_run("m")
    assert column_of(store, "SELECT status FROM run") == ["running"]
    assert len(list((store / "journal").glob("*/*.jsonl"))) == 1
    run.finish()
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert list((store / "journal").glob("*/*.jsonl")) == []
    (archived,) = (store / "journal" / "archive").glob("*/*.jsonl.gz")
    assert json.loads(gzip.decompress(archived.read_bytes()).splitlines()[-1])["event"] == "SegmentClosed"


def test_several_readers_that_catch_up_at_once_store_everything_once(store):
    for _ in range(6):
        record_run(epochs=50)
    script = (
        "import sys; from dnnprov.store.sqlite import open_store; s = open_store(sys.argv[1]); s.ingest(); s.close()"
    )
    readers = [subprocess.Popen([sys.executable, "-c", script, str(store)]) for _ in range(6)]
    assert [reader.wait(60) for reader in readers] == [0] * 6
    assert column_of(store, "SELECT COUNT(*) FROM otrainingmodel") == [300]
    assert column_of(store, "SELECT COUNT(*) FROM metric_value") == [300]


def test_readers_that_make_a_database_at_once_wait_for_each_other(store, monkeypatch):
    """SQLite refuses all but one that switch a new file to WAL in the same moment, and waits for none."""
    record_run()
    refused = [0, 0, 0]
    whole_connect = sqlite3.connect

    class Connection(sqlite3.Connection):
        def execute(self, sql, *parameters):
            if sql == "PRAGMA journal_mode = WAL" and refused:
                refused.pop()
                holder = whole_connect(store / "provenance.db", isolation_level=None, timeout=0)
                holder.execute("BEGIN EXCLUSIVE")
                impatient = whole_connect(store / "provenance.db", isolation_level=None, timeout=0)
                try:
                    return impatient.execute(sql)
                finally:
                    impatient.close()
                    holder.close()
            return super().execute(sql, *parameters)

    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **options: whole_connect(*args, factory=Connection, **options)
    )
    database = open_store(store)
    assert database.catch_up() is None
    assert database.read("SELECT COUNT(*) FROM run")[1] == [(1,)]
    database.close()
    assert refused == []


RECORDER = """
import sys, dnnprov
number = int(sys.argv[1])
with dnnprov.start_run("many", params={f"p{number % 5}": number}) as run, run.task("Training") as training:
    for epoch in range(40):
        training.log(epoch=epoch, loss=float(epoch), **{f"metric_{number % 7}": 1.0})
        run.log(loss=float(epoch))
"""


def test_32_processes_record_into_one_store_at_once_and_nothing_is_lost(store):
    processes = [subprocess.Popen([sys.executable, "-c", RECORDER, str(number)]) for number in range(32)]
    while not (store / "journal").exists():
        time.sleep(0.01)
    while any(process.poll() is None for process in processes):
        rows_of(store, "SELECT COUNT(*) FROM run_overview")  # a reader among them, catching up all the time
        time.sleep(0.05)
    assert [process.returncode for process in processes] == [0] * 32
    assert column_of(store, "SELECT COUNT(*) FROM run WHERE status = 'finished'") == [32]
    assert column_of(store, "SELECT COUNT(*) FROM otrainingmodel") == [32 * 40]
    assert column_of(store, "SELECT COUNT(*) FROM metric") == [32 * 40]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]
    assert len(set(column_of(store, "SELECT name FROM run"))) == 32


def test_a_rank_that_is_heard_before_rank_0_finds_its_run_later(store):
    rank_1 = [
        TaskBegan(tag="Training"),
        ElementsRecorded(set="oTrainingModel", relation="generated", task=1, rows=[{"epoch": 1}]),
    ]
    write_segment(store, "abcdabcd", "r1-x-1-1", rank_1, rank=1)
    assert rows_of(store, "SELECT name, dataflow_id FROM run") == [{"name": None, "dataflow_id": None}]
    write_segment(store, "abcdabcd", "r0-x-1-0", [RunStarted(dataflow="m", name="m-1")])
    assert column_of(store, "SELECT name FROM run") == ["m-1"]
    assert column_of(
        store, "SELECT dt.tag FROM task AS t JOIN data_transformation AS dt USING (transformation_id)"
    ) == ["Training"]


def test_a_run_on_another_machine_is_crashed_when_it_is_silent_and_runs_when_it_is_heard_again(store, monkeypatch):
    path = write_segment(
        store, "abcdabcd", "r0-x-1-0", [RunStarted(dataflow="m", name="m-1"), TaskBegan(tag="Training")]
    )
    assert column_of(store, "SELECT status FROM run") == ["running"]
    monkeypatch.setattr("dnnprov.store.liveness.STALE_SECONDS", -1.0)
    assert column_of(store, "SELECT status FROM run") == ["crashed"]
    assert column_of(store, "SELECT status FROM task") == ["crashed"]
    monkeypatch.setattr("dnnprov.store.liveness.STALE_SECONDS", 90.0)
    with path.open("ab") as stream:
        stream.write(encode(MetricsRecorded(seq=3, at=time.time_ns() // 1000, values={"loss": 1.0}, step=0)))
    assert column_of(store, "SELECT status FROM run") == ["running"]
    assert column_of(store, "SELECT status FROM task") == ["running"]


def test_a_run_resumed_elsewhere_has_the_state_of_its_last_process_in_whatever_order_they_come(store):
    write_segment(
        store, "abcdabcd", "r0-b-0", [RunStarted(dataflow="m", name="n"), RunEnded(status="failed"), SegmentClosed()]
    )
    write_segment(
        store, "abcdabcd", "r0-a-1", [RunResumed(dataflow="m"), MetricsRecorded(values={"a": 1}, step=0)], attempt=1
    )
    assert column_of(store, "SELECT status FROM run") == ["running"]


def test_a_corrupt_line_is_set_aside_and_the_rest_is_in(store):
    path = write_segment(
        store,
        "abcdabcd",
        "r0-x-1-0",
        [RunStarted(dataflow="m", name="m-1")] + [MetricsRecorded(values={"a": n}, step=n) for n in range(5)],
    )
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = b"\xff" + lines[4][1:]
    path.write_bytes(b"".join(lines))
    assert column_of(store, "SELECT value FROM metric ORDER BY step") == [0, 1, 3, 4]
    assert column_of(store, "SELECT kind FROM problem") == ["corrupt_line"]


def test_missing_events_are_told(store):
    path = write_segment(
        store,
        "abcdabcd",
        "r0-x-1-0",
        [RunStarted(dataflow="m", name="m-1")] + [MetricsRecorded(values={"a": n}, step=n) for n in range(5)],
    )
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[5:]))
    assert rows_of(store, "SELECT kind, detail FROM problem") == [
        {"kind": "missing_events", "detail": "events 3 to 4 of segment r0-x-1-0 are missing"}
    ]


def test_a_torn_event_waits_while_its_process_lives_and_is_a_problem_when_it_is_gone(store):
    script = (
        "import dnnprov, os, sys, time\nrun = dnnprov.start_run('m')\nrun.log(loss=1.0)\n"
        'run.recorder.drain()\nos.write(run.recorder._writer._fd, b\'{"event":"Met\')\n'
        "print('ready', flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "DNNPROV_STORE": str(store)}, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    assert column_of(store, "SELECT value FROM metric") == [1.0]
    assert column_of(store, "SELECT kind FROM problem") == []
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert column_of(store, "SELECT kind FROM problem") == ["torn_event"]
    assert column_of(store, "SELECT kind FROM problem") == ["torn_event"]
    assert column_of(store, "SELECT status FROM run") == ["crashed"]


def test_an_event_the_database_cannot_take_does_not_keep_the_rest_out(store, monkeypatch):
    from dnnprov.store.element_rows import ElementRows

    take = ElementRows.record_metrics

    def poisoned(self, event, source):
        if "poison" in event.values:
            raise RuntimeError("cannot")
        take(self, event, source)

    monkeypatch.setattr(ElementRows, "record_metrics", poisoned)
    with dnnprov.start_run("m") as run:
        run.log(loss=1.0)
        run.log(poison=1.0)
        run.log(loss=3.0)
    assert column_of(store, "SELECT value FROM metric ORDER BY step") == [1.0, 3.0]
    (problem,) = rows_of(store, "SELECT kind, detail FROM problem")
    assert problem["kind"] == "event_not_taken"
    assert "MetricsRecorded" in problem["detail"]


def test_a_file_that_is_no_journal_is_told_once_and_left_alone(store):
    record_run()
    stranger = store / "journal" / "zzz" / "notes.jsonl"
    stranger.parent.mkdir()
    stranger.write_text("hello\n")
    for _ in range(2):
        assert column_of(store, "SELECT COUNT(*) FROM problem WHERE kind = 'refused_segment'") == [1]
    assert stranger.read_text() == "hello\n"


def test_a_value_that_does_not_fit_is_kept_beside_and_told(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        training.log(epoch=1, loss=0.5)
        training.log(epoch=2, loss="diverged")
        training.log(epoch=3, loss=2**70)
    assert rows_of(store, "SELECT loss, loss_text FROM otrainingmodel ORDER BY epoch") == [
        {"loss": 0.5, "loss_text": None},
        {"loss": None, "loss_text": "diverged"},
        {"loss": None, "loss_text": str(2**70)},
    ]
    details = column_of(store, "SELECT detail FROM problem WHERE kind = 'value_does_not_fit'")
    assert len(details) == 2
    for word in ("'m'", "'oTrainingModel'", "'loss'", "'diverged'"):
        assert word in details[0]


def test_an_integer_column_that_meets_a_fraction_holds_numbers_and_loses_no_integer(store):
    with dnnprov.start_run("m") as run, run.task("Split") as split:
        split.log(size=2**62)
        split.log(size=3)
        split.log(size=0.5)
    assert column_of(store, "SELECT size FROM osplit ORDER BY element_id") == [2**62, 3, 0.5]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


def test_a_new_hyperparameter_shows_in_the_overview_and_old_rows_read_null(store):
    record_run(a=1)
    record_run(b="x", status="mine")
    rows = rows_of(store, "SELECT a, b, hyperparameter_status FROM run_overview ORDER BY started_at")
    assert rows == [
        {"a": 1, "b": None, "hyperparameter_status": None},
        {"a": None, "b": "x", "hyperparameter_status": "mine"},
    ]


def test_sets_with_more_attributes_than_a_table_has_columns_keep_them_all(store):
    with dnnprov.start_run("m") as run, run.task("Wide") as wide:
        wide.log(**{f"a{number}": number for number in range(500)})
    (columns,) = rows_of(store, "SELECT * FROM owide")
    beyond = rows_of(
        store,
        "SELECT a.name AS name, v.value AS value FROM element_value AS v JOIN attribute AS a USING (attribute_id)",
    )
    values = {name: value for name, value in columns.items() if name.startswith("a")} | {
        r["name"]: r["value"] for r in beyond
    }
    assert values == {f"a{number}": number for number in range(500)}


def test_hostile_names_are_data(store):
    evil = 'x"; DROP TABLE run; --'
    with dnnprov.start_run(evil, params={evil: 1, "run_id": 2}, name=evil, tags={evil: evil}) as run:
        with run.task(evil) as task:
            task.uses(evil, **{evil: 1})
            task.generates("run", uid="mine")
        run.log(**{evil: 1.0})
    assert column_of(store, "SELECT tag FROM dataflow") == [evil]
    assert column_of(store, "SELECT name FROM metric") == [evil]
    assert rows_of(store, "SELECT x___drop_table_run____, run_id_2 FROM itrainingmodel") == [
        {"x___drop_table_run____": 1, "run_id_2": 2}
    ]
    assert column_of(store, "SELECT uid FROM ds_run") == ["mine"]
    assert sorted(column_of(store, "SELECT tag FROM data_set WHERE tag IN (?, 'run')", (evil,))) == sorted(
        [evil, "run"]
    )


def test_case_of_predefined_names_does_not_matter_and_of_others_it_does(store):
    with dnnprov.start_run("m") as run:
        with run.task("Training") as training:
            training.generates("OTRAININGMODEL", EPOCH=1, Loss=0.5)
            training.log(epoch=2, Loss=0.25, loss=0.125)
        with run.task("Split") as split:
            split.log(Size=1, size=2)
    assert rows_of(store, "SELECT epoch, loss, loss_2 FROM otrainingmodel ORDER BY epoch") == [
        {"epoch": 1, "loss": 0.5, "loss_2": None},
        {"epoch": 2, "loss": 0.125, "loss_2": 0.25},
    ]
    assert rows_of(store, "SELECT size, size_2 FROM osplit") == [{"size": 1, "size_2": 2}]


def test_a_new_transformation_makes_a_new_version_of_the_dataflow(store):
    record_run()
    record_run()
    assert column_of(store, "SELECT version FROM dataflow_version") == [1]
    with dnnprov.start_run("m") as run:
        with run.task("Filters") as filters:
            filters.generates("oFilters", filter_name="gray-scale")
        run.task("Training", after=filters).log(epoch=1, loss=1.0)
    rows = rows_of(
        store,
        "SELECT v.version, r.name FROM run AS r JOIN dataflow_version AS v USING (dataflow_version_id) ORDER BY r.name",
    )
    assert rows == [{"version": 1, "name": "m-1"}, {"version": 1, "name": "m-2"}, {"version": 2, "name": "m-3"}]
    (specification,) = column_of(store, "SELECT specification FROM dataflow_version WHERE version = 2")
    assert json.loads(specification)["Filters"] == {"generated": ["oFilters"]}


def test_a_store_that_does_not_exist_is_said_so(tmp_path):
    with pytest.raises(StoreNotFoundError, match="no store at"):
        open_store(tmp_path / "nowhere")


def test_a_postgresql_store_says_what_to_do():
    with pytest.raises(StoreError, match="PostgreSQL.*--store"):
        open_store("postgresql://user:secret@localhost/x")


def test_a_database_of_a_later_version_is_refused_and_not_touched(store):
    record_run()
    column_of(store, "SELECT 1")
    connection = sqlite3.connect(store / "provenance.db")
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(SchemaVersionError, match=r"version 99.*knows version \d+.*upgrade.*dnnprov rebuild"):
        open_store(store)


def test_a_store_that_cannot_be_written_answers_from_what_is_there(store, monkeypatch):
    record_run()
    column_of(store, "SELECT 1")
    record_run()

    def refuse(*_):
        error = sqlite3.OperationalError("attempt to write a readonly database")
        error.sqlite_errorcode = sqlite3.SQLITE_READONLY
        raise error

    monkeypatch.setattr("dnnprov.store.database_file.migrate", refuse)  # as root, no file is read-only
    database = open_store(store)
    note = database.catch_up()
    assert "cannot be written" in note
    assert "answers are as of 20" in note
    assert database.read("SELECT COUNT(*) FROM run")[1] == [(1,)]
    database.close()


def test_the_follower_takes_in_what_a_live_run_records_and_ends_by_itself(store):
    environment = {**os.environ, "DNNPROV_STORE": str(store)}
    run = dnnprov.start_run("m")
    run.log(loss=1.0)
    command = [sys.executable, "-m", "dnnprov", "ingest", "--follow", "--idle", "1.5"]
    follower = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    time.sleep(0.7)
    run.log(loss=2.0)
    run.finish()
    _, told = follower.communicate(timeout=30)
    assert follower.returncode == 0
    assert b"new events" in told
    database = sqlite3.connect(store / "provenance.db")
    assert database.execute("SELECT status FROM run").fetchall() == [("finished",)]
    assert database.execute("SELECT value FROM metric ORDER BY step").fetchall() == [(1.0,), (2.0,)]
    database.close()


def test_a_second_follower_ends_at_once(store):
    run = record_run()
    folder = StoreFolder(store)
    seen = []

    script = (
        "import sys; from pathlib import Path; from dnnprov.journal.folder import StoreFolder;"
        "from dnnprov.store.follower import follow; sys.exit(follow(StoreFolder(Path(sys.argv[1]))))"
    )

    def start_second(_):
        second = subprocess.run([sys.executable, "-c", script, str(store)], timeout=30, check=False)
        seen.append(second.returncode)

    assert follow(folder, idle_seconds=0.3, told=start_second) > 0
    assert seen == [0]
    assert run.status == "finished"


def test_the_recorder_starts_a_follower_unless_told_not_to(store):
    environment = {**os.environ, "DNNPROV_STORE": str(store), "DNNPROV_FOLLOW": "1"}
    script = "import dnnprov\nwith dnnprov.start_run('m') as run:\n    run.log(loss=1.0)"
    subprocess.run([sys.executable, "-W", "error", "-c", script], env=environment, timeout=60, check=True)
    database = store / "provenance.db"
    deadline = time.monotonic() + 30
    found = []
    while found != [("finished",)]:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
        if database.exists():
            connection = sqlite3.connect(database, timeout=10)
            try:
                found = connection.execute("SELECT status FROM run").fetchall()
            except sqlite3.OperationalError:
                continue
            finally:
                connection.close()
    (store / "provenance.db").unlink()  # the follower sees that the file is gone and ends


def test_a_plan_declared_before_anything_ran_is_there_with_its_dependencies(store):
    declared = DataflowDeclared(
        dataflow="m",
        transformations=[
            TransformationDeclared(
                tag="Split", sets=[DataSetDeclared("oSplit", "generated", [AttributeDeclared("share", "NUMERIC")])]
            ),
            TransformationDeclared(tag="Training", sets=[DataSetDeclared("oSplit", "used", dependency="Split")]),
        ],
    )
    write_segment(store, "abcdabcd", "r0-x-1-0", [RunStarted(dataflow="m", name="m-1"), declared])
    assert column_of(store, "SELECT tag FROM data_transformation ORDER BY tag") == ["Split", "Training"]
    attributes = "SELECT name, column_name, type FROM attribute JOIN data_set USING (data_set_id) WHERE tag = 'oSplit'"
    assert rows_of(store, attributes) == [{"name": "share", "column_name": "share", "type": "number"}]
    dependency = """SELECT p.tag AS previous, n.tag AS following, s.tag AS data_set FROM data_dependency AS d
        JOIN data_transformation AS p ON p.transformation_id = d.previous_transformation_id
        JOIN data_transformation AS n ON n.transformation_id = d.next_transformation_id
        JOIN data_set AS s ON s.data_set_id = d.data_set_id"""
    assert rows_of(store, dependency) == [{"previous": "Split", "following": "Training", "data_set": "oSplit"}]
    assert rows_of(store, "SELECT share FROM osplit") == []


def test_of_a_run_resumed_the_later_values_count_in_whatever_order_the_segments_lie(store):
    first = [
        RunStarted(dataflow="m", name="n"),
        TaskBegan(tag="Training"),
        ElementsRecorded(set="oTrainingModel", relation="generated", task=2, rows=[{"epoch": 1, "accuracy": 0.9}]),
        MetricsRecorded(values={"loss": 9.0}, step=0),
        RunEnded(status="failed"),
        SegmentClosed(),
    ]
    second = [
        RunResumed(dataflow="m"),
        TaskBegan(tag="Training"),
        ElementsRecorded(set="oTrainingModel", relation="generated", task=2, rows=[{"epoch": 1, "accuracy": 0.4}]),
        MetricsRecorded(values={"loss": 1.0}, step=0),
    ]
    write_segment(store, "abcdabcd", "r0-b", first)
    write_segment(store, "abcdabcd", "r0-a", second, attempt=1)
    assert column_of(store, "SELECT status FROM run") == ["running"]
    assert column_of(store, "SELECT max FROM run_metric WHERE name = 'accuracy'") == [0.4]
    assert column_of(store, "SELECT value FROM metric") == [1.0]
