"""Takes runs out of the database, so that what is left says what a database made anew says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.store.late_plan import complete_plan
from dnnprov.store.program_names import name_programs, posted_plans
from dnnprov.store.schema import quoted
from dnnprov.store.transaction import transaction

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.store.catalog import Catalog

_OF_RUN = ("run_metric", "run_tag", "run_agent", "environment", "file", "problem", "task", "rank_state", "process",
           "metric_series")  # fmt: skip
"""Tables with rows of a run, which go after those that are found through them."""

_GOING = 'temp."runs that go"'


def withdraw_runs(connection: sqlite3.Connection, catalog: Catalog, uids: list[str]) -> None:
    """Take what runs posted and showed out of the plans, in one transaction; their own rows stay.

    Args:
        connection: in autocommit mode.
        catalog: of names.
        uids: of the runs.
    """
    with transaction(connection):
        catalog.forget()
        connection.execute(f"CREATE TABLE {_GOING} (run_id INTEGER PRIMARY KEY)")  # of any number
        connection.executemany(
            f"INSERT INTO {_GOING} SELECT r.run_id FROM run AS r WHERE r.uid = ?", [(uid,) for uid in uids]
        )
        going = f"SELECT g.run_id FROM {_GOING} AS g"
        rows = connection.execute(
            f"SELECT DISTINCT dataflow_id FROM run WHERE run_id IN ({going}) AND dataflow_id IS NOT NULL"
        )
        of = {key for (key,) in rows}
        connection.execute(f"UPDATE run SET dataflow_id = NULL, dataflow_version_id = NULL WHERE run_id IN ({going})")
        touched, incomplete = catalog.record.drop_runs(going)
        connection.execute(f"DROP TABLE {_GOING}")
        for dataflow_id in sorted(incomplete):
            others = connection.execute("SELECT run_id FROM run WHERE dataflow_id = ?", (dataflow_id,)).fetchall()
            for (run_id,) in others:
                complete_plan(connection, catalog, run_id, dataflow_id)
        catalog.record.changed |= touched
        catalog.record.moved |= touched
        catalog.versions.write()
        for dataflow_id in sorted(touched | of):
            catalog.plan.remove_unknown(dataflow_id)
            catalog.reconsider_dataflow(dataflow_id)


def delete_runs(connection: sqlite3.Connection, uids: list[str]) -> None:
    """Delete all rows of runs, in one transaction.

    Args:
        connection: in autocommit mode.
        uids: of the runs, which the plans do not need any more.
    """
    with transaction(connection):
        sets = connection.execute("SELECT data_set_id, table_name FROM data_set").fetchall()
        for uid in uids:
            for (key,) in connection.execute("SELECT run_id FROM run WHERE uid = ?", (uid,)).fetchall():
                _delete_run(connection, key, sets)
            connection.execute(  # of what was no journal: it is known by its path, or as a segment
                "DELETE FROM problem WHERE run_id IS NULL AND (instr(detail, ?) OR instr(detail, ?))",
                (f"/{uid}/", f" {uid}/"),
            )
        connection.execute(
            "UPDATE run SET parent_run_id = NULL WHERE parent_run_id NOT IN (SELECT r.run_id FROM run AS r)"
        )


def _delete_run(connection: sqlite3.Connection, run_id: int, sets: list[tuple[int, str]]) -> None:
    for data_set_id, table in sets:
        connection.execute(
            "DELETE FROM element_value WHERE data_set_id = ? AND element_id IN"
            f" (SELECT e.element_id FROM {quoted(table)} AS e WHERE e.run_id = ?)",
            (data_set_id, run_id),
        )
        connection.execute(f"DELETE FROM {quoted(table)} WHERE run_id = ?", (run_id,))
    connection.execute(
        "DELETE FROM metric_value WHERE series_id IN (SELECT s.series_id FROM metric_series AS s WHERE s.run_id = ?)",
        (run_id,),
    )
    connection.execute(
        "DELETE FROM task_dependency WHERE task_id IN (SELECT t.task_id FROM task AS t WHERE t.run_id = ?)", (run_id,)
    )
    for table in _OF_RUN:
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM run WHERE run_id = ?", (run_id,))


def tidy_up(connection: sqlite3.Connection) -> None:
    """Delete agents and programs that no run is left of, in one transaction."""
    with transaction(connection):
        connection.execute("DELETE FROM agent WHERE agent_id NOT IN (SELECT a.agent_id FROM run_agent AS a)")
        plans = posted_plans(connection)
        posted = {program.path for plan in plans.values() for one in plan for program in one.programs}
        unused = connection.execute(
            "SELECT program_id, path FROM program WHERE program_id NOT IN"
            " (SELECT r.program_id FROM run AS r WHERE r.program_id IS NOT NULL) AND program_id NOT IN"
            " (SELECT t.program_id FROM data_transformation AS t WHERE t.program_id IS NOT NULL)"
        ).fetchall()
        connection.executemany(
            "DELETE FROM program WHERE program_id = ?", [(key,) for key, path in unused if path not in posted]
        )
        named = connection.execute("SELECT path FROM program WHERE name IS NOT NULL").fetchall()
        name_programs(connection, [path for (path,) in named])


def forget_segments(connection: sqlite3.Connection, uids: list[str]) -> None:
    """Forget how far the journals of runs are in.

    Until now that kept a process that had read some of them before they went from taking that in.
    """
    with transaction(connection):
        connection.executemany(
            "DELETE FROM journal_position WHERE segment > ?1 || '/' AND segment < ?1 || '0'",  # which comes after /
            [(uid,) for uid in uids],
        )
