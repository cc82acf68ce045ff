"""What is drawn: plain tuples of nodes, edges and notes, between `arranging`, which knows PROV, and `drawing`."""

from __future__ import annotations

from dataclasses import dataclass

MAX_FINE = 250
"""Nodes up to which the better layout is tried."""

LARGE = 60
"""Nodes from which on a picture is laid out plainly where the good way takes too long."""


@dataclass(frozen=True)
class Node:
    """An agent, entity or activity.

    Attributes:
        key: its qualified name.
        kind: `agent`, `entity` or `activity`; `step` for an entity of a plan that becomes an activity.
        title: what it is.
        lines: what else to say, one a line.
        group: key of the group it is drawn in; empty for none.
        is_marked: it is what the picture is about.
    """

    key: str
    kind: str
    title: str
    lines: tuple[str, ...]
    group: str = ""
    is_marked: bool = False


@dataclass(frozen=True)
class Group:
    """Nodes that are drawn in one frame, such as those of a run."""

    key: str
    title: str


@dataclass(frozen=True)
class Note:
    """Attributes of a node, (name, value) each."""

    of: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Edge:
    """A PROV relation, from the effect to the cause.

    Attributes:
        is_back: it closes a circle of edges, so it must not say which end is drawn above.
        is_reversed: the relation leads from the target to the source, which is drawn below all the same.
    """

    source: str
    target: str
    relation: str
    is_back: bool = False
    is_reversed: bool = False


@dataclass(frozen=True)
class Picture:
    """What to draw.

    Attributes:
        flow: where edges lead, in Graphviz's words: `BT` upwards, `RL` to the left.
    """

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    notes: tuple[Note, ...]
    groups: tuple[Group, ...] = ()
    flow: str = "BT"
