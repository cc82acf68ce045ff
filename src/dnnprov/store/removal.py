"""Removes runs for good: their journals and archives, and then their rows.

What is to go is noted first, in `removing.json` in the store folder. Until that note the runs are whole. From then on
whoever keeps the store next finishes what a kill interrupted. Journals leave their places by renaming, so that no
reader meets half a run.

Which runs went stays noted in `removed.txt`, for machines that keep a database of their own of the same store.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from dnnprov.errors import SchemaVersionError, StoreUnavailableError
from dnnprov.journal.writer import sync_folder
from dnnprov.store.archive import discard_unfinished
from dnnprov.store.catalog import Catalog
from dnnprov.store.database_errors import is_about_database, unavailable
from dnnprov.store.database_file import BUSY_SECONDS
from dnnprov.store.migrations import schema_version
from dnnprov.store.run_removal import delete_runs, forget_segments, tidy_up, withdraw_runs
from dnnprov.store.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder

FORMAT = 1

_NOTE = "removing.json"
_REMOVED = "removed.txt"
_RUNS_A_TRANSACTION = 10


class _Note(msgspec.Struct):
    format: int
    runs: list[str]


_decoder: msgspec.json.Decoder[_Note] = msgspec.json.Decoder(_Note)


def remove_runs(folder: StoreFolder, uids: Sequence[str], told: Callable[[int, int], None] | None = None) -> None:
    """Remove runs; the caller holds the store (`exclusive`) and made sure that nobody records them.

    Args:
        folder: of the store.
        uids: of the runs.
        told: called with how many are gone from the database, and of how many.

    Raises:
        StoreUnavailableError: the store cannot be written. What was begun is finished the next time.
        OSError: likewise.
    """
    _write_note(folder, [*unfinished(folder), *uids])
    finish_removal(folder, told)


def unfinished(folder: StoreFolder) -> list[str]:
    """Runs whose removal was begun and interrupted."""
    try:
        return _decoder.decode((folder.path / _NOTE).read_bytes()).runs
    except FileNotFoundError:
        return []
    except ValueError:  # the disk was full when it was written; nothing was begun
        return []


def finish_removal(folder: StoreFolder, told: Callable[[int, int], None] | None = None) -> list[str]:
    """Finish what was begun, if anything; the runs that are gone now.

    Args:
        folder: of the store.
        told: as of `remove_runs`.
    """
    uids = remove_journals(folder)
    shutil.rmtree(_trash(folder), ignore_errors=True)  # first, since to delete rows takes space on a full disk
    if uids and folder.database.exists():
        _delete_rows(folder, uids, told)
    if uids and folder.database.exists():
        with _writer(folder) as connection:
            forget_segments(connection, uids)
    if uids:
        _note_removed(folder, uids)
    (folder.path / _NOTE).unlink(missing_ok=True)
    return uids


def removed_runs(folder: StoreFolder, known: set[str]) -> list[str]:
    """Those of some runs that were removed, by whichever machine, and have no journal."""
    try:
        uids = (folder.path / _REMOVED).read_text(encoding="utf-8", errors="replace").split()
    except FileNotFoundError:
        return []
    return [uid for uid in sorted(known.intersection(uids)) if not folder.run_segments(uid)]  # people may put one back


def follow_removals(folder: StoreFolder) -> list[str]:
    """Delete the rows of runs that another machine removed, which has a database of its own; these runs."""
    with closing(sqlite3.connect(folder.database, timeout=BUSY_SECONDS)) as connection:
        known = {uid for (uid,) in connection.execute("SELECT uid FROM run")}
    uids = removed_runs(folder, known)
    if uids:
        _delete_rows(folder, uids, None)
        with _writer(folder) as connection:
            forget_segments(connection, uids)
    return uids


def remove_journals(folder: StoreFolder) -> list[str]:
    """Take the journals of runs that are to go out of the way of readers; these runs."""
    uids = unfinished(folder)
    for uid in uids:
        _set_aside(folder, uid)
    if uids:
        discard_unfinished(folder, set(uids))
    for parent in (folder.journal, folder.archive):
        if uids and parent.exists():
            sync_folder(parent)
    return uids


def _trash(folder: StoreFolder) -> Path:
    return folder.journal / ".removed"


def _set_aside(folder: StoreFolder, uid: str) -> None:
    trash = _trash(folder)
    trash.mkdir(exist_ok=True)
    for place, name in ((folder.journal / uid, f"{uid}.open"), (folder.archive / uid, f"{uid}.archived")):
        target, number = trash / name, 1
        while target.exists():
            target, number = trash / f"{name}.{number}", number + 1
        with contextlib.suppress(FileNotFoundError):
            place.rename(target)


def _delete_rows(folder: StoreFolder, uids: list[str], told: Callable[[int, int], None] | None) -> None:
    with _writer(folder) as connection:
        catalog = Catalog(connection, folder)
        withdraw_runs(connection, catalog, uids)
        for begin in range(0, len(uids), _RUNS_A_TRANSACTION):
            some = uids[begin : begin + _RUNS_A_TRANSACTION]
            delete_runs(connection, some)
            if told is not None:
                told(begin + len(some), len(uids))
        tidy_up(connection)
        catalog.files.write_missing()


def _note_removed(folder: StoreFolder, uids: list[str]) -> None:
    note = folder.path / _REMOVED
    with contextlib.suppress(OSError), note.open("a", encoding="utf-8") as stream:  # no answer of this machine needs it
        stream.write("".join(f"{uid}\n" for uid in uids))


@contextlib.contextmanager
def _writer(folder: StoreFolder) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder.database, isolation_level=None, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA cache_size = -65536")
        try:
            if (found := schema_version(connection)) != SCHEMA_VERSION:
                raise SchemaVersionError(folder.path, found, SCHEMA_VERSION)
            yield connection
        except sqlite3.DatabaseError as error:
            if is_about_database(error):
                raise unavailable(folder.database, error) from error
            raise


def _write_note(folder: StoreFolder, uids: list[str]) -> None:
    note = folder.path / _NOTE
    new = note.with_name(f".{_NOTE}.new")
    try:
        with new.open("wb") as stream:
            stream.write(msgspec.json.encode(_Note(FORMAT, list(dict.fromkeys(uids)))))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(note)
        sync_folder(folder.path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise StoreUnavailableError(f"nothing was removed: {note} cannot be written: {error.strerror}") from error
