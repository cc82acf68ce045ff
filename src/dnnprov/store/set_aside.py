"""What is done about a journal that is not as it should be: it is told as a problem, set aside, and the rest goes in.

Nothing in here ends a catch-up, and nothing is told twice: each note is written in the transaction that moves the
position past what it is about.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from dnnprov.store.event_order import Gap
from dnnprov.store.headers import is_time
from dnnprov.store.positions import Position
from dnnprov.store.source import time_text
from dnnprov.store.transaction import transaction

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.journal.reader import Chunk, Line
    from dnnprov.model.events import AnyEvent
    from dnnprov.store.positions import Positions
    from dnnprov.store.source import Source

_MAX_SEQUENCE = 2**62
"""No segment has so many events, and columns hold the number."""

_GAP = re.compile(r"events (\d+) to (\d+) of segment (.+) are missing", re.DOTALL)


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

    def mend(self, event: AnyEvent, source: Source, place: int, at: int, *, is_misplaced: bool) -> AnyEvent:
        """An event with an impossible number or time gets the ones that it must have had, which is told.

        Args:
            event: that came; it is left as it is, since it may be taken a second time.
            source: its segment.
            place: number of the place where it stands.
            at: time of the event before.
            is_misplaced: whether its neighbours say that its number is wrong.
        """
        wrong = {}
        if is_misplaced or not 0 <= event.seq < _MAX_SEQUENCE:
            wrong["seq"] = place
        if not is_time(event.at):
            wrong["at"] = at
        if not wrong:
            return event
        mended = msgspec.structs.replace(event, **wrong)
        said = " and ".join(f"{name} {getattr(event, name)}" for name in wrong)
        detail = f"event {mended.seq} ({type(event).__name__}) of segment {source.header.process} says {said}"
        self._note(source.run_id, "mended_event", detail, mended.at)
        return mended

    def shared_number(self, event: AnyEvent, source: Source) -> None:
        """An event that has the number of another one."""
        where = f"event {event.seq} ({type(event).__name__}) of segment {source.header.process}"
        self._note(source.run_id, "mended_event", f"{where} has the number of another, which is in too", event.at)

    def mended_header(self, detail: str, source: Source) -> None:
        """An opening event that contradicts its path."""
        self._note(source.run_id, "mended_event", detail, source.header.at)

    def repeated(self, numbers: list[int], source: Source) -> None:
        """Events that are in already."""
        for first, last in _ranges(numbers):
            detail = f"events {first} to {last} of segment {source.header.process} came again and were not taken again"
            self._note(source.run_id, "repeated_event", detail)

    def find_gaps(self, source: Source) -> list[Gap]:
        """The numbers of a segment that were told as missing."""
        rows = self._connection.execute(
            "SELECT detail, recorded_at FROM problem WHERE run_id = ? AND kind = 'missing_events' ORDER BY problem_id",
            (source.run_id,),
        ).fetchall()
        found = [(_GAP.fullmatch(detail), at) for detail, at in rows]
        return [Gap(int(gap[1]), int(gap[2]), at) for gap, at in found if gap and gap[3] == source.header.process]

    def note_gaps(self, gaps: list[Gap], source: Source) -> None:
        """Tell the numbers of a segment that are missing now, in place of those that were told before."""
        told = {(_gap_detail(gap, source), gap.noticed_at) for gap in self.find_gaps(source)}
        now = [(_gap_detail(gap, source), gap.noticed_at) for gap in gaps]
        self._connection.executemany(
            "DELETE FROM problem WHERE run_id = ? AND kind = 'missing_events' AND detail = ?",
            [(source.run_id, detail) for detail, at in told if (detail, at) not in now],
        )
        self._connection.executemany(
            "INSERT INTO problem (run_id, kind, detail, recorded_at) VALUES (?, 'missing_events', ?, ?)",
            [(source.run_id, *gap) for gap in now if gap not in told],
        )

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

    def shortened(self, key: str, known: Position, end: int) -> None:
        """An open segment that holds less than was taken in from it; what is known of it stays.

        Args:
            key: of the segment.
            known: what was taken in.
            end: of what is known of that in the segment; it is read on from there.
        """
        run, _, process = key.partition("/")
        with transaction(self._connection):
            if self._positions.find(key) == known:
                found = self._connection.execute("SELECT run_id FROM run WHERE uid = ?", (run,)).fetchone()
                detail = f"segment {process} was cut off: {known.position} bytes of it were taken in, {end} are left"
                self._note(found[0] if found else None, "journal_truncated", detail)
                self._positions.move(key, Position(end, known.sequence, known.state))
                self._positions.move(f"{key}, cut off", Position(known.position, known.sequence, "cut"))

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


def _gap_detail(gap: Gap, source: Source) -> str:
    return f"events {gap.first} to {gap.last} of segment {source.header.process} are missing"


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """First and last of each stretch of numbers that follow each other."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
