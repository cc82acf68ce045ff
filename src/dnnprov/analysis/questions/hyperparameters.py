"""The hyperparameters that a run began with."""

from __future__ import annotations


def join_hyperparameters(run: str) -> str:
    """SQL that joins the first row of iTrainingModel of a run, `p`; later rows are those of further trainings.

    Args:
        run: the column with its run_id.
    """
    return f"""LEFT JOIN itrainingmodel AS p
    ON p.element_id = (SELECT MIN(q.element_id) FROM itrainingmodel AS q WHERE q.run_id = {run})"""
