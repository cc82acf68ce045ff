"""Whose a segment is: its opening event, or where that is damaged, what the path and the other events tell.

The path holds run and process, which is enough to take in everything else.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import msgspec

from dnnprov.errors import DamagedArchiveError, JournalError, LaterFormatError
from dnnprov.journal.folder import ARCHIVE_SUFFIX, SEGMENT_SUFFIX
from dnnprov.journal.reader import read_chunks, read_header
from dnnprov.model.events import FORMAT_VERSION, RunResumed, SegmentOpened

if TYPE_CHECKING:
    from pathlib import Path

_MAX_INTEGER = 2**63 - 1
"""What a column holds."""

_END_OF_TIME = 253_402_300_800_000_000
"""The year 10000, which no calendar of Python's has."""


def segment_key(path: Path) -> str:
    """The name of a segment in `journal_position`: `<run>/<process>`, open or archived."""
    return "/".join(_names(path))


def is_archived(path: Path) -> bool:
    """Whether a segment is compressed, and so complete."""
    return path.name.endswith(ARCHIVE_SUFFIX)


def is_time(microseconds: int) -> bool:
    """Whether it can be when something was recorded."""
    return 0 < microseconds < _END_OF_TIME


class Headers:
    """The opening events of segments, each read once."""

    def __init__(self) -> None:
        self._found: dict[str, SegmentOpened] = {}
        self._mended: dict[str, str] = {}

    def find(self, path: Path) -> SegmentOpened | None:
        """The opening event of a segment, `None` while it is not written yet.

        Raises:
            OSError: the segment cannot be read.
            LaterFormatError: a later dnnprov wrote it.
            DamagedArchiveError: it is damaged, and no event of it can be read.
            JournalError: no line of it is an event.
        """
        key = segment_key(path)
        header = self._found.get(key)
        if header is None:
            header = self._read(path, key)
            if header is not None:
                self._found[key] = header
        return header

    def mended_detail(self, key: str) -> str | None:
        """What was wrong in an opening event that could be read."""
        return self._mended.get(key)

    def _read(self, path: Path, key: str) -> SegmentOpened | None:
        try:
            header = read_header(path)
        except LaterFormatError:
            raise
        except JournalError:  # the line itself becomes a problem when it is taken
            return _guess_header(path)
        if header is None:
            return None
        run, process = _names(path)
        if not _is_storable(header):
            self._mended[key] = f"the opening event of segment {process} holds impossible numbers and was not believed"
            return _guess_header(path)
        if (header.run, header.process) != (run, process):
            self._mended[key] = (
                f"the opening event of segment {process} says process {header.process!r} of run {header.run!r}; "
                "the path was believed"
            )
            return msgspec.structs.replace(header, run=run, process=process)
        return header


def _names(path: Path) -> tuple[str, str]:
    suffix = ARCHIVE_SUFFIX if is_archived(path) else SEGMENT_SUFFIX
    return path.parent.name, path.name.removesuffix(suffix)


def _is_storable(header: SegmentOpened) -> bool:
    numbers = (header.rank, header.attempt, header.pid, header.started or 0)
    return is_time(header.at) and all(abs(number) <= _MAX_INTEGER for number in numbers)


def _guess_header(path: Path) -> SegmentOpened:
    """The opening event that a segment should have had.

    Raises:
        JournalError: no line of the segment is an event of ours.
    """
    run, process = _names(path)
    damage = None
    with contextlib.closing(read_chunks(path)) as chunks:  # type: ignore[type-var]
        for chunk in chunks:
            events = [line.event for line in chunk.lines if line.event is not None]
            if events:
                rank = re.match(r"r(\d{1,9})(-fork)?-", process)
                return SegmentOpened(
                    at=next((event.at for event in events if is_time(event.at)), 0),
                    format=FORMAT_VERSION,
                    run=run,
                    process=process,
                    rank=int(rank[1]) if rank else 0,
                    attempt=int(any(isinstance(event, RunResumed) for event in events)),
                    forked_from="" if rank and rank[2] else None,
                )
            damage = chunk.damage
    if damage:
        raise DamagedArchiveError(damage)
    raise JournalError(f"{path} is no journal of dnnprov: no line of it is an event")
