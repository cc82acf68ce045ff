"""What holds for every import: whole or not at all, once, marked as imported, brought back by a rebuild."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import re
import subprocess
import sys
import termios
import time

import pytest

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.errors import ImportSourceError
from dnnprov.importers.imported_run import ImportedRun, describe_source
from dnnprov.importers.importing import import_runs
from dnnprov.importers.told_training import ToldTraining
from dnnprov.journal.folder import StoreFolder

LOG = "epoch,accuracy,loss\n0,0.5,1.25\n1,0.75,0.5\n"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "training.csv"
    path.write_text(LOG, encoding="utf-8")
    return path


def everything_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_importing_twice_changes_nothing(store, log, capsys):
    assert exit_code(["import", "csvlogger", str(log), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    with dnnprov.open() as history:
        before = history.sql("SELECT * FROM otrainingmodel"), history.sql("SELECT * FROM run")
    files = {name for name in everything_below(store) if name.startswith("journal")}
    assert exit_code(["import", "csvlogger", str(log), "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert (len(first["new"]), first["known"]) == (1, [])
    assert (second["new"], second["known"]) == ([], first["new"])
    with dnnprov.open() as history:
        assert (history.sql("SELECT * FROM otrainingmodel"), history.sql("SELECT * FROM run")) == before
    assert {name for name in everything_below(store) if name.startswith("journal")} == files


def test_a_source_that_was_moved_and_imported_again_before_any_question_is_the_same_run(store, log):
    assert exit_code(["import", "csvlogger", str(log)]) == 0
    moved = log.rename(log.with_name("elsewhere.csv"))
    assert exit_code(["import", "csvlogger", str(moved)]) == 0
    with dnnprov.open() as history:
        assert [run["name"] for run in history.runs()] == ["training"]


def test_the_run_says_that_it_was_imported_by_what_and_from_which_file(store, log):
    assert exit_code(["import", "csvlogger", str(log)]) == 0
    with dnnprov.open() as history:
        view = history.run("training")
        assert view.run["tags"]["imported_from"] == "Keras CSVLogger"
        (file,) = view.files
        assert (file["path"], file["role"], file["relation"]) == (str(log), "import source", "used")
        assert file["sha256"] == hashlib.sha256(LOG.encode()).hexdigest()
        agents = history.sql("SELECT name, version FROM agent WHERE kind = 'software' ORDER BY name")
        assert [(row["name"], row["version"]) for row in agents] == [
            ("Keras CSVLogger", ""),
            ("dnnprov", dnnprov.__version__),
            ("dnnprov import csvlogger", dnnprov.__version__),
        ]


def test_a_rebuild_brings_imports_back(store, log):
    assert exit_code(["import", "csvlogger", str(log)]) == 0
    with dnnprov.open() as history:
        before = history.ask("Q1", epoch=1).rows, history.ask("Q5").rows
    for database in store.glob("provenance.db*"):
        database.unlink()
    with dnnprov.open() as history:
        assert (history.ask("Q1", epoch=1).rows, history.ask("Q5").rows) == before
        assert before[0][0]["value"] == 0.5


def test_a_source_that_breaks_off_leaves_no_store_where_there_was_none(store, log, capsys):
    log.write_text(LOG + "2,0.8\n", encoding="utf-8")
    assert exit_code(["import", "csvlogger", str(log)]) == 1
    error = capsys.readouterr().err
    assert "line 4 has 2 values; expected 3" in error
    assert not store.exists()


def test_a_source_whose_second_run_fails_leaves_the_store_as_it_was(store, log):
    assert exit_code(["import", "csvlogger", str(log)]) == 0
    with dnnprov.open():
        pass
    before = everything_below(store)
    source = describe_source(log)

    def fine(segment):
        ToldTraining(segment).end()

    def broken(segment):
        ToldTraining(segment)
        raise ImportSourceError(log, "its second training is torn")

    def read(place):
        assert place.is_dir()
        for key, record in (("a", fine), ("b", broken)):
            yield ImportedRun(key, "m", key, (source,), "t", "test", record, source.modified, source.modified)

    with pytest.raises(ImportSourceError, match="second training"):
        import_runs(StoreFolder(store), read)
    assert everything_below(store) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from dnnprov.importers.imported_run import ImportedRun, describe_source
from dnnprov.importers.importing import import_runs
from dnnprov.importers.told_training import ToldTraining
from dnnprov.journal.folder import StoreFolder

def record(segment):
    training = ToldTraining(segment)
    for epoch in range(100_000):
        training.epoch({"epoch": epoch, "loss": 1.0})
    os.kill(os.getpid(), signal.SIGKILL)

source = describe_source(Path(sys.argv[2]))
import_runs(StoreFolder(Path(sys.argv[1])), lambda _: [
    ImportedRun("", "m", "killed", (source,), "t", "test", record, source.modified, source.modified)])
"""


