"""A database made anew says what the old one said: the same rows, names, problems, answers and documents."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.errors import StoreError
from dnnprov.journal.folder import StoreFolder
from dnnprov.store import rebuild as rebuilding
from dnnprov.store.archive import archive_segment
from dnnprov.store.exclusive import exclusive
from dnnprov.store.rebuild import rebuild
from dnnprov.store.removal import remove_runs
from dnnprov.store.sqlite import SqliteStore
from export.recordings import document_of, export_of, record_paper_run, statements_of
from recorded import column_of, rows_of
from store.any_journal import RUNS, journal_of
from store.whole_database import contents, differences

BUNDLED = ["provn", "json", "xml", "jsonld"]


def _take(folder, journal, random):
    """Write the journal bit by bit, with processes that catch up in between."""
    store, rest = None, {key: list(lines) for key, lines in journal.items()}
    while rest:
        key = random.choice(sorted(rest))
        path = folder.segment(*key)
        size = random.choice([1, 3, len(rest[key])])
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(rest[key][:size]))
        del rest[key][:size]
        if not rest[key]:
            del rest[key]
            os.utime(path, (1, 1))  # nobody writes there any more
        if random.random() < 0.6:
            if store is None or random.random() < 0.4:
                if store:
                    store.close()
                store = SqliteStore(folder)
            store.ingest()
    if store:
        store.close()
    _catch_up(folder)


def _catch_up(folder):
    store = SqliteStore(folder)
    store.ingest()
    store.close()


SLOW = settings(
    max_examples=40,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@SLOW
@given(st.lists(RUNS, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_whatever_was_taken_in_bit_by_bit_is_in_every_table_of_a_database_made_anew(runs, random):
    place = Path(tempfile.mkdtemp())
    try:
        folder = StoreFolder(place)
        _take(folder, journal_of(runs), random)
        before = contents(folder.database)
        plans = {path.name: path.read_bytes() for path in folder.dataflows.glob("*.json")}
        rebuild(folder)
        assert differences(before, contents(folder.database)) == {}
        assert {path.name: path.read_bytes() for path in folder.dataflows.glob("*.json")} == plans
    finally:
        shutil.rmtree(place)


@SLOW
@given(st.lists(RUNS, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_what_is_left_after_runs_were_removed_is_what_a_database_made_anew_says(runs, random):
    place = Path(tempfile.mkdtemp())
    try:
        folder = StoreFolder(place)
        journal = journal_of(runs)
        _take(folder, journal, random)
        uids = sorted({run for run, _ in journal})
        gone = random.sample(uids, random.randint(1, len(uids)))
        with exclusive(folder):
            remove_runs(folder, gone)
        left = contents(folder.database)
        assert {json.loads(row)[0] for row in left["run"][1]}.isdisjoint(gone)
        plans = {path.name: path.read_bytes() for path in folder.dataflows.glob("*.json")}
        rebuild(folder)
        assert differences(left, contents(folder.database)) == {}
        assert {path.name: path.read_bytes() for path in folder.dataflows.glob("*.json")} == plans
    finally:
        shutil.rmtree(place)


# Real recordings

RECORD = """
import sys, dnnprov
store, name = sys.argv[1:]
values = {"a": {"lr": 3, "LR": "auto"}, "b": {"LR": 0.5, "Lr": 1}, "c": {"lr": "auto", "x": None}}[name]
with dnnprov.start_run("m", name=name, store=store, params=values) as run:
    for number in range(6):
        with run.task("Training" if number else f"Prepare {name}") as task:
            task.generates("oA" if name == "a" else "OA", **values, number=number)
            run.log(step=number, loss=1.0 / (number + 1))
