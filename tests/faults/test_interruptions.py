"""A handler of the user's for a signal runs wherever the program is, in our code too: what it raises is the user's."""

from __future__ import annotations

import os
import signal
import threading

import pytest

import dnnprov
from faults.scripts import end_with_signal, run_file, run_script, start_script
from recorded import column_of, rows_of


class TimeUpError(Exception):
    """What a handler raises to end what takes too long."""


@pytest.fixture(autouse=True)
def handler():
    def time_is_up(number, frame):
        raise TimeUpError

    before = signal.signal(signal.SIGALRM, time_is_up)
    yield
    signal.signal(signal.SIGALRM, before)


def test_what_a_handler_raises_in_the_middle_of_a_log_call_comes_out(store, monkeypatch):
    with dnnprov.start_run("m") as run:
        run.recorder.drain()
        run.log(step=0, loss=1.0)
        whole_write = os.write

        def write(descriptor, data):
            signal.raise_signal(signal.SIGALRM)
            return whole_write(descriptor, data)

        with monkeypatch.context() as patch, pytest.raises(TimeUpError):
            patch.setattr(os, "write", write)
            run.log(step=1, loss=1.0)
        run.log(step=2, loss=1.0)
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == [0, 2]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]
    assert column_of(store, "SELECT status FROM run") == ["finished"]


@pytest.mark.parametrize("call", ["log", "row", "parameter"])
def test_what_a_handler_raises_while_a_value_is_read_comes_out(store, call):
    class Slow:
        def __float__(self):
            signal.raise_signal(signal.SIGALRM)
            return 1.0

    with dnnprov.start_run("m") as run, run.task("Training") as training:
        with pytest.raises(TimeUpError):
            match call:
                case "log":
                    run.log(loss=Slow())
                case "row":
                    training.log(loss=Slow())
                case "parameter":
                    run.set_params(rate=Slow())
    assert column_of(store, "SELECT COUNT(*) FROM metric") == [0]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


def test_a_value_that_raises_by_itself_is_no_interruption(store):
    class Broken:
        def __float__(self):
            raise TimeUpError

    with dnnprov.start_run("m") as run, run.task("Training") as training:
        training.log(note=Broken())
    assert column_of(store, "SELECT note FROM otrainingmodel") == ["<Broken: not readable, TimeUpError>"]


def test_a_run_whose_end_was_interrupted_is_ended_by_the_exit_of_the_program(store, tmp_path):
    (tmp_path / "model.bin").write_bytes(bytes(50_000_000))
    run_script(
        f"""
        import signal, dnnprov
        class TimeUpError(Exception): pass
        def time_is_up(number, frame): raise TimeUpError
        signal.signal(signal.SIGALRM, time_is_up)
        run = dnnprov.start_run("m")
        run.before_finish(lambda: signal.raise_signal(signal.SIGALRM) if not came else None)
        came = []
        run.task("Training").log(epoch=1, loss=1.0)
        run.add_file("{tmp_path}/model.bin")
        try:
            run.finish()
        except TimeUpError:
            came.append(True)
        assert came
        """,
        store,
    )
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT status FROM task") == ["finished"]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


def test_a_file_that_the_end_did_not_wait_for_says_so(store, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"w")
    script = f"""
        import threading, time, dnnprov, dnnprov.capture.recorded_files
        held = threading.Event()
        def read(path, state):
            while not run._is_finishing or run.recorder._background._worker:  # until the end waits for this thread
                time.sleep(0.001)
            print("ready", flush=True)
            held.wait(30)
            return "0" * 64, None
        dnnprov.capture.recorded_files.file_sha256 = read
        run = dnnprov.start_run("m")
        run.add_file("{tmp_path}/model.bin")
        try:
            run.finish()
        except KeyboardInterrupt:
            pass
    """
    code, err = end_with_signal(start_script(script, store), signal.SIGINT)
    assert code == 0, err
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT sha256 FROM file") == [None]
    assert column_of(store, "SELECT note FROM file") == ["the program was ended before the file was read"]


def test_no_thread_waits_while_a_value_of_another_is_read(store):
    """Reading one may take the user's own locks, or wait for a device."""
    is_read, is_logged = threading.Event(), threading.Event()

    class Mean:
        def __float__(self):
            is_read.set()
            assert is_logged.wait(30), "the other thread's call waits for this one"
            return 0.5

    def log():
        is_read.wait(30)
        run.log(step=0, other=1.0)
        is_logged.set()

    with dnnprov.start_run("m") as run:
        thread = threading.Thread(target=log)
        thread.start()
        run.log(step=0, loss=Mean())
        thread.join()
    assert rows_of(store, "SELECT name, value FROM metric ORDER BY name") == [
        {"name": "loss", "value": 0.5}, {"name": "other", "value": 1.0},
    ]  # fmt: skip


TRIALS = """
import multiprocessing, sys, threading, time
import dnnprov

def trial(run, fails):
    with run.task("Trial", identifier="bad" if fails else "good") as task:
        task.log(loss=1.0)
        names = [thread.name for thread in threading.enumerate()]
        assert "dnnprov-heartbeat" in names, names
        if fails:
            raise ValueError("diverged")

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with dnnprov.start_run("m") as run:
        children = [context.Process(target=trial, args=(run, fails)) for fails in (False, True)]
        [child.start() for child in children]
        [child.join() for child in children]
        assert [child.exitcode for child in children] == [0, 1]
"""


@pytest.mark.parametrize("kind", ["fork", "spawn"])
def test_a_task_of_a_child_ends_as_its_own_block_does_and_the_journal_with_the_child(store, tmp_path, kind):
    script = tmp_path / "trials.py"
    script.write_text(TRIALS)
    run_file(script, store, kind)
    assert rows_of(store, "SELECT identifier, status, exit_reason FROM task ORDER BY identifier DESC") == [
        {"identifier": "good", "status": "finished", "exit_reason": None},
        {"identifier": "bad", "status": "failed", "exit_reason": "ValueError: diverged"},
    ]
    assert column_of(store, "SELECT DISTINCT state FROM journal_position") == ["closed"]
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]
