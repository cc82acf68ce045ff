"""Q7: which filters were applied in the runs with a dropout value.

A run has the dropout of its hyperparameters and of each of its layers of the type Dropout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.applied_filters import applied_filters
from dnnprov.analysis.questions.base import Parameter, Question, Statement
from dnnprov.analysis.questions.sql_text import TEXT_LIST
from dnnprov.store.views import first_parameters

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
    WHERE d.tag = :dataflow AND r.run_id IN (
        SELECT h.run_id FROM itrainingmodel AS h
        WHERE ABS(h.dropout - :dropout) <= {TOLERANCE} * ABS(:dropout)
          AND h.element_id = {first_parameters("h.run_id")}
        UNION ALL
        SELECT l.run_id FROM ilayers AS l
        WHERE LOWER(l.type) = 'dropout'
          AND (ABS(l.rate - :dropout) <= {TOLERANCE} * ABS(:dropout)
               OR (l.rate IS NULL AND l.value = :dropout_text)))
),{applied_filters(schema, "asked")},
answered AS (
    SELECT f.filter_name, COALESCE(r.name, r.uid) AS run, r.started_at, r.run_id
    FROM filtered AS f CROSS JOIN run AS r WHERE r.run_id = f.run_id
),
counted AS (
    SELECT a.filter_name, COUNT(*) AS num_runs FROM answered AS a GROUP BY a.filter_name
)
SELECT c.filter_name, c.num_runs,
       (SELECT {TEXT_LIST}(listed_run.run, ', ')
        FROM (SELECT a.run FROM answered AS a WHERE a.filter_name = c.filter_name
              ORDER BY a.started_at NULLS LAST, a.run_id) AS listed_run) AS runs
FROM counted AS c
ORDER BY c.num_runs DESC, c.filter_name"""
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
