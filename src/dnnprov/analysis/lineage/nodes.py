"""What lineage leads through: runs, tasks, files, and the elements of data sets.

Elements of one set and task stay together as `Rows`, and the epochs and adaptations of one training as a `Line`, so
that a hundred thousand of them are a few nodes. An edge goes from an effect to its cause, as relations of PROV do.

A training goes on while it is adapted, so it is a cause in two ways. What it generated early stands on what it began
with; what it generated late stands on the adaptations before that too. So an edge to an activity has a bound: of
what came back to the activity while it ran, only what was recorded before the bound counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Order: TypeAlias = "tuple[int, ...]"
"""Place in a run: process (earlier attempts and lower ranks first), sequence number, row."""

BEGINNING: Order = (-3,)
"""Before all that is recorded: an activity reached here is reached with everything it did."""

AS_BEGUN: Order = (-2,)
"""Bound of an edge to an activity as it began: nothing that came back to it counts."""

WHOLE: Order = (1 << 62,)
"""Bound of an edge to an activity as a whole."""

RowTuple: TypeAlias = "tuple[Any, ...]"
"""process_id, sequence, row_number, then the values of `DataSet.shown`, and `non_finite` where there are any."""


@dataclass(eq=False, slots=True)
class DataSet:
    """A data set, with the attributes that tell its elements apart for people.

    Attributes:
        shown: (name as written, column).
        last_element_id: key of the last element at the moment of asking.
    """

    data_set_id: int
    tag: str
    table: str
    shown: Sequence[tuple[str, str]]
    last_element_id: int


@dataclass(eq=False, slots=True)
class Run:
    """A run, as the activity that started its tasks.

    Attributes:
        number: place among the runs that were read, by the time they began.
        processes: key -> name and place in the run.
        line: epochs that were recorded without a task.
        adapted: lines of the trainings that the run adapted without a task.
    """

    run_id: int
    uid: str
    name: str
    dataflow: str | None
    status: str
    parent_id: int | None
    number: int
    processes: dict[int, tuple[str, int]] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    sets: list[Rows] = field(default_factory=list)
    line: Line | None = None
    adapted: list[Line] = field(default_factory=list)

    def order(self, process_id: int, sequence: int, row_number: int = 0) -> Order:
        """The place of a record."""
        known = self.processes.get(process_id)
        return (known[1] if known else -1, sequence, row_number)

    def process(self, process_id: int) -> str:
        """The name of a process; its key where the database lost it."""
        known = self.processes.get(process_id)
        return known[0] if known else f"unknown-{process_id}"

    @property
    def run(self) -> Run:
        """Itself: what a task has too."""
        return self


@dataclass(eq=False, slots=True)
class Task:
    """One execution of a transformation.

    Attributes:
        after: the tasks it depends on.
        line: its epochs and what adapted it, for a training.
        adapted: lines of the trainings that it adapted.
    """

    run: Run
    task_id: int
    tag: str
    status: str
    process_id: int
    sequence: int
    order: Order
    is_training: bool = False
    after: list[Task] = field(default_factory=list)
    line: Line | None = None
    adapted: list[Line] = field(default_factory=list)


Activity: TypeAlias = "Run | Task"


@dataclass(eq=False, slots=True)
class File:
    """A file as it was recorded once.

    Attributes:
        activity: that used or generated it.
        earlier: key of the file of the same content that was generated last before this one was used.
    """

    run: Run
    file_id: int
    activity: Activity
    relation: str
    path: str
    role: str | None
    size: int | None
    sha256: str | None
    recorded_at: str | None
    process_id: int
    sequence: int
    order: Order
    earlier: int | None = None


@dataclass(eq=False, slots=True)
class Rows:
    """Elements of one set that one activity used or generated.

    Attributes:
        activities: that did; hyperparameters of a run are used by each of its trainings.
        task_ids: keys under which the rows are stored.
        count: how many there are.
        rows: in the order of recording, once they are read.
    """

    run: Run
    data_set: DataSet
    relation: str
    activities: list[Activity]
    task_ids: list[int | None]
    count: int
    rows: list[RowTuple] | None = None

    def order_of(self, index: int) -> Order:
        """The place of one row."""
        assert self.rows is not None  # noqa: S101 - for mypy; whoever asks has read them
        return self.run.order(*self.rows[index][:3])


@dataclass(eq=False, slots=True)
class Inflow:
    """A run as that into which all goes that it used: how a run is the descendant of a file."""

    run: Run


@dataclass(eq=False, slots=True)
class Change:
    """A row of oAdaptation in a line.

    Attributes:
        activity: that made it.
        epoch: the first that trained with the new value, as told.
        gap: number of the epoch in the line before which it stands.
    """

    activity: Activity
    row: RowTuple
    order: Order
    epoch: int | None
    gap: int = 0


@dataclass(eq=False, slots=True)
class Line:
    """The epochs and adaptations of one training.

    Attributes:
        activity: the training; the run where epochs came without a task.
        epochs: rows of otrainingmodel.
        changes: in their order among the epochs.
        adaptations: the data set of the changes.
        adapting: the activities that made the changes.
        gaps: of the changes, once they are placed.
        numbers: that the epochs tell, in their order, where that is known without their rows.
    """

    activity: Activity
    epochs: Rows
    adaptations: DataSet
    changes: list[Change] = field(default_factory=list)
    adapting: tuple[Activity, ...] = ()
    gaps: list[int] = field(default_factory=list)
    is_placed: bool = False
    numbers: Sequence[int | None] | None = None


Node: TypeAlias = "Run | Task | File | Rows | Inflow"


class Step(NamedTuple):
    """An epoch or an adaptation of a line.

    Attributes:
        kind: `epoch` or `change`.
        at: number of it in `epochs.rows` or `changes`.
    """

    line: Line
    kind: str
    at: int


class Element(NamedTuple):
    """One row of a set, by its number there."""

    rows: Node
    at: int


Point: TypeAlias = "Node | Line | Step | Element"
"""Where a search starts or arrives; a line stands for all its epochs."""


class Reached(NamedTuple):
    """How something was reached.

    Attributes:
        distance: relations between it and what was asked.
        relation: the last of them.
        via: the other end of that.
        before: how that end was reached on this way, where it was reached in several.
    """

    distance: int
    relation: str
    via: Point
    before: Reached | None = None
