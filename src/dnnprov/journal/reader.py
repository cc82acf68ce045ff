"""Reads segments back, from any byte on, open or archived.

A line counts when its newline is there. A torn tail (bytes without newline) is left alone while its process may
still write the rest; who reads decides when to give up on it. Memory stays bounded: one chunk of lines at a time.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import stat
import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dnnprov.errors import DamagedArchiveError, JournalError, LaterFormatError
from dnnprov.journal.folder import ARCHIVE_SUFFIX
from dnnprov.journal.format import decode, decode_lines
from dnnprov.model.events import FORMAT_VERSION, SegmentOpened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnnprov.model.events import AnyEvent

CHUNK_BYTES = 1 << 20

_PACKED_BYTES = 64 << 10
"""Some ten times of it come out."""

_HEADER_BYTES = 64 << 10
"""More than any opening event has."""

_GZIP = 31
"""What zlib calls the gzip format."""


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

    @property
    def is_cut_off(self) -> bool:
        """Whether it is the beginning of an event and no more: a write came out short."""
        return self.fault is not None and "Input data was truncated" in self.fault


@dataclass(frozen=True)
class Chunk:
    """Whole lines read at once.

    Attributes:
        content: the lines, each with its newline.
        start: offset of the first one.
        torn: bytes after the last one that have no newline yet.
        damage: why what follows in an archived segment cannot be read.
    """

    content: bytes
    start: int
    torn: int = 0
    damage: str | None = None

    @property
    def end(self) -> int:
        """Offset after the last whole line."""
        return self.start + len(self.content)

    def after(self, rest: bytes) -> Chunk:
        """The same with lines before it that were read and not taken."""
        return replace(self, content=rest + self.content, start=self.start - len(rest)) if rest else self

    def split(self, most_bytes: int) -> tuple[Chunk, bytes]:
        """The lines up to the last event, and those after it, that cannot be read: what follows tells what they were.

        Args:
            most_bytes: of lines that cannot be read, after which they are not waited with.
        """
        if self.events is not None or not self.lines or self.lines[-1].event is not None:
            return self, b""
        end = next((line.end for line in reversed(self.lines) if line.event is not None), self.start) - self.start
        rest = self.content[end:]
        return (self, b"") if len(rest) > most_bytes else (replace(self, content=self.content[:end]), rest)

    @cached_property
    def events(self) -> list[AnyEvent] | None:
        """What the lines say, decoded at once; `None` where `lines` has to tell which of them cannot be read."""
        return decode_lines(self.content)

    @cached_property
    def lines(self) -> list[Line]:
        """One by one, in order; empty ones are left out."""
        lines, end = [], self.start
        for content in self.content.split(b"\n")[:-1]:
            end += len(content) + 1
            if not content:
                continue
            try:
                lines.append(Line(end, decode(content)))
            except JournalError as error:
                lines.append(Line(end, None, str(error), content[:2000]))
        return lines


def read_blocks(path: Path, start: int = 0, block_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """What a segment holds from a byte on, in blocks, unpacked where it is archived.

    Raises:
        OSError: the segment cannot be read (FileNotFoundError where it was archived meanwhile).
        JournalError: it is a pipe or a device.
        DamagedArchiveError: it cannot be unpacked to its end; what could be came before.
    """
    with open(path, "rb", opener=_open_now) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise JournalError(f"{path} is no file, but a pipe or a device")
        if not path.name.endswith(ARCHIVE_SUFFIX):
            stream.seek(start)
            while block := stream.read(block_bytes):
                yield block
            return
        for unpacked in _unpack(stream, path):
            for begin in range(min(start, len(unpacked)), len(unpacked), block_bytes):
                yield unpacked[begin : begin + block_bytes]
            start = max(0, start - len(unpacked))


def _open_now(path: str, flags: int) -> int:
    """Open without waiting for whoever is to write, as it is done for a pipe."""
    return os.open(path, flags | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))


def _unpack(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    """The content of a gzip file; of one that is damaged, everything before the damage.

    The standard library's reader drops up to a buffer before it, which of a small segment is all there is.
    """
    unpacker, is_whole = zlib.decompressobj(_GZIP), False
    while packed := stream.read(_PACKED_BYTES):
        while packed:
            before = unpacker.copy()
            try:
                unpacked = unpacker.decompress(packed)
            except zlib.error as error:
                yield _salvage(before, packed)
                raise DamagedArchiveError(f"the archived segment {path} is damaged: {error}") from None
            yield unpacked
            packed, is_whole = unpacker.unused_data, unpacker.eof
            if is_whole:
                unpacker = zlib.decompressobj(_GZIP)
    if not is_whole:
        raise DamagedArchiveError(f"the archived segment {path} ends early")


def _salvage(unpacker: zlib._Decompress, packed: bytes) -> bytes:
    """What comes out byte by byte until the damage is met."""
    unpacked = bytearray()
    with contextlib.suppress(zlib.error):
        for number in range(len(packed)):
            unpacked += unpacker.decompress(packed[number : number + 1])
    return bytes(unpacked)


def read_chunks(path: Path, start: int = 0, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """Chunks of whole lines from `start`, until the end of what is there now.

    The last chunk, which may hold no line, tells about a torn tail, and about an archive that is damaged.

    Raises:
        OSError: the segment cannot be read (FileNotFoundError where it was archived meanwhile).
        JournalError: it is a pipe or a device.
    """
    offset, damage = start, None
    pieces: list[bytes] = []  # of a line whose end has not come; one line may be far longer than a chunk
    try:
        for block in read_blocks(path, start, chunk_bytes):
            cut = block.rfind(b"\n") + 1
            if not cut:
                pieces.append(block)
                continue
            data = b"".join([*pieces, block[:cut]])
            pieces = [block[cut:]]
            yield Chunk(data, offset)
            offset += len(data)
    except DamagedArchiveError as error:
        damage = str(error)
    yield Chunk(b"", offset, sum(map(len, pieces)), damage)


def read_header(path: Path) -> SegmentOpened | None:
    """The opening event of a segment, `None` while it is not written yet.

    Raises:
        OSError: the segment cannot be read.
        LaterFormatError: a later dnnprov wrote it.
        JournalError: the file does not begin with such an event, or is none.
    """
    first = b""
    with contextlib.closing(read_blocks(path, 0, _HEADER_BYTES)) as blocks:  # type: ignore[type-var]
        for block in blocks:
            first += block
            if b"\n" in block or len(first) >= _HEADER_BYTES:
                break
    line, newline, _ = first.partition(b"\n")
    if not newline and len(first) < _HEADER_BYTES and not path.name.endswith(ARCHIVE_SUFFIX):
        return None
    event = decode(line)
    if not isinstance(event, SegmentOpened):
        raise JournalError(f"{path} begins with {type(event).__name__}; expected SegmentOpened")
    if event.format > FORMAT_VERSION:
        raise LaterFormatError(
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
    """Start of a process in clock ticks since boot; `None` where it cannot be seen or is a zombie, or off Linux."""
    try:
        return _read_start(pid)
    except OSError:
        return None


def _read_start(pid: int) -> int | None:
    """As `process_started`, of a process that can be seen.

    Raises:
        OSError: it cannot be: there is none, it is hidden from this user (`hidepid`), or no file can be opened.
    """
    status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = status.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def is_process_gone(header: SegmentOpened) -> bool | None:
    """Whether the process of a segment has ended: `True`, `False`, or `None` where this machine cannot tell."""
    if header.boot is not None and header.boot == machine_boot():
        try:
            started = _read_start(header.pid)
        except OSError:
            return _is_pid_free(header.pid) or None
        if started is None:
            return True
        return started != header.started if header.started is not None else None
    if header.boot is None and header.host == socket.gethostname():  # no /proc: a re-used pid looks alive
        return _is_pid_free(header.pid) or None
    return None


def _is_pid_free(pid: int) -> bool:
    """Whether no process has a pid, also none that this user may not see."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it is another user's, or no pid at all
        return False
    return False


def is_locked(path: Path) -> bool:
    """Whether a live process holds the lock of a file; it ends with the process, however that ends."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows

        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    else:
        return False
    finally:
        os.close(descriptor)
