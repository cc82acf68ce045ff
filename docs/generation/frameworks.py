"""The tables of frameworks: which versions the tests ran with, and what they show to be recorded of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "tests/versions.json"

TITLES = {
    "keras": "Keras",
    "torch": "PyTorch loops",
    "lightning": "Lightning",
    "transformers": "Transformers",
    "accelerate": "Accelerate",
    "jax": "JAX",
    "sklearn": "scikit-learn",
    "optuna": "Optuna",
    "keras_tuner": "Keras Tuner",
    "ray": "Ray Tune",
}

THINGS = {
    "without a call": "with the script untouched, or one line at its top",
    "hyperparameters": "under the names that frameworks share, and under their own",
    "loss function": "its name",
    "layers": "in order, with values and numbers of parameters",
    "data": "shapes, types, classes, a hash of the content",
    "filters": "preprocessing and transforms, as a task before the training",
    "epochs": "a row each, with the mean loss",
    "validation": "in the rows of the epochs it belongs to",
    "batches": "values of single steps, as series",
    "adaptations": "changes of the learning rate and others, with what made them",
    "test": "a Testing task after the training",
    "files": "checkpoints and models, with SHA-256, written and loaded",
    "endings": "failed, interrupted, stopped early or pruned, and why",
    "search": "a search is a run, its trials are runs below it",
    "ranks": "several processes record one run",
    "unchanged results": "the same losses to the bit with recording and without",
}
"""What a test may show -> what is meant, in the order of the table."""


def framework_parts() -> dict[str, str]:
    """Name of a part of the page -> its Markdown.

    Raises:
        SystemExit: a test shows a thing that the table has no line for.
    """
    told = json.loads(RESULTS.read_text(encoding="utf-8"))
    unknown = {thing for one in told.values() for row in one.values() for thing in row["captures"]} - set(THINGS)
    if unknown:
        raise SystemExit(f"tests show {', '.join(sorted(unknown))}, which is none of {', '.join(THINGS)}")
    return {
        "versions": _versions(told["oldest"], told["newest"]),
        "captures": _captures(told["oldest"], told["newest"]),
    }


def _versions(oldest: dict[str, Any], newest: dict[str, Any]) -> str:
    lines = ["| framework | oldest | its tests | newest | its tests |", "|---|---|---|---|---|"]
    for name, title in TITLES.items():
        cells = [cell for told in (oldest[name], newest[name]) for cell in (_with_versions(told), _outcome(told))]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_versions(told: dict[str, Any]) -> str:
    (own, *others) = told["versions"].items()
    return own[1] + (f" ({', '.join(f'{name} {version}' for name, version in others)})" if others else "")


def _outcome(told: dict[str, Any]) -> str:
    cases = told["cases"]
    parts = [f"{cases['passed']} passed"] + [f"{cases[one]} {one}" for one in ("failed", "skipped") if cases[one]]
    return ", ".join(parts)


def _captures(oldest: dict[str, Any], newest: dict[str, Any]) -> str:
    lines = [f"| | {' | '.join(TITLES.values())} |", "|---" * (len(TITLES) + 1) + "|"]
    for thing, meaning in THINGS.items():
        cells = [_cell(thing, oldest[name], newest[name]) for name in TITLES]
        lines.append(f"| **{thing}**: {meaning} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(thing: str, oldest: dict[str, Any], newest: dict[str, Any]) -> str:
    if thing not in newest["captures"]:
        return ""
    return "yes" if thing in oldest["captures"] else f"newest ({next(iter(newest['versions'].values()))})"
