"""Where in the order of all that was recorded an event stands, whenever it is taken in.

Runs are in the order in which they began, those that began at once in that of their uids; in a run, processes are in
that of their attempts, ranks, and beginnings; in a process, events are in that of their numbers.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Of an event; the smaller one comes first.

    Attributes:
        is_start_unknown: 1 while the beginning of the run was not heard, which puts it last.
        run_started_at, uid: of the run.
        attempt, rank, process_started_at, process: of the process, the last its name.
        sequence: of the event.
        process_id: key of the process.
    """

    is_start_unknown: int
    run_started_at: str
    uid: str
    attempt: int
    rank: int
    process_started_at: str
    process: str
    sequence: int
    process_id: int

    @property
    def run(self) -> RunPlace:
        """The place of the run."""
        return self[:3]


RunPlace = tuple[int, str, str]
"""The beginning of a place, which all events of a run have in common."""


def run_place(started_at: str | None, uid: str) -> RunPlace:
    """Where a run stands among all others."""
    return int(started_at is None), started_at or "", uid


PLACE_COLUMNS = (
    "r.started_at IS NULL, COALESCE(r.started_at, ''), r.uid, p.attempt, p.rank, COALESCE(p.started_at, ''), p.name,"
    " e.sequence, e.process_id"
)
"""SQL for a place, of a table `e` whose rows events made."""

PLACE_JOINS = "JOIN process AS p ON p.process_id = e.process_id JOIN run AS r ON r.run_id = p.run_id"
"""SQL that these columns need after `FROM ... AS e`."""
