"""Tells what an error of SQLite is about: the database as a whole, or only what it was asked to take.

The first kind ends a catch-up: the database cannot be written now, or is damaged. The second is the fault of one
event, which is set aside while the rest goes in. SQLite says which by its code; the message is for people.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from dnnprov.errors import StoreUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

_UNWRITABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,  # of the locks of a write-ahead log
        sqlite3.SQLITE_NOLFS,
    }
)
_DAMAGED = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


def is_unwritable(error: BaseException) -> bool:
    """Whether the database cannot be written here and now: locked, full, read-only, or the disk fails."""
    return _primary_code(error) in _UNWRITABLE


def is_damaged(error: BaseException) -> bool:
    """Whether the file is no database, or a broken one."""
    return _primary_code(error) in _DAMAGED


def is_about_database(error: BaseException) -> bool:
    """Whether no other event would fare better."""
    return is_unwritable(error) or is_damaged(error)


def unavailable(database: Path, error: Exception) -> StoreUnavailableError:
    """What to tell a person about an error that is about the database."""
    if is_damaged(error):
        return StoreUnavailableError(
            f"the database {database} is damaged ({error}); it is a cache: make it anew from the journals with "
            "`dnnprov rebuild`"
        )
    return StoreUnavailableError(f"the database {database} cannot be written: {error}")


def _primary_code(error: BaseException) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF  # the higher bits refine it
