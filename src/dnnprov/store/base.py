"""What a provenance database offers to those who ask it.

Contract of a `Store`:

- **Answers need no writing.** `read` and `read_untrusted` run over connections that cannot write.
- **Catch-up is exactly once.** `catch_up` takes in every event that a journal holds now and the database has not;
  any number of processes may do it at once.
- **Snapshot.** Reads inside one `snapshot` see one state, also while others write.
- **Threads.** A store belongs to the thread that opened it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

Parameters: TypeAlias = "Sequence[object] | Mapping[str, object]"
Table: TypeAlias = "tuple[list[str], list[tuple[Any, ...]]]"


class Store(Protocol):
    """A provenance database with the journals that feed it.

    Attributes:
        place: folder or URL, as it was asked for.
    """

    place: str

    def catch_up(self) -> str | None:
        """Take in what the journals have; a one-line note where that was not possible."""

    def read(self, sql: str, parameters: Parameters = ()) -> Table:
        """Columns and rows of our own SQL."""

    def read_untrusted(
        self, sql: str, parameters: Parameters = (), *, timeout_seconds: float, max_rows: int
    ) -> tuple[list[str], list[tuple[Any, ...]], bool]:
        """Columns, rows, and whether there were more, of a person's SQL.

        Raises:
            QueryRefusedError: it would write, or look outside the store.
            QueryTimeoutError: it ran too long.
            QueryError: the database refused it.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads inside see one state."""

    def close(self) -> None:
        """Let go of the database; a second call does nothing."""
