"""The edges of lineage, from effect to cause: the relations that an export to PROV states, and no others.

What a training generated early does not stand on adaptations that came later, though in PROV a path leads from the one
to the other over the training (see `nodes`). So each edge here is a path in PROV, and not the other way round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dnnprov.analysis.lineage.nodes import AS_BEGUN, WHOLE, File, Inflow, Order, Rows, Run, Task
from dnnprov.analysis.lineage.reader import ADAPTATIONS, EPOCHS, LAYERS, PARAMETERS, TESTS
from dnnprov.model.training import TESTING_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnnprov.analysis.lineage.nodes import Activity, Node
    from dnnprov.analysis.lineage.reader import Reader

MODEL_ROLE = "model"
"""Role of the file that a test is taken to be of. A checkpoint is none: it holds what the model was at some epoch."""


class Edge(NamedTuple):
    """A relation of PROV.

    Attributes:
        node: the other end of it.
        relation: its name in PROV-N, effect first: used, wasGeneratedBy, wasDerivedFrom, wasInformedBy, wasStartedBy.
        bound: to an activity, what counts of what came back to it.
    """

    node: Node
    relation: str
    bound: Order = WHOLE


class Edges:
    """The edges between the runs that were read, but for those along the line of a training.

    Attributes:
        inflows: a run -> what stands for it as the effect of what it used.
    """

    def __init__(self, reader: Reader, *, across_runs: bool = True) -> None:
        self._reader = reader
        self._across_runs = across_runs
        self.inflows = {run: Inflow(run) for run in reader.runs.values()}
        self._causes: dict[Node, list[Edge]] = {}
        for run in reader.runs.values():
            self._add_run(run)
            for task in run.tasks:
                self._add_task(task)
            for file in run.files:
                self._add_file(file)
            for rows in run.sets:
                self._add_rows(rows)
            self._add_used_results(run)
            self._add_tests(run)

    def causes(self, node: Node) -> list[Edge]:
        """What a node directly stands on."""
        return self._causes.get(node, [])

    def inflow_causes(self, node: Node) -> list[Edge]:
        """What a run used, all its tasks together; nothing for anything else."""
        return self.causes(self.inflows[node]) if isinstance(node, Run) and node in self.inflows else []

    def effects(self) -> dict[Node, list[Edge]]:
        """Node -> what directly stands on it."""
        effects: dict[Node, list[Edge]] = {}
        for effect, causes in self._causes.items():
            for cause, relation, bound in causes:
                effects.setdefault(cause, []).append(Edge(effect, relation, bound))
        return effects

    def _add(self, effect: Node, cause: Node, relation: str, bound: Order = WHOLE) -> None:
        self._causes.setdefault(effect, []).append(Edge(cause, relation, bound))

    def _add_run(self, run: Run) -> None:
        parent = self._reader.runs.get(run.parent_id) if run.parent_id is not None and self._across_runs else None
        if parent is not None and parent is not run:
            self._add(run, parent, "wasStartedBy", AS_BEGUN)
            self._add(self.inflows[run], parent, "wasStartedBy", AS_BEGUN)

    def _add_task(self, task: Task) -> None:
        for before in task.after:
            adapts = before.line is not None and task in before.line.adapting
            self._add(task, before, "wasInformedBy", AS_BEGUN if adapts else WHOLE)
        self._add(task, task.run, "wasStartedBy", AS_BEGUN)

    def _add_file(self, file: File) -> None:
        if file.relation == "generated":
            self._add(file, file.activity, "wasGeneratedBy", file.order)
            return
        self._add(file.activity, file, "used")
        self._add(self.inflows[file.run], file, "used")
        earlier = self._reader.files.get(file.earlier) if file.earlier is not None else None
        if earlier is not None and (self._across_runs or earlier.run is file.run):
            self._add(file, earlier, "wasDerivedFrom")

    def _add_rows(self, rows: Rows) -> None:
        """Elements and who used or generated them; hyperparameters of the run are used by its trainings."""
        table, run = rows.data_set.table, rows.run
        if rows.relation == "generated":
            if table != EPOCHS:
                self._add(rows, rows.activities[0], "wasGeneratedBy")
            return
        if rows.activities == [run] and table in {PARAMETERS, LAYERS}:
            rows.activities = [task for task in run.tasks if task.is_training] or [run]
        for activity in rows.activities:
            self._add(activity, rows, "used")
        self._add(self.inflows[run], rows, "used")

    def _add_used_results(self, run: Run) -> None:
        """A task used what the tasks generated that it depends on, but for epochs and adaptations (see `Line`)."""
        generated: dict[Activity, list[Rows]] = {}
        for rows in run.sets:
            if rows.relation == "generated" and rows.data_set.table not in {EPOCHS, ADAPTATIONS}:
                generated.setdefault(rows.activities[0], []).append(rows)
        for task in run.tasks:
            for before in task.after:
                for rows in generated.get(before, ()) if not before.is_training else ():
                    self._add(task, rows, "used")

    def _add_tests(self, run: Run) -> None:
        """A test used the model: the last file of that role that was there when it began."""
        results = {rows.activities[0] for rows in run.sets if rows.data_set.table == TESTS}
        users = {file.activity for file in run.files if file.relation == "used"}
        for task in run.tasks:
            if (task.tag.lower() in TESTING_TAGS or task in results) and task not in users:
                for model in list(_models_before(task))[-1:]:
                    self._add(task, model, "used")


def _models_before(test: Task) -> Iterator[File]:
    for file in test.run.files:
        is_model = file.relation == "generated" and (file.role or "").lower() == MODEL_ROLE
        if is_model and file.activity is not test and file.order < test.order:
            yield file
