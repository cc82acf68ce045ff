"""What a journal says: one event a line, named in the past tense, the name in the field `event`.

Each event has `seq`, its number in its segment (from 0, without gaps), and `at`, the recorder's clock in
microseconds since 1970 (UTC). Order comes from `seq`, never from `at`. Fields at their default are left out.

A task or file is known by the `seq` of the event that began it; from another segment (a forked child) it is
referred to as `"<process>:<seq>"`.

The structs are not frozen: the writer numbers and stamps an event under its lock, once, just before it is encoded.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

FORMAT_VERSION = 3
"""Of the journal; a reader refuses a segment of a later one."""

Relation: TypeAlias = Literal["used", "generated"]
RunStatus: TypeAlias = Literal["running", "finished", "failed", "interrupted", "crashed", "stopped", "pruned"]
END_STATES: tuple[RunStatus, ...] = ("finished", "failed", "interrupted", "crashed", "stopped", "pruned")

Reference: TypeAlias = int | str
"""Of a task or file: its `seq` in the same segment, else `"<process>:<seq>"`."""


class Event(
    msgspec.Struct,
    tag_field="event",
    tag=lambda name: name,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,  # a damaged name of a field would be read as a field left out
    gc=False,
):
    """Base of all events.

    Attributes:
        seq: number in the segment.
        at: microseconds since 1970, UTC.
    """

    seq: int = 0
    at: int = 0


REFERRING_FIELDS = frozenset({"task", "after", "file", "post", "element"})
"""Fields of events that refer to earlier ones."""


class SegmentOpened(Event):
    """First line of every segment: whose it is, and how to tell whether that process lives.

    Attributes:
        format: version of the journal's format.
        run: uid of the run.
        process: name of the segment, unique in the run.
        rank: of the process in a distributed training.
        attempt: 0 for the first process of this rank in the run, 1 for the one that resumed it, ...
        host: machine name.
        pid: process id, as the process itself sees it.
        started: start of the process in clock ticks since boot (Linux), which tells a re-used pid.
        boot: id of the machine's boot together with its pid name space; a pid means something only there.
        forked_from: segment of the parent process, for a forked child. Its end does not end the run.
    """

    format: int
    run: str
    process: str
    rank: int = 0
    attempt: int = 0
    host: str = ""
    pid: int = 0
    started: int | None = None
    boot: str | None = None
    forked_from: str | None = None


class RunStarted(Event):
    """A run of a dataflow began."""

    dataflow: str
    name: str
    tags: dict[str, str] = {}
    parent: str | None = None
    program: str | None = None


class RunResumed(Event):
    """A process goes on with a run that an earlier process left."""

    dataflow: str


class RunEnded(Event):
    """The run ended as this process saw it; of a rank beyond 0, its part in the run."""

    status: RunStatus
    reason: str | None = None


class EnvironmentRecorded(Event):
    """Where the process runs. No secrets: environment variables only from an allow-list.

    Attributes:
        user: login name of the person.
        host, os, cpu, num_cpus, memory_bytes, gpu, python: the machine.
        device: that this process trains on, where a framework has one in use: `cuda:1 (NVIDIA H100)`.
        packages: name -> version of the installed distributions.
        frameworks: those of them that train networks and that the process had loaded.
        git_commit, git_branch, git_dirty, git_diff_sha256: state of the code, the hash over the uncommitted diff.
        command_line: the arguments of the process.
        working_directory: where it runs.
        variables: allowed environment variables.
        software: version of dnnprov.
    """

    user: str | None = None
    host: str | None = None
    os: str | None = None
    cpu: str | None = None
    num_cpus: int | None = None
    memory_bytes: int | None = None
    gpu: str | None = None
    device: str | None = None
    python: str | None = None
    packages: dict[str, str] = {}
    frameworks: dict[str, str] = {}
    git_commit: str | None = None
    git_branch: str | None = None
    git_dirty: bool | None = None
    git_diff_sha256: str | None = None
    command_line: list[str] = []
    working_directory: str | None = None
    variables: dict[str, str] = {}
    software: str | None = None


class AttributeDeclared(msgspec.Struct, omit_defaults=True):
    """One attribute of a declared data set; `type` is numeric, integer, text, boolean or file, in any case."""

    name: str
    type: str = "text"


class DataSetDeclared(msgspec.Struct, omit_defaults=True):
    """One data set of a declared transformation, with the transformation that the set comes from, if any.

    The attributes stand in the order of positional values, and are all that the dataflow declared for the set so far.
    """

    tag: str
    relation: Relation
    attributes: list[AttributeDeclared] = []
    dependency: str | None = None


class ProgramDeclared(msgspec.Struct, omit_defaults=True):
    """A program that executes a declared transformation."""

    path: str
    name: str = ""


class TransformationDeclared(msgspec.Struct, omit_defaults=True):
    """One transformation of a declared dataflow."""

    tag: str
    sets: list[DataSetDeclared] = []
    programs: list[ProgramDeclared] = []


class DataflowDeclared(Event):
    """Prospective provenance: transformations and data sets, before anything is executed.

    Attributes:
        dataflow: its tag.
        transformations: of it.
        people: who is responsible for it, by mail address or name.
    """

    dataflow: str
    transformations: list[TransformationDeclared]
    people: list[str] = []


class ParametersSet(Event):
    """Hyperparameters of the run, used by its Training tasks: they fill in its row of iTrainingModel."""

    values: dict[str, Any]
    non_finite: dict[str, str] | None = None


class TaskBegan(Event):
    """An execution of a transformation began; `seq` is its id.

    Attributes:
        tag: of the transformation.
        after: tasks whose results it uses.
        identifier: what the user calls it.
        details: further texts about it: sub_id, workspace, resource.
    """

    tag: str
    after: list[Reference] = []
    identifier: str | None = None
    details: dict[str, str] = {}


class TaskEnded(Event):
    """A task ended; `details` as at its beginning: output, error."""

    task: Reference
    status: RunStatus
    reason: str | None = None
    details: dict[str, str] = {}


class TaskDescribed(Event):
    """Further texts about a task, as `details` at its beginning."""

    task: Reference
    details: dict[str, str]


class PostKept(Event):
    """A client of the server told of a task before its dataflow: it waits, as it came, until the dataflow is known."""

    body: str


class PostTaken(Event):
    """What waited was recorded, in the events before this one; `post` is the `seq` of its `PostKept`."""

    post: Reference


class ElementsRecorded(Event):
    """Rows of one data set, used or generated by a task (or by the run as a whole).

    Attributes:
        set: tag of the data set.
        relation: how the task relates to the rows.
        rows: attribute -> value.
        non_finite: for each row attribute -> NaN | Infinity | -Infinity, where any row has one.
        task: the task.
    """

    set: str
    relation: Relation
    rows: list[dict[str, Any]]
    non_finite: list[dict[str, str]] | None = None
    task: Reference | None = None


class ElementAmended(Event):
    """What a row that was recorded says now, whole: it stands in its place, or is the row where that one was lost.

    Attributes:
        element: the `ElementsRecorded` of that one row.
        set, relation, task: as there.
        values: attribute -> value, all that it has.
        non_finite: attribute -> NaN | Infinity | -Infinity.
    """

    element: Reference
    set: str
    relation: Relation
    values: dict[str, Any]
    non_finite: dict[str, str] | None = None
    task: Reference | None = None


class MetricsRecorded(Event):
    """Values of series, at a step (per batch) or an epoch."""

    values: dict[str, Any]
    step: int | float | None = None
    epoch: int | float | None = None
    non_finite: dict[str, str] | None = None


class HyperparameterAdapted(Event):
    """A hyperparameter changed while the model trained: one row of oAdaptation.

    Attributes:
        task: the Adaptation task.
        attribute: column name of the hyperparameter, `learning_rate` for example.
        old_value, new_value: before and after.
        epoch: first epoch that trains with the new value.
        step: batch in training at which it was seen, where known.
        technique: class name of the callback or schedule, or `manual`.
        agent: who or what did it.
        reason: why, in words.
        triggered_by: the metric and value it used: `val_loss=0.31`.
        adaptation_id: number in the run, from 1.
    """

    attribute: str
    old_value: Any
    new_value: Any
    epoch: int | float | None = None
    step: int | float | None = None
    technique: str | None = None
    agent: str | None = None
    reason: str | None = None
    triggered_by: str | None = None
    adaptation_id: int | None = None
    task: Reference | None = None


class FileRecorded(Event):
    """A file was used or generated; `seq` is its id. The hash follows in `FileHashed`."""

    path: str
    relation: Relation = "generated"
    role: str | None = None
    size: int | None = None
    modified: int | None = None
    task: Reference | None = None


class FileHashed(Event):
    """SHA-256 of a recorded file; `None` with a reason where it could not be had or the file changed meanwhile."""

    file: Reference
    sha256: str | None = None
    reason: str | None = None


class ProblemRecorded(Event):
    """Something that could not be recorded as it came."""

    kind: str
    detail: str


class ProcessHeard(Event):
    """A sign of life when nothing else was to say."""


class SegmentClosed(Event):
    """Last line of a segment that was closed in order; only such a one is compressed."""


AnyEvent: TypeAlias = (
    SegmentOpened
    | RunStarted
    | RunResumed
    | RunEnded
    | EnvironmentRecorded
    | DataflowDeclared
    | ParametersSet
    | TaskBegan
    | TaskEnded
    | TaskDescribed
    | ElementsRecorded
    | ElementAmended
    | MetricsRecorded
    | HyperparameterAdapted
    | FileRecorded
    | FileHashed
    | ProblemRecorded
    | PostKept
    | PostTaken
    | ProcessHeard
    | SegmentClosed
)
