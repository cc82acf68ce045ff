"""Makes the database anew from journals and archives: the same answers, the same identifiers.

It is built in a file beside the old one, which answers meanwhile, and takes its place in one step. Into a database that
SQLite can open, the new one is copied, page by page in one transaction: whoever has it open goes on with the new
content, others wait as for any writer, and a kill leaves the old content. One that SQLite cannot open is replaced by
renaming. Recording goes on all the time; what came meanwhile is taken in at the end, as by any question.

Why not renaming always: a database has a write-ahead log beside it, known by its name. Whoever opens the new file
while the old log is still there would apply the one to the other.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnnprov.errors import StoreError, StoreUnavailableError
from dnnprov.journal.writer import sync_folder
from dnnprov.store.catalog import Catalog
from dnnprov.store.database_errors import is_about_database, is_damaged
from dnnprov.store.database_file import BUSY_SECONDS, use_write_ahead_log
from dnnprov.store.exclusive import exclusive
from dnnprov.store.ingest import Ingest
from dnnprov.store.migrations import migrate
from dnnprov.store.name_file import find_fault, known_names
from dnnprov.store.removal import finish_removal, remove_journals, removed_runs
from dnnprov.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.store.given_names import GivenSet

_SUFFIX = ".rebuilding"

_SIDES = ("-wal", "-shm", "-journal")

_FEW_EVENTS = 1000
"""When no more came while the rest was read, the end waits for the next catch-up."""

_MOST_ROUNDS = 10


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did.

    Attributes:
        num_runs, num_events, num_segments: in the new database, and read from journals for it.
        seconds: that it took.
        database_bytes: of the new database.
        bytes_before: of the old one, 0 where there was none.
        notes: what people should know.
    """

    num_runs: int
    num_events: int
    num_segments: int
    seconds: float
    database_bytes: int
    bytes_before: int
    notes: list[str] = field(default_factory=list)


def rebuild(
    folder: StoreFolder,
    told: Callable[[int, int], None] | None = None,
    accepts: Callable[[str], bool] | None = None,
) -> Rebuilt:
    """Make the database of a store anew.

    Args:
        folder: of the store.
        told: called with how many segments are read, and of how many.
        accepts: asked whether to go on where the old database has more than the journals, with what would be lost;
            where it is left out, that is refused.

    Raises:
        StoreUnavailableError: it cannot be written; the old database is as it was.
        StoreError: something would be lost, or another rebuild is at work.
    """
    began, before = time.monotonic(), _num_bytes(folder.database)
    notes = []
    if fault := find_fault(folder):
        notes.append(f"{fault}; names are those of the old database, else given in the order of the journals")
    with _told(folder), exclusive(folder):
        num_events, num_segments, unreadable = _build_and_replace(folder, told, accepts)
        notes += [f"{reason}; what it holds is not in the new database" for reason in unreadable]
    num_events += _complete(folder)
    with closing(sqlite3.connect(folder.database)) as connection:
        (num_runs,) = connection.execute("SELECT COUNT(*) FROM run").fetchone()
    seconds = time.monotonic() - began
    return Rebuilt(num_runs, num_events, num_segments, seconds, _num_bytes(folder.database), before, notes)


@contextmanager
def _told(folder: StoreFolder) -> Iterator[None]:
    """Trouble with the disk or the database comes out as ours."""
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        if isinstance(error, OSError) or is_about_database(error):
            raise StoreUnavailableError(
                f"the database {folder.database} could not be made anew: {error}; the old one is as it was"
            ) from error
        raise


def _build_and_replace(
    folder: StoreFolder, told: Callable[[int, int], None] | None, accepts: Callable[[str], bool] | None
) -> tuple[int, int, list[str]]:
    new = folder.database.with_name(folder.database.name + _SUFFIX)
    removed = remove_journals(folder)
    _remove(new)
    before = _positions(folder.database)  # now, as others go on taking in what is recorded meanwhile
    gone = {*removed, *removed_runs(folder, {segment.partition("/")[0] for segment in before})}
    known = {segment: position for segment, position in before.items() if segment.partition("/")[0] not in gone}
    try:
        built = _build(folder, new, told)
        _check_losses(known, _positions(new), accepts)
        _put_in_place(folder, new)
    finally:
        _remove(new)
    finish_removal(folder)
    return built


