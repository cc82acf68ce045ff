"""Looks through the event files of one folder once: what series there are, hyperparameters, times, what is no number.

In memory only the course of each series is kept; its numbers go to a file, a few bytes each, so that what becomes of
them can be decided when all are seen, without decoding them again.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from dnnprov.errors import ImportSourceError
from dnnprov.importers.imported_run import microseconds
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
class Course:
    """The course of a series.

    Attributes:
        first, last: its steps.
        count: of its values.
        is_consecutive: whether each step is one more than the one before; a later file may go back.
    """

    first: int
    last: int
    count: int = 1
    is_consecutive: bool = True

    def add(self, step: int, *, is_first_of_file: bool) -> None:
        """One more value came."""
        if step != self.last + 1 and not (is_first_of_file and self.first <= step <= self.last):
            self.is_consecutive = False
        self.last = step
        self.count += 1


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

    def begin(self, tag: bytes, step: int) -> int:
        """The place of a new series."""
        self.numbers[tag] = len(self.tags)
        self.tags.append(_text(tag))
        self.courses.append(Course(step, step))
        return len(self.tags) - 1

    def note_time(self, at: int) -> None:
        """An event has this time."""
        self.began_at, self.ended_at = min(self.began_at, at), max(self.ended_at, at)

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
    """Look through one file; what is done for each of millions of points stands in its loop."""
    seen: set[bytes] = set()
    numbers, courses, pack, keep = found.numbers, found.courses, _KEPT.pack, stream.write
    for event in _events(path, read, found):
        at, step = microseconds(event.wall_time) or 0, event.step
        if at and not (found.began_at <= at <= found.ended_at):
            found.note_time(at)
        for value in event.summary.value:
            tag = value.tag
            if value.HasField("simple_value"):
                number: float | None = value.simple_value
            else:
                number = _number(found, value)
            if number is None:
                continue
            place = numbers.get(tag)
            if place is None:
                place = found.begin(tag, step)
            else:
                courses[place].add(step, is_first_of_file=tag not in seen)
            seen.add(tag)
            keep(pack(place, step, at, number))


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


def _events(path: Path, read: Callable[[int], None], found: Survey) -> Iterator[Any]:
    parse, told = message_class("Event").FromString, 0
    records = Records(path)
    for record in records:
        try:
            event = parse(record)
        except Exception as error:  # google.protobuf.message.DecodeError, which is not loaded until then
            if type(error).__name__ != "DecodeError":
                raise
            raise ImportSourceError(path, f"a record is no event of TensorBoard: {error}") from None
        yield event
        if records.num_bytes != told:
            read(records.num_bytes - told)
            told = records.num_bytes
    read(records.num_bytes - told)
    if records.torn:
        found.torn[path.name] = records.torn


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
