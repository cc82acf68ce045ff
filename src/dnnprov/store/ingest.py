"""Takes journals into the database, exactly once.

For each piece of a segment one transaction: read the position, write the rows, move the position, commit. The
database, not a lock, makes it exactly once: of two processes that try the same piece, the second finds the position
moved and does nothing. The numbers of events take no part in that; they only show gaps.

What is wrong with a journal is told and set aside (`SetAside`); only trouble with the database ends a catch-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.errors import DamagedArchiveError, JournalError, SchemaVersionError
from dnnprov.journal.reader import CHUNK_BYTES, Chunk, read_chunks
from dnnprov.model.events import RunEnded, SegmentClosed
from dnnprov.store.amended_rows import fold_amendments
from dnnprov.store.archive import archive_segment
from dnnprov.store.catalog import Catalog
from dnnprov.store.database_errors import is_about_database
from dnnprov.store.event_order import put_in_order
from dnnprov.store.event_rows import EventRows
from dnnprov.store.headers import Headers, is_archived, segment_key
from dnnprov.store.liveness import find_ended_runs, give_up, is_over, revive
from dnnprov.store.migrations import schema_version
from dnnprov.store.positions import Position, Positions
from dnnprov.store.schema import SCHEMA_VERSION
from dnnprov.store.set_aside import SetAside
from dnnprov.store.shortened_segments import find_unread, is_shortened
from dnnprov.store.source import open_source, time_text
from dnnprov.store.transaction import transaction
from dnnprov.store.unread_segments import UnreadSegments, reason_of
from dnnprov.store.unwritten_notes import take_note

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.events import AnyEvent, SegmentOpened
    from dnnprov.store.source import Source
    from dnnprov.store.unread_segments import Unread


class Ingest:
    """Takes the journals of one store folder into one database.

    Args:
        connection: that may write, in autocommit mode.
        folder: of the store.
        chunk_bytes: of a segment that one transaction takes in; small ones let other writers in sooner.
        leaves_files: whether plans and names are left in the folder; not of a database that is half made.

    Attributes:
        on_segment: called with how many of the segments that are to be read are in, and how many they are.
        unreadable: the segments that the last catch-up could not read, each with the reason.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: StoreFolder,
        chunk_bytes: int = CHUNK_BYTES,
        *,
        leaves_files: bool = True,
    ) -> None:
        self.on_segment: Callable[[int, int], None] | None = None
        self.unreadable: list[str] = []
        self._connection = connection
        self._folder = folder
        self._chunk_bytes = chunk_bytes
        self._catalog = Catalog(connection, folder, leaves_files=leaves_files)
        self._rows = EventRows(connection, self._catalog)
        self._headers = Headers()
        self._positions = Positions(connection)
        self._segments = UnreadSegments(folder, self._positions)
        self._aside = SetAside(connection, self._positions)
        self._data_version = -1
        self._num_events = 0

    def catch_up(self) -> int:
        """Take in everything that is recorded until now.

        Returns:
            How many events were new.

        Raises:
            sqlite3.DatabaseError: the database cannot be written, stayed locked, or is damaged.
        """
        self._num_events = 0
        unread = self._segments.find()
        segments = self._in_order(unread)
        for number, (path, header) in enumerate(segments, 1):
            self._take_segment(path, header, unread)
            if self.on_segment is not None:
                self.on_segment(number, len(segments))
        for path in unread.leftovers:
            self._archive(path)
        self._segments.note_read(unread)
        for note in unread.notes:
            if take_note(self._connection, self._folder, note):
                self._segments.note_taken(note)
        find_ended_runs(self._connection, self._folder, self._headers, unread.unclosed)
        self._catalog.files.write_missing()
        self._catalog.names.write_missing()
        self.unreadable = unread.unreadable
        return self._num_events

    def _in_order(self, unread: Unread) -> list[tuple[Path, SegmentOpened]]:
        """Segments run by run, the earlier run first, and in a run those of an earlier attempt and a lower rank first.

        What a resumed run recorded again must come after what it replaces, also when both are new here.
        """
        headed = [found for path in unread.segments if (found := self._with_header(path, unread))]
        began: dict[str, int] = {}
        for _, header in headed:
            began[header.run] = min(header.at, began.get(header.run, header.at))
        headed.sort(key=lambda one: (began[one[1].run], one[1].run, one[1].attempt, one[1].rank, one[1].at))
        return headed

    def _with_header(self, path: Path, unread: Unread) -> tuple[Path, SegmentOpened] | None:
        """A segment and its opening event; `None` while it is not there, or where the file is none of ours."""
        key = segment_key(path)
        try:
            header = self._headers.find(path)
            if header is None:
                self._notice_cut(path, key, self._positions.find(key))
        except FileNotFoundError:
            archived = self._archived(path)  # by another process in this moment
            return self._with_header(archived, unread) if archived else None
        except OSError as error:
            _note_unreadable(path, error, unread)
            return None
        except DamagedArchiveError as error:
            self._aside.archive(key, path.parent.name, str(error))
            return None
        except JournalError as error:
            self._aside.segment(key, str(error))
            return None
        return (path, header) if header else None

    def _take_segment(self, path: Path, header: SegmentOpened, unread: Unread) -> None:
        key = segment_key(path)
        try:
            while not self._take_rest(path, key, header):
                pass  # another process was faster, or the segment was cut off; go on from there
        except FileNotFoundError:
            archived = self._archived(path)
            if archived:
                self._take_segment(archived, header, unread)
        except OSError as error:
            _note_unreadable(path, error, unread)
        else:
            if not is_archived(path) and self._positions.find(key).state == "closed":
                self._archive(path)

    def _notice_cut(self, path: Path, key: str, known: Position) -> bool:
        """Tell where an open segment holds less than is in, and go on with what follows there."""
        if is_archived(path) or not is_shortened(path, known):
            return False
        self._aside.shortened(key, known, find_unread(path, known.sequence))
        return True

    def _take_rest(self, path: Path, key: str, header: SegmentOpened) -> bool:
        """Take in what a segment holds after its position; `False` when that was moved meanwhile."""
        known = self._positions.find(key)
        if self._notice_cut(path, key, known):
            return False
        start, damage, torn, rest = known.position, None, 0, b""
        for chunk in read_chunks(path, start, self._chunk_bytes):
            damage, torn = chunk.damage, chunk.torn
            whole, rest = chunk.after(rest).split(self._chunk_bytes)
            if whole.end > start:
                if not self._take_chunk(whole, key, header, start):
                    return False
                start = whole.end
        is_rest_final = bool(rest) and not self._may_change(path, key)
        if is_rest_final and not self._take_chunk(Chunk(rest, start), key, header, start):
            return False
        if damage:
            self._aside.archive(key, header.run, damage)
        elif is_archived(path) and (known := self._positions.find(key)).state == "open":
            with transaction(self._connection):  # nothing will follow
                if rest:  # the line that closed it is damaged
                    self._positions.move(key, Position(known.position, known.sequence, "closed"))
                else:  # it was compressed after its process was gone
                    give_up(self._connection, key, torn)
        return True

    def _may_change(self, path: Path, key: str) -> bool:
        """Whether lines at the end of a segment that cannot be read may be written still.

        Over a network, what another machine wrote may come out of order, with zeros where it has not come yet.
        """
        if is_archived(path) or self._positions.find(key).state != "open":
            return False
        return not is_over(self._connection, self._folder, self._headers, path)

    def _take_chunk(self, chunk: Chunk, key: str, header: SegmentOpened, start: int) -> bool:
        """One transaction; `False` when the position is not where the chunk starts.

        An event that the database cannot take must not keep the rest out: then the chunk is taken in again with a
        savepoint before each event, and the one at fault becomes a problem. If that fails too, the chunk does.
        """
        for is_careful in (False, True):
            try:
                return self._take_whole(chunk, key, header, start, is_careful=is_careful)
            except SchemaVersionError:
                raise
            except Exception as error:
                if is_about_database(error):
                    raise
                fault = error
        self._aside.chunk(chunk, key, start, fault)
        return True

    def _take_whole(self, chunk: Chunk, key: str, header: SegmentOpened, start: int, *, is_careful: bool) -> bool:
        try:
            with transaction(self._connection):
                self._notice_other_writers()
                known = self._positions.find(key)
                if known.position != start or self._is_removed(key):
                    return False
                source = open_source(self._connection, header)
                if start == 0 and (detail := self._headers.mended_detail(key)):
                    self._aside.mended_header(detail, source)
                position, num_events = self._take_lines(chunk, source, known, is_careful=is_careful)
                self._positions.move(key, position)
                self._catalog.names.write_new()
        except BaseException:
            self._rows.forget()
            raise
        self._num_events += num_events
        return True

    def _take_lines(self, chunk: Chunk, source: Source, known: Position, *, is_careful: bool) -> tuple[Position, int]:
        """Where the segment stands after the lines of a chunk, and how many events they were."""
        events, sequence = put_in_order(chunk, source, known.sequence, self._aside)
        take = self._take_carefully if is_careful else self._rows.take
        for event in fold_amendments(events):
            take(event, source)
        if events:
            has_ended = RunEnded in set(map(type, events))
            revive(self._connection, source, time_text(events[-1].at), has_ended=has_ended)
        self._rows.flush()
        if not events:  # nobody was heard
            return Position(chunk.end, sequence, known.state), 0
        is_closed = isinstance(events[-1], SegmentClosed)
        return Position(chunk.end, sequence, "closed" if is_closed else "open"), len(events)

    def _take_carefully(self, event: AnyEvent, source: Source) -> None:
        self._connection.execute("SAVEPOINT event")
        try:
            self._rows.take(event, source)
            self._rows.flush()
        except Exception as error:
            if is_about_database(error):
                raise
            self._connection.execute("ROLLBACK TO event")
            self._rows.forget()
            self._aside.event(event, error, source)
        self._connection.execute("RELEASE event")

    def _archive(self, path: Path) -> None:
        """Move a segment away that is closed, if this database has all of it."""
        known = self._positions.find(segment_key(path))
        if known.state == "closed":
            archive_segment(self._folder, path, known.position)

    def _archived(self, path: Path) -> Path | None:
        """Where an open segment went that is not there any more."""
        archived = self._folder.archived(*segment_key(path).split("/"))
        return archived if archived != path and archived.exists() else None

    def _is_removed(self, key: str) -> bool:
        """Whether a segment went with its run since it was read: journals go before rows do."""
        run, process = key.split("/")
        return _is_gone(self._folder.segment(run, process)) and _is_gone(self._folder.archived(run, process))

    def _notice_other_writers(self) -> None:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            if (found := schema_version(self._connection)) != SCHEMA_VERSION:
                raise SchemaVersionError(self._folder.path, found, SCHEMA_VERSION)
            self._rows.forget()
            self._data_version = version


def _is_gone(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # the disk does not answer; that is no news about the file
        pass
    return False


def _note_unreadable(path: Path, error: OSError, unread: Unread) -> None:
    unread.unreadable.append(reason_of(error, path))
    unread.is_archive_read = unread.is_archive_read and not is_archived(path)
