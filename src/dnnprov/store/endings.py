"""How runs and tasks end: as they say, or as is inferred where nobody said it; and how an inference is taken back.

A run may have been gone on with by later processes (attempts), and the segments of one run may be taken in in any
order. So its state is what the latest attempt says. A task that an earlier attempt left open is crashed, unless that
attempt turns out to have ended it. What is inferred has a reason of ours, by which it is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.store.source import Source

CRASH_REASON = "the process ended without a word"
UNENDED_REASON = "the journal was closed, and nothing in it says how the run ended"
UNWRITTEN_REASON = "the last events could not be written, so nothing says how the run ended"
INFERRED = (CRASH_REASON, UNENDED_REASON, UNWRITTEN_REASON)
"""Reasons of ends that nobody said, which are taken back when the run is heard again."""

_LATEST = """(SELECT p.process_id FROM process AS p
     JOIN (SELECT rank, MAX(attempt) AS attempt FROM process WHERE run_id = :run_id GROUP BY rank) AS l
     ON l.rank = p.rank AND l.attempt = p.attempt WHERE p.run_id = :run_id)"""
"""Processes of the latest attempt of each rank."""

_LAST_HEARD = "(SELECT h.heartbeat_at FROM process AS h WHERE h.process_id = task.process_id)"


def end_run(connection: sqlite3.Connection, source: Source, status: str, at: str | None, reason: str | None) -> None:
    """The latest attempt ended the run; with the same state end the tasks that nobody ended."""
    values = {"run_id": source.run_id, "status": status, "at": at, "reason": reason, "crash": CRASH_REASON}
    connection.execute(
        "UPDATE run SET status = :status, ended_at = :at, exit_reason = :reason WHERE run_id = :run_id", values
    )
    connection.execute(
        "UPDATE task SET status = :status, ended_at = MAX(:at, COALESCE(started_at, :at)), exit_reason = NULL"
        " WHERE run_id = :run_id"
        f" AND (status = 'running' OR (exit_reason = :crash AND process_id IN {_LATEST}))",
        values,
    )


def end_attempt(connection: sqlite3.Connection, source: Source, status: str, at: str | None) -> None:
    """An attempt ended that a later one went on from: only its own tasks end with it."""
    connection.execute(
        "UPDATE task SET status = ?1, ended_at = MAX(?2, COALESCE(started_at, ?2)), exit_reason = NULL"
        " WHERE run_id = ?3 AND (status = 'running' OR exit_reason = ?4) AND process_id IN"
        " (SELECT p.process_id FROM process AS p WHERE p.run_id = ?3 AND p.rank = ?5 AND p.attempt = ?6)",
        (status, at, source.run_id, CRASH_REASON, source.header.rank, source.header.attempt),
    )


def go_on(connection: sqlite3.Connection, source: Source) -> None:
    """The latest attempt goes on with the run; what earlier ones left open has crashed.

    What was taken for crashed of this attempt was not: a server that goes on after another is the same attempt.
    """
    take_back(connection, source.run_id)
    connection.execute(
        "UPDATE run SET status = 'running', ended_at = NULL, exit_reason = NULL WHERE run_id = ?", (source.run_id,)
    )
    connection.execute(
        f"UPDATE task SET status = 'crashed', exit_reason = ?, ended_at = {_LAST_HEARD}"
        " WHERE run_id = ? AND status = 'running' AND process_id IN"
        " (SELECT p.process_id FROM process AS p WHERE p.run_id = ? AND p.rank = ? AND p.attempt < ?)",
        (CRASH_REASON, source.run_id, source.run_id, source.header.rank, source.header.attempt),
    )


def crash_run(connection: sqlite3.Connection, run_id: int, reason: str) -> None:
    """Nobody ended the run and nobody will: it ended when it was last heard."""
    connection.execute(
        "UPDATE run SET status = 'crashed', ended_at = heartbeat_at, exit_reason = ? WHERE run_id = ?",
        (reason, run_id),
    )
    connection.execute(
        f"UPDATE task SET status = 'crashed', ended_at = {_LAST_HEARD}, exit_reason = ?"
        " WHERE run_id = ? AND status = 'running'",
        (CRASH_REASON, run_id),
    )


def hear(connection: sqlite3.Connection, source: Source, heard_at: str | None) -> None:
    """Note when a process was heard; the times of one run's processes may come in any order."""
    if heard_at is None:
        return
    for table, key in (("run", source.run_id), ("process", source.process_id)):
        connection.execute(
            f"UPDATE {table} SET heartbeat_at = MAX(COALESCE(heartbeat_at, ''), ?) WHERE {table}_id = ?",
            (heard_at, key),
        )
    connection.execute(
        f"UPDATE task SET ended_at = {_LAST_HEARD} WHERE process_id = ? AND exit_reason = ?",
        (source.process_id, CRASH_REASON),
    )
    connection.execute(  # a forked child may outlive the run
        "UPDATE run SET ended_at = heartbeat_at WHERE run_id = ? AND exit_reason IN (?, ?, ?)",
        (source.run_id, *INFERRED),
    )


def take_back(connection: sqlite3.Connection, run_id: int) -> None:
    """A run that was taken for crashed was heard: it runs on, and so do its tasks."""
    revived = connection.execute(
        "UPDATE run SET status = 'running', ended_at = NULL, exit_reason = NULL"
        " WHERE run_id = ? AND status = 'crashed' AND exit_reason IN (?, ?, ?)",
        (run_id, *INFERRED),
    )
    if revived.rowcount:
        connection.execute(
            "UPDATE task SET status = 'running', ended_at = NULL, exit_reason = NULL"
            f" WHERE run_id = :run_id AND exit_reason = :crash AND process_id IN {_LATEST}",
            {"run_id": run_id, "crash": CRASH_REASON},
        )


def state_of_new_task(connection: sqlite3.Connection, source: Source) -> tuple[str, str | None, str | None]:
    """Status, end and reason that a task begins with; none but `running` where its run has ended already.

    Events of another rank or of a forked child may be taken in after the end of the run.
    """
    if not source.is_latest:
        return "crashed", None, CRASH_REASON
    status, ended_at, reason = connection.execute(
        "SELECT status, ended_at, exit_reason FROM run WHERE run_id = ?", (source.run_id,)
    ).fetchone()
    return status, ended_at, CRASH_REASON if reason in INFERRED else None
