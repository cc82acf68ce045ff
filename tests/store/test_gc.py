"""`dnnprov gc`: what goes, what stays, what is asked and told, and that a kill leaves nothing half."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import dnnprov
from dnnprov.cli import gc as gc_command
from dnnprov.cli.main import exit_code
from dnnprov.errors import UsageError
from dnnprov.journal.folder import StoreFolder
from dnnprov.store import ingest, removal, retention
from dnnprov.store.rebuild import rebuild
from dnnprov.store.removal import remove_runs, unfinished
from dnnprov.store.retention import parse_age
from dnnprov.store.sqlite import SqliteStore
from export.recordings import document_of, record_paper_run
from recorded import column_of, rows_of
from store.whole_database import contents, differences

KILLED = """
import os, sys, dnnprov
run = dnnprov.start_run("m", name="killed", store=sys.argv[1])
run.task("Training").log(epoch=1, loss=2.0)
os.kill(os.getpid(), 9)
"""


def record(name, dataflow="m", status="finished", **options):
    run = dnnprov.start_run(dataflow, name=name, **options)
    run.task("Training").log(epoch=1, loss=0.5)
    run.log(step=0, batch_loss=1.0)
    run.finish(status)
    return run


def names(store):
    return column_of(store, "SELECT name FROM run ORDER BY name")


@pytest.fixture
def answering(monkeypatch):
    """Somebody at a terminal who answers."""

    def answer(text):
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: text)

    return answer


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["--status", "failed"], ["a", "b"]),
        (["--status", "failed", "--status", "stopped"], ["a"]),
        (["--tag", "kind"], ["c"]),
        (["--tag", "kind=try"], ["b", "c"]),
        (["--tag", "kind", "--status", "stopped"], ["a", "c"]),
        (["--dataflow", "z"], ["a", "b"]),
        (["--older-than", "1h"], ["a", "b", "c"]),
        (["--older-than", "0s"], []),
        (["a", "b"], ["c"]),
        (["a", "b", "--tag", "kind=best"], ["a", "c"]),
    ],
)
def test_goes_what_meets_every_condition(store, arguments, left):
    record("a", tags={"kind": "try"})
    record("b", status="stopped", tags={"kind": "best"})
    record("c", dataflow="z", status="failed")
    assert exit_code(["gc", *arguments, "--yes"]) == 0
    assert names(store) == left
    said = contents(store / "provenance.db")
    rebuild(StoreFolder(store))
    assert differences(said, contents(store / "provenance.db")) == {}
    assert names(store) == left


def test_old_is_what_ended_long_ago(store):
    for number, name in enumerate(["old", "new"]):
        run = record(name)
        rows_of(store, "SELECT 1")
        if not number:
            with closing(sqlite3.connect(store / "provenance.db")) as connection, connection:
                connection.execute("UPDATE run SET ended_at = '2020-01-01T00:00:00.000000Z' WHERE uid = ?", (run.uid,))
    assert exit_code(["gc", "--older-than", "365d", "--yes"]) == 0
    assert names(store) == ["new"]


def test_it_asks_with_a_list_and_takes_no_for_an_answer(store, answering, capsys):
    record("precious")
    answering("n")
    assert exit_code(["gc", "precious"]) == 0
    said = capsys.readouterr()
    assert re.search(r"precious +\w{16} +m +finished", said.out)
    assert "nothing was removed" in said.err
    assert names(store) == ["precious"]
    answering("y")
    assert exit_code(["gc", "precious"]) == 0
    assert "removed 1 run; freed" in capsys.readouterr().out
    assert names(store) == []


@pytest.mark.parametrize(
    ("status", "condition", "why"),
    [
        (None, "--dataflow=m", "it is running"),
        ("failed", "--status=finished", "it changed meanwhile, and is none that was asked for"),
    ],
)
def test_a_run_that_is_resumed_while_the_question_stands_stays(
    store, answering, monkeypatch, capsys, status, condition, why
):
    precious, _ = record("precious"), record("worthless")
    resumed = []

    def answer(_):
        resumed.append(dnnprov.start_run("m", resume=precious.uid))
        resumed[0].log(step=1, batch_loss=0.5)
        if status:
            resumed[0].finish(status)
        return "y"

    answering("y")
    monkeypatch.setattr("click.termui.visible_prompt_func", answer)
    assert exit_code(["gc", condition]) == 0
    said = capsys.readouterr()
    assert f"run 'precious' stays: {why}" in said.err
    assert "removed 1 run; freed" in said.out
    resumed[0].finish()
    assert names(store) == ["precious"]
    assert column_of(store, "SELECT value FROM metric ORDER BY step") == [1.0, 0.5]


def test_without_a_terminal_it_does_not_ask_but_refuses(store, capsys):
    record("precious")
    assert exit_code(["gc", "precious"]) == 2
    assert "no terminal to ask at; give --yes" in capsys.readouterr().err
    assert names(store) == ["precious"]


def test_a_dry_run_says_what_would_go_and_changes_nothing(store, capsys):
    record("precious")
    rows_of(store, "SELECT 1")
    before = contents(store / "provenance.db")
    assert exit_code(["gc", "--older-than", "0s", "--dry-run"]) == 0
    assert "would remove 1 run" in capsys.readouterr().out
    assert exit_code(["gc", "--older-than", "0s", "--dry-run", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert ([run["run"] for run in said["runs"]], said["removed"]) == (["precious"], False)
    assert contents(store / "provenance.db") == before


def test_a_run_that_is_running_stays(store, capsys):
    with dnnprov.start_run("m", name="live") as run:
        record("done")
        assert exit_code(["gc", "--older-than", "0s", "--yes"]) == 0
        assert "run 'live' stays: it is running" in capsys.readouterr().err
        run.log(loss=1.0)
    assert names(store) == ["live"]
    assert column_of(store, "SELECT COUNT(*) FROM metric") == [1]


def test_a_crashed_run_of_another_machine_that_was_heard_of_late_stays(store, capsys):
    subprocess.run([sys.executable, "-c", KILLED, str(store)], check=False)
    (segment,) = StoreFolder(store).open_segments()
    lines = segment.read_text().splitlines(keepends=True)
    opened = json.loads(lines[0]) | {"host": "elsewhere", "boot": "another"}
    segment.write_text(json.dumps(opened) + "\n" + "".join(lines[1:]))
    rows_of(store, "SELECT 1")
    with closing(sqlite3.connect(store / "provenance.db")) as connection, connection:
        connection.execute("UPDATE run SET status = 'crashed', exit_reason = 'x'")
        connection.execute("UPDATE journal_position SET state = 'gone'")
    assert exit_code(["gc", "--status", "crashed", "--yes"]) == 0
    assert "its process was heard of late" in capsys.readouterr().err
    assert names(store) == ["killed"]
    os.utime(segment, (1, 1))
    assert exit_code(["gc", "--status", "crashed", "--yes"]) == 0
    assert names(store) == []


def test_what_is_freed_is_measured(store, capsys):
    for number in range(4):
        with dnnprov.start_run("m", name=f"n{number}") as run:
            for step in range(3000):
                run.log(step=step, loss=random.random())
    rows_of(store, "SELECT 1")
    size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    assert exit_code(["gc", "n0", "n1", "n2", "--yes", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["journal_bytes_freed"] > 50_000
    assert said["database_bytes_freed"] > 200_000
    left = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    assert abs(size - left - said["journal_bytes_freed"] - said["database_bytes_freed"]) < 50_000


def test_without_a_condition_nothing_is_lost_and_journals_of_killed_processes_are_compressed(store, capsys):
    for _ in range(3):
        subprocess.run([sys.executable, "-c", KILLED, str(store)], check=False)
    record("whole")
    rows_of(store, "SELECT 1")
    before, folder = contents(store / "provenance.db"), StoreFolder(store)
    assert len(list(folder.open_segments())) == 3
    assert exit_code(["gc"]) == 0
    assert "compressed 3 journals; freed" in capsys.readouterr().out
    assert list(folder.open_segments()) == []
    assert contents(store / "provenance.db") == before
    rebuild(folder)
    assert differences(before, contents(store / "provenance.db")) == {}


KILLED_IN_ARCHIVING = """
import os, sys
from pathlib import Path
from dnnprov.store.sqlite import open_store
Path.rename = lambda *_: os._exit(9)
open_store(sys.argv[1]).ingest()
"""


@pytest.mark.parametrize("run_goes", [True, False])
def test_what_a_kill_left_of_a_compressed_journal_goes_with_its_run_or_with_the_next_gc(store, run_goes):
    run = record("secret")
    assert subprocess.run([sys.executable, "-c", KILLED_IN_ARCHIVING, str(store)], check=False).returncode == 9
    folder = StoreFolder(store)
    assert [path.name.count(".jsonl.gz.") for path in folder.archive.glob(".*")] == [1]
    if run_goes:
        remove_runs(folder, [run.uid])
    else:
        assert exit_code(["gc"]) == 0
    assert list(folder.archive.glob(".*")) == []
    assert names(store) == ([] if run_goes else ["secret"])


def test_runs_that_derive_from_one_that_goes_stay_valid_and_it_is_said(store, capsys):
    base = record_paper_run(store, name="base")
    model = store.parent / "model.keras"
    with dnnprov.start_run("alexnet", name="tuned", parent=base.uid) as run, run.task("Training") as training:
        training.uses_file(model, role="model")
        training.log(epoch=1, loss=0.1)
    assert exit_code(["gc", "base", "--yes"]) == 0
    assert "'tuned': derived from runs that go; they stay, and their lineage ends there" in capsys.readouterr().err
    assert rows_of(store, "SELECT name, parent_run_id, parent_uid FROM run") == [
        {"name": "tuned", "parent_run_id": None, "parent_uid": base.uid}
    ]
    document = document_of(store, "tuned")
    assert document.records or list(document.bundles)
    with dnnprov.open(store) as history:
        assert "base" not in {str(node) for node in history.ancestors("tuned")}


def test_the_plan_is_what_the_runs_that_are_left_say(store):
    with dnnprov.start_run("m", name="first") as run:
        run.task("Filters").generates("oFilters", filter_name="gray-scale")
        run.task("Training").log(epoch=1, loss=1.0)
    record("second")
    plan = StoreFolder(store).plan("m")
    rows_of(store, "SELECT 1")
    assert "Filters" in plan.read_text()
    assert exit_code(["gc", "first", "--yes"]) == 0
    assert "Filters" not in plan.read_text()
    assert column_of(store, "SELECT tag FROM data_transformation") == ["Training"]
    assert exit_code(["gc", "second", "--yes"]) == 0
    assert not plan.exists()
    assert column_of(store, "SELECT COUNT(*) FROM dataflow") == [0]
    assert dnnprov.start_run("m").name == "m-1"


@pytest.mark.parametrize("relation", ["uses", "generates"])
def test_hyperparameters_of_a_task_stand_in_the_plan_as_a_database_made_anew_has_them(store, relation):
    for name in ("first", "second"):
        with dnnprov.start_run("m", name=name, params={"lr": 0.1}) as run, run.task("Search") as task:
            getattr(task, relation)("iTrainingModel", lr=0.1, momentum=0.9)
    rows_of(store, "SELECT 1")
    assert exit_code(["gc", "first", "--yes"]) == 0
    left = contents(store / "provenance.db")
    rebuild(StoreFolder(store))
    assert differences(left, contents(store / "provenance.db")) == {}
    expected = [relation.replace("uses", "used").replace("generates", "generated")]
    assert column_of(store, "SELECT relation FROM transformation_data_set") == expected


REMOVE = """
import sys
from pathlib import Path
from dnnprov.journal.folder import StoreFolder
from dnnprov.store.removal import remove_runs
print("ready", flush=True)
remove_runs(StoreFolder(Path(sys.argv[1])), sys.argv[2:])
"""


def test_killed_at_any_moment_a_run_is_whole_or_the_next_one_finishes(store, tmp_path):
    runs = [record_paper_run(store, name=f"n{number}") for number in range(6)]
    going = [run.uid for run in runs[:4]]
    rows_of(store, "SELECT 1")
    before = contents(store / "provenance.db")
    seen = set()
    for number in range(12):
        place = tmp_path / str(number)
        shutil.copytree(store, place)
        folder = StoreFolder(place)
        child = subprocess.Popen([sys.executable, "-c", REMOVE, str(place), *going], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(random.uniform(0, 0.06))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        begun, left = unfinished(folder), set(column_of(place, "SELECT name FROM run"))
        seen.add((bool(begun), len(left)))
        if not begun and len(left) == 6:
            assert differences(before, contents(place / "provenance.db")) == {}
            continue
        assert exit_code(["gc" if number % 2 else "rebuild", "--store", str(place)]) == 0
        assert names(place) == ["n4", "n5"]
        assert {path.name for path in folder.archive.iterdir()} == {run.uid for run in runs[4:]}
        said = contents(place / "provenance.db")
        rebuild(folder)
        assert differences(said, contents(place / "provenance.db")) == {}


@pytest.mark.parametrize("where", ["_set_aside", "_delete_rows", "delete_runs", "tidy_up", "forget_segments"])
def test_interrupted_in_each_step_it_is_told_and_finished_by_the_next(store, where, monkeypatch, capsys):
    record("a")
    record("b")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(removal, where, interrupt)
    assert exit_code(["gc", "a", "--yes"]) == 130
    assert "1 run may be half removed; the next dnnprov gc or rebuild finishes it" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setenv("DNNPROV_STORE", str(store))
    assert exit_code(["gc", "--dry-run"]) == 0
    assert "its removal of 1 run would be finished" in capsys.readouterr().err
    assert exit_code(["gc"]) == 0
    assert "its removal of 1 run is finished" in capsys.readouterr().err
    assert names(store) == ["b"]
    said = contents(store / "provenance.db")
    rebuild(StoreFolder(store))
    assert differences(said, contents(store / "provenance.db")) == {}


def test_more_runs_than_a_statement_takes_values_can_be_removed_at_once(store, monkeypatch):
    for number in range(30):
        record(f"n{number}")
    going = column_of(store, "SELECT uid FROM run WHERE name <> 'n7'")
    really_connect = sqlite3.connect

    def connect(*arguments, **options):
        connection = really_connect(*arguments, **options)
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 20)  # for the 32,766 that it is as a rule
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(removal.sqlite3, "connect", connect)
        remove_runs(StoreFolder(store), going)
    assert names(store) == ["n7"]


@pytest.mark.parametrize("arguments", [["gc"], ["rebuild"]])
def test_a_machine_with_a_database_of_its_own_follows_with_its_next_gc_or_rebuild(
    store, monkeypatch, arguments, capsys, tmp_path
):
    run = record("a", params={"lr": 1})
    record("b", params={"lr": 2})
    for machine in ("one", "other"):
        monkeypatch.setenv("DNNPROV_CACHE", str(tmp_path / machine))
        assert names(store) == ["a", "b"]
    assert exit_code(["gc", "a", "--yes"]) == 0
    monkeypatch.setenv("DNNPROV_CACHE", str(tmp_path / "one"))
    assert names(store) == ["a", "b"]
    assert exit_code(arguments) == 0
    assert names(store) == ["b"]
    database = StoreFolder(store).database
    said = contents(database)
    rebuild(StoreFolder(store))
    assert differences(said, contents(database)) == {}
    if arguments == ["gc"]:
        assert "1 run that gc removed on another machine went from this database" in capsys.readouterr().err
    assert (store / "removed.txt").read_text() == f"{run.uid}\n"


def test_a_database_that_cannot_be_compacted_is_a_note(store, monkeypatch, capsys):
    record("a")
    rows_of(store, "SELECT 1")
    really_connect = sqlite3.connect

    class Full(sqlite3.Connection):
        def execute(self, sql, *arguments):
            if sql == "VACUUM":
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *arguments)

    monkeypatch.setattr(retention.sqlite3, "connect", lambda *a, **o: really_connect(*a, **o | {"factory": Full}))
    assert exit_code(["gc", "a", "--yes"]) == 0
    assert "the database keeps its size for now (database or disk is full)" in capsys.readouterr().err
    assert names(store) == []


def test_who_read_a_journal_before_it_went_does_not_bring_the_run_back(store):
    run = record("a")
    rows_of(store, "SELECT 1")
    folder = StoreFolder(store)
    archived = folder.archived(run.uid, next((folder.archive / run.uid).iterdir()).name.removesuffix(".jsonl.gz"))
    content = archived.read_bytes()
    remove_runs(folder, [run.uid])
    assert names(store) == []
    archived.parent.mkdir()
    archived.write_bytes(content)  # people put it back from a copy
    assert names(store) == ["a"]


def test_a_reader_that_is_slower_than_the_removal_does_not_bring_the_run_back(store, monkeypatch):
    record("a")
    record("b")
    really_read = ingest.read_chunks
    removals = ["a"]

    def read_slowly(*arguments):
        for chunk in really_read(*arguments):
            if removals:  # a piece is in hand, and nothing of the run in the database that others removed it from
                assert exit_code(["gc", removals.pop(), "--yes"]) == 0
            yield chunk

    reader = SqliteStore(StoreFolder(store))
    monkeypatch.setattr(ingest, "read_chunks", read_slowly)
    reader.ingest()
    reader.close()
    assert removals == []
    assert names(store) == ["b"]
    assert exit_code(["rebuild"]) == 0
    assert names(store) == ["b"]


@pytest.mark.parametrize("age", ["30", "d", "-1d", "3x", "1e9d", "99999999999y", ""])
def test_an_age_that_is_none_is_told(age):
    with pytest.raises(UsageError, match="30d"):
        parse_age(age)


def test_the_command_is_about_this_moment(store):
    record("a")
    assert exit_code(["gc", "nobody", "--yes"]) == 3
    assert exit_code(["gc", "--dataflow", "nothing", "--yes"]) == 3
    assert exit_code(["gc", "--status", "running", "--yes"]) == 2
    assert exit_code(["gc", "a", "--yes"]) == 0
    assert gc_command._REMOVABLE
    assert not Path(store, "removing.json").exists()
