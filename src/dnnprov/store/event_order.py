"""Puts the events of a piece of a segment in the order of their numbers, and tells what is wrong with these.

The numbers of a segment have no gaps, and none comes twice. So a line that stands a second time is known, and not taken
again; lines that changed places are put right; and what is missing is told, until it comes after all. A number that
only its neighbours contradict is itself damaged. What cannot be read stands for the events that are missing around it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dnnprov.store.headers import is_time
from dnnprov.store.source import time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnnprov.journal.reader import Chunk, Line
    from dnnprov.model.events import AnyEvent
    from dnnprov.store.set_aside import SetAside
    from dnnprov.store.source import Source


@dataclass(frozen=True)
class Gap:
    """Numbers of a segment that were not seen.

    Attributes:
        first, last: of them.
        noticed_at: when the event after them was recorded.
    """

    first: int
    last: int
    noticed_at: str | None

    def without(self, number: int) -> list[Gap]:
        """What is left of it when one of its events came after all."""
        parts = [replace(self, last=number - 1), replace(self, first=number + 1)]
        return [part for part in parts if part.first <= part.last]


def put_in_order(chunk: Chunk, source: Source, sequence: int, aside: SetAside) -> tuple[list[AnyEvent], int]:
    """The events to take from a piece, in their order, and the greatest number that is known then.

    Args:
        chunk: of the segment.
        source: the segment.
        sequence: the greatest number that is known.
        aside: what is wrong is told to.
    """
    if chunk.events is not None and is_in_order(chunk.events, sequence + 1):
        return chunk.events, sequence + len(chunk.events)
    lines = chunk.lines
    order = _Order(source, sequence, aside, [line.event for line in lines if line.event is not None])
    for line, following in zip(lines, [*lines[1:], None], strict=False):
        if line.event is None:
            order.pass_damage(line)
        else:
            order.pass_event(line.event, following.event.seq if following and following.event else None)
    return order.end()


def is_in_order(events: Sequence[AnyEvent], first: int) -> bool:
    """Whether events have the numbers from `first` on, and times that a calendar has: nothing is to be told of them."""
    if [event.seq for event in events] != list(range(first, first + len(events))):
        return False
    times = [event.at for event in events]
    return not times or (is_time(min(times)) and is_time(max(times)))


class _Order:
    """Goes through the lines of a piece once, as they stand there."""

    def __init__(self, source: Source, sequence: int, aside: SetAside, events: list[AnyEvent]) -> None:
        self._source = source
        self._sequence = sequence
        self._aside = aside
        self._all: dict[int, list[AnyEvent]] = {}
        for event in events:
            self._all.setdefault(event.seq, []).append(event)
        self._known_gaps = aside.find_gaps(source)
        self._gaps = list(self._known_gaps)
        self._damaged: list[Line] = []  # since the last number that was new
        self._taken: dict[int, AnyEvent] = {}
        self._beside: list[AnyEvent] = []  # events that have the number of another
        self._repeated: list[int] = []
        self._at = source.header.at

    def pass_damage(self, line: Line) -> None:
        self._damaged.append(line)

    def pass_event(self, event: AnyEvent, following: int | None) -> None:
        twin = self._taken.get(event.seq)
        if twin == event:
            self._repeated.append(event.seq)
            return
        place = self._sequence + 1 + len(self._damaged)
        is_misplaced = event.seq != place and following == place + 1 and self._is_alone(event, place)
        event = self._aside.mend(event, self._source, place, self._at, is_misplaced=is_misplaced)
        self._at = event.at
        if event.seq > self._sequence:
            self._pass_over(event)
        elif twin is not None:
            self._aside.shared_number(event, self._source)
            self._beside.append(event)
            return
        elif not self._fill_gap(event.seq):
            self._repeated.append(event.seq)
            return
        self._taken[event.seq] = event

    def end(self) -> tuple[list[AnyEvent], int]:
        for line in self._damaged:
            if not line.is_cut_off:
                self._aside.damaged_line(line, self._source)
                self._sequence += 1
        self._aside.repeated(self._repeated, self._source)
        if self._gaps != self._known_gaps:
            self._aside.note_gaps(self._gaps, self._source)
        events = [*self._taken.values(), *self._beside]
        return sorted(events, key=lambda event: event.seq), self._sequence

    def _is_alone(self, event: AnyEvent, place: int) -> bool:
        """Whether an event that stands where another belongs is in no other place, nor that other one."""
        return place not in self._all and all(one is event or one != event for one in self._all[event.seq])

    def _pass_over(self, event: AnyEvent) -> None:
        """What should have come before an event: lines that cannot be read stand for it, the rest is missing.

        A line too many that only lacks its end is a write that came out short, which the recorder counted itself.
        """
        num_missing = event.seq - self._sequence - 1
        num_extra = max(0, len(self._damaged) - num_missing)
        for line in self._damaged:
            if num_extra and line.is_cut_off:
                num_extra -= 1
                continue
            self._aside.damaged_line(line, self._source)
            if num_missing:
                self._sequence += 1
                num_missing -= 1
        if num_missing:
            self._gaps.append(Gap(self._sequence + 1, event.seq - 1, time_text(event.at)))
        self._sequence, self._damaged = event.seq, []

    def _fill_gap(self, number: int) -> bool:
        for place, gap in enumerate(self._gaps):
            if gap.first <= number <= gap.last:
                self._gaps[place : place + 1] = gap.without(number)
                return True
        return False
