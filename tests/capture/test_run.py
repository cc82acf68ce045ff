from __future__ import annotations

import errno
import hashlib
import os
import platform
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import dnnprov
from dnnprov.capture.adaptation import Change
from dnnprov.errors import UsageError
from dnnprov.model.events import FileHashed, MetricsRecorded, ProblemRecorded, RunEnded
from recorded import column_of, events_of, rows_of


def run_script(source, store, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source), *arguments],
        env={**os.environ, "DNNPROV_STORE": str(store), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_example_of_the_design_is_in_the_database(store):
    with dnnprov.start_run("alexnet", params={"optimizer_name": "Adam", "learning_rate": 0.002}) as run:
        with run.task("Filters") as filters:
            filters.uses("iFilters", dataset_name="17flowers")
            filters.generates("oFilters", filter_name="gray-scale")
        with run.task("Training", after=filters) as training:
            for epoch in (1, 2):
                training.log(epoch=epoch, loss=1 / epoch, accuracy=0.5)
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "alexnet-1", "status": "finished"}]
    assert column_of(store, "SELECT loss FROM oTrainingModel ORDER BY epoch") == [1.0, 0.5]
    assert rows_of(store, "SELECT optimizer_name, learning_rate FROM iTrainingModel") == [
        {"optimizer_name": "Adam", "learning_rate": 0.002}
    ]
    dependency = """SELECT a.tag AS task, b.tag AS before FROM task_dependency AS d
        JOIN task AS a ON a.task_id = d.task_id JOIN task AS b ON b.task_id = d.depends_on_task_id"""
    assert rows_of(store, dependency) == [{"task": "Training", "before": "Filters"}]
    assert column_of(store, "SELECT status FROM task") == ["finished", "finished"]


def test_default_names_count_up_and_keep_clear_of_given_ones(store):
    names = [dnnprov.start_run("m", name=name) for name in (None, "m-2", "mine", None, "m-2")]
    for run in names:
        run.finish()
    assert [run.name for run in names] == ["m-1", "m-2", "mine", "m-3", "m-2"]
    assert len({run.uid for run in names}) == 5


