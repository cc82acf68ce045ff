"""Every event is in, once: after a kill, with many recorders, with many readers (promises P2 and P4)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dnnprov.testing.recorded import column, opened, problems, recorders, recording, rows

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

    from dnnprov.store.base import Store
    from dnnprov.testing.recorded import OpenStore, Row

NUM_PROCESSES = 3
NUM_CALLS = 300

_LOGGING = f"""
with dnnprov.start_run("contract", store=folder) as run, run.task("Training") as training:
    for number in range({NUM_CALLS}):
        run.log(step=number, loss=number)
        training.log(epoch=number, loss=number)
"""

_WAITING = """
run = dnnprov.start_run("contract", store=folder)
training = run.task("Training")
for number in range(100):
    run.log(step=number, loss=number)
    training.log(epoch=number, loss=number)
print("recorded", flush=True)
time.sleep(600)
"""

_COUNTS = """
SELECT (SELECT COUNT(*) FROM run) AS runs, (SELECT COUNT(*) FROM task) AS tasks,
       (SELECT COUNT(*) FROM metric) AS metrics, (SELECT COUNT(*) FROM otrainingmodel) AS elements,
       (SELECT SUM(m.num_values) FROM run_metric AS m) AS summed"""


class ExactlyOnce:
    """P2 and P4."""

    def test_what_a_killed_process_recorded_is_in_once(self, open_store: OpenStore, tmp_path: Path) -> None:
        with opened(open_store, tmp_path) as store, recorders(tmp_path, _WAITING) as (process,):
            assert process.stdout is not None
            assert process.stdout.readline() == "recorded\n"
            assert _counts(store) == _expected(1, 100)
            process.kill()
            process.wait()
            assert _counts(store) == _expected(1, 100)
            assert column(store, "SELECT status FROM run") == ["crashed"]
            assert column(store, "SELECT status FROM task") == ["crashed"]

    def test_many_recorders_and_many_readers_store_each_event_once(self, open_store: OpenStore, tmp_path: Path) -> None:
        failures: list[BaseException] = []
        with recorders(tmp_path, _LOGGING, ["a", "b", "c"]) as processes:
            readers = [
                threading.Thread(target=_read_until, args=(open_store, tmp_path, processes, failures)) for _ in "ab"
            ]
            for reader in readers:
                reader.start()
            assert [process.wait() for process in processes] == [0] * NUM_PROCESSES
            for reader in readers:
                reader.join()
        assert failures == []
        for _ in range(2):  # what was let go of is still there, and nothing comes again
            with opened(open_store, tmp_path) as store:
                for _ in range(2):
                    assert _counts(store) == _expected(NUM_PROCESSES, NUM_CALLS)
                assert problems(store) == []
                again = (
                    "SELECT process_id, sequence, row_number FROM otrainingmodel"
                    " GROUP BY process_id, sequence, row_number HAVING COUNT(*) > 1"
                )
                assert rows(store, again) == []
                steps = "SELECT r.uid, m.step, m.value FROM metric AS m JOIN run AS r ON r.run_id = m.run_id"
                values = [(row["uid"], row["step"]) for row in rows(store, steps) if row["step"] == row["value"]]
                assert len(values) == len(set(values)) == NUM_PROCESSES * NUM_CALLS
                assert column(store, "SELECT DISTINCT status FROM run") == ["finished"]

    def test_a_line_that_cannot_be_read_is_told_and_keeps_nothing_out(
        self, open_store: OpenStore, tmp_path: Path
    ) -> None:
        with recording(tmp_path) as run:
            for number in range(10):
                run.log(step=number, loss=number)
        (segment,) = (tmp_path / "journal").glob("*/*.jsonl")
        lines = segment.read_bytes().splitlines(keepends=True)
        lines[5] = b"x" + lines[5]
        segment.write_bytes(b"".join(lines))
        with opened(open_store, tmp_path) as store:
            for _ in range(2):
                assert len(column(store, "SELECT step FROM metric")) == 9
                assert [row["kind"] for row in problems(store)] == ["corrupt_line"]
                assert column(store, "SELECT status FROM run") == ["finished"]


def _read_until(
    open_store: OpenStore, folder: Path, processes: list[Popen[str]], failures: list[BaseException]
) -> None:
    """Take in what comes, as long as anybody records."""
    try:
        with opened(open_store, folder) as store:
            while any(process.poll() is None for process in processes):
                counts = _counts(store)
                assert counts["metrics"] <= NUM_PROCESSES * NUM_CALLS
    except BaseException as error:  # noqa: BLE001 - the test tells it
        failures.append(error)


def _counts(store: Store) -> Row:
    (row,) = rows(store, _COUNTS)
    return {name: value or 0 for name, value in row.items()}


def _expected(num_runs: int, num_calls: int) -> Row:
    calls = num_runs * num_calls
    return {"runs": num_runs, "tasks": num_runs, "metrics": calls, "elements": calls, "summed": 2 * calls}
