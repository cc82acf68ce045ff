"""The provenance database as an SQLite file in the store folder; the default, and no set-up.

Writing and reading go over separate connections: the one that ingests, and one opened read-only, over which every
answer is given. People's own SQL runs under an authorizer, a time-out and a row limit besides.
"""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dnnprov.errors import (
    QueryError,
    QueryRefusedError,
    QueryTimeoutError,
    SchemaVersionError,
    StoreError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from dnnprov.journal.folder import StoreFolder, is_database_url, store_folder, store_place
from dnnprov.store.ingest import Ingest
from dnnprov.store.migrations import migrate, schema_version
from dnnprov.store.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from dnnprov.store.base import Parameters, Table

BUSY_SECONDS = 30.0
"""How long to wait for another process that writes."""

_PROGRESS_INSTRUCTIONS = 10_000

_UNWRITABLE = ("attempt to write", "unable to open", "database is locked", "disk I/O", "database or disk is full")
"""How SQLite says that a database cannot be written here, which leaves reading."""

_QUESTION = re.compile(r"(?:\s+|--[^\n]*\n|/\*.*?\*/)*(?:select|with|values|explain)\b", re.IGNORECASE | re.DOTALL)
"""How SQL that asks begins: comments, then one of four words."""

_READING_ACTIONS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_REFUSED_FUNCTIONS = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})


def open_store(place: str | os.PathLike[str] | None = None) -> SqliteStore:
    """Open the store at a place, `DNNPROV_STORE` or `./.dnnprov`.

    Raises:
        StoreNotFoundError: nothing was ever recorded there.
        SchemaVersionError: its database is of another version.
        StoreError: it is a PostgreSQL URL, which this version records for but cannot read.
    """
    wanted = store_place(place)
    if is_database_url(wanted):
        raise StoreError(
            f"the store {wanted.partition('@')[2] or wanted!r} is a PostgreSQL database, which this version of dnnprov "
            "cannot read; its journals are in DNNPROV_DIR: name that folder with --store"
        )
    folder = store_folder(wanted)
    if not folder.exists():
        raise StoreNotFoundError(wanted)
    return SqliteStore(folder)


