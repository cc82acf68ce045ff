"""Reads segments back, from any byte on, open or archived.

A line counts when its newline is there. A torn tail (bytes without newline) is left alone while its process may
still write the rest; who reads decides when to give up on it. Memory stays bounded: one chunk of lines at a time.
"""

from __future__ import annotations

import functools
import gzip
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dnnprov.errors import JournalError
from dnnprov.journal.folder import ARCHIVE_SUFFIX
from dnnprov.journal.format import decode
from dnnprov.model.events import FORMAT_VERSION, SegmentOpened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnnprov.model.events import AnyEvent

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Line:
    """One line of a segment.

    Attributes:
        end: offset just after its newline, in the uncompressed segment.
        event: what it says, or
        fault: why it could not be read.
        content: its bytes, for a line with a fault (at most 2,000).
    """

    end: int
    event: AnyEvent | None
    fault: str | None = None
    content: bytes = b""


@dataclass(frozen=True)
class Chunk:
    """Whole lines read at once.

    Attributes:
        lines: in order.
        end: offset after the last whole line.
        torn: bytes after it that have no newline yet.
    """

    lines: list[Line]
    end: int
    torn: int


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.name.endswith(ARCHIVE_SUFFIX) else path.open("rb")  # type: ignore[return-value]


def read_chunks(path: Path, start: int = 0, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """Chunks of whole lines from `start`, until the end of what is there now.

    The last chunk, which may hold no line, tells about a torn tail.

    Raises:
        OSError: the segment cannot be read (FileNotFoundError where it was archived meanwhile).
    """
    with _open(path) as stream:
        stream.seek(start)
        offset, rest = start, b""
        while True:
            block = stream.read(chunk_bytes)
            if not block:
                yield Chunk([], offset, len(rest))
                return
            data = rest + block
            cut = data.rfind(b"\n") + 1
            rest = data[cut:]
            if cut:
                yield Chunk(_lines(data[:cut], offset), offset + cut, 0)
                offset += cut


def _lines(data: bytes, offset: int) -> list[Line]:
    lines = []
    for content in data.split(b"\n")[:-1]:
        offset += len(content) + 1
        if not content:
            continue
        try:
            lines.append(Line(offset, decode(content)))
        except JournalError as error:
            lines.append(Line(offset, None, str(error), content[:2000]))
    return lines


def read_header(path: Path) -> SegmentOpened | None:
    """The opening event of a segment, `None` while it is not written yet.

    Raises:
        JournalError: the file does not begin with one, or its format is of a later version.
    """
    with _open(path) as stream:
        first = stream.readline(1 << 16)
    if not first.endswith(b"\n"):
        return None
    event = decode(first)
    if not isinstance(event, SegmentOpened):
        raise JournalError(f"{path} begins with {type(event).__name__}; expected SegmentOpened")
    if event.format > FORMAT_VERSION:
        raise JournalError(
            f"{path} has journal format {event.format}, this dnnprov reads up to {FORMAT_VERSION}; "
            "upgrade with: pip install --upgrade dnnprov"
        )
    return event


@functools.cache
def machine_boot() -> str | None:
    """What a process id is relative to: this boot of this machine and its pid name space; `None` where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def process_started(pid: int) -> int | None:
    """Start of a process in clock ticks since boot; `None` where there is none or it is a zombie, or off Linux."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def is_process_gone(header: SegmentOpened) -> bool | None:
    """Whether the process of a segment has ended: `True`, `False`, or `None` where this machine cannot tell."""
    if header.boot is not None and header.boot == machine_boot():
        return process_started(header.pid) != header.started
    if header.boot is None and header.host == socket.gethostname():  # no /proc: a re-used pid looks alive
        try:
            os.kill(header.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass
    return None
