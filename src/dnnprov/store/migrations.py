"""Brings a database to the schema of this version, step by step.

Each step is one function and runs in the transaction that also notes its version, so a process killed in between
leaves the database as it was. The database is a cache: one of an unknown version is refused, never guessed at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.errors import SchemaVersionError
from dnnprov.model.names import table_name
from dnnprov.store.catalog import Catalog
from dnnprov.store.late_plan import complete_plan
from dnnprov.store.schema import (
    PLAN_TABLES,
    PREDEFINED_SETS,
    SCHEMA_VERSION,
    TABLES,
    data_set_table,
    own_names,
    quoted,
)
from dnnprov.store.transaction import transaction
from dnnprov.store.views import ACCURACY_VIEW, METRIC_VIEW, accuracy_metrics

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable


def schema_version(connection: sqlite3.Connection) -> int:
    """The version of a database, 0 for an empty one."""
    has_table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
    if not has_table:
        return 0
    row = connection.execute("SELECT version FROM schema_version").fetchone()
    return int(row[0]) if row else 0


def migrate(connection: sqlite3.Connection, place: str) -> None:
    """Make or upgrade the schema.

    Args:
        connection: in autocommit mode.
        place: of the store, for the message.

    Raises:
        SchemaVersionError: the database is of another version than this program knows a way from.
    """
    if schema_version(connection) == SCHEMA_VERSION:
        return
    found = None
    while found != SCHEMA_VERSION:
        with transaction(connection):
            found = schema_version(connection)  # another process may have been faster
            if found == SCHEMA_VERSION:
                return
            step = _STEPS.get(found)
            if step is None:
                raise SchemaVersionError(place, found, SCHEMA_VERSION)
            step(connection)
            found = schema_version(connection)


def _create(connection: sqlite3.Connection) -> None:
    _execute_all(connection, TABLES)
    connection.execute(METRIC_VIEW)
    connection.execute(ACCURACY_VIEW)
    connection.executemany("INSERT INTO accuracy_metric VALUES (?, ?, ?, ?)", accuracy_metrics())
    catalog = Catalog(connection)
    for predefined in PREDEFINED_SETS:
        catalog.data_set(predefined.tag)
    catalog.refresh_overview()
    connection.execute("INSERT INTO schema_version (version, archive_read) VALUES (?, 0)", (SCHEMA_VERSION,))


def _name_tasks_and_order_versions(connection: sqlite3.Connection) -> None:
    """From version 1 to 2: what users call tasks and programs, and versions that follow from what was recorded.

    Runs recorded before have no such names. No recorder of that time posted plans, so what tasks show is all there is.
    """
    for column in (
        "task ADD COLUMN identifier TEXT",
        "task ADD COLUMN details TEXT",
        "program ADD COLUMN name TEXT",
        "dataflow_version ADD COLUMN process_id INTEGER",
        "dataflow_version ADD COLUMN sequence INTEGER",
    ):
        connection.execute(f"ALTER TABLE {column}")
    _make_room(connection, {"plan_fact", "posted_plan", "plan_declaration", "plan_declaration_by_dataflow"})
    _execute_all(connection, PLAN_TABLES)
    connection.execute("DROP INDEX run_by_dataflow")
    connection.execute("CREATE INDEX run_by_dataflow ON run (dataflow_id, started_at)")
    for key, table in connection.execute("SELECT data_set_id, table_name FROM data_set").fetchall():
        connection.execute(f'DROP INDEX IF EXISTS "data set {key} by run"')
        connection.execute(data_set_table(table, key)[1])
    connection.execute("DELETE FROM dataflow_version")
    connection.execute("UPDATE run SET dataflow_version_id = NULL")
    catalog = Catalog(connection)
    runs = "SELECT run_id, dataflow_id FROM run WHERE dataflow_id IS NOT NULL"
    for run_id, dataflow_id in connection.execute(runs).fetchall():
        complete_plan(connection, catalog, run_id, dataflow_id)
    catalog.versions.write()
    connection.execute("UPDATE schema_version SET version = 2")


def _make_room(connection: sqlite3.Connection, names: set[str]) -> None:
    """Give data sets other tables whose names are ours now."""
    known = dict(connection.execute("SELECT table_name, data_set_id FROM data_set").fetchall())
    for name in names & known.keys():
        other = table_name(name, own_names(), set(known))
        connection.execute(f"ALTER TABLE {quoted(name)} RENAME TO {quoted(other)}")
        connection.execute("UPDATE data_set SET table_name = ? WHERE data_set_id = ?", (other, known[name]))
        known[other] = known[name]


def _execute_all(connection: sqlite3.Connection, script: str) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)


_STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {0: _create, 1: _name_tasks_and_order_versions}
"""Version found -> the step that leads on from it."""
