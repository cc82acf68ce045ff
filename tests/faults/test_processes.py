"""Processes that fork, spawn, exit in odd ways, are stopped, or are told to end."""

from __future__ import annotations

import pickle
import signal
import time

import pytest

import dnnprov
from faults.scripts import end_with_signal, run_file, run_script, start_script, wait_until
from recorded import column_of, rows_of


def endings(store):
    return [(row["status"], row["exit_reason"]) for row in rows_of(store, "SELECT status, exit_reason FROM run")]


# Children


def test_a_fork_in_mid_run_records_beside_its_parent_and_ends_nobodys_run(store):
    run_script(
        """
        import os, dnnprov
        with dnnprov.start_run("m") as run, run.task("Training") as training:
            for epoch in range(5):
                training.log(epoch=epoch, loss=1.0)
            children = []
            for number in range(4):
                if (child := os.fork()) == 0:
                    for step in range(50):
                        run.log(step=1000 * number + step, child=1.0)
                    run.finish("failed")
                    os._exit(0)
                children.append(child)
            for epoch in range(5, 10):
                training.log(epoch=epoch, loss=1.0)
            for child in children:
                assert os.waitpid(child, 0)[1] == 0
        """,
        store,
    )
    assert column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch") == list(range(10))
    assert column_of(store, "SELECT COUNT(DISTINCT step) FROM metric WHERE name = 'child'") == [200]
    assert endings(store) == [("finished", None)]
    assert column_of(store, "SELECT COUNT(*) FROM process WHERE forked_from IS NOT NULL") == [4]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


WORKERS = """
import sys
import dnnprov
from torch.utils.data import DataLoader, Dataset

class Photos(Dataset):
    def __init__(self, run):
        self.run = run
    def __len__(self):
        return 12
    def __getitem__(self, index):
        if self.run is not None:
            self.run.log(step=index, read=1.0)
        return index

if __name__ == "__main__":
    kind, logs = sys.argv[1], sys.argv[2] == "logs"
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        photos = Photos(run if logs else None)
        for epoch in range(1):
            for batch in DataLoader(photos, batch_size=4, num_workers=2, multiprocessing_context=kind):
                run.log(loss=float(batch.sum()))
            training.log(epoch=epoch, loss=1.0)
"""


@pytest.mark.parametrize(("kind", "logs"), [("fork", "does not log"), ("fork", "logs"), ("spawn", "logs")])
def test_workers_of_a_data_loader_disturb_nothing_and_record_what_they_log(store, tmp_path, kind, logs):
    script = tmp_path / "training.py"
    script.write_text(WORKERS)
    run_file(script, store, kind, logs)
    assert endings(store) == [("finished", None)]
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == [0]
    assert column_of(store, "SELECT COUNT(*) FROM metric WHERE name = 'loss'") == [3]
    read = column_of(store, "SELECT step FROM metric WHERE name = 'read' ORDER BY step")
    assert read == (list(range(12)) if logs == "logs" else [])
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


def test_a_run_that_goes_to_a_spawned_process_is_recorded_there_and_ended_here(store, tmp_path):
    script = tmp_path / "training.py"
    script.write_text(
        "import multiprocessing, dnnprov\n"
        "def work(run, training, number):\n"
        "    run.log(step=number, child=1.0)\n"
        "    run.log(child=2.0)\n"
        "    training.log(epoch=number, loss=1.0)\n"
        "    with run.task('Reading', after=training):\n        pass\n"
        "    run.finish('failed')\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    with dnnprov.start_run('m', params={'a': 1}) as run:\n"
        "        training = run.task('Training')\n"
        "        run.log(loss=1.0)\n"
        "        children = [context.Process(target=work, args=(run, training, n)) for n in (100, 200)]\n"
        "        [child.start() for child in children]\n"
        "        [child.join() for child in children]\n"
        "        assert [child.exitcode for child in children] == [0, 0]\n"
        "        run.log(loss=2.0)\n"
    )
    run_file(script, store)
    assert endings(store) == [("finished", None)]
    assert column_of(store, "SELECT step FROM metric WHERE name = 'child' ORDER BY step") == [1, 1, 100, 200]
    assert column_of(store, "SELECT step FROM metric WHERE name = 'loss' ORDER BY step") == [0, 1]
    sql = "SELECT e.epoch, t.tag FROM otrainingmodel AS e JOIN task AS t USING (task_id) ORDER BY epoch"
    assert [tuple(row.values()) for row in rows_of(store, sql)] == [(100, "Training"), (200, "Training")]
    assert column_of(store, "SELECT COUNT(*) FROM task_dependency") == [2]
    assert column_of(store, "SELECT DISTINCT state FROM journal_position") == ["closed"]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


