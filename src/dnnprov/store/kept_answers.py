"""Keeps answers while nothing is written to the database, for those who ask the same again: pages, notebooks, loops."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Hashable

    from dnnprov.store.base import Parameters, Table

_Key: TypeAlias = "tuple[str, Hashable]"

MAX_ANSWERS = 64
MAX_ROWS = 1000
"""Of one answer; larger ones are read anew each time."""


class KeptAnswers:
    """Answers over one connection that only reads, and the state of the database that they are of.

    Args:
        connection: that is asked; what others commit changes the version of the data that it sees.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version: int | None = None
        self._tables: OrderedDict[_Key, Table] = OrderedDict()

    def read(self, sql: str, parameters: Parameters = ()) -> Table:
        """Columns and rows of our own SQL, which depends on the database alone; the lists are the caller's.

        Raises:
            sqlite3.Error: the database refused it, or cannot be read.
        """
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._tables.clear()
            self._version = version
        key = _key(sql, parameters)
        found = self._tables.get(key)
        if found is None:
            cursor = self._connection.execute(sql, parameters)
            found = [column[0] for column in cursor.description], cursor.fetchall()
            if len(found[1]) <= MAX_ROWS:
                self._tables[key] = found
                if len(self._tables) > MAX_ANSWERS:
                    self._tables.popitem(last=False)
        else:
            self._tables.move_to_end(key)
        columns, rows = found
        return columns.copy(), rows.copy()

    def forget(self) -> None:
        """Let all go."""
        self._tables.clear()


def _key(sql: str, parameters: Parameters) -> _Key:
    """What tells one question from another; 1, 1.0 and True are three."""
    named = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters)
    return sql, tuple((name, type(value), value) for name, value in named)
