"""Runs in short: the rows of `run_overview`, with the NaN and infinities that a column cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.answering import put_back
from dnnprov.analysis.questions.hyperparameters import further_hyperparameters, join_hyperparameters
from dnnprov.analysis.questions.recorded_schema import read_schema
from dnnprov.analysis.questions.sql_text import with_literals
from dnnprov.analysis.result import Result
from dnnprov.analysis.shared_values import shared_values
from dnnprov.model.values import MAX_INTEGER
from dnnprov.store.schema import OVERVIEW_COLUMNS, quoted
from dnnprov.store.views import hyperparameter_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.analysis.result import Row
    from dnnprov.store.base import Store


FIRST_COLUMNS = (
    "name",
    "dataflow",
    "status",
    "last_epoch",
    "accuracy",
    "accuracy_source",
    "loss",
    "started_at",
    "duration_seconds",
    "diverged",
)


def overview(
    store: Store, conditions: dict[str, object], limit: int | None = None, notes: Iterable[str] = ()
) -> Result:
    """Rows of `run_overview`, the latest run first.

    Args:
        store: that is asked.
        conditions: `dataflow` (tag), `status`, `run_id`: value that a run must have.
        limit: how many runs at most.
        notes: for the result.
    """
    tests = {"dataflow": "d.tag = :dataflow", "status": "r.status = :status", "run_id": "r.run_id = :run_id"}
    where = " AND ".join(tests[name] for name in conditions) or "1 = 1"
    cut = "" if limit is None else "\n    LIMIT :limit"
    schema = read_schema(store)
    names = hyperparameter_names(schema.hyperparameters, OVERVIEW_COLUMNS)
    more = further_hyperparameters(schema, [*OVERVIEW_COLUMNS, *names.values()])
    names |= {one.key: one.name for one in more}
    values = "".join(f",\n       {one.value} AS {quoted(one.name)}" for one in more)
    shown = f"""
SELECT o.*{values}
FROM run_overview AS o
{join_hyperparameters("o.run_id") if more else ""}
WHERE o.run_id IN (
    SELECT r.run_id FROM run AS r LEFT JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id
    WHERE {where}
    ORDER BY r.started_at DESC NULLS LAST, r.run_id DESC{cut})
ORDER BY o.started_at DESC NULLS LAST, o.run_id DESC"""
    parameters = conditions if limit is None else {**conditions, "limit": min(limit, MAX_INTEGER)}
    columns, rows = store.read(shown, parameters)
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    special = _non_finite(store, shown, parameters)
    for row in found:
        hyperparameters, loss = special.get(row["run_id"], (None, None))
        put_back(row, hyperparameters, names)
        put_back(row, loss, {"loss": "loss"})
    cells = [list(row.values()) for row in found]
    shared = shared_values(found, (name for name in columns if name not in OVERVIEW_COLUMNS))
    return Result(columns, cells, with_literals(shown, parameters), notes, _shown_columns(columns, found), shared)


def _shown_columns(columns: list[str], rows: list[Row]) -> list[str]:
    """What a run is and how well it did, then its hyperparameters; those that no run has are left out."""
    used = [column for column in columns if any(row[column] is not None for row in rows)]
    hyperparameters = [column for column in used if column not in OVERVIEW_COLUMNS]
    return [*(column for column in FIRST_COLUMNS if column in used), *hyperparameters]


def _non_finite(store: Store, shown: str, parameters: dict[str, object]) -> dict[int, tuple[str | None, str | None]]:
    """For the runs with values that are not finite: those of its hyperparameters (JSON) and of its last loss."""
    sql = f"""
SELECT o.run_id, p.non_finite,
       (SELECT m.last_non_finite FROM run_metric AS m
        WHERE m.run_id = o.run_id AND m.name = 'loss' AND m.level <> 'test' ORDER BY m.level DESC LIMIT 1) AS loss
FROM ({shown}) AS o
{join_hyperparameters("o.run_id")}
WHERE o.diverged = 1 OR p.non_finite IS NOT NULL"""
    return {run_id: (names, loss) for run_id, names, loss in store.read(sql, parameters)[1]}