def test_a_run_comes_out_of_a_pickle_of_its_own_process_as_itself(store):
    with dnnprov.start_run("m") as run:
        run.log(loss=1.0)
        assert pickle.loads(pickle.dumps({"run": run}))["run"] is run
        run.log(loss=1.0)
    assert column_of(store, "SELECT step FROM metric") == [0, 1]


def test_a_pickle_that_outlives_its_run_records_nothing_into_it(store, tmp_path):
    pickled = tmp_path / "pickle"
    run_script(
        f"""
        import pickle, dnnprov
        with dnnprov.start_run("m") as run:
            run.log(loss=1.0)
            with open({str(pickled)!r}, "wb") as stream:
                pickle.dump(run, stream)
        """,
        store,
    )
    with pytest.warns(RuntimeWarning, match="was pickled by a process that has ended"):
        run = pickle.loads(pickled.read_bytes())
    run.log(loss=2.0)
    run.finish()
    assert column_of(store, "SELECT value FROM metric") == [1.0]


# Exits


def test_os_exit_loses_nothing_and_the_run_is_known_to_have_crashed(store):
    run_script(
        """
        import os, dnnprov
        with dnnprov.start_run("m") as run, run.task("Training") as training:
            for epoch in range(100):
                training.log(epoch=epoch, loss=1.0)
            os._exit(3)
        """,
        store,
        code=3,
    )
    assert column_of(store, "SELECT COUNT(*) FROM otrainingmodel") == [100]
    assert endings(store) == [("crashed", "the process ended without a word")]
    assert column_of(store, "SELECT status FROM task") == ["crashed"]


@pytest.mark.parametrize(
    ("leaving", "code", "expected"),
    [
        ("sys.exit()", 0, ("finished", None)),
        ("sys.exit(0)", 0, ("finished", None)),
        ("sys.exit(2)", 2, ("failed", "SystemExit: 2")),
        ("sys.exit('no data')", 1, ("failed", "SystemExit: no data")),
        ("sys.exit(143)", 143, ("interrupted", "SIGTERM")),
        ("raise MemoryError", 1, ("failed", "MemoryError")),
    ],
)
def test_an_exit_inside_a_run_ends_it_as_it_ends_the_program(store, leaving, code, expected):
    source = f"import sys, dnnprov\nwith dnnprov.start_run('m') as run:\n    run.log(a=1.0)\n    {leaving}"
    run_script(source, store, code)
    assert endings(store) == [expected]
    assert column_of(store, "SELECT COUNT(*) FROM metric") == [1]


def test_what_runs_at_exit_is_recorded_before_our_own_turn_and_told_after_it(store):
    """Functions run in the opposite order of their registration."""
    _, said = run_script(
        """
        import atexit
        atexit.register(lambda: run.log(late=1.0))
        import dnnprov
        run = dnnprov.start_run("m")
        atexit.register(lambda: run.log(early=1.0))
        run.log(loss=1.0)
        """,
        store,
    )
    assert column_of(store, "SELECT name FROM metric ORDER BY name") == ["early", "loss"]
    assert endings(store) == [("finished", None)]
    assert said.count("came after finish() and is not recorded") == 1


@pytest.mark.parametrize("daemon", [True, False])
def test_threads_that_log_while_the_interpreter_shuts_down_leave_a_whole_journal(store, daemon):
    out, said = run_script(
        f"""
        import threading, time, warnings, dnnprov
        run = dnnprov.start_run("m")
        returned = [0, 0, 0]
        until = time.monotonic() + 0.5
        def log(number):
            while time.monotonic() < until:
                run.log(step=returned[number], **{{f"series_{{number}}": 1.0}})
                returned[number] += 1
        threads = [threading.Thread(target=log, args=(number,), daemon={daemon}) for number in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        print(min(returned))
        """,
        store,
    )
    counts = column_of(store, "SELECT COUNT(*) FROM metric GROUP BY name")
    assert len(counts) == 3
    assert min(counts) >= int(out)
    assert endings(store) == [("finished", None)]
    assert column_of(store, "SELECT state FROM journal_position") == ["closed"]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]
    assert "Fatal" not in said
    assert "Traceback" not in said


# Told to end

TRAINING = """
import signal, sys, time, dnnprov
{handler}
with dnnprov.start_run("m") as run, run.task("Training") as training:
    for epoch in range(100_000):
        training.log(epoch=epoch, loss=1.0)
        if epoch == 20:
            print("started", flush=True)
        time.sleep(0.001)
"""


