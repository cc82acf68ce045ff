"""What the rows of one run say about each other: hyperparameters, techniques, and what an adaptation leaves open.

The paper's row of oAdaptation has the new value only. Which hyperparameter it is, from what value and by which
technique follows from rows before it: iTrainingModel, and the iAdaptation of the same task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dnnprov.model.positional import canonical_name
from dnnprov.model.training import LEARNING_RATE, predefined_set

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPLETED = ("attribute", "old_value", "technique")
"""Columns of oAdaptation that are filled in from other rows."""


_RELATED = frozenset({"itrainingmodel", "iadaptation", "oadaptation"})


class KnownValues(Protocol):
    """The last value of each hyperparameter of a run."""

    def known(self, name: str) -> Any:
        """The last value recorded of one; `None` where there is none."""

    def note(self, values: Mapping[str, Any]) -> None:
        """Take note of what was recorded."""


@dataclass
class Stated:
    """What an Adaptation task stated in its iAdaptation.

    Attributes:
        technique: that it uses.
        initial_rate: that the training began with.
    """

    technique: Any = None
    initial_rate: Any = None


def relate(data_set: str, row: dict[str, Any], stated: Stated, hyperparameters: KnownValues) -> None:
    """Learn from a row, or complete it, as its data set asks.

    Args:
        data_set: tag of the set.
        row: attribute -> value; one of oAdaptation is completed.
        stated: by the task of the row.
        hyperparameters: of the run.
    """
    predefined = predefined_set(data_set)
    lowered = predefined.tag.lower() if predefined else ""
    if lowered not in _RELATED:
        return
    names = {canonical_name(data_set, name): name for name in row}
    if lowered == "itrainingmodel":
        hyperparameters.note({canonical: row[name] for canonical, name in names.items()})
    elif lowered == "iadaptation":
        stated.technique = row.get(names.get("technique", ""), stated.technique)
        stated.initial_rate = row.get(names.get("initial_lrate", ""), stated.initial_rate)
    else:
        _complete(names, row, stated, hyperparameters)


def _complete(names: dict[str, str], row: dict[str, Any], stated: Stated, hyperparameters: KnownValues) -> None:
    attribute = row.get(names.get("attribute", ""), LEARNING_RATE)
    old_value = hyperparameters.known(str(attribute))
    if old_value is None and attribute == LEARNING_RATE:
        old_value = stated.initial_rate
    known = dict(zip(COMPLETED, (attribute, old_value, stated.technique), strict=True))
    row.update({name: value for name, value in known.items() if name not in names and value is not None})
    if "new_value" in names:
        hyperparameters.note({str(attribute): row[names["new_value"]]})
