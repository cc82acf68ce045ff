"""Finds the segments that hold something which the database has not, cheaply where there is nothing new.

Open segments are known by their size. A run's folder whose segments are all quiet (their process is gone, and what
they hold is in) is looked into again when its own time changes, which a new segment does, or when a segment grows.

Of the archive only the folder's time is looked at: `archive` sees to it that any new segment changes it. When it did,
the runs are looked into that changed since, or were never seen.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.journal.folder import ARCHIVE_SUFFIX, SEGMENT_SUFFIX, UNWRITTEN_SUFFIX, find_note

if TYPE_CHECKING:
    from dnnprov.journal.folder import StoreFolder, UnwrittenNote
    from dnnprov.store.positions import Positions

_FINE_NS, _COARSE_NS = 50_000_000, 2_000_000_000
"""Within so much, a folder that changes twice may show the same time; the second on file systems that count seconds."""

_QUIET_STATES = frozenset({"gone", "refused", "closed"})


@dataclass
class Unread:
    """What to take in.

    Attributes:
        segments: that grew, or were never seen.
        unclosed: open segments whose process lives, as far as is known, or may go on.
        leftovers: open segments that are closed and in, and so belong into the archive.
        notes: of events that could not be written, which were not taken before.
        unreadable: what could not be read, and why.
        is_archive_read: whether nothing of that is in the archive.
    """

    segments: list[Path] = field(default_factory=list)
    unclosed: list[Path] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)
    notes: list[UnwrittenNote] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    is_archive_read: bool = True


@dataclass(frozen=True)
class _QuietRun:
    """A folder of open segments in which nothing happens: its time, and the sizes of its segments."""

    time_ns: int
    sizes: tuple[tuple[str, int], ...]


class UnreadSegments:
    """Looks through one store folder, again and again.

    Args:
        folder: of the store.
        positions: of its database.
    """

    def __init__(self, folder: StoreFolder, positions: Positions) -> None:
        self._folder = folder
        self._positions = positions
        self._quiet: dict[str, _QuietRun] = {}
        self._archive_time = 0
        self._taken_notes: set[UnwrittenNote] = set()

    def find(self) -> Unread:
        """What is new now. Open segments come first: one that is archived meanwhile is then found there."""
        unread = Unread()
        self._find_open(unread)
        self._find_archived(unread)
        return unread

    def note_read(self, unread: Unread) -> None:
        """What `find` found is in, as far as it can be read."""
        if unread.is_archive_read and _is_past(self._archive_time):
            self._positions.note_archive_time(self._archive_time)

    def note_taken(self, note: UnwrittenNote) -> None:
        """A note of events that could not be written needs not be found again."""
        self._taken_notes.add(note)

    def _find_open(self, unread: Unread) -> None:
        journal = str(self._folder.journal)
        try:
            directory = os.open(journal, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            unread.unreadable.append(reason_of(error, journal))
            return
        try:
            runs = self._changed_runs(directory)
        finally:
            os.close(directory)
        if not runs:
            return
        self._quiet = {name: quiet for name, quiet in self._quiet.items() if name not in runs}
        sizes, unsound = _sizes_of_runs(journal, sorted(runs), unread)
        unread.notes = [note for note in unread.notes if note not in self._taken_notes]
        with_notes = {note.run for note in unread.notes}
        known = self._positions.find_all(f"{run}/{name}" for run, names in sizes.items() for name in names)
        for run, names in sizes.items():
            is_quiet = _is_past(runs[run]) and run not in with_notes and run not in unsound
            for name, size in names.items():
                path = self._folder.segment(run, name)
                position = known.get(f"{run}/{name}")
                if position is None or position.state == "open":
                    unread.unclosed.append(path)
                if position is None or (position.position != size and position.state != "refused"):
                    unread.segments.append(path)
                    is_quiet = False
                    continue
                if position.state == "closed":
                    unread.leftovers.append(path)
                is_quiet = is_quiet and position.state in _QUIET_STATES
            if is_quiet:
                self._quiet[run] = _QuietRun(
                    runs[run], tuple((f"{run}/{name}{SEGMENT_SUFFIX}", size) for name, size in names.items())
                )

    def _changed_runs(self, directory: int) -> dict[str, int]:
        """Name and time of the runs' folders in which something may have happened since they were found quiet.

        Args:
            directory: the open journal folder; names relative to it are the fastest to look up.
        """
        changed, find, status = {}, self._quiet.get, os.stat
        for name in os.listdir(directory):
            if name == "archive":
                continue
            try:
                time_ns, quiet = status(name, dir_fd=directory).st_mtime_ns, find(name)
                if quiet is None or quiet.time_ns != time_ns:
                    changed[name] = time_ns
                    continue
                for segment, size in quiet.sizes:
                    if status(segment, dir_fd=directory).st_size != size:
                        changed[name] = time_ns
                        break
            except OSError:  # what is wrong with it is found out when it is looked into
                changed[name] = 0
        return changed

    def _find_archived(self, unread: Unread) -> None:
        archive = self._folder.archive
        read_until = self._positions.archive_time()
        try:
            self._archive_time = archive.stat().st_mtime_ns
            if self._archive_time == read_until:
                return
            changed = self._changed_archives(read_until)
        except FileNotFoundError:
            self._archive_time = 0
            return
        except OSError as error:
            unread.unreadable.append(reason_of(error, archive))
            unread.is_archive_read = False
            return
        num_unreadable = len(unread.unreadable)
        sizes = {name: _sizes(f"{archive}/{name}", ARCHIVE_SUFFIX, unread) for name in changed}
        unread.is_archive_read = len(unread.unreadable) == num_unreadable
        known = self._positions.find_all(f"{run}/{name}" for run, names in sizes.items() for name in names)
        for run, names in sizes.items():
            for name in names:
                position = known.get(f"{run}/{name}")
                if position is None or not position.is_final:
                    unread.segments.append(self._folder.archived(run, name))

    def _changed_archives(self, read_until: int) -> list[str]:
        """The runs whose archived segments are not all in, or may not be."""
        is_new = read_until == 0 or self._archive_time < read_until  # a clock that was set back tells nothing
        seen = set() if is_new else self._positions.runs()
        since = read_until - _tick(read_until)
        with os.scandir(self._folder.archive) as entries:
            return [
                entry.name
                for entry in entries
                if entry.is_dir() and (entry.name not in seen or entry.stat().st_mtime_ns >= since)
            ]


def reason_of(error: OSError, path: Path | str) -> str:
    """Why something cannot be read, for a person."""
    return f"{path}: {error.strerror or error}"


def _sizes_of_runs(journal: str, runs: list[str], unread: Unread) -> tuple[dict[str, dict[str, int]], set[str]]:
    """Run -> sizes of its open segments, and the runs where something cannot be read, which is told each time."""
    sizes, unsound = {}, set()
    for name in runs:
        num_unreadable = len(unread.unreadable)
        sizes[name] = _sizes(f"{journal}/{name}", SEGMENT_SUFFIX, unread)
        if len(unread.unreadable) > num_unreadable:
            unsound.add(name)
    return sizes, unsound


def _sizes(folder: str, suffix: str, unread: Unread) -> dict[str, int]:
    """Name -> size of the segments in a run's folder; notes that lie beside them go to `unread`."""
    sizes = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.endswith(suffix):
                    is_note = entry.name.endswith(UNWRITTEN_SUFFIX) and _is_text(entry.path)
                    if is_note and (note := find_note(Path(entry.path))):
                        unread.notes.append(note)
                    continue
                status = entry.stat()
                if stat.S_ISREG(status.st_mode) and _is_text(entry.path):
                    sizes[entry.name.removesuffix(suffix)] = status.st_size
                else:
                    unread.unreadable.append(f"{entry.path!r}: it is no file, or its name is no text")
    except (FileNotFoundError, NotADirectoryError):
        pass  # archived in this moment, or somebody's file beside the runs
    except OSError as error:
        unread.unreadable.append(reason_of(error, folder))
    return dict(sorted(sizes.items()))


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8, which no database takes
        return False
    return True


def _tick(time_ns: int) -> int:
    return _FINE_NS if time_ns % 10_000_000 else _COARSE_NS


def _is_past(time_ns: int) -> bool:
    """Whether a folder that changes from now on shows another time than this one of it."""
    return time.time_ns() - time_ns > _tick(time_ns)
