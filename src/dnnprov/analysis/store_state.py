"""The state of a store as a place: where its database lies, whether it can be written, what is in its folders.

None of it needs the database, so it can be told also of a store whose database cannot be opened.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.journal.reader import is_locked
from dnnprov.store.headers import segment_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder

LITTLE_BYTES = 100_000_000
"""Less room than this is worth a word."""


@dataclass(frozen=True)
class Finding:
    """Something about the store that a person should know.

    Attributes:
        kind: by which the documentation knows it.
        is_loss: whether something that was recorded is not in the database because of it.
        message: what was found.
        advice: what to do.
    """

    kind: str
    is_loss: bool
    message: str
    advice: str


ADVICE: dict[str, str] = {
    "database_elsewhere": "Journals stay in the store. Each machine that asks makes a database of its own from them.",
    "locks_unsafe": "Name a folder on a local disk with DNNPROV_CACHE; the database is made there from the journals.",
    "no_database": "Recording goes on into journals. When the cause is gone, the next question makes the database.",
    "damaged_database": "`dnnprov rebuild` makes it anew from the journals.",
    "not_writable": "Give write access. Answers are of what was taken in before; what trainings record now is lost.",
    "little_space": "Free space before it is used up: what cannot be written then is lost.",
    "unreadable_journals": "Give read access, or check the disk. They are taken in when they can be read.",
    "journals_missing": "Restore them from a copy. Do not rebuild: the database is all that is left of these runs.",
    "ranks_lost": "What they recorded is in. `dnnprov show RUN` tells how each rank does.",
    "not_archived": "They are whole. They go to the archive, compressed, when it can be written.",
}
"""Kind of finding -> what to do."""

_LOSSES = frozenset({"unreadable_journals"})


@dataclass(frozen=True)
class StoreState:
    """A store as a place.

    Attributes:
        place: its folder.
        database: path of the database.
        database_bytes, journal_bytes: on disk.
        num_open, num_archived: segments of journals.
        free_bytes: on the disk of the store; `None` where that cannot be told.
        is_writable: whether something can be recorded.
        is_followed: whether a follower is at work.
        findings: what is worth a word.
    """

    place: str
    database: str
    database_bytes: int
    journal_bytes: int
    num_open: int
    num_archived: int
    free_bytes: int | None
    is_writable: bool
    is_followed: bool
    findings: list[Finding]


def find(kind: str, message: str) -> Finding:
    """A finding with the advice for its kind."""
    return Finding(kind, kind in _LOSSES, message, ADVICE[kind])


def examine_place(folder: StoreFolder) -> StoreState:
    """Look at the folders of a store."""
    why_not = _why_not_writable(folder.journal if folder.journal.is_dir() else folder.path)
    free = _free_bytes(folder.path)
    findings = [*_about_database(folder)]
    if why_not is not None:
        findings.append(find("not_writable", f"nothing can be written to {str(folder.path)!r}: {why_not}"))
    if free is not None and free < LITTLE_BYTES:
        findings.append(find("little_space", f"{free / 1e6:.1f} MB are free on the disk of {str(folder.path)!r}"))
    open_segments, archived = list(folder.open_segments()), list(folder.archived_segments())
    return StoreState(
        place=str(folder.path),
        database=str(folder.database),
        database_bytes=num_bytes(folder.database.parent.glob(f"{folder.database.name}*")),
        journal_bytes=num_bytes([*open_segments, *archived]),
        num_open=len(open_segments),
        num_archived=len(archived),
        free_bytes=free,
        is_writable=why_not is None,
        is_followed=is_locked(folder.follower_lock),
        findings=findings,
    )


def find_missing(folder: StoreFolder, taken_in: dict[str, str]) -> list[Finding]:
    """Journals that the database has and nobody else any more, and those that should be in the archive.

    Args:
        folder: of the store.
        taken_in: state of each segment that the database knows, by its key.
    """
    open_keys = {segment_key(path) for path in folder.open_segments()}
    there = open_keys | {segment_key(path) for path in folder.archived_segments()}
    others = {"refused", "cut", "early"}
    missing = sorted(key for key, state in taken_in.items() if key not in there and state not in others)
    waiting = sorted(key for key in open_keys if taken_in.get(key) == "closed")
    found = []
    if missing:
        runs = {key.partition("/")[0] for key in missing}
        found.append(
            find("journals_missing", f"{len(missing)} journals of {len(runs)} runs are gone, the first: {missing[0]}")
        )
    if waiting:
        found.append(find("not_archived", f"{len(waiting)} closed journals are not in the archive: {waiting[0]}, ..."))
    return found


def num_bytes(paths: Iterable[Path]) -> int:
    """What files take, as far as they are there."""
    total = 0
    for path in paths:
        with suppress(OSError):  # archived in this moment
            total += path.stat().st_size
    return total


def _about_database(folder: StoreFolder) -> list[Finding]:
    place = folder.database_place
    if place.why_unsafe is not None:
        return [find("locks_unsafe", place.why_unsafe)]
    if place.why_elsewhere is not None:
        return [find("database_elsewhere", f"the database is {str(place.path)!r}: {place.why_elsewhere}")]
    return []


def _why_not_writable(folder: Path) -> str | None:
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".doctor-", buffering=0) as probe:
            probe.write(bytes(4096))
    except OSError as error:
        return error.strerror or str(error)
    return None


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free if os.path.lexists(folder) else None
    except OSError:
        return None
