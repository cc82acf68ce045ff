"""Brings a database to the schema of this version, step by step.

Each step is one function and runs in the transaction that also notes its version, so a process killed in between
leaves the database as it was. The database is a cache: one of an unknown version is refused, never guessed at.

To add a step: change `schema.TABLES` and raise `SCHEMA_VERSION`; write a function here that does the same to a
database of the version before, notes the new version last, and enter it in `_STEPS`; keep a store that the program of
the version before made as `tests/store/version_<n>.tar.gz`, and name it in `test_migrations`, which does the rest.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dnnprov.errors import SchemaVersionError, StoreUnavailableError
from dnnprov.model.names import table_name
from dnnprov.store.catalog import Catalog
from dnnprov.store.database_errors import is_about_database
from dnnprov.store.late_plan import complete_plan
from dnnprov.store.schema import (
    DROPOUT_INDEX,
    PLAN_TABLES,
    PREDEFINED_SETS,
    RANK_TABLES,
    SCHEMA_VERSION,
    TABLES,
    data_set_table,
    own_names,
    quoted,
)
from dnnprov.store.transaction import transaction
from dnnprov.store.views import ACCURACY_VIEW, METRIC_VIEW, NOTE_ACCURACY, RANK_VIEW, accuracy_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.store.given_names import GivenSet


def schema_version(connection: sqlite3.Connection) -> int:
    """The version of a database, 0 for an empty one."""
    has_table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
    if not has_table:
        return 0
    row = connection.execute("SELECT version FROM schema_version").fetchone()
    return int(row[0]) if row else 0


def migrate(
    connection: sqlite3.Connection,
    place: str,
    folder: StoreFolder | None = None,
    names: list[GivenSet] | None = None,
) -> None:
    """Make or upgrade the schema.

    Args:
        connection: in autocommit mode.
        place: of the store, for the message.
        folder: of the store, from which a new database takes the names that were given out before, or
        names: instead of those.

    Raises:
        SchemaVersionError: the database is of another version than this program knows a way from.
        StoreUnavailableError: something that people made in it is in the way.
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
            if found == 0:
                _create(connection, folder, names)
            elif step is None:
                raise SchemaVersionError(place, found, SCHEMA_VERSION)
            else:
                with _upgrading(connection, place, found):
                    step(connection)
            found = schema_version(connection)


def _create(connection: sqlite3.Connection, folder: StoreFolder | None, names: list[GivenSet] | None) -> None:
    _execute_all(connection, TABLES)
    connection.execute(METRIC_VIEW)
    connection.execute(ACCURACY_VIEW)
    connection.execute(RANK_VIEW)
    connection.executemany("INSERT INTO accuracy_metric VALUES (?, ?, ?, ?)", accuracy_metrics())
    catalog = Catalog(connection, folder, leaves_files=False)
    if names is not None:
        catalog.names.begin_with(names)
    for given in catalog.names.sets():
        catalog.data_set(given.tag)
    for predefined in PREDEFINED_SETS:
        catalog.data_set(predefined.tag)
    catalog.make_tables()
    connection.execute(DROPOUT_INDEX)
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
    connection.execute(  # which was that of the run taken in first
        "UPDATE dataflow SET recorded_at = (SELECT MIN(r.started_at) FROM run AS r"
        " WHERE r.dataflow_id = dataflow.dataflow_id)"
    )
    catalog = Catalog(connection)
    runs = "SELECT run_id, dataflow_id FROM run WHERE dataflow_id IS NOT NULL"
    for run_id, dataflow_id in connection.execute(runs).fetchall():
        complete_plan(connection, catalog, run_id, dataflow_id)
    catalog.versions.write()
    connection.execute("UPDATE schema_version SET version = 2")


_NEW_INDEXES = {
    "run_by_accuracy": "run (dataflow_id, accuracy_kind, accuracy)",
    "run_by_start": "run (started_at)",
    "run_metric_by_divergence": "run_metric (run_id) WHERE num_non_finite > 0",
    "process_by_run": "process (run_id, rank, attempt)",
    "task_by_run": "task (run_id, tag, rank, transformation_id)",
}
"""Of version 3."""


