"""A dataflow: a named workflow and its transformations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dnnprov.dataflow.misuse import expect, tag_text
from dnnprov.dfanalyzer.predefined import predefined_transformations
from dnnprov.dfanalyzer.provenance_object import ProvenanceObject
from dnnprov.dfanalyzer.recording import recording_of
from dnnprov.dfanalyzer.transformation import Transformation


class Dataflow(ProvenanceObject):
    """A workflow that runs record into.

    Args:
        tag: kept in lower case.
        predefined: whether the transformations of DNNProv are declared; those of DLProv are by the tasks that execute
            them. A list of transformations may stand here, as in the official library.
        email: of the person who is responsible. A list of transformations may stand here, as in DNNProv.
        transformations: of it.
        hyperparameters: what DNNProv calls `predefined`.

    Raises:
        UsageError: an argument has a type that cannot be meant.

    Example:
        >>> Dataflow("AlexNet", [Transformation("Training")]).get_specification()
        {'tag': 'alexnet', 'transformations': [{'tag': 'training'}]}
    """

    def __init__(
        self,
        tag: str,
        predefined: bool | Iterable[Transformation] = False,
        email: str | Iterable[Transformation] = "",
        transformations: Iterable[Transformation] = (),
        *,
        hyperparameters: bool = False,
    ) -> None:
        super().__init__(tag_text("tag", tag))
        given = [one for one in (predefined, email) if not isinstance(one, bool | str)]
        self.email = email if isinstance(email, str) else ""
        self.predefined = self.hyperparameters = predefined is True or hyperparameters is True
        self.transformations = []
        for several in [*given, transformations]:
            self._add_several(several)
        if self.predefined:
            self._add_several(predefined_transformations())
        recording_of(self._tag).keep(self)

    @property
    def transformations(self) -> list[dict[str, Any]]:
        """The specification of each, as it was when it was added; may be set, to a list of `Transformation`."""
        return self._transformations

    @transformations.setter
    def transformations(self, transformations: Iterable[Transformation]) -> None:
        self._transformations: list[dict[str, Any]] = []
        self._add_several(transformations)

    def add_transformation(self, transformation: Transformation) -> None:
        """Add a transformation, as it is now; it is recorded with the next `save` or task."""
        if expect("transformation", transformation, Transformation, "a Transformation"):
            self._transformations.append(transformation.get_specification())

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, also in another process, is of the same dataflow."""
        self.__dict__.update(state)
        recording_of(self._tag).keep(self)

    def save(self) -> None:
        """Record what is new in it; with anything new the dataflow gets another version."""
        recording = recording_of(self._tag)
        with recording.guarded("Dataflow.save"):
            recording.keep(self)
            recording.declare()

    def _add_several(self, transformations: Any) -> None:
        if expect("transformations", transformations, Iterable, "a list of Transformation"):
            for transformation in transformations:
                self.add_transformation(transformation)
