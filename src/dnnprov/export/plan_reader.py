"""Reads the plan of a dataflow out of the database: its versions, and what their steps use and generate."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from dnnprov.errors import DataflowNotFoundError
from dnnprov.export.plan_facts import FILE, DataSet, Dependency, Plan, Transformation, Version

if TYPE_CHECKING:
    from dnnprov.analysis.history import History

Specification: TypeAlias = "dict[str, dict[str, Any]]"
"""A version as the database has it: step -> sets that it used and generated, attributes, programs, steps before."""

_VERSIONS = "SELECT version, specification FROM dataflow_version WHERE dataflow_id = ? ORDER BY version"

_PRESENT = """
SELECT t.tag AS transformation, l.relation AS relation, s.tag AS data_set
FROM data_transformation AS t
LEFT JOIN transformation_data_set AS l ON l.transformation_id = t.transformation_id
LEFT JOIN data_set AS s ON s.data_set_id = l.data_set_id
WHERE t.dataflow_id = ? ORDER BY t.tag, l.relation, s.tag
"""

_PROGRAMS = """
SELECT t.tag AS tag, p.path AS path FROM data_transformation AS t JOIN program AS p ON p.program_id = t.program_id
WHERE t.dataflow_id = ?
"""

_ATTRIBUTES = """
SELECT s.tag AS data_set, a.name AS name, a.type AS type
FROM data_set AS s JOIN attribute AS a ON a.data_set_id = s.data_set_id AND a.overflow_of IS NULL
ORDER BY s.tag, a.name
"""


_DEPENDENCIES = """
SELECT p.tag AS previous, n.tag AS following, s.tag AS data_set
FROM data_dependency AS d
JOIN data_transformation AS p ON p.transformation_id = d.previous_transformation_id
JOIN data_transformation AS n ON n.transformation_id = d.next_transformation_id
LEFT JOIN data_set AS s ON s.data_set_id = d.data_set_id
WHERE d.dataflow_id = ? ORDER BY p.tag, n.tag, s.tag
"""


def read_plan(history: History, tag: str) -> Plan:
    """The plan of a dataflow in all its versions.

    Raises:
        DataflowNotFoundError: no dataflow has this tag.
    """
    found = history.query("SELECT dataflow_id FROM dataflow WHERE tag = ?", (tag,))
    if not found:
        raise DataflowNotFoundError(tag, history.dataflows())
    dataflow_id = found[0]["dataflow_id"]
    versions = history.query(_VERSIONS, (dataflow_id,))
    return _plan(history, dataflow_id, tag, [(row["version"], row["specification"]) for row in versions])


def read_followed_plan(history: History, run: dict[str, Any]) -> Plan | None:
    """The plan in the version that a run followed; the present one where no version is known.

    Args:
        history: to read from.
        run: its row, with `dataflow`, `dataflow_id`, `version` and `specification`.
    """
    if run["dataflow"] is None:
        return None
    return _plan(history, run["dataflow_id"], run["dataflow"], [(run["version"], run["specification"])])


def _plan(history: History, dataflow_id: int, tag: str, versions: list[tuple[int | None, str | None]]) -> Plan:
    seen_in = {row["tag"]: row["path"] for row in history.query(_PROGRAMS, (dataflow_id,))}
    specifications = [
        (number, _present(history, dataflow_id) if text is None else json.loads(text))
        for number, text in versions or [(None, None)]
    ]
    if not any("after" in parts for _, steps in specifications for parts in steps.values()):
        for _, steps in specifications:
            _add_dependencies(history, dataflow_id, steps)
    plan = Plan(tag, tuple(_version(number, steps, seen_in) for number, steps in specifications))
    declared: dict[str, dict[str, str]] = {}
    names = {path: "" for one in plan.transformations for path in one.programs}
    for _, steps in specifications:
        for parts in steps.values():
            declared |= parts.get("attributes", {})
            names |= parts.get("programs", {})
    return replace(plan, data_sets=_data_sets(history, plan, declared), programs=tuple(sorted(names.items())))


def _add_dependencies(history: History, dataflow_id: int, steps: Specification) -> None:
    """Add to a version, written before versions told them, the dependencies between its steps that there are today."""
    for row in history.query(_DEPENDENCIES, (dataflow_id,)):
        if row["previous"] in steps and row["following"] in steps:
            after = steps[row["following"]].setdefault("after", {}).setdefault(row["previous"], [])
            after += [row["data_set"]] if row["data_set"] else []


def _version(number: int | None, steps: Specification, seen_in: dict[str, str]) -> Version:
    transformations, dependencies = [], set()
    for tag, parts in sorted(steps.items()):
        script = [seen_in[tag]] if tag in seen_in else []
        programs = tuple(parts.get("programs") or script)
        transformations.append(
            Transformation(tag, tuple(parts.get("used", ())), tuple(parts.get("generated", ())), programs)
        )
        for previous, data_sets in parts.get("after", {}).items():
            dependencies |= {Dependency(previous, tag, data_set) for data_set in data_sets or [""]}
    return Version(number, tuple(transformations), tuple(sorted(dependencies)))


def _present(history: History, dataflow_id: int) -> Specification:
    plan: Specification = {}
    for row in history.query(_PRESENT, (dataflow_id,)):
        sets = plan.setdefault(row["transformation"], {})
        if row["relation"]:
            sets.setdefault(row["relation"], []).append(row["data_set"])
    return plan


def _data_sets(history: History, plan: Plan, declared: dict[str, dict[str, str]]) -> tuple[DataSet, ...]:
    """The sets of the plan, with the attributes that they have today; these are not kept by version."""
    wanted = {tag for one in plan.transformations for tag in (*one.uses, *one.generates)}
    attributes: dict[str, list[tuple[str, str]]] = {tag: [] for tag in sorted(wanted)}
    for row in history.query(_ATTRIBUTES):
        tag, name = row["data_set"], row["name"]
        if tag in attributes:
            is_file = declared.get(tag, {}).get(name) == FILE
            attributes[tag].append((name, FILE if is_file else row["type"]))
    return tuple(DataSet(tag, tuple(found)) for tag, found in attributes.items())
