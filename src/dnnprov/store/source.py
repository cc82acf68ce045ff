"""Where events come from: the segment whose events are taken in, and the rows that its references mean.

The segments of one run may be taken in in any order, so what a reference means may not be there yet: then a row is
made for it, which its own event fills in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from dnnprov.store.endings import begin_rank, state_of_new_task
from dnnprov.store.places import Place, run_place

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.model import events


@dataclass
class Source:
    """The segment whose events are taken in.

    Attributes:
        header: its first event.
        run_id, process_id: keys.
        process_started_at: of the segment's process.
        last_attempt: the latest of this rank of the run; another than the segment's where the run was resumed since.
        has_siblings: whether other processes of this rank and attempt are known, which forked children are.
        dataflow_id: `None` while the run's own process was not heard.
        dataflow: its tag, for messages.
        started_at: of the run, likewise.
        program: path of the one that executes the run.
    """

    header: events.SegmentOpened
    run_id: int
    process_id: int
    process_started_at: str | None
    last_attempt: int
    has_siblings: bool
    dataflow_id: int | None
    dataflow: str
    started_at: str | None
    program: str | None

    def place(self, sequence: int) -> Place:
        """Where an event of the segment stands among all others."""
        header = self.header
        return Place(
            *run_place(self.started_at, header.run),
            header.attempt,
            header.rank,
            self.process_started_at or "",
            header.process,
            sequence,
            self.process_id,
        )

    @property
    def is_latest(self) -> bool:
        """Whether no later process resumed the run; what the segment says about the state of the run counts."""
        return self.header.attempt == self.last_attempt


def time_text(microseconds: int) -> str | None:
    """ISO 8601 UTC with Z, of microseconds since 1970; `None` for a time that no calendar has."""
    seconds, rest = divmod(microseconds, 1_000_000)
    try:
        return f"{_second_text(seconds)}.{rest:06d}Z"
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=1024)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def open_source(connection: sqlite3.Connection, header: events.SegmentOpened) -> Source:
    """The keys of a segment's run and process, made where there are none."""
    began_at = time_text(header.at)
    connection.execute(
        "INSERT INTO run (uid, status, heartbeat_at) VALUES (?, 'running', ?) ON CONFLICT DO NOTHING",
        (header.run, began_at),
    )
    run_id, *about_run = connection.execute(
        "SELECT r.run_id, r.dataflow_id, COALESCE(d.tag, ''), r.started_at, g.path FROM run AS r"
        " LEFT JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id"
        " LEFT JOIN program AS g ON g.program_id = r.program_id WHERE r.uid = ?",
        (header.run,),
    ).fetchone()
    connection.execute(
        "INSERT INTO process (run_id, name, rank, attempt, host, pid, forked_from, started_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, name) DO UPDATE SET rank = excluded.rank,"
        " attempt = excluded.attempt, host = excluded.host, pid = excluded.pid,"
        " forked_from = excluded.forked_from, started_at = excluded.started_at"
        " WHERE excluded.pid <> 0 OR process.pid IS NULL",  # a guess does not replace what is known
        (run_id, header.process, header.rank, header.attempt, header.host, header.pid, header.forked_from,
         began_at),
    )  # fmt: skip
    (process_id,) = connection.execute(
        "SELECT process_id FROM process WHERE run_id = ? AND name = ?", (run_id, header.process)
    ).fetchone()
    begin_rank(connection, run_id, header.rank)
    last_attempt, num_siblings = connection.execute(
        "SELECT MAX(attempt), COUNT(*) FILTER (WHERE attempt = ?) FROM process WHERE run_id = ? AND rank = ?",
        (header.attempt, run_id, header.rank),
    ).fetchone()
    return Source(header, run_id, process_id, began_at, last_attempt, num_siblings > 1, *about_run)


def find_place(
    connection: sqlite3.Connection, reference: events.Reference | None, source: Source
) -> tuple[int, int] | None:
    """Process key and sequence that a reference means."""
    if reference is None:
        return None
    if isinstance(reference, int):
        return source.process_id, reference
    process, _, sequence = reference.rpartition(":")
    if not sequence.isdecimal():
        return None
    connection.execute(  # its segment may be taken in later than this one, which then fills this in
        "INSERT INTO process (run_id, name, rank, attempt) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING",
        (source.run_id, process, source.header.rank),
    )
    found = connection.execute(
        "SELECT process_id FROM process WHERE run_id = ? AND name = ?", (source.run_id, process)
    ).fetchone()
    return found[0], int(sequence)


def find_task(
    connection: sqlite3.Connection, reference: events.Reference | None, source: Source
) -> tuple[int, int | None] | None:
    """Keys of the task and transformation that a reference means; `None` where it is not known."""
    place = find_place(connection, reference, source)
    if place is None:
        return None
    sql = "SELECT task_id, transformation_id FROM task WHERE process_id = ? AND sequence = ?"
    found = connection.execute(sql, place).fetchone()
    if found is None and place[0] != source.process_id:
        connection.execute(  # likewise
            "INSERT INTO task (run_id, tag, status, ended_at, exit_reason, rank, process_id, sequence)"
            " VALUES (?, '', ?, ?, ?, ?, ?, ?)",
            (source.run_id, *state_of_new_task(connection, source), source.header.rank, *place),
        )
        found = connection.execute(sql, place).fetchone()
    return tuple(found) if found else None
