"""How far each segment is in: the table `journal_position`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_KEYS_A_QUERY = 500


@dataclass(frozen=True)
class Position:
    """How far a segment is in.

    Attributes:
        position: bytes, before compression.
        sequence: of the last event, -1 before the first; a damaged line counts as one event.
        state: open | closed | gone (its process ended without a word) | damaged (an archive that ends early) | refused;
            cut: what was once taken in from a segment that was cut off since, so that no rebuild loses it unasked;
            early: no segment, but an event that is to come, see `EarlyRows`.
    """

    position: int = 0
    sequence: int = -1
    state: str = "open"

    @property
    def is_final(self) -> bool:
        """Whether an archived segment in this state has nothing more to give."""
        return self.state in {"closed", "damaged", "refused"}


class Positions:
    """Reads and moves positions.

    Args:
        connection: of the database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, key: str) -> Position:
        """Of one segment; the beginning, where it was never seen."""
        return self.find_all([key]).get(key, Position())

    def find_all(self, keys: Iterable[str]) -> dict[str, Position]:
        """Of several segments; those never seen are left out."""
        wanted, found = list(keys), {}
        for begin in range(0, len(wanted), _KEYS_A_QUERY):
            some = wanted[begin : begin + _KEYS_A_QUERY]
            marks = ", ".join("?" * len(some))
            for key, *rest in self._connection.execute(
                f"SELECT segment, position, sequence, state FROM journal_position WHERE segment IN ({marks})", some
            ):
                found[key] = Position(*rest)
        return found

    def move(self, key: str, position: Position) -> None:
        """Note how far a segment is in, within a transaction of the caller."""
        self._connection.execute(
            "INSERT OR REPLACE INTO journal_position VALUES (?, ?, ?, ?)",
            (key, position.position, position.sequence, position.state),
        )

    def runs(self) -> set[str]:
        """The runs of which any segment was seen."""
        return {key.partition("/")[0] for (key,) in self._connection.execute("SELECT segment FROM journal_position")}

    def archive_time(self) -> int:
        """Time of the archive folder when everything in it was in, 0 before that."""
        return int(self._connection.execute("SELECT archive_read FROM schema_version").fetchone()[0])

    def note_archive_time(self, time_ns: int) -> None:
        """Everything is in that the archive folder held at this time of it."""
        if time_ns != self.archive_time():
            self._connection.execute("UPDATE schema_version SET archive_read = ?", (time_ns,))
