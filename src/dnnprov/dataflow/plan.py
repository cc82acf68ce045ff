"""What is known of a dataflow in this process: what was declared here, what the store has, what is predefined.

How the order of values by position follows from these: `model/positional.py`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from dnnprov.dataflow.attribute import Attribute, AttributeType, attribute_type
from dnnprov.dataflow.set import Set, SetType
from dnnprov.dataflow.transformation import Transformation
from dnnprov.journal.plan_file import read_plan
from dnnprov.model.positional import ordered
from dnnprov.model.training import AUTOMATIC, TESTING_TAGS, TRAINING_TAGS, TRANSFORMATIONS, predefined_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.events import TransformationDeclared


class DataflowPlan:
    """The transformations of one dataflow.

    Args:
        tag: of the dataflow.
        folder: of the store that may know more of it.

    Attributes:
        is_automatic: whether registered and predefined transformations count beside those declared here.
        activities: tags of the predefined transformations that are posted where nothing is registered.
        faults: what could not be read of the plan in the store.
    """

    def __init__(self, tag: str, folder: StoreFolder) -> None:
        self.is_automatic = False
        self.activities: tuple[str, ...] = AUTOMATIC
        self.faults: list[str] = []
        self._tag = tag
        self._folder = folder
        self._own: dict[str, list[Transformation]] = {}
        self._registered: dict[str, Transformation] | None = None

    @property
    def own(self) -> list[Transformation]:
        """Those declared in this process, each tag once."""
        return [_merged(several) for several in self._own.values()]

    def add(self, transformation: Transformation) -> None:
        """Take over a transformation; one of a tag that is there completes it."""
        several = self._own.setdefault(transformation.tag.lower(), [])
        if transformation not in several:
            several.append(transformation)

    def knows(self, tag: str) -> bool:
        """Whether a task may execute a transformation of this tag; in an automatic dataflow any may."""
        return self.is_automatic or tag.lower() in self._own

    def own_tags(self) -> list[str]:
        """Of the transformations declared here."""
        return [several[0].tag for several in self._own.values()]

    def names(self, tag: str) -> bool:
        """Whether a transformation of this tag was declared, here or in the store, or is predefined."""
        return any(True for _ in self._candidates(tag))

    def written_tag(self, tag: str) -> str:
        """A tag as it was declared, whatever the case it is asked in."""
        several = self._own.get(tag.lower())
        return several[0].tag if several else tag

    def set_type(self, transformation: str, data_set: str) -> SetType | None:
        """Whether a transformation uses or generates a set; `None` where nothing says so."""
        for known in self._candidates(transformation):
            use = known.find_use(data_set)
            if use is not None:
                return use.type
        return None

    def sets(self, transformation: str, kind: SetType) -> dict[str, str]:
        """The sets of a transformation as far as known: tag in lower case -> the transformation that it comes from."""
        found: dict[str, str] = {}
        for known in self._candidates(transformation):
            for use in known.uses:
                if use.type is kind:
                    found.setdefault(use.set.tag.lower(), use.dependency.lower())
        return found

    def attributes(self, transformation: str, data_set: str) -> list[Attribute] | None:
        """The attributes that positional values of a set mean, in order; `None` where the set was never declared."""
        own = _attributes_in(data_set, self._of(transformation, self._own_transformations()))
        if not self.is_automatic:
            return own or predefined_attributes(data_set)
        registered = _attributes_in(data_set, self._of(transformation, self._registered_here().values()))
        base = ordered(data_set, predefined_attributes(data_set), registered)
        found = ordered(data_set, base, own)
        return None if found is None else list(found)

    def to_post(self) -> list[TransformationDeclared]:
        """What was declared here, and what is predefined where nothing is registered."""
        said = {tag: list(several) for tag, several in self._own.items()}
        if self.is_automatic and not self._registered_here():
            for tag in self.activities:
                said[tag.lower()] = [_predefined(tag), *said.get(tag.lower(), ())]
        return [_merged(several).declared() for several in said.values()]

    def _candidates(self, transformation: str) -> Iterator[Transformation]:
        tag = transformation.lower()
        yield from self._own.get(tag, ())
        if self.is_automatic and tag in self._registered_here():
            yield self._registered_here()[tag]
        predefined = _predefined_tag(tag)
        if predefined:
            yield _predefined(predefined)

    def _own_transformations(self) -> list[Transformation]:
        return [one for several in self._own.values() for one in reversed(several)]

    @staticmethod
    def _of(transformation: str, known: Iterable[Transformation]) -> list[Transformation]:
        """All of them, those of a tag first: a set may be declared with another transformation."""
        return sorted(known, key=lambda one: one.tag.lower() != transformation.lower())

    def _registered_here(self) -> dict[str, Transformation]:
        """What the store has, read once."""
        if self._registered is None:
            self._registered = {}
            try:
                plan = read_plan(self._folder, self._tag)
            except (OSError, ValueError) as error:
                self.faults.append(
                    f"the plan of dataflow {self._tag!r} in the store: {error}; the predefined one is used"
                )
                plan = None
            for declared in plan.transformations if plan else ():
                self._registered[declared.tag.lower()] = transformation_declared(declared)
        return self._registered


def predefined_transformation(tag: str) -> Transformation:
    """A transformation of DNNProv-Df, with its sets; what adapts or tests a training comes after it."""
    known = TRANSFORMATIONS[_predefined_tag(tag) or ""]
    sets = [Set(one, SetType.INPUT, dependency="Training" if one.startswith("o") else "") for one in known.uses]
    return Transformation(known.tag, [*sets, *(Set(one, SetType.OUTPUT) for one in known.generates)])


_predefined = functools.cache(predefined_transformation)
"""Made once, since each `save` asks for them; only to be read."""


def predefined_attributes(data_set: str) -> list[Attribute] | None:
    """The attributes of a predefined set that have a place in the paper's order."""
    return _positional(data_set.lower()) if predefined_set(data_set) else None


