"""Takes journals into the database, exactly once.

For each piece of a segment one transaction: read the position, write the rows, move the position, commit. The
database, not a lock, makes it exactly once: of two processes that try the same piece, the second finds the position
moved and does nothing.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.errors import JournalError
from dnnprov.journal.folder import ARCHIVE_SUFFIX, SEGMENT_SUFFIX
from dnnprov.journal.reader import CHUNK_BYTES, read_chunks, read_header
from dnnprov.model.events import RunEnded, SegmentClosed
from dnnprov.store.archive import archive_segment
from dnnprov.store.catalog import Catalog
from dnnprov.store.event_rows import EventRows
from dnnprov.store.liveness import find_ended_runs, revive
from dnnprov.store.source import Source, open_source, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.journal.reader import Chunk, Line
    from dnnprov.model.events import AnyEvent, SegmentOpened


@dataclass(frozen=True)
class Position:
    """How far a segment is in.

    Attributes:
        position: bytes, before compression.
        sequence: of the last event, -1 before the first.
        state: open | closed | gone | refused.
    """

    position: int = 0
    sequence: int = -1
    state: str = "open"


def segment_key(path: Path) -> str:
    """The name of a segment in `journal_position`: `<run>/<process>`, open or archived."""
    name = path.name
    suffix = ARCHIVE_SUFFIX if name.endswith(ARCHIVE_SUFFIX) else SEGMENT_SUFFIX
    return f"{path.parent.name}/{name.removesuffix(suffix)}"


class Ingest:
    """Takes the journals of one store folder into one database.

    Args:
        connection: that may write, in autocommit mode.
        folder: of the store.
        chunk_bytes: of a segment that one transaction takes in; small ones let other writers in sooner.
    """

    def __init__(self, connection: sqlite3.Connection, folder: StoreFolder, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._connection = connection
        self._folder = folder
        self._chunk_bytes = chunk_bytes
        self._rows = EventRows(connection, Catalog(connection))
        self._headers: dict[str, SegmentOpened] = {}
        self._data_version = -1

    def catch_up(self) -> int:
        """Take in everything that is recorded until now.

        Returns:
            How many events were new.

        Raises:
            sqlite3.OperationalError: the database cannot be written, or stayed locked.
        """
        num_events = 0 if self._is_archive_read() else self._read_archive()
        grown = []
        for path in self._folder.open_segments():
            known = self._position(segment_key(path))
            try:
                if known.state != "refused" and path.stat().st_size != known.position:
                    grown.append(path)
                elif known.state == "closed":
                    archive_segment(self._folder, path)
            except FileNotFoundError:
                continue  # archived by another process in this moment
        for path in self._in_order(grown):
            num_events += self._take_open(path)
        find_ended_runs(self._connection, self._folder, self._headers)
        return num_events

    def _read_archive(self) -> int:
        """A new database: the compressed segments too."""
        num_events = 0
        for path in self._in_order(self._folder.archived_segments()):
            num_events += self._take_segment(path, segment_key(path))
        self._connection.execute("UPDATE schema_version SET archive_read = 1")
        return num_events

    def _take_open(self, path: Path) -> int:
        key = segment_key(path)
        try:
            num_events = self._take_segment(path, key)
            if self._position(key).state == "closed":
                archive_segment(self._folder, path)
        except FileNotFoundError:
            return 0  # archived by another process in this moment
        return num_events

    def _in_order(self, paths: Iterable[Path]) -> list[Path]:
        """Segments run by run, the earlier run first, and in a run those of an earlier attempt and a lower rank first.

        What a resumed run recorded again must come after what it replaces, also when both are new here.
        """
        headed = []
        for path in paths:
            header = self._header(path)
            if header is not None:
                headed.append((path, header))
        began: dict[str, int] = {}
        for _, header in headed:
            began[header.run] = min(header.at, began.get(header.run, header.at))
        headed.sort(key=lambda one: (began[one[1].run], one[1].run, one[1].attempt, one[1].rank, one[1].at))
        return [path for path, _ in headed]

    def _header(self, path: Path) -> SegmentOpened | None:
        """The opening event of a segment; `None` while it is not there, or where the file is none of ours."""
        key = segment_key(path)
        header = self._headers.get(key)
        if header is None:
            try:
                header = read_header(path)
            except JournalError as error:
                self._refuse(path, key, str(error))
            except FileNotFoundError:
                return None
            if header is not None:
                self._headers[key] = header
        return header

    def _take_segment(self, path: Path, key: str) -> int:
        header = self._header(path)
        if header is None:
            return 0
        num_events = 0
        start = self._position(key).position
        for chunk in read_chunks(path, start, self._chunk_bytes):
            if chunk.lines or chunk.end > start:
                taken = self._take_chunk(chunk, key, header, start)
                if taken is None:
                    return num_events + self._take_segment(path, key)  # another process was faster; go on after it
                num_events += taken
                start = chunk.end
        return num_events

    def _take_chunk(self, chunk: Chunk, key: str, header: SegmentOpened, start: int) -> int | None:
        """One transaction; `None` when the position is not where the chunk starts.

        An event that the database cannot take must not keep the rest out: then the chunk is taken in again with a
        savepoint before each event, and the one at fault becomes a problem.
        """
        try:
            return self._take_whole(chunk, key, header, start, careful=False)
        except sqlite3.OperationalError:
            raise
        except Exception:  # noqa: BLE001 - what one event can raise is not known; the careful pass names it
            return self._take_whole(chunk, key, header, start, careful=True)

    def _take_whole(self, chunk: Chunk, key: str, header: SegmentOpened, start: int, *, careful: bool) -> int | None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._notice_other_writers()
            known = self._position(key)
            if known.position != start:
                connection.execute("ROLLBACK")
                return None
            num_events, sequence, is_closed = self._take_lines(chunk, header, known.sequence, careful=careful)
            connection.execute(
                "INSERT OR REPLACE INTO journal_position VALUES (?, ?, ?, ?)",
                (key, chunk.end, sequence, "closed" if is_closed else "open"),
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._rows.forget()
            raise
        return num_events

    def _take_lines(
        self, chunk: Chunk, header: SegmentOpened, sequence: int, *, careful: bool
    ) -> tuple[int, int, bool]:
        """Number of events taken, number of the last one, and whether the segment is closed."""
        source = open_source(self._connection, header)
        has_ended = is_closed = False
        num_events = faults = last_at = 0
        for line in chunk.lines:
            event = line.event
            if event is None:
                self._note_fault(line, source)
                faults += 1
                continue
            if event.seq <= sequence:
                continue  # in already
            if event.seq > sequence + 1 + faults:
                detail = f"events {sequence + 1} to {event.seq - 1} of segment {header.process} are missing"
                self._rows.problem(source.run_id, "missing_events", detail, time_text(event.at))
            sequence, faults, last_at = event.seq, 0, event.at
            num_events += 1
            if not has_ended:
                has_ended = isinstance(event, RunEnded)
            is_closed = isinstance(event, SegmentClosed)
            if careful:
                self._take_carefully(event, source)
            else:
                self._rows.take(event, source)
        if last_at:
            revive(self._connection, source, time_text(last_at), has_ended=has_ended)
        self._rows.flush(time_text(last_at) if last_at else None)
        return num_events, sequence, is_closed

    def _take_carefully(self, event: AnyEvent, source: Source) -> None:
        self._connection.execute("SAVEPOINT event")
        try:
            self._rows.take(event, source)
            self._rows.flush(time_text(event.at))
        except sqlite3.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - set aside, told, and the rest goes in
            self._connection.execute("ROLLBACK TO event")
            self._rows.forget()
            detail = f"event {event.seq} ({type(event).__name__}) of segment {source.header.process}: {error}"
            self._rows.problem(source.run_id, "event_not_taken", detail, time_text(event.at))
        self._connection.execute("RELEASE event")

    def _note_fault(self, line: Line, source: Source) -> None:
        shown = line.content[:200].decode("utf-8", "replace")
        self._rows.problem(
            source.run_id,
            "corrupt_line",
            f"segment {source.header.process}, line that ends at byte {line.end}: {line.fault}; it reads {shown!r}",
            None,
        )

    def _refuse(self, path: Path, key: str, reason: str) -> None:
        """A file that is no journal of ours is told once and not tried again."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(
            "INSERT OR REPLACE INTO journal_position VALUES (?, ?, -1, 'refused')", (key, path.stat().st_size)
        )
        self._rows.problem(None, "refused_segment", reason, None)
        self._connection.execute("COMMIT")

    def _notice_other_writers(self) -> None:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._rows.forget()
            self._data_version = version

    def _is_archive_read(self) -> bool:
        return bool(self._connection.execute("SELECT archive_read FROM schema_version").fetchone()[0])

    def _position(self, key: str) -> Position:
        row = self._connection.execute(
            "SELECT position, sequence, state FROM journal_position WHERE segment = ?", (key,)
        ).fetchone()
        return Position(*row) if row else Position()
