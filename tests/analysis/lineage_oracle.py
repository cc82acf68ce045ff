"""Lineage the slow way: every element a node, every edge in a dict, a search from each thing.

Made from the facts that an export states in PROV. An activity is a node for each moment at which it was left: what was
generated at a moment stands on what had come back to the activity until then.
"""

from __future__ import annotations

from collections import deque

from dnnprov.export.run_facts import ADAPTATIONS, EPOCHS, LAYERS, PARAMETERS

BEGUN, WHOLE = (-2,), (1 << 62,)


class Oracle:
    """Lineage of all runs.

    Args:
        facts: of each run.
    """

    def __init__(self, facts, across_runs=True):
        self.facts = {one.uid: one for one in facts}
        self._across_runs = across_runs
        self.things = []
        self._edges = {}  # thing -> [(cause, bound)], activities as ("activity", id)
        self._back = {}  # activity -> [(order, thing)]
        self._inputs = {}  # run -> what it used
        for one in facts:
            self._add_run(one)

    def _edge(self, effect, cause, bound=None):
        self._edges.setdefault(effect, []).append((cause, bound))

    def _used(self, uid, activity, thing, is_input=True):
        self._edge(activity, thing)
        if is_input:
            self._inputs[uid].append(thing)

    def _add_run(self, run):
        uid = run.uid

        def name(local):
            return f"{uid}:{local}" if local else uid

        self._inputs[uid] = []
        self.things += [uid, *(name(task.id) for task in run.tasks), *(name(file.id) for file in run.files)]
        if run.parent_uid in self.facts and self._across_runs and run.parent_uid != uid:
            self._edge(uid, run.parent_uid, BEGUN)
            self._inputs[uid].append(run.parent_uid)
        adapted = {(step.task, line.task) for line in run.timelines for step in line.steps if step.table == ADAPTATIONS}
        trainings = {task.id for task in run.trainings()}
        for task in run.tasks:
            self._edge(name(task.id), uid, BEGUN)
            for before in task.after:
                self._edge(name(task.id), name(before), BEGUN if (task.id, before) in adapted else WHOLE)
        self._add_elements(run, name, trainings)
        for line in run.timelines:
            self._add_line(line, name)
        self._add_files(run, name)

    def _add_elements(self, run, name, trainings):
        elements = [part for element in run.elements for part in element.members or (element,)]
        for element in elements:
            thing = name(element.id)
            self.things.append(thing)
            if element.relation == "generated":
                self._edge(thing, name(element.task), element.order)
                for task in run.tasks:
                    if element.task in task.after and element.task not in trainings:
                        self._used(run.uid, name(task.id), thing, is_input=False)
            else:
                is_shared = element.task is None and element.table in {PARAMETERS, LAYERS} and trainings
                for user in trainings if is_shared else [element.task]:
                    self._used(run.uid, name(user), thing)

    def _add_line(self, line, name):
        last, changes = None, []
        for step in line.steps:
            thing = name(step.id)
            self.things.append(thing)
            self._edge(thing, name(step.task), BEGUN)
            if last:
                self._edge(thing, last)
            if step.table == EPOCHS:
                for change in changes:
                    self._edge(thing, change)
                last, changes = thing, []
            else:
                self._back.setdefault(name(line.task), []).append((step.order, thing))
                if last:
                    self._back.setdefault(name(step.task), []).append((step.order, last))
                changes.append(thing)

    def _add_files(self, run, name):
        for file in run.files:
            if file.relation == "generated":
                self._edge(name(file.id), name(file.task), file.order)
                continue
            self._used(run.uid, name(file.task), name(file.id))
            earlier = file.earlier
            if earlier and (self._across_runs or earlier.run_uid == run.uid):
                self._edge(name(file.id), f"{earlier.run_uid}:{earlier.id}")
        users = {file.task for file in run.files if file.relation == "used"}
        for task in run.tests():
            if task.id not in users:
                models = [
                    file
                    for file in run.files
                    if file.relation == "generated" and file.role == "model"
                    and file.task != task.id and file.order < task.order
                ]  # fmt: skip
                for model in models[-1:]:
                    self._edge(name(task.id), name(model.id))

    def ancestors(self, thing):
        """Thing -> the least number of relations to it."""
        found = {}
        waiting = deque([(thing, WHOLE, 0)])
        seen = set()
        if thing in self.facts:
            waiting = deque((cause, BEGUN, 1) for cause in self._inputs[thing])
        while waiting:
            node, bound, distance = waiting.popleft()
            if (node, bound) in seen:
                continue
            seen.add((node, bound))
            if node != thing:
                found[node] = min(distance, found.get(node, distance))
            for cause, its_bound in self._edges.get(node, ()):
                waiting.append((cause, its_bound or WHOLE, distance + 1))
            for order, cause in self._back.get(node, ()):
                if order < bound:
                    waiting.append((cause, WHOLE, distance + 1))
        return found

    def descendants(self, thing):
        """The inverse of `ancestors`."""
        every = {other: self.ancestors(other) for other in self.things}
        return {other: found[thing] for other, found in every.items() if thing in found}