def test_of_a_killed_import_nothing_is_seen_and_the_next_one_clears_it_away(store, log):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store), str(log)], check=False)
    assert killed.returncode == -9
    (left,) = store.glob("importing-*")
    assert not StoreFolder(store).exists()
    long_ago = time.time() - 3600
    os.utime(left, (long_ago, long_ago))
    assert exit_code(["import", "csvlogger", str(log)]) == 0
    assert not list(store.glob("importing-*"))
    with dnnprov.open() as history:
        assert [run["name"] for run in history.runs()] == ["training"]


def test_an_import_goes_on_beside_one_whose_folder_is_old_but_whose_process_lives(store, log):
    script = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "print(flush=True); sys.stdin.read()")
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(store), str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline()
    (working,) = store.glob("importing-*")
    long_ago = time.time() - 3600
    os.utime(working, (long_ago, long_ago))
    assert exit_code(["import", "csvlogger", str(log)]) == 0
    child.communicate()
    assert child.returncode == 0
    with dnnprov.open() as history:
        assert {run["name"] for run in history.runs()} == {"training", "killed"}
        assert history.sql("SELECT COUNT(*) AS n FROM otrainingmodel WHERE loss = 1.0") == [{"n": 100_000}]


def test_a_missing_source_is_named(store, tmp_path, capsys):
    assert exit_code(["import", "csvlogger", str(tmp_path / "none.csv")]) == 1
    assert "none.csv' was not imported: No such file or directory" in capsys.readouterr().err
    assert not store.exists()


def test_a_bar_on_a_terminal_shows_how_far_it_is_and_nothing_goes_to_stdout(store, log):
    log.write_text("epoch,loss\n" + "".join(f"{n},0.5\n" for n in range(60_000)), encoding="utf-8")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    command = [sys.executable, "-m", "dnnprov", "import", "csvlogger", str(log)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as child:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal is gone with the process
            while piece := os.read(ours, 4096):
                shown += piece
        assert child.stdout.read() == b""
    os.close(ours)
    assert child.returncode == 0
    assert re.search(rb"importing.*[0-9.]+/[0-9.]+ .?B", shown)
    assert b"1 runs imported" in shown


def test_several_imports_of_one_source_at_once_make_one_run(store, log):
    log.write_text("epoch,loss\n" + "".join(f"{n},0.5\n" for n in range(5_000)), encoding="utf-8")
    command = [sys.executable, "-m", "dnnprov", "import", "csvlogger", str(log), "--json"]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(6)]
    done = [json.loads(child.communicate()[0]) for child in children]
    assert [child.returncode for child in children] == [0] * 6
    assert sorted(len(one["new"]) for one in done) == [0] * 5 + [1]
    assert not list(store.glob("importing-*"))
    with dnnprov.open() as history:
        assert len(history.runs()) == 1
        assert history.sql("SELECT COUNT(*) AS n FROM otrainingmodel") == [{"n": 5_000}]
