"""The questions once more, in plain Python over the plan of what was recorded: slow, obvious, and without SQL.

It knows nothing of the database. Where it and the SQL agree on histories made up at random, both follow the contract.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from histories import RunPlan

TRAINING_TAGS = {"training", "trainingmodel", "train"}
KINDS = (
    ("test", "test"),
    ("validation", "epoch"),
    ("validation", "batch"),
    ("training", "epoch"),
    ("training", "batch"),
)


def of_dataflow(plans: list[RunPlan], dataflow: str) -> list[RunPlan]:
    return [plan for plan in plans if plan.dataflow == dataflow]


# Epochs


@dataclass
class EpochRow:
    attempt: int
    task: int  # number of the training task in its process
    number: int | None
    values: dict[str, float]
    seconds: float  # since the training task began
    before: float = 0.0


def all_rows(plan: RunPlan) -> list[EpochRow]:
    """Every row of oTrainingModel, in the order recorded."""
    rows = []
    for attempt_number, attempt in enumerate(plan.attempts):
        for task, training in enumerate(attempt.trainings):
            passed = 0.0
            for epoch in training.epochs:
                passed += epoch.seconds
                rows.append(EpochRow(attempt_number, task, epoch.number, epoch.values, passed))
    return rows


def is_superseded(row: EpochRow, rows: list[EpochRow]) -> bool:
    """Whether a resumed run did this epoch again."""
    return row.number is not None and any(r.number == row.number and r.attempt > row.attempt for r in rows)


def done_rows(plan: RunPlan) -> list[EpochRow]:
    """One row for each epoch of each training, in the order of a listing."""
    rows = all_rows(plan)
    kept = []
    for row in rows:
        parts = [r for r in rows if (r.attempt, r.task, r.number) == (row.attempt, row.task, row.number)]
        with_loss = [r for r in parts if "loss" in r.values] or parts
        if row.number is None or row is with_loss[-1]:
            kept.append(row)
    last: dict[tuple[int, int], float] = {}
    for row in kept:
        row.before = last.get((row.attempt, row.task), 0.0)
        last[row.attempt, row.task] = row.seconds
    tasks = {attempt: sorted({r.task for r in kept if r.attempt == attempt}) for attempt in {r.attempt for r in kept}}
    done = [row for row in kept if not is_superseded(row, kept)]
    return sorted(
        done,
        key=lambda r: (tasks[r.attempt].index(r.task), r.number is None, r.number or 0, r.attempt),
    )


# Accuracy


def finite(values: list[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def accuracies(plan: RunPlan) -> dict[tuple[str, str], float]:
    """(Source, level) -> accuracy, for those that the run has a finite value of; its batches where it has no epochs."""
    rows = all_rows(plan)
    counting = [row for row in rows if not is_superseded(row, rows)]
    tests = finite([values["accuracy"] for attempt in plan.attempts for values in attempt.tests])
    found = {("test", "test"): tests[-1]} if tests else {}
    for source, name in (("validation", "val_accuracy"), ("training", "accuracy")):
        of_epochs = finite([row.values[name] for row in counting if name in row.values])
        of_batches = finite([values[name] for _, values in plan.batches if name in values])
        if of_epochs:
            found[source, "epoch"] = max(of_epochs)
        elif of_batches:
            found[source, "batch"] = max(of_batches)
    return found


def ranking(plans: list[RunPlan]) -> tuple[str, list[tuple[RunPlan, float]]]:
    """The source that is compared, and the runs that have it, in the order they started."""
    best = [min(accuracies(plan), key=KINDS.index) for plan in plans if accuracies(plan)]
    if not best:
        return "", []
    kind = min(best, key=KINDS.index)
    having = [plan for plan in plans if accuracies(plan) and min(accuracies(plan), key=KINDS.index) == kind]
    return kind[0], [(plan, accuracies(plan)[kind]) for plan in having]


def best_first(plans: list[RunPlan]) -> list[tuple[RunPlan, float]]:
    return sorted(ranking(plans)[1], key=lambda pair: -pair[1])  # a stable sort: the earlier of equals stays before


# Filters


@dataclass
class Task:
    is_training: bool
    before: list[Task]
    names: list[tuple[int, int, str | None]] = field(default_factory=list)  # attempt, order, name


def applied_filters(plan: RunPlan) -> str:
    """Names that the ancestors of the trainings generated, the farthest first."""
    distance: dict[int, tuple[int, Task]] = {}

    def climb(task: Task, steps: int) -> None:
        for ancestor in task.before:
            known = distance.get(id(ancestor), (0, ancestor))[0]
            distance[id(ancestor)] = (max(known, steps), ancestor)
            climb(ancestor, steps + 1)

    for task in tasks_of(plan):
        if task.is_training:
            climb(task, 1)
    found = [(-steps, *name) for steps, task in distance.values() for name in task.names]
    found = [name for name in found if (name[3] or "").lower() not in {"", "none"}]
    latest = {name: max(f[1] for f in found if f[3] == name) for *_, name in found}
    kept = sorted(f for f in found if f[1] == latest[f[3]])
    return ", ".join(name for *_, name in kept) or "none"


def tasks_of(plan: RunPlan) -> list[Task]:
    tasks = []
    for number, attempt in enumerate(plan.attempts):
        last_filter = last_training = None
        order = 0
        for names in attempt.filters:
            last_filter = Task(False, [last_filter] if last_filter else [])
            for name in names:
                order += 1
                last_filter.names.append((number, order, name))
            tasks.append(last_filter)
        for training in attempt.trainings:
            before = [last_filter] if last_filter and training.filtered else []
            before += [last_training] if last_training and training.continued else []
            is_training = training.tag.lower() in TRAINING_TAGS or bool(training.epochs)
            last_training = Task(is_training, before)
            tasks.append(last_training)
    return tasks


# The questions


def q1(plan: RunPlan, epoch: int, metric: str) -> list[dict[str, Any]]:
    rows = [row for row in all_rows(plan) if row.number == epoch and metric in row.values]
    batches = [values[metric] for number, values in plan.batches if number == epoch and metric in values]
    if rows:
        last = max(enumerate(rows), key=lambda pair: (pair[1].attempt, pair[1].task, pair[0]))[1]
        value = last.values[metric]
    elif batches:
        value = batches[-1]
    else:
        return []
    return [{"run": plan.name, "epoch": epoch, "metric": metric, "value": value}]


def q2(plan: RunPlan) -> list[dict[str, Any]]:
    names = ("position", "name", "type", "value", "activation", "num_parameters")
    return [{"run": plan.name, **{name: layer.get(name) for name in names}} for layer in plan.layers]


def q3(plan: RunPlan) -> list[dict[str, Any]]:
    return [
        {
            "run": plan.name,
            "epoch": row.number,
            "elapsed_seconds": row.values.get("elapsed_time", round(row.seconds - row.before, 3)),
            "loss": row.values.get("loss"),
        }
        for row in done_rows(plan)
    ]


def q4(plans: list[RunPlan]) -> list[dict[str, Any]]:
    source = ranking(plans)[0]
    return [
        {
            "run": plan.name,
            "learning_rate": plan.params.get("learning_rate"),
            "accuracy": accuracy,
            "accuracy_source": source,
        }
        for plan, accuracy in best_first(plans)[:1]
    ]


def q5(plans: list[RunPlan], top: int) -> list[dict[str, Any]]:
    source, listed = ranking(plans)[0], best_first(plans)[:top]
    columns = ("optimizer_name", "learning_rate", "dropout", "run")
    shown = [name for name in columns if any(name in plan.params for plan, _ in listed)]
    return [
        {
            "rank": number,
            "run": plan.name,
            "accuracy": accuracy,
            "accuracy_source": source,
            **{"hyperparameter_run" if name == "run" else name: plan.params.get(name) for name in shown},
        }
        for number, (plan, accuracy) in enumerate(listed, 1)
    ]


def q6(plans: list[RunPlan]) -> list[dict[str, Any]]:
    if not ranking(plans)[1]:
        return []
    plan, accuracy = best_first(plans)[0]
    made = [
        (number, adaptation)
        for number, attempt in enumerate(plan.attempts)
        for training in attempt.trainings
        for adaptation in training.adaptations
        if adaptation.attribute == "learning_rate"
    ]
    kept = [(n, a) for n, a in made if not any(m > n and b.epoch == a.epoch for m, b in made) and a.old != a.new]
    kept.sort(key=lambda pair: (pair[1].epoch, pair[0]))
    rows = [(1, a.epoch, a.technique, a.old, a.new) for _, a in kept] or [(0, None, None, None, None)]
    names = ("adapted", "epoch", "technique", "old_value", "new_value")
    return [{"run": plan.name, **dict(zip(names, row, strict=True)), "accuracy": accuracy} for row in rows]


def q7(plans: list[RunPlan], dropout: float) -> list[dict[str, Any]]:
    groups: dict[str, list[str]] = {}
    for plan in plans:
        rates = [plan.params.get("dropout", NOT_THERE)]
        layers = [layer for layer in plan.layers if layer["type"].lower() == "dropout"]
        rates += [layer.get("rate", float(layer.get("value", "nan"))) for layer in layers]
        if any(abs(rate - dropout) <= 1e-6 * abs(dropout) for rate in rates):
            groups.setdefault(applied_filters(plan), []).append(plan.name)
    rows = [{"filter_name": name, "num_runs": len(runs), "runs": ", ".join(runs)} for name, runs in groups.items()]
    return sorted(rows, key=lambda row: (-row["num_runs"], row["filter_name"]))


NOT_THERE = float("nan")


def q8(plans: list[RunPlan]) -> list[dict[str, Any]]:
    source, compared = ranking(plans)
    if not compared:
        return []
    best, worst = best_first(plans)[0], min(compared, key=lambda pair: pair[1])
    return [
        {
            "which": which,
            "run": plan.name,
            "filter_name": applied_filters(plan),
            "accuracy": accuracy,
            "accuracy_source": source,
            "num_epochs": len([row for row in done_rows(plan) if row.number is not None]),
        }
        for which, (plan, accuracy) in (("best", best), ("worst", worst))
    ]
