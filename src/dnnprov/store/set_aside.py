"""What is done about a journal that is not as it should be: it is told as a problem, set aside, and the rest goes in.

Nothing in here ends a catch-up, and nothing is told twice: each note is written in the transaction that moves the
position past what it is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dnnprov.store.headers import is_time
from dnnprov.store.positions import Position
from dnnprov.store.source import time_text
from dnnprov.store.transaction import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from dnnprov.journal.reader import Chunk, Line
    from dnnprov.model.events import AnyEvent
    from dnnprov.store.positions import Positions
    from dnnprov.store.source import Source

_MAX_SEQUENCE = 2**62
"""No segment has so many events, and columns hold the number."""


def is_in_order(events: Sequence[AnyEvent], first: int) -> bool:
    """Whether events have the numbers from `first` on, and times that a calendar has: nothing is to be told of them."""
    if [event.seq for event in events] != list(range(first, first + len(events))):
        return False
    times = [event.at for event in events]
    return not times or (is_time(min(times)) and is_time(max(times)))


class SetAside:
    """Notes what could not be taken from journals as it stands there.

    Args:
        connection: of the database, in autocommit mode.
        positions: of its segments.
    """

    def __init__(self, connection: sqlite3.Connection, positions: Positions) -> None:
        self._connection = connection
        self._positions = positions

    def damaged_line(self, line: Line, source: Source) -> None:
        """A line that is no event."""
        shown = line.content[:200].decode("utf-8", "replace")
        where = f"segment {source.header.process}, line that ends at byte {line.end}"
        self._note(source.run_id, "corrupt_line", f"{where}: {line.fault}; it reads {shown!r}")

    def mend(self, event: AnyEvent, source: Source, sequence: int, at: int) -> AnyEvent:
        """An event with an impossible number or time gets the ones that it must have had, which is told.

        Args:
            event: that came; it is left as it is, since it may be taken a second time.
            source: its segment.
            sequence: number that comes next.
            at: time of the event before.
        """
        wrong = {}
        if not 0 <= event.seq < _MAX_SEQUENCE:
            wrong["seq"] = sequence
        if not is_time(event.at):
            wrong["at"] = at
        if not wrong:
            return event
        mended = msgspec.structs.replace(event, **wrong)
        said = " and ".join(f"{name} {getattr(event, name)}" for name in wrong)
        detail = f"event {mended.seq} ({type(event).__name__}) of segment {source.header.process} says {said}"
        self._note(source.run_id, "mended_event", detail, mended.at)
        return mended

    def mended_header(self, detail: str, source: Source) -> None:
        """An opening event that contradicts its path."""
        self._note(source.run_id, "mended_event", detail, source.header.at)

    def gap(self, first: int, event: AnyEvent, source: Source) -> None:
        """Events whose numbers were never seen, before one that was."""
        detail = f"events {first} to {event.seq - 1} of segment {source.header.process} are missing"
        self._note(source.run_id, "missing_events", detail, event.at)

    def event(self, event: AnyEvent, error: Exception, source: Source) -> None:
        """An event that the database cannot take."""
        detail = f"event {event.seq} ({type(event).__name__}) of segment {source.header.process}: {_said(error)}"
        self._note(source.run_id, "event_not_taken", detail, event.at)

    def chunk(self, chunk: Chunk, key: str, start: int, error: Exception) -> None:
        """A piece of a segment that cannot be taken event by event either."""
        with transaction(self._connection):
            known = self._positions.find(key)
            if known.position == start:
                where = f"{len(chunk.lines)} lines of segment {key}, bytes {start} to {chunk.end}"
                self._note(None, "event_not_taken", f"{where}: {_said(error)}")
                self._positions.move(key, Position(chunk.end, known.sequence + len(chunk.lines)))

    def archive(self, key: str, run: str, damage: str) -> None:
        """An archived segment that ends before it should."""
        with transaction(self._connection):
            known = self._positions.find(key)
            if known.state != "damaged":
                found = self._connection.execute("SELECT run_id FROM run WHERE uid = ?", (run,)).fetchone()
                self._note(found[0] if found else None, "damaged_archive", damage)
                self._positions.move(key, Position(known.position, known.sequence, "damaged"))

    def segment(self, key: str, reason: str) -> None:
        """A file that is no journal of ours, or of a later format; it is not looked at again."""
        with transaction(self._connection):
            if self._positions.find(key).state != "refused":
                self._note(None, "refused_segment", reason)
                self._positions.move(key, Position(state="refused"))

    def _note(self, run_id: int | None, kind: str, detail: str, at: int | None = None) -> None:
        self._connection.execute(
            "INSERT INTO problem (run_id, kind, detail, recorded_at) VALUES (?, ?, ?, ?)",
            (run_id, kind, detail, None if at is None else time_text(at)),
        )


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
