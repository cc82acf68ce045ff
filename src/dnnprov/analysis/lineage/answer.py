"""An answer about lineage: rows for programs, each thing by itself; and for people the same, long series in one row.

The rows of long series are read when they are looked at, and they are those of the moment of asking, also when the
store was closed meanwhile.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dnnprov.analysis.adaptations import adaptations_text, is_change
from dnnprov.analysis.lineage.line import epoch_number, place
from dnnprov.analysis.lineage.naming import Naming, data_of, run_of, told_by
from dnnprov.analysis.lineage.nodes import Element, File, Line, Reached, Rows, Step, Task
from dnnprov.analysis.lineage.parts import Part
from dnnprov.analysis.lineage.reader import EPOCHS
from dnnprov.analysis.result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dnnprov.analysis.lineage.edges import Edges
    from dnnprov.analysis.lineage.nodes import Point
    from dnnprov.analysis.lineage.reader import Direction
    from dnnprov.analysis.result import Row

COLUMNS = ("distance", "kind", "name", "label", "run", "tag", "relation", "via", "id", "sha256")
SHOWN_COLUMNS = ("distance", "kind", "name", "label", "relation")

MAX_OF_A_KIND = 3
"""Elements of one set and activity that a table for people lists one by one."""


class Lineage(Result):
    """Ancestors or descendants of something: rows by distance, then as they were recorded.

    Columns: `distance` (relations between), `kind` (run, task, file, element), `name` (what may be typed to ask for
    it), `label`, `run`, `tag` (of dataflow, transformation or data set; role of a file), `relation` and `via` (the last
    relation of PROV on a shortest way, and the id of what it leads from or to), `id` (exact and lasting), `sha256`.

    Attributes:
        direction: `ancestors` or `descendants`.
        starts: what was asked for, for a picture.
        parts: what was found, likewise.
        edges: between all of it, likewise.
    """

    def __init__(
        self,
        direction: Direction,
        starts: list[Point],
        parts: list[Part],
        edges: Edges,
        read: Callable[[Iterable[Rows]], None],
        notes: Iterable[str],
    ) -> None:
        super().__init__(COLUMNS, (), notes=notes, shown_columns=SHOWN_COLUMNS)
        del self.rows  # made when they are looked at
        self.direction = direction
        self.starts = starts
        self.parts = parts
        self.edges = edges
        self._read = read

    @cached_property
    def naming(self) -> Naming:
        """What the things are called."""
        return Naming({run_of(point): None for point in [*self.starts, *(part.source for part in self.parts)]})

    @cached_property
    def rows(self) -> list[Row]:  # type: ignore[override] # a result has them at once
        """One dict for each thing."""
        self.read_parts(self.parts)
        pairs = [pair for part in self.parts for pair in part.each()]
        pairs.sort(key=lambda pair: (pair[1].distance, place_of(pair[0])))
        return [self._row(*pair) for pair in pairs]

    @property
    def asked(self) -> list[Row]:
        """What was asked for, as rows."""
        parts = [Part.of_point(start) for start in self.starts]
        self.read_parts(parts)
        return [self._row(*pair) for part in parts for pair in part.each()]

    def read_parts(self, parts: Iterable[Part]) -> None:
        """Read the rows of elements that are to be named."""
        self._read(rows for part in parts for rows in part.rows_to_read())

    def place_changes(self, line: Line) -> None:
        """Find the places of the adaptations among the epochs of a training, where nothing depended on them so far."""
        place(line, self._read)

    def __len__(self) -> int:
        return sum(part.count for part in self.parts)

    def _row(self, point: Point, reached: Reached) -> Row:
        row = self.naming.row(point)
        via = self.naming.id(reached.via) if reached.relation else None
        row |= {"distance": reached.distance, "relation": reached.relation or None, "via": via}
        return {column: row[column] for column in COLUMNS}

    def folded(self) -> Result:
        """The same for people: many elements of one set and activity are one row that says how many."""
        self.read_parts(self.parts)
        rows = []
        for part in self.parts:
            pairs = list(part.each())
            if len(pairs) <= MAX_OF_A_KIND:
                rows += [(how.distance, place_of(point), self._row(point, how)) for point, how in pairs]
            else:
                rows.append(
                    (part.first.distance, min(place_of(point) for point, _ in pairs), self._folded(part, pairs))
                )
        rows.sort(key=lambda row: row[:2])
        return Result(SHOWN_COLUMNS, [[row[name] for name in SHOWN_COLUMNS] for *_, row in rows], notes=self.notes)

    def _folded(self, part: Part, pairs: list[tuple[Point, Reached]]) -> Row:
        return {
            "distance": part.first.distance,
            "kind": part.kind,
            "name": self.naming.set_name(pairs[0][0]),
            "label": folded_label(part, [point for point, _ in pairs]),
            "relation": part.first.relation,
        }


class Way(Lineage):
    """A way from one thing to another, in its order; empty where there is none.

    `distance` counts from the first; `relation` and `via` tell how a thing is related to the one before it.

    Attributes:
        is_back: it leads from an effect to its cause.
    """

    def __init__(
        self,
        way: list[tuple[Point, Reached | None]],
        edges: Edges,
        read: Callable[[Iterable[Rows]], None],
        notes: Iterable[str],
        *,
        is_back: bool,
    ) -> None:
        parts = []
        for number, (point, _) in enumerate(way):
            before = way[number - 1] if number else None
            told = None if before is None else (way[number] if is_back else before)[1]
            how = Reached(number, told.relation if told else "", before[0] if before else point)
            parts.append(Part.of_point(point, how))
        super().__init__("ancestors" if is_back else "descendants", [], parts, edges, read, notes)
        self.is_back = is_back

    @cached_property
    def rows(self) -> list[Row]:  # type: ignore[override] # a result has them at once
        """One dict for each thing on the way."""
        self.read_parts(self.parts)
        return [self._row(*next(part.each())) for part in self.parts]

    def __len__(self) -> int:
        return len(self.parts)


def place_of(point: Point) -> tuple[Any, ...]:
    """When something was recorded: the run by its time, then the place in it; the run itself first."""
    run = run_of(point)
    if isinstance(point, Task | File):
        return run.number, point.order
    if isinstance(point, Step):
        line = point.line
        if point.kind == "change":
            return run.number, line.changes[point.at].order
        return run.number, line.epochs.order_of(point.at)
    if isinstance(point, Element) and isinstance(point.rows, Rows):
        return run.number, point.rows.order_of(point.at)
    return run.number, ()


def folded_label(part: Part, points: list[Point]) -> str:
    """`35 rows, epochs 1 to 35`."""
    if part.of == "change":
        changes = [point for point in points if is_change(told_by(*data_of(point)))]
        return adaptations_text(len(changes), len(points))
    count = f"{len(points):,}"
    rows = part.source.epochs if isinstance(part.source, Line) else part.source
    numbers = []
    if isinstance(rows, Rows) and rows.data_set.table == EPOCHS and rows.rows:
        told = (epoch_number(rows.rows[point.at][3]) for point in points if isinstance(point, Step | Element))
        numbers = [number for number in told if number is not None]
    return f"{count} rows, epochs {min(numbers)} to {max(numbers)}" if numbers else f"{count} rows"
