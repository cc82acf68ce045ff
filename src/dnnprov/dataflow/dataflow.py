"""A dataflow: a named workflow and its transformations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dnnprov.dataflow.misuse import expect, tag_text
from dnnprov.dataflow.plan import transformation_declared
from dnnprov.dataflow.recording import Recording, known_recording, recording_of
from dnnprov.dataflow.tagged import Tagged
from dnnprov.dataflow.transformation import Transformation
from dnnprov.model.dfanalyzer.json_form import read_dataflow

if TYPE_CHECKING:
    from dnnprov.model.events import RunStatus


@runtime_checkable
class Specified(Protocol):
    """A transformation of `dfa_lib_python`."""

    def get_specification(self) -> dict[str, Any]:
        """What that library would send of it."""


class Dataflow(Tagged):
    """A workflow that runs record into, by its tag.

    Several objects of one tag in a process mean the same dataflow, and complete it.

    Args:
        tag: what you call the model or project: `alexnet`.
        predefined: whether the transformations are those registered for this tag in the store, or where there are none
            those of the paper (Training, Adaptation, Testing); else they are those that you add. A list of
            transformations may stand here too.
        transformations: more of them.
        hyperparameters: another name of `predefined`.

    Raises:
        UsageError: the tag is empty, or an argument has a type that cannot be meant.

    Attributes:
        tag: as given.

    Example:
        ```python
        df = dnnprov.Dataflow("alexnet", True)
        df.save()
        ```
    """

    def __init__(
        self,
        tag: str,
        predefined: bool | Iterable[Transformation] = False,
        transformations: Iterable[Transformation] = (),
        *,
        hyperparameters: bool = False,
    ) -> None:
        self.tag = tag_text("tag", tag)
        given = (
            [] if isinstance(predefined, bool) or not expect("predefined", predefined, Iterable, _BOOL) else predefined
        )
        is_automatic = predefined is True or bool(hyperparameters)
        known = known_recording(self.tag)
        self._recording = known or recording_of(self.tag)
        self._recording.plan.is_automatic = is_automatic or (known is not None and known.plan.is_automatic)
        for transformation in [
            *given,
            *(transformations if expect("transformations", transformations, Iterable, "a list") else ()),
        ]:
            self.add_transformation(transformation)

    @classmethod
    def of(cls, recording: Recording) -> Dataflow:
        """The dataflow that a recording is of."""
        dataflow = cls.__new__(cls)
        dataflow.tag, dataflow._recording = recording.tag, recording  # noqa: SLF001 - of this class
        return dataflow

    @property
    def recording(self) -> Recording:
        """Where tasks of it are recorded."""
        return self._recording

    @property
    def transformations(self) -> list[Transformation]:
        """Those that were added, in order."""
        return self._recording.plan.own

    def add_transformation(self, transformation: Transformation | Specified) -> None:
        """Add a transformation, at any time; what it has that is new is recorded with the next `save` or task.

        One of `dfa_lib_python` may be added too, which a model's dataflow is given by programs for Keras-Prov.
        """
        if isinstance(transformation, Specified):
            post = read_dataflow({"tag": self.tag, "transformations": [transformation.get_specification()]})
            transformation = transformation_declared(post.transformations[0])
        if expect("transformation", transformation, Transformation, "a Transformation"):
            self._recording.plan.add(transformation)

    def save(self) -> None:
        """Record the plan, or what is new in it; with anything new the dataflow gets another version."""
        with self._recording.guarded("Dataflow.save"):
            self._recording.post(self._recording.run())

    def finish(self, status: RunStatus = "finished", reason: str | None = None) -> None:
        """Finish the run that the process began for this dataflow; what comes after begins another.

        Args:
            status: one of finished, failed, interrupted, stopped, pruned.
            reason: why, in words.
        """
        self._recording.finish(status, reason)

    def __repr__(self) -> str:
        return f"<Dataflow {self.tag!r}, {len(self.transformations)} transformations added>"


_BOOL = "True, False or a list of Transformation"
