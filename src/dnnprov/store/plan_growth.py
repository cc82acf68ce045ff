"""How a plan grew: its versions, from what was recorded of it, in the order in which it was recorded.

What a run shows by what it does is one version with what it showed before; a plan that was posted and says something
new is a version of its own. A version holds all that those before it hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dnnprov.model.training import predefined_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dnnprov.model.events import DataSetDeclared, TransformationDeclared
    from dnnprov.store.places import Place


class Fact(NamedTuple):
    """One thing that a plan consists of.

    Attributes:
        transformation: its tag.
        relation: `exists`, `used` or `generated` (object: data set), `after` (a transformation), `program` (its path,
            where a task was executed by it).
        object: tag or path.
        data_set: tag of what comes from the transformation before, where that was declared.
    """

    transformation: str
    relation: str
    object: str = ""
    data_set: str = ""


@dataclass(frozen=True)
class Bringer:
    """What brought a version: the event, its run, and when that was."""

    place: Place
    run_id: int
    recorded_at: str | None


@dataclass
class Version:
    """A version: what brought it, and its specification as JSON."""

    bringer: Bringer
    text: str


@dataclass
class Plan:
    """A plan as far as it is known.

    Attributes:
        facts: that it consists of.
        attributes: tag of a data set -> name of an attribute -> declared type, in the order of positional values.
        programs: tag of a transformation -> path -> name, those declared last first.
    """

    facts: set[Fact] = field(default_factory=set)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    programs: dict[str, dict[str, str]] = field(default_factory=dict)

    def declare(self, transformations: Iterable[TransformationDeclared]) -> bool:
        """Take over what was declared beside facts; whether any of it is new."""
        is_new = False
        for declared in transformations:
            for item in declared.sets:
                is_new |= self._declare_attributes(set_tag(item.tag), _attributes(item))
            if declared.programs:
                programs = {program.path: program.name for program in reversed(declared.programs)}
                first = dict(reversed(programs.items()))
                known = self.programs.get(declared.tag, {})
                merged = first | {path: name for path, name in known.items() if path not in first}
                self.programs[declared.tag] = merged
                is_new |= list(merged.items()) != list(known.items())
        return is_new

    def _declare_attributes(self, data_set: str, declared: dict[str, str]) -> bool:
        """Attributes declared before follow; where all that are given are new, they go first."""
        if not declared:
            return False
        known = self.attributes.get(data_set, {})
        says_anew = any(name in known for name in declared)
        rest = {name: kind for name, kind in known.items() if name not in declared}
        self.attributes[data_set] = merged = declared | rest if says_anew else known | declared
        return list(merged.items()) != list(known.items())

    def specification(self) -> dict[str, dict[str, Any]]:
        """Transformation -> what it uses and generates, the attributes of these sets, what it comes after, programs."""
        steps: dict[str, dict[str, Any]] = {}
        for fact in sorted(self.facts):
            parts = steps.setdefault(fact.transformation, {})
            if fact.relation == "after":
                sets = parts.setdefault("after", {}).setdefault(fact.object, [])
                sets += [fact.data_set] if fact.data_set else []
            elif fact.relation != "exists":
                parts.setdefault(fact.relation, []).append(fact.object)
        for tag, parts in steps.items():
            if "after" in parts:
                parts["after"] = {
                    previous: sets or steps[previous].get("generated", []) for previous, sets in parts["after"].items()
                }
            linked = (*parts.get("generated", ()), *parts.get("used", ()))
            attributes = {data_set: self.attributes[data_set] for data_set in linked if data_set in self.attributes}
            if attributes:
                parts["attributes"] = attributes
            if tag in self.programs:
                parts["programs"] = self.programs[tag]
        return {tag: dict(sorted(parts.items())) for tag, parts in steps.items()}


class Growth:
    """The versions of one plan; what was recorded is given in its order.

    Attributes:
        versions: the first one first.
    """

    def __init__(self) -> None:
        self.versions: list[Version] = []
        self._plan = Plan()
        self._quiet: object = None

    def show(self, facts: Sequence[Fact], bringer: Bringer) -> None:
        """A run showed facts, between what it posted."""
        self._plan.facts.update(facts)
        text = self._text()
        if self.versions and self.versions[-1].bringer.run_id == bringer.run_id:
            self.versions[-1].text = text
        elif text != self._last_text:
            self.versions.append(Version(bringer, text))

    def post(self, transformations: Sequence[TransformationDeclared], content: object, bringer: Bringer) -> None:
        """A plan was posted.

        Args:
            transformations: that it declares.
            content: the same for plans that say the same; of many in a row only the first ones are looked at.
            bringer: of the version that comes of it.
        """
        if content == self._quiet:
            return
        num_facts = len(self._plan.facts)
        self._plan.facts.update(facts_of(transformations))
        is_new = self._plan.declare(transformations) or len(self._plan.facts) > num_facts
        self._quiet = None if is_new else content
        if is_new and (text := self._text()) != self._last_text:
            self.versions.append(Version(bringer, text))

    @property
    def _last_text(self) -> str:
        return self.versions[-1].text if self.versions else "{}"

    def _text(self) -> str:
        return json.dumps(self._plan.specification(), ensure_ascii=False)


def declared_in(specification: dict[str, dict[str, Any]]) -> Plan:
    """What a version declares beside facts."""
    plan = Plan()
    for tag, parts in specification.items():
        plan.attributes.update(parts.get("attributes", {}))
        if "programs" in parts:
            plan.programs[tag] = parts["programs"]
    return plan


def facts_of(transformations: Iterable[TransformationDeclared]) -> Iterator[Fact]:
    """The facts that a posted plan states."""
    for declared in transformations:
        yield Fact(declared.tag, "exists")
        for item in declared.sets:
            data_set = set_tag(item.tag)
            yield Fact(declared.tag, item.relation, data_set)
            if item.dependency:
                yield Fact(item.dependency, "exists")
                yield Fact(declared.tag, "after", item.dependency, data_set)


def set_tag(tag: str) -> str:
    """The tag of a data set; those of predefined sets are known in any letter case."""
    predefined = predefined_set(tag)
    return predefined.tag if predefined else tag


def _attributes(item: DataSetDeclared) -> dict[str, str]:
    """Name -> declared type; names of predefined attributes as they are predefined, unless two mean the same."""
    predefined = predefined_set(item.tag)
    names = {one.name for one in item.attributes}
    attributes: dict[str, str] = {}
    for one in item.attributes:
        column = predefined.column(one.name) if predefined else None
        is_taken = column != one.name and (column in names or column in attributes)
        attributes[one.name if column is None or is_taken else column] = one.type.lower()
    return attributes
