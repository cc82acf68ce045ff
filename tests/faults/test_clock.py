"""Clocks that are set back or forward, in mid-run and between runs."""

from __future__ import annotations

import os
import time

import pytest

import dnnprov
from dnnprov.journal.folder import StoreFolder
from dnnprov.store.sqlite import open_store
from faults.scripts import start_script, wait_until
from recorded import column_of, rows_of

HOUR = 3600 * 10**9
REAL_TIME_NS = time.time_ns


@pytest.fixture
def clock(monkeypatch):
    """Sets the clock of this process off by some nanoseconds."""
    off = [0]
    monkeypatch.setattr(time, "time_ns", lambda: REAL_TIME_NS() + off[0])
    monkeypatch.setattr(time, "time", lambda: (REAL_TIME_NS() + off[0]) / 1e9)

    def set_off(nanoseconds):
        off[0] = nanoseconds

    return set_off


@pytest.mark.parametrize("off", [-HOUR, HOUR, -24 * 365 * HOUR])
def test_a_clock_that_is_set_in_mid_run_changes_no_order_and_makes_no_time_negative(store, clock, off):
    with dnnprov.start_run("m", params={"learning_rate": 0.1}) as run:
        with run.task("Training") as training:
            for epoch in range(5):
                training.log(epoch=epoch, loss=1.0 / (epoch + 1))
            clock(off)
            for epoch in range(5, 10):
                training.log(epoch=epoch, loss=1.0 / (epoch + 1))
            run.set_params(learning_rate=0.01)
    assert column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY element_id") == list(range(10))
    assert column_of(store, "SELECT last FROM run_metric WHERE name = 'loss' AND level = 'epoch'") == [0.1]
    (row,) = rows_of(store, "SELECT status, duration_seconds FROM run_overview")
    assert row["status"] == "finished"
    assert row["duration_seconds"] >= 0
    assert column_of(store, "SELECT MIN(julianday(ended_at) - julianday(started_at)) >= 0 FROM task") == [1]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


def test_a_run_that_is_resumed_after_the_clock_was_set_back_lasted_no_negative_time(store, clock):
    with dnnprov.start_run("m") as run:
        run.log(loss=1.0)
    clock(-HOUR)
    with dnnprov.start_run("m", resume=run.uid) as again:
        again.log(loss=2.0)
    assert column_of(store, "SELECT value FROM metric ORDER BY step") == [1.0, 2.0]
    assert column_of(store, "SELECT duration_seconds >= 0 FROM run_overview") == [1]


def test_runs_recorded_before_and_after_the_clock_was_set_back_are_all_found_again(store, clock):
    """The archive's time is what tells whether it holds anything new."""
    database = open_store_with(store, clock, [0, -HOUR, -2 * HOUR, HOUR, 0])
    assert database.read("SELECT name FROM run ORDER BY name")[1] == [(f"run-{number}",) for number in range(5)]
    assert database.read("SELECT COUNT(*), COUNT(DISTINCT step) FROM metric")[1] == [(5, 5)]
    database.close()
    for path in store.glob("provenance.db*"):
        path.unlink()
    assert column_of(store, "SELECT COUNT(*) FROM metric") == [5]


def open_store_with(store, clock, offsets):
    """A database that stays open while runs come into the archive past it, each with a clock of its own."""
    database, folder = None, StoreFolder(store)
    for number, off in enumerate(offsets):
        clock(off)
        with dnnprov.start_run("m", store=store, name=f"run-{number}") as run:
            run.log(step=number, loss=1.0)
        if database is None:
            database = open_store(store)
        elsewhere = os.environ.get("DNNPROV_CACHE")
        os.environ["DNNPROV_CACHE"] = str(store.parent / "another")
        try:
            column_of(store, "SELECT 1")  # another database archives it
        finally:
            os.environ.pop("DNNPROV_CACHE") if elsewhere is None else None
        changed = (REAL_TIME_NS() + off) / 1e9
        for path in [*folder.archive.iterdir(), folder.archive]:  # what the file system's clock says, it being set too
            if path == folder.archive or path.name == run.uid:
                os.utime(path, (changed, changed))
        assert list(folder.open_segments()) == []
        assert database.catch_up() is None
        assert database.catch_up() is None
    return database


LIVE = """
import time, dnnprov
import dnnprov.capture.recorder as recorder
recorder.HEARTBEAT_SECONDS = 0.05
{elsewhere}
with dnnprov.start_run("m") as run:
    run.log(step=0, loss=1.0)
    real = time.time_ns
    time.time_ns = lambda: real() - {off}
    run.log(step=1, loss=1.0)
    print("set back", flush=True)
    while True:
        time.sleep(1)
"""

ELSEWHERE = "recorder.machine_boot = lambda: 'another boot'"


@pytest.mark.parametrize("elsewhere", ["", ELSEWHERE])
@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_live_run_whose_clock_was_set_is_not_taken_for_crashed(store, monkeypatch, elsewhere, off):
    """Its heartbeats go on, and the file system's clock tells that they do."""
    monkeypatch.setattr("dnnprov.store.liveness.STALE_SECONDS", 0.6)
    process = start_script(LIVE.format(elsewhere=elsewhere, off=off), store)
    try:
        assert process.stdout.readline()
        for _ in range(4):
            time.sleep(0.4)
            assert column_of(store, "SELECT status FROM run") == ["running"]
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: column_of(store, "SELECT status FROM run") == ["crashed"])
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == [0, 1]
    assert column_of(store, "SELECT duration_seconds >= 0 FROM run_overview") == [1]


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_reader_whose_clock_is_wrong_takes_no_live_run_for_crashed(store, monkeypatch, clock, off):
    monkeypatch.setattr("dnnprov.capture.recorder.machine_boot", lambda: "another boot")
    with dnnprov.start_run("m") as run:
        run.log(step=0, loss=1.0)
        clock(off)
        assert column_of(store, "SELECT status FROM run") == ["running"]
        clock(0)
