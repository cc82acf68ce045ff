"""`dnnprov doctor` on stores that have one fault each: it is named, with what to do, and losses make it exit with 1."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import shutil
import sqlite3

import pytest

import dnnprov
from dnnprov.analysis.store_state import ADVICE
from dnnprov.cli.main import exit_code
from dnnprov.journal import database_place
from dnnprov.journal.folder import StoreFolder
from recorded import column_of


@pytest.fixture
def doctor(store, capsys):
    """The exit code, kinds of findings and problems, and what is printed for people."""

    def examine():
        capsys.readouterr()
        code = exit_code(["--store", str(store), "doctor"])
        text = capsys.readouterr().out
        assert exit_code(["--store", str(store), "doctor", "--json"]) == code
        found = json.loads(capsys.readouterr().out)
        kinds = [finding["kind"] for finding in found["findings"]]
        for kind in kinds:
            assert kind in text
            assert ADVICE[kind] in text
        return code, kinds, found, text

    return examine


@pytest.fixture
def recorded(store):
    for number in range(3):
        with dnnprov.start_run("m", params={"a": number}) as run, run.task("Training") as training:
            training.log(epoch=1, loss=1.0)
    column_of(store, "SELECT 1")
    return StoreFolder(store)


def test_a_sound_store_has_nothing_to_mend(recorded, doctor):
    code, kinds, found, text = doctor()
    assert (code, kinds) == (0, [])
    assert "no problems" in text
    assert (found["num_open"], found["num_archived"]) == (0, 3)
    assert found["database"] == str(recorded.database)
    assert found["database_bytes"] > 0
    assert found["journal_bytes"] > 0
    assert found["is_writable"]
    assert found["runs"] == {"finished": 3}


def test_what_is_lost_is_told_with_its_number_and_its_runs(store, doctor, monkeypatch):
    whole_write, is_full = os.write, False

    def write(descriptor, data):
        if is_full:
            raise OSError(28, "No space left on device")
        return whole_write(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    for number in range(1, 8):
        with pytest.warns(RuntimeWarning), dnnprov.start_run("m") as run:
            run.recorder.drain()
            is_full = True
            for _ in range(number):
                run.log(a=1.0)
            is_full = False
            run.log(a=1.0)
    monkeypatch.undo()
    code, kinds, found, text = doctor()
    (problem,) = found["problems"]
    assert (code, kinds) == (1, [])
    assert (problem["kind"], problem["count"], problem["num_events"], problem["num_runs"]) == ("lost", 7, 28, 7)
    assert "lost: 28 events" in text
    assert "runs: m-7, m-6, m-5, m-4, m-3 and 2 more" in text


def test_a_damaged_database_is_named_with_what_makes_it_anew(recorded, doctor):
    recorded.database.write_bytes(b"garbage" * 1000)
    code, kinds, found, text = doctor()
    assert (code, kinds) == (1, ["damaged_database"])
    assert "dnnprov rebuild" in text
    assert found["num_archived"] == 3
    assert exit_code(["--store", str(recorded.path), "rebuild"]) == 0
    assert doctor()[0] == 0
    assert column_of(recorded.path, "SELECT COUNT(*) FROM otrainingmodel") == [3]


def _without_a_line(content):
    lines = content.splitlines(keepends=True)
    return b"".join(lines[:3] + lines[4:])


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("corrupt_line", lambda content: content.replace(b'"loss"', b"\0loss\0", 1)),
        ("missing_events", _without_a_line),
        ("damaged_archive", None),
        ("refused_segment", lambda _: b"no journal\n"),
    ],
)
def test_what_a_damaged_journal_needs_is_said_and_works(recorded, doctor, kind, damage):
    path = next(iter(recorded.archived_segments()))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage is None else gzip.compress(damage(gzip.decompress(whole))))
    recorded.database.unlink()
    code, _, found, text = doctor()
    assert (code, [problem["kind"] for problem in found["problems"]]) == (1, [kind])
    assert "then run dnnprov rebuild" in text
    path.write_bytes(whole)
    assert exit_code(["--store", str(recorded.path), "rebuild"]) == 0
    assert (doctor()[0], doctor()[2]["problems"]) == (0, [])
    assert column_of(recorded.path, "SELECT COUNT(*) FROM otrainingmodel") == [3]


def test_a_database_that_cannot_be_made_is_named(recorded, doctor):
    for path in recorded.path.glob("provenance.db*"):
        path.unlink()
    recorded.database.mkdir()
    code, kinds, found, text = doctor()
    assert (code, kinds) == (1, ["no_database"])
    assert "cannot be written" in text
    assert found["num_archived"] == 3


def test_journals_that_are_gone_or_wait_for_the_archive_are_named(recorded, doctor, monkeypatch):
    run = next(path for path in recorded.archive.iterdir() if path.is_dir())
    shutil.rmtree(run)
    monkeypatch.setattr("dnnprov.store.ingest.archive_segment", lambda *_: False)
    with dnnprov.start_run("m"):
        pass
    code, kinds, _, text = doctor()
    assert (code, kinds) == (0, ["journals_missing", "not_archived"])
    assert f"1 journals of 1 runs are gone, the first: {run.name}/" in text


def test_a_journal_that_cannot_be_read_is_named_and_makes_it_exit_with_1(recorded, doctor):
    (recorded.journal / "abcd" / "r0-x.jsonl").mkdir(parents=True)
    os.utime(recorded.journal / "abcd", (10**9, 10**9))  # long ago; what is quiet is not looked through again and again
    code, kinds, _, text = doctor()
    assert (code, kinds) == (1, ["unreadable_journals"])
    assert "r0-x.jsonl" in text


def test_little_room_is_named(recorded, doctor, monkeypatch):
    usage = shutil.disk_usage(recorded.path)._replace(free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, kinds, _, text = doctor()
    assert (code, kinds) == (0, ["little_space"])
    assert "1.0 MB are free" in text


def test_a_store_on_a_network_file_system_without_a_better_place_is_named(recorded, doctor, monkeypatch, tmp_path):
    (tmp_path / "mounts").write_text("21 1 8:1 / / rw - nfs4 server:/ rw\n")
    monkeypatch.setattr(database_place, "MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(database_place, "_known", {})
    code, kinds, _, text = doctor()
    assert (code, kinds) == (0, ["locks_unsafe"])
    assert "DNNPROV_CACHE" in text


def test_a_database_of_another_version_is_refused_as_by_every_command(recorded, capsys):
    connection = sqlite3.connect(recorded.database)
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()
    assert exit_code(["--store", str(recorded.path), "doctor"]) == 4
    assert "99" in capsys.readouterr().err


def test_a_follower_at_work_is_told(recorded, doctor):
    with recorded.follower_lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _, _, found, text = doctor()
        assert found["is_followed"]
        assert "follower  at work" in text
    assert not doctor()[2]["is_followed"]
