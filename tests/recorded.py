"""Reading back what a test recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.reader import read_chunks
from dnnprov.store.sqlite import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.model.events import AnyEvent


def events_of(store: Path) -> list[AnyEvent]:
    """All events in the journals of a store, open and archived, in the order of their segments."""
    folder = StoreFolder(store)
    found = []
    for segment in [*folder.open_segments(), *folder.archived_segments()]:
        for chunk in read_chunks(segment):
            for line in chunk.lines:
                assert line.fault is None, line.fault
                found.append(line.event)
    return found


def rows_of(store: Path, sql: str, parameters: object = ()) -> list[dict[str, Any]]:
    """Rows of a query after catching up."""
    database = open_store(store)
    try:
        assert database.catch_up() is None
        columns, rows = database.read(sql, parameters)
    finally:
        database.close()
    return [dict(zip(columns, row, strict=True)) for row in rows]


def column_of(store: Path, sql: str, parameters: object = ()) -> list[Any]:
    """The first column of a query after catching up."""
    return [next(iter(row.values())) for row in rows_of(store, sql, parameters)]
