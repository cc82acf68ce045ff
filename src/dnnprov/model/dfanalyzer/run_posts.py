"""Turns the posts of one run into events.

Clients send what they have at each `begin`, `save` and `end`, some of it again. Stored is what is new: of rows of a
task that are equal, as many as one post had at most. What does not fit is kept where it can be and told as a problem. A
task that comes before its dataflow is kept as it came.

The state is in the events, so that `replay` of a journal brings it back and another process goes on with the run.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from dnnprov.model import events
from dnnprov.model.dfanalyzer.posts import TaskPost
from dnnprov.model.dfanalyzer.rows import row_key, row_of, separate_elements
from dnnprov.model.related_rows import Stated, relate
from dnnprov.model.values import NON_FINITE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.model.dfanalyzer.plan import Plan, SetMeaning
    from dnnprov.model.dfanalyzer.posts import SetPost
    from dnnprov.model.dfanalyzer.rows import ClientRow
    from dnnprov.model.events import AnyEvent, Event, Reference, Relation


@dataclass
class Execution:
    """A task as it is recorded.

    Attributes:
        reference: of its beginning.
        after: the tasks that it began after.
        is_ended: whether it is.
        details: texts that were told of it.
        rows: data set in lower case -> how many rows of each key it has.
        files: relation and path of those it has.
        stated: what an Adaptation said of itself.
    """

    reference: Reference
    after: frozenset[Reference]
    is_ended: bool = False
    details: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Counter[int]] = field(default_factory=dict)
    files: set[tuple[str, str]] = field(default_factory=set)
    stated: Stated = field(default_factory=Stated)


class _Hyperparameters:
    """The last value of each."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def known(self, name: str) -> Any:
        return self._values.get(name)

    def note(self, values: Mapping[str, Any]) -> None:
        self._values.update(values)


class RunJournal(Protocol):
    """Where the events of one run are written."""

    def append(self, event: Event) -> Reference:
        """Write an event; what later ones refer to it by."""

    def add_file(self, path: str, relation: Relation, task: Reference) -> None:
        """Record a file that a task used or generated."""


