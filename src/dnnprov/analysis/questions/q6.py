"""Q6: how the learning rate was adapted in the most accurate run.

The adaptations of the lowest rank, in the order of the training. Where a resumed run came to the same epoch and step
again, the later process counts. A technique that was not recorded with the change is that of iAdaptation, which the
same Adaptation task used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.base import Question, Statement
from dnnprov.analysis.ranking import ranking
from dnnprov.model.training import LEARNING_RATE

if TYPE_CHECKING:
    from dnnprov.analysis.questions.base import Arguments
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema


def _state(_: RecordedSchema, arguments: Arguments) -> Statement:
    sql = f"""
WITH{ranking("best", "1")},
adaptation AS (           -- the paper's oAdaptation has no attribute: it adapts the learning rate
    SELECT o.*, p.attempt,
           MIN(o.rank) OVER (PARTITION BY o.run_id) AS lowest_rank,
           MAX(p.attempt) OVER (PARTITION BY o.run_id, o.rank, o.epoch, o.step) AS last_attempt
    FROM best AS b
    CROSS JOIN oadaptation AS o
    JOIN process AS p ON p.process_id = o.process_id
    WHERE o.run_id = b.run_id AND o.relation = 'generated'
      AND LOWER(COALESCE(o.attribute, '{LEARNING_RATE}')) = '{LEARNING_RATE}'
)
SELECT b.run, CASE WHEN a.element_id IS NULL THEN 0 ELSE 1 END AS adapted, a.epoch,
       COALESCE(a.technique, (SELECT MIN(i.technique) FROM iadaptation AS i
                              WHERE i.run_id = a.run_id AND i.task_id = a.task_id)) AS technique,
       a.old_value, a.new_value, b.accuracy, a.non_finite
FROM best AS b
LEFT JOIN adaptation AS a ON a.run_id = b.run_id AND a.rank = a.lowest_rank
    AND (a.epoch IS NULL OR a.attempt = a.last_attempt)
    AND COALESCE(a.old_value <> a.new_value, TRUE)  -- the paper's callback saves every epoch, changed or not
ORDER BY a.epoch NULLS LAST, a.step NULLS LAST, a.attempt, a.process_id, a.sequence, a.row_number"""
    non_finite = {"old_value": "old_value", "new_value": "new_value"}
    return Statement(sql, {"dataflow": arguments["dataflow"]}, non_finite=non_finite)


Q6 = Question(
    id="Q6",
    text=(
        "Was there an adaptation of the learning rate in the training of the model m' that obtained the best accuracy? "
        "If so, at what epoch did it occur and what technique was used for this adaptation? And what is the new value?"
    ),
    question_class="C3",
    about="ranking",
    columns=("run", "adapted", "epoch", "technique", "old_value", "new_value", "accuracy"),
    state=_state,
)
