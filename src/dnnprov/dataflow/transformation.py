"""A transformation: an activity of a dataflow, with the data sets that it uses and generates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dnnprov.dataflow.misuse import expect, tag_text
from dnnprov.dataflow.program import Program
from dnnprov.dataflow.set import Set, SetType
from dnnprov.dataflow.tagged import Tagged
from dnnprov.model.events import AttributeDeclared, DataSetDeclared, ProgramDeclared, TransformationDeclared


@dataclass(frozen=True)
class SetUse:
    """A set in a transformation, as it was when it was added; attributes may come to the set later.

    Attributes:
        set: with its attributes.
        type: INPUT or OUTPUT of this transformation.
        dependency: tag of the transformation that the set comes from, or empty.
    """

    set: Set
    type: SetType
    dependency: str


class Transformation(Tagged):
    """An activity of a dataflow, to be executed by tasks.

    Args:
        tag: `Training`, `Filters` or any name.
        sets: that it uses and generates. More may be added at any time.
        programs: that execute it.

    Raises:
        UsageError: an argument has a type that cannot be meant.

    Attributes:
        tag: as given.

    Example:
        >>> filters = Transformation("Filters", [Set("oFilters", SetType.OUTPUT)])
        >>> [one.tag for one in filters.sets]
        ['oFilters']
    """

    def __init__(self, tag: str, sets: Iterable[Set] = (), programs: Iterable[Program] = ()) -> None:
        self.tag = tag_text("tag", tag)
        self._uses: dict[tuple[str, SetType], SetUse] = {}
        self._programs: dict[str, Program] = {}
        self.set_sets(sets)
        if expect("programs", programs, Iterable, "a list of Program"):
            for program in programs:
                self.add_program(program)

    @property
    def sets(self) -> list[Set]:
        """In the order added."""
        return [use.set for use in self._uses.values()]

    @property
    def uses(self) -> list[SetUse]:
        """The sets as they were added."""
        return list(self._uses.values())

    @property
    def programs(self) -> list[Program]:
        """In the order added."""
        return list(self._programs.values())

    @property
    def input(self) -> list[Set]:
        """The sets that it uses."""
        return [use.set for use in self._uses.values() if use.type is SetType.INPUT]

    @property
    def output(self) -> list[Set]:
        """The sets that it generates."""
        return [use.set for use in self._uses.values() if use.type is SetType.OUTPUT]

    def set_sets(self, sets: Iterable[Set]) -> None:
        """Add several sets."""
        if expect("sets", sets, Iterable, "a list of Set"):
            for one in sets:
                self.add_set(one)

    def add_set(self, set: Set) -> None:  # noqa: A002 - the paper's word
        """Add a set, as the type that it has now; the same tag and type again takes its place."""
        if expect("set", set, Set, "a Set"):
            self.add_use(SetUse(set, set.type, set.dependency))

    def add_use(self, use: SetUse) -> None:
        """Add a set as another transformation of this tag has it."""
        self._uses[use.set.tag.lower(), use.type] = use

    def add_program(self, program: Program) -> None:
        """Add a program that executes it; the first one is that of the transformation's row."""
        if expect("program", program, Program, "a Program"):
            self._programs[program.path] = program

    def find_use(self, set_tag: str, type: SetType | None = None) -> SetUse | None:  # noqa: A002 - as above
        """A set of it by tag, in any case."""
        for (tag, kind), use in self._uses.items():
            if tag == set_tag.lower() and type in (None, kind):
                return use
        return None

    def declared(self) -> TransformationDeclared:
        """What is recorded of it."""
        return TransformationDeclared(
            tag=self.tag,
            sets=[
                DataSetDeclared(
                    tag=use.set.tag,
                    relation=use.type.relation,
                    attributes=[
                        AttributeDeclared(name=one.name, type=one.type.value.lower()) for one in use.set.attributes
                    ],
                    dependency=use.dependency or None,
                )
                for use in self._uses.values()
            ],
            programs=[ProgramDeclared(path=one.path, name=one.name) for one in self._programs.values()],
        )

    def __repr__(self) -> str:
        return f"<Transformation {self.tag!r}, {len(self._uses)} sets>"
