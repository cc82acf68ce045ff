"""Many processes record into one store at once, while a follower takes it in; then every call is counted.

Usage: python tests/many_processes.py [PROCESSES] [CALLS]      (64 and 20,000 where they are left out)
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from dnnprov.journal.folder import StoreFolder
from dnnprov.store.sqlite import open_store

RECORDER = """
import sys, dnnprov
store, name, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.stdin.read()  # until all are there
with dnnprov.start_run("many", params={"number": name}, store=store, name=name) as run:
    for step in range(calls):
        run.log(step=step, loss=1.0 / (step + 1))
"""

FOLLOWER = [sys.executable, "-m", "dnnprov", "ingest", "--follow", "--idle", "2", "--store"]


@dataclass(frozen=True)
class Recorded:
    """What was counted, and how long it took.

    Attributes:
        num_values: in the database.
        recording_seconds: from the start of all processes, once they were loaded, to the end of the last.
        rest_seconds: until everything was in the database after that.
        journal_bytes, database_bytes: on disk when all was in.
    """

    num_values: int
    recording_seconds: float
    rest_seconds: float
    journal_bytes: int
    database_bytes: int


def record(store: Path, num_processes: int, num_calls: int) -> Recorded:
    """Let all of them record at once, beside a follower; count every call.

    Raises:
        AssertionError: something is missing, or there twice, or was told as a problem.
    """
    folder = StoreFolder(store)
    folder.create()
    follower = subprocess.Popen([*FOLLOWER, str(store)], stderr=subprocess.DEVNULL)
    recorders = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", RECORDER, str(store), f"process-{number}", str(num_calls)],
            stdin=subprocess.PIPE,
        )
        for number in range(num_processes)
    ]
    began = time.monotonic()
    for recorder in recorders:
        assert recorder.stdin is not None
        recorder.stdin.close()
    codes = [recorder.wait() for recorder in recorders]
    ended = time.monotonic()
    assert codes == [0] * num_processes, codes
    num_values = check(store, num_processes, num_calls)
    done = time.monotonic()
    assert follower.wait(60) == 0
    return Recorded(
        num_values,
        ended - began,
        done - ended,
        sum(path.stat().st_size for path in folder.journal.rglob("*.jsonl*")),
        sum(path.stat().st_size for path in folder.database.parent.glob("provenance.db*")),
    )


def check(store: Path, num_processes: int, num_calls: int) -> int:
    """Take in the rest and count, run by run; how many values there are."""
    database = open_store(store)
    try:
        assert database.catch_up() is None
        runs = database.read(
            "SELECT r.name, r.status, COUNT(*), COUNT(DISTINCT m.step), MIN(m.step), MAX(m.step)"
            " FROM run AS r JOIN metric AS m ON m.run_id = r.run_id GROUP BY r.run_id"
        )[1]
        assert database.read("SELECT * FROM problem")[1] == []
    finally:
        database.close()
    expected = {
        (f"process-{number}", "finished", num_calls, num_calls, 0, num_calls - 1) for number in range(num_processes)
    }
    assert set(runs) == expected, sorted(set(runs) ^ expected)[:4]
    return sum(run[2] for run in runs)


def main(num_processes: int, num_calls: int) -> None:
    """Record, and tell what was counted."""
    with tempfile.TemporaryDirectory() as temporary:
        found = record(Path(temporary) / "store", num_processes, num_calls)
    assert found.num_values == num_processes * num_calls
    print(f"{num_processes} processes x {num_calls:,} log calls at once: all {found.num_values:,} are in, once")
    print(f"recorded in {found.recording_seconds:.1f} s ({found.num_values / found.recording_seconds:,.0f} calls/s),")
    print(f"all in the database {found.rest_seconds:.1f} s after the last; ", end="")
    print(f"journals {found.journal_bytes / 1e6:.1f} MB, database {found.database_bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3] or ("64", "20000")))
