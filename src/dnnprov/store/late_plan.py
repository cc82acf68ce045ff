"""Makes up what the plan lacks of tasks that were taken in before their dataflow, or before their own beginning.

The segments of one run may be taken in in any order: a rank or a forked child may be heard before the process that
says which dataflow this is. Once it is known, the plan follows from the rows that are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.store.places import PLACE_COLUMNS, PLACE_JOINS, Place
from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.store.catalog import Catalog

_TASKS = f"""
SELECT {PLACE_COLUMNS}, e.tag, g.path FROM task AS e {PLACE_JOINS}
LEFT JOIN program AS g ON g.program_id = r.program_id WHERE e.run_id = ? AND e.tag <> ''"""

_ELEMENTS = """
SELECT {columns}, e.transformation_id, e.relation FROM
    (SELECT {process_id} AS process_id, MIN({sequence}) AS sequence, t.transformation_id AS transformation_id,
            q.relation AS relation
     FROM {table} AS q JOIN task AS t ON t.task_id = q.task_id
     WHERE q.run_id = ? AND t.transformation_id IS NOT NULL
     GROUP BY 1, t.transformation_id, q.relation) AS e {joins}"""

_AT_ELEMENT = {"process_id": "q.process_id", "sequence": "q.sequence"}
_AT_TASK = {name: f"CASE q.relation WHEN 'used' THEN t.{name} ELSE q.{name} END" for name in _AT_ELEMENT}
"""Where hyperparameters show themselves: see `PlanRows.link_parameters`."""

_DEPENDENCIES = f"""
SELECT {PLACE_COLUMNS}, b.transformation_id, e.transformation_id FROM task AS e
JOIN task_dependency AS d ON d.task_id = e.task_id JOIN task AS b ON b.task_id = d.depends_on_task_id {PLACE_JOINS}
WHERE e.run_id = ? AND e.transformation_id IS NOT NULL AND b.transformation_id IS NOT NULL"""


def complete_plan(connection: sqlite3.Connection, catalog: Catalog, run_id: int, dataflow_id: int) -> None:
    """Give the tasks of a run their transformations, and these the data sets and dependencies that their tasks have.

    Args:
        connection: that rows are written through.
        catalog: of names.
        run_id: of the run.
        dataflow_id: that it is of.
    """
    tasks = sorted((Place(*row[:9]), row[9], row[10]) for row in connection.execute(_TASKS, (run_id,)).fetchall())
    if not tasks:
        return
    plan, parameters = catalog.plan, catalog.data_set("iTrainingModel")
    known: dict[str, int] = {}
    for place, tag, program in tasks:
        if tag not in known:
            known[tag] = plan.executed(dataflow_id, tag, place, program, parameters)
    connection.executemany(
        "UPDATE task SET transformation_id = ? WHERE run_id = ? AND tag = ? AND transformation_id IS NULL",
        [(transformation_id, run_id, tag) for tag, transformation_id in known.items()],
    )
    for tag, table in connection.execute("SELECT tag, table_name FROM data_set ORDER BY data_set_id").fetchall():
        shown = _AT_TASK if table == parameters.table else _AT_ELEMENT
        elements = _ELEMENTS.format(columns=PLACE_COLUMNS, joins=PLACE_JOINS, table=quoted(table), **shown)
        for *place, transformation_id, relation in connection.execute(elements, (run_id,)).fetchall():
            plan.link(dataflow_id, transformation_id, catalog.data_set(tag), relation, Place(*place))
    for *place, previous, following in connection.execute(_DEPENDENCIES, (run_id,)).fetchall():
        plan.depend(dataflow_id, previous, following, Place(*place))


def leave_dataflow(connection: sqlite3.Connection, catalog: Catalog, run_id: int, dataflow_id: int) -> None:
    """Take back what a run showed of a dataflow that it turned out not to be of.

    Args:
        connection: that rows are written through.
        catalog: of names.
        run_id: of the run, which is one of another dataflow by now.
        dataflow_id: of the one that it left.
    """
    catalog.record.withdraw(dataflow_id, run_id)
    others = connection.execute(  # only these can have shown the same things later
        "SELECT r.run_id FROM run AS r WHERE r.dataflow_id = ? AND r.started_at IS NULL", (dataflow_id,)
    ).fetchall()
    for (other,) in others:
        complete_plan(connection, catalog, other, dataflow_id)
    catalog.plan.remove_unknown(dataflow_id)
    catalog.versions.write()
    catalog.reconsider_dataflow(dataflow_id)
