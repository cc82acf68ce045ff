"""What clients tell: a dataflow with its transformations, and tasks with what they used and generated."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeAlias

import msgspec

from dnnprov.model.events import TransformationDeclared  # noqa: TC001 - msgspec reads the annotation

Status: TypeAlias = Literal["READY", "RUNNING", "FINISHED"]
STATUSES: tuple[Status, ...] = ("READY", "RUNNING", "FINISHED")


class DataflowPost(msgspec.Struct, frozen=True, kw_only=True):
    """A dataflow was declared.

    Attributes:
        tag: of the dataflow.
        transformations: with their data sets and programs.
        extractors: of raw data, as `data set: extractor`; they are told, and not run.
        people: who is responsible for it, by mail address.
    """

    tag: str
    transformations: list[TransformationDeclared] = []
    extractors: list[str] = []
    people: list[str] = []


class SetPost(msgspec.Struct, frozen=True):
    """Elements of one data set: each a list of values, an object of values by name, or values joined by `;`."""

    tag: str
    elements: list[Any] = []


class TaskPost(msgspec.Struct, frozen=True, kw_only=True):
    """A task was told of: that it began, what it used or generated since, or that it ended.

    Attributes:
        dataflow: its tag.
        transformation: its tag.
        id, sub_id: of the task, the client's own.
        status: how far it is.
        execution: tag of the run (`exec`); empty where the client has none.
        is_first: what `first` says: whether this is the first task of an execution.
        sets: in the order sent.
        files: paths.
        dependencies: transformation and id of each task whose results it uses.
        details: further texts: workspace, resource, output, error, performances.
    """

    dataflow: str
    transformation: str
    id: str
    sub_id: str = ""
    status: Status = "RUNNING"
    execution: str = ""
    is_first: bool = False
    sets: list[SetPost] = []
    files: list[str] = []
    dependencies: list[tuple[str, str]] = []
    details: dict[str, str] = {}

    def to_text(self) -> str:
        """As text that keeps NaN and infinities, which msgspec's JSON does not."""
        return json.dumps(msgspec.to_builtins(self))

    @classmethod
    def from_text(cls, text: str) -> TaskPost:
        """The post of such a text."""
        return msgspec.convert(json.loads(text), cls)