"""


def test_processes_that_record_at_once_are_the_same_in_a_database_made_anew(store):
    """Names collide and types conflict, and three others ask meanwhile."""
    environment = {**os.environ, "DNNPROV_FOLLOW": "0"}
    recorders = [subprocess.Popen([sys.executable, "-c", RECORD, str(store), name], env=environment) for name in "abc"]
    while any(process.poll() is None for process in recorders):
        if store.exists():
            rows_of(store, "SELECT 1")
        time.sleep(0.01)
    assert [process.wait() for process in recorders] == [0, 0, 0]
    rows_of(store, "SELECT 1")
    folder = StoreFolder(store)
    before, names = contents(folder.database), (store / "names.json").read_bytes()
    rebuild(folder)
    assert differences(before, contents(folder.database)) == {}
    for path in store.glob("provenance.db*"):
        path.unlink()
    rows_of(store, "SELECT 1")
    assert differences(before, contents(folder.database)) == {}
    assert (store / "names.json").read_bytes() == names


def answers(store):
    with dnnprov.open(store) as history:
        return {
            f"Q{number}": history.ask(f"Q{number}", dataflow="alexnet").to_json_rows() for number in range(1, 9)
        } | {"runs": history.runs().to_json_rows()}


def test_questions_and_documents_are_the_same_after_a_rebuild_from_archives_alone(store):
    for number in range(3):
        record_paper_run(store, epochs=4 + number, tags={"number": str(number)})
    before, exported = answers(store), {name: export_of(store, name, dataflow="alexnet") for name in BUNDLED}
    said = statements_of(document_of(store, dataflow="alexnet", format_name="trig"))
    assert not list(StoreFolder(store).open_segments())
    assert exit_code(["rebuild"]) == 0
    assert answers(store) == before
    assert {name: export_of(store, name, dataflow="alexnet") for name in BUNDLED} == exported
    assert statements_of(document_of(store, dataflow="alexnet", format_name="trig")) == said


def test_a_names_file_that_is_damaged_costs_no_answer_and_is_written_anew(store, capsys):
    with dnnprov.start_run("m", params={"lr": 1, "LR": 2}) as run:
        run.task("Training").log(epoch=1, loss=0.5)
    rows_of(store, "SELECT 1")
    whole = (store / "names.json").read_bytes()
    hostile = json.dumps({"format": 1, "sets": [{"tag": "x", "table": 'a"; DROP TABLE run; --', "attributes": []}]})
    for damaged in (whole[:100], hostile.encode(), b'{"format": 2, "sets": []}', b"\xff"):
        (store / "names.json").write_bytes(damaged)
        assert exit_code(["rebuild"]) == 0
        assert "names.json is damaged" in capsys.readouterr().err
        assert rows_of(store, "SELECT lr, lr_2 FROM itrainingmodel") == [{"lr": 1, "lr_2": 2}]
        assert json.loads((store / "names.json").read_bytes()) == json.loads(whole)


def test_what_is_recorded_during_a_rebuild_is_in_afterwards_and_who_has_it_open_sees_that(store, monkeypatch):
    run = dnnprov.start_run("m")
    run.log(step=0, loss=0.0)
    rows_of(store, "SELECT 1")
    with dnnprov.open(store) as history:
        assert history.query("SELECT COUNT(*) AS n FROM metric") == [{"n": 1}]
        put = rebuilding._put_in_place

        def put_later(*arguments):
            run.log(step=1, loss=1.0)
            assert history.query("SELECT COUNT(*) AS n FROM metric") == [{"n": 2}]
            run.log(step=2, loss=2.0, more=1.0)
            put(*arguments)

        monkeypatch.setattr(rebuilding, "_put_in_place", put_later)
        rebuild(StoreFolder(store))
        run.log(step=3, loss=3.0)
        assert history.query("SELECT COUNT(*) AS n FROM metric") == [{"n": 5}]
        run.finish()
        assert history.query("SELECT status FROM run") == [{"status": "finished"}]


@pytest.mark.parametrize("damage", ["no database", "torn", "zeroes", "empty"])
def test_a_damaged_database_is_made_anew(store, damage, capsys):
    record_paper_run(store)
    before = answers(store)
    database = store / "provenance.db"
    content = database.read_bytes()
    database.write_bytes(
        {
            "no database": b"something else" * 1000,
            "torn": content[: len(content) // 2],
            "zeroes": content[:4096] + bytes(8192) + content[12288:],
            "empty": b"",
        }[damage]
    )
    if damage == "no database":
        assert exit_code(["runs"]) == 1
        assert "`dnnprov rebuild`" in capsys.readouterr().err
    assert exit_code(["rebuild", "--yes"]) == 0
    assert answers(store) == before
    assert sorted(path.name for path in store.glob("provenance.db*")) == ["provenance.db"]


REBUILD = """
import sys
from pathlib import Path
from dnnprov.journal.folder import StoreFolder
from dnnprov.store.rebuild import rebuild
print("ready", flush=True)
while True:
    rebuild(StoreFolder(Path(sys.argv[1])))
