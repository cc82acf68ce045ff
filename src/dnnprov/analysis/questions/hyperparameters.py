"""The hyperparameters that a run began with."""

from __future__ import annotations

from dnnprov.store.views import first_parameters


def join_hyperparameters(run: str) -> str:
    """SQL that joins the row of iTrainingModel that a run began with, `p`; other rows are those of further trainings.

    Args:
        run: the column with its run_id.
    """
    return f"""LEFT JOIN itrainingmodel AS p
    ON p.element_id = {first_parameters(run)}"""