def test_many_threads_get_different_default_names(store):
    runs = []
    threads = [threading.Thread(target=lambda: runs.append(dnnprov.start_run("m"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        run.finish()
    assert sorted(run.name for run in runs) == sorted(f"m-{number}" for number in range(1, 13))


def test_an_exception_ends_the_run_as_failed_with_type_and_message(store):
    with pytest.raises(ValueError, match="bad batch"), dnnprov.start_run("m") as run, run.task("Training"):
        raise ValueError("bad batch")
    assert rows_of(store, "SELECT status, exit_reason FROM run") == [
        {"status": "failed", "exit_reason": "ValueError: bad batch"}
    ]
    assert column_of(store, "SELECT status FROM task") == ["failed"]


def test_ctrl_c_ends_the_run_as_interrupted(store):
    with pytest.raises(KeyboardInterrupt), dnnprov.start_run("m"):
        raise KeyboardInterrupt
    assert column_of(store, "SELECT status FROM run") == ["interrupted"]


@pytest.mark.parametrize(
    ("ending", "status"),
    [("", "finished"), ("raise ValueError('x')", "failed"), ("raise SystemExit(0)", "finished")],
)
def test_a_run_nobody_finished_ends_as_its_process_does(store, ending, status):
    run_script(
        f"import dnnprov\nrun = dnnprov.start_run('m')\nrun.task('Training').log(epoch=1, loss=1.0)\n{ending}", store
    )
    assert column_of(store, "SELECT status FROM run") == [status]
    assert column_of(store, "SELECT status FROM task") == [status]
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == [1]


def test_a_run_nobody_holds_ends_with_its_process(store):
    run_script("import dnnprov, gc\ndnnprov.start_run('m').log(loss=1.0)\ngc.collect()", store)
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_a_process_that_ends_without_a_word_shows_as_crashed(store):
    done = run_script(
        "import dnnprov, os\nt = dnnprov.start_run('m').task('Training')\nt.log(epoch=1, loss=1.0)\nos._exit(7)", store
    )
    assert done.returncode == 7
    assert rows_of(store, "SELECT status, exit_reason FROM run") == [
        {"status": "crashed", "exit_reason": "the process ended without a word"}
    ]
    assert column_of(store, "SELECT status FROM task") == ["crashed"]
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == [1]


def test_after_finish_a_log_warns_once_and_records_nothing(store):
    run = dnnprov.start_run("m")
    task = run.task("Training")
    run.finish()
    run.finish("failed")
    with pytest.warns(RuntimeWarning, match="after finish") as told:
        for _ in range(3):
            task.log(epoch=1, loss=1.0)
            run.log(loss=1.0)
            run.set_params(a=1)
    assert len(told) == 1
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT COUNT(*) FROM otrainingmodel") == [0]


def test_a_changed_hyperparameter_is_an_adaptation_and_the_row_keeps_the_first_value(store):
    with dnnprov.start_run("m", params={"learning_rate": 0.1}) as run, run.task("Training") as training:
        training.log(epoch=1, loss=1.0)
        run.set_params(learning_rate=0.1, momentum=0.9)
        run.set_params(learning_rate=0.01)
        training.log(epoch=2, loss=0.5)
    assert rows_of(store, "SELECT learning_rate, momentum FROM itrainingmodel") == [
        {"learning_rate": 0.1, "momentum": 0.9}
    ]
    assert rows_of(
        store, "SELECT attribute, old_value, new_value, epoch, technique, adaptation_id FROM oadaptation"
    ) == [
        {
            "attribute": "learning_rate",
            "old_value": 0.1,
            "new_value": 0.01,
            "epoch": 2,
            "technique": "manual",
            "adaptation_id": 1,
        }
    ]


def test_steps_count_up_where_they_are_left_out(store):
    with dnnprov.start_run("m") as run:
        for value in (3, 2, 1):
            run.log(loss=value, epoch=1)
    assert rows_of(store, "SELECT step, epoch, value FROM metric WHERE name = 'loss' ORDER BY step") == [
        {"step": 0, "epoch": 1, "value": 3},
        {"step": 1, "epoch": 1, "value": 2},
        {"step": 2, "epoch": 1, "value": 1},
    ]


def test_a_file_has_size_at_once_and_its_hash_when_the_run_is_finished(store, tmp_path):
    model = tmp_path / "model.bin"
    model.write_bytes(b"weights")
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        training.generates_file(model, role="model")
    (row,) = rows_of(store, "SELECT path, size, sha256, role, relation, task_id FROM file")
    assert row["path"] == str(model)
    assert (row["size"], row["role"], row["relation"], row["task_id"]) == (7, "model", "generated", 1)
    assert row["sha256"] == hashlib.sha256(b"weights").hexdigest()


def test_a_folder_has_a_hash_over_its_files(store, tmp_path):
    folder = tmp_path / "saved"
    (folder / "inner").mkdir(parents=True)
    (folder / "b.txt").write_bytes(b"b")
    (folder / "inner" / "a.txt").write_bytes(b"a")
    with dnnprov.start_run("m") as run:
        run.add_file(folder)
    listing = "".join(
        f"{hashlib.sha256(name.encode()[-5:-4]).hexdigest()}  {name}\n" for name in ("b.txt", "inner/a.txt")
    )
    assert column_of(store, "SELECT sha256 FROM file") == [hashlib.sha256(listing.encode()).hexdigest()]


def test_a_file_overwritten_before_it_is_hashed_is_marked_and_not_mis_hashed(store, tmp_path):
    model = tmp_path / "model.bin"
    model.write_bytes(b"first")
    held, let_go = threading.Event(), threading.Event()
    with dnnprov.start_run("m") as run:
        run.recorder.submit(lambda: (held.set(), let_go.wait(10)))
        assert held.wait(10)
        run.add_file(model)
        model.write_bytes(b"second, longer")
        run.add_file(model)
        let_go.set()
    rows = rows_of(store, "SELECT size, sha256, note FROM file ORDER BY file_id")
    assert rows == [
        {"size": 5, "sha256": None, "note": "overwritten before it was hashed"},
        {"size": 14, "sha256": hashlib.sha256(b"second, longer").hexdigest(), "note": None},
    ]


def test_hashing_happens_off_the_training_thread(store, tmp_path):
    model = tmp_path / "model.bin"
    model.write_bytes(b"w")
    threads = []
    with dnnprov.start_run("m") as run:
        record = run.recorder.record

        def watched(event, *arguments, **options):
            if isinstance(event, FileHashed):
                threads.append(threading.current_thread())
            record(event, *arguments, **options)

        run.recorder.record = watched
        run.add_file(model)
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()


def test_a_missing_file_is_a_problem_and_no_error(store):
    with pytest.warns(RuntimeWarning, match="was not recorded"), dnnprov.start_run("m") as run:
        run.add_file("/nowhere/model.bin")
    assert column_of(store, "SELECT kind FROM problem") == ["file_missing"]


def test_disabled_means_no_file_no_thread_no_row(store, monkeypatch, tmp_path):
    monkeypatch.setenv("DNNPROV_DISABLED", "1")
    before = threading.active_count()
    with dnnprov.start_run("m", params={"a": 1}) as run, run.task("Training") as training:
        training.log(epoch=1, loss=1.0)
        run.log(loss=1.0)
        run.set_params(a=2)
        run.add_file(__file__)
        run.add_file("/nowhere")
        assert threading.active_count() == before
    assert not store.exists()
    assert run.status == "finished"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataflow": 3}, "dataflow=3 is a int; expected a tag"),
        ({"dataflow": ""}, "is empty"),
        ({"dataflow": "m", "params": ["lr"]}, r"params=\['lr'\] is a list; expected a dict"),
        ({"dataflow": "m", "name": 5}, "name=5 is a int; expected text"),
        ({"dataflow": "m", "tags": 5}, "tags=5 is a int; expected a dict or a list"),
        ({"dataflow": "m", "store": 5}, "store=5 is a int; expected a path"),
        ({"dataflow": "m", "parent": 5}, "parent=5 is a int; expected a run or its uid"),
    ],
)
def test_misuse_before_training_says_what_came_and_what_was_expected(store, arguments, message):
    with pytest.raises(UsageError, match=message):
        dnnprov.start_run(**arguments)
    assert not store.exists()


def test_a_store_that_cannot_be_written_warns_once_and_training_goes_on(tmp_path):
    place = tmp_path / "file"
    place.write_text("not a folder")
    with pytest.warns(RuntimeWarning, match="could not be recorded") as told:
        with dnnprov.start_run("m", store=place, params={"a": 1}) as run, run.task("Training") as training:
            for epoch in range(5):
                training.log(epoch=epoch, loss=1.0)
    assert len(told) == 1
    assert run.recorder.num_lost >= 7


def test_what_was_lost_is_told_in_the_journal_once_writing_works_again(store, monkeypatch):
    with pytest.warns(RuntimeWarning, match="could not be recorded"), dnnprov.start_run("m") as run:
        run.recorder.drain()
        monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        for _ in range(3):
            run.log(loss=1.0)
        monkeypatch.undo()
        run.log(loss=2.0)
    assert rows_of(store, "SELECT kind, detail FROM problem WHERE kind = 'lost'") == [
        {"kind": "lost", "detail": "3 events could not be written"}
    ]
    assert column_of(store, "SELECT value FROM metric") == [2.0]


def test_warnings_that_are_errors_do_not_end_a_training(tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    done = run_script("import dnnprov\nwith dnnprov.start_run('m') as run:\n    run.log(a=1)\nprint('trained')", place)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "trained\n"
    assert done.stderr.count("could not be recorded") == 1


def test_a_failure_of_our_own_code_is_counted_and_does_not_reach_the_training(store):
    with dnnprov.start_run("m") as run:
        with pytest.warns(RuntimeWarning, match="capture_failure"), run.recorder.guarded("the hook"):
            raise ZeroDivisionError("ours")
    problems = [event for event in events_of(store) if isinstance(event, ProblemRecorded)]
    assert [(problem.kind, problem.detail) for problem in problems] == [
        ("capture_failure", "the hook: ZeroDivisionError: ours")
    ]


def test_a_forked_child_records_its_own_and_ends_nobody_s_run(store):
    done = run_script(
        """
        import os, dnnprov
        with dnnprov.start_run("m") as run, run.task("Training") as training:
            training.log(epoch=1, loss=1.0)
            child = os.fork()
            if child == 0:
                training.log(epoch=2, loss=2.0)
                run.log(loss=5.0)
                raise SystemExit(0)
            os.waitpid(child, 0)
            training.log(epoch=3, loss=3.0)
        """,
        store,
    )
    assert done.returncode == 0, done.stderr
    assert column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch") == [1, 2, 3]
    assert column_of(store, "SELECT DISTINCT task_id FROM otrainingmodel") == [1]
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT COUNT(*) FROM process") == [2]
    assert [event.status for event in events_of(store) if isinstance(event, RunEnded)] == ["finished"]


def test_a_forked_child_that_is_killed_does_not_crash_the_run(store):
    run_script(
        """
        import os, dnnprov
        with dnnprov.start_run("m") as run:
            child = os.fork()
            if child == 0:
                run.log(loss=5.0)
                os._exit(9)
            os.waitpid(child, 0)
        """,
        store,
    )
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT value FROM metric") == [5.0]


def test_a_live_run_is_running_and_its_rows_are_seen_at_once(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        for epoch in range(1, 4):
            training.log(epoch=epoch, loss=1.0)
            assert column_of(store, "SELECT MAX(epoch) FROM otrainingmodel") == [epoch]
            assert column_of(store, "SELECT status FROM run") == ["running"]


def test_in_a_notebook_a_cell_that_is_run_again_ends_the_run_it_started(store, monkeypatch):
    shell = SimpleNamespace(kernel=object(), execution_count=1)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    first = dnnprov.start_run("m")
    other = dnnprov.start_run("another")
    shell.execution_count = 2
    second, beside = dnnprov.start_run("m"), dnnprov.start_run("m")  # two runs of one cell are meant to be two
    assert [run.status for run in (first, other, second, beside)] == ["finished", "running", "running", "running"]
    with dnnprov.start_run("nested") as outer:
        shell.execution_count = 3
        with dnnprov.start_run("nested"):
            assert outer.status == "running"
    study = dnnprov.start_run("study")
    shell.execution_count = 4
    for parent in (study, study.uid):  # of which the new run is a part
        dnnprov.start_run("study", parent=parent).finish()
        assert study.status == "running"
    study.finish()
    for run in (other, second, beside):
        run.finish()


def test_a_stated_value_does_not_conflict_with_the_same_in_single_precision(store):
    with dnnprov.start_run("m", params={"learning_rate": 0.0031622776601683794, "momentum": 0.9}) as run:
        run.fill_params({"learning_rate": 0.0031622776, "momentum": 0.8})
    assert column_of(store, "SELECT learning_rate FROM iTrainingModel") == [0.0031622776601683794]
    (detail,) = column_of(store, "SELECT detail FROM problem WHERE kind = 'conflicting_hyperparameter'")
    assert detail.startswith("momentum was given as 0.9")


@pytest.mark.parametrize("shell", [None, SimpleNamespace(execution_count=1)])
def test_a_program_that_loaded_what_notebooks_need_is_none(store, monkeypatch, shell):
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    with dnnprov.start_run("m") as first:
        second = dnnprov.start_run("m")
        third = dnnprov.start_run("m")
        assert (first.status, second.status, third.status) == ("running", "running", "running")
        second.finish()
        third.finish()


def test_threads_write_whole_lines_with_numbers_without_gaps(store):
    def log(run, thread):
        for index in range(200):
            run.log(step=index, thread=thread, text="x" * 5000)

    with dnnprov.start_run("m") as run:
        run.recorder.drain()  # what is recorded once, at the start
        threads = [threading.Thread(target=log, args=(run, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = events_of(store)
    assert [event.seq for event in events] == list(range(len(events)))
    logged = [event for event in events if isinstance(event, MetricsRecorded)]
    assert len(logged) == 1600
    for number in range(8):
        assert [event.step for event in logged if event.values["thread"] == number] == list(range(200))


def test_the_active_run_is_that_of_the_block_around(store):
    assert dnnprov.active_run() is None
    with dnnprov.start_run("m") as outer:
        with dnnprov.start_run("m", parent=outer) as inner:
            assert dnnprov.active_run() is inner
        assert dnnprov.active_run() is outer
    assert dnnprov.active_run() is None
    parents = "SELECT p.uid FROM run AS r LEFT JOIN run AS p ON p.run_id = r.parent_run_id ORDER BY r.started_at"
    assert column_of(store, parents) == [None, outer.uid]


def test_a_resumed_run_goes_on_and_its_repeated_epochs_count_once(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        for epoch, accuracy in ((1, 0.2), (2, 0.9), (3, 0.95)):
            training.log(epoch=epoch, accuracy=accuracy)
    with dnnprov.start_run("m", resume=run.uid) as again, again.task("Training") as training:
        assert column_of(store, "SELECT status FROM run") == ["running"]
        for epoch, accuracy in ((3, 0.5), (4, 0.6)):
            training.log(epoch=epoch, accuracy=accuracy)
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert rows_of(store, "SELECT max, max_epoch, num_values FROM run_metric WHERE name = 'accuracy'") == [
        {"max": 0.9, "max_epoch": 2, "num_values": 4}
    ]
    assert column_of(store, "SELECT last_epoch FROM run") == [4]


def test_the_environment_has_no_secrets(store, monkeypatch):
    monkeypatch.setenv("MY_API_TOKEN", "hunter2secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with dnnprov.start_run("m"):
        pass
    (row,) = rows_of(store, "SELECT * FROM environment")
    assert "hunter2secret" not in repr(row)
    assert '"OMP_NUM_THREADS": "3"' in row["variables"]
    assert row["python"] == ".".join(map(str, sys.version_info[:3]))
    assert '"msgspec"' in row["packages"]


def test_git_commit_and_dirty_state_are_recorded(store, tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    script = code / "train.py"
    script.write_text("import dnnprov\nwith dnnprov.start_run('m'):\n    pass\n")

    def git(*arguments):
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=trunk"]
        done = subprocess.run(["git", *identity, *arguments], cwd=code, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def train():
        environment = {**os.environ, "DNNPROV_STORE": str(store)}
        subprocess.run([sys.executable, str(script)], env=environment, check=True, timeout=60)

    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    train()
    script.write_text(script.read_text() + "# changed\n")
    train()
    rows = rows_of(
        store,
        "SELECT git_commit, git_branch, git_dirty, git_diff_sha256 FROM environment AS e"
        " JOIN run AS r ON r.run_id = e.run_id ORDER BY r.started_at",
    )
    assert {row["git_commit"] for row in rows} == {git("rev-parse", "HEAD")}
    assert [row["git_dirty"] for row in rows] == [0, 1]
    assert rows[0]["git_diff_sha256"] is None
    assert len(rows[1]["git_diff_sha256"]) == 64
    assert rows[0]["git_branch"] == "trunk"


def test_importing_dnnprov_loads_no_framework_and_no_driver(store):
    done = run_script(
        """
        import sys, dnnprov
        dnnprov.start_run("m").finish()
        heavy = {"numpy", "pandas", "keras", "torch", "jax", "sqlite3", "click", "rich", "prov"} & set(sys.modules)
        print(heavy or "light")
        """,
        store,
    )
    assert done.stdout == "light\n", done.stderr


def test_a_heartbeat_is_recorded_when_nothing_else_is(store, monkeypatch):
    monkeypatch.setattr("dnnprov.capture.recorder.HEARTBEAT_SECONDS", 0.05)
    with dnnprov.start_run("m"):
        first = column_of(store, "SELECT heartbeat_at FROM run")
        deadline = time.monotonic() + 10
        while column_of(store, "SELECT heartbeat_at FROM run") == first:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_log_takes_any_name_of_a_metric(store):
    with warnings.catch_warnings(), dnnprov.start_run("m") as run:
        run.log(**{"self": 1, "values": 2, "top-5 acc": 3})
        run.task("Training").log(self=1, tag=2, order=3)
        run.task("Split").uses("iSplit", self=1, data_set=2)
    assert sorted(column_of(store, "SELECT name FROM metric")) == ["self", "top-5 acc", "values"]
    assert rows_of(store, 'SELECT "self", tag, order_ FROM otrainingmodel') == [{"self": 1, "tag": 2, "order_": 3}]
    assert sum(isinstance(event, MetricsRecorded) for event in events_of(store)) == 1


def test_a_resumed_run_keeps_its_name_and_sees_what_was_changed_since(store):
    with (
        dnnprov.start_run("m", params={"learning_rate": 0.1, "batch_size": 8}) as run,
        run.task("Training") as training,
    ):
        training.log(epoch=1, loss=1.0)
        run.set_params(learning_rate=0.05)
    for _ in range(2):  # from an archived segment and from an open one
        with dnnprov.start_run("m", params={"learning_rate": 0.05, "batch_size": 8}, resume=run.uid) as again:
            assert (again.name, again.uid) == ("m-1", run.uid)
            column_of(store, "SELECT 1")
    with dnnprov.start_run("m", params={"learning_rate": 0.01}, resume=run.uid):
        pass
    assert rows_of(
        store, "SELECT adaptation_id, old_value, new_value, agent FROM oadaptation ORDER BY adaptation_id"
    ) == [
        {"adaptation_id": 1, "old_value": 0.1, "new_value": 0.05, "agent": "person"},
        {"adaptation_id": 2, "old_value": 0.05, "new_value": 0.01, "agent": "person"},
    ]
    assert rows_of(store, "SELECT learning_rate, batch_size FROM itrainingmodel") == [
        {"learning_rate": 0.1, "batch_size": 8}
    ]
    assert dnnprov.start_run("m").name == "m-2"


@pytest.mark.parametrize("uid", ["0123456789abcdef", "../../escaped", "/tmp/escaped", "m-1"])
def test_resuming_a_run_that_is_not_there_says_so_and_records_a_new_one(store, tmp_path, uid):
    with pytest.warns(RuntimeWarning, match="is the uid of no run") as told, dnnprov.start_run("m", resume=uid) as run:
        run.log(loss=1.0)
    assert told[0].filename == __file__
    assert run.uid != uid
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "m-1", "status": "finished"}]
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_warning_points_at_the_line_that_led_to_it(store):
    run = dnnprov.start_run("m")
    run.finish()
    with pytest.warns(RuntimeWarning, match="after finish") as told:
        run.log(loss=1.0)
    assert told[0].filename == __file__


@pytest.mark.parametrize("value", ["off", "0", "", "No"])
def test_a_switch_that_says_no_leaves_recording_on(store, monkeypatch, value):
    monkeypatch.setenv("DNNPROV_DISABLED", value)
    dnnprov.start_run("m").finish()
    assert column_of(store, "SELECT name FROM run") == ["m-1"]


def test_in_an_interactive_session_an_old_error_does_not_fail_a_later_run(store):
    session = """
undefined_name
import dnnprov
from dnnprov.capture.adaptation import Change
run = dnnprov.start_run("m")
run.task("Training").log(epoch=1, loss=1.0)
"""
    subprocess.run(
        [sys.executable, "-i", "-q"],
        input=session,
        env={**os.environ, "DNNPROV_STORE": str(store)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_a_resumed_run_goes_on_counting_its_steps(store):
    with dnnprov.start_run("m") as run:
        for _ in range(3):
            run.log(loss=1.0)
    with dnnprov.start_run("m", resume=run.uid) as again:
        again.log(loss=2.0)
    assert column_of(store, "SELECT value FROM metric ORDER BY step") == [1.0, 1.0, 1.0, 2.0]
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == [0, 1, 2, 3]


def test_what_names_a_task_is_text_whatever_was_given(store):
    class Unreadable:
        def __str__(self):
            raise ValueError

    with pytest.warns(RuntimeWarning), dnnprov.start_run("m") as run:
        with run.task("Training", identifier=5, details={"x": 1, 2: np.float32(0.5)}) as training:
            training.log(epoch=np.int64(2), loss=1.0)
            run.set_params(learning_rate=0.1)
            run.set_params(learning_rate=0.2)
            training.record("oThings", "generated", [None])
            training.end(details={"output": Path("here")})
        run.task("Other", details=["x"], after=(1 / number for number in [0])).end()
        run.task("Third").uses(Unreadable(), a=1)
        run.adapt(Change("momentum", 0.9, 0.8, epoch="ten", step="x", technique=7))
    assert rows_of(store, "SELECT identifier, details FROM task WHERE tag = 'Training'") == [
        {"identifier": "5", "details": '{"x": "1", "2": "0.5", "output": "here"}'}
    ]
    assert column_of(store, "SELECT details FROM task WHERE tag = 'Other'") == ['{"details": "[\\"x\\"]"}']
    assert column_of(store, "SELECT epoch FROM oadaptation ORDER BY attribute") == [3, None]
    assert column_of(store, "SELECT technique FROM oadaptation WHERE attribute = 'momentum'") == ["7"]
    assert column_of(store, "SELECT DISTINCT kind FROM problem") == ["capture_failure"]
    assert column_of(store, "SELECT COUNT(*) FROM data_set WHERE tag LIKE '<Unreadable%'") == [1]


def test_an_integer_of_thousands_of_digits_costs_nothing_beside_it(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        training.log(epoch=1, huge=10**5000, loss=1.5)
        run.log(step=0, huge=10**5000, ok=1.5)
    (row,) = rows_of(store, "SELECT huge, loss FROM otrainingmodel")
    assert int(row["huge"], 16) == 10**5000
    assert row["loss"] == 1.5
    assert column_of(store, "SELECT value FROM metric WHERE name = 'ok'") == [1.5]


def test_a_store_that_no_path_can_be_is_refused_before_the_training(tmp_path):
    with pytest.raises(UsageError, match="holds a NUL, which no path may"):
        dnnprov.start_run("m", store=f"{tmp_path}/a\0b")


def test_where_files_run_out_while_the_environment_is_read_the_rest_of_it_is_recorded(store, monkeypatch):
    def refuse(name):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("dnnprov.capture.environment.version", refuse)
    with dnnprov.start_run("m") as run:
        run.recorder.drain()
    assert column_of(store, "SELECT python FROM environment") == [platform.python_version()]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]
