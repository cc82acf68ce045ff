"""Looks through the event files of one folder once: what series there are, hyperparameters, times, what is no number.

In memory only the course of each series is kept; its numbers go to a file, a few bytes each, so that what becomes of
them can be decided when all are seen, without decoding them again.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from dnnprov.errors import ImportSourceError
from dnnprov.importers.courses import Course
from dnnprov.importers.imported_run import END_OF_TIME
from dnnprov.importers.tensorboard.messages import message_class
from dnnprov.importers.tensorboard.records import Records
from dnnprov.importers.tensorboard.scalars import number_of, what_else

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_HPARAMS = "hparams"

_KEPT = struct.Struct("<Iqqd")
_KEPT_AT_ONCE = 4096
_NEVER = 2**63 - 1


@dataclass
class Survey:
    """What the event files of a folder hold.

    Attributes:
        kept_in: the file that the numbers of all series are kept in, as `scalars` gives them.
        tags: of the series.
        courses: of each.
        numbers: tag, as it stands in the files -> its place among them.
        hyperparameters: by name.
        session_status: of the plug-in for hyperparameters: 1 success, 2 failure, 3 running; `None` where it has none.
        is_session: whether that plug-in wrote here.
        began_at, ended_at: microseconds since 1970; the first is after the last where there is no event.
        others: (word for what is no number, tag) -> how many.
        torn: names of files that end within a record -> bytes of it.
    """

    kept_in: Path
    tags: list[str] = field(default_factory=list)
    courses: list[Course] = field(default_factory=list)
    numbers: dict[bytes, int] = field(default_factory=dict)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    session_status: int | None = None
    is_session: bool = False
    began_at: int = _NEVER
    ended_at: int = -1
    others: dict[tuple[str, str], int] = field(default_factory=dict)
    torn: dict[str, int] = field(default_factory=dict)

    @property
    def series(self) -> dict[str, Course]:
        """Tag -> course of its series."""
        return dict(zip(self.tags, self.courses, strict=True))

    def meet(self, tag: bytes, step: int) -> int:
        """The place of a series of which a file has its first value."""
        place = self.numbers.get(tag)
        if place is not None:
            self.courses[place].go_on(step)
            return place
        self.numbers[tag] = len(self.tags)
        self.tags.append(_text(tag))
        self.courses.append(Course(step, step))
        return len(self.tags) - 1

    def scalars(self) -> Iterator[tuple[int, int, int, float]]:
        """Place of the series, step, time (microseconds since 1970, 0 where it is none) and value, as written."""
        with self.kept_in.open("rb") as stream:
            while block := stream.read(_KEPT.size * _KEPT_AT_ONCE):
                yield from _KEPT.iter_unpack(block)


def survey(files: Sequence[Path], kept_in: Path, read: Callable[[int], None]) -> Survey:
    """Look through files, in the order that they were written.

    Args:
        files: of one folder.
        kept_in: where their numbers are kept meanwhile; must not exist.
        read: called with the bytes read since it was called before.

    Raises:
        ImportSourceError: one of them is damaged.
    """
    found = Survey(kept_in)
    with kept_in.open("xb") as stream:
        for path in files:
            _look_through(path, found, stream, read)
    return found


def _look_through(path: Path, found: Survey, stream: IO[bytes], read: Callable[[int], None]) -> None:
    """Look through one file; what is done for each of millions of points stands in its loop, where it costs least."""
    seen: set[bytes] = set()
    numbers, courses, pack, keep, parse = found.numbers, found.courses, _KEPT.pack, stream.write, _parser(path)
    began_at, ended_at, told, records = found.began_at, found.ended_at, 0, Records(path)
    for record in records:
        event = parse(record)
        seconds, step = event.wall_time, event.step
        at = round(seconds * 1e6) if 0 < seconds < END_OF_TIME else 0
        began_at, ended_at = min(began_at, at or began_at), max(ended_at, at)
        for value in event.summary.value:
            tag = value.tag
            if value.HasField("simple_value"):
                number: float | None = value.simple_value
            else:
                number = _number(found, value)
            if number is None:
                continue
            if tag in seen:
                place = numbers[tag]
                courses[place].add(step)
            else:
                seen.add(tag)
                place = found.meet(tag, step)
            keep(pack(place, step, at, number))
        if records.num_bytes != told:
            read(records.num_bytes - told)
            told = records.num_bytes
    found.began_at, found.ended_at = began_at, ended_at
    if records.torn:
        found.torn[path.name] = records.torn


def _parser(path: Path) -> Callable[[bytes], Any]:
    """What makes an event of a record."""
    parse = message_class("Event").FromString
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - it is there, since the class is

    def parsed(record: bytes) -> Any:
        try:
            return parse(record)
        except DecodeError as error:
            raise ImportSourceError(path, f"a record is no event of TensorBoard: {error}") from None

    return parsed


def _number(found: Survey, value: Any) -> float | None:
    """The number that a value is which has it not in the simplest way; `None` for something else, which is noted."""
    plugin = _plugin(value) if value.HasField("metadata") else ""
    if plugin == _HPARAMS:
        _take_session(found, value.metadata.plugin_data.content)
        return None
    number = number_of(value)
    if number is None:
        key = what_else(value, plugin), _text(value.tag)
        found.others[key] = found.others.get(key, 0) + 1
    return number


def _take_session(found: Survey, content: bytes) -> None:
    session = message_class("HParams").FromString(content)
    found.is_session = True
    for hparam in session.session_start_info.hparams:
        value = hparam.value
        kind = next((name for name in ("number_value", "string_value", "bool_value") if value.HasField(name)), None)
        held = getattr(value, kind) if kind else None
        found.hyperparameters[_text(hparam.key)] = _text(held) if isinstance(held, bytes) else held
    if session.HasField("session_end_info"):
        found.session_status = session.session_end_info.status


def _plugin(value: Any) -> str:
    return _text(value.metadata.plugin_data.plugin_name)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
