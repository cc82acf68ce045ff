"""Q8: the filters and the epochs of the most and the least accurate run.

Where the ranking has one run, it is both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.applied_filters import applied_filters
from dnnprov.analysis.questions.base import Question, Statement
from dnnprov.analysis.questions.epoch_rows import epoch_rows
from dnnprov.analysis.ranking import ranking

if TYPE_CHECKING:
    from dnnprov.analysis.questions.base import Arguments
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema


def _state(schema: RecordedSchema, arguments: Arguments) -> Statement:
    sql = f"""
WITH RECURSIVE{ranking("best", "1")},{ranking("worst", "1")},
extreme AS (
    SELECT 1 AS position, 'best' AS which, run_id, run, accuracy, accuracy_source FROM best
    UNION ALL
    SELECT 2, 'worst', run_id, run, accuracy, accuracy_source FROM worst
),
asked AS (
    SELECT DISTINCT run_id FROM extreme
),{applied_filters(schema, "asked")},{epoch_rows("asked")}
SELECT extreme.which, extreme.run, f.filter_name, extreme.accuracy, extreme.accuracy_source,
       (SELECT COUNT(e.epoch) FROM done AS e WHERE e.run_id = extreme.run_id) AS num_epochs
FROM extreme JOIN filtered AS f ON f.run_id = extreme.run_id
ORDER BY extreme.position"""
    return Statement(sql, {"dataflow": arguments["dataflow"]})


Q8 = Question(
    id="Q8",
    text=(
        "Which filter was applied in the training executions that showed the best and the worst accuracy for model m? "
        "What was the number of epochs in these executions?"
    ),
    question_class="C4",
    about="ranking",
    columns=("which", "run", "filter_name", "accuracy", "accuracy_source", "num_epochs"),
    state=_state,
)
