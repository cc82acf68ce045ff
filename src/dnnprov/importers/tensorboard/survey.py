"""Looks through the event files of one folder once: what series there are, hyperparameters, times, what is no number.

Of a series only its course is kept, so that memory does not grow with the number of points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnnprov.errors import ImportSourceError
from dnnprov.importers.imported_run import microseconds
from dnnprov.importers.tensorboard.messages import message_class
from dnnprov.importers.tensorboard.records import Records
from dnnprov.importers.tensorboard.scalars import scalar_of, what_else

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_HPARAMS = "hparams"


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
        self.is_consecutive &= step == self.last + 1 or (is_first_of_file and self.first <= step <= self.last)
        self.last = step
        self.count += 1


@dataclass
class Survey:
    """What the event files of a folder hold.

    Attributes:
        series: tag -> its course.
        hyperparameters: by name.
        session_status: of the plug-in for hyperparameters: 1 success, 2 failure, 3 running; `None` where it has none.
        is_session: whether that plug-in wrote here.
        began_at, ended_at: microseconds since 1970; `None` where there is no event.
        others: (word for what is no number, tag) -> how many.
        torn: names of files that end within a record -> bytes of it.
    """

    series: dict[str, Course] = field(default_factory=dict)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    session_status: int | None = None
    is_session: bool = False
    began_at: int | None = None
    ended_at: int | None = None
    others: dict[tuple[str, str], int] = field(default_factory=dict)
    torn: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Scalar:
    """A number of a series; `at` in microseconds since 1970, 0 where that is no time."""

    tag: str
    step: int
    at: int
    value: float | int


def survey(files: Sequence[Path], read: Callable[[int], None]) -> Survey:
    """Look through files, in the order that they were written.

    Args:
        files: of one folder.
        read: called with the bytes read since it was called before.

    Raises:
        ImportSourceError: one of them is damaged.
    """
    found = Survey()
    for path in files:
        seen: set[str] = set()
        for event in _events(path, read, found):
            _note_time(found, event.wall_time)
            for value in event.summary.value:
                _take(found, value, event.step, seen)
    return found


def scalars(files: Sequence[Path], read: Callable[[int], None]) -> Iterator[Scalar]:
    """The numbers of all series, as they were written; what `survey` refused is not met again."""
    names: dict[bytes, str] = {}
    for path in files:
        for event in _events(path, read, None):
            at = 0
            for value in event.summary.value:
                number = scalar_of(value)
                if number is None or (value.HasField("metadata") and _plugin(value) == _HPARAMS):
                    continue
                tag = value.tag
                name = names.get(tag)
                if name is None:
                    name = names[tag] = _text(tag)
                at = at or microseconds(event.wall_time) or 0
                yield Scalar(name, event.step, at, number)


def _events(path: Path, read: Callable[[int], None], found: Survey | None) -> Iterator[Any]:
    kind = message_class("Event")
    parse, told = kind.FromString, 0
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
    if records.torn and found is not None:
        found.torn[path.name] = records.torn


def _note_time(found: Survey, wall_time: float) -> None:
    at = microseconds(wall_time) if math.isfinite(wall_time) else None
    if at:
        found.began_at = at if found.began_at is None else min(found.began_at, at)
        found.ended_at = at if found.ended_at is None else max(found.ended_at, at)


def _take(found: Survey, value: Any, step: int, seen: set[str]) -> None:
    plugin = _plugin(value) if value.HasField("metadata") else ""
    if plugin == _HPARAMS:
        _take_session(found, value.metadata.plugin_data.content)
        return
    tag = _text(value.tag)
    if scalar_of(value) is None:
        key = what_else(value, plugin), tag
        found.others[key] = found.others.get(key, 0) + 1
        return
    course = found.series.get(tag)
    if course is None:
        found.series[tag] = Course(step, step)
    else:
        course.add(step, is_first_of_file=tag not in seen)
    seen.add(tag)


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
