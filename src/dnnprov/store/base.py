"""What a provenance database offers to those who ask it.

Contract of a `Store`:

- **Answers need no writing.** `read` and `read_untrusted` run over connections that cannot write.
- **Catch-up is exactly once.** `catch_up` takes in every event that a journal holds now and the database has not;
  any number of processes may do it at once.
- **Faults stay small.** What is wrong with a journal becomes a row of `problem`, and everything else is in; a journal
  that cannot be read is named in the note that `catch_up` returns. Only trouble with the database as a whole raises.
- **Replacement.** A database that was deleted, or that another one was put in the place of, is noticed by the next
  `catch_up`, which goes on with what is there, made anew from the journals if need be.
- **Snapshot.** Reads inside one `snapshot` see one state, also while others write.
- **Threads.** A store belongs to the thread that opened it.
- **Values and names.** Numbers of 64 bits, NaN and infinities (NULL, with the name in `non_finite`) and texts of any
  length come back as they were recorded; any name is kept as written, and its table or column called by `model.names`.

`dnnprov.testing.StoreContract` holds each of these, as tests that an implementation inherits.
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
        unreadable: the journals that the last catch-up could not read, each with the reason.
    """

    place: str

    @property
    def unreadable(self) -> list[str]: ...  # noqa: D102 - above

    def catch_up(self) -> str | None:
        """Take in what the journals have; a one-line note where that was not possible, or not of all of them.

        Raises:
            StoreUnavailableError: the database is damaged, or gone and none can be made.
            SchemaVersionError: another one was put in its place, of another version.
        """

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
