"""Arranges plans for drawing: steps, the data sets between them with their attributes, and what each version added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.export.arranging import with_direction
from dnnprov.export.picture import Edge, Node, Note, Picture
from dnnprov.export.picture_words import MAX_NOTE_ROWS, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dnnprov.export.plan_facts import DataSet, Plan


def plan_picture(plans: Sequence[Plan], *, full: bool = False) -> Picture:
    """The picture of the plans of one or several dataflows.

    Args:
        plans: in the versions to show.
        full: with every attribute of every data set.
    """
    data_sets = {one.tag: one for plan in plans for one in plan.data_sets}
    nodes = [Node(_set_key(tag), "entity", short(tag), ("data set",)) for tag in data_sets]
    edges: list[Edge] = []
    for plan in plans:
        nodes += _nodes(plan)
        edges += [*_flow(plan), *_history(plan)]
    notes = [Note(_set_key(one.tag), rows) for one in data_sets.values() if (rows := _attribute_rows(one, full=full))]
    title = short(", ".join(plan.tag for plan in plans)) + ", the plan"
    return Picture(title, tuple(nodes), tuple(with_direction(list(dict.fromkeys(edges)))), tuple(notes))


def _set_key(tag: str) -> str:
    return f"set {tag}"


def _step_key(plan: Plan, tag: str) -> str:
    return f"step {len(plan.tag)} {plan.tag} {tag}"


def _version_key(plan: Plan, number: int | None) -> str:
    return f"version {plan.tag} {number}"


def _nodes(plan: Plan) -> Iterable[Node]:
    for version in plan.versions:
        line = "dataflow" if version.number is None else f"dataflow, version {version.number}"
        yield Node(_version_key(plan, version.number), "entity", short(plan.tag), (line,))
    names = dict(plan.programs)
    for one in plan.transformations:
        lines = [short(names.get(path) or path.rpartition("/")[2] or path) for path in one.programs]
        yield Node(_step_key(plan, one.tag), "step", short(one.tag), ("transformation", *lines))


def _flow(plan: Plan) -> Iterable[Edge]:
    """What steps use and generate, and what they take from others without that it is said to be used."""
    uses = {one.tag: set(one.uses) for one in plan.transformations}
    for one in plan.transformations:
        for tag in one.uses:
            yield Edge(_step_key(plan, one.tag), _set_key(tag), "uses")
        for tag in one.generates:
            yield Edge(_set_key(tag), _step_key(plan, one.tag), "generates", is_reversed=True)
    for dependency in plan.dependencies:
        following = _step_key(plan, dependency.following)
        if not dependency.data_set:
            yield Edge(following, _step_key(plan, dependency.previous), "dependsOn")
        elif dependency.data_set not in uses.get(dependency.following, ()):
            yield Edge(following, _set_key(dependency.data_set), "dependsOn")


def _history(plan: Plan) -> Iterable[Edge]:
    """Versions as revisions of those before, each with the steps that it brought."""
    known: set[str] = set()
    before: str | None = None
    for version in plan.versions:
        key = _version_key(plan, version.number)
        if before is not None:
            yield Edge(key, before, "wasRevisionOf")
        for one in version.transformations:
            if one.tag not in known:
                yield Edge(_step_key(plan, one.tag), key, "hadMember", is_reversed=True)
        known |= {one.tag for one in version.transformations}
        before = key


def _attribute_rows(data_set: DataSet, *, full: bool) -> tuple[tuple[str, str], ...]:
    rows = [(short(name), kind) for name, kind in data_set.attributes]
    if full or len(rows) <= MAX_NOTE_ROWS:
        return tuple(rows)
    return (*rows[:MAX_NOTE_ROWS], ("\N{HORIZONTAL ELLIPSIS}", f"{len(rows) - MAX_NOTE_ROWS} more"))