def _note_accuracies(connection: sqlite3.Connection) -> None:
    """From version 2 to 3: the accuracy that a run is compared by stands with the run, and times of series are short.

    The times of series that are there stay as they are, from a beginning in 1970.
    """
    _make_room(connection, _NEW_INDEXES.keys())
    connection.execute("DROP VIEW metric")
    connection.execute("DROP VIEW run_overview")
    for column in (
        "run ADD COLUMN accuracy REAL",
        "run ADD COLUMN accuracy_source TEXT",
        "run ADD COLUMN accuracy_kind INTEGER",
        "metric_series ADD COLUMN began_ms INTEGER NOT NULL DEFAULT 0",
        "metric_value RENAME COLUMN recorded_ms TO elapsed_ms",
    ):
        connection.execute(f"ALTER TABLE {column}")
    connection.execute(NOTE_ACCURACY)
    connection.execute("DROP INDEX task_by_run")
    for name, columns in _NEW_INDEXES.items():
        connection.execute(f"CREATE INDEX {name} ON {columns}")
    connection.execute(DROPOUT_INDEX)
    connection.execute(METRIC_VIEW)
    Catalog(connection).refresh_overview()
    connection.execute("UPDATE schema_version SET version = 3")


def _note_ranks(connection: sqlite3.Connection) -> None:
    """From version 3 to 4: each rank has a state of its own, and an environment its device.

    No recorder of that time wrote of several ranks by itself; what there is of them ended with the run.
    """
    _make_room(connection, {"rank_state", "rank_state_running", "run_rank"})
    connection.execute("ALTER TABLE environment ADD COLUMN device TEXT")
    _execute_all(connection, RANK_TABLES)
    connection.execute(RANK_VIEW)
    connection.execute(
        "INSERT INTO rank_state (run_id, rank, status, ended_at, exit_reason)"
        " SELECT r.run_id, k.rank, r.status, r.ended_at, r.exit_reason FROM run AS r"
        " JOIN (SELECT run_id, rank FROM process UNION SELECT run_id, 0 FROM run) AS k ON k.run_id = r.run_id"
    )
    connection.execute("UPDATE schema_version SET version = 4")


@contextmanager
def _upgrading(connection: sqlite3.Connection, place: str, version: int) -> Iterator[None]:
    """Take the views and triggers that people made out of the way: SQLite alters no table while one cannot be read."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'trigger')").fetchall()
    theirs = [row for row in rows if row[1] not in own_names()]
    try:
        for kind, name, _ in theirs:
            connection.execute(f"DROP {kind} {quoted(name)}")
        yield
        for _, _, statement in theirs:
            connection.execute(statement)
    except sqlite3.OperationalError as error:
        if is_about_database(error):
            raise
        raise StoreUnavailableError(
            f"the database of {place!r} cannot be brought from schema version {version} to {SCHEMA_VERSION}: {error}; "
            "it is still of that version. Where that is a table or view that you made in it, rename it; or make the "
            "database anew from the journals with `dnnprov rebuild`, which leaves out what you made"
        ) from error


def _make_room(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    """Give data sets other tables whose names are ours now."""
    known = dict(connection.execute("SELECT table_name, data_set_id FROM data_set").fetchall())
    for name in known.keys() & set(names):
        other = table_name(name, own_names(), set(known))
        connection.execute(f"ALTER TABLE {quoted(name)} RENAME TO {quoted(other)}")
        connection.execute("UPDATE data_set SET table_name = ? WHERE data_set_id = ?", (other, known[name]))
        known[other] = known[name]


def _execute_all(connection: sqlite3.Connection, script: str) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)


_STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _name_tasks_and_order_versions,
    2: _note_accuracies,
    3: _note_ranks,
}
"""Version found -> the step that leads on from it."""
