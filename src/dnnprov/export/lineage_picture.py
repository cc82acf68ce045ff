"""The picture of a lineage: runs side by side in frames, what was asked for marked, long series as one.

Shapes are those of PROV: entities yellow ovals, activities blue rectangles; edges lead from effect to cause. What is
drawn is what was found, with all relations between, not only those of a shortest way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.lineage.answer import MAX_OF_A_KIND, Way, folded_label
from dnnprov.analysis.lineage.naming import data_of, element_label, run_of, size_text
from dnnprov.analysis.lineage.nodes import Element, File, Inflow, Line, Run, Step, Task
from dnnprov.analysis.lineage.parts import Part
from dnnprov.export.arranging import with_direction
from dnnprov.export.drawing import draw
from dnnprov.export.picture import Edge, Group, Node, Picture
from dnnprov.export.picture_words import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dnnprov.analysis.lineage.answer import Lineage
    from dnnprov.analysis.lineage.nodes import Node as Cause
    from dnnprov.analysis.lineage.nodes import Point
    from dnnprov.analysis.result import Row

MAX_PHASES = 4
"""Stretches of epochs between adaptations that are drawn one by one."""


def draw_lineage(found: Sequence[Lineage], graphviz_format: str, *, full: bool = False) -> bytes:
    """Draw ancestors, descendants, both, or a way between two things.

    Args:
        found: answers of one store, to the same question.
        graphviz_format: `svg`, `png`, `pdf`.
        full: each element by itself.

    Raises:
        MissingExtraError: `pygraphviz` is not installed.
        DnnprovError: Graphviz failed.
    """
    return draw(lineage_picture(found, full=full), graphviz_format)


def lineage_picture(found: Sequence[Lineage], *, full: bool = False) -> Picture:
    """What `draw_lineage` draws."""
    return _Canvas(found, full=full).picture(_title(found))


def _title(found: Sequence[Lineage]) -> str:
    """What is seen: `what alexnet-6:oTestingModel stands on`."""
    first = found[0]
    if isinstance(first, Way):
        if not len(first):
            return "no way leads from one to the other or back"
        start, end = _named([first.rows[0]]), _named([first.rows[-1]])
        return f"{start} stands on {end}" if first.is_back else f"{start} led to {end}"
    asked = _named(first.asked)
    if len(found) > 1:
        return f"what {asked} stands on, and what stands on it"
    return f"what {asked} stands on" if first.direction == "ancestors" else f"what stands on {asked}"


def _named(asked: Sequence[Row]) -> str:
    """The names of what was asked for: of a file the last part of its path, of many elements that of their set."""
    names = [row["name"].rpartition("/")[2] if row["kind"] == "file" else row["name"] for row in asked]
    distinct = list(dict.fromkeys(names))
    if len(distinct) > MAX_OF_A_KIND:
        distinct = list(dict.fromkeys(f"{row['run']}:{row['tag']}" for row in asked))
    shown = ", ".join(map(short, distinct[:MAX_OF_A_KIND]))
    return shown if len(distinct) <= MAX_OF_A_KIND else f"{shown} and {len(distinct) - MAX_OF_A_KIND} more"


class _Canvas:
    """Gathers the nodes of a picture, and then the edges between them.

    Each answer read the runs for itself, so one thing may come as several objects; keys are its lasting ids.
    """

    def __init__(self, found: Sequence[Lineage], *, full: bool) -> None:
        self._found = found
        self._most = 1 << 62 if full else MAX_OF_A_KIND
        self._nodes: dict[str, Node] = {}
        self._keys: dict[Point, str] = {}
        self._phases: dict[Line, list[tuple[range, str]]] = {}
        self._runs: dict[str, str] = {}
        for one in found:
            self._naming = one.naming
            is_way = isinstance(one, Way)
            self._marked = True
            for start in one.starts:
                self._add(one, Part.of_point(start))
            for number, part in enumerate(one.parts):
                self._marked = is_way and number in {0, len(one.parts) - 1}
                if is_way or part.kind != "run":
                    self._add(one, part)

    def picture(self, title: str) -> Picture:
        """All that was gathered."""
        shown = self._nodes.keys()
        edges = dict.fromkeys(
            edge for one in self._found for edge in self._edges(one) if {edge.source, edge.target} <= shown
        )
        groups = tuple(Group(key, short(name)) for key, name in self._runs.items()) if len(self._runs) > 1 else ()
        return Picture(
            title,
            tuple(self._nodes.values()),
            tuple(with_direction(list(edges))),
            (),
            groups,
        )

    def _add(self, found: Lineage, part: Part) -> None:
        line = part.source if isinstance(part.source, Line) else None
        if line is not None:
            found.place_changes(line)
        found.read_parts([part])
        points = [point for point, _ in part.each()]
        if line is not None and part.of == "epoch" and len(points) > self._most:
            for phase in self._phases_of(line, [point.at for point in points if isinstance(point, Step)]):
                key = self._add_many(part, [Step(line, "epoch", index) for index in phase])
                self._phases.setdefault(line, []).append((range(min(phase), max(phase) + 1), key))
        elif len(points) > self._most:
            key = self._add_many(part, points)
            self._keys |= dict.fromkeys(points, key)
        else:
            for point in points:
                self._keys[point] = self._add_one(point)

    def _phases_of(self, line: Line, indices: Sequence[int]) -> Iterator[list[int]]:
        """The epochs between adaptations; all together where those would be too many."""
        ordered = sorted(indices)
        gaps = sorted({gap for gap in line.gaps if ordered[0] < gap <= ordered[-1]})
        if len(gaps) >= MAX_PHASES:
            gaps = []
        for low, high in zip([0, *gaps], [*gaps, 1 << 62], strict=True):
            phase = [index for index in ordered if low <= index < high]
            if phase:
                yield phase

    def _add_one(self, point: Point) -> str:
        key = self._naming.id(point)
        title, lines = _words(point)
        is_activity = isinstance(point, Run | Inflow | Task)
        return self._put(key, point, "activity" if is_activity else "entity", title, lines)

    def _add_many(self, part: Part, points: list[Point]) -> str:
        ids = [self._naming.id(points[0]), self._naming.id(points[-1])]
        title, lines = data_of(points[0])[0].tag, (folded_label(part, points),)
        return self._put("--".join(ids), points[0], "entity", title, lines)

    def _put(self, key: str, point: Point, kind: str, title: str, lines: Iterable[str]) -> str:
        run = run_of(point)
        self._runs.setdefault(run.uid, self._naming.run_name(run))
        is_marked = self._marked or (key in self._nodes and self._nodes[key].is_marked)
        words = tuple(short(line) for line in lines if line)
        self._nodes[key] = Node(key, kind, short(title), words, run.uid, is_marked)
        return key

    def _edges(self, found: Lineage) -> Iterator[Edge]:
        """All relations between what is drawn, effect first."""
        nodes: dict[Cause, list[str]] = {}
        lines: dict[Line, None] = {}
        for point, key in self._keys.items():
            if isinstance(point, Step):
                lines[point.line] = None
            elif isinstance(point, Line):
                lines[point] = None
            else:
                nodes.setdefault(point.rows if isinstance(point, Element) else point, []).append(key)
        for node in list(nodes):
            for cause in [*found.edges.causes(node), *(found.edges.inflow_causes(node))]:
                for target in dict.fromkeys(nodes.get(cause.node, ())):
                    for source in dict.fromkeys(nodes[node]):
                        yield Edge(source, target, cause.relation)
        for line in [*lines, *(line for line in self._phases if line not in lines)]:
            yield from self._line_edges(line)

    def _line_edges(self, line: Line) -> Iterator[Edge]:
        training = self._keys.get(line.activity, "")
        epochs = self._epoch_keys(line)
        for number, (_, key) in enumerate(epochs):
            yield Edge(key, training, "wasGeneratedBy")
            if number:
                yield Edge(key, epochs[number - 1][1], "wasDerivedFrom")
        for index, change in enumerate(line.changes):
            key = self._keys.get(Step(line, "change", index), "")
            activity = self._keys.get(change.activity, "")
            after = next((one for indices, one in epochs if change.gap in indices), "")
            before = next((one for indices, one in epochs if change.gap - 1 in indices), "")
            yield Edge(after, key, "wasDerivedFrom")
            yield Edge(training, key, "used")
            yield Edge(key, activity, "wasGeneratedBy")
            yield Edge(activity, before, "used") if activity else Edge(key, before, "wasDerivedFrom")

    def _epoch_keys(self, line: Line) -> list[tuple[range, str]]:
        single = [
            (range(point.at, point.at + 1), key)
            for point, key in self._keys.items()
            if isinstance(point, Step) and point.line is line and point.kind == "epoch"
        ]
        return sorted([*single, *self._phases.get(line, [])], key=lambda pair: pair[0].start)


def _words(point: Point) -> tuple[str, tuple[str, ...]]:
    """Title and lines of one thing."""
    if isinstance(point, Run | Inflow):
        run = run_of(point)
        return run.name, ("ExecuteDataflow", "" if run.status == "finished" else run.status)
    if isinstance(point, Task):
        return point.tag, ("" if point.status == "finished" else point.status,)
    if isinstance(point, File):
        size = "" if point.size is None else size_text(point.size)
        return point.path.rpartition("/")[2] or point.path, (point.role or "file", size)
    data_set, row = data_of(point)
    return data_set.tag, tuple(element_label(data_set, row).split(", ")[:4])
