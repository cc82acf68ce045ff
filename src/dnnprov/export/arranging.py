"""Arranges a PROV document for drawing: which nodes with which words, which edges, which notes.

What would crowd the page is left out: the steps of the plan, the layers in a list, and relations that a path of other
relations shows already.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prov.constants import PROV_N_MAP
from prov.model import ProvActivity, ProvAgent, ProvElement, ProvMembership, ProvRelation

from dnnprov.export.picture import Edge, Node, Note, Picture
from dnnprov.export.picture_words import note_rows, said_of, short, title_and_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prov.model import ProvDocument

    from dnnprov.export.picture_words import Said

MAX_NOTES = 8

MAX_DIRECTED = 300
"""Nodes up to which circles of edges are looked for; beyond, Graphviz opens them as it likes."""


def picture(document: ProvDocument) -> Picture:
    """The picture of a run's document, as `prov_document` makes it."""
    statements = list(document.get_records())
    records = {str(record.identifier): record for record in statements if isinstance(record, ProvElement)}
    said = {key: said_of(record) for key, record in records.items()}
    relations = [record for record in statements if isinstance(record, ProvRelation)]
    members = _members(relations)
    inside = {member for same in members.values() for member in same}
    nodes = tuple(
        Node(key, _kind(record), *title_and_lines(said[key])) for key, record in records.items() if key not in inside
    )
    shown = {node.key for node in nodes}
    edges = [edge for relation in relations for edge in _edges(relation)]
    edges = [edge for edge in edges if edge.source in shown and edge.target in shown]
    edges = _with_direction(list(_without_shortcuts(edges, said))) if len(nodes) <= MAX_DIRECTED else edges
    noted = [
        Note(node.key, rows)
        for node in nodes
        if (rows := note_rows(said[node.key], [said[member] for member in members.get(node.key, ()) if member in said]))
    ]
    return Picture(_title(said.values()), nodes, tuple(edges), tuple(noted[:MAX_NOTES]))


def _members(relations: list[ProvRelation]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    for relation in relations:
        if isinstance(relation, ProvMembership):
            collection, member = (str(value) for _, value in relation.formal_attributes[:2])
            members.setdefault(collection, []).append(member)
    return members


def _kind(record: ProvElement) -> str:
    if isinstance(record, ProvAgent):
        return "agent"
    return "activity" if isinstance(record, ProvActivity) else "entity"


def _edges(relation: ProvRelation) -> Iterable[Edge]:
    """The edges of a relation: a task's start leads to its starter, an association to the plan too."""
    name = PROV_N_MAP[relation.get_type()]
    if isinstance(relation, ProvMembership):
        return
    values = [None if value is None else str(value) for _, value in relation.formal_attributes]
    source, target = values[0], values[2] if name == "wasStartedBy" else values[1]
    if source is not None and target is not None:
        yield Edge(source, target, name)
    if name == "wasAssociatedWith" and source is not None and values[2] is not None:
        yield Edge(source, values[2], "hadPlan")


def _without_shortcuts(edges: list[Edge], said: Mapping[str, Said]) -> Iterable[Edge]:
    """The edges without those that other edges show already.

    These are: an adaptation's derivation from the epochs that its task used, the start of a task that others led to,
    and what was said twice.
    """
    used = {(edge.source, edge.target) for edge in edges if edge.relation == "used"}
    generated = {edge.source: edge.target for edge in edges if edge.relation == "wasGeneratedBy"}
    led_to = {edge.source for edge in edges if edge.relation == "wasInformedBy"}
    for edge in dict.fromkeys(edges):
        is_epoch = "Epoch" in said[edge.source].types
        shows_path = not is_epoch and (generated.get(edge.source), edge.target) in used
        if edge.relation == "wasDerivedFrom" and shows_path:
            continue
        if edge.relation == "wasStartedBy" and edge.source in led_to:
            continue
        yield edge


def _with_direction(edges: list[Edge]) -> list[Edge]:
    """The edges, those marked that close a circle: time is to flow down the page.

    What was generated stands below its activity, so "used" is the relation that goes back first.
    """
    causes: dict[str, set[str]] = {}
    directed: dict[Edge, Edge] = {}
    for edge in sorted(edges, key=lambda edge: edge.relation == "used"):
        is_back = _leads(causes, edge.target, edge.source)
        if not is_back:
            causes.setdefault(edge.source, set()).add(edge.target)
        directed[edge] = replace(edge, is_back=is_back)
    return [directed[edge] for edge in edges]


def _leads(causes: Mapping[str, set[str]], start: str, end: str) -> bool:
    """Whether a path of edges goes from one node to another."""
    waiting, seen = [start], {start}
    while waiting:
        node = waiting.pop()
        if node == end:
            return True
        new = causes.get(node, set()) - seen
        seen |= new
        waiting += new
    return False


def _title(said: Iterable[Said]) -> str:
    """The run's name and its status; the first run stated is the one exported."""
    for one in said:
        if "ExecuteDataflow" in one.types:
            return short(f"{one.label}, {one.facts.get('status', '')}")
    return ""
