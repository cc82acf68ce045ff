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
from dnnprov.store import ingest
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


@pytest.mark.slow
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


@pytest.mark.slow
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


def record_names_that_collide(store):
    """The run that began later is heard first, and gives the names that the order of the journals would not give."""
    first, second = dnnprov.start_run("m", name="first"), dnnprov.start_run("m", name="second")
    second.task("Split").log(**{"lo ss": "text", "x": 0.5})
    rows_of(store, "SELECT 1")
    first.task("Split").log(lo_ss=3, x="auto")
    first.finish()
    second.finish()


def split_of(store):
    """What people's SQL says of it, and which of the names of the store is which."""
    rows = rows_of(store, "SELECT lo_ss, lo_ss_2, x, x_text FROM osplit JOIN run USING (run_id) ORDER BY name")
    return [tuple(row.values()) for row in rows]


SPLIT = [(None, 3, None, "auto"), ("text", None, 0.5, None)]


@pytest.mark.parametrize("fault", ["deleted", "torn", "hostile", "no text"])
def test_without_its_names_file_a_store_keeps_the_names_of_its_database(store, capsys, fault):
    record_names_that_collide(store)
    assert split_of(store) == SPLIT
    file = store / "names.json"
    whole = file.read_bytes()
    hostile = {"format": 1, "sets": [{"tag": "x", "table": 'a"; DROP TABLE run; --', "attributes": []}]}
    damaged = {"torn": whole[:100], "hostile": json.dumps(hostile).encode(), "no text": b"\xff"}
    if fault == "deleted":
        file.unlink()
    else:
        file.write_bytes(damaged[fault])
    assert exit_code(["rebuild"]) == 0
    assert ("names.json is damaged" in capsys.readouterr().err) == (fault != "deleted")
    assert split_of(store) == SPLIT
    assert json.loads(file.read_bytes()) == json.loads(whole)


def test_a_names_file_of_a_later_program_is_left_as_it_is_and_that_is_said(store, capsys):
    record_names_that_collide(store)
    assert split_of(store) == SPLIT
    file, later = store / "names.json", b'{"format": 2, "names": {}}'
    file.write_bytes(later)
    with dnnprov.start_run("m", name="third") as run:
        run.task("Split").log(more=1)
    assert exit_code(["rebuild"]) == 0
    assert "names.json has format 2, this dnnprov knows 1: a later one wrote it" in capsys.readouterr().err
    assert split_of(store)[:2] == SPLIT
    assert file.read_bytes() == later


def test_names_that_an_interrupted_catch_up_gave_are_not_lost_with_the_database(store, monkeypatch):
    record_names_that_collide(store)

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ingest, "find_ended_runs", interrupt)
        with pytest.raises(KeyboardInterrupt):
            rows_of(store, "SELECT 1")
    (store / "provenance.db").unlink()
    assert split_of(store) == SPLIT


def test_names_that_another_machine_overwrote_are_in_the_file_again_with_the_next_catch_up(store):
    run = dnnprov.start_run("m")
    reading = SqliteStore(StoreFolder(store))
    reading.ingest()
    file = store / "names.json"
    before = file.read_bytes()
    run.task("Split").log(mine=1)
    reading.ingest()
    with_mine = file.read_bytes()
    late = file.with_name("late")
    late.write_bytes(before)  # read before, written after
    late.replace(file)
    reading.ingest()
    assert file.read_bytes() == with_mine
    reading.close()


def test_machines_whose_databases_name_things_otherwise_leave_the_file_alone_once_both_are_in(store, monkeypatch):
    """The same names, given in another order, as each read another journal first."""
    monkeypatch.setenv("DNNPROV_CACHE", str(store / "one"))
    record_names_that_collide(store)
    folder, file = StoreFolder(store), store / "names.json"
    one = SqliteStore(folder)
    one.ingest()
    file.unlink()
    monkeypatch.setenv("DNNPROV_CACHE", str(store / "other"))
    other = SqliteStore(folder)
    other.ingest()
    seen = set()
    for _ in range(3):
        one.ingest()
        other.ingest()
        seen.add((file.stat().st_ino, file.stat().st_mtime_ns))
    assert one.read("SELECT lo_ss FROM osplit")[1] != other.read("SELECT lo_ss FROM osplit")[1]
    assert len(seen) == 1
    one.close()
    other.close()


def test_tables_and_views_that_people_made_keep_their_names(store):
    with dnnprov.start_run("m"):
        pass
    rows_of(store, "SELECT 1")
    with closing(sqlite3.connect(store / "provenance.db")) as connection, connection:
        connection.execute("CREATE TABLE Notes (about TEXT)")
        connection.execute("CREATE VIEW best AS SELECT name FROM run_overview")
    with dnnprov.start_run("m") as run, run.task("T") as task:
        task.generates("notes", b=1)
        task.generates("best", b=2)
    assert column_of(store, "SELECT detail FROM problem") == []
    for _ in range(2):
        assert column_of(store, "SELECT b FROM notes_2 UNION SELECT b FROM best_2") == [1, 2]
        rebuild(StoreFolder(store))


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
