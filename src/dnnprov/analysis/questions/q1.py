"""Q1: the value of a metric at an epoch of one run.

The value is that of oTrainingModel, else of the series in `metric` at the last step of the epoch; of the lowest rank.
Where the epoch came more than once, the last word counts: the later process of a resumed run, else the later training
task of the run, else the later row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.base import Parameter, Question, Statement
from dnnprov.analysis.questions.chosen_run import chosen_run, run_parameters
from dnnprov.analysis.questions.sql_text import mentions
from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    from dnnprov.analysis.questions.base import Arguments
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema

_FROM_SERIES = """
    SELECT m.value AS value, m.non_finite AS non_finite, 1 AS source, 0 AS attempt,
           0 AS task_sequence, m.step AS sequence, 0 AS row_number, m.recorded_at AS recorded_at
    FROM chosen AS c CROSS JOIN metric AS m
    WHERE m.run_id = c.run_id AND m.name = :metric AND m.epoch = :epoch
      AND m.rank = (SELECT MIN(s.rank) FROM metric_series AS s WHERE s.run_id = c.run_id AND s.name = :metric)"""


def _from_epochs(value: str, key: str) -> str:
    return f"""
    SELECT {value} AS value, o.non_finite AS non_finite, 0 AS source, p.attempt AS attempt,
           COALESCE(t.sequence, -1) AS task_sequence, o.sequence AS sequence, o.row_number AS row_number,
           o.recorded_at AS recorded_at
    FROM chosen AS c
    CROSS JOIN otrainingmodel AS o
    JOIN process AS p ON p.process_id = o.process_id
    LEFT JOIN task AS t ON t.task_id = o.task_id
    WHERE o.run_id = c.run_id AND o.relation = 'generated' AND o.epoch = :epoch
      AND ({value} IS NOT NULL OR {mentions("o", key)})
      AND o.rank = (SELECT MIN(x.rank) FROM otrainingmodel AS x WHERE x.run_id = c.run_id AND x.relation = 'generated')
    UNION ALL"""


def _state(schema: RecordedSchema, arguments: Arguments) -> Statement:
    metric = arguments["metric"]
    column = schema.metric_column(metric)
    further = None if column else schema.further_metric(metric)
    epochs, key = "", "value"
    if column:
        epochs, key = _from_epochs(f"o.{quoted(column)}", column), column
    elif further:
        epochs, key = _from_epochs(further.value("o"), further.key), further.key
    sql = f"""
WITH {chosen_run(arguments)},
found AS ({epochs}{_FROM_SERIES}
)
SELECT c.run, :epoch AS epoch, :metric AS metric, f.value, f.non_finite
FROM chosen AS c CROSS JOIN found AS f
ORDER BY f.source, f.attempt DESC, f.task_sequence DESC, f.sequence DESC, f.row_number DESC,
         f.recorded_at DESC
LIMIT 1"""
    parameters = {**run_parameters(arguments), "epoch": arguments["epoch"], "metric": metric}
    return Statement(sql, parameters, non_finite={key: "value"})


Q1 = Question(
    id="Q1",
    text="What is the loss value of epoch 10 of a specific training t' of a specific model m'?",
    question_class="C1",
    about="run",
    columns=("run", "epoch", "metric", "value"),
    state=_state,
    when_empty="no value of {metric!r} at epoch {epoch}",
    parameters=(
        Parameter("epoch", int, 10, "epoch, as the training counted"),
        Parameter("metric", str, "loss", "attribute of oTrainingModel, or series logged with its epoch"),
    ),
)
