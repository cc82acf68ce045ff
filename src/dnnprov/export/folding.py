"""Folds a long run into one that fits a page: epochs into phases, many of a kind into one that says how many.

What is folded keeps the relations of its parts, so a folded run is a valid PROV document too.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from dnnprov.analysis.adaptations import adaptations_text, is_change
from dnnprov.export.run_facts import (
    ADAPTATIONS,
    EPOCHS,
    FILTER_NAME,
    PARAMETERS,
    TESTS,
    Element,
    File,
    RunFacts,
    Series,
    Task,
    Timeline,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from typing import TypeVar

    T = TypeVar("T")

MAX_STEPS = 6
"""Epochs and adaptations of one training that are drawn one by one; more are folded into phases."""

MAX_PHASES = 4
"""Phases of one training; where adaptations make more, those in the middle are folded into one."""

MAX_OF_A_KIND = 2
"""Elements or files of one task and kind that are drawn one by one."""

MAX_TASKS = 7
"""Tasks that are drawn one by one; more are folded by transformation."""

_BRIEF_SETS = frozenset({PARAMETERS, TESTS})
"""Tables of elements that a brief run keeps, beside what tasks generated."""

_CHANGED = frozenset({"old_value", "new_value"})
"""Attributes of an adaptation whose value is taken from the first and the last of several."""

_HIGHER_IS_BETTER = re.compile(r"acc|auc|f1|precision|recall|iou|bleu|r2|score", re.IGNORECASE)
_LOWER_IS_BETTER = re.compile(r"loss|error|mae|mse|rmse|perplexity", re.IGNORECASE)


def folded(facts: RunFacts) -> RunFacts:
    """The run with everything that is long folded; a short run stays as it is."""
    facts = _with_few_tasks(facts)
    max_steps = max(2, MAX_STEPS // max(1, len(facts.timelines)))
    return replace(
        facts,
        timelines=tuple(Timeline(line.task, _few_steps(line.steps, max_steps)) for line in facts.timelines),
        elements=_few(facts.elements, lambda e: (e.table, e.relation, e.task), _one_element),
        files=_few(facts.files, lambda f: (f.relation, f.task, f.role), _one_file),
        series=_few_series(facts.series),
        environments=facts.environments[:1],
    )


def brief(facts: RunFacts) -> RunFacts:
    """The run in a few words, to stand beside others: one phase a training, what it learnt with, and what came out."""
    facts = _with_few_tasks(facts)
    elements = [one for one in facts.elements if one.table in _BRIEF_SETS or one.relation == "generated"]
    return replace(
        facts,
        timelines=tuple(Timeline(line.task, _one_phase(line.steps)) for line in facts.timelines),
        elements=_few(elements, lambda e: (e.table, e.relation, e.task), _one_element),
        files=_few([file for file in facts.files if _is_telling(file)], lambda f: (f.relation, f.task), _one_file),
        series=(),
        environments=(),
        agents=tuple(agent for agent in facts.agents if agent.kind == "person"),
        program=None,
    )


def _one_phase(steps: Sequence[Element]) -> tuple[Element, ...]:
    """All adaptations, by the task that made them, then all epochs."""
    kinds = [[step for step in steps if step.table == table] for table in (ADAPTATIONS, EPOCHS)]
    return tuple(step for same in kinds if same for step in _one_or_few(same))


def _with_changes_apart(steps: Sequence[Element]) -> list[Element]:
    """The steps, rows of oAdaptation that changed nothing moved to the next change; so only changes divide phases.

    Those after the last change stand with it; where nothing was changed at all, they stand before all epochs.
    """
    moved: list[Element] = []
    waiting: list[Element] = []
    place = 0
    for step in steps:
        if step.table == ADAPTATIONS and not is_change(step.values):
            waiting.append(step)
            continue
        if step.table == ADAPTATIONS:
            moved += waiting
            waiting = []
        moved.append(step)
        if step.table == ADAPTATIONS:
            place = len(moved)
    return [*moved[:place], *waiting, *moved[place:]]


def _is_telling(file: File) -> bool:
    return (file.role or "").lower() == "model" or file.earlier is not None


def _few(things: Sequence[T], kind: Callable[[T], Hashable], fold: Callable[[list[T]], T]) -> tuple[T, ...]:
    """The things, those of a kind that has many folded into one, where the first of them stood."""
    kinds: dict[Hashable, list[T]] = {}
    for thing in things:
        kinds.setdefault(kind(thing), []).append(thing)
    few: list[T] = []
    for same in kinds.values():
        few += same if len(same) <= MAX_OF_A_KIND else [fold(same)]
    return tuple(few)


def _one_element(elements: list[Element]) -> Element:
    num_rows = sum(element.num_rows for element in elements)
    names = dict.fromkeys(str(one.values[FILTER_NAME]) for one in elements if FILTER_NAME in one.values)
    values: dict[str, Value] = {FILTER_NAME: ", ".join(names)} if names else {}
    return replace(_span(elements), num_rows=num_rows, label=f"{num_rows} rows of {elements[0].set}", values=values)


def _span(elements: Sequence[Element]) -> Element:
    """One element for several; named for the first and the last, so that one that grew is another."""
    first, last = elements[0], elements[-1]
    ends = last.id.removeprefix("element-")
    return replace(first, id=f"{first.id}--{ends}", recorded_at=last.recorded_at, members=())


def _one_file(files: list[File]) -> File:
    """Several files as one: each path counts once, with the size that it had last."""
    first, last = files[0], files[-1]
    latest = {file.path: file for file in files}
    one = replace(
        last,
        id=f"{first.id}--{last.id.removeprefix('file-')}",
        order=first.order,
        num_files=len(latest),
        num_versions=len(files),
    )
    if len(latest) == 1:
        return one
    sizes = [file.size for file in latest.values() if file.size is not None]
    return replace(one, size=sum(sizes) if sizes else None, sha256=None, earlier=None, note=None)


def _few_series(series: tuple[Series, ...]) -> tuple[Series, ...]:
    if len(series) <= MAX_OF_A_KIND:
        return series
    num_values = sum(int(one.values.get("numValues", 0)) for one in series)
    return (Series("series", f"{len(series)} metrics", series[0].rank, {"numValues": num_values}),)


def _few_steps(steps: Sequence[Element], max_steps: int) -> tuple[Element, ...]:
    """Epochs between adaptations as phases, adaptations between epochs as one for each task that made some.

    Where that makes too many phases, all in the middle are taken together.
    """
    if len(steps) <= max_steps:
        return tuple(steps)
    steps = _with_changes_apart(steps)
    groups = [list(group) for _, group in groupby(steps, key=lambda step: step.table)]
    phases = [position for position, group in enumerate(groups) if group[0].table == EPOCHS]
    if len(phases) > MAX_PHASES:
        start, end = phases[0] + 1, phases[-1] - 1  # between the first phase and the last adaptation that has one after
        middle = [step for group in groups[start:end] for step in group]
        changes = [step for step in middle if step.table == ADAPTATIONS]
        epochs = [step for step in middle if step.table == EPOCHS]
        groups[start:end] = [changes, epochs]
    return tuple(step for group in groups for step in _one_or_few(group))


def _one_or_few(group: list[Element]) -> list[Element]:
    if group[0].table == EPOCHS:
        return [_phase(group)]
    by_task: dict[str | None, list[Element]] = {}
    for change in group:
        by_task.setdefault(change.task, []).append(change)
    return [_adaptation(changes) for changes in by_task.values()]


def _phase(epochs: list[Element]) -> Element:
    """Several epochs as one phase: the values of the last, with the first and the best beside."""
    if len(epochs) == 1:
        return epochs[0]
    num_rows = sum(epoch.num_rows for epoch in epochs)
    numbers = [number for epoch in epochs if (number := epoch.epoch) is not None]
    label = f"epochs {min(numbers)}-{max(numbers)}" if numbers else f"{num_rows} epochs"
    return replace(
        _span(epochs),
        values=epochs[-1].values,
        first=epochs[0].values,
        best=best_values(epochs),
        num_rows=num_rows,
        label=label,
    )


def best_values(epochs: Iterable[Element]) -> dict[str, Value]:
    """The best value of each metric whose name tells which way is better."""
    best: dict[str, Value] = {}
    for epoch in epochs:
        for name, value in epoch.values.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
                continue
            higher = bool(_HIGHER_IS_BETTER.search(name)) and not _LOWER_IS_BETTER.search(name)
            if not higher and not _LOWER_IS_BETTER.search(name):
                continue
            known = best.get(name)
            if known is None or (value > known if higher else value < known):  # type: ignore[operator]
                best[name] = value
    return best


def _adaptation(changes: list[Element]) -> Element:
    """Several rows as one, with the values that all changes among them share.

    Where one attribute changed, it has the last new value; and the first old one, if each change took up where the one
    before it left off, so that the difference is their work alone.
    """
    if len(changes) == 1:
        return changes[0]
    rows, num_rows = changes, sum(change.num_rows for change in changes)
    changes = [row for row in rows if is_change(row.values)] or rows
    num_changes = sum(row.num_changes for row in rows)
    first, last = changes[0].values, changes[-1].values
    values = {
        name: value
        for name, value in first.items()
        if name not in _CHANGED and all(change.values.get(name) == value for change in changes)
    }
    if "attribute" in values:
        is_unbroken = all(_continues(before.values, after.values) for before, after in pairwise(changes))
        for name, source in (("old_value", first if is_unbroken else {}), ("new_value", last)):
            if name in source:
                values[name] = source[name]
    label = None if num_changes == 1 else adaptations_text(num_changes, num_rows)
    return replace(_span(rows), values=values, num_rows=num_rows, label=label, parts=tuple(rows))


def _continues(before: Mapping[str, Value], after: Mapping[str, Value]) -> bool:
    """Whether a change began at the value that the one before it had set, but for the rounding of a 32-bit float."""
    left, found = before.get("new_value"), after.get("old_value")
    if isinstance(left, int | float) and isinstance(found, int | float):
        return math.isclose(left, found, rel_tol=1e-6)
    return left is not None and left == found


def _with_few_tasks(facts: RunFacts) -> RunFacts:
    """Tasks folded by transformation where there are many, with what they used and generated."""
    if len(facts.tasks) <= MAX_TASKS:
        return facts
    kinds: dict[tuple[str, bool], list[Task]] = {}
    for task in facts.tasks:
        kinds.setdefault((task.tag, task.is_training), []).append(task)
    into = {task.id: same[0].id for same in kinds.values() for task in same}
    lines: dict[str | None, list[Element]] = {}
    for line in facts.timelines:
        together = lines.setdefault(into.get(line.task or ""), [])
        is_first = not together
        together.extend(_moved(step, into) for step in line.steps)
        if not is_first:  # of several trainings: all adaptations, then all epochs
            together.sort(key=lambda step: (step.table == EPOCHS, step.order))
    return replace(
        facts,
        tasks=tuple(_one_task(same, into) for same in kinds.values()),
        timelines=tuple(Timeline(task, tuple(steps)) for task, steps in lines.items()),
        elements=tuple(_moved(element, into) for element in facts.elements),
        files=tuple(replace(file, task=into.get(file.task or "")) for file in facts.files),
    )


def _moved(element: Element, into: dict[str, str]) -> Element:
    return replace(element, task=into.get(element.task or ""))


def _one_task(tasks: list[Task], into: dict[str, str]) -> Task:
    first = tasks[0]
    after = {into[before] for task in tasks for before in task.after} - {first.id}
    if len(tasks) == 1:
        return replace(first, after=tuple(sorted(after)))
    ends = [task.ended_at for task in tasks]
    statuses = dict.fromkeys(task.status for task in tasks)
    return replace(
        first,
        status="running" if "running" in statuses else ", ".join(statuses),
        ended_at=None if None in ends else max(end for end in ends if end is not None),
        after=tuple(sorted(after)),
        num_tasks=len(tasks),
    )
