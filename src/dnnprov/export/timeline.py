"""Puts the epochs and adaptations of each training in one order, from which "what derives from what" follows.

Edges of derivation go back along this order only, so they never make a circle, which PROV-CONSTRAINTS would refuse.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

from dnnprov.export.run_facts import ADAPTATIONS, EPOCHS, Element, Task, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def timelines(tasks: Sequence[Task], elements: Iterable[Element]) -> tuple[Timeline, ...]:
    """One timeline for each training that has epochs or adaptations.

    An adaptation belongs to the training that its task depends on, else to the one whose epochs were recorded around
    it. It stands before the first epoch that trained with the new value.
    """
    rows: dict[str | None, list[Element]] = {task.id: [] for task in tasks if task.is_training}
    adaptations = []
    for element in elements:
        if element.relation != "generated":
            continue
        if element.table == EPOCHS:
            rows.setdefault(element.task, []).append(element)
        elif element.table == ADAPTATIONS:
            adaptations.append(element)
    if not rows and adaptations:
        rows[None] = []
    by_id = {task.id: task for task in tasks}
    changes: dict[str | None, list[Element]] = {}
    for adaptation in adaptations:
        changes.setdefault(_training(adaptation, rows, by_id), []).append(adaptation)
    return tuple(
        Timeline(task, tuple(_merged(epochs, changes.get(task, []))))
        for task, epochs in rows.items()
        if epochs or task in changes
    )


def _training(adaptation: Element, rows: dict[str | None, list[Element]], tasks: dict[str, Task]) -> str | None:
    """The training that an adaptation changed."""
    own_task = tasks.get(adaptation.task or "")
    for before in own_task.after if own_task else ():
        if before in rows:
            return before
    if adaptation.task in rows:
        return adaptation.task
    begun = [task for task in rows if task is None or tasks[task].order < adaptation.order]
    return begun[-1] if begun else next(iter(rows))


def _merged(epochs: list[Element], adaptations: list[Element]) -> list[Element]:
    """Epochs in the order of recording, with each adaptation at its place among them.

    The epoch that an adaptation tells decides while epochs only count up (imported files may list all adaptations
    after all epochs); where epochs come again, as in a resumed run, the order of recording does.
    """
    numbers = [epoch.epoch for epoch in epochs]
    counted = [number for number in numbers if number is not None]
    counts_up = len(counted) == len(numbers) and all(a < b for a, b in pairwise(counted))
    orders = [epoch.order for epoch in epochs]
    placed: list[tuple[int, Element]] = []
    for adaptation in adaptations:
        if counts_up and adaptation.epoch is not None:
            placed.append((bisect_left(counted, adaptation.epoch), adaptation))
        else:
            placed.append((bisect_left(orders, adaptation.order), adaptation))
    placed.sort(key=lambda pair: (pair[0], pair[1].order))
    merged, taken = [], 0
    for position, adaptation in placed:
        merged += epochs[taken:position]
        merged.append(adaptation)
        taken = max(taken, position)
    return merged + epochs[taken:]
