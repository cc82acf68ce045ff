"""A run of this process that programs for DfAnalyzer record: the journal of its posts is that of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.capture.beginnings import Handle
from dnnprov.journal.run_events import read_run
from dnnprov.model.dfanalyzer.run_posts import RunPosts
from dnnprov.model.events import REFERRING_FIELDS, PostKept, TaskBegan, TaskEnded

if TYPE_CHECKING:
    from dnnprov.capture.run import Run
    from dnnprov.dfanalyzer.task import Task
    from dnnprov.model.dfanalyzer.plan import Plan
    from dnnprov.model.events import Event, Reference, Relation


class RunRecording:
    """Writes what is posted of one run.

    Args:
        run: recorded into.
        plan: of its dataflow.
        is_resumed: whether earlier processes recorded into it, whose tasks later ones may name.

    Attributes:
        run: recorded into.
        posts: what was told of it.
    """

    def __init__(self, run: Run, plan: Plan, *, is_resumed: bool = False) -> None:
        self.run = run
        self.posts = RunPosts(plan, self, is_repeated=False)
        self._handles: dict[Reference, Handle] = {}
        if is_resumed:
            for opened, events in read_run(run.recorder.folder, run.uid):
                if opened.process != run.recorder.process:
                    for event in events:
                        self.posts.replay(event, opened.process)
        run.also_executing(lambda: not self.posts.is_idle)

    @property
    def is_open(self) -> bool:
        """Whether more can be recorded."""
        return self.run.status == "running"

    def has(self, task: Task) -> bool:
        """Whether a task is known here."""
        return task.key() in self.posts.tasks

    def append(self, event: Event) -> Reference:
        """Write an event; what later ones refer to it by."""
        recorder = self.run.recorder
        task = getattr(event, "task", None)
        for name in REFERRING_FIELDS.intersection(event.__struct_fields__):
            setattr(event, name, self._referred(getattr(event, name)))
        if not isinstance(event, TaskBegan | PostKept):
            recorder.record(event)
            if isinstance(event, TaskEnded) and task in self._handles:
                recorder.forget(self._handles[task])
            return ""
        reference = f"{recorder.process}:begun {len(self._handles)}"
        self._handles[reference] = recorder.append(event, keep=True)
        return reference

    def add_file(self, path: str, relation: Relation, task: Reference) -> None:
        """Record a file with its size, and its SHA-256 later."""
        self.run.record_file(path, None, relation, self._handle(task))

    def _referred(self, reference: Any) -> Any:
        """What an event has for a reference, or for each of several; those of tasks that are lost are left out."""
        if isinstance(reference, list):
            return [found for one in reference if (found := self._referred(one)) is not None]
        return self.run.recorder.reference(self._handle(reference))

    def _handle(self, reference: Reference) -> Handle:
        """The handle of what was begun here, or by an earlier process of the run."""
        if reference not in self._handles:
            process, _, number = str(reference).rpartition(":")
            self._handles[reference] = Handle(process, int(number))
        return self._handles[reference]
