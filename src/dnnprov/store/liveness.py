"""Finds runs and ranks that ended without a word, and takes that back when they are heard again.

A rank is crashed when none of its own processes can live any more: on this machine by process id, start time and boot;
elsewhere, or where it is hidden, when nothing was added to its journal for `STALE_SECONDS`. Both times are taken
from the file system of the journal, so that no clock of another machine is believed. Forked children do not count while
there are others.

It is crashed as well when all its journals are closed and none says how it ended, and where nothing was heard of rank 0
while others fell silent. The state of the run follows.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from dnnprov.errors import JournalError
from dnnprov.journal.folder import SEGMENT_SUFFIX
from dnnprov.journal.reader import is_process_gone, read_chunks
from dnnprov.store.endings import (
    CRASH_REASON,
    UNENDED_REASON,
    UNHEARD_REASON,
    UNWRITTEN_REASON,
    crash_rank,
    hear,
    take_back,
)
from dnnprov.store.transaction import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.journal.reader import Chunk
    from dnnprov.store.headers import Headers
    from dnnprov.store.source import Source

STALE_SECONDS = 90.0
"""Nine heartbeats: a process on another machine that was silent for so long counts as gone."""


def find_ended_runs(
    connection: sqlite3.Connection, folder: StoreFolder, headers: Headers, unclosed: Iterable[Path]
) -> None:
    """Mark ranks of runs as crashed whose processes are all gone.

    Args:
        connection: in autocommit mode.
        folder: of the store.
        headers: of segments.
        unclosed: open segments that may be those of forked children, or of runs that ended without closing them.
    """
    watch = _Watch(connection, folder, headers)
    running = connection.execute("SELECT run_id, rank FROM rank_state WHERE status = 'running'").fetchall()
    for run_id, rank in running:
        if watch.find_end(run_id, rank):
            _mark_crashed(connection, folder, watch, run_id, rank)
    for path in unclosed:
        if watch.find_leftover(path):
            with transaction(connection):
                found = watch.find_leftover(path)  # again, now that nobody else writes
                _mark_gone(connection, folder, found)


def is_over(connection: sqlite3.Connection, folder: StoreFolder, headers: Headers, path: Path) -> bool:
    """Whether the process of an open segment is gone, as far as can be told."""
    run, process = path.parent.name, path.name.removesuffix(SEGMENT_SUFFIX)
    heard = connection.execute(
        "SELECT p.heartbeat_at FROM process AS p JOIN run AS r USING (run_id) WHERE r.uid = ? AND p.name = ?",
        (run, process),
    ).fetchone()
    return _Watch(connection, folder, headers).is_gone(_Segment(run, process, "open", 0, heard[0] if heard else None))


def revive(connection: sqlite3.Connection, source: Source, heard_at: str | None, *, has_ended: bool) -> None:
    """Note that a run was heard; one that was taken for crashed runs on."""
    hear(connection, source, heard_at)
    if source.is_latest and not has_ended and source.header.forked_from is None:
        take_back(connection, source.run_id, source.header.rank)


@dataclass(frozen=True)
class _Segment:
    """A segment of a rank: how far it is in, and when its process was last heard by the process's own clock."""

    run: str
    process: str
    state: str | None
    position: int
    heartbeat_at: str | None
    is_latest: bool = True


@dataclass(frozen=True)
class _End:
    """How a rank ended: why that is inferred, and the segments that nobody closed."""

    reason: str
    lost: tuple[_Segment, ...]