class RunPosts:
    """What was told of one run.

    Args:
        plan: of its dataflow.
        journal: of the run.
        is_repeated: whether posts hold rows that were sent before, as those of clients do; else each row is new.

    Attributes:
        tasks: transformation in lower case, id and sub-id -> the latest task.
        waiting: posts that came before their dataflow, by the reference of their event.
    """

    def __init__(self, plan: Plan, journal: RunJournal, *, is_repeated: bool = True) -> None:
        self.plan = plan
        self.tasks: dict[tuple[str, str, str], Execution] = {}
        self.waiting: dict[Reference, TaskPost] = {}
        self._journal = journal
        self._append = journal.append
        self._is_repeated = is_repeated
        self._by_id: dict[tuple[str, str], Execution] = {}  # transformation in lower case, and id
        self._by_reference: dict[Reference, Execution] = {}
        self._declared: dict[str, events.TransformationDeclared] = {}
        self._people: set[str] = set()
        self._told: set[str] = set()
        self._hyperparameters = _Hyperparameters()
        self._revision = -1  # of the plan as it was declared here

    @property
    def is_idle(self) -> bool:
        """Whether every task has ended, and nothing waits."""
        return not self.waiting and all(one.is_ended for one in self.tasks.values())

    @property
    def is_empty(self) -> bool:
        """Whether no task was told of yet."""
        return not self.tasks and not self.waiting

    def starts_over(self, post: TaskPost, *, is_posted_again: bool) -> bool:
        """Whether a post is of another execution than this run, where none is named.

        A client says so itself (`first`) with a task that is here already. Of others it is known by a task that has
        ended and begins again.

        Args:
            post: of a task.
            is_posted_again: whether the dataflow was posted since all tasks had ended, as a script does first.
        """
        known = self.tasks.get(_key(post))
        if known is None:
            return False
        return post.is_first or (is_posted_again and known.is_ended and post.status != "FINISHED")

    def declare(self) -> None:
        """Record what is new in the plan."""
        if self._revision == self.plan.revision:
            return
        new = [one for one in self.plan.transformations if self._declared.get(one.tag.lower()) != one]
        people = [one for one in self.plan.people if one not in self._people]
        if new or people or not self._declared:
            self._append(events.DataflowDeclared(dataflow=self.plan.tag, transformations=new, people=people))
            self._declared.update({one.tag.lower(): one for one in new})
            self._people.update(people)
        for extractor in self.plan.extractors:
            self._tell("not_extracted", f"dataflow {self.plan.tag!r}, data set {extractor}: raw data are not extracted")
        self._revision = self.plan.revision

    def keep(self, post: TaskPost) -> None:
        """Keep a post until its dataflow is known."""
        self.waiting[self._append(events.PostKept(body=post.to_text()))] = post

    def take_waiting(self) -> None:
        """Record what waited."""
        for reference, post in list(self.waiting.items()):
            self.take(post)
            self._append(events.PostTaken(post=reference))
            del self.waiting[reference]

    def take(self, post: TaskPost) -> None:
        """Record what is new in a post."""
        execution = self.tasks.get(_key(post))
        if execution is None or (execution.is_ended and post.status != "FINISHED"):
            execution = self._begin(post)
        else:
            self._add_dependencies(post, execution)
        ends = post.status == "FINISHED" and not execution.is_ended
        new_details = {name: text for name, text in post.details.items() if execution.details.get(name) != text}
        if new_details and not ends:
            self._append(events.TaskDescribed(task=execution.reference, details=new_details))
            execution.details.update(new_details)
        for one in _by_tag(post.sets):
            self._record(execution, post, *one)
        for path in post.files:
            self._add_file(execution, path, "generated")
        if ends:
            self._append(events.TaskEnded(task=execution.reference, status="finished", details=new_details))
            execution.is_ended = True
            execution.details.update(new_details)

    def _begin(self, post: TaskPost) -> Execution:
        tag, details = self.plan.transformation_tag(post.transformation), dict(post.details)
        if post.sub_id:
            details["sub_id"] = post.sub_id
        after = [known.reference for pair in post.dependencies if (known := self._find(pair)) is not None]
        for pair in post.dependencies:
            if self._find(pair) is None:
                self._tell_dependency(post, pair, "which this run has not")
        before = list(dict.fromkeys(after))
        began = events.TaskBegan(tag=tag, after=before, identifier=post.id, details=details)
        return self._know(began, self._append(began), before)

    def _know(self, began: events.TaskBegan, reference: Reference, after: list[Reference]) -> Execution:
        execution = Execution(reference, frozenset(after), details=dict(began.details))
        identifier = began.identifier or ""
        self.tasks[began.tag.lower(), identifier, began.details.get("sub_id", "")] = execution
        self._by_id[began.tag.lower(), identifier] = self._by_reference[reference] = execution
        return execution

    def _find(self, pair: tuple[str, str]) -> Execution | None:
        return self._by_id.get((pair[0].lower(), pair[1]))

    def _add_dependencies(self, post: TaskPost, execution: Execution) -> None:
        """Tell of what a task that has begun is said to depend on, unless it began so."""
        for pair in post.dependencies:
            known = self._find(pair)
            if known is None:
                self._tell_dependency(post, pair, "which this run has not")
            elif known.reference not in execution.after:
                self._tell_dependency(post, pair, "which came after it had begun")

    def _tell_dependency(self, post: TaskPost, pair: tuple[str, str], why: str) -> None:
        what = f"task {post.id!r} ({post.transformation}) depends on task {pair[1]!r} ({pair[0]})"
        self._tell("not_a_task", f"{what}, {why}; it was left out")

    def _record(self, execution: Execution, post: TaskPost, tag: str, elements: list[Any]) -> None:
        meaning = self.plan.meaning(post.transformation, tag)
        known = execution.rows.setdefault(meaning.tag.lower(), Counter())
        sent: Counter[int] = Counter()
        rows = [row_of(element, meaning) for element in separate_elements(elements, meaning)]
        new = [] if self._is_repeated else rows
        for row in rows if self._is_repeated else ():
            sent[row.key] += 1
            if sent[row.key] > known[row.key]:
                new.append(row)
        if new:
            self._record_new(execution, meaning, new)
            if self._is_repeated:
                known.update(row.key for row in new)
        for path in (path for row in rows for path in row.files):
            self._add_file(execution, path, meaning.relation)

    def _record_new(self, execution: Execution, meaning: SetMeaning, new: list[ClientRow]) -> None:
        for row in new:
            relate(meaning.tag, row.values, execution.stated, self._hyperparameters)
            self._tell_faults(meaning, row)
        values = [row.values for row in new]
        self._append(
            events.ElementsRecorded(task=execution.reference, set=meaning.tag, relation=meaning.relation, rows=values)
        )

    def _tell_faults(self, meaning: SetMeaning, row: ClientRow) -> None:
        place = f"dataflow {self.plan.tag!r}, data set {meaning.tag!r}"
        for fault in row.plan_faults:
            self._tell("value_does_not_fit", f"{place}, {fault}")
        for fault in row.faults:
            self._append(events.ProblemRecorded(kind="value_does_not_fit", detail=f"{place}, {fault}"))

    def _tell(self, kind: str, detail: str) -> None:
        """Tell of a problem once in a run."""
        if detail not in self._told:
            self._append(events.ProblemRecorded(kind=kind, detail=detail))
            self._told.add(detail)

    def _add_file(self, execution: Execution, path: str, relation: Relation) -> None:
        if (relation, path) not in execution.files:
            self._journal.add_file(path, relation, execution.reference)
            execution.files.add((relation, path))

    def replay(self, event: AnyEvent, process: str) -> None:
        """Take over what a journal says was recorded, in the order of its events.

        Args:
            event: of it.
            process: name of its segment.
        """

        def known(reference: Reference | None) -> Reference:
            return f"{process}:{reference}" if isinstance(reference, int) else reference or ""

        execution = self._by_reference.get(known(getattr(event, "task", None)))
        if isinstance(event, events.DataflowDeclared):
            self._declared.update({one.tag.lower(): one for one in event.transformations})
            self._people.update(event.people)
        elif isinstance(event, events.TaskBegan):
            self._know(event, known(event.seq), [known(one) for one in event.after])
        elif isinstance(event, events.PostKept):
            self.waiting[known(event.seq)] = TaskPost.from_text(event.body)
        elif isinstance(event, events.PostTaken):
            self.waiting.pop(known(event.post), None)
        elif isinstance(event, events.ProblemRecorded):
            self._told.add(event.detail)
        elif execution is not None:
            self._replay_task(event, execution)

    def _replay_task(self, event: AnyEvent, execution: Execution) -> None:
        if isinstance(event, events.ElementsRecorded):
            known = execution.rows.setdefault(event.set.lower(), Counter())
            for number, row in enumerate(event.rows):
                special = event.non_finite[number] if event.non_finite else {}
                values = {**row, **{name: NON_FINITE[word] for name, word in special.items()}}
                known[row_key(event.set, values)] += 1
                relate(event.set, values, execution.stated, self._hyperparameters)
        elif isinstance(event, events.FileRecorded):
            execution.files.add((event.relation, event.path))
        elif isinstance(event, events.TaskEnded | events.TaskDescribed):
            execution.details.update(event.details)
            execution.is_ended = execution.is_ended or isinstance(event, events.TaskEnded)


def _key(post: TaskPost) -> tuple[str, str, str]:
    return post.transformation.lower(), post.id, post.sub_id


def _by_tag(sets: list[SetPost]) -> list[tuple[str, list[Any]]]:
    """The elements of each data set, those that came in several parts together."""
    found: dict[str, tuple[str, list[Any]]] = {}
    for one in sets:
        found.setdefault(one.tag.lower(), (one.tag, []))[1].extend(one.elements)
    return list(found.values())
