"""States the facts of a run (retrospective provenance) in W3C PROV, with the terms of the paper's Fig. 2.

The run (`dnnprov:ExecuteDataflow`) started the tasks and is associated with person, software and machine, with the
dataflow as their plan. Tasks used and generated the elements of data sets and files. Within a training, epochs and
adaptations derive from each other along its timeline.

Valid by PROV-CONSTRAINTS at any moment of a run: what has not happened is left out, never guessed; a relation that
needs an identifier it does not have is not stated; strict order (derivation) follows the order of recording only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prov.constants import PROV

from dnnprov.export.prov_names import moment
from dnnprov.export.run_facts import EPOCHS, LAYERS, PARAMETERS, RUN_ID, Element, File, RunFacts, Task, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from prov.identifier import QualifiedName
    from prov.model import ProvBundle

    from dnnprov.export.prov_names import Attributes, Names

MODEL_ROLE = "model"
"""Role of the file that a test is taken to be of. A checkpoint is none: it holds what the model was at some epoch."""

SOFTWARE_KINDS = frozenset({"callback", "schedule"})
"""Kinds of agent that integrations tell of an adaptation; the technique names the one that it was."""

_DETAIL_TERMS = {
    "sub_id": "subIdentifier",
    "workspace": "workspace",
    "resource": "resource",
    "output": "output",
    "error": "error",
}
"""What users may tell of a task -> term of our vocabulary; under another name it is an attribute of theirs."""


def run_attributes(names: Names, facts: RunFacts) -> Attributes:
    """What is said of the run as a whole."""
    attributes = names.attributes("ExecuteDataflow", facts.name or facts.uid)
    names.add(attributes, "uid", facts.uid)
    names.add(attributes, "status", facts.status)
    names.add(attributes, "exitReason", facts.exit_reason)
    names.add(attributes, "numProblems", facts.num_problems or None)
    attributes += [(names.tag(tag), value) for tag, value in facts.tags.items()]
    return attributes


def followed_version(names: Names, facts: RunFacts) -> QualifiedName | None:
    """The version of the dataflow that was the run's plan."""
    return None if facts.plan is None else names.version(facts.plan.tag, facts.plan.version)


def state_run(bundle: ProvBundle, names: Names, facts: RunFacts) -> None:
    """State everything about a run in a document or in a bundle of its own; the plan it names is stated elsewhere."""
    _RunStatements(bundle, names, facts).state()


