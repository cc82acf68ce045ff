"""Followers beside each other, and beside readers."""

from __future__ import annotations

import subprocess
import sys

import dnnprov
from faults.scripts import wait_until
from recorded import column_of

FOLLOW = "import sys; from dnnprov.cli.main import main; main(sys.argv[1:])"


def start_follower(store):
    return subprocess.Popen(
        [sys.executable, "-c", FOLLOW, "--store", str(store), "ingest", "--follow", "--idle", "1.5"],
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_several_followers_started_at_once_one_stays_and_everything_is_in_once(store):
    with dnnprov.start_run("m") as run:
        run.log(step=0, loss=1.0)
        followers = [start_follower(store) for _ in range(5)]
        wait_until(lambda: sum(follower.poll() is None for follower in followers) == 1)
        step = 0
        while not (store / "provenance.db").exists() or step < 2000:
            step += 1
            run.log(step=step, loss=1.0)
    said = [follower.communicate(timeout=60)[1] for follower in followers]
    assert [follower.returncode for follower in followers] == [0] * 5
    assert said.count("0 new events\n") == 4
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == list(range(step + 1))


def test_two_followers_at_work_at_once_store_everything_once(store):
    """As where locks do not keep them apart: then the database does."""
    with dnnprov.start_run("m") as run:
        run.log(step=0, loss=1.0)
        followers = [start_follower(store)]
        wait_until((store / "follower.lock").exists)
        (store / "follower.lock").unlink()  # the next one locks another file
        followers.append(start_follower(store))
        wait_until((store / "follower.lock").exists)
        for step in range(1, 5001):
            run.log(step=step, loss=1.0)
        assert [follower.poll() for follower in followers] == [None, None]
    for follower in followers:
        follower.communicate(timeout=60)
        assert follower.returncode == 0
    assert column_of(store, "SELECT step FROM metric ORDER BY step") == list(range(5001))
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]
