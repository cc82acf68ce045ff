"""Finds all that something stands on, or all that stands on it, with the least number of relations between.

Nodes are taken in the order of their distance, so the first way to each is a shortest one. An activity may be taken
again where more of what came back to it counts; then only that is new.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from dnnprov.analysis.lineage.line import LineVisit
from dnnprov.analysis.lineage.nodes import (
    AS_BEGUN,
    BEGINNING,
    WHOLE,
    Element,
    Inflow,
    Line,
    Reached,
    Rows,
    Run,
    Step,
    Task,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.analysis.lineage.edges import Edge, Edges
    from dnnprov.analysis.lineage.nodes import Activity, Node, Order, Point


class Search(ABC):
    """What is reached from some points in one direction; subclasses know the direction.

    Args:
        edges: to follow.
        place: puts the adaptations of a line at their places; called only for a line in which they matter.
        depth: relations at most; `None` for all.

    Attributes:
        nodes: each node that was reached, and how.
        lines: each line that was entered.
        parts: rows of which only those after some places are reached: place -> how.
    """

    is_back: bool

    def __init__(self, edges: Edges, place: Callable[[Line], None], depth: int | None = None) -> None:
        self._edges = edges
        self._place = place
        self._depth = depth
        self.nodes: dict[Node, Reached] = {}
        self.lines: dict[Line, LineVisit] = {}
        self.parts: dict[Rows, list[tuple[Order, Reached]]] = {}
        self._waiting: list[tuple[int, int, Node, Order, Reached]] = []
        self._numbers = count()
        self._taken: dict[Node, Order] = {}
        self._known_steps: dict[tuple[Line, str], dict[int, Reached]] = {}

    def run(self, starts: list[Point]) -> None:
        """Search from all of these points, which are at no distance themselves."""
        for start in starts:
            self._begin(start)
        while self._waiting:
            _, _, node, bound, reached = heappop(self._waiting)
            self._take(node, bound, reached)

    def how(self, point: Point) -> Reached | None:
        """How a thing was reached, if it was."""
        if isinstance(point, Line):
            visit = self.lines.get(point)
            return None if visit is None else min((how for _, how in visit.reached_epochs()), default=None)
        if isinstance(point, Step):
            return self._steps(point.line, point.kind).get(point.at)
        return self.nodes.get(point.rows if isinstance(point, Element) else point)

    def rows_in_part(self) -> list[Rows]:
        """The sets of which only some rows are reached, maybe; those rows must be read."""
        return [rows for rows, parts in self.parts.items() if parts[0][0] != BEGINNING]

    def _steps(self, line: Line, kind: str) -> dict[int, Reached]:
        known = self._known_steps.get((line, kind))
        if known is None:
            visit = self.lines.get(line)
            if visit is None:
                known = {}
            else:
                known = dict(visit.reached_epochs()) if kind == "epoch" else visit.reached_changes()
            self._known_steps[line, kind] = known
        return known

    @abstractmethod
    def _begin(self, start: Point) -> None:
        """Take what is asked for."""

    @abstractmethod
    def _take(self, node: Node, bound: Order, reached: Reached) -> None:
        """Reach a node, and wait for what is next to it."""

    def _push(self, edge: Edge, reached: Reached, via: Point, bound: Order) -> None:
        self._wait(edge.node, bound, Reached(reached.distance + 1, edge.relation, via, reached))

    def _wait(self, node: Node, bound: Order, reached: Reached) -> None:
        if self._depth is None or reached.distance <= self._depth:
            heappush(self._waiting, (reached.distance, next(self._numbers), node, bound, reached))

    def _line(self, line: Line) -> LineVisit:
        visit = self.lines.get(line)
        if visit is None:
            visit = self.lines[line] = LineVisit(line, self.is_back)
        return visit

    @abstractmethod
    def _enter_epoch(self, line: Line, index: int, reached: Reached) -> None:
        """Reach an epoch, and the steps of its line that go with it."""

    @abstractmethod
    def _enter_change(self, line: Line, number: int, reached: Reached) -> None:
        """Reach an adaptation, likewise."""

    def _begin_step(self, start: Step, here: Reached) -> None:
        self._place(start.line)
        if start.kind == "epoch":
            self._enter_epoch(start.line, start.at, here)
        else:
            self._enter_change(start.line, start.at, here)


class Ancestors(Search):
    """What the starts stand on. A bound says what of an activity counts: all that came back before it."""

    is_back = True

    def _begin(self, start: Point) -> None:
        here = Reached(0, "", start)
        if isinstance(start, Line):
            self._enter_all(start, here)
        elif isinstance(start, Step):
            self._begin_step(start, here)
        elif isinstance(start, Element):
            rows = start.rows
            bound = rows.order_of(start.at) if isinstance(rows, Rows) else WHOLE
            for edge in self._edges.causes(rows):
                self._push(edge, here, start, bound)
        else:
            node = self._edges.inflows[start] if isinstance(start, Run) else start
            self._take(node, WHOLE, here)

    def _enter_all(self, line: Line, reached: Reached) -> None:
        """All epochs of a line, as they are asked for together."""
        self._place(line)
        self._line(line).every_epoch = reached
        if line.epochs.count:
            self._wait(line.activity, AS_BEGUN, Reached(1, "wasGeneratedBy", line, reached))
        for number, change in enumerate(line.changes):
            if change.gap < line.epochs.count:
                self._wait(change.activity, AS_BEGUN, Reached(2, "wasGeneratedBy", Step(line, "change", number)))

    def _take(self, node: Node, bound: Order, reached: Reached) -> None:
        before = self._taken.get(node)
        if before is None:
            self.nodes[node] = reached
            for edge in self._edges.causes(node):
                self._push(edge, reached, reached.via if isinstance(node, Inflow) else node, edge.bound)
        elif before >= bound:
            return
        self._taken[node] = bound
        if isinstance(node, Run | Task):
            self._take_what_came_back(node, before or BEGINNING, bound, reached)

    def _take_what_came_back(self, node: Activity, since: Order, until: Order, reached: Reached) -> None:
        """The adaptations that a training used, and the epochs that an adaptation did, in a span of recording."""
        back = Reached(reached.distance + 1, "used", node, reached)
        if self._depth is not None and back.distance > self._depth:
            return
        if until == AS_BEGUN:
            return
        if node.line is not None and node.line.changes:
            self._place(node.line)
            for number, change in enumerate(node.line.changes):
                if since <= change.order < until:
                    self._enter_change(node.line, number, back)
        for line in node.adapted:
            self._place(line)
            for change in line.changes:
                if change.activity is node and change.gap and since <= change.order < until:
                    self._enter_epoch(line, change.gap - 1, back)

    def _enter_epoch(self, line: Line, index: int, reached: Reached) -> None:
        """An epoch, and with it those before it and the adaptations between them."""
        if not self._line(line).enter(index, reached):
            return
        via = Step(line, "epoch", index)
        self._wait(line.activity, AS_BEGUN, Reached(reached.distance + 1, "wasGeneratedBy", via))
        seen: set[Activity] = set()
        for number in range(bisect_right(line.gaps, index) - 1, -1, -1):
            change = line.changes[number]
            if change.activity not in seen:
                seen.add(change.activity)
                distance = reached.distance + index - change.gap + 2
                how = Reached(distance, "wasGeneratedBy", Step(line, "change", number))
                self._wait(change.activity, AS_BEGUN, how)
                if len(seen) == len(line.adapting):
                    break

    def _enter_change(self, line: Line, number: int, reached: Reached) -> None:
        change, via = line.changes[number], Step(line, "change", number)
        known = self._line(line).changes.get(number)
        if known is not None and known.distance <= reached.distance:
            return
        self._line(line).changes[number] = reached
        self._wait(change.activity, AS_BEGUN, Reached(reached.distance + 1, "wasGeneratedBy", via))
        if change.gap and (self._depth is None or reached.distance < self._depth):
            self._enter_epoch(line, change.gap - 1, Reached(reached.distance + 1, "wasDerivedFrom", via))


class Descendants(Search):
    """What stands on the starts. The bound of an activity is the first that came back to it and counts."""

    is_back = False

    def __init__(self, edges: Edges, place: Callable[[Line], None], depth: int | None = None) -> None:
        super().__init__(edges, place, depth)
        self._effects = edges.effects()

    def _begin(self, start: Point) -> None:
        here = Reached(0, "", start)
        if isinstance(start, Line):
            self._enter_every_epoch(start, here)
        elif isinstance(start, Step):
            self._begin_step(start, here)
        elif isinstance(start, Element):
            for edge in self._effects.get(start.rows, ()):
                self._push(edge, here, start, BEGINNING)
        else:
            self._take(start, BEGINNING, here)

    def _take(self, node: Node, bound: Order, reached: Reached) -> None:
        before = self._taken.get(node)
        if before is not None and before <= bound:
            return
        self._taken[node] = bound
        if before is None:
            self.nodes[node] = reached
        if isinstance(node, Rows):
            self.parts.setdefault(node, []).append((bound, reached))
            if before is not None:
                return
        if not isinstance(node, Run | Task):
            for edge in self._effects.get(node, ()):
                self._push(edge, reached, node, BEGINNING)
            return
        for edge in self._effects.get(node, ()):
            is_part = isinstance(edge.node, Rows)
            if bound < edge.bound and (before is None or is_part or edge.bound <= before):
                self._push(edge, reached, node, bound if is_part else BEGINNING)
        if bound == BEGINNING:
            self._take_results(node, reached)

    def _take_results(self, node: Activity, reached: Reached) -> None:
        """All epochs of a training, and all adaptations that an activity made."""
        result = Reached(reached.distance + 1, "wasGeneratedBy", node, reached)
        if self._depth is not None and result.distance > self._depth:
            return
        if node.line is not None:
            self._enter_every_epoch(node.line, result)
        for line in node.adapted:
            every = self.lines[line].every_epoch if line in self.lines else None
            if every is not None and every.distance <= result.distance and self._taken[line.activity] == BEGINNING:
                self.lines[line].changes_of.setdefault(node, result)  # leads to nothing more
                continue
            self._place(line)
            for number, change in enumerate(line.changes):
                if change.activity is node:
                    self._enter_change(line, number, result)

    def _enter_every_epoch(self, line: Line, reached: Reached) -> None:
        visit = self._line(line)
        if visit.every_epoch is not None and visit.every_epoch.distance <= reached.distance:
            return
        visit.every_epoch = reached
        is_taken = self._taken.get(line.activity) == BEGINNING
        if is_taken and all(isinstance(one, Task) and line.activity in one.after for one in line.adapting):
            return  # what made the adaptations stands on the training anyway
        self._place(line)
        for number, change in enumerate(line.changes):
            if change.gap:
                how = Reached(reached.distance + 1, "used", Step(line, "epoch", change.gap - 1))
                self._wait(change.activity, change.order, how)
                how = Reached(reached.distance + 2, "used", Step(line, "change", number))
                self._wait(line.activity, change.order, how)

    def _enter_epoch(self, line: Line, index: int, reached: Reached) -> None:
        """An epoch, and with it those after it and the adaptations that used them."""
        if not self._line(line).enter(index, reached):
            return
        first: dict[Activity, Order] = {}
        for number, change in enumerate(line.changes):
            if change.gap <= index:
                continue
            distance = reached.distance + change.gap - index
            for activity, relation, steps, via in (
                (change.activity, "used", 0, Step(line, "epoch", change.gap - 1)),
                (line.activity, "used", 1, Step(line, "change", number)),
            ):
                if change.order < first.get(activity, WHOLE):
                    first[activity] = change.order
                    self._wait(activity, change.order, Reached(distance + steps, relation, via))

    def _enter_change(self, line: Line, number: int, reached: Reached) -> None:
        change, via = line.changes[number], Step(line, "change", number)
        known = self._line(line).changes.get(number)
        if known is not None and known.distance <= reached.distance:
            return
        self._line(line).changes[number] = reached
        if self._depth is not None and reached.distance >= self._depth:
            return
        self._wait(line.activity, change.order, Reached(reached.distance + 1, "used", via))
        if change.gap < line.epochs.count:
            self._enter_epoch(line, change.gap, Reached(reached.distance + 1, "wasDerivedFrom", via))


def way_to(search: Search, end: Point, starts: list[Point]) -> list[tuple[Point, Reached | None]]:
    """A shortest way from what a search started from to something it reached; nothing where it did not.

    Returns:
        Each thing with how it was reached, which is `None` for the first.
    """
    if end in starts:
        return [(end, None)]
    reached = search.how(end)
    way: list[tuple[Point, Reached | None]] = []
    while reached is not None and reached.relation:
        way.append((end, reached))
        end = reached.via
        reached = reached.before or search.how(end)
    return [(end, None), *way[::-1]] if way else []
