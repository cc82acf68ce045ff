"""Kills recording processes at random moments and counts: every call that had returned is in the database, once.

Usage: python tests/kill_rounds.py [ROUNDS]      (200 where it is left out)
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dnnprov.store.sqlite import open_store

RECORDER = Path(__file__).with_name("killed_recorder.py")


def kill_one(store: Path, name: str, seconds: float) -> int:
    """Let a recorder run for some time after its first call, kill it with SIGKILL, and return its last number."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, str(RECORDER), str(store), str(writing), name],
        pass_fds=[writing],
        env={**os.environ, "DNNPROV_FOLLOW": "0"},
    )
    os.close(writing)
    told = b""
    deadline = None
    while deadline is None or time.monotonic() < deadline:
        ready, _, _ = select.select([reading], [], [], 0.001)
        if ready:
            told += os.read(reading, 1 << 16)
            deadline = deadline or time.monotonic() + seconds
    process.send_signal(signal.SIGKILL)
    process.wait()
    while block := os.read(reading, 1 << 16):
        told += block
    os.close(reading)
    whole = told[: told.rfind(b"\n")].split(b"\n")
    return int(whole[-1])


def check_one(store: Path, name: str, last: int) -> None:
    """Count what the killed run left in the database; a call that had not returned may be there as well."""
    database = open_store(store)
    database.catch_up()
    try:
        for sql in (
            "SELECT epoch FROM otrainingmodel AS e JOIN run AS r USING (run_id) WHERE r.name = ? ORDER BY epoch",
            "SELECT step FROM metric AS m JOIN run AS r ON r.run_id = m.run_id WHERE r.name = ? ORDER BY step",
        ):
            numbers = [row[0] for row in database.read(sql, (name,))[1]]
            assert numbers == list(range(len(numbers))), f"{name}: a number is missing or there twice"
            assert last < len(numbers) <= last + 2, f"{name}: {len(numbers)} are in, call {last} had returned"
        assert database.read("SELECT status FROM run WHERE name = ?", (name,))[1] == [("crashed",)]
    finally:
        database.close()


def run_rounds(store: Path, num_rounds: int, seed: int) -> int:
    """Kill, count, repeat; the number of calls that had returned altogether."""
    chance = random.Random(seed)
    total = 0
    for number in range(num_rounds):
        name = f"round-{number}"
        last = kill_one(store, name, chance.uniform(0, 0.25))
        check_one(store, name, last)
        total += 2 * (last + 1)
    return total


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        calls = run_rounds(Path(folder) / "store", rounds, seed=rounds)
    print(f"{rounds} recorders killed: all {calls:,} calls that had returned are in the database, once")
