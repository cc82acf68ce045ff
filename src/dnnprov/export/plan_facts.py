"""What an export knows of a plan (prospective provenance): plain frozen records, as `run_facts` has them of runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = "file"
"""Type of an attribute that was declared to hold the path of a file; a dataflow may declare it, another may not."""


@dataclass(frozen=True)
class Transformation:
    """A step of the plan, with the tags of the sets it uses and generates.

    Attributes:
        programs: paths of those that it was declared to be executed by; else of the script it was first seen in.
    """

    tag: str
    uses: tuple[str, ...]
    generates: tuple[str, ...]
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class Dependency:
    """A step that takes what another generated.

    Attributes:
        data_set: tag of what goes from one to the other; empty where it is not known.
    """

    previous: str
    following: str
    data_set: str = ""


@dataclass(frozen=True)
class Version:
    """The dataflow as it was until it changed.

    Attributes:
        number: 1, 2, ...; `None` where a run followed a plan that no version was made of.
    """

    number: int | None
    transformations: tuple[Transformation, ...]
    dependencies: tuple[Dependency, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """Typed attributes under one tag.

    Attributes:
        attributes: (name, type) in the order of names; a type is `integer`, `number`, `text`, `boolean` or `file`.
    """

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Plan:
    """A dataflow in one or several of its versions, the earliest first, and what these are made of.

    Attributes:
        programs: (path, name) of those that steps name; the name is empty where none was declared.
    """

    tag: str
    versions: tuple[Version, ...]
    data_sets: tuple[DataSet, ...] = ()
    programs: tuple[tuple[str, str], ...] = ()

    @property
    def version(self) -> int | None:
        """The number of the latest version."""
        return self.versions[-1].number if self.versions else None

    @property
    def transformations(self) -> tuple[Transformation, ...]:
        """The steps of all versions by tag, each with all that it uses and generates in any of them."""
        merged: dict[str, Transformation] = {}
        for version in self.versions:
            for one in version.transformations:
                known = merged.get(one.tag, one)
                merged[one.tag] = replace(
                    one,
                    uses=tuple(sorted({*known.uses, *one.uses})),
                    generates=tuple(sorted({*known.generates, *one.generates})),
                    programs=tuple(dict.fromkeys([*known.programs, *one.programs])),
                )
        return tuple(merged[tag] for tag in sorted(merged))

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """Those of all versions."""
        return tuple(sorted({one for version in self.versions for one in version.dependencies}))


def together(plans: Iterable[Plan]) -> tuple[Plan, ...]:
    """One plan for each dataflow, with every version that one of the plans has."""
    by_tag: dict[str, list[Plan]] = {}
    for plan in plans:
        by_tag.setdefault(plan.tag, []).append(plan)
    return tuple(_merged(tag, by_tag[tag]) for tag in sorted(by_tag))


def _merged(tag: str, plans: list[Plan]) -> Plan:
    versions = {version.number: version for plan in plans for version in plan.versions}
    data_sets = {one.tag: one for plan in plans for one in plan.data_sets}
    return Plan(
        tag,
        tuple(versions[number] for number in sorted(versions, key=lambda number: number or 0)),
        tuple(data_sets[name] for name in sorted(data_sets)),
        tuple(sorted({one for plan in plans for one in plan.programs})),
    )
