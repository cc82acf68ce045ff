"""What a training may do to its recorder: interrupt it, re-enter it, fill the disk, hand it odd values."""

from __future__ import annotations

import contextlib
import copy
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import dnnprov
from dnnprov.capture.environment import safe_command_line
from dnnprov.errors import UsageError
from dnnprov.model.events import MetricsRecorded, RunEnded
from recorded import column_of, events_of, rows_of


def run_script(source, store, seconds=60, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        env={**os.environ, "DNNPROV_STORE": str(store), **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_an_interrupt_in_the_middle_of_a_log_call_loses_no_call_that_returned(store):
    done = run_script(
        """
        import signal, dnnprov
        def interrupt(_, frame):
            while frame is not None and frame.f_code is not dnnprov.Run.log.__code__:
                frame = frame.f_back
            if frame is not None:
                raise KeyboardInterrupt
        returned = 0
        for number in range(12):
            try:
                with dnnprov.start_run("m") as run:
                    signal.signal(signal.SIGVTALRM, interrupt)
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0.001 + 0.0013 * number, 0.0007)
                    for _ in range(12):
                        try:
                            while True:
                                run.log(loss=1.0)
                                returned += 1
                        except KeyboardInterrupt:
                            pass
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                    raise KeyboardInterrupt
            except KeyboardInterrupt:
                pass
        print(returned)
        """,
        store,
    )
    assert done.returncode == 0, done.stderr
    returned = int(done.stdout)
    assert returned > 100
    (found,) = column_of(store, "SELECT COUNT(*) FROM metric_value")
    assert returned <= found <= returned + 12 * 12
    assert column_of(store, "SELECT status FROM run") == ["interrupted"] * 12


def test_a_signal_handler_that_logs_and_finishes_does_not_wait_for_the_call_it_interrupts(store):
    done = run_script(
        """
        import signal, dnnprov
        run = dnnprov.start_run("m")
        def preempted(*_):
            run.log(preempted=1.0)
            run.finish("stopped", reason="preempted")
        signal.signal(signal.SIGALRM, preempted)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        number = 0
        while run.status == "running":
            run.log(loss=1.0)
            number += 1
        print(number)
        """,
        store,
        seconds=20,
    )
    assert done.returncode == 0, done.stderr
    assert rows_of(store, "SELECT status, exit_reason FROM run") == [{"status": "stopped", "exit_reason": "preempted"}]
    assert column_of(store, "SELECT value FROM metric WHERE name = 'preempted'") == [1.0]
    assert column_of(store, "SELECT COUNT(*) FROM metric WHERE name = 'loss'")[0] >= int(done.stdout) - 1
    assert list((store / "journal").glob("*/*.jsonl")) == []


def test_a_signal_inside_the_write_itself_is_written_after_it(store, monkeypatch):
    run = dnnprov.start_run("m")
    run.recorder.drain()
    whole_write, entered = os.write, []

    def write(descriptor, data):
        if not entered:
            entered.append(True)
            run.log(inner=1.0)  # as a signal handler of this thread would
        return whole_write(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    run.log(outer=1.0)
    monkeypatch.undo()
    run.finish()
    metrics = [event for event in events_of(store) if isinstance(event, MetricsRecorded)]
    assert [next(iter(event.values)) for event in metrics] == ["outer", "inner"]
    assert metrics[1].seq == metrics[0].seq + 1


def test_threads_that_log_while_the_run_is_finished_leave_a_closed_segment(store):
    for _ in range(30):
        run = dnnprov.start_run("m")
        stop = threading.Event()

        def log(run=run, stop=stop):
            while not stop.is_set():
                run.log(loss=1.0)

        threads = [threading.Thread(target=log) for _ in range(3)]
        for thread in threads:
            thread.start()
        with silence():
            run.finish()
            stop.set()
            for thread in threads:
                thread.join()
    assert column_of(store, "SELECT DISTINCT status FROM run") == ["finished"]
    assert column_of(store, "SELECT DISTINCT state FROM journal_position") == ["closed"]
    assert type(events_of(store)[-1]).__name__ == "SegmentClosed"


@contextlib.contextmanager
def silence():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_files_added_by_threads_while_the_run_is_finished_raise_nothing(store, tmp_path):
    path = tmp_path / "f"
    path.write_text("x")
    errors = []
    for _ in range(20):
        run = dnnprov.start_run("m")

        def add(run=run):
            try:
                for _ in range(20):
                    run.add_file(path)
            except Exception as error:  # noqa: BLE001 - whatever comes is the fault that is looked for
                errors.append(error)

        with silence():
            thread = threading.Thread(target=add)
            thread.start()
            run.finish()
            thread.join()
    assert errors == []


def test_a_fork_while_the_run_is_finished_does_not_hang_the_child(store):
    done = run_script(
        """
        import os, threading, dnnprov
        run = dnnprov.start_run("m")
        held, go = threading.Event(), threading.Event()
        run.recorder.submit(lambda: (held.set(), go.wait(10)))
        thread = threading.Thread(target=run.finish)
        thread.start()
        held.wait(10)
        child = os.fork()
        if child == 0:
            run.finish()
            os._exit(0)
        go.set()
        thread.join()
        print(os.waitpid(child, 0)[1])
        """,
        store,
        seconds=30,
    )
    assert done.stdout == "0\n", done.stderr


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array(["Adam"])[0], "Adam"),
        (Text("Adam"), "Adam"),
        (np.longdouble(0.5), 0.5),
        (Decimal("0.1"), 0.1),
        (b"abc", "base64:YWJj"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00.000000Z"),
        (timedelta(seconds=90), 90.0),
        ([1, None], "[1, null]"),
        ({None: 1}, '{"None": 1}'),
    ],
)
@pytest.mark.parametrize("beside", [1.0, None, "null"])
def test_a_value_is_stored_alike_whatever_stands_beside_it(store, value, expected, beside):
    with dnnprov.start_run("m", params={"it": value, "beside": beside}) as run, run.task("Split") as split:
        split.log(it=value, beside=beside)
    assert column_of(store, "SELECT it FROM itrainingmodel") == [expected]
    assert column_of(store, "SELECT it FROM osplit") == [expected]


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0.5, 0.5), (True, 1), (np.int64(3), 3), (2.0, 2), ("7", 7), ("ten", None), (2**70, None)]
)
def test_an_epoch_of_any_type_loses_no_metric(store, epoch, expected):
    with dnnprov.start_run("m") as run:
        run.log(epoch=epoch, step=np.int32(4), loss=1.0)
    assert rows_of(store, "SELECT step, epoch, value FROM metric") == [{"step": 4, "epoch": expected, "value": 1.0}]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