@functools.cache
def _positional(data_set: str) -> list[Attribute]:
    known = predefined_set(data_set)
    return (
        [] if known is None else [Attribute(name, _type_of_column(known.attributes[name])) for name in known.positional]
    )


def _predefined_tag(tag: str) -> str | None:
    """The key of a predefined transformation, by any of the names that it has in real data."""
    lowered = tag.lower()
    if lowered in TRAINING_TAGS:
        return "training"
    if lowered in TESTING_TAGS:
        return "testing"
    return lowered if lowered in TRANSFORMATIONS else None


def _type_of_column(kind: str) -> AttributeType:
    return AttributeType.TEXT if kind == "text" else AttributeType.NUMERIC


def _attributes_in(data_set: str, transformations: list[Transformation]) -> list[Attribute]:
    """The attributes that the first of them declares for a set."""
    for transformation in transformations:
        use = transformation.find_use(data_set)
        if use is not None and use.set.attributes:
            return use.set.attributes
    return []


def _merged(several: list[Transformation]) -> Transformation:
    if len(several) == 1:
        return several[0]
    merged = Transformation(several[0].tag)
    for one in several:
        for use in one.uses:
            merged.add_use(use)
        for program in one.programs:
            merged.add_program(program)
    return merged


def transformation_declared(declared: TransformationDeclared) -> Transformation:
    """The transformation of a declaration."""
    return Transformation(
        declared.tag,
        [
            Set(
                one.tag,
                SetType.INPUT if one.relation == "used" else SetType.OUTPUT,
                [Attribute(each.name, _registered_type(each.type)) for each in one.attributes],
                dependency=one.dependency or "",
            )
            for one in declared.sets
        ],
    )


def _registered_type(name: str) -> AttributeType:
    known = name.upper() in AttributeType.__members__
    return attribute_type(name) if known else _type_of_column(name)
