"""What a search found, as parts: one run, task or file, or the elements of one set and activity together.

Of a long series only the number is known at first; how each of its elements was reached is worked out when it is
looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING

from dnnprov.analysis.lineage.nodes import BEGINNING, Element, Inflow, Line, Reached, Rows, Run, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dnnprov.analysis.lineage.line import LineVisit
    from dnnprov.analysis.lineage.nodes import Node, Order, Point
    from dnnprov.analysis.lineage.search import Search

    Pairs = Iterable[tuple[int, Reached]]


@dataclass(eq=False, slots=True)
class Part:
    """Things that stay together.

    Attributes:
        source: that they are of.
        of: `epoch` or `change` for steps of a line, `row` for rows of a set, else empty.
        count: how many they are.
        first: how the nearest was reached.
        pairs: the numbers of the rows or steps, and how each was reached.
    """

    source: Node | Line
    of: str
    count: int
    first: Reached
    pairs: Callable[[], Pairs]

    @classmethod
    def of_point(cls, point: Point, reached: Reached | None = None) -> Part:
        """The part that is one thing, or all of a line or set."""
        how = reached or Reached(0, "", point)
        if isinstance(point, Step):
            return cls(point.line, point.kind, 1, how, lambda: [(point.at, how)])
        if isinstance(point, Element):
            return cls(point.rows, "row", 1, how, lambda: [(point.at, how)])
        count = point.epochs.count if isinstance(point, Line) else point.count if isinstance(point, Rows) else 1
        of = "epoch" if isinstance(point, Line) else "row" if isinstance(point, Rows) else ""
        return cls(point, of, count, how, lambda: zip(range(count), repeat(how), strict=False))

    @property
    def kind(self) -> str:
        """Run, task, file or element."""
        if self.of:
            return "element"
        return "run" if isinstance(self.source, Run | Inflow) else type(self.source).__name__.lower()

    def each(self) -> Iterator[tuple[Point, Reached]]:
        """The things and how each was reached."""
        source, of = self.source, self.of
        for index, how in self.pairs():
            if isinstance(source, Line):
                yield Step(source, of, index), how
            else:
                yield Element(source, index) if of else source, how

    def rows_to_read(self) -> list[Rows]:
        """The rows that must be there before the things can be named."""
        if isinstance(self.source, Line):
            return [self.source.epochs] if self.of == "epoch" else []
        return [self.source] if isinstance(self.source, Rows) else []


def parts_of(search: Search, starts: Iterable[Point], depth: int | None) -> list[Part]:
    """What a search reached, without what it started from."""
    asked: dict[Node | Line, set[tuple[str, int]]] = {}
    for start in starts:
        part = Part.of_point(start)
        asked.setdefault(part.source, set()).update((part.of, index) for index, _ in part.pairs())
    parts: list[Part] = []
    for node, reached in search.nodes.items():
        if isinstance(node, Rows):
            parts.append(_rows_part(search.parts.get(node, ()), node, reached))
        elif not isinstance(node, Run | Inflow):
            parts.append(Part.of_point(node, reached))
        elif isinstance(node, Run) == search.is_back and node.run not in asked:
            parts.append(
                Part.of_point(node, reached)
            )  # a run is a cause as what began its tasks, an effect by its inflow
    for visit in search.lines.values():
        parts += _parts_of_line(visit)
    limit = 1 << 62 if depth is None else depth
    return [kept for part in parts if (kept := _without(part, asked.get(part.source, set()), limit)) is not None]


def _parts_of_line(visit: LineVisit) -> Iterator[Part]:
    line, epochs = visit.line, visit.epoch_indices()
    if len(epochs):
        nearest = min([*visit.epochs.values(), *([visit.every_epoch] if visit.every_epoch else [])], key=_distance)
        yield Part(line, "epoch", len(epochs), nearest, visit.reached_epochs)
    changes = visit.reached_changes()
    if changes:
        yield _changes_part(line, changes.items())


def _changes_part(line: Line, pairs: Pairs) -> Part:
    """Some adaptations of a line; their numbers may change when they are placed, themselves they stay."""
    kept = [(line.changes[number], how) for number, how in pairs]

    def numbered() -> Pairs:
        numbers = {change: number for number, change in enumerate(line.changes)}
        return sorted(((numbers[change], how) for change, how in kept), key=itemgetter(0))

    return Part(line, "change", len(kept), min((how for _, how in kept), key=_distance), numbered)


def _distance(reached: Reached) -> int:
    return reached.distance


def _rows_part(parts: Sequence[tuple[Order, Reached]], rows: Rows, reached: Reached) -> Part:
    """The rows of a set that are reached; of a training's, maybe only those after an adaptation."""
    if not parts or parts[0][0] == BEGINNING:
        return Part.of_point(rows, reached)
    pairs = []
    for index in range(rows.count):
        order = rows.order_of(index)
        nearest = next((one for bound, one in parts if order > bound), None)
        if nearest is not None:
            pairs.append((index, nearest))
    return Part(rows, "row", len(pairs), reached, lambda: pairs)


def _without(part: Part, asked: set[tuple[str, int]], depth: int) -> Part | None:
    """The part without what was asked for and what is too far away; `None` where nothing is left."""
    if part.count == 0 or part.first.distance > depth:
        return None
    if asked or (depth < 1 << 62 and part.of):
        kept = [(index, how) for index, how in part.pairs() if how.distance <= depth and (part.of, index) not in asked]
        if not kept:
            return None
        if part.of == "change" and isinstance(part.source, Line):
            return _changes_part(part.source, kept)
        return Part(part.source, part.of, len(kept), min((how for _, how in kept), key=_distance), lambda: kept)
    return part
