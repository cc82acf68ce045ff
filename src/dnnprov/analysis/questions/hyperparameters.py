"""The hyperparameters that a run began with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.model.names import unique_name
from dnnprov.store.schema import quoted
from dnnprov.store.views import first_parameters, hyperparameter_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.analysis.questions.recorded_schema import RecordedSchema


@dataclass(frozen=True)
class Hyperparameter:
    """A hyperparameter as an answer shows it.

    Attributes:
        key: what stands for it in `non_finite`.
        name: of the answer's column.
        value: SQL for it, over the row `p` of iTrainingModel.
    """

    key: str
    name: str
    value: str


def join_hyperparameters(run: str) -> str:
    """SQL that joins the row of iTrainingModel that a run began with, `p`; other rows are those of further trainings.

    Args:
        run: the column with its run_id.
    """
    return f"""LEFT JOIN itrainingmodel AS p
    ON p.element_id = {first_parameters(run)}"""


def shown_hyperparameters(schema: RecordedSchema, others: Iterable[str]) -> list[Hyperparameter]:
    """Every hyperparameter that any run of the store has.

    Args:
        schema: of the store.
        others: columns of the answer beside them, of which a hyperparameter may have the name.
    """
    taken = {*others, "non_finite"}
    names = hyperparameter_names(schema.hyperparameters, taken)
    shown = [Hyperparameter(column, name, f"p.{quoted(column)}") for column, name in names.items()]
    return shown + further_hyperparameters(schema, taken.union(names.values()))


def further_hyperparameters(schema: RecordedSchema, others: Iterable[str]) -> list[Hyperparameter]:
    """Those of them that the table has no columns for; arguments as of `shown_hyperparameters`."""
    taken = set(others)
    shown = []
    for attribute in schema.further_hyperparameters:
        name = unique_name(attribute.name, taken)
        taken.add(name)
        shown.append(Hyperparameter(attribute.key, name, attribute.value("p")))
    return shown
