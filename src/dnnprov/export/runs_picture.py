"""Arranges many runs for drawing: a node each, with what tells it from the others, and how runs hang together."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from dnnprov.export.folding import best_values
from dnnprov.export.picture import Edge, Node, Picture
from dnnprov.export.picture_words import short
from dnnprov.export.run_facts import ADAPTATIONS, EPOCHS, FILTER_NAME, PARAMETERS, TESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dnnprov.export.plan_facts import Plan
    from dnnprov.export.run_facts import Element, RunFacts, Value

MAX_PARAMETERS = 4

_FIRST_PARAMETERS = ("optimizer_name", "learning_rate", "dropout", "batch_size")
_FIRST_RESULTS = ("accuracy", "val_accuracy", "val_loss", "loss")


def runs_picture(runs: Sequence[RunFacts], plans: Sequence[Plan]) -> Picture:
    """The picture of many runs, one below the other, beside the versions of the plans that they followed."""
    differing = _differing(runs)
    nodes = [Node(facts.uid, "activity", short(facts.name or facts.uid), _lines(facts, differing)) for facts in runs]
    edges: list[Edge] = []
    for plan in plans:
        keys = [_version_key(plan.tag, version.number) for version in plan.versions]
        for key, version in zip(keys, plan.versions, strict=True):
            line = "dataflow" if version.number is None else f"dataflow, version {version.number}"
            nodes.append(Node(key, "entity", short(plan.tag), (line,)))
        edges += [Edge(after, before, "wasRevisionOf", is_back=True) for before, after in pairwise(keys)]
    if plans:
        followed = [(facts.uid, facts.plan) for facts in runs if facts.plan is not None]
        edges += [Edge(uid, _version_key(plan.tag, plan.version), "hadPlan") for uid, plan in followed]
    shown = {facts.uid for facts in runs}
    edges += [edge for facts in runs for edge in _to_others(facts) if edge.target in shown]
    tags = dict.fromkeys(facts.plan.tag for facts in runs if facts.plan is not None)
    title = short(", ".join(tags) or "runs") + f": {len(runs)} runs"
    return Picture(title, tuple(nodes), tuple(dict.fromkeys(edges)), (), flow="RL")


def _version_key(tag: str, number: int | None) -> str:
    return f"version {tag} {number}"


def _parameters(facts: RunFacts) -> dict[str, Value]:
    """The hyperparameters that a run began with."""
    return next((dict(one.values) for one in facts.elements if one.table == PARAMETERS), {})


def _differing(runs: Sequence[RunFacts]) -> list[str]:
    """The hyperparameters that are not the same in all runs, those that matter most first."""
    found = [_parameters(facts) for facts in runs]
    names = dict.fromkeys([*_FIRST_PARAMETERS, *(name for one in found for name in one)])
    return [name for name in names if len({str(one.get(name)) for one in found}) > 1][:MAX_PARAMETERS]


def _lines(facts: RunFacts, differing: Sequence[str]) -> tuple[str, ...]:
    parameters = _parameters(facts)
    lines = [facts.status] if facts.status != "finished" else []
    lines += [f"{name} {short(parameters[name])}" for name in differing if name in parameters]
    filters: dict[str, list[str]] = {}
    for one in facts.elements:
        if FILTER_NAME in one.values:
            filters.setdefault(one.set, []).append(str(one.values[FILTER_NAME]))
    lines += [f"{tag} {', '.join(dict.fromkeys(names))}" for tag, names in filters.items()]
    steps = [step for line in facts.timelines for step in line.steps]
    changes = [step for step in steps if step.table == ADAPTATIONS and step.num_changes]
    if changes:
        techniques = ", ".join(dict.fromkeys(str(one.values.get("technique", "adapted")) for one in changes))
        lines.append(f"{len(changes)} \N{MULTIPLICATION SIGN} {techniques}")
    return tuple(short(line) for line in [*lines, *_results(facts, steps)])


def _results(facts: RunFacts, steps: Sequence[Element]) -> list[str]:
    """The result of the test, else the best epoch's."""
    epochs = [step for step in steps if step.table == EPOCHS]
    tests = [one.values for one in facts.elements if one.table == TESTS]
    of, values = ("test", tests[-1]) if tests else ("best", best_values(epochs))
    name = next((name for name in _FIRST_RESULTS if name in values), None)
    lines = [f"{len(epochs)} epochs"] if epochs else []
    return lines if name is None else [*lines, f"{of} {name} {short(values[name])}"]


def _to_others(facts: RunFacts) -> Iterable[Edge]:
    """To the run that started this one, and to those whose files it used."""
    if facts.parent_uid is not None:
        yield Edge(facts.uid, facts.parent_uid, "wasStartedBy")
    for file in facts.files:
        if file.earlier is not None and file.earlier.run_uid != facts.uid:
            yield Edge(facts.uid, file.earlier.run_uid, "wasInformedBy")
