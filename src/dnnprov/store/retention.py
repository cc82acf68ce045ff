"""Which runs are kept and which may go, and what frees space without losing anything.

A run may go when it has ended and nobody can still write to its journals. Conditions combine: a run goes when it meets
all that are given.
"""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dnnprov.errors import JournalError, UsageError
from dnnprov.journal.reader import is_process_gone, read_chunks
from dnnprov.store.archive import archive_segment, discard_unfinished
from dnnprov.store.database_file import BUSY_SECONDS
from dnnprov.store.headers import Headers, segment_key
from dnnprov.store.positions import Positions

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.journal.reader import Chunk

SILENT_SECONDS = 86_400.0
"""How long a process must not have been heard to count as gone for good, where its machine cannot be asked."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdwy])")

_WORTH_A_VACUUM = 0.1
"""Part of the database that is unused, from which on it is compacted though nothing was removed."""


@dataclass(frozen=True)
class Conditions:
    """Which runs are meant; one that is left out is met by every run.

    Attributes:
        older_than: since the run ended, or was last heard.
        tags: name -> value, or `None` for any.
        statuses: one of these.
        dataflow: tag.
        uids: one of these.
    """

    older_than: timedelta | None = None
    tags: dict[str, str | None] = field(default_factory=dict)
    statuses: tuple[str, ...] = ()
    dataflow: str | None = None
    uids: tuple[str, ...] | None = None

    @property
    def any_given(self) -> bool:
        """Whether there is any."""
        return bool(self.older_than is not None or self.tags or self.statuses or self.dataflow or self.uids is not None)


@dataclass(frozen=True)
class OldRun:
    """A run that meets the conditions.

    Attributes:
        uid, name, dataflow, status: of the run.
        heard_at: when it ended, or was last heard.
        journal_bytes: of its journals and archives, as they lie on the disk.
        kept_because: why it cannot go, `None` where it can.
    """

    uid: str
    name: str
    dataflow: str | None
    status: str
    heard_at: str | None
    journal_bytes: int
    kept_because: str | None = None


@dataclass(frozen=True)
class Freed:
    """What was freed, in bytes of the disk; the database is negative where it grew meanwhile."""

    journal_bytes: int
    database_bytes: int
    num_compressed: int
    notes: list[str]


def parse_age(text: str) -> timedelta:
    """An age as people write it.

    Raises:
        UsageError: it is none.

    Example:
        >>> parse_age("30d").days, parse_age("1.5h").seconds
        (30, 5400)
    """
    found = _AGE.fullmatch(text.strip().lower())
    if not found:
        raise UsageError(f"{text!r} is no age; expected a number and a unit of s, m, h, d, w or y, such as 30d")
    try:
        age = timedelta(seconds=float(found[1]) * _UNITS[found[2]])
        datetime.now(UTC) - age
    except OverflowError:
        raise UsageError(f"{text!r} is longer than time is counted; expected an age such as 30d") from None
    return age


def find_old_runs(folder: StoreFolder, conditions: Conditions) -> list[OldRun]:
    """The runs that meet all conditions, the oldest first, those that have to stay with the reason.

    Args:
        folder: of a store whose database is up to date.
        conditions: that the runs meet.
    """
    with closing(sqlite3.connect(folder.database, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA query_only = ON")
        rows = connection.execute(
            "SELECT r.run_id, r.uid, COALESCE(r.name, r.uid), d.tag, r.status,"
            " COALESCE(r.ended_at, r.heartbeat_at, r.started_at) AS heard_at FROM run AS r"
            " LEFT JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id ORDER BY heard_at, r.uid"
        ).fetchall()
        tags: dict[int, dict[str, str]] = {}
        for run_id, name, value in connection.execute("SELECT run_id, name, value FROM run_tag"):
            tags.setdefault(run_id, {})[name] = value
        positions, headers = Positions(connection), Headers()
        found = []
        for run_id, uid, name, dataflow, status, heard_at in rows:
            if _meets(conditions, uid, dataflow, status, heard_at, tags.get(run_id, {})):
                num_bytes = sum(path.stat().st_size for path in folder.run_segments(uid) if path.exists())
                why = _why_kept(folder, uid, status, positions, headers)
                found.append(OldRun(uid, name, dataflow, status, heard_at, num_bytes, why))
    return found


def find_heirs(folder: StoreFolder, uids: set[str]) -> list[str]:
    """Names of the runs that stay and derive from runs that go: as their children, or by files that they use."""
    with closing(sqlite3.connect(folder.database, timeout=BUSY_SECONDS)) as connection:
        pairs = connection.execute(
            "SELECT r.uid, COALESCE(r.name, r.uid), r.parent_uid FROM run AS r WHERE r.parent_uid IS NOT NULL"
            " UNION SELECT r.uid, COALESCE(r.name, r.uid), o.uid FROM file AS f JOIN file AS g ON g.sha256 = f.sha256"
            " AND g.relation = 'generated' AND g.run_id <> f.run_id JOIN run AS r ON r.run_id = f.run_id"
            " JOIN run AS o ON o.run_id = g.run_id WHERE f.relation = 'used' AND f.sha256 IS NOT NULL"
        ).fetchall()
    return sorted({name for uid, name, source in pairs if source in uids and uid not in uids})


def free_space(folder: StoreFolder, *, compacts: bool) -> Freed:
    """Compress what nobody will write to any more, and give the unused part of the database back to the disk.

    Args:
        folder: of the store, which the caller holds (`exclusive`).
        compacts: whether the database is compacted in any case, rather than where a good part of it is unused.
    """
    journal, database = journal_bytes(folder), database_bytes(folder)
    discard_unfinished(folder)
    num_compressed = _compress_gone(folder)
    notes = []
    try:
        with closing(sqlite3.connect(folder.database, isolation_level=None, timeout=BUSY_SECONDS)) as connection:
            (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            if compacts or unused > _WORTH_A_VACUUM * pages:
                connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        notes.append(
            f"the database keeps its size for now ({error}); to compact it takes free space of its size, and no other "
            "process may write; the next dnnprov gc tries again"
        )
    return Freed(journal - journal_bytes(folder), database - database_bytes(folder), num_compressed, notes)


def journal_bytes(folder: StoreFolder) -> int:
    """Of all journals and archives."""
    return _num_bytes(list(folder.journal.rglob("*.jsonl*")))


def database_bytes(folder: StoreFolder) -> int:
    """Of the database with its write-ahead log."""
    return _num_bytes([folder.database, folder.database.with_name(f"{folder.database.name}-wal")])


def _meets(
    conditions: Conditions, uid: str, dataflow: str | None, status: str, heard_at: str | None, tags: dict[str, str]
) -> bool:
    if conditions.uids is not None and uid not in conditions.uids:
        return False
    if conditions.dataflow is not None and dataflow != conditions.dataflow:
        return False
    if conditions.statuses and status not in conditions.statuses:
        return False
    if any(name not in tags or value not in (None, tags[name]) for name, value in conditions.tags.items()):
        return False
    if conditions.older_than is None:
        return True
    return heard_at is not None and datetime.fromisoformat(heard_at) < datetime.now(UTC) - conditions.older_than


def _why_kept(folder: StoreFolder, uid: str, status: str, positions: Positions, headers: Headers) -> str | None:
    if status == "running":
        return "it is running"
    for path in (folder.journal / uid).glob("*.jsonl"):
        state = positions.find(segment_key(path)).state
        if state == "open":
            return "a process of it may still record"
        if state == "gone" and not is_gone_for_good(path, headers):
            return "its process was heard of late, and this machine cannot tell whether it is gone"
    return None


def is_gone_for_good(path: Path, headers: Headers) -> bool:
    """Whether the process of an open segment can never write to it again, as far as anybody can tell."""
    try:
        header = headers.find(path)
        written_at = path.stat().st_mtime
    except (OSError, JournalError):
        return False
    is_gone = is_process_gone(header) if header is not None else None
    return time.time() - written_at > SILENT_SECONDS if is_gone is None else is_gone


def _compress_gone(folder: StoreFolder) -> int:
    """Compress segments that nobody closed and nobody will; how many."""
    num_compressed, headers = 0, Headers()
    with closing(sqlite3.connect(folder.database, timeout=BUSY_SECONDS)) as connection:
        positions = Positions(connection)
        for path in list(folder.open_segments()):
            known = positions.find(segment_key(path))
            if known.state == "gone" and is_gone_for_good(path, headers):
                rest = _rest(path, known.position)
                if rest is not None and not any(chunk.lines for chunk in rest):  # else the next catch-up takes it in
                    num_compressed += archive_segment(folder, path, known.position + sum(chunk.torn for chunk in rest))
    return num_compressed


def _rest(path: Path, position: int) -> list[Chunk] | None:
    try:
        return list(read_chunks(path, position))
    except OSError:
        return None


def _num_bytes(paths: list[Path]) -> int:
    total = 0
    for path in paths:
        with suppress(OSError):  # archived in this moment
            total += path.stat().st_size
    return total
