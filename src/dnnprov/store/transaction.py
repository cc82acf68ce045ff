"""One transaction, which ends in any case: nothing may leave one open on a connection that others go on using."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Take the right to write, and commit; whatever is raised inside undoes all of it.

    Args:
        connection: in autocommit mode.

    Raises:
        sqlite3.OperationalError: the database cannot be written, or stayed locked.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
