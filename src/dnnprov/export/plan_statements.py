"""States a plan (prospective provenance) in W3C PROV: a dataflow, its versions, steps, data sets and dependencies.

Everything of a plan is an entity. A version is a `prov:Plan` and the collection of its steps; a later one is a revision
of the one before. What a step uses and generates in general is an attribute of it, since `used` and `wasGeneratedBy`
tell of what happened. So is the program that it was seen in. A dependency is an influence: it orders nothing in time.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from prov.constants import PROV, PROV_LOCATION, PROV_TYPE

from dnnprov.export.plan_facts import FILE, DataSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prov.model import ProvBundle

    from dnnprov.export.plan_facts import Plan, Transformation, Version
    from dnnprov.export.prov_names import Names


def state_plans(bundle: ProvBundle, names: Names, plans: Iterable[Plan]) -> None:
    """State plans in all versions that the facts have; a data set that several of them name is one."""
    data_sets: dict[str, dict[str, str]] = {}
    for plan in plans:
        _state_plan(bundle, names, plan)
        for data_set in plan.data_sets:
            kinds = data_sets.setdefault(data_set.tag, {})
            kinds |= {name: kind for name, kind in data_set.attributes if kinds.get(name) != FILE}
    for tag in sorted(data_sets):
        _state_data_set(bundle, names, DataSet(tag, tuple(data_sets[tag].items())))


def _state_plan(bundle: ProvBundle, names: Names, plan: Plan) -> None:
    for version in plan.versions:
        _state_version(bundle, names, plan, version)
    for before, after in pairwise(plan.versions):
        bundle.revision(names.version(plan.tag, after.number), names.version(plan.tag, before.number))
    for transformation in plan.transformations:
        _state_transformation(bundle, names, plan, transformation)
    for path, name in plan.programs:
        attributes = names.attributes("Program", name or path.rpartition("/")[2] or path)
        attributes.append((PROV_LOCATION, path))
        names.add(attributes, "path", path)
        bundle.entity(names.program(plan.tag, path), attributes)
    for dependency in plan.dependencies:
        told = [(PROV_TYPE, names.term("DataDependency"))]
        if dependency.data_set:
            told.append((names.term("dataSet"), names.data_set(dependency.data_set)))
        following, previous = (
            names.transformation(plan.tag, tag) for tag in (dependency.following, dependency.previous)
        )
        bundle.influence(following, previous, other_attributes=told)


def _state_version(bundle: ProvBundle, names: Names, plan: Plan, version: Version) -> None:
    entity = names.version(plan.tag, version.number)
    attributes = names.attributes("Dataflow", plan.tag, PROV["Plan"], PROV["Collection"])
    names.add(attributes, "version", version.number)
    bundle.entity(entity, attributes)
    for transformation in version.transformations:
        bundle.membership(entity, names.transformation(plan.tag, transformation.tag))


def _state_transformation(bundle: ProvBundle, names: Names, plan: Plan, transformation: Transformation) -> None:
    attributes = names.attributes("DataTransformation", transformation.tag)
    for term, tags in (("uses", transformation.uses), ("generates", transformation.generates)):
        attributes += [(names.term(term), names.data_set(tag)) for tag in tags]
    attributes += [(names.term("program"), names.program(plan.tag, path)) for path in transformation.programs]
    bundle.entity(names.transformation(plan.tag, transformation.tag), attributes)


def _state_data_set(bundle: ProvBundle, names: Names, data_set: DataSet) -> None:
    attributes = names.attributes("DataSet", data_set.tag)
    attributes += [(names.term(f"{kind}Attribute"), names.user_attribute(name)) for name, kind in data_set.attributes]
    bundle.entity(names.data_set(data_set.tag), attributes)