def _build(folder: StoreFolder, new: Path, told: Callable[[int, int], None] | None) -> tuple[int, int, list[str]]:
    """Take all journals into a new file; how many events and segments that were, and what could not be read."""
    num_events = 0
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {_page_size(folder.database)}")
        connection.execute("PRAGMA journal_mode = MEMORY")  # of a kill nothing is left but a file to be removed
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA cache_size = -65536")
        migrate(connection, str(folder.path), folder, _names(folder))
        ingest = Ingest(connection, folder, leaves_files=False)
        ingest.on_segment = told
        for _ in range(_MOST_ROUNDS):
            num_new = ingest.catch_up()
            num_events += num_new
            if num_new < _FEW_EVENTS:
                break
        (num_segments,) = connection.execute("SELECT COUNT(*) FROM journal_position").fetchone()
    return num_events, num_segments, ingest.unreadable


def _check_losses(known: dict[str, int], found: dict[str, int], accepts: Callable[[str], bool] | None) -> None:
    """Refuse to lose what the old database took from journals that are gone or damaged by now."""
    lost = sorted(segment for segment, position in known.items() if position > found.get(segment, 0))
    if not lost:
        return
    num_runs = len({segment.partition("/")[0] for segment in lost})
    loss = (
        f"{len(lost)} of {len(known)} journal segments that the database was made from, of {num_runs} runs, are gone "
        f"or damaged by now, the first is {lost[0]!r}; a rebuild loses what only the database holds of them"
    )
    if accepts is None or not accepts(loss):
        raise StoreError(f"{loss}. Restore the journals from a copy, or give --yes; the database is as it was")


def _positions(database: Path) -> dict[str, int]:
    """Segment -> bytes that a database has of it; nothing where it cannot be read, whatever its schema."""
    try:
        with closing(_connect_existing(database)) as connection:
            return dict(connection.execute("SELECT segment, position FROM journal_position").fetchall())
    except sqlite3.DatabaseError:
        return {}


def _names(folder: StoreFolder) -> list[GivenSet] | None:
    """The names of the old database, which the file may be behind, and of the file; `None` without that database."""
    try:
        with closing(_connect_existing(folder.database)) as connection:
            return known_names(connection, folder)
    except sqlite3.DatabaseError:
        return None


def _put_in_place(folder: StoreFolder, new: Path) -> None:
    """Let a new database take the place of the old one."""
    try:
        _copy_into(folder.database, new)
    except sqlite3.DatabaseError as error:
        if not is_damaged(error):
            raise
        _replace(folder.database, new)


def _copy_into(old: Path, new: Path) -> None:
    """One transaction on the old database, after which it says what the new one does."""
    waited_until = time.monotonic() + 4 * BUSY_SECONDS

    def give_up(*_: object) -> None:
        if time.monotonic() > waited_until:
            raise StoreError(f"the database {old} is written by others all the time; nothing was changed, try again")

    with closing(sqlite3.connect(new)) as source, closing(sqlite3.connect(old, timeout=BUSY_SECONDS)) as target:
        use_write_ahead_log(target)
        source.backup(target, progress=give_up)
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _replace(old: Path, new: Path) -> None:
    """Rename a new database over one that is none, without the logs of that."""
    descriptor = os.open(new, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for side in _SIDES:
        old.with_name(old.name + side).unlink(missing_ok=True)
    new.replace(old)
    sync_folder(old.parent)


def _complete(folder: StoreFolder) -> int:
    """Take in what came meanwhile, and leave the files that the recording side reads; how many events that were."""
    store = SqliteStore(folder)
    try:
        num_events = store.ingest()
    finally:
        store.close()
    with closing(sqlite3.connect(folder.database, isolation_level=None, timeout=BUSY_SECONDS)) as connection:
        Catalog(connection, folder).files.write_all()
    return num_events


def _connect_existing(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)


def _page_size(database: Path) -> int:
    """That of the old database, since pages are copied into it."""
    try:
        with closing(_connect_existing(database)) as connection:
            return int(connection.execute("PRAGMA page_size").fetchone()[0])
    except sqlite3.DatabaseError:
        return 4096


def _remove(database: Path) -> None:
    for side in ("", *_SIDES):
        with suppress(FileNotFoundError):
            database.with_name(database.name + side).unlink()


def _num_bytes(database: Path) -> int:
    try:
        return database.stat().st_size
    except OSError:
        return 0
