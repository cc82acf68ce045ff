"""Puts the adaptations of a training at their places among its epochs; the same rules as in an export to PROV.

Edges go back along this order only: an epoch derives from the one before and the adaptations between, an adaptation
from the epoch before it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from math import isfinite
from operator import attrgetter, itemgetter, lt
from typing import TYPE_CHECKING, Any

from dnnprov.analysis.lineage.nodes import Change, Line, Reached, Step, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dnnprov.analysis.lineage.nodes import Activity, DataSet, Order, Rows, RowTuple, Run


def epoch_number(value: Any) -> int | None:
    """The epoch that a row tells, if it is one."""
    return int(value) if isinstance(value, int | float) and isfinite(value) else None


def sort_rows(run: Run, rows: list[RowTuple]) -> None:
    """Put rows into the order of recording."""
    if len({row[0] for row in rows}) <= 1:
        rows.sort(key=itemgetter(1, 2))
    else:
        rows.sort(key=lambda row: run.order(*row[:3]))


def add_lines(run: Run, epochs: Mapping[Activity, Rows], changes: Sequence[Change], sets: tuple[DataSet, Rows]) -> None:
    """Give each training of a run its line.

    Args:
        run: whose tasks are known.
        epochs: activity -> the epochs that it generated.
        changes: of the run, in the order of recording.
        sets: of adaptations, and no epochs, for a training that has none.
    """
    activities: list[Activity] = [task for task in run.tasks if task.is_training]
    activities += [activity for activity in epochs if activity not in activities]
    if not activities and changes:
        activities = [run]
    of_activity: dict[Activity, list[Change]] = {}
    for change in changes:
        of_activity.setdefault(_training(change, activities), []).append(change)
    for activity in activities:
        if activity in epochs or activity in of_activity:
            own = of_activity.get(activity, [])
            adapting = tuple(dict.fromkeys(change.activity for change in own))
            activity.line = Line(activity, epochs.get(activity, sets[1]), sets[0], own, adapting)
            for adapter in adapting:
                adapter.adapted.append(activity.line)


def _training(change: Change, activities: Sequence[Activity]) -> Activity:
    """The training that an adaptation changed: the one its task depends on, else the last begun before it."""
    own = change.activity
    if isinstance(own, Task):
        for before in own.after:
            if before in activities:
                return before
        if own in activities:
            return own
    elif own in activities:
        return own
    begun = [one for one in activities if not isinstance(one, Task) or one.order < change.order]
    return begun[-1] if begun else activities[0]


def place(line: Line, read: Callable[[Iterable[Rows]], None]) -> None:
    """Find the place of each adaptation among the epochs.

    The epoch that an adaptation tells decides while epochs only count up (imported files may list all adaptations
    after all epochs); where epochs come again, as in a resumed run, the order of recording does.

    Args:
        line: of the training.
        read: reads the epochs, where their numbers are not known or do not suffice.
    """
    if line.is_placed:
        return
    line.is_placed = True
    if not line.changes:
        return
    counted = _counted_up(line.numbers) if line.numbers is not None else None
    if counted is None or any(change.epoch is None for change in line.changes):
        read([line.epochs])
        counted = _counted_up([epoch_number(row[3]) for row in line.epochs.rows or []])
    for change in line.changes:
        if counted is not None and change.epoch is not None:
            change.gap = bisect_left(counted, change.epoch)
        else:
            change.gap = _position(line.activity.run, line.epochs.rows or [], change.order)
    line.changes.sort(key=attrgetter("gap", "order"))
    line.gaps = [change.gap for change in line.changes]


def _counted_up(numbers: Sequence[int | None]) -> Sequence[int] | None:
    """The numbers, if all epochs tell theirs and each is above the one before."""
    if isinstance(numbers, range):
        return numbers
    counted = [number for number in numbers if number is not None]
    return counted if len(counted) == len(numbers) and all(map(lt, counted, counted[1:])) else None


def _position(run: Run, rows: list[RowTuple], order: Order) -> int:
    return bisect_left(rows, order, key=lambda row: run.order(*row[:3]))


@dataclass(eq=False, slots=True)
class LineVisit:
    """Where a line was entered.

    Attributes:
        is_back: towards the causes, so to earlier epochs.
        epochs: number of an epoch -> how it was entered.
        every_epoch: how all epochs were, where they were reached together.
        changes: number of an adaptation -> how it was entered.
        changes_of: activity -> how all adaptations that it made were, in a line whose places need not be known.
    """

    line: Line
    is_back: bool
    epochs: dict[int, Reached] = field(default_factory=dict)
    every_epoch: Reached | None = None
    changes: dict[int, Reached] = field(default_factory=dict)
    changes_of: dict[Activity, Reached] = field(default_factory=dict)
    _nearest: int = 1 << 62

    def enter(self, epoch: int, reached: Reached) -> bool:
        """Enter at an epoch; false where it is as near already."""
        every = self.every_epoch
        if every is not None and every.distance <= reached.distance:
            return False
        towards = 1 if self.is_back else -1
        for steps in range(reached.distance - self._nearest + 1):
            known = self.epochs.get(epoch + towards * steps)
            if known is not None and known.distance + steps <= reached.distance:
                return False
        self._nearest = min(self._nearest, reached.distance)
        self.epochs[epoch] = reached
        return True

    def epoch_indices(self) -> range:
        """The epochs that are reached, from where the line was entered on."""
        count = self.line.epochs.count
        if self.every_epoch is not None:
            return range(count)
        if not self.epochs:
            return range(0)
        return range(max(self.epochs) + 1) if self.is_back else range(min(self.epochs), count)

    def reached_epochs(self) -> Iterator[tuple[int, Reached]]:
        """Every epoch that is reached, and how; in the order of the walk."""
        indices = self.epoch_indices()
        near = every = self.every_epoch
        step = -1 if self.is_back else 1
        for index in reversed(indices) if self.is_back else indices:
            if near is not None and near is not every:
                near = Reached(near.distance + 1, "wasDerivedFrom", Step(self.line, "epoch", index - step))
            for other in (self.epochs.get(index), every):
                if other is not None and (near is None or other.distance < near.distance):
                    near = other
            if near is not None:
                yield index, near

    def reached_changes(self) -> dict[int, Reached]:
        """Every adaptation that is reached, by itself or over the epoch beside it, and how."""
        line, found = self.line, dict(self.changes)
        for number, change in enumerate(line.changes):
            together = self.changes_of.get(change.activity)
            if together is not None and (number not in found or together.distance < found[number].distance):
                found[number] = together
        if line.is_placed and (self.epochs or self.every_epoch is not None):
            beside = self._distances_at({self._beside(change) for change in line.changes})
            for number, change in enumerate(line.changes):
                index = self._beside(change)
                distance = beside.get(index)
                if distance is not None and (number not in found or distance + 1 < found[number].distance):
                    found[number] = Reached(distance + 1, "wasDerivedFrom", Step(line, "epoch", index))
        return found

    def _beside(self, change: Change) -> int:
        """Number of the epoch over which an adaptation is reached."""
        return change.gap if self.is_back else change.gap - 1

    def _distances_at(self, wanted: set[int]) -> dict[int, int]:
        """How far some epochs are, without a step on each of the others."""
        indices = self.epoch_indices()
        most = 1 << 62 if self.every_epoch is None else self.every_epoch.distance
        found: dict[int, int] = {}
        near, last = most, 0
        for index in sorted({*wanted, *self.epochs}, reverse=self.is_back):
            near = min(near + abs(index - last), most)
            last = index
            if index in self.epochs:
                near = min(near, self.epochs[index].distance)
            if index in wanted and index in indices:
                found[index] = near
        return found