class _Watch:
    """Looks at the segments of runs and at the processes that wrote them."""

    def __init__(self, connection: sqlite3.Connection, folder: StoreFolder, headers: Headers) -> None:
        self._connection = connection
        self._folder = folder
        self._headers = headers
        self._unwritten: dict[str, dict[str, int]] = {}  # by run, whose ranks may be many

    def find_end(self, run_id: int, rank: int) -> _End | None:
        """The end of a rank that has the status running; `None` while it may go on."""
        run = self._connection.execute(
            "SELECT r.uid, r.dataflow_id, r.heartbeat_at FROM rank_state AS k JOIN run AS r USING (run_id)"
            " WHERE k.run_id = ? AND k.rank = ? AND k.status = 'running'",
            (run_id, rank),
        ).fetchone()
        if run is None:
            return None
        uid, dataflow_id, heartbeat_at = run
        segments = self._segments(run_id, rank, uid)
        if not segments:
            return _End(UNHEARD_REASON, ()) if self._is_stale(heartbeat_at, None) else None
        lost = tuple(segment for segment in segments if segment.state == "open")
        if lost:
            return _End(self._reason(segments), lost) if all(self.is_gone(segment) for segment in lost) else None
        is_whole = dataflow_id is not None and all(segment.state is not None for segment in segments)
        if is_whole or self._is_stale(heartbeat_at, None):  # else the process that can end it may still be heard
            return _End(self._reason(segments), ())
        return None

    def _reason(self, segments: list[_Segment]) -> str:
        latest = [segment for segment in segments if segment.is_latest]
        if any(segment.process in self._find_unwritten(segment.run) for segment in latest):
            return UNWRITTEN_REASON
        is_unclosed = any(segment.state in {"open", "gone"} for segment in latest)
        return CRASH_REASON if is_unclosed else UNENDED_REASON

    def _find_unwritten(self, run: str) -> dict[str, int]:
        if run not in self._unwritten:
            self._unwritten[run] = self._folder.find_unwritten(run)
        return self._unwritten[run]

    def find_leftover(self, path: Path) -> tuple[_Segment, ...]:
        """An unclosed segment whose process is gone and on which no running rank depends, as the only one."""
        run, process = path.parent.name, path.name.removesuffix(SEGMENT_SUFFIX)
        row = self._connection.execute(
            "SELECT j.state, j.position, p.heartbeat_at FROM run AS r JOIN process AS p USING (run_id)"
            " JOIN rank_state AS k ON k.run_id = p.run_id AND k.rank = p.rank"
            " JOIN journal_position AS j ON j.segment = ? WHERE r.uid = ? AND p.name = ? AND j.state = 'open'"
            " AND (k.status <> 'running' OR p.forked_from IS NOT NULL)",
            (f"{run}/{process}", run, process),
        ).fetchone()
        if row is None:
            return ()
        segment = _Segment(run, process, *row)
        return (segment,) if self.is_gone(segment) else ()

    def _segments(self, run_id: int, rank: int, uid: str) -> list[_Segment]:
        """Those whose end means that of the rank: of forked children only where no other is known."""
        rows = self._connection.execute(
            "SELECT p.forked_from, p.name, j.state, COALESCE(j.position, 0), p.heartbeat_at, p.attempt ="
            " (SELECT MAX(l.attempt) FROM process AS l WHERE l.run_id = p.run_id AND l.rank = p.rank) FROM process AS p"
            " LEFT JOIN journal_position AS j ON j.segment = ? || '/' || p.name WHERE p.run_id = ? AND p.rank = ?",
            (uid, run_id, rank),
        ).fetchall()
        own = [row for row in rows if row[0] is None]
        return [_Segment(uid, *row[1:]) for row in own or rows]

    def is_gone(self, segment: _Segment) -> bool:
        """Whether the process of an open segment will write no more to it, as far as can be told."""
        path = self._folder.segment(segment.run, segment.process)
        try:
            header = self._headers.find(path)
        except FileNotFoundError:  # deleted
            return self._is_stale(segment.heartbeat_at, None)
        except (OSError, JournalError):
            return False
        gone = is_process_gone(header) if header is not None else None
        if gone is not None:
            return gone
        try:
            written_at = path.stat().st_mtime
        except OSError:
            written_at = None
        return self._is_stale(segment.heartbeat_at, written_at)

    def _is_stale(self, heartbeat_at: str | None, written_at: float | None) -> bool:
        """Whether neither the process's clock nor that of the file system says that it was heard of late."""
        heard = [] if written_at is None else [written_at]
        if heartbeat_at is not None:
            heartbeat = datetime.fromisoformat(heartbeat_at).timestamp()
            if heartbeat <= self._now or not heard:  # no clock that is ahead
                heard.append(heartbeat)
        return bool(heard) and self._now - max(heard) > STALE_SECONDS

    @cached_property
    def _now(self) -> float:
        """What the file system of the journal takes for now."""
        try:
            with tempfile.TemporaryFile(dir=self._folder.journal) as probe:
                return os.fstat(probe.fileno()).st_mtime
        except OSError:
            return time.time()


def _mark_crashed(connection: sqlite3.Connection, folder: StoreFolder, watch: _Watch, run_id: int, rank: int) -> None:
    with transaction(connection):
        end = watch.find_end(run_id, rank)  # again, now that nobody else writes
        if end is not None and _mark_gone(connection, folder, end.lost):
            crash_rank(connection, run_id, rank, end.reason)


def _mark_gone(connection: sqlite3.Connection, folder: StoreFolder, lost: tuple[_Segment, ...]) -> bool:
    """Give up waiting for the rest of segments, and tell what is torn; `False` where more was written meanwhile."""
    rests = [rest_of(folder.segment(segment.run, segment.process), segment.position) for segment in lost]
    if any(chunk.lines for rest in rests for chunk in rest):
        return False  # it wrote until it died; the next catch-up takes that in first
    for segment, rest in zip(lost, rests, strict=True):
        give_up(connection, f"{segment.run}/{segment.process}", rest[-1].torn if rest else 0)
    return True


def give_up(connection: sqlite3.Connection, key: str, torn: int) -> None:
    """Note that nothing more will come of a segment whose process ended without a word, within a transaction.

    Args:
        connection: of the database.
        key: of the segment.
        torn: bytes at its end that are half an event.
    """
    run, _, process = key.partition("/")
    connection.execute("UPDATE journal_position SET state = 'gone' WHERE segment = ?", (key,))
    if torn:
        connection.execute(
            "INSERT INTO problem (run_id, kind, detail, recorded_at) SELECT r.run_id, 'torn_event', ?, p.heartbeat_at"
            " FROM process AS p JOIN run AS r ON r.run_id = p.run_id WHERE r.uid = ? AND p.name = ?",
            (f"the last {torn} bytes of segment {process} are half an event", run, process),
        )


def rest_of(path: Path, position: int) -> list[Chunk]:
    """What follows in a segment after a position."""
    try:
        return list(read_chunks(path, position))
    except OSError:
        return []
