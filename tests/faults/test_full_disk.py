"""A disk that is full, or a quota that is used up: training goes on, it is said once, and what is lost is counted."""

from __future__ import annotations

import errno
import os
import time
import warnings

import pytest

import dnnprov
from faults.full_disk import run_on_small_disk
from recorded import column_of

PREAMBLE = """
import gc, io, json, os, sys, time, warnings
import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.journal.folder import StoreFolder
from faults.full_disk import SmallDisk
from recorded import column_of, rows_of

disk = SmallDisk()
store = disk.folder / "store"
told = []
warnings.showwarning = lambda message, *_: told.append(str(message))

def doctor():
    out, err, sys.stdout, sys.stderr = sys.stdout, sys.stderr, io.StringIO(), io.StringIO()
    try:
        code = exit_code(["--store", str(store), "doctor"])
        return code, sys.stdout.getvalue() + sys.stderr.getvalue()
    finally:
        sys.stdout, sys.stderr = out, err
"""


@pytest.mark.parametrize("kind", ["any", "limit"])
def test_a_full_disk_costs_the_events_of_its_time_and_they_are_counted(tmp_path, kind):
    found = run_on_small_disk(
        PREAMBLE
        + """
with dnnprov.start_run("m", store=store, params={"a": 1}) as run:
    training = run.task("Training")
    for epoch in range(1, 51):
        training.log(epoch=epoch, loss=1 / epoch)
    run.recorder.drain()
    disk.fill()
    for epoch in range(51, 451):
        training.log(epoch=epoch, loss=1 / epoch, note="x" * 50)
    validation = run.task("Validation", after=training)
    disk.free()
    for epoch in range(451, 501):
        training.log(epoch=epoch, loss=1 / epoch)
    validation.log(accuracy=0.5)
epochs = column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch")
detail = column_of(store, "SELECT detail FROM problem WHERE kind = 'lost'")
code, text = doctor()
print(json.dumps([told, epochs, detail, code, text, column_of(store, "SELECT status FROM run"),
                  column_of(store, "SELECT tag FROM task ORDER BY tag"),
                  column_of(store, "SELECT accuracy FROM ovalidation")]))
""",
        tmp_path / "disk",
        kind,
    )
    told, epochs, (detail,), code, text, statuses, tasks, accuracy = found
    assert len(told) == 1, told
    assert "could not be recorded" in told[0]
    assert "training goes on" in told[0]
    assert epochs[:50] == list(range(1, 51))
    assert epochs[-50:] == list(range(451, 501))
    assert len(epochs) == len(set(epochs))
    num_lost = int(detail.split()[0])
    assert len(epochs) + num_lost == 500
    assert num_lost > 100
    assert code == 1
    assert f"{num_lost} events" in text
    assert "corrupt_line" not in text  # the write that came out short is among those
    assert statuses == ["finished"]
    assert tasks == ["Training", "Validation"]
    assert accuracy == [0.5]


@pytest.mark.parametrize("kind", ["any", "limit"])
def test_a_disk_that_stays_full_until_the_training_ends_is_told_once_it_is_free(tmp_path, kind):
    """Then there is no room for the number of lost events but in the name of a file."""
    code, epochs, problems, status, text = run_on_small_disk(
        PREAMBLE
        + """
child = os.fork()
if child == 0:
    with dnnprov.start_run("m", store=store) as run, run.task("Training") as training:
        run.recorder.drain()
        for epoch in range(5):
            training.log(epoch=epoch, loss=1.0)
        disk.fill()
        for epoch in range(5, 505):
            training.log(epoch=epoch, loss=1.0)
    os._exit(0 if len(told) == 1 else 7)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
disk.free()
code, text = doctor()
(epochs,) = column_of(store, "SELECT COUNT(*) FROM otrainingmodel")
problems = rows_of(store, "SELECT kind, detail FROM problem")
print(json.dumps([status, epochs, problems, column_of(store, "SELECT status FROM run"), text]))
""",
        tmp_path / "disk",
        kind,
    )
    assert code == 0
    (detail,) = [problem["detail"] for problem in problems if problem["kind"] == "lost"]
    assert epochs + int(detail.split()[0]) == 505 + 2  # the ends of the task and the run
    assert status == ["crashed"]
    assert "lost  [LOST]" in text


