"""Kills recorders, followers and readers at random moments and counts: what was recorded is in the database, once.

Usage: python tests/kill_rounds.py [ROUNDS]      (200 of each where it is left out)

- **recorder**: every call that had returned is there, and the run is crashed;
- **follower**: killed while a training goes on, and started again; nothing is missing or there twice at any moment;
- **reader**: killed while it takes a journal in or archives it; the next one makes the same database of it as one
  that nobody disturbed.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dnnprov
from dnnprov.journal.folder import StoreFolder
from dnnprov.store.follower import follow
from dnnprov.store.sqlite import SqliteStore, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORDER = Path(__file__).with_name("killed_recorder.py")

NUMBERS_OF = (
    "SELECT epoch FROM otrainingmodel AS e JOIN run AS r USING (run_id) WHERE r.name = ? ORDER BY epoch",
    "SELECT step FROM metric AS m JOIN run AS r ON r.run_id = m.run_id WHERE r.name = ? ORDER BY step",
)


class RecorderProcess:
    """A process that records, and tells which of its calls returned."""

    def __init__(self, store: Path, name: str, pause: float = 0.0) -> None:
        self._reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, str(RECORDER), str(store), str(writing), name, str(pause)],
            pass_fds=[writing],
            env={**os.environ, "DNNPROV_FOLLOW": "0"},
        )
        os.close(writing)
        self._told = b""

    def listen(self, seconds: float) -> None:
        """Let it run for some time after its first call."""
        deadline = None
        while deadline is None or time.monotonic() < deadline:
            ready, _, _ = select.select([self._reading], [], [], 0.001)
            if ready:
                block = os.read(self._reading, 1 << 16)
                assert block, f"the recorder ended by itself with {self._process.wait()}"
                self._told = (self._told + block)[-1000:] if len(self._told) > 1000 else self._told + block
                deadline = deadline or time.monotonic() + seconds

    def kill(self) -> int:
        """Send SIGKILL; the number of its last call that had returned."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        while block := os.read(self._reading, 1 << 16):
            self._told += block
        os.close(self._reading)
        return int(self._told[: self._told.rfind(b"\n")].split(b"\n")[-1])


@contextmanager
def opened(store: Path) -> Iterator[SqliteStore]:
    """The database of a store, with everything in that is recorded until now."""
    database = open_store(store)
    try:
        assert database.catch_up() is None
        yield database
    finally:
        database.close()


def check_numbers(store: Path, name: str, last: int | None = None) -> int:
    """Count what a run left: nothing missing, nothing twice.

    Args:
        store: its folder.
        name: of the run.
        last: the number of its last call that had returned; one that had not may be there as well.
    """
    with opened(store) as database:
        for sql in NUMBERS_OF:
            numbers = [row[0] for row in database.read(sql, (name,))[1]]
            assert numbers == list(range(len(numbers))), f"{name}: a number is missing or there twice"
            if last is not None:
                assert last < len(numbers) <= last + 2, f"{name}: {len(numbers)} are in, call {last} had returned"
        if last is not None:
            assert database.read("SELECT status FROM run WHERE name = ?", (name,))[1] == [("crashed",)]
    return len(numbers)


@contextmanager
def killed_child(work: Callable[[], object], seconds: float) -> Iterator[bool]:
    """Do some work in a forked child and kill it after some time, unless it was done.

    Yields:
        Whether it was killed.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - the parent must see it, and nothing of its own may run here
            os._exit(1)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"it ended with {os.WEXITSTATUS(status)}"
    yield os.WIFSIGNALED(status)


def kill_recorders(store: Path, num_rounds: int, seed: int) -> int:
    """Kill, count, repeat; the number of calls that had returned altogether."""
    chance, total = random.Random(seed), 0
    for number in range(num_rounds):
        name = f"round-{number}"
        recorder = RecorderProcess(store, name)
        recorder.listen(chance.uniform(0, 0.25))
        last = recorder.kill()
        check_numbers(store, name, last)
        total += 2 * (last + 1)
    return total


def kill_followers(store: Path, num_rounds: int, seed: int) -> int:
    """One recorder, and followers that die beside it; how many were killed before they ended."""
    chance, num_killed = random.Random(seed), 0
    recorder = RecorderProcess(store, "followed", pause=0.0005)
    recorder.listen(0.1)
    for _ in range(num_rounds):
        recorder.listen(0.0)
        with killed_child(lambda: follow(StoreFolder(store), idle_seconds=5.0), chance.uniform(0, 0.4)) as killed:
            num_killed += killed
        check_numbers(store, "followed")
    check_numbers(store, "followed", recorder.kill())
    return num_killed


def kill_readers(folder: Path, num_rounds: int, seed: int) -> int:
    """Readers that die while they take in what others make whole; how many were killed before they were done."""
    chance, num_killed = random.Random(seed), 0
    template, undisturbed = folder / "template", folder / "undisturbed"
    record_several(template)
    shutil.copytree(template, undisturbed)
    began = time.monotonic()
    expected = contents(undisturbed)
    seconds = time.monotonic() - began
    for number in range(num_rounds):
        store = folder / f"round-{number}"
        shutil.copytree(template, store)
        with killed_child(lambda store=store: take_in(store), chance.uniform(0, seconds)) as killed:
            num_killed += killed
        assert contents(store) == expected, f"round {number} left another database than an undisturbed reader"
        shutil.rmtree(store)
    return num_killed


def record_several(store: Path) -> None:
    """Some finished runs that nobody has taken in."""
    for _ in range(3):
        with dnnprov.start_run("read", store=store, params={"learning_rate": 0.1}) as run:
            with run.task("Training") as training:
                for epoch in range(300):
                    training.log(epoch=epoch, loss=1.0 / (epoch + 1), note="x" * 300)
                    run.log(step=epoch, loss=float(epoch))


def take_in(store: Path) -> None:
    """As a reader does, in small pieces, so that there are many moments between two of them."""
    database = SqliteStore(StoreFolder(store), chunk_bytes=4 << 10)
    database.ingest()
    database.close()


def contents(store: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the tables, after taking in the rest, and where the segments are."""
    with opened(store) as database:
        assert database.read("PRAGMA integrity_check")[1] == [("ok",)]
        names = [row[0] for row in database.read("SELECT name FROM sqlite_master WHERE type = 'table'")[1]]
        tables = {name: database.read(f'SELECT * FROM "{name}"')[1] for name in names if name != "schema_version"}
    folder = StoreFolder(store)
    places = [*folder.open_segments(), *folder.archived_segments(), *folder.archive.glob(".*")]
    return {**tables, "segments": [(str(path.relative_to(store)),) for path in places if ".gz." not in path.name]}


def main(num_rounds: int) -> None:
    """Kill so many of each, and tell what was counted."""
    os.environ["DNNPROV_FOLLOW"] = "0"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        calls = kill_recorders(folder / "recorders", num_rounds, seed=num_rounds)
        print(f"{num_rounds} recorders killed: all {calls:,} calls that had returned are in the database, once")
        killed = kill_followers(folder / "followers", num_rounds, seed=num_rounds)
        print(f"{killed} of {num_rounds} followers killed at work: nothing is missing or there twice")
        killed = kill_readers(folder / "readers", num_rounds, seed=num_rounds)
        print(f"{killed} of {num_rounds} readers killed in mid-ingest: the next one made the same database")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