"""


def test_killed_at_any_moment_of_a_rebuild_a_whole_database_is_there(store):
    for number in range(4):
        record_paper_run(store, name=f"n{number}")
    before = answers(store)
    said = contents(store / "provenance.db")
    for _ in range(12):
        child = subprocess.Popen([sys.executable, "-c", REBUILD, str(store)], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(random.uniform(0, 0.3))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        with closing(sqlite3.connect(store / "provenance.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT COUNT(*) FROM run").fetchone() == (4,)
        assert differences(said, contents(store / "provenance.db")) == {}
    assert answers(store) == before
    rebuild(StoreFolder(store))
    assert not (store / "provenance.db.rebuilding").exists()


def test_a_disk_that_is_full_leaves_the_old_database(store, monkeypatch, capsys):
    record_paper_run(store)
    before = answers(store)
    really_connect = sqlite3.connect

    def connect_on_a_small_disk(database, **options):
        connection = really_connect(database, **options)
        if str(database).endswith(".rebuilding"):
            connection.execute("PRAGMA max_page_count = 40")
        return connection

    monkeypatch.setattr(rebuilding.sqlite3, "connect", connect_on_a_small_disk)
    assert exit_code(["rebuild"]) == 1
    monkeypatch.undo()
    told = capsys.readouterr().err
    assert "could not be made anew: database or disk is full; the old one is as it was" in told
    assert answers(store) == before
    assert sorted(path.name for path in store.glob("provenance.db*")) == ["provenance.db"]


@pytest.mark.parametrize("lost", ["deleted", "damaged"])
def test_what_only_the_database_still_has_is_not_lost_unless_that_is_wanted(store, lost, capsys):
    first = record_paper_run(store, name="first")
    record_paper_run(store, name="second")
    rows_of(store, "SELECT 1")
    (archived,) = (store / "journal" / "archive" / first.uid).iterdir()
    if lost == "deleted":
        archived.unlink()
    else:
        archived.write_bytes(archived.read_bytes()[:300])
    assert exit_code(["rebuild"]) == 1
    told = capsys.readouterr().err
    assert "1 of 2 journal segments that the database was made from, of 1 runs, are gone or damaged" in told
    assert first.uid in told
    assert "--yes" in told
    assert column_of(store, "SELECT COUNT(*) FROM otrainingmodel") == [12]
    assert exit_code(["rebuild", "--yes"]) == 0
    assert column_of(store, "SELECT name FROM run WHERE status = 'finished'") == ["second"]


def test_two_rebuilds_at_once_are_told(store, capsys):
    record_paper_run(store)
    rows_of(store, "SELECT 1")
    with exclusive(StoreFolder(store)):
        assert exit_code(["rebuild"]) == 1
        assert "another `dnnprov rebuild` or `dnnprov gc` works on the store" in capsys.readouterr().err
    assert exit_code(["rebuild", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_runs"] == 1


def test_a_run_whose_process_was_killed_is_the_same_when_its_journal_is_compressed(store):
    code = "import os, dnnprov; run = dnnprov.start_run('m'); run.log(loss=1.0); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], check=False)
    folder = StoreFolder(store)
    (segment,) = folder.open_segments()
    with segment.open("ab") as file:
        file.write(b'{"event": "Met')
    assert column_of(store, "SELECT status FROM run") == ["crashed"]
    assert column_of(store, "SELECT kind FROM problem") == ["torn_event"]
    before = contents(folder.database)
    assert archive_segment(folder, segment, segment.stat().st_size)
    rebuild(folder)
    assert differences(before, contents(folder.database)) == {}


def test_a_store_that_was_never_asked_can_be_rebuilt(store):
    with dnnprov.start_run("m") as run:
        run.log(loss=1.0)
    done = rebuild(StoreFolder(store))
    assert (done.num_runs, done.bytes_before) == (1, 0)
    with pytest.raises(StoreError):
        rebuild(StoreFolder(store.parent / "none"))


def test_it_counts_on_a_terminal_what_it_reads(store, monkeypatch, capsys):
    for _ in range(3):
        record_paper_run(store)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert exit_code(["rebuild"]) == 0
    said = capsys.readouterr()
    assert "3 of 3 journal segments read\n" in said.err
    assert said.out.startswith("rebuilt in ")
    assert "3 runs" in said.out
