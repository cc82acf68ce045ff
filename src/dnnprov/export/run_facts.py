"""What an export knows of a run: plain frozen records, without a trace of the database or of PROV.

`id` is a local name in the namespace of the run (see `identifiers`); `task` is the id of a task, `None` stands for the
run as a whole. Times are ISO 8601 text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from dnnprov.analysis.adaptations import is_change
from dnnprov.model.training import TESTING_TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.export.plan_facts import Plan
    from dnnprov.model.events import Relation

Value: TypeAlias = bool | int | float | str

Order: TypeAlias = tuple[int, int, int]
"""Place in the run: process (earlier attempts and lower ranks first), sequence number, row."""

RUN_ID = "run"
"""Local name of the run itself."""

EPOCHS, ADAPTATIONS, PARAMETERS, LAYERS, TESTS = (
    "otrainingmodel",
    "oadaptation",
    "itrainingmodel",
    "ilayers",
    "otestingmodel",
)
"""Tables of the sets that DNNProv-Df gives a meaning."""

FILTER_NAME = "filter_name"
"""Attribute of `oFilters` that tells what was applied."""


@dataclass(frozen=True)
class Task:
    """One execution of a transformation.

    Attributes:
        after: ids of the tasks it depends on.
        num_tasks: how many a folded one stands for.
        identifier: what the user calls it.
        details: further texts about it, by name.
        is_training: it is called so, or generated epochs.
    """

    id: str
    tag: str
    status: str
    started_at: str | None
    ended_at: str | None
    exit_reason: str | None
    rank: int
    order: Order
    after: tuple[str, ...] = ()
    is_training: bool = False
    num_tasks: int = 1
    identifier: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Element:
    """One row of a data set, or several folded into one.

    Attributes:
        table: of the data set, which tells the sets that DNNProv-Df knows.
        set: tag of the data set.
        values: attribute -> value, those that are NULL left out, non-finite numbers as floats.
        label: what to call it; the tag of its set where there is none.
        num_rows: how many a folded one stands for.
        num_changes: how many adaptations it is.
        first, best: values at the beginning of a folded series, and the best of it; `values` has the last.
        members: for the list of layers.
        parts: the adaptations that a folded one stands for; who made each is responsible for the whole.
    """

    id: str
    table: str
    set: str
    relation: Relation
    task: str | None
    recorded_at: str | None
    order: Order
    values: Mapping[str, Value] = field(default_factory=dict)
    label: str | None = None
    num_rows: int = 1
    first: Mapping[str, Value] = field(default_factory=dict)
    best: Mapping[str, Value] = field(default_factory=dict)
    members: tuple[Element, ...] = ()
    parts: tuple[Element, ...] = ()

    @property
    def num_changes(self) -> int:  # noqa: D102 - told above
        if self.parts:
            return sum(part.num_changes for part in self.parts)
        return int(self.table == ADAPTATIONS and is_change(self.values))

    @property
    def epoch(self) -> int | None:
        """The epoch that an epoch row or an adaptation tells."""
        epoch = self.values.get("epoch")
        return int(epoch) if isinstance(epoch, int | float) and math.isfinite(epoch) else None


@dataclass(frozen=True)
class Timeline:
    """Epochs and adaptations of one training in the order they happened.

    Attributes:
        task: the training; `None` where epochs were recorded without a task.
        steps: rows of `otrainingmodel` and `oadaptation`.
    """

    task: str | None
    steps: tuple[Element, ...]


@dataclass(frozen=True)
class EarlierFile:
    """A file with the same content that this or another run generated before, in the task of this id and tag."""

    id: str
    run_uid: str
    run_name: str | None
    task: str | None
    task_tag: str | None
    path: str
    role: str | None


@dataclass(frozen=True)
class File:
    """A file that the run used or generated, or several folded into one.

    Attributes:
        num_files: how many files a folded one stands for.
        num_versions: how often these were recorded; a checkpoint that is overwritten is one file of many versions.
    """

    id: str
    relation: Relation
    task: str | None
    path: str
    role: str | None
    size: int | None
    sha256: str | None
    note: str | None
    recorded_at: str | None
    order: Order
    num_files: int = 1
    num_versions: int = 1
    earlier: EarlierFile | None = None


@dataclass(frozen=True)
class Series:
    """A series of metrics per step: as one thing, with the numbers that sum it up."""

    id: str
    name: str
    rank: int
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Agent:
    """Who or what is responsible: a person, software, a machine."""

    kind: str
    name: str
    version: str


@dataclass(frozen=True)
class Environment:
    """Where a process of the run ran."""

    id: str
    host: str | None
    rank: int
    values: Mapping[str, Value]


@dataclass(frozen=True)
class RunFacts:
    """Everything an export says of one run.

    Attributes:
        plan: the dataflow in the one version that the run followed; `None` until the run has told its dataflow.
    """

    uid: str
    name: str | None
    status: str
    started_at: str | None
    ended_at: str | None
    exit_reason: str | None
    program: str | None
    parent_uid: str | None
    parent_name: str | None
    num_problems: int
    tags: Mapping[str, str]
    plan: Plan | None
    tasks: tuple[Task, ...]
    timelines: tuple[Timeline, ...]
    elements: tuple[Element, ...]
    files: tuple[File, ...]
    series: tuple[Series, ...]
    agents: tuple[Agent, ...]
    environments: tuple[Environment, ...]

    def trainings(self) -> list[Task]:
        """The tasks that train."""
        return [task for task in self.tasks if task.is_training]

    def tests(self) -> list[Task]:
        """The tasks that test: called so, or with test results."""
        with_results = {element.task for element in self.elements if element.table == TESTS}
        return [task for task in self.tasks if task.tag.lower() in TESTING_TAGS or task.id in with_results]
