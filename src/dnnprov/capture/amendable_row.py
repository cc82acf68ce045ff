"""A row of what a task logs that is written at once, and amended when more is known: as an epoch is, once validated.

So it is kept over `kill -9`, and seen live, before all of it is there. An amendment says the whole row once more. It is
written only where it says something else; a value on a device is read once, however often the row is told.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dnnprov.capture.beginnings import Handle
from dnnprov.model.events import ElementAmended, ElementsRecorded
from dnnprov.model.training import output_set
from dnnprov.model.values import are_plain, number_or_none, plain_value, same_value, utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnnprov.capture.run_task import RunTask


class AmendableRow:
    """One row of the output set of a task.

    Args:
        task: that generates it.
    """

    def __init__(self, task: RunTask) -> None:
        self._task = task
        self._set = output_set(task.tag)
        self._handle: Handle | None = None
        self._told: Mapping[str, Any] = {}
        self._values: dict[str, Any] = {}

    def tell(self, values: Mapping[str, Any]) -> None:
        """Write what the row says now, where it did not say so before, with the time of now as its `timestamp`.

        Args:
            values: name -> value, all that it has.
        """
        if self._task.run.is_closed(f"{self._set} of task {self._task.tag}"):
            return
        plain = self._plain(values)
        plain.pop("timestamp", None)
        if self._handle is not None and not _differ(plain, self._values):
            return
        self._task.last_epoch = number_or_none(plain.get("epoch"))
        before = [name for name in self._values if name in plain]  # first, so that a row only grows
        row = {**{name: plain[name] for name in before}, "timestamp": utc_text(datetime.now(UTC))}
        self._write({**row, **plain} if before else {**plain, **row})
        self._told, self._values = values, plain

    def _write(self, row: dict[str, Any]) -> None:
        recorder = self._task.run.recorder
        task = recorder.reference(self._task.handle)
        element = recorder.reference(self._handle)
        if element is None:  # the first time, or it could not be written before
            self._handle = Handle(recorder.process)
            event = ElementsRecorded(task=task, set=self._set, relation="generated", rows=[row])
            recorder.record(event, self._handle)
        else:
            amended = ElementAmended(element=element, task=task, set=self._set, relation="generated", values=row)
            recorder.record(amended)

    def _plain(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if are_plain(map(type, values.values())):
            return dict(values)
        known = self._values
        return {
            name: known[name] if name in known and self._told.get(name) is value else plain_value(value)
            for name, value in values.items()
        }


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() != other.keys() or any(
        type(value) is not type(other[name]) or not same_value(value, other[name]) for name, value in one.items()
    )
