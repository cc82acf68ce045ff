"""How ranks and tasks end: as they say, or as is inferred where nobody said it; and how an inference is taken back.

A run has a process of each rank, of which there is mostly one. A rank may have been gone on with by later processes
(attempts), and the segments of one run may be taken in in any order. So its state is what the latest attempt says. A
task that an earlier attempt left open is crashed, unless that attempt turns out to have ended it. What is inferred has
a reason of ours, by which it is known. The state of the run follows (`run_state`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.store.run_state import settle_run

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.store.source import Source

CRASH_REASON = "the process ended without a word"
UNENDED_REASON = "the journal was closed, and nothing in it says how the run ended"
UNWRITTEN_REASON = "the last events could not be written, so nothing says how the run ended"
UNHEARD_REASON = "nothing was ever heard of it"
INFERRED = (CRASH_REASON, UNENDED_REASON, UNWRITTEN_REASON, UNHEARD_REASON)
"""Reasons of ends that nobody said, which are taken back when the rank is heard again."""

_IS_INFERRED = "exit_reason IN (?, ?, ?, ?)"

_LATEST = """(SELECT p.process_id FROM process AS p WHERE p.run_id = :run_id AND p.rank = :rank AND p.attempt =
     (SELECT MAX(l.attempt) FROM process AS l WHERE l.run_id = :run_id AND l.rank = :rank))"""
"""Processes of the latest attempt of a rank."""

_LAST_HEARD = "(SELECT h.heartbeat_at FROM process AS h WHERE h.process_id = task.process_id)"

_RANK_LAST_HEARD = """COALESCE((SELECT MAX(h.heartbeat_at) FROM process AS h WHERE h.run_id = ?1 AND h.rank = ?2),
    (SELECT r.heartbeat_at FROM run AS r WHERE r.run_id = ?1))"""


def begin_rank(connection: sqlite3.Connection, run_id: int, rank: int) -> None:
    """A rank is heard of; rank 0 is waited for while nobody has begun the run."""
    is_begun = connection.execute("SELECT started_at FROM run WHERE run_id = ?", (run_id,)).fetchone()[0] is not None
    for one in {rank} if is_begun else {0, rank}:
        begun = connection.execute(
            "INSERT INTO rank_state (run_id, rank, status) VALUES (?, ?, 'running') ON CONFLICT DO NOTHING",
            (run_id, one),
        )
        if begun.rowcount:
            settle_run(connection, run_id)


def begin_run(connection: sqlite3.Connection, source: Source) -> None:
    """The run was begun: by another than rank 0, that one is not waited for."""
    if source.header.rank:
        connection.execute(
            "DELETE FROM rank_state WHERE run_id = ?1 AND rank = 0 AND NOT EXISTS"
            " (SELECT 1 FROM process AS p WHERE p.run_id = ?1 AND p.rank = 0)",
            (source.run_id,),
        )
        settle_run(connection, source.run_id)


def end_rank(connection: sqlite3.Connection, source: Source, status: str, at: str | None, reason: str | None) -> None:
    """The latest attempt ended its part of the run; with the same state end its tasks that nobody ended."""
    values = {"run_id": source.run_id, "rank": source.header.rank, "status": status, "at": at, "reason": reason,
              "crash": CRASH_REASON}  # fmt: skip
    connection.execute(
        "UPDATE rank_state SET status = :status, ended_at = :at, exit_reason = :reason"
        " WHERE run_id = :run_id AND rank = :rank",
        values,
    )
    connection.execute(
        "UPDATE task SET status = :status, ended_at = MAX(:at, COALESCE(started_at, :at)), exit_reason = NULL"
        " WHERE run_id = :run_id AND rank = :rank"
        f" AND (status = 'running' OR (exit_reason = :crash AND process_id IN {_LATEST}))",
        values,
    )
    settle_run(connection, source.run_id)


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
    run_id, rank = source.run_id, source.header.rank
    take_back(connection, run_id, rank)
    connection.execute(
        "UPDATE rank_state SET status = 'running', ended_at = NULL, exit_reason = NULL WHERE run_id = ? AND rank = ?",
        (run_id, rank),
    )
    connection.execute(
        f"UPDATE task SET status = 'crashed', exit_reason = ?, ended_at = {_LAST_HEARD}"
        " WHERE run_id = ? AND status = 'running' AND process_id IN"
        " (SELECT p.process_id FROM process AS p WHERE p.run_id = ? AND p.rank = ? AND p.attempt < ?)",
        (CRASH_REASON, run_id, run_id, rank, source.header.attempt),
    )
    settle_run(connection, run_id)


def crash_rank(connection: sqlite3.Connection, run_id: int, rank: int, reason: str) -> None:
    """Nobody ended a rank and nobody will: it ended when it was last heard."""
    connection.execute(
        f"UPDATE rank_state SET status = 'crashed', ended_at = {_RANK_LAST_HEARD}, exit_reason = ?3"
        " WHERE run_id = ?1 AND rank = ?2",
        (run_id, rank, reason),
    )
    connection.execute(
        f"UPDATE task SET status = 'crashed', ended_at = {_LAST_HEARD}, exit_reason = ?"
        " WHERE run_id = ? AND rank = ? AND status = 'running'",
        (CRASH_REASON, run_id, rank),
    )
    settle_run(connection, run_id)


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
    outlived = connection.execute(  # a forked child may outlive the rank
        f"UPDATE rank_state SET ended_at = {_RANK_LAST_HEARD}"
        " WHERE run_id = ?1 AND rank = ?2 AND exit_reason IN (?3, ?4, ?5, ?6)",
        (source.run_id, source.header.rank, *INFERRED),
    )
    if outlived.rowcount:
        settle_run(connection, source.run_id)


def take_back(connection: sqlite3.Connection, run_id: int, rank: int) -> None:
    """A rank that was taken for crashed was heard: it runs on, and so do its tasks."""
    revived = connection.execute(
        "UPDATE rank_state SET status = 'running', ended_at = NULL, exit_reason = NULL"
        f" WHERE run_id = ? AND rank = ? AND status = 'crashed' AND {_IS_INFERRED}",
        (run_id, rank, *INFERRED),
    )
    if revived.rowcount:
        connection.execute(
            "UPDATE task SET status = 'running', ended_at = NULL, exit_reason = NULL"
            f" WHERE run_id = :run_id AND rank = :rank AND exit_reason = :crash AND process_id IN {_LATEST}",
            {"run_id": run_id, "rank": rank, "crash": CRASH_REASON},
        )
        settle_run(connection, run_id)


def state_of_new_task(connection: sqlite3.Connection, source: Source) -> tuple[str, str | None, str | None]:
    """Status, end and reason that a task begins with; none but `running` where its rank has ended already.

    Events of a forked child may be taken in after the end of its rank.
    """
    if not source.is_latest:
        return "crashed", None, CRASH_REASON
    status, ended_at, reason = connection.execute(
        "SELECT status, ended_at, exit_reason FROM rank_state WHERE run_id = ? AND rank = ?",
        (source.run_id, source.header.rank),
    ).fetchone()
    return status, ended_at, CRASH_REASON if reason in INFERRED else None
