"""All that journals have of one run, for those who go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.journal.reader import read_chunks
from dnnprov.model.events import SegmentOpened

if TYPE_CHECKING:
    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.events import AnyEvent


def read_run(folder: StoreFolder, uid: str) -> list[tuple[SegmentOpened, list[AnyEvent]]]:
    """The events of each process of a run, in the order that they began; damaged lines are left out.

    Raises:
        OSError: the journals cannot be read.
    """
    try:
        found = _read(folder, uid)
    except FileNotFoundError:  # archived in this moment
        found = _read(folder, uid)
    return sorted(found.values(), key=lambda one: (one[0].at, one[0].process))


def _read(folder: StoreFolder, uid: str) -> dict[str, tuple[SegmentOpened, list[AnyEvent]]]:
    """By the name of the process; a segment that is being archived may be there twice."""
    found = {}
    for path in folder.run_segments(uid):
        events = [line.event for chunk in read_chunks(path) for line in chunk.lines if line.event is not None]
        if events and isinstance(events[0], SegmentOpened):
            found[events[0].process] = (events[0], events)
    return found
