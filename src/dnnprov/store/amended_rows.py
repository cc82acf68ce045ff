"""Rows that say more later, as that of an epoch does once it is validated: what they were is not needed any more.

Where a row and what amends it come together they are folded into one row before anything is written, so that epochs are
taken in as columns as ever; that is done only where it leads to the same database as one after the other. An amendment
may also come before its row, whose line was damaged or lies in a segment that is read later: it says all that the row
has, so it makes the row, and leaves a note for when that comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.model.events import DataflowDeclared, ElementAmended, ElementsRecorded, HyperparameterAdapted
from dnnprov.store.elements import EXACT_INTEGER
from dnnprov.store.positions import Position, Positions

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from dnnprov.model.events import AnyEvent
    from dnnprov.store.source import Source

_NOTE = ", row of event "


def fold_amendments(events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
    """The events with each row as the last amendment among them says it, at the place of the row.

    Args:
        events: of one segment, in order; they are left as they are.
    """
    if ElementAmended not in set(map(type, events)):
        return events
    folded: list[AnyEvent] = []
    places: dict[int, int] = {}  # of the rows that may still be amended, by the number of their event
    latest: dict[str, int] = {}  # that touched a data set, by its tag: attributes are made in the order they come
    for event in events:
        if isinstance(event, ElementAmended) and isinstance(event.element, int):
            place = places.get(event.element)
            if place is not None and latest[event.set.lower()] == place:
                row = folded[place]
                if isinstance(row, ElementsRecorded) and is_amended_alike(row, event):
                    folded[place] = _amended(row, event)
                    continue
        if isinstance(event, ElementsRecorded):
            places[event.seq] = len(folded)
        if isinstance(event, ElementsRecorded | ElementAmended):
            latest[event.set.lower()] = len(folded)
        elif isinstance(event, HyperparameterAdapted):
            latest["oadaptation"] = len(folded)
        elif isinstance(event, DataflowDeclared):
            places.clear()
        folded.append(event)
    return folded


def is_amended_alike(row: ElementsRecorded, event: ElementAmended) -> bool:
    """Whether all that the row had leads to the same attributes as what it has now."""
    if len(row.rows) != 1 or (row.set, row.relation, row.task) != (event.set, event.relation, event.task):
        return False
    before, now = row.rows[0], event.values
    special_before, special = row.non_finite[0] if row.non_finite else {}, event.non_finite or {}
    if list(now)[: len(before)] != list(before):
        return False
    return all(
        (name in special_before) == (name in special) and _are_alike(value, now[name]) for name, value in before.items()
    )


def _are_alike(before: Any, now: Any) -> bool:
    """Whether two values go to the same column, whatever is known of it."""
    if type(before) is not type(now):
        return False
    return type(now) is not int or before == now or max(abs(before), abs(now)) <= EXACT_INTEGER


def _amended(row: ElementsRecorded, event: ElementAmended) -> ElementsRecorded:
    return ElementsRecorded(
        seq=row.seq,
        at=row.at,
        task=row.task,
        set=row.set,
        relation=row.relation,
        rows=[event.values],
        non_finite=[event.non_finite] if event.non_finite else None,
    )


class EarlyRows:
    """Notes of rows that their amendments made, before they came themselves: they are not to be made again.

    Args:
        connection: of the database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._positions = Positions(connection)

    def find(self, source: Source) -> set[int]:
        """Numbers of the events of a segment whose rows are there already."""
        first = _key(source.header.run, source.header.process, "")
        rows = self._connection.execute(  # a colon comes after all digits
            "SELECT segment FROM journal_position WHERE segment > ? AND segment < ?", (first, f"{first}:")
        )
        return {int(key.removeprefix(first)) for (key,) in rows}

    def note(self, run: str, process: str, sequence: int) -> None:
        """The row of an event was made by its amendment."""
        self._positions.move(_key(run, process, sequence), Position(state="early"))

    def remove(self, source: Source, sequence: int) -> None:
        """The event came."""
        key = _key(source.header.run, source.header.process, sequence)
        self._connection.execute("DELETE FROM journal_position WHERE segment = ?", (key,))


def _key(run: str, process: str, sequence: int | str) -> str:
    return f"{run}/{process}{_NOTE}{sequence}"