class SqliteStore:
    """A `Store` in one SQLite file.

    Args:
        folder: of the store.
        chunk_bytes: of a journal that one transaction of `catch_up` takes in.

    Raises:
        SchemaVersionError: the database is of another version.
        StoreUnavailableError: there is no database yet and none can be made.
    """

    def __init__(self, folder: StoreFolder, chunk_bytes: int = 1 << 20) -> None:
        self.folder = folder
        self.place = str(folder.path)
        self._writer: sqlite3.Connection | None = None
        self._ingest: Ingest | None = None
        self._why_read_only: str | None = None
        try:
            self._writer = _connect(folder.database)
            migrate(self._writer, self.place)
            self._ingest = Ingest(self._writer, folder, chunk_bytes)
        except sqlite3.OperationalError as error:
            self._close_writer()
            if not str(error).startswith(_UNWRITABLE):
                raise
            self._why_read_only = str(error)
        except SchemaVersionError:
            self._close_writer()
            raise
        self._reader = self._open_reader()

    def catch_up(self) -> str | None:
        """Take in what the journals have; a one-line note where that was not possible."""
        if self._ingest is None:
            return self._as_of(self._why_read_only or "it is read-only")
        try:
            self._ingest.catch_up()
        except sqlite3.OperationalError as error:
            return self._as_of(str(error))
        return None

    def ingest(self) -> int:
        """Take in what the journals have; the number of new events.

        Raises:
            StoreUnavailableError: the database cannot be written.
        """
        if self._ingest is None:
            raise StoreUnavailableError(f"the database {self.folder.database} cannot be written: {self._why_read_only}")
        try:
            return self._ingest.catch_up()
        except sqlite3.OperationalError as error:
            raise StoreUnavailableError(f"the database {self.folder.database} cannot be written: {error}") from error

    def read(self, sql: str, parameters: Parameters = ()) -> Table:
        """Columns and rows of our own SQL."""
        cursor = self._reader.execute(sql, parameters)
        return [column[0] for column in cursor.description], cursor.fetchall()

    def read_untrusted(
        self, sql: str, parameters: Parameters = (), *, timeout_seconds: float, max_rows: int
    ) -> tuple[list[str], list[tuple[Any, ...]], bool]:
        """Columns, rows, and whether there were more, of a person's SQL.

        Raises:
            QueryRefusedError: it would write, or look outside the store.
            QueryTimeoutError: it ran too long.
            QueryError: SQLite refused it.
        """
        if not _QUESTION.match(sql):
            raise QueryRefusedError(f"{_shown(sql)} is no question; only SELECT (or WITH ... SELECT) is answered")
        until = time.monotonic() + timeout_seconds
        refused: list[str] = []
        reader = self._reader
        reader.set_authorizer(lambda *call: _authorize(refused, *call))
        reader.set_progress_handler(lambda: time.monotonic() > until, _PROGRESS_INSTRUCTIONS)
        try:
            cursor = reader.execute(sql, parameters)
            rows = cursor.fetchmany(max_rows + 1)
        except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
            if refused or "readonly" in str(error):
                what = refused[0] if refused else "writing"
                raise QueryRefusedError(f"{what} is not allowed here; only SELECT over the store's tables is") from None
            if "one statement at a time" in str(error):
                raise QueryError(f"one SELECT is answered at a time; the SQL was {_shown(sql)}") from None
            if "interrupted" in str(error):
                raise QueryTimeoutError(timeout_seconds) from None
            raise QueryError(f"{error}; the SQL was {_shown(sql)}") from None
        finally:
            reader.set_authorizer(None)
            reader.set_progress_handler(None, 0)
        return [column[0] for column in cursor.description], rows[:max_rows], len(rows) > max_rows

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see one state."""
        if self._reader.in_transaction:
            yield
            return
        self._reader.execute("BEGIN")
        try:
            yield
        finally:
            self._reader.execute("ROLLBACK")

    def has_current_schema(self) -> bool:
        """Whether the schema is still the one this program knows."""
        return schema_version(self._reader) == SCHEMA_VERSION

    def close(self) -> None:
        """Let go of the database; a second call does nothing."""
        self._reader.close()
        self._close_writer()

    def _open_reader(self) -> sqlite3.Connection:
        database = self.folder.database
        if not database.exists():
            raise StoreUnavailableError(
                f"the store {self.place!r} has no database yet and none can be made: {self._why_read_only}; "
                "give write access or copy the folder"
            )
        uri = f"{database.absolute().as_uri()}?mode=ro"
        try:
            reader = _open(uri)
            found = schema_version(reader)
        except sqlite3.OperationalError:  # WAL needs a file beside the database, which cannot be made here
            reader = _open(uri + "&immutable=1")
            found = schema_version(reader)
        if found != SCHEMA_VERSION:
            reader.close()
            raise SchemaVersionError(self.place, found, SCHEMA_VERSION)
        reader.execute("PRAGMA query_only = ON")
        return reader

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = self._ingest = None

    def _as_of(self, why: str) -> str:
        (newest,) = self._reader.execute("SELECT MAX(heartbeat_at) FROM run").fetchone()
        return f"the store {self.place!r} cannot be written ({why}); answers are as of {newest or 'never'}"


def _connect(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # a cache: what a power cut takes is read from journals again
    connection.execute("PRAGMA cache_size = -65536")
    return connection


def _open(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA cache_size = -65536")
    return connection


def _authorize(refused: list[str], action: int, first: str | None, second: str | None, *_: object) -> int:
    """SQLite's authorizer for people's SQL: reading tables and calling harmless functions, nothing else."""
    if action in _READING_ACTIONS and not (action == sqlite3.SQLITE_FUNCTION and second in _REFUSED_FUNCTIONS):
        return sqlite3.SQLITE_OK
    names = {value: name for name, value in vars(sqlite3).items() if name.isupper() and isinstance(value, int)}
    actions = {
        sqlite3.SQLITE_ATTACH: "ATTACH",
        sqlite3.SQLITE_PRAGMA: f"PRAGMA {first}",
        sqlite3.SQLITE_FUNCTION: f"the function {second}",
        sqlite3.SQLITE_TRANSACTION: f"{first}",
    }
    refused.append(actions.get(action) or names.get(action, "this").removeprefix("SQLITE_").replace("_", " "))
    return sqlite3.SQLITE_DENY


def _shown(sql: str) -> str:
    text = " ".join(sql.split())
    return repr(text if len(text) <= 120 else text[:120] + "...")
