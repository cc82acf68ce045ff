"""Draws one picture with Graphviz; the program that `drawing` starts.

Reads a picture as JSON from stdin and writes the file to stdout: `python -m dnnprov.export.graphviz_process svg fine`.

The shapes and colours are those of the paper's Fig. 2 and of W3C PROV: agents are orange pentagons, entities yellow
ovals, activities blue rectangles, attributes notes.
"""

from __future__ import annotations

import sys
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
from pygraphviz import AGraph

from dnnprov.export.picture import LARGE, MAX_FINE, Picture

if TYPE_CHECKING:
    from dnnprov.export.picture import Edge, Node, Note

FONT = "Helvetica"

_STYLES = {
    "agent": {"shape": "house", "fillcolor": "#FED37F", "color": "#C77700"},
    "entity": {"shape": "ellipse", "fillcolor": "#FFFC87", "color": "#808080"},
    "activity": {"shape": "box", "fillcolor": "#9FB1FC", "color": "#0000FF"},
    "step": {"shape": "box", "style": "filled,rounded", "fillcolor": "#FFFC87", "color": "#808080"},
}
_MARKED = {"color": "#D00000", "penwidth": "3"}
_EDGE_COLORS = {
    "used": "#8B0000",
    "wasGeneratedBy": "#006400",
    "wasDerivedFrom": "#555555",
    "wasAssociatedWith": "#B26B00",
    "actedOnBehalfOf": "#B26B00",
}

_GROUP = {
    "fontsize": "13",
    "labelloc": "b",  # the top, where edges lead upwards
    "labeljust": "l",
    "style": "rounded",
    "color": "#A0A0A0",
    "bgcolor": "#FAFAFA",
}

GAP = 12
"""Points between the names and the values of a note; a viewer's font may be wider than the one that was measured."""

MAX_PIXELS = 8000
"""Width and height that a bitmap is scaled down to; Graphviz draws 96 pixels an inch."""


def _graph(picture: Picture, *, is_plain: bool) -> AGraph:
    graph = AGraph(strict=False, directed=True, name="run")
    graph.graph_attr.update(
        rankdir=picture.flow,
        fontname=FONT,
        fontsize="16",
        labelloc="t",
        label=_html(f"<B>{_text(picture.title)}</B>"),
        bgcolor="white",
        pad="0.3",
        nodesep="0.25",
        ranksep="0.5",
    )
    graph.node_attr.update(fontname=FONT, fontsize="11", style="filled", margin="0.1,0.05")
    graph.edge_attr.update(fontname=FONT, fontsize="8", arrowsize="0.6")
    for node in picture.nodes:
        graph.add_node(node.key, label=_node_label(node), **_STYLES[node.kind] | (_MARKED if node.is_marked else {}))
    for number, note in enumerate(picture.notes):
        _add_note(graph, f"note-{number}", note)
    for number, group in enumerate(picture.groups):
        members = [node.key for node in picture.nodes if node.group == group.key]
        members += [f"note-{index}" for index, note in enumerate(picture.notes) if note.of in set(members)]
        graph.add_subgraph(members, name=f"cluster_{number}", label=_html(f"<B>{_text(group.title)}</B>"), **_GROUP)
    if len(picture.groups) > 1 and len(picture.nodes) <= MAX_FINE and not _are_linked(picture):
        _keep_order(graph, picture)
    for edge in picture.edges:
        _add_edge(graph, edge, is_plain=is_plain, is_large=len(picture.nodes) > LARGE)
    return graph


def _are_linked(picture: Picture) -> bool:
    """Whether relations lead from frame to frame; these then decide how the frames stand."""
    group = {node.key: node.group for node in picture.nodes}
    return any(group[edge.source] and group[edge.target] not in {"", group[edge.source]} for edge in picture.edges)


def _keep_order(graph: AGraph, picture: Picture) -> None:
    """Let the frames stand side by side in their order.

    Graphviz orders frames as it likes. It keeps the order of a row of points, though, so there is one above the frames
    and one below, unseen, each point tied to the nodes of one frame.
    """
    members = [[node.key for node in picture.nodes if node.group == group.key] for group in picture.groups]
    for side in ("above", "below"):
        points = [f"{side}-{number}" for number in range(len(members))]
        for point in points:
            graph.add_node(point, style="invis", shape="point", width="0")
        graph.add_subgraph(points, rank="same")
        for point, following in pairwise(points):
            graph.add_edge(point, following, style="invis")
        for point, keys in zip(points, members, strict=True):
            for key in keys[:1] if side == "above" else keys:
                graph.add_edge(*((key, point) if side == "above" else (point, key)), style="invis", weight="0")


def _add_edge(graph: AGraph, edge: Edge, *, is_plain: bool, is_large: bool) -> None:
    """An edge, with the name of its relation.

    Plainly, the epochs of a large picture stand side by side, since one below the other takes minutes; and an edge that
    may end beside its start has no words, on which Graphviz 14 can fail (`fixLabelOrder`).
    """
    is_free = edge.is_back or (is_plain and is_large and edge.relation == "wasDerivedFrom")
    color = _EDGE_COLORS.get(edge.relation, "#404040")
    graph.add_edge(
        edge.source,
        edge.target,
        label="" if is_plain and is_free else f" {edge.relation} ",
        color=color,
        fontcolor=color,
        constraint="false" if is_free else "true",
        dir="back" if edge.is_reversed else "forward",
    )


def _add_note(graph: AGraph, key: str, note: Note) -> None:
    gap = f'<TD WIDTH="{GAP}"></TD>'
    rows = "".join(
        f'<TR><TD ALIGN="LEFT">{_text(name)}</TD>{gap}<TD ALIGN="LEFT">{_text(value)}</TD></TR>'
        for name, value in note.rows
    )
    graph.add_node(
        key, label=_html(_table(rows, padding=1)), shape="note", fillcolor="#F7F7F7", color="#808080", fontsize="9"
    )
    graph.add_edge(key, note.of, style="dashed", color="#808080", arrowhead="none")


def _node_label(node: Node) -> str:
    if not node.lines:
        return _html(f"<B>{_text(node.title)}</B>")
    lines = "".join(f'<TR><TD><FONT POINT-SIZE="9">{_text(line)}</FONT></TD></TR>' for line in node.lines)
    return _html(_table(f"<TR><TD><B>{_text(node.title)}</B></TD></TR>{lines}", padding=0))


def _table(rows: str, padding: int) -> str:
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{padding}">{rows}</TABLE>'


def _html(content: str) -> str:
    return f"<{content}>"


def _text(text: str) -> str:
    """Text as content of an HTML-like label.

    Graphviz would put the node's name for a backslash with N, and refuse an empty text.
    """
    return escape(text).replace("\\", "\\\\") or " "


def main() -> None:
    """Draw what stdin says."""
    graphviz_format, quality = sys.argv[1:]
    graph = _graph(msgspec.json.decode(sys.stdin.buffer.read(), type=Picture), is_plain=quality == "plain")
    if graphviz_format == "png":
        graph.graph_attr["size"] = f"{MAX_PIXELS / 96},{MAX_PIXELS / 96}"
    sys.stdout.buffer.write(graph.draw(format=graphviz_format, prog="dot"))


if __name__ == "__main__":
    main()
