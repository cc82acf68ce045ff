"""Keeps the values of metrics in one file while a tracking store is looked through, 28 bytes each.

In memory stays, for each run, the course of each of its series, and a hash of the values. The hash is the same in
whatever order they come: kinds of stores differ in it, and a run that moved from one kind to another is the same run.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

from dnnprov.errors import ImportSourceError
from dnnprov.importers.courses import Course
from dnnprov.importers.imported_run import END_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dnnprov.importers.mlflow.tracked import Point

_KEPT = struct.Struct("<Iqqd")
_KEPT_AT_ONCE = 4096
_END_OF_MILLISECONDS = END_OF_TIME * 1000
_SECONDS_UNTIL = 100_000_000_000
"""MLflow before 1.0 wrote times of metrics in seconds; milliseconds below this would be of 1973."""

_LARGEST = 1.7976931348623157e308
_INFINITY = float("inf")
"""Databases of MLflow keep an infinity as the largest float."""


@dataclass(frozen=True)
class RunPoints:
    """The values of one run.

    Attributes:
        tags: names of its series.
        courses: of each.
        digest: over all values.
        offset, count: where they are kept.
        ended_at: microseconds since 1970, the latest of their times; 0 where there is none.
    """

    tags: tuple[str, ...]
    courses: tuple[Course, ...]
    digest: str
    offset: int
    count: int
    ended_at: int


class KeptPoints:
    """The file; while values are kept in it, a context manager.

    Args:
        path: of it; must not exist.
        source: what messages call the store that the values come from.
    """

    def __init__(self, path: Path, source: str) -> None:
        self._path = path
        self._source = source
        self._stream: IO[bytes] = path.open("xb")
        self._offset = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """All are kept, or nothing of them is needed."""
        self._stream.close()

    def keep(self, run_id: str, points: Iterable[Point]) -> RunPoints:
        """Keep the values of one run; what is done for each of millions stands in the loop, where it costs least.

        Raises:
            ImportSourceError: one of them is no value of a metric.
        """
        places: dict[str, int] = {}
        courses: list[Course] = []
        pack, write, hashed, unpacked = _KEPT.pack, self._stream.write, hashlib.blake2b, int.from_bytes
        whole = count = ended_at = 0
        before: str | None = None
        point: Point | None = None
        place, name = 0, b""
        try:
            for point in points:
                tag, step, time, value = point
                if tag != before:
                    before, known = tag, places.get(tag)
                    if known is None:
                        place = places[tag] = len(courses)
                        courses.append(Course(step, step, 0))
                        courses[place].last = step - 1
                    else:
                        place = known
                    name = hashed(tag.encode("utf-8", "backslashreplace"), digest_size=16).digest()
                    course = courses[place]
                if value in _ENDS:
                    value = _INFINITY if value > 0 else -_INFINITY
                if time < _SECONDS_UNTIL:
                    time *= 1000
                content = pack(place, step, time * 1000 if 0 < time < _END_OF_MILLISECONDS else 0, value)
                write(content)
                course.add(step)
                whole += unpacked(hashed(name + content[4:], digest_size=16).digest(), "little")
                count += 1
                ended_at = max(ended_at, time)
        except (struct.error, TypeError, AttributeError, OverflowError):
            raise ImportSourceError(self._source, _no_value(run_id, point)) from None
        offset, self._offset = self._offset, self._offset + count * _KEPT.size
        digest = f"{count} {whole % (1 << 128):032x} {sorted((tag, courses[at].count) for tag, at in places.items())!r}"
        ended_at = ended_at * 1000 if ended_at < _END_OF_MILLISECONDS else 0
        return RunPoints(tuple(places), tuple(courses), digest, offset, count, ended_at)

    def read(self, points: RunPoints) -> Iterator[tuple[int, int, int, float]]:
        """The values of a run as they came: place of the series, step, time (microseconds, 0 for none), value."""
        with self._path.open("rb") as stream:
            stream.seek(points.offset)
            left = points.count
            while left:
                num = min(left, _KEPT_AT_ONCE)
                yield from _KEPT.iter_unpack(stream.read(num * _KEPT.size))
                left -= num


_ENDS = frozenset({_LARGEST, -_LARGEST})


def _no_value(run_id: str, point: object) -> str:
    if not (isinstance(point, tuple) and len(point) == 4):
        return f"run {run_id!r} has a metric that is {str(point)[:80]!r}"
    tag, step, time, value = point
    return (
        f"metric {str(tag)[:80]!r} of run {run_id!r} has the value {str(value)[:80]!r} at step {str(step)[:30]!r} and"
        f" time {str(time)[:30]!r}; expected a number, a whole step and whole milliseconds"
    )