def test_sigterm_without_a_handler_ends_the_process_at_once_and_nothing_is_lost(store):
    code, _ = end_with_signal(start_script(TRAINING.format(handler=""), store))
    assert code == -signal.SIGTERM
    assert endings(store) == [("crashed", "the process ended without a word")]
    epochs = column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch")
    assert epochs == list(range(len(epochs)))
    assert len(epochs) > 20


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ("sys.exit(143)", 143, "SIGTERM"),
        ("sys.exit(0)", 0, "SIGTERM"),
        ("raise KeyboardInterrupt", -signal.SIGINT, "SIGTERM"),
        ("raise RuntimeError('preempted')", 1, "SIGTERM: RuntimeError: preempted"),
    ],
)
def test_a_handler_of_the_users_that_ends_the_training_makes_it_interrupted_by_that_signal(store, body, code, reason):
    handler = f"def stop(number, frame):\n    {body}\nsignal.signal(signal.SIGTERM, stop)"
    ended, _ = end_with_signal(start_script(TRAINING.format(handler=handler), store))
    assert ended == code
    assert endings(store) == [("interrupted", reason)]
    assert column_of(store, "SELECT status FROM task") == ["interrupted"]


@pytest.mark.parametrize(
    "handler",
    [
        "class Stop:\n def __call__(self, number, frame):\n  sys.exit(0)\nsignal.signal(signal.SIGTERM, Stop())",
        "class Stop:\n def on(self, number, frame):\n  sys.exit(0)\nsignal.signal(signal.SIGTERM, Stop().on)",
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))",
    ],
)
def test_a_handler_is_known_whatever_it_is_made_of(store, handler):
    end_with_signal(start_script(TRAINING.format(handler=handler), store))
    assert endings(store) == [("interrupted", "SIGTERM")]


def test_a_handler_that_lets_the_training_end_by_itself_leaves_it_finished(store):
    handler = "told = []\nsignal.signal(signal.SIGTERM, lambda *_: told.append(1))"
    source = TRAINING.format(handler=handler).replace("time.sleep(0.001)", "time.sleep(0.001)\n        if told: break")
    code, _ = end_with_signal(start_script(source, store))
    assert code == 0
    assert endings(store) == [("finished", None)]


def test_an_alarm_of_the_programs_own_that_fails_it_makes_it_failed(store):
    run_script(
        """
        import signal, time, dnnprov
        def too_long(number, frame):
            raise TimeoutError("a batch took too long")
        signal.signal(signal.SIGALRM, too_long)
        with dnnprov.start_run("m"):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            time.sleep(10)
        """,
        store,
        code=1,
    )
    assert endings(store) == [("failed", "TimeoutError: a batch took too long")]


def test_a_handler_of_ours_takes_nobodys_place(store):
    before = [signal.getsignal(number) for number in signal.valid_signals()]
    with dnnprov.start_run("m") as run:
        run.log(a=1.0)
        assert [signal.getsignal(number) for number in signal.valid_signals()] == before


def test_sigkill_after_the_grace_time_of_a_handler_that_goes_on_leaves_all_that_was_logged(store):
    handler = "signal.signal(signal.SIGTERM, lambda *_: run.log(told=1.0))"
    process = start_script(TRAINING.format(handler=handler), store)
    assert process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: column_of(store, "SELECT COUNT(*) FROM metric WHERE name = 'told'") == [1])
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert endings(store) == [("crashed", "the process ended without a word")]
    epochs = column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch")
    assert epochs == list(range(len(epochs)))


# Stopped and resumed


def test_a_process_that_is_stopped_on_this_machine_is_not_crashed_however_long(store, monkeypatch):
    monkeypatch.setattr("dnnprov.store.liveness.STALE_SECONDS", 0.0)
    process = start_script(TRAINING.format(handler=""), store)
    assert process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    assert endings(store) == [("running", None)]
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert endings(store)[0][0] == "crashed"


def test_a_process_elsewhere_that_is_stopped_is_taken_for_crashed_and_runs_again_when_it_is_heard(store, monkeypatch):
    """As a laptop that sleeps, or a node that is frozen: its process cannot be seen from here."""
    monkeypatch.setattr("dnnprov.store.liveness.STALE_SECONDS", 0.5)
    elsewhere = (
        "import dnnprov.capture.recorder as recorder\n"
        "recorder.machine_boot = lambda: 'another boot'\nrecorder.HEARTBEAT_SECONDS = 0.05\n"
        "signal.signal(signal.SIGUSR1, lambda *_: run.finish())"
    )
    source = TRAINING.format(handler=elsewhere).replace("time.sleep(0.001)", "time.sleep(1000 if epoch == 20 else 0)")
    source = source.replace("range(100_000)", "range(22)")
    process = start_script(source, store)
    assert process.stdout.readline()
    time.sleep(1.0)
    assert endings(store) == [("running", None)]  # heartbeats, and nothing else
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: endings(store)[0][0] == "crashed")
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: endings(store) == [("running", None)])
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: endings(store) == [("finished", None)])
    process.kill()
    process.communicate()
    assert column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch") == list(range(21))
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]
