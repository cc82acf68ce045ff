"""The store's folder is deleted, moved or replaced in mid-run, or may not be written."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import time
import warnings

import pytest

import dnnprov
from faults.full_disk import may_mount
from faults.scripts import run_script, wait_until
from recorded import column_of, rows_of


def record(store, steps, name=None):
    with dnnprov.start_run("m", store=store, name=name) as run:
        for step in steps:
            run.log(step=step, loss=1.0)


# Deleted, moved, replaced


@pytest.mark.parametrize("noticed", ["by the heartbeat", "at the end"])
def test_a_store_deleted_in_mid_run_is_told_and_the_rest_of_the_run_is_there(store, monkeypatch, noticed):
    if noticed == "by the heartbeat":
        monkeypatch.setattr("dnnprov.capture.recorder.HEARTBEAT_SECONDS", 0.05)
    with pytest.warns(RuntimeWarning, match="was deleted while it was written") as told:
        with dnnprov.start_run("m", params={"a": 1}) as run:
            with run.task("Reading") as reading:
                pass
            split = run.task("Split", after=reading)
            training = run.task("Training", after=split)
            training.log(epoch=1, loss=1.0)
            run.recorder.drain()
            process = run.recorder.process
            num_events = run.recorder._writer.num_events
            shutil.rmtree(store)
            if noticed == "by the heartbeat":
                wait_until(lambda: run.recorder.process != process)
                training.log(epoch=2, loss=0.5)
    assert len(told) == 1
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "m-1", "status": "finished"}]
    assert column_of(store, "SELECT a FROM itrainingmodel") == [1]
    assert rows_of(store, "SELECT tag, status FROM task ORDER BY tag") == [
        {"tag": "Split", "status": "finished"}, {"tag": "Training", "status": "finished"},
    ]  # fmt: skip
    names = "SELECT a.tag || ' after ' || b.tag FROM task_dependency AS d JOIN task AS a ON a.task_id = d.task_id"
    assert column_of(store, f"{names} JOIN task AS b ON b.task_id = d.depends_on_task_id") == ["Training after Split"]
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == ([2] if noticed == "by the heartbeat" else [])
    (problem,) = rows_of(store, "SELECT kind, detail FROM problem")
    assert problem["kind"] == "journal_deleted"
    assert f"was deleted with {num_events} events" in problem["detail"]


def test_a_store_moved_in_mid_run_takes_the_run_along(store, tmp_path):
    with dnnprov.start_run("m") as run:
        run.log(loss=1.0)
        store.rename(tmp_path / "moved")
        run.log(loss=2.0)
    assert column_of(tmp_path / "moved", "SELECT value FROM metric ORDER BY step") == [1.0, 2.0]
    assert column_of(tmp_path / "moved", "SELECT status FROM run") == ["finished"]


def test_a_store_moved_in_mid_run_and_another_made_in_its_place_are_two_stores(store, tmp_path, monkeypatch):
    monkeypatch.setattr("dnnprov.capture.recorder.HEARTBEAT_SECONDS", 0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with dnnprov.start_run("m", name="old") as run:
            run.log(step=0, loss=1.0)
            run.recorder.drain()
            store.rename(tmp_path / "moved")
            record(store, [10, 11], name="new")
            time.sleep(0.1)  # some heartbeats
            run.log(step=1, loss=1.0)
            (tmp_path / "file").write_text("x")
            run.add_file(tmp_path / "file")
    assert column_of(tmp_path / "moved", "SELECT step FROM metric ORDER BY step") == [0, 1]
    assert column_of(tmp_path / "moved", "SELECT status FROM run") == ["finished"]
    assert column_of(tmp_path / "moved", "SELECT LENGTH(sha256) FROM file") == [64]
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "new", "status": "finished"}]
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == [10, 11]


def test_a_store_deleted_and_made_anew_by_another_run_gets_the_rest_of_the_first(store, monkeypatch):
    with pytest.warns(RuntimeWarning, match="was deleted while it was written"):
        with dnnprov.start_run("m", name="old", params={"a": 1}) as run:
            run.log(step=0, loss=1.0)
            run.recorder.drain()
            shutil.rmtree(store)
            record(store, [10], name="new")
            run.recorder.notice_deletion()  # as the heartbeat does
            run.log(step=1, loss=1.0)
    assert rows_of(store, "SELECT name, status FROM run ORDER BY name") == [
        {"name": "new", "status": "finished"},
        {"name": "old", "status": "finished"},
    ]
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == [1, 10]
    assert column_of(store, "SELECT a FROM itrainingmodel") == [1]


def test_a_reader_and_a_follower_whose_store_is_deleted_end_in_peace(store, tmp_path):
    record(store, [0])
    script = "import sys; from dnnprov.cli.main import main; main(sys.argv[1:])"
    follower = subprocess.Popen(
        [sys.executable, "-c", script, "--store", str(store), "ingest", "--follow", "--idle", "30"],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((store / "provenance.db").exists)
    column_of(store, "SELECT 1")
    with dnnprov.open(store) as history:
        assert len(history.runs()) == 1
        shutil.rmtree(store, ignore_errors=True)
        shutil.rmtree(store, ignore_errors=True)  # the follower may have put a file there meanwhile
        said = follower.communicate(timeout=60)[1]
        assert "Traceback" not in said
        assert follower.returncode in {0, 1}
        record(store, [5])
        assert [row["name"] for row in history.runs()] == ["m-1"]
        assert history.query("SELECT step FROM metric") == [{"step": 5}]


def test_a_journal_that_the_program_closed_goes_on_in_another(store):
    """Some programs close all descriptors, to become daemons."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with dnnprov.start_run("m", params={"a": 1}) as run, run.task("Training") as training:
            training.log(epoch=1, loss=1.0)
            run.recorder.drain()
            os.close(run.recorder._writer._fd)
            training.log(epoch=2, loss=1.0)
    assert column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch") == [1, 2]
    assert rows_of(store, "SELECT tag, status FROM task") == [{"tag": "Training", "status": "finished"}]
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


