"""Finds runs whose process died without a word, and takes that back when they are heard again.

A run is crashed when none of its own processes can live any more: on this machine by process id, start time and
boot; elsewhere when it was not heard for `STALE_SECONDS`. Forked children do not count.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from dnnprov.errors import JournalError
from dnnprov.journal.reader import is_process_gone, read_chunks, read_header
from dnnprov.store.run_rows import end_run

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.events import SegmentOpened
    from dnnprov.store.source import Source

STALE_SECONDS = 90.0
"""Nine heartbeats: a process on another machine that was silent for so long counts as gone."""

CRASH_REASON = "the process ended without a word"


def find_ended_runs(connection: sqlite3.Connection, folder: StoreFolder, headers: dict[str, SegmentOpened]) -> None:
    """Mark runs as crashed whose processes are all gone.

    Args:
        connection: in autocommit mode.
        folder: of the store.
        headers: of segments by key, filled as they are read.
    """
    running = connection.execute("SELECT run_id, uid, heartbeat_at FROM run WHERE status = 'running'").fetchall()
    for run_id, uid, heartbeat_at in running:
        rows = connection.execute(
            "SELECT p.name, j.state, j.position FROM process AS p LEFT JOIN journal_position AS j"
            " ON j.segment = ? || '/' || p.name WHERE p.run_id = ? AND p.forked_from IS NULL",
            (uid, run_id),
        ).fetchall()
        lost = [(name, position) for name, state, position in rows if state == "open"]
        if lost and all(_is_gone(folder, headers, uid, name, heartbeat_at) for name, _ in lost):
            _mark_crashed(connection, folder, run_id, uid, lost, heartbeat_at)


def revive(connection: sqlite3.Connection, source: Source, heard_at: str, *, has_ended: bool) -> None:
    """Note that a run was heard; one that was taken for crashed runs on."""
    connection.execute("UPDATE run SET heartbeat_at = ? WHERE run_id = ?", (heard_at, source.run_id))
    if has_ended or source.header.forked_from is not None:
        return
    revived = connection.execute(
        "UPDATE run SET status = 'running', ended_at = NULL, exit_reason = NULL"
        " WHERE run_id = ? AND status = 'crashed' AND exit_reason = ?",
        (source.run_id, CRASH_REASON),
    )
    if revived.rowcount:
        connection.execute(
            "UPDATE task SET status = 'running', ended_at = NULL WHERE run_id = ? AND status = 'crashed'",
            (source.run_id,),
        )


def _is_gone(
    folder: StoreFolder, headers: dict[str, SegmentOpened], uid: str, process: str, heartbeat_at: str | None
) -> bool:
    key = f"{uid}/{process}"
    header = headers.get(key)
    if header is None:
        try:
            header = read_header(folder.segment(uid, process))
        except (OSError, JournalError):
            return False
        if header is None:
            return False
        headers[key] = header
    gone = is_process_gone(header)
    if gone is not None:
        return gone
    if heartbeat_at is None:
        return False
    return time.time() - datetime.fromisoformat(heartbeat_at).timestamp() > STALE_SECONDS


def _mark_crashed(
    connection: sqlite3.Connection,
    folder: StoreFolder,
    run_id: int,
    uid: str,
    lost: list[tuple[str, int]],
    heartbeat_at: str | None,
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for process, position in lost:
            grown, torn = _rest(folder, uid, process, position)
            if grown:  # it wrote until it died; the next catch-up takes that in first
                connection.execute("ROLLBACK")
                return
            if torn:
                connection.execute(
                    "INSERT INTO problem (run_id, kind, detail, recorded_at) VALUES (?, 'torn_event', ?, ?)",
                    (run_id, f"the last {torn} bytes of segment {process} are half an event", heartbeat_at),
                )
            connection.execute("UPDATE journal_position SET state = 'gone' WHERE segment = ?", (f"{uid}/{process}",))
        (status,) = connection.execute("SELECT status FROM run WHERE run_id = ?", (run_id,)).fetchone()
        if status == "running":
            end_run(connection, run_id, "crashed", heartbeat_at, CRASH_REASON)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _rest(folder: StoreFolder, uid: str, process: str, position: int) -> tuple[bool, int]:
    """Whether whole lines follow a position, and how many bytes of a torn one."""
    try:
        chunks = list(read_chunks(folder.segment(uid, process), position))
    except OSError:
        return False, 0
    return any(chunk.lines for chunk in chunks), chunks[-1].torn
