"""Databases of older versions: brought up to date whole or not at all, by one process, also when it is killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from contextlib import closing
from pathlib import Path

import pytest

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.errors import SchemaVersionError
from dnnprov.journal.folder import StoreFolder
from dnnprov.store import database_file
from dnnprov.store.follower import follow
from dnnprov.store.migrations import schema_version
from dnnprov.store.rebuild import rebuild
from dnnprov.store.schema import SCHEMA_VERSION
from dnnprov.store.sqlite import SqliteStore, open_store
from recorded import column_of, rows_of
from store import version_1
from store.whole_database import contents, differences

VERSION_2 = Path(__file__).with_name("version_2.tar.gz")
"""A store as version 2 left it: a Keras run with an adaptation, one that derives from it with a new step, one with text
where numbers were and more attributes than columns, and one that was killed in the middle of a write."""

VERSION_3 = Path(__file__).with_name("version_3.tar.gz")
"""A store as version 3 left it: a run with filters, an adaptation and a forked child, one that failed and was resumed,
and one that was killed."""


@pytest.fixture(params=[1, 2, 3])
def old_store(store, request):
    """A store with journals, and the database that an older version made of them."""
    if request.param == 1:
        version_1.write_journals(store)
        with closing(sqlite3.connect(store / "provenance.db")) as connection:
            connection.executescript(version_1.DUMP.read_text())
    else:
        with tarfile.open({2: VERSION_2, 3: VERSION_3}[request.param]) as archive:
            archive.extractall(store, filter="data")
        for path in (store / "journal").rglob("*.jsonl"):
            os.utime(path, (1, 1))
    assert version_of(store) == request.param
    return store


def version_of(store):
    with closing(sqlite3.connect(store / "provenance.db")) as connection:
        return schema_version(connection)


def said(store):
    """The contents of a database, but for the length of journals and for words of messages that changed since."""
    found = contents(store / "provenance.db")
    del found["journal_position"]
    columns, rows = found["problem"]
    found["problem"] = columns, sorted(row.replace("is no integer", "is no number") for row in rows)
    return found


def test_an_old_database_says_afterwards_what_one_made_anew_says(old_store):
    open_store(old_store).close()
    assert version_of(old_store) == SCHEMA_VERSION
    column_of(old_store, "SELECT 1")
    migrated = said(old_store)
    rebuild(StoreFolder(old_store))
    assert differences(migrated, said(old_store)) == {}


def test_an_old_database_keeps_all_that_is_in_it_without_any_journal(old_store):
    with closing(sqlite3.connect(old_store / "provenance.db")) as connection:
        tables = ("run", "task", "metric_value", "otrainingmodel", "itrainingmodel", "element_value", "problem", "file")
        before = {table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables}
        losses = connection.execute("SELECT epoch, loss FROM otrainingmodel ORDER BY element_id").fetchall()
    shutil.rmtree(old_store / "journal")
    (old_store / "journal").mkdir()
    assert {table: column_of(old_store, f"SELECT COUNT(*) FROM {table}")[0] for table in tables} == before
    rows = rows_of(old_store, "SELECT epoch, loss FROM otrainingmodel ORDER BY element_id")
    assert [tuple(row.values()) for row in rows] == losses
    with dnnprov.start_run("alexnet", name="new") as run:
        run.task("Training").log(epoch=1, loss=0.1)
    assert column_of(old_store, "SELECT status FROM run WHERE name = 'new'") == ["finished"]


def test_the_overview_of_version_2_is_answered_with_the_same_values(store):
    with tarfile.open(VERSION_2) as archive:
        archive.extractall(store, filter="data")
    sql = (
        "SELECT name, status, last_epoch, accuracy, accuracy_source, learning_rate, warmup FROM run_overview ORDER BY 1"
    )
    with closing(sqlite3.connect(store / "provenance.db")) as connection:
        before = connection.execute(sql).fetchall()
    assert [tuple(row.values()) for row in rows_of(store, sql)] == before
    assert len(before) == 4


def test_views_that_people_made_are_there_afterwards_and_answer(old_store):
    with closing(sqlite3.connect(old_store / "provenance.db")) as connection, connection:
        connection.execute("CREATE VIEW my_losses AS SELECT run_id, value FROM metric")
        connection.execute("CREATE VIEW mine AS SELECT name, last_epoch FROM run_overview")
        connection.execute("CREATE VIEW of_nothing AS SELECT gone FROM my_losses")
        connection.execute("CREATE TABLE notes (about TEXT)")
        connection.execute("CREATE TRIGGER noted AFTER UPDATE ON run BEGIN INSERT INTO notes VALUES (new.name); END")
        before = connection.execute("SELECT * FROM my_losses").fetchall()
    open_store(old_store).close()
    assert version_of(old_store) == SCHEMA_VERSION
    with closing(sqlite3.connect(old_store / "provenance.db")) as connection, connection:
        assert connection.execute("SELECT * FROM my_losses").fetchall() == before
        assert connection.execute("SELECT COUNT(*) FROM mine").fetchone()[0] > 0
        connection.execute("UPDATE run SET name = 'noted' WHERE run_id = 1")
        assert connection.execute("SELECT about FROM notes").fetchall() == [("noted",)]


def test_a_table_of_ours_that_people_made_before_is_told_with_the_way_on(old_store, capsys):
    with closing(sqlite3.connect(old_store / "provenance.db")) as connection, connection:
        connection.execute("CREATE TABLE rank_state_running (mine TEXT)")
    assert exit_code(["runs"]) == 1
    told = capsys.readouterr().err
    assert "there is already a table named rank_state_running" in told
    assert "`dnnprov rebuild`" in told
    assert version_of(old_store) == 3
    assert exit_code(["rebuild", "--yes"]) == 0
    assert exit_code(["runs"]) == 0


def test_a_rebuild_of_an_old_database_keeps_the_names_that_it_gave(old_store):
    with closing(sqlite3.connect(old_store / "provenance.db")) as connection, connection:
        connection.execute("ALTER TABLE itrainingmodel RENAME COLUMN warmup TO given_first")
        connection.execute(
            "UPDATE attribute SET column_name = 'given_first' WHERE name = 'warmup' AND overflow_of IS NULL"
        )
        names = connection.execute("SELECT name, column_name, type FROM attribute").fetchall()
    (old_store / "names.json").unlink(missing_ok=True)  # which versions before 3 do not leave
    rebuild(StoreFolder(old_store), accepts=lambda _: True)
    with closing(sqlite3.connect(old_store / "provenance.db")) as connection:
        kept = connection.execute("SELECT name, column_name, type FROM attribute").fetchall()
    assert set(names) <= set(kept)


MIGRATE = """
import sys
from dnnprov.store.sqlite import SqliteStore
from dnnprov.journal.folder import StoreFolder
from pathlib import Path
print("ready", flush=True)
SqliteStore(StoreFolder(Path(sys.argv[1]))).close()
"""


def test_killed_at_any_moment_of_a_migration_nothing_is_lost_and_the_next_one_finishes(old_store, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(old_store, whole)
    open_store(whole).close()
    expected = contents(whole / "provenance.db")
    seen = set()
    for number in range(12):
        place = tmp_path / str(number)
        shutil.copytree(old_store, place)
        child = subprocess.Popen([sys.executable, "-c", MIGRATE, str(place)], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(random.uniform(0, 0.02))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        seen.add(version_of(place))
        open_store(place).close()
        assert differences(expected, contents(place / "provenance.db")) == {}
    assert seen <= set(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("room", [0, 1])
def test_a_disk_that_is_full_in_a_migration_is_told_and_leaves_the_old_database(old_store, room, monkeypatch, capsys):
    before, version = contents_of_old(old_store), version_of(old_store)
    really_open = database_file._open

    def open_on_a_small_disk(uri):
        connection = really_open(uri)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + room}")
        return connection

    monkeypatch.setattr(database_file, "_open", open_on_a_small_disk)
    assert exit_code(["runs", "--store", str(old_store)]) == 4
    told = capsys.readouterr().err
    assert f"schema version {version}, this dnnprov knows version {SCHEMA_VERSION}" in told
    assert "is as it was: database or disk is full; give write access and free space" in told
    assert contents_of_old(old_store) == before
    monkeypatch.setattr(database_file, "_open", really_open)
    assert exit_code(["runs", "--store", str(old_store)]) == 0


def contents_of_old(store):
    with closing(sqlite3.connect(store / "provenance.db")) as connection:
        return list(connection.iterdump())


def test_of_processes_that_migrate_at_once_one_does_it_and_all_go_on(old_store):
    children = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, str(old_store)], stdout=subprocess.DEVNULL) for _ in range(4)
    ]
    assert [child.wait() for child in children] == [0] * 4
    assert version_of(old_store) == SCHEMA_VERSION
    assert column_of(old_store, "SELECT COUNT(*) FROM schema_version") == [1]


# A program that is older than the store


@pytest.fixture
def newer_store(store):
    """A store that a later dnnprov works with."""
    with dnnprov.start_run("m", name="before") as run:
        run.task("Training").log(epoch=1, loss=0.5)
    column_of(store, "SELECT 1")
    with closing(sqlite3.connect(store / "provenance.db")) as connection, connection:
        connection.execute("UPDATE schema_version SET version = 99")
        connection.execute("ALTER TABLE run RENAME COLUMN name TO called")
    return store


def test_an_older_program_refuses_with_the_command_to_run_and_goes_on_recording(newer_store, capsys):
    before = contents_of_old(newer_store)
    assert exit_code(["runs"]) == 4
    told = capsys.readouterr().err
    assert "version 99" in told
    assert f"version {SCHEMA_VERSION}" in told
    assert f"`dnnprov rebuild --store {newer_store}`" in told
    assert "pip install --upgrade dnnprov" in told
    with dnnprov.start_run("m", name="after") as run:
        run.task("Training").log(epoch=1, loss=0.25)
    assert contents_of_old(newer_store) == before
    assert follow(StoreFolder(newer_store), idle_seconds=0.1) == 0
    assert exit_code(["rebuild"]) == 0
    assert column_of(newer_store, "SELECT name FROM run ORDER BY started_at") == ["before", "after"]


def test_whoever_has_it_open_writes_nothing_more_once_a_later_program_upgraded_the_store(store):
    with dnnprov.start_run("m") as run:
        run.log(loss=1.0)
        reading = SqliteStore(StoreFolder(store))
        reading.ingest()
        with closing(sqlite3.connect(store / "provenance.db")) as connection, connection:
            connection.execute("UPDATE schema_version SET version = 99")
        run.log(loss=0.5)
        with pytest.raises(SchemaVersionError, match="version 99"):
            reading.ingest()
        reading.close()
    with closing(sqlite3.connect(store / "provenance.db")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM metric_value").fetchone() == (1,)
