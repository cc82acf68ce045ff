"""Which run was more accurate: the rules by which runs are compared.

An accuracy is taken from the test set where there is one, else the best epoch on the validation data, else the best on
the training data; where a run has no epochs, its best batch stands for them. A ranking compares only like with like:
the runs that have the best of these that any run of the dataflow has. Of two equal runs the earlier one is before the
other (started_at, then run_id). NaN never wins: a run whose values of that source are all NaN or infinite has no
accuracy. Runs of every status take part.

The accuracy of each run stands in `run`, kept while rows are recorded and found by an index, so that ranking looks at
no more runs than it lists, and at no epochs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dnnprov.store.base import Store

_DATAFLOW = "(SELECT d.dataflow_id FROM dataflow AS d WHERE d.tag = :dataflow)"

_BEST_KIND = f"(SELECT MIN(k.accuracy_kind) FROM run AS k WHERE k.dataflow_id = {_DATAFLOW})"


def ranking(end: Literal["best", "worst"], top: str) -> str:
    """A common table expression, `best` or `worst`: the runs at one end of the ranking, `place` 1 for the first.

    Args:
        end: of the ranking, and the name of the expression.
        top: how many runs, an SQL expression.
    """
    direction = "DESC" if end == "best" else "ASC"
    order = f"accuracy {direction}, started_at NULLS LAST, run_id"
    return f"""
{end} AS (                -- of the runs that have the best kind of accuracy that any run of the dataflow has
    SELECT run_id, run, accuracy, accuracy_source, ROW_NUMBER() OVER (ORDER BY {order}) AS place
    FROM (SELECT r.run_id, COALESCE(r.name, r.uid) AS run, r.accuracy, r.accuracy_source, r.started_at
          FROM run AS r
          WHERE r.dataflow_id = {_DATAFLOW} AND r.accuracy_kind = {_BEST_KIND}
          ORDER BY {order} LIMIT {top}) AS chosen
)"""


_SOURCE = f"""(SELECT MIN(s.accuracy_source) FROM (
           SELECT b.accuracy_source FROM run AS b
           WHERE b.dataflow_id = {_DATAFLOW} AND b.accuracy_kind = {_BEST_KIND} LIMIT 1) AS s)"""

_LEFT_OUT = f"""
SELECT COALESCE(r.name, r.uid) AS run,
       {_SOURCE} AS source,
       EXISTS (SELECT 1 FROM run_metric AS m JOIN accuracy_metric AS a ON a.level = m.level AND a.name = m.name
               WHERE m.run_id = r.run_id AND m.num_non_finite > 0 AND a.source = {_SOURCE}) AS diverged
FROM run AS r
WHERE r.dataflow_id = {_DATAFLOW} AND (r.accuracy_kind IS NULL OR r.accuracy_kind <> {_BEST_KIND})
ORDER BY r.started_at NULLS LAST, r.run_id
"""

MAX_NAMES = 10
"""Runs that a note names; of more it gives the number."""


def ranking_notes(store: Store, dataflow: str) -> list[str]:
    """One line for each reason why runs of a dataflow are not in its ranking, with their names."""
    _, rows = store.read(_LEFT_OUT, {"dataflow": dataflow})
    if not rows:
        return []
    source = rows[0][1]
    if source is None:
        return [f"no run of dataflow {dataflow!r} has an accuracy that can be compared"]
    reasons = {False: f"without {source} accuracy", True: f"whose {source} accuracy is NaN or infinite"}
    notes = []
    for diverged, reason in reasons.items():
        names = [run for run, _, is_diverged in rows if bool(is_diverged) == diverged]
        if names:
            notes.append(f"runs compared by {source} accuracy; left out, {reason}: {name_list(names)}")
    return notes


def name_list(names: list[str]) -> str:
    """Names in one line, at most `MAX_NAMES` of them."""
    shown = ", ".join(names[:MAX_NAMES])
    return f"{shown} and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else shown
