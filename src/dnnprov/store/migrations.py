"""Brings a database to the schema of this version: today there is one step, from nothing to version 1.

Each step is one function and runs in the transaction that also notes its version, so a process killed in between
leaves the database as it was. The database is a cache: one of an unknown version is refused, never guessed at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.errors import SchemaVersionError
from dnnprov.store.catalog import Catalog
from dnnprov.store.schema import PREDEFINED_SETS, SCHEMA_VERSION, TABLES
from dnnprov.store.transaction import transaction
from dnnprov.store.views import ACCURACY_VIEW, METRIC_VIEW, accuracy_metrics

if TYPE_CHECKING:
    import sqlite3


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
    with transaction(connection):
        found = schema_version(connection)  # another process may have been faster
        if found == 0:
            _create(connection)
        elif found != SCHEMA_VERSION:
            raise SchemaVersionError(place, found, SCHEMA_VERSION)


def _create(connection: sqlite3.Connection) -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    connection.execute(METRIC_VIEW)
    connection.execute(ACCURACY_VIEW)
    connection.executemany("INSERT INTO accuracy_metric VALUES (?, ?, ?, ?)", accuracy_metrics())
    catalog = Catalog(connection)
    for predefined in PREDEFINED_SETS:
        catalog.data_set(predefined.tag)
    catalog.refresh_overview()
    connection.execute("INSERT INTO schema_version (version, archive_read) VALUES (?, 0)", (SCHEMA_VERSION,))
