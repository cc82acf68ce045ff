"""Finds where to read on in a segment that was cut off: emptied or truncated while it may still be written.

A process appends to its segment wherever that ends, so after the cut come events with numbers that are not known yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.journal.reader import read_chunks

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.store.positions import Position


def is_shortened(path: Path, known: Position) -> bool:
    """Whether an open segment does not hold, before its position, the line that was read there.

    One that grew past the position again has, but for chance, the middle of another line there.

    Raises:
        OSError: the segment cannot be read.
    """
    if not known.position:
        return False
    with path.open("rb") as stream:
        stream.seek(known.position - 1)
        return stream.read(1) != b"\n"


def find_unread(path: Path, sequence: int) -> int:
    """Where the first event begins that is not known; the end of the last whole line, where there is none yet.

    Args:
        path: of the segment.
        sequence: the greatest number that is known.

    Raises:
        OSError: the segment cannot be read.
    """
    end = 0
    for chunk in read_chunks(path):
        for line in chunk.lines:
            if line.event is not None and line.event.seq > sequence:
                return end
            end = line.end
    return end
