"""The framing of event files: TFRecord, with a checksum of each length and of each record.

A record is its length (8 bytes, little-endian), the masked CRC32C of that, the data, and the masked CRC32C of the data.
(TensorFlow, `tensorflow/core/lib/io/record_writer.h`, `tensorflow/core/lib/hash/crc32c.h`.)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.errors import ImportSourceError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_READ_BYTES = 1 << 20
_HEAD, _TAIL = struct.Struct("<QI"), struct.Struct("<I")
_AROUND = _HEAD.size + _TAIL.size
_MASK_DELTA = 0xA282EAD8
"""A checksum is rotated by 15 bits to the right, and this is added; in the loop itself, since a call costs as much."""

MAX_RECORD_BYTES = 1 << 31
"""Of a message of protobuf."""


@dataclass
class Records:
    """The records of one file, from its beginning to its end, once.

    Args:
        path: of the file.

    Attributes:
        torn: bytes at the end that are half a record: its process was killed, or still writes.
        num_bytes: read so far.
    """

    path: Path
    torn: int = 0
    num_bytes: int = 0

    def __iter__(self) -> Iterator[bytes]:
        """Each record.

        Raises:
            ImportSourceError: a checksum is wrong.
            MissingExtraError: what computes them is not installed.
        """
        checksum, head, tail = _checksum(), _HEAD.unpack_from, _TAIL.unpack_from
        buffer, begin, end, offset = b"", 0, 0, 0  # offset: of the buffer in the file
        with self.path.open("rb") as stream:
            while True:
                data_at, need = begin + _HEAD.size, _HEAD.size
                if data_at <= end:
                    length, expected = head(buffer, begin)
                    found = checksum(buffer[begin : begin + 8])
                    if (
                        (found >> 15 | found << 17) + _MASK_DELTA
                    ) & 0xFFFFFFFF != expected or length > MAX_RECORD_BYTES:
                        raise self._damage(offset + begin, "length")
                    need, data_end = length + _AROUND, data_at + length
                    if data_end + _TAIL.size <= end:
                        data = buffer[data_at:data_end]
                        found = checksum(data)
                        if ((found >> 15 | found << 17) + _MASK_DELTA) & 0xFFFFFFFF != tail(buffer, data_end)[0]:
                            raise self._damage(offset + begin, "data")
                        begin = data_end + _TAIL.size
                        yield data
                        continue
                more = stream.read(max(_READ_BYTES, need))
                self.num_bytes += len(more)
                offset += begin
                buffer, begin = buffer[begin:] + more, 0
                end = len(buffer)
                if not more:
                    self.torn = end
                    return

    def _damage(self, offset: int, part: str) -> ImportSourceError:
        return ImportSourceError(
            self.path,
            f"the checksum of the {part} of the record at byte {offset} is wrong: the file is damaged, or is no event"
            " file; restore it from a copy, or move it away",
        )


def _checksum() -> Callable[[bytes], int]:
    try:
        import google_crc32c  # noqa: PLC0415 - only who imports such files needs it
    except ImportError:
        raise MissingExtraError("importing event files of TensorBoard", "tensorboard") from None
    return google_crc32c.value  # type: ignore[no-any-return]
