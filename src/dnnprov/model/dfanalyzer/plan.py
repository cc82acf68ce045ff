"""What is known of a dataflow that clients declare: which set a tag means, and what values by position mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dnnprov.model.events import AttributeDeclared, DataSetDeclared, TransformationDeclared
from dnnprov.model.positional import ordered
from dnnprov.model.training import predefined_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dnnprov.model.events import Relation


@dataclass(frozen=True)
class SetMeaning:
    """What a data set is to the tasks of a transformation.

    Attributes:
        tag: as it was declared.
        relation: whether they use or generate its elements.
        attributes: that values by position mean, in order; `None` where nobody declared them.
    """

    tag: str
    relation: Relation
    attributes: Sequence[AttributeDeclared] | None

    @cached_property
    def names(self) -> list[str] | None:
        """Of the attributes."""
        return None if self.attributes is None else [one.name for one in self.attributes]

    @cached_property
    def types(self) -> dict[str, str]:
        """Attribute -> declared type in lower case."""
        return {one.name: one.type.lower() for one in self.attributes or ()}


class Plan:
    """The transformations of one dataflow; tags are known in any letter case, since clients send them in lower case.

    Args:
        tag: of the dataflow.
        registered: what is known of it from before.

    Attributes:
        tag: as declared.
        is_declared: whether anybody declared it.
        revision: counts the declarations.
        extractors: that were declared, in words.
        people: who is responsible for it.
    """

    def __init__(self, tag: str, registered: Iterable[TransformationDeclared] = ()) -> None:
        self.tag = tag
        self.is_declared = False
        self.revision = 0
        self.extractors: dict[str, None] = {}
        self.people: dict[str, None] = {}
        self._transformations: dict[str, TransformationDeclared] = {}
        self._meanings: dict[tuple[str, str], SetMeaning] = {}
        if registered:
            self.post(registered)

    def post(
        self,
        transformations: Iterable[TransformationDeclared],
        extractors: Iterable[str] = (),
        people: Iterable[str] = (),
    ) -> None:
        """Take over a declaration; what was declared before and is not in it stays."""
        self.is_declared = True
        self.revision += 1
        self.extractors.update(dict.fromkeys(extractors))
        self.people.update(dict.fromkeys(people))
        for one in transformations:
            known = self._transformations.get(one.tag.lower())
            self._transformations[one.tag.lower()] = _merged(known, one) if known else one
        self._meanings.clear()

    @property
    def transformations(self) -> list[TransformationDeclared]:
        """All of them."""
        return list(self._transformations.values())

    def names(self, tag: str) -> bool:
        """Whether a transformation of this tag was declared, in any letter case."""
        return tag.lower() in self._transformations

    def transformation_tag(self, tag: str) -> str:
        """A transformation's tag as it was declared."""
        known = self._transformations.get(tag.lower())
        return known.tag if known else tag

    def meaning(self, transformation: str, data_set: str) -> SetMeaning:
        """What a data set is to a task of a transformation, by tags in any letter case."""
        key = (transformation, data_set)
        found = self._meanings.get(key)
        if found is None:
            found = self._meanings[key] = self._find_meaning(transformation.lower(), data_set)
        return found

    def _find_meaning(self, transformation: str, data_set: str) -> SetMeaning:
        in_order = sorted(self._transformations.items(), key=lambda item: item[0] != transformation)
        lowered = data_set.lower()
        declared = [(tag, one) for tag, known in in_order for one in known.sets if one.tag.lower() == lowered]
        own = [one.relation for tag, one in declared if tag == transformation]
        by_name: Relation = "used" if data_set[:1] == "i" and data_set[1:2].isupper() else "generated"
        attributes = [one.attributes for _, one in declared if one.attributes]
        return SetMeaning(
            declared[0][1].tag if declared else data_set,
            own[0] if own else by_name,
            attributes[0] if attributes else predefined_attributes(data_set),
        )


def predefined_attributes(data_set: str) -> list[AttributeDeclared] | None:
    """The attributes of a predefined set that have a place in the paper's order."""
    known = predefined_set(data_set)
    if known is None:
        return None
    return [
        AttributeDeclared(name=name, type="text" if known.attributes[name] == "text" else "numeric")
        for name in known.positional
    ]


def _merged(known: TransformationDeclared, new: TransformationDeclared) -> TransformationDeclared:
    sets = {(one.tag.lower(), one.relation): one for one in known.sets}
    for one in new.sets:
        before = sets.get((one.tag.lower(), one.relation))
        attributes = ordered(one.tag, before.attributes if before else None, one.attributes) or []
        sets[one.tag.lower(), one.relation] = DataSetDeclared(
            tag=one.tag,
            relation=one.relation,
            attributes=list(attributes),
            dependency=one.dependency or (before.dependency if before else None),
        )
    programs = {one.path: one for one in (*known.programs, *new.programs)}
    return TransformationDeclared(tag=known.tag, sets=list(sets.values()), programs=list(programs.values()))
