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
    StoreError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from dnnprov.journal.database_place import say_once
from dnnprov.journal.folder import is_database_url, store_folder, store_place
from dnnprov.store.database_errors import is_about_database, is_damaged, unavailable
from dnnprov.store.database_file import DatabaseFile
from dnnprov.store.ingest import Ingest
from dnnprov.store.kept_answers import KeptAnswers
from dnnprov.store.migrations import schema_version
from dnnprov.store.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.store.base import Parameters, Table

_PROGRESS_INSTRUCTIONS = 10_000

_QUESTION = re.compile(r"(?:\s+|--[^\n]*\n|/\*.*?\*/)*(?:select|with|values|explain)\b", re.IGNORECASE | re.DOTALL)
"""How SQL that asks begins: comments, then one of four words."""

_READING_ACTIONS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_REFUSED_FUNCTIONS = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})


def find_store(place: str | os.PathLike[str] | None = None) -> StoreFolder:
    """The folder of the store at a place, `DNNPROV_STORE` or `./.dnnprov`.

    Raises:
        StoreNotFoundError: nothing was ever recorded there.
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
    return folder


def open_store(place: str | os.PathLike[str] | None = None) -> SqliteStore:
    """Open the store at a place, `DNNPROV_STORE` or `./.dnnprov`.

    Raises:
        StoreNotFoundError: nothing was ever recorded there.
        SchemaVersionError: its database is of another version.
        StoreUnavailableError: its database is damaged, or there is none and none can be made.
        StoreError: it is a PostgreSQL URL, which this version records for but cannot read.
    """
    return SqliteStore(find_store(place))


class SqliteStore:
    """A `Store` in one SQLite file.

    Args:
        folder: of the store.
        chunk_bytes: of a journal that one transaction of `catch_up` takes in.

    Raises:
        SchemaVersionError: the database is of another version.
        StoreUnavailableError: the database is damaged, or there is none yet and none can be made.
    """

    def __init__(self, folder: StoreFolder, chunk_bytes: int = 1 << 20) -> None:
        self.folder = folder
        self.place = str(folder.path)
        self._chunk_bytes = chunk_bytes
        self._ingest: Ingest | None = None
        self._open()

    @property
    def unreadable(self) -> list[str]:
        """The journals that the last catch-up could not read, each with the reason."""
        return self._ingest.unreadable if self._ingest else []

    def catch_up(self) -> str | None:
        """Take in what the journals have; a one-line note where that was not possible."""
        try:
            self.ingest()
        except StoreUnavailableError as error:
            if error.__cause__ is not None and is_damaged(error.__cause__):
                raise
            return self._as_of(str(error.__cause__ or self._file.why_read_only or error))
        if not self.unreadable:
            return say_once(self.folder.database_place, self.folder.path)
        return f"answers lack what cannot be read, the first of {len(self.unreadable)}: {self.unreadable[0]}"

    def ingest(self) -> int:
        """Take in what the journals have; the number of new events.

        Raises:
            StoreUnavailableError: the database cannot be written, or is damaged.
            SchemaVersionError: another one was put in its place, of another version.
        """
        if self.is_replaced() and not self._file.reader.in_transaction:
            replaced = self._file
            self._open()
            replaced.close()
        ingest = self._ingest
        if ingest is None:
            raise StoreUnavailableError(
                f"the database {self.folder.database} cannot be written: {self._file.why_read_only}"
            )
        with self._told():
            return ingest.catch_up()

    def is_replaced(self) -> bool:
        """Whether the database was deleted, or another one put in its place; the next catch-up opens what is there."""
        return self._file.is_replaced()

    def read(self, sql: str, parameters: Parameters = ()) -> Table:
        """Columns and rows of our own SQL."""
        with self._told():
            return self._answers.read(sql, parameters)

    def forget_answers(self) -> None:
        """Read again what is asked again, though nothing was written meanwhile."""
        self._answers.forget()

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
        reader = self._file.reader
        reader.set_authorizer(lambda *call: _authorize(refused, *call))
        reader.set_progress_handler(lambda: time.monotonic() > until, _PROGRESS_INSTRUCTIONS)
        try:
            cursor = reader.execute(sql, parameters)
            rows = cursor.fetchmany(max_rows + 1)
        except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
            if is_damaged(error):
                raise unavailable(self.folder.database, error) from error
            if refused or "readonly" in str(error):
                what = refused[0] if refused else "writing"
                raise QueryRefusedError(f"{what} is not allowed here; only SELECT over the store's tables is") from None
            if "one statement at a time" in str(error):
                raise QueryError(f"one SELECT is answered at a time; the SQL was {_shown(sql)}") from None
            if "interrupted" in str(error):
                if time.monotonic() <= until:  # Ctrl-C, which SQLite keeps from Python while it computes
                    raise KeyboardInterrupt from None
                raise QueryTimeoutError(timeout_seconds) from None
            raise QueryError(f"{error}; the SQL was {_shown(sql)}") from None
        finally:
            reader.set_authorizer(None)
            reader.set_progress_handler(None, 0)
        return [column[0] for column in cursor.description], rows[:max_rows], len(rows) > max_rows

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see one state."""
        reader = self._file.reader
        if reader.in_transaction:
            yield
            return
        reader.execute("BEGIN")
        try:
            yield
        finally:
            reader.execute("ROLLBACK")

    def has_current_schema(self) -> bool:
        """Whether the schema is still the one this program knows."""
        return schema_version(self._file.reader) == SCHEMA_VERSION

    def close(self) -> None:
        """Let go of the database; a second call does nothing."""
        self._file.close()
        self._ingest = None

    def _open(self) -> None:
        place = self.folder.database_place
        if place.is_unusable:
            raise StoreUnavailableError(
                f"{place.why_unsafe}, and no folder for caches is better; what is recorded is safe in the journals: "
                "name a folder on a local disk with DNNPROV_CACHE to ask"
            )
        self._file = DatabaseFile(self.folder.database, self.place, self.folder)
        self._answers = KeptAnswers(self._file.reader)
        writer = self._file.writer
        self._ingest = Ingest(writer, self.folder, self._chunk_bytes) if writer else None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors about the database as a whole come out as ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if is_about_database(error):
                raise unavailable(self.folder.database, error) from error
            raise

    def _as_of(self, why: str) -> str:
        (newest,) = self.read("SELECT MAX(heartbeat_at) FROM run")[1][0]
        return f"the store {self.place!r} cannot be written ({why}); answers are as of {newest or 'never'}"


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
