"""Answers one question about lineage, from what a person typed to the answer."""

from __future__ import annotations

import gc
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.analysis.lineage.answer import Lineage, Way
from dnnprov.analysis.lineage.edges import Edges
from dnnprov.analysis.lineage.line import place
from dnnprov.analysis.lineage.nodes import Element, Step
from dnnprov.analysis.lineage.parts import parts_of
from dnnprov.analysis.lineage.reader import ADAPTATIONS, EPOCHS, Reader, linked_runs
from dnnprov.analysis.lineage.rows import RowReader
from dnnprov.analysis.lineage.search import Ancestors, Descendants, way_to
from dnnprov.analysis.lineage.things import find_things
from dnnprov.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from dnnprov.analysis.lineage.nodes import Activity, Line, Point, Reached, Rows, Run
    from dnnprov.analysis.lineage.reader import Direction
    from dnnprov.analysis.lineage.things import Asked, Found, Place
    from dnnprov.store.base import Store

KINDS = ("run", "task", "file", "element")


@dataclass(frozen=True)
class Asking:
    """What questions about lineage have in common.

    Attributes:
        store: that is asked, within a snapshot.
        later: the same store for rows that are looked at later, when it may have been closed.
        across_runs, dataflow: as in `History.ancestors`.
        notes: about the state that is seen.
    """

    store: Store
    later: Callable[[], AbstractContextManager[Store]]
    across_runs: bool
    dataflow: str | None
    notes: Sequence[str]


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: what an answer is made of stays, and each look at it takes as long as the search.

    It counts as long-lived at once, so that it is not looked at right afterwards either.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:  # else the program has frozen objects of its own, which are to stay so
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()


@_uncollected()
def trace(
    asking: Asking, thing: Asked, direction: Direction, depth: int | None, kinds: Iterable[str] | None
) -> Lineage:
    """All ancestors or all descendants of a thing; arguments as in `History.ancestors`."""
    if depth is not None and (type(depth) is not int or depth < 1):
        raise UsageError(f"depth={depth!r} is no number of steps; expected a whole number from 1 on")
    wanted = _kinds(kinds)
    found = find_things(asking.store, thing, asking.dataflow)
    read = RowReader(asking.store, asking.later)
    story = Story(asking.store, read, found.places, direction, across_runs=asking.across_runs)
    starts = story.points(found.places)
    search = (Ancestors if direction == "ancestors" else Descendants)(story.edges, story.place, depth)
    search.run(starts)
    read(search.rows_in_part())
    parts = [part for part in parts_of(search, starts, depth) if wanted is None or part.kind in wanted]
    read.is_answered = True
    return Lineage(direction, starts, parts, story.edges, read, [*asking.notes, *found.notes])


@_uncollected()
def trace_path(asking: Asking, start: Asked, end: Asked) -> Way:
    """A shortest way between two things; arguments as in `History.path`."""
    first, last = (find_things(asking.store, thing, asking.dataflow) for thing in (start, end))
    read = RowReader(asking.store, asking.later)
    way, story = _shortest(asking, read, first, last)
    is_back = bool(way)
    if not way:
        way, story = _shortest(asking, read, last, first)
    read.is_answered = True
    told = dict.fromkeys([*asking.notes, *first.notes, *last.notes])
    return Way(way if is_back else way[::-1], story.edges, read, told, is_back=is_back)


def _shortest(
    asking: Asking, read: RowReader, start: Found, end: Found
) -> tuple[list[tuple[Point, Reached | None]], Story]:
    """The way from effects to causes, with how each thing on it was reached; nothing where there is none."""
    story = Story(asking.store, read, start.places, "ancestors", across_runs=asking.across_runs)
    starts, ends = story.points(start.places), story.points(end.places)
    search = Ancestors(story.edges, story.place)
    search.run(starts)
    ways = [way for point in ends if (way := way_to(search, point, starts))]
    return min(ways, key=len, default=[]), story


def _kinds(kinds: Iterable[str] | None) -> set[str] | None:
    wanted = None if kinds is None else {kinds} if isinstance(kinds, str) else set(kinds)
    if wanted is not None and not wanted <= set(KINDS):
        unknown = min(map(repr, wanted - set(KINDS)))
        raise UsageError(f"{unknown} is no kind of thing; expected some of {', '.join(KINDS)}")
    return wanted


class Story:
    """What happened in some runs, as a graph to be searched.

    Args:
        store: that is asked, within a snapshot.
        read: for the rows of elements.
        places: of what is meant.
        direction: in which other runs are looked for.
        across_runs: whether they are.

    Attributes:
        runs: that were read.
        edges: between what happened in them.
    """

    def __init__(
        self, store: Store, read: RowReader, places: Iterable[Place], direction: Direction, *, across_runs: bool
    ) -> None:
        asked = {place.run_id for place in places}
        self._read = read
        self._reader = Reader(store, linked_runs(store, asked, direction) if across_runs else asked)
        self.runs: list[Run] = list(self._reader.runs.values())
        self._lines: dict[Rows, Line] = {line.epochs: line for run in self.runs for line in _lines(run)}
        self._are_numbered = False
        self.edges = Edges(self._reader, across_runs=across_runs)

    def place(self, line: Line) -> None:
        """Put the adaptations of a line at their places, which its epochs tell."""
        if not self._are_numbered:
            self._are_numbered = True
            self._read.numbers([one for one in self._lines.values() if one.changes])
        place(line, self._read)

    def points(self, places: Iterable[Place]) -> list[Point]:
        """Where a search for these records starts or arrives; elements that are all of a set stand as one."""
        points: list[Point] = []
        elements: defaultdict[tuple[int, str], set[tuple[int, int, int]]] = defaultdict(set)
        for one in places:
            if one.run_id not in self._reader.runs:
                continue  # it has nothing to do with what the story is about
            if one.kind == "run":
                points.append(self._reader.runs[one.run_id])
            elif one.kind == "task":
                points.append(self._reader.tasks[one.key])
            elif one.kind == "file":
                points.append(self._reader.files[one.key])
            else:
                elements[one.run_id, one.table].add(one.row)
        for (run_id, table), wanted in elements.items():
            points += self._elements(self._reader.runs[run_id], table, wanted)
        return points

    def _elements(self, run: Run, table: str, wanted: set[tuple[int, int, int]]) -> Iterable[Point]:
        if table == ADAPTATIONS:
            for line in _lines(run):
                self.place(line)
                for number, change in enumerate(line.changes):
                    if change.row[:3] in wanted:
                        yield Step(line, "change", number)
        sets = [rows for rows in run.sets if rows.data_set.table == table]
        self._read(sets)
        for rows in sets:
            indices = [index for index, row in enumerate(rows.rows or ()) if row[:3] in wanted]
            own = self._lines.get(rows) if table == EPOCHS else None
            if len(indices) == rows.count > 1:
                yield own or rows
            else:
                yield from (Step(own, "epoch", index) if own else Element(rows, index) for index in indices)


def _lines(run: Run) -> list[Line]:
    activities: list[Activity] = [run, *run.tasks]
    return [activity.line for activity in activities if activity.line is not None]