def test_a_run_that_could_not_be_closed_has_ended_though_its_process_lives_on(tmp_path):
    """As a notebook does; what was asked before goes on being asked through one open store."""
    before, after, problems, epochs = run_on_small_disk(
        PREAMBLE
        + """
from dnnprov.store.sqlite import open_store
with dnnprov.start_run("m", store=store) as run, run.task("Training") as training:
    run.recorder.drain()
    for epoch in range(5):
        training.log(epoch=epoch, loss=1.0)
    database = open_store(store)
    database.catch_up()
    disk.fill()
    for epoch in range(5, 505):
        training.log(epoch=epoch, loss=1.0)
    before = database.read("SELECT status FROM run")[1]
disk.free()
assert run.recorder.num_lost
for _ in range(2):
    assert database.catch_up() is None
    after = database.read("SELECT status, exit_reason FROM run")[1]
    problems = database.read("SELECT detail FROM problem WHERE kind = 'lost'")[1]
(epochs,) = database.read("SELECT COUNT(*) FROM otrainingmodel")[1]
database.close()
print(json.dumps([before, after, problems, epochs[0]]))
""",
        tmp_path / "disk",
    )
    assert before == [["running"]]
    assert after == [["crashed", "the last events could not be written, so nothing says how the run ended"]]
    ((detail,),) = problems
    assert epochs + int(detail.split()[0]) == 505 + 2  # the ends of the task and the run


def test_a_disk_that_is_full_when_the_run_starts_keeps_its_beginning_for_later(tmp_path):
    told, statuses, parameters, epochs, kinds = run_on_small_disk(
        PREAMBLE
        + """
import dnnprov.capture.recorder
dnnprov.capture.recorder.REOPEN_SECONDS = 0.0
store.mkdir()
disk.fill()
with dnnprov.start_run("m", store=store, params={"a": 1}) as run:
    run.recorder.drain()
    training = run.task("Training")
    training.log(epoch=1, loss=1.0)
    disk.free()
    training.log(epoch=2, loss=0.5)
print(json.dumps([told, *(column_of(store, sql) for sql in (
    "SELECT status FROM run", "SELECT a FROM itrainingmodel", "SELECT epoch FROM otrainingmodel",
    "SELECT DISTINCT kind FROM problem"))]))
""",
        tmp_path / "disk",
    )
    assert len(told) == 1
    assert (statuses, parameters, epochs[-1], kinds) == (["finished"], [1], 2, ["lost"])


def test_heartbeats_and_file_hashes_on_a_full_disk_end_nothing(tmp_path):
    told, statuses, hashes = run_on_small_disk(
        PREAMBLE
        + """
import dnnprov.capture.recorder
dnnprov.capture.recorder.HEARTBEAT_SECONDS = 0.02
(disk.folder / "model").write_bytes(b"weights")
with dnnprov.start_run("m", store=store) as run:
    run.recorder.drain()
    disk.fill()
    for _ in range(200):
        run.log(loss=1.0, note="x" * 50)
    run.add_file(disk.folder / "model")
    run.recorder.drain()
    before = run.recorder.num_lost
    until = time.monotonic() + 20
    while run.recorder.num_lost < before + 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert run.recorder.num_lost >= before + 3
    disk.free()
    run.log(loss=2.0)
    run.add_file(disk.folder / "model")
statuses, hashes = (column_of(store, sql) for sql in ("SELECT status FROM run", "SELECT LENGTH(sha256) FROM file"))
print(json.dumps([told, statuses, hashes]))
""",
        tmp_path / "disk",
    )
    assert len(told) == 1
    assert statuses == ["finished"]
    assert hashes[-1] == 64


def test_a_disk_that_is_full_during_ingest_answers_as_of_before_and_takes_everything_in_once_later(tmp_path):
    notes, before, during, after, problems = run_on_small_disk(
        PREAMBLE
        + """
from dnnprov.store.sqlite import open_store
with dnnprov.start_run("m", store=store) as run:
    for step in range(5):
        run.log(step=step, loss=1.0)
database = open_store(store)
notes = [database.catch_up()]
count = lambda: database.read("SELECT COUNT(*), COUNT(DISTINCT step) FROM metric")[1][0]
before = count()
with dnnprov.start_run("m", store=store) as run:
    for step in range(5, 3005):
        run.log(step=step, loss=1.0)
disk.fill()
for _ in range(3):
    notes.append(database.catch_up())
during = count()
disk.free()
notes.append(database.catch_up())
after = count()
print(json.dumps([notes, before, during, after, database.read("SELECT kind FROM problem")[1]]))
database.close()
""",
        tmp_path / "disk",
    )
    assert notes[0] is None
    assert all("cannot be written" in note and "answers are as of" in note for note in notes[1:4]), notes
    assert notes[4] is None
    assert (before, during, after) == ([5, 5], [5, 5], [3005, 3005])
    assert problems == []


def test_archives_and_plan_files_wait_for_a_disk_that_is_full_and_answers_do_not(tmp_path):
    """The database is on another disk."""
    during, open_segments, archived, plans = run_on_small_disk(
        PREAMBLE
        + """
with dnnprov.start_run("m", store=store) as run:
    for step in range(3000):
        run.log(step=step, loss=1.0)
    run.task("Grown").log(a=1.0)
    run.recorder.drain()
folder = StoreFolder(store)
disk.fill()
during = column_of(store, "SELECT COUNT(*) FROM metric")
open_segments = [len(list(folder.open_segments()))]
plans = [folder.plan("m").exists()]
left = {path.name for path in store.rglob(".*") if path.is_file()}
assert left == {".gitignore"}, left
disk.free()
column_of(store, "SELECT 1")
open_segments.append(len(list(folder.open_segments())))
plans.append(folder.plan("m").exists())
print(json.dumps([during, open_segments, len(list(folder.archived_segments())), plans]))
""",
        tmp_path / "disk",
        DNNPROV_CACHE=str(tmp_path / "roomy"),
    )
    assert during == [3000]
    assert open_segments == [1, 0]
    assert archived == 1
    assert plans[1]


