"""Arranges a PROV document for drawing: which nodes with which words, which edges, which notes.

What would crowd the page is left out: the steps of the plan, the layers in a list, and relations that a path of other
relations shows already.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prov.constants import PROV, PROV_N_MAP
from prov.model import ProvActivity, ProvAgent, ProvElement, ProvMembership, ProvRelation

from dnnprov.export.picture import Edge, Group, Node, Note, Picture
from dnnprov.export.picture_words import note_rows, said_of, short, title_and_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prov.identifier import QualifiedName
    from prov.model import ProvDocument

    from dnnprov.export.picture_words import Said

MAX_NOTES = 8
"""Of one run."""

_LEFT_OUT = frozenset({"DataSet", "DataTransformation", "RunProvenance"})
"""Types of what a picture of runs does not show; a picture of the plan does."""

MAX_DIRECTED = 300
"""Nodes up to which circles of edges are looked for; beyond, Graphviz opens them as it likes."""


def picture(document: ProvDocument) -> Picture:
    """The picture of a document of runs, as `prov_document` makes it: with several, each in a frame of its own."""
    statements = [record for bundle in (document, *document.bundles) for record in bundle.get_records()]
    records: dict[str, ProvElement] = {}
    identifiers: dict[str, QualifiedName] = {}
    for record in statements:
        name = record.identifier
        if isinstance(record, ProvElement) and name is not None and _says_more(record, records.get(str(name))):
            records[str(name)], identifiers[str(name)] = record, name
    said = {key: said_of(record) for key, record in records.items()}
    relations = [record for record in statements if isinstance(record, ProvRelation)]
    members = _members(relations)
    inside = {member for same in members.values() for member in same}
    inside |= {key for key, name in identifiers.items() if said[key].types & _LEFT_OUT or _is_planned_program(name)}
    groups = _groups(document, identifiers, said)
    nodes = tuple(
        Node(key, _kind(record), *title_and_lines(said[key]), group=_group(identifiers[key], groups))
        for key, record in records.items()
        if key not in inside
    )
    shown = {node.key for node in nodes}
    edges = [edge for relation in relations for edge in _edges(relation)]
    edges = [edge for edge in edges if edge.source in shown and edge.target in shown]
    edges = with_direction(list(_without_shortcuts(edges, said))) if len(nodes) <= MAX_DIRECTED else edges
    noted = [
        Note(node.key, rows)
        for node in nodes
        if (rows := note_rows(said[node.key], [said[member] for member in members.get(node.key, ()) if member in said]))
    ]
    title = _title_of_several(groups, said.values()) if groups else _title(said.values())
    max_notes = MAX_NOTES * max(1, len(groups))
    return Picture(title, nodes, tuple(edges), tuple(noted[:max_notes]), tuple(groups.values()))


def _says_more(record: ProvElement, known: ProvElement | None) -> bool:
    return known is None or len(record.attributes) > len(known.attributes)


def _is_planned_program(name: QualifiedName) -> bool:
    """Whether it is the program of a plan; a run draws its own."""
    return name.localpart.startswith("program-")


def _groups(
    document: ProvDocument, identifiers: Mapping[str, QualifiedName], said: Mapping[str, Said]
) -> dict[str, Group]:
    """A group for each run that has a bundle, by the IRI of the run's namespace."""
    words: dict[str, list[Said]] = {}
    for key, name in identifiers.items():
        words.setdefault(name.namespace.uri, []).append(said[key])
    namespaces = [bundle.identifier.namespace for bundle in document.bundles if bundle.identifier is not None]
    return {one.uri: Group(one.prefix, _title(words.get(one.uri, ()))) for one in namespaces}


def _group(name: QualifiedName, groups: Mapping[str, Group]) -> str:
    group = groups.get(name.namespace.uri)
    return group.key if group else ""


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
    name = "wasRevisionOf" if PROV["Revision"] in relation.get_asserted_types() else PROV_N_MAP[relation.get_type()]
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


def with_direction(edges: list[Edge]) -> list[Edge]:
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


def _title_of_several(groups: Mapping[str, Group], said: Iterable[Said]) -> str:
    tags = dict.fromkeys(one.label for one in said if "Dataflow" in one.types)
    return (f"{short(', '.join(tags))}: " if tags else "") + f"{len(groups)} runs"


def _title(said: Iterable[Said]) -> str:
    """The run's name and its status; the first run stated is the one exported."""
    for one in said:
        if "ExecuteDataflow" in one.types:
            return short(f"{one.label}, {one.facts.get('status', '')}")
    return ""
