"""Q7: which filters were applied in the runs with a dropout value.

A run has the dropout of its hyperparameters and of each of its layers of the type Dropout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.applied_filters import applied_filters
from dnnprov.analysis.questions.base import Parameter, Question, Statement
from dnnprov.analysis.questions.hyperparameters import join_hyperparameters
from dnnprov.analysis.questions.sql_text import TEXT_LIST

if TYPE_CHECKING:
    from dnnprov.analysis.questions.base import Arguments
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema

TOLERANCE = 1e-6
"""Relative, within which two values are the same."""


def _state(schema: RecordedSchema, arguments: Arguments) -> Statement:
    sql = f"""
WITH RECURSIVE asked AS (
    SELECT r.run_id
    FROM dataflow AS d
    JOIN run AS r ON r.dataflow_id = d.dataflow_id
    {join_hyperparameters("r.run_id")}
    WHERE d.tag = :dataflow
      AND (ABS(p.dropout - :dropout) <= {TOLERANCE} * ABS(:dropout)
           OR EXISTS (SELECT 1 FROM ilayers AS l
                      WHERE l.run_id = r.run_id AND LOWER(l.type) = 'dropout'
                        AND (ABS(l.rate - :dropout) <= {TOLERANCE} * ABS(:dropout)
                             OR (l.rate IS NULL AND l.value = :dropout_text))))
),{applied_filters(schema, "asked")},
answered AS (
    SELECT f.filter_name, COALESCE(r.name, r.uid) AS run, r.started_at, r.run_id
    FROM filtered AS f CROSS JOIN run AS r WHERE r.run_id = f.run_id
),
running_list AS (
    SELECT filter_name,
           {TEXT_LIST}(run, ', ') OVER (
               PARTITION BY filter_name ORDER BY started_at NULLS LAST, run_id
               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS runs,
           ROW_NUMBER() OVER (PARTITION BY filter_name ORDER BY started_at NULLS LAST, run_id) AS number,
           COUNT(*) OVER (PARTITION BY filter_name) AS num_runs
    FROM answered
)
SELECT filter_name, num_runs, runs
FROM running_list WHERE number = num_runs
ORDER BY num_runs DESC, filter_name"""
    dropout = arguments["dropout"]
    # Keras-Prov's layers are (name, type, value): there the rate is a text
    parameters = {"dataflow": arguments["dataflow"], "dropout": dropout, "dropout_text": str(dropout)}
    return Statement(sql, parameters)


Q7 = Question(
    id="Q7",
    text="What filter was applied to model m' when the dropout value was 0.4?",
    question_class="C4",
    about="selection",
    columns=("filter_name", "num_runs", "runs"),
    state=_state,
    when_empty="no run has the dropout {dropout}",
    parameters=(Parameter("dropout", float, 0.4, "dropout rate, of the hyperparameters or of any Dropout layer"),),
)
