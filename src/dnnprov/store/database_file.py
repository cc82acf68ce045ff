"""The SQLite file of a store, open: a connection that writes, where it may, and one that can only read.

The database is a cache, so people delete it, and a copy may come in its place. A connection goes on with the file that
it opened, wherever that is; `is_replaced` tells that it is no longer the one at the path.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from dnnprov.errors import SchemaVersionError, StoreUnavailableError
from dnnprov.store.database_errors import is_about_database, is_unwritable, unavailable
from dnnprov.store.migrations import migrate, schema_version
from dnnprov.store.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder

BUSY_SECONDS = 30.0
"""How long to wait for another process that writes."""

_RETRY_SECONDS = 0.005


class DatabaseFile:
    """Two connections to one file.

    Args:
        path: of the file, which is made where there is none.
        place: of the store, for messages.
        folder: of the store, from which a new database takes names.

    Attributes:
        path: as it was given.
        writer: in autocommit mode; `None` where the database cannot be written, and then
        why_read_only: says why.
        reader: that cannot write.

    Raises:
        SchemaVersionError: the database is of another version.
        StoreUnavailableError: there is none yet and none can be made, or it is damaged.
    """

    def __init__(self, path: Path, place: str, folder: StoreFolder | None = None) -> None:
        self.path = path
        self._folder = folder
        self.writer: sqlite3.Connection | None = None
        self.why_read_only: str | None = None
        try:
            self.writer = self._open_writer(place)
            self.reader = self._open_reader(place)
        except Exception as error:
            if self.writer is not None:
                self.writer.close()
            if is_about_database(error):
                raise unavailable(path, error) from error
            raise
        self._identity = _find_identity(path)

    def is_replaced(self) -> bool:
        """Whether the file at the path is not the open one any more."""
        try:
            return _find_identity(self.path) != self._identity
        except OSError:  # the disk does not answer; that is no news about the file
            return False

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        self.reader.close()
        if self.writer is not None:
            self.writer.close()
        self.writer = None

    def _open_writer(self, place: str) -> sqlite3.Connection | None:
        try:
            connection = _open(f"{self.path.absolute().as_uri()}?mode=rwc")
        except sqlite3.OperationalError as error:
            self.why_read_only = str(error)
            return None
        try:
            use_write_ahead_log(connection)
            connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is read from journals again
            connection.execute("PRAGMA cache_size = -65536")
            migrate(connection, place, self._folder)
        except sqlite3.OperationalError as error:
            connection.close()
            if not is_unwritable(error):
                raise
            self.why_read_only = str(error)
            return None
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_reader(self, place: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        found, reader = 0, None
        if self.path.exists():
            try:
                reader, found = _connect(uri)
            except sqlite3.OperationalError as error:
                if not is_unwritable(error):
                    raise
                # WAL needs a file beside the database, which cannot be made here
                reader, found = _connect(uri + "&immutable=1")
        if reader is not None and found == SCHEMA_VERSION:
            reader.execute("PRAGMA query_only = ON")
            return reader
        if reader is not None:
            reader.close()
        if found == 0 and self.why_read_only is not None:
            raise StoreUnavailableError(
                f"the store {place!r} has no database yet and none can be made: {self.why_read_only}; "
                "give write access and free space, or name a folder for it with DNNPROV_CACHE"
            )
        why = self.why_read_only if found < SCHEMA_VERSION else None
        raise SchemaVersionError(place, found, SCHEMA_VERSION, why)


def use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch a database to WAL, or leave it there.

    Of several processes that do so at once SQLite refuses some, whatever time they have to wait.

    Raises:
        sqlite3.OperationalError: it stayed locked, or cannot be written.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _connect(uri: str) -> tuple[sqlite3.Connection, int]:
    """A connection, and the version of the schema behind it."""
    connection = _open(uri)
    try:
        connection.execute("PRAGMA cache_size = -65536")
        return connection, schema_version(connection)
    except BaseException:
        connection.close()
        raise


def _open(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _find_identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of the same name while it is open; `None` where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
