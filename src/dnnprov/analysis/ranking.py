"""Which run was more accurate: the rules by which runs are compared.

An accuracy is taken from the test set where there is one, else the best epoch on the validation data, else the best on
the training data; where a run has no epochs, its best batch stands for them. A ranking compares only like with like:
the runs that have the best of these that any run of the dataflow has. Of two equal runs the earlier one is before the
other (started_at, then run_id). NaN never wins: a run whose values of that source are all NaN or infinite has no
accuracy. Runs of every status take part.

`run_metric` is kept while rows are recorded, so that ranking looks at a few rows a run and at no epochs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.model.training import ACCURACY_NAMES

if TYPE_CHECKING:
    from dnnprov.store.base import Store

RANKING = f"""
candidate AS (            -- what each run of the dataflow has, the best source first
    SELECT r.run_id, COALESCE(r.name, r.uid) AS run, r.started_at, a.source, a.accuracy, a.preference,
           ROW_NUMBER() OVER (PARTITION BY r.run_id ORDER BY a.preference) AS choice
    FROM dataflow AS d
    JOIN run AS r ON r.dataflow_id = d.dataflow_id
    JOIN run_accuracy AS a ON a.run_id = r.run_id
    WHERE d.tag = :dataflow
),
compared AS (             -- the runs that have the best source that any has, per epoch before per batch
    SELECT c.run_id, c.run, c.accuracy, c.source AS accuracy_source,
           ROW_NUMBER() OVER (ORDER BY c.accuracy DESC, c.started_at NULLS LAST, c.run_id) AS place,
           ROW_NUMBER() OVER (ORDER BY c.accuracy, c.started_at NULLS LAST, c.run_id) AS place_from_worst
    FROM candidate AS c
    WHERE c.choice = 1 AND c.preference / {len(ACCURACY_NAMES)} =
          (SELECT MIN(b.preference) / {len(ACCURACY_NAMES)} FROM candidate AS b)
)"""
"""Common table expressions: `compared` has a row a run, `place` 1 for the best, `place_from_worst` 1 for the worst."""

_LEFT_OUT = f"""
WITH {RANKING}
SELECT COALESCE(r.name, r.uid) AS run,
       (SELECT MIN(c.accuracy_source) FROM compared AS c) AS source,
       EXISTS (SELECT 1 FROM run_metric AS m JOIN accuracy_metric AS a ON a.level = m.level AND a.name = m.name
               WHERE m.run_id = r.run_id AND m.num_non_finite > 0
                 AND a.source = (SELECT MIN(c.accuracy_source) FROM compared AS c)) AS diverged
FROM dataflow AS d
JOIN run AS r ON r.dataflow_id = d.dataflow_id
WHERE d.tag = :dataflow AND r.run_id NOT IN (SELECT c.run_id FROM compared AS c)
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
