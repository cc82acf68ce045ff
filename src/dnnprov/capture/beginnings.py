"""Events that later ones build on: the run's start, its hyperparameters, its tasks.

One that cannot be written waits, and is written before anything that comes. One that is written is remembered while
what it began goes on, so that it can begin anew where its journal is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.model.events import TaskBegan

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.model.events import Event, Reference


@dataclass
class Handle:
    """What a task or file is known by.

    Attributes:
        process: that recorded it.
        seq: number of its event; `None` while it could not be written.
    """

    process: str
    seq: int | None = None


class Beginnings:
    """Those of one process of a run.

    Attributes:
        waiting: events that could not be written yet, in order, each with the handle that later ones refer to it by.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[Event, Handle]] = []
        self._going: dict[int, tuple[Event, Handle]] = {}
        self._after: dict[int, list[Handle | str]] = {}

    def note(self, event: Event, handle: Handle) -> None:
        """One is written."""
        self._going[id(handle)] = event, handle

    def forget(self, handle: Handle) -> None:
        """What one began has ended."""
        self._going.pop(id(handle), None)

    def write_waiting(
        self, write: Callable[[Event, Handle], None], reference: Callable[[Handle], Reference | None]
    ) -> None:
        """Write what waits.

        Args:
            write: writes one, and fills in its handle.
            reference: how an event refers to another.

        Raises:
            OSError: one could not be written; it waits on, with those behind it.
        """
        while self.waiting:
            event, handle = self.waiting[0]
            if isinstance(event, TaskBegan) and (after := self._after.pop(id(handle), None)) is not None:
                found = [one if isinstance(one, str) else reference(one) for one in after]
                event.after = [one for one in found if one is not None]
            write(event, handle)
            self.note(*self.waiting.pop(0))

    def begin_anew(self, process: str, first: Event) -> None:
        """The journal of a process is gone: what began there and goes on waits to be written once more.

        Tasks are then after those that go on too; of what had ended nothing is left.

        Args:
            process: name of the segment.
            first: to be written behind the beginnings, and before anything new.
        """
        lost = [(event, handle) for event, handle in self._going.values() if handle.process == process]
        known = {handle.seq: handle for _, handle in lost}
        for event, handle in lost:
            self.forget(handle)
            if isinstance(event, TaskBegan):
                self._after[id(handle)] = [one if isinstance(one, str) else known[one] for one in event.after
                                           if isinstance(one, str) or one in known]  # fmt: skip
        for _, handle in lost:
            handle.seq = None
        told = Handle(process)
        self.waiting = [*lost, (first, told), *self.waiting]