def test_a_quota_says_what_a_full_disk_says(store, monkeypatch):
    """EDQUOT comes as an error of the write, like every other; a quota needs a file system that counts."""
    whole_write, is_over = os.write, False

    def write(descriptor, data):
        if is_over:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        return whole_write(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    said = "Disk quota exceeded; training goes on"
    with pytest.warns(RuntimeWarning, match=said) as told, dnnprov.start_run("m") as run:
        run.log(step=0, loss=1.0)
        is_over = True
        for step in range(1, 11):
            run.log(step=step, loss=1.0)
        is_over = False
        run.log(step=11, loss=1.0)
    assert len(told) == 1
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == [0, 11]
    assert column_of(store, "SELECT detail FROM problem") == ["10 events could not be written"]


def test_a_limit_on_the_size_of_files_costs_nothing(tmp_path):
    steps, num_segments, told = run_on_small_disk(
        PREAMBLE
        + """
import resource, signal
with dnnprov.start_run("m", store=store) as run:
    run.recorder.drain()
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    for step in range(1000):
        run.log(step=step, loss=1.0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
steps = column_of(store, "SELECT step FROM metric ORDER BY step")
print(json.dumps([steps, column_of(store, "SELECT COUNT(*) FROM journal_position")[0], told]))
""",
        tmp_path / "disk",
        "limit",
    )
    assert told == []
    assert steps == list(range(1000))
    assert num_segments > 2


def test_a_limit_below_the_first_line_of_a_journal_ends(tmp_path):
    told, segments = run_on_small_disk(
        PREAMBLE
        + """
import resource
with dnnprov.start_run("m", store=store) as run:
    run.recorder.drain()
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
    for step in range(1000):
        run.log(step=step, note="x" * 1000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(json.dumps([told, len([*(store / "journal").rglob("*.jsonl*")])]))
""",
        tmp_path / "disk",
        "limit",
    )
    assert len(told) == 1
    assert segments < 1010  # each event tries once more, and no event tries for ever


def test_a_run_that_never_had_a_journal_leaves_the_number_of_what_is_lost(tmp_path):
    told, names, num_lost = run_on_small_disk(
        PREAMBLE
        + """
disk.fill()
with dnnprov.start_run("m", store=store) as run, run.task("Training") as training:
    for epoch in range(50):
        training.log(epoch=epoch, loss=1.0)
print(json.dumps([told, [path.name for path in (store / "journal").rglob("*.lost")], run.recorder.num_lost]))
""",
        tmp_path / "disk",
    )
    assert len(told) == 1
    assert num_lost > 50
    assert [int(name.split(".")[-2]) for name in names] == [num_lost]


def test_a_disk_that_has_room_again_when_the_run_ends_learns_of_it(tmp_path):
    """Also within the second for which another try is put off."""
    told, runs, tasks, epochs = run_on_small_disk(
        PREAMBLE
        + """
disk.fill()
with dnnprov.start_run("m", store=store) as run, run.task("Training") as training:
    for epoch in range(50):
        training.log(epoch=epoch, loss=1.0)
    disk.free()
print(json.dumps([told, rows_of(store, "SELECT name, status FROM run"), column_of(store, "SELECT tag FROM task"),
                  column_of(store, "SELECT COUNT(*) FROM otrainingmodel")]))
""",
        tmp_path / "disk",
        "limit",
    )
    assert len(told) == 1
    assert [row["status"] for row in runs] == ["finished"]
    assert tasks == ["Training"]
    assert epochs == [0]


@pytest.mark.parametrize(("code", "is_told"), [(errno.EIO, True), (errno.EDQUOT, True), (errno.EINVAL, False)])
def test_a_disk_that_did_not_keep_what_it_took_is_told(store, monkeypatch, code, is_told):
    """It says so once, to whoever asks it to make a file durable; a file system that cannot do that says it always."""

    def refuse(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fdatasync", refuse)
    monkeypatch.setattr("dnnprov.capture.recorder.HEARTBEAT_SECONDS", 0.02)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with dnnprov.start_run("m") as run:
            run.log(step=0, loss=1.0)
            time.sleep(0.2)
    assert sum(run.uid in str(one.message) for one in told) == is_told  # other runs of this process have beats, too
    assert column_of(store, "SELECT kind FROM problem") == (["not_synced"] if is_told else [])
    assert column_of(store, "SELECT status FROM run") == ["finished"]