def test_a_file_of_the_programs_own_that_got_the_journals_descriptor_is_left_to_it(store, tmp_path):
    with pytest.warns(RuntimeWarning, match="was closed by the program"), dnnprov.start_run("m") as run:
        run.log(step=0, loss=1.0)
        run.recorder.drain()
        descriptor = run.recorder._writer._fd
        os.close(descriptor)
        os.dup2(os.open(tmp_path / "mine", os.O_WRONLY | os.O_CREAT), descriptor)
        mine = descriptor
        run.recorder.notice_deletion()  # as the heartbeat does
        run.log(step=1, loss=1.0)
        os.write(mine, b"weights")
        os.close(mine)
    assert (tmp_path / "mine").read_bytes() == b"weights"
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == [0, 1]
    assert column_of(store, "SELECT kind FROM problem") == ["lost"]


def test_a_program_that_closes_all_files_has_the_next_ones_for_itself(store, tmp_path):
    run_script(
        f"""
        import os, dnnprov
        with dnnprov.start_run("m") as run:
            run.log(step=0, loss=1.0)
            run.recorder.drain()
            os.closerange(3, 4096)
            files = [open(f"{tmp_path}/{{number}}.ckpt", "wb", buffering=0) for number in range(8)]
            for file in files:
                file.write(b"weights")
            for step in range(1, 9):
                run.log(step=step, loss=1.0)
        """,
        store,
    )
    assert {path.read_bytes() for path in tmp_path.glob("*.ckpt")} == {b"weights"}
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == list(range(9))
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


# Read-only

READ = """
import sys
from dnnprov.cli.main import exit_code
sys.exit(exit_code(sys.argv[1:]))
"""

RECORD = """
import sys, warnings, dnnprov
told = []
warnings.showwarning = lambda message, *_: told.append(str(message))
with dnnprov.start_run("m", params={"a": 1}) as run, run.task("Training") as training:
    for epoch in range(100):
        training.log(epoch=epoch, loss=1.0)
print(len(told), told[0])
"""

_BIND = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def _obey_permissions():
    """Root may write anywhere, until it has given that up."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)


@pytest.fixture(params=["no permission", "a mount"])
def read_only(request, store):
    """Runs Python where the store may not be written; a mount where one may be made."""
    if request.param == "a mount" and may_mount():
        before, obey = ["unshare", "-rm", "sh", "-c", _BIND, str(store)], None
    else:
        before, obey = [], _obey_permissions

    def run(source, *arguments):
        if not before:
            for path in [*store.rglob("*"), store]:
                path.chmod(path.stat().st_mode & ~0o222)
        return subprocess.run(
            [*before, sys.executable, "-c", source, *arguments],
            preexec_fn=obey,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    yield run
    for path in [store, *store.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


def test_a_read_only_store_answers_from_what_is_there_and_says_as_of_when(store, read_only):
    record(store, [0, 1])
    assert column_of(store, "SELECT COUNT(*) FROM metric") == [2]
    run = dnnprov.start_run("m")
    run.log(step=2, loss=1.0)
    asked = read_only(READ, "query", "SELECT COUNT(*) AS n FROM metric", "--json")
    assert json.loads(asked.stdout) == [{"n": 2}], asked.stderr
    assert asked.stderr.count("\n") == 1
    assert "cannot be written" in asked.stderr
    assert "answers are as of" in asked.stderr
    examined = read_only(READ, "doctor")
    assert "not_writable" in examined.stdout, examined.stderr
    assert "2 finished" not in examined.stdout
    for path in [store, *store.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    run.finish()
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == [0, 1, 2]


def test_a_read_only_store_without_a_database_says_what_to_do(store, read_only):
    record(store, [0, 1])
    asked = read_only(READ, "runs")
    assert asked.returncode == 1
    assert asked.stderr.count("\n") == 1
    assert "no database yet and none can be made" in asked.stderr
    assert "DNNPROV_CACHE" in asked.stderr


def test_a_read_only_store_is_asked_through_a_database_elsewhere(store, read_only, tmp_path, monkeypatch):
    record(store, [0, 1])
    monkeypatch.setenv("DNNPROV_CACHE", str(tmp_path / "cache"))
    asked = read_only(READ, "query", "SELECT COUNT(*) AS n FROM metric", "--json")
    assert json.loads(asked.stdout) == [{"n": 2}], asked.stderr


def test_a_training_goes_on_beside_a_read_only_store_and_says_so_once(store, read_only):
    record(store, [0])
    trained = read_only(RECORD)
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.startswith("1 dnnprov: run")
    assert "could not be recorded" in trained.stdout
    assert column_of(store, "SELECT COUNT(*) FROM run") == [1]