class _RunStatements:
    """Makes the statements of one run; each method states one part."""

    def __init__(self, bundle: ProvBundle, names: Names, facts: RunFacts) -> None:
        self._bundle = bundle
        self._facts = facts
        self._names = names
        self._names_of_run = names.run(facts.uid)
        self._stated: set[tuple[str, ...]] = set()
        self._intervals: dict[QualifiedName, tuple[datetime | None, datetime | None]] = {}
        self._run = self._names_of_run[RUN_ID]

    def state(self) -> None:
        facts = self._facts
        self._state_run()
        self._state_agents()
        for task in facts.tasks:
            self._state_task(task)
        for element in facts.elements:
            self._state_element(element)
        for line in facts.timelines:
            self._state_timeline(line)
        for file in facts.files:
            self._state_file(file)
        self._state_dependencies()
        self._state_tests()
        self._state_series()

    def _activity(self, task: str | None) -> QualifiedName:
        return self._run if task is None else self._names_of_run[task]

    def _state_activity(
        self, activity: QualifiedName, started_at: str | None, ended_at: str | None, attributes: Attributes
    ) -> None:
        self._intervals[activity] = interval = moment(started_at), moment(ended_at)
        self._bundle.activity(activity, *interval, attributes)

    def _used(self, activity: QualifiedName, entity: QualifiedName) -> None:
        if self._is_new("used", activity, entity):
            self._bundle.usage(activity, entity)

    def _generated(self, entity: QualifiedName, activity: QualifiedName, at: str | None) -> None:
        """State a generation; without its time where it was told after the activity's end, or clocks disagree."""
        if self._is_new("generated", entity, activity):
            self._bundle.generation(entity, activity, self._within(activity, moment(at)))

    def _within(self, activity: QualifiedName, at: datetime | None) -> datetime | None:
        """The time, if it lies in the interval that is stated of the activity."""
        start, end = self._intervals.get(activity, (None, None))
        is_outside = at is not None and ((start is not None and at < start) or (end is not None and at > end))
        return None if is_outside else at

    def _derived(self, entity: QualifiedName, source: QualifiedName) -> None:
        if self._is_new("derived", entity, source):
            self._bundle.derivation(entity, source)

    def _is_new(self, *statement: object) -> bool:
        key = tuple(map(str, statement))
        is_new = key not in self._stated
        self._stated.add(key)
        return is_new

    def _state_run(self) -> None:
        facts, names = self._facts, self._names
        self._state_activity(self._run, facts.started_at, facts.ended_at, run_attributes(names, facts))
        if facts.parent_uid is not None:
            parent = names.run(facts.parent_uid)[RUN_ID]
            self._bundle.activity(
                parent, None, None, names.attributes("ExecuteDataflow", facts.parent_name or facts.parent_uid)
            )
            self._bundle.start(self._run, None, parent)
        for environment in facts.environments:
            label = f"environment on {environment.host}" if environment.host else "environment"
            attributes = names.attributes("Environment", label)
            names.add(attributes, "host", environment.host)
            names.add(attributes, "rank", environment.rank)
            for term, value in environment.values.items():
                names.add(attributes, term, value)
            entity = self._names_of_run[environment.id]
            self._bundle.entity(entity, attributes)
            self._used(self._run, entity)
        if facts.program is not None:
            program = self._names_of_run["program"]
            attributes = names.attributes("Program", facts.program.rpartition("/")[2] or facts.program)
            names.add(attributes, "path", facts.program)
            self._bundle.entity(program, attributes)
            self._used(self._run, program)
            if facts.plan is not None and facts.program in dict(facts.plan.programs):
                self._bundle.specialization(program, names.program(facts.plan.tag, facts.program))

    def _state_agents(self) -> None:
        names = self._names
        plan = followed_version(names, self._facts)
        people = [names.agent(agent) for agent in self._facts.agents if agent.kind == "person"]
        for agent in self._facts.agents:
            identifier = names.agent(agent)
            self._bundle.agent(identifier, names.agent_attributes(agent))
            self._bundle.association(self._run, identifier, plan)
            if agent.kind == "software":
                for person in people:
                    self._bundle.delegation(identifier, person, self._run)
        if plan is not None and not self._facts.agents:
            # Killed before it could tell its environment: some agent, which PROV may leave unsaid, had this plan.
            self._bundle.association(self._run, None, plan)

    def _state_task(self, task: Task) -> None:
        names = self._names
        label = task.tag if task.num_tasks == 1 else f"{task.tag} (\N{MULTIPLICATION SIGN} {task.num_tasks})"
        attributes = names.attributes("Task", label)
        names.add(attributes, "status", task.status)
        names.add(attributes, "exitReason", task.exit_reason)
        names.add(attributes, "rank", task.rank)
        names.add(attributes, "identifier", task.identifier)
        for name, text in sorted(task.details.items()):
            known = _DETAIL_TERMS.get(name)
            attributes.append((names.term(known) if known else names.user_attribute(name), text))
        if self._facts.plan is not None:
            attributes.append((names.term("transformation"), names.transformation(self._facts.plan.tag, task.tag)))
        activity = self._names_of_run[task.id]
        self._state_activity(activity, task.started_at, task.ended_at, attributes)
        # Without a trigger and without a time: the activity has the time, and two statements of it must agree.
        self._bundle.start(activity, None, self._run)
        for before in task.after:
            self._bundle.communication(activity, self._names_of_run[before])

    def _state_element(self, element: Element) -> None:
        entity = self._entity(element)
        for activity in self._activities(element):
            if element.relation == "generated":
                self._generated(entity, activity, element.recorded_at)
            else:
                self._used(activity, entity)

    def _entity(self, element: Element) -> QualifiedName:
        """The entity of an element, with those of its members."""
        names = self._names
        entity = self._names_of_run[element.id]
        is_collection = element.members or element.num_rows > 1
        attributes = names.element_attributes(element, *([PROV["Collection"]] if is_collection else []))
        self._bundle.entity(entity, attributes)
        for member in element.members:
            member_entity = self._names_of_run[member.id]
            self._bundle.entity(member_entity, names.element_attributes(member))
            self._bundle.membership(entity, member_entity)
        return entity

    def _activities(self, element: Element) -> list[QualifiedName]:
        """Who used or generated an element: its task; hyperparameters of the run are used by its trainings."""
        if element.task is None and element.relation == "used" and element.table in {PARAMETERS, LAYERS}:
            trainings = [self._names_of_run[task.id] for task in self._facts.trainings()]
            return trainings or [self._run]
        return [self._activity(element.task)]

    def _state_timeline(self, line: Timeline) -> None:
        """Each epoch derives from the one before and the adaptations between, an adaptation from the epoch before."""
        training = self._activity(line.task)
        last_epoch: QualifiedName | None = None
        changes: list[QualifiedName] = []
        for step in line.steps:
            entity = self._entity(step)
            activity = self._activity(step.task)
            self._generated(entity, activity, step.recorded_at)
            if last_epoch is not None:
                self._derived(entity, last_epoch)
            if step.table == EPOCHS:
                for change in changes:
                    self._derived(entity, change)
                last_epoch, changes = entity, []
            else:
                if last_epoch is not None:
                    self._used(activity, last_epoch)
                self._used(training, entity)
                for part in step.parts or (step,):
                    self._state_adapting_agent(part, activity)
                changes.append(entity)

    def _state_adapting_agent(self, adaptation: Element, activity: QualifiedName) -> None:
        """Who or what adapted: a person of the run, the callback or schedule, or what the user named."""
        told, technique = (adaptation.values.get(name) for name in ("agent", "technique"))
        if not told or activity == self._run:
            return
        name = str(technique) if told in SOFTWARE_KINDS and technique else str(told)
        known = [agent for agent in self._facts.agents if agent.name == name or agent.kind == told == "person"]
        identifiers = [self._names.agent(agent) for agent in known]
        if not identifiers:
            identifiers = [self._names.adapting_agent(name)]
            if self._is_new("agent", *identifiers):
                types = [PROV["SoftwareAgent"]] if told in SOFTWARE_KINDS else []
                self._bundle.agent(identifiers[0], self._names.attributes("AdaptingAgent", name, *types))
        for identifier in identifiers:
            if self._is_new("associated", activity, identifier):
                self._bundle.association(activity, identifier)

    def _state_file(self, file: File) -> None:
        names = self._names
        entity = self._names_of_run[file.id]
        self._bundle.entity(entity, names.file_attributes(file))
        if file.relation == "generated":
            self._generated(entity, self._activity(file.task), file.recorded_at)
        else:
            self._used(self._activity(file.task), entity)
        earlier = file.earlier
        if earlier is None:
            return
        if earlier.run_uid == self._facts.uid:
            self._derived(entity, self._names_of_run[earlier.id])
            return
        other = names.run(earlier.run_uid)
        source, activity = other[earlier.id], other[earlier.task or RUN_ID]
        if self._is_new("earlier", source):
            self._bundle.entity(source, names.earlier_file_attributes(earlier))
            run = earlier.run_name or earlier.run_uid
            label = f"{earlier.task_tag} of {run}" if earlier.task else run
            if self._is_new("activity", activity):
                self._bundle.activity(
                    activity, None, None, names.attributes("Task" if earlier.task else "ExecuteDataflow", label)
                )
            self._generated(source, activity, None)
        self._derived(entity, source)

    def _state_dependencies(self) -> None:
        """A task used what the tasks generated that it depends on, but for epochs and adaptations (see timelines)."""
        generated: dict[str, list[Element]] = {}
        for element in self._facts.elements:
            if element.relation == "generated" and element.task is not None:
                generated.setdefault(element.task, []).append(element)
        trainings = {task.id for task in self._facts.trainings()}
        for task in self._facts.tasks:
            for before in task.after:
                for element in generated.get(before, ()) if before not in trainings else ():
                    self._used(self._names_of_run[task.id], self._names_of_run[element.id])

    def _state_tests(self) -> None:
        """A test used the model: the last file of that role that was there when it began."""
        for task in self._facts.tests():
            if any(file.relation == "used" and file.task == task.id for file in self._facts.files):
                continue
            for file in self._models_before(task):
                self._used(self._names_of_run[task.id], self._names_of_run[file.id])

    def _models_before(self, test: Task) -> Iterable[File]:
        models = [
            file
            for file in self._facts.files
            if file.relation == "generated"
            and (file.role or "").lower() == MODEL_ROLE
            and file.task != test.id
            and file.order < test.order
        ]
        return models[-1:]

    def _state_series(self) -> None:
        names = self._names
        for series in self._facts.series:
            attributes = names.attributes("MetricSeries", series.name)
            names.add(attributes, "rank", series.rank)
            for term, value in series.values.items():
                names.add(attributes, term, value)
            entity = self._names_of_run[series.id]
            self._bundle.entity(entity, attributes)
            self._generated(entity, self._run, None)
