"""Makes up what the plan lacks of tasks that were taken in before their dataflow, or before their own beginning.

The segments of one run may be taken in in any order: a rank or a forked child may be heard before the process that
says which dataflow this is. Once it is known, the plan follows from the rows that are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.model.training import TRAINING_TAGS
from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.store.catalog import Catalog
    from dnnprov.store.source import Source


def complete_plan(connection: sqlite3.Connection, catalog: Catalog, source: Source) -> None:
    """Give the tasks of a run their transformations, and these the data sets and dependencies that their tasks have.

    Args:
        connection: that rows are written through.
        catalog: of names.
        source: of the run, whose dataflow is known.
    """
    run_id, dataflow_id = source.run_id, source.dataflow_id
    tasks = connection.execute("SELECT DISTINCT tag FROM task WHERE run_id = ? AND tag <> ''", (run_id,)).fetchall()
    if dataflow_id is None or not tasks:
        return
    for (tag,) in tasks:
        transformation_id = catalog.transformation(dataflow_id, tag, run_id)
        connection.execute(
            "UPDATE task SET transformation_id = ? WHERE run_id = ? AND tag = ? AND transformation_id IS NULL",
            (transformation_id, run_id, tag),
        )
        if tag.lower() in TRAINING_TAGS:
            catalog.link(dataflow_id, transformation_id, catalog.data_set("iTrainingModel"), "used", run_id)
    for tag, table in connection.execute("SELECT tag, table_name FROM data_set ORDER BY data_set_id").fetchall():
        links = connection.execute(
            f"SELECT DISTINCT t.transformation_id, e.relation FROM {quoted(table)} AS e"
            " JOIN task AS t ON t.task_id = e.task_id WHERE e.run_id = ? AND t.transformation_id IS NOT NULL",
            (run_id,),
        )
        for transformation_id, relation in links.fetchall():
            catalog.link(dataflow_id, transformation_id, catalog.data_set(tag), relation, run_id)
    dependencies = connection.execute(
        "SELECT DISTINCT b.transformation_id, t.transformation_id FROM task AS t"
        " JOIN task_dependency AS d ON d.task_id = t.task_id JOIN task AS b ON b.task_id = d.depends_on_task_id"
        " WHERE t.run_id = ? AND t.transformation_id IS NOT NULL AND b.transformation_id IS NOT NULL",
        (run_id,),
    )
    for previous, following in dependencies.fetchall():
        catalog.depend(dataflow_id, previous, following, run_id)
