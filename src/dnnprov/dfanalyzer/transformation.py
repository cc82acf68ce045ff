"""A transformation: an activity of a dataflow, with the sets that it uses and generates."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dnnprov.dataflow.misuse import expect, tag_text
from dnnprov.dataflow.set import SetType
from dnnprov.dfanalyzer.program import Program
from dnnprov.dfanalyzer.provenance_object import ProvenanceObject
from dnnprov.dfanalyzer.set import Set

if TYPE_CHECKING:
    from dnnprov.dfanalyzer.attribute import Attribute
    from dnnprov.dfanalyzer.dataflow import Dataflow


class Transformation(ProvenanceObject):
    """An activity of a dataflow.

    Args:
        tag: kept in lower case.
        sets: that it uses and generates.

    Raises:
        UsageError: an argument has a type that cannot be meant.
    """

    def __init__(self, tag: str, sets: Iterable[Set] = ()) -> None:
        super().__init__(tag_text("tag", tag))
        self.sets = sets  # what is read is what is specified, as in the original

    @property
    def sets(self) -> list[dict[str, Any]]:
        """The specification of each, as it was when it was added; may be set, to a list of `Set`."""
        return self._sets

    @sets.setter
    def sets(self, sets: Iterable[Set]) -> None:
        self._sets: list[dict[str, Any]] = []
        self.set_sets(sets)

    @property
    def input(self) -> list[dict[str, Any]]:
        """The sets that it uses; may be set."""
        return self._of_type(SetType.INPUT)

    @input.setter  # noqa: A003 - the original's word
    def input(self, sets: Iterable[Set]) -> None:
        self._sets = self.output
        self.set_sets(sets)

    @property
    def output(self) -> list[dict[str, Any]]:
        """The sets that it generates; may be set."""
        return self._of_type(SetType.OUTPUT)

    @output.setter
    def output(self, sets: Iterable[Set]) -> None:
        self._sets = self.input
        self.set_sets(sets)

    def set_sets(self, sets: Iterable[Set]) -> None:
        """Add several sets."""
        if expect("sets", sets, Iterable, "a list of Set"):
            for one in sets:
                self.add_set(one)

    def add_set(self, set: Set) -> None:  # noqa: A002 - the original's word
        """Add a set, as it is now."""
        if expect("set", set, Set, "a Set"):
            self._sets.append(set.get_specification())

    def add_program(self, program: Program) -> None:
        """Add a program that executes it."""
        if expect("program", program, Program, "a Program"):
            self._programs: list[dict[str, Any]] = [*getattr(self, "_programs", ()), program.get_specification()]

    def _of_type(self, kind: SetType) -> list[dict[str, Any]]:
        return [one for one in self._sets if one["type"] == kind.value]


def add_transformation(
    df: Dataflow,
    label: str,
    input_attr: Iterable[Attribute],
    output_attr: Iterable[Attribute],
    prev_out: Set | None = None,
) -> tuple[Transformation, Set, Set]:
    """Add a transformation with a set `i` and one `o` of its name, as the library of vinisalazar does.

    Args:
        df: the dataflow.
        label: tag of the transformation.
        input_attr: attributes of the set that it uses.
        output_attr: of the one that it generates.
        prev_out: set of a transformation before, which it uses as well.

    Returns:
        The transformation, and both sets.
    """
    used, generated = Set(f"i{label}", SetType.INPUT, input_attr), Set(f"o{label}", SetType.OUTPUT, output_attr)
    before = []
    if prev_out is not None and expect("prev_out", prev_out, Set, "a Set"):
        before = [copy.copy(prev_out)]
        before[0].set_type(SetType.INPUT)
    transformation = Transformation(label, [*before, used, generated])
    df.add_transformation(transformation)
    return transformation, used, generated


tf = add_transformation
"""Its name in older versions."""