def test_odd_endings_and_roles_are_recorded_as_text(store, tmp_path):
    path = tmp_path / "f"
    path.write_text("x")
    with pytest.warns(RuntimeWarning, match="is no status to end with"):
        with dnnprov.start_run("m") as run:
            run.task("T").end("done")
            run.add_file(path, role=5)
            run.finish("failed", reason=5)
    assert rows_of(store, "SELECT status, exit_reason FROM run") == [{"status": "failed", "exit_reason": "5"}]
    assert column_of(store, "SELECT status FROM task") == ["finished"]
    assert column_of(store, "SELECT role FROM file") == ["5"]
    assert column_of(store, "SELECT kind FROM problem") == ["unknown_status"]


class Unprintable:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.parametrize("after", [5, "Filters", [None], Unprintable()])
def test_what_is_no_task_is_noted_and_raises_nothing(store, after):
    with pytest.warns(RuntimeWarning, match="no task of a run"), dnnprov.start_run("m") as run:
        run.task("T", after=after).end()
    assert column_of(store, "SELECT kind FROM problem") == ["not_a_task"]
    assert column_of(store, "SELECT tag FROM task") == ["T"]


def test_things_without_text_raise_nothing(store):
    with silence(), dnnprov.start_run("m") as run:
        run.add_file(Unprintable())
        run.task(Unprintable()).end()
        run.log(x=Unprintable())
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_a_run_entered_twice_or_copied_is_one_run(store):
    with dnnprov.start_run("m") as run:
        assert copy.deepcopy({"run": run})["run"] is run
        with run:
            run.log(loss=1.0)
    assert dnnprov.active_run() is None
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_a_pipe_is_not_read_for_ever(store, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with dnnprov.start_run("m") as run:
        run.add_file(pipe)
    assert rows_of(store, "SELECT sha256, note FROM file") == [{"sha256": None, "note": "no regular file"}]


def test_a_training_that_waits_for_its_children_has_none_but_its_own(store):
    done = run_script(
        """
        import os, dnnprov
        for number in range(20):  # git is asked and the follower started beside it
            with dnnprov.start_run("m") as run:
                child = os.fork() or os._exit(0)
                assert os.wait()[0] == child
                try:
                    print(os.wait())
                except ChildProcessError:
                    pass
        print("alone")
        """,
        store,
        seconds=20,
        DNNPROV_FOLLOW="1",
    )
    assert done.stdout == "alone\n", done.stderr
    (store / "provenance.db").unlink(missing_ok=True)  # the follower sees it and ends


def test_where_no_thread_can_be_had_everything_is_recorded_all_the_same(store, monkeypatch, tmp_path):
    path = tmp_path / "f"
    path.write_text("x")

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with silence(), dnnprov.start_run("m") as run:
        run.add_file(path)
    assert column_of(store, "SELECT LENGTH(sha256) FROM file") == [64]
    assert column_of(store, "SELECT COUNT(*) FROM environment") == [1]
    assert column_of(store, "SELECT kind FROM problem") == ["degraded"]


def test_warnings_that_go_to_a_function_that_raises_do_not_end_a_training(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")

    def raising(*_, **__):
        raise OSError("stderr is closed")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", raising)
        with dnnprov.start_run("m", store=tmp_path / "file") as run:
            run.log(loss=1.0)


def test_a_start_in_a_folder_that_was_deleted_raises_nothing(tmp_path):
    gone = tmp_path / "gone"
    done = run_script(
        f"""
        import os, shutil, dnnprov, warnings
        warnings.simplefilter("ignore")
        os.makedirs({str(gone)!r}); os.chdir({str(gone)!r}); shutil.rmtree({str(gone)!r})
        with dnnprov.start_run("m", store=".dnnprov") as run:
            run.log(loss=1.0)
        print("trained")
        """,
        "",
    )
    assert done.stdout == "trained\n", done.stderr


def test_the_home_of_nobody_is_misuse():
    with pytest.raises(UsageError, match="a user that does not exist"):
        dnnprov.start_run("m", store="~nobody-of-this-name/x")


def test_a_disk_that_is_full_at_the_start_and_free_later_keeps_the_run_and_its_tasks(store, monkeypatch):
    monkeypatch.setattr("dnnprov.capture.recorder.REOPEN_SECONDS", 0.0)
    whole_write = os.write
    full = True

    def write(descriptor, data):
        if full:
            raise OSError(28, "No space left on device")
        return whole_write(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    with pytest.warns(RuntimeWarning, match="could not be recorded"), dnnprov.start_run("m", params={"a": 1}) as run:
        training = run.task("Training")
        training.log(epoch=1, loss=1.0)
        full = False
        training.log(epoch=2, loss=0.5)
    monkeypatch.undo()
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "m-1", "status": "finished"}]
    assert column_of(store, "SELECT a FROM itrainingmodel") == [1]
    assert rows_of(store, "SELECT e.epoch, t.tag FROM otrainingmodel AS e JOIN task AS t USING (task_id)") == [
        {"epoch": 2, "tag": "Training"}
    ]
    assert "lost" in column_of(store, "SELECT kind FROM problem")


def test_no_descriptor_is_left_behind_by_tries_to_write(tmp_path):
    (tmp_path / "file").write_text("")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with silence():
        for _ in range(20):
            with dnnprov.start_run("m", store=tmp_path / "file") as run:
                run.log(loss=1.0)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0


@pytest.mark.parametrize(
    ("arguments", "masked"),
    [
        (["--password", "S"], ["--password", "***"]),
        (["wandb.api_key=S"], ["wandb.api_key=***"]),
        (["PASSWORD=S"], ["PASSWORD=***"]),
        (["--auth=S"], ["--auth=***"]),
        (["--db", "postgresql://me:S@host/x"], ["--db", "postgresql://me:***@host/x"]),
        (["--max-tokens", "512", "--tokenizer=bert"], ["--max-tokens", "512", "--tokenizer=bert"]),
        (["author=me", "secretary"], ["author=me", "secretary"]),
    ],
)
def test_secrets_of_the_command_line_are_masked_and_hyperparameters_are_not(arguments, masked):
    assert safe_command_line(arguments) == masked


def test_an_ending_is_recorded_once(store):
    run = dnnprov.start_run("m")
    signal.signal(signal.SIGUSR1, lambda *_: run.finish("failed"))
    run.recorder.submit(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    run.finish()
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    assert len([event for event in events_of(store) if isinstance(event, RunEnded)]) == 1
