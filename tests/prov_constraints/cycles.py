"""Precedence between things and the search for cycles through a strict step (section 6.2).

"Precedes" is a preorder, "strictly precedes" irreflexive: an instance contradicts itself exactly when a strict step
lies on a cycle.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import networkx as nx  # type: ignore[import-untyped]

from prov_constraints.statement import Statement


class Node(NamedTuple):
    """Something that has a place in an order: ``role`` says what it is for ``term``, e.g. its generation."""

    role: str
    term: int


@dataclass(frozen=True, slots=True)
class Step:
    """``earlier`` precedes ``later``, strictly or not, because of a constraint and a statement."""

    earlier: Node
    later: Node
    constraint: str
    because: Statement
    strict: bool = False


def find_contradictions(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Yield one cycle with a strict step for each knot of steps that holds one, the strict step first.

    One for each strongly connected component: a knot of n events has too many cycles to name, and mending one shows the
    next.
    """
    graph = nx.DiGraph()
    for step in steps:
        if step.strict or not graph.has_edge(step.earlier, step.later):
            graph.add_edge(step.earlier, step.later, step=step)
    components = enumerate(nx.strongly_connected_components(graph))
    component_of = {node: number for number, nodes in components for node in nodes}
    found: set[int] = set()
    for step in steps:
        knot = component_of[step.earlier]
        if step.strict and knot == component_of[step.later] and knot not in found:
            found.add(knot)
            way_back = nx.shortest_path(graph, step.later, step.earlier)
            yield [step, *(graph.edges[edge]["step"] for edge in pairwise(way_back))]
