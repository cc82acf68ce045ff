"""Q2: the layers of the model of one run.

Where layers were recorded more than once (a resumed run, a second training), those of the last task that recorded
any are the model's; of the lowest rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.base import Question, Statement
from dnnprov.analysis.questions.chosen_run import chosen_run, run_parameters

if TYPE_CHECKING:
    from dnnprov.analysis.questions.base import Arguments
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema

_HAS_LAYERS = "EXISTS (SELECT 1 FROM ilayers AS l WHERE l.run_id = r.run_id)"


def _state(_: RecordedSchema, arguments: Arguments) -> Statement:
    sql = f"""
WITH {chosen_run(arguments, _HAS_LAYERS)},
layer AS (
    SELECT c.run, l.*,
           DENSE_RANK() OVER (ORDER BY l.rank, p.attempt DESC, t.sequence DESC NULLS LAST) AS recency
    FROM chosen AS c
    CROSS JOIN ilayers AS l
    JOIN process AS p ON p.process_id = l.process_id
    LEFT JOIN task AS t ON t.task_id = l.task_id
    WHERE l.run_id = c.run_id
)
SELECT run, position, name, type, value, activation, num_parameters
FROM layer WHERE recency = 1
ORDER BY position NULLS LAST, sequence, row_number"""
    return Statement(sql, run_parameters(arguments))


Q2 = Question(
    id="Q2",
    text="What are the layers of model m?",
    question_class="C1",
    about="run",
    columns=("run", "position", "name", "type", "value", "activation", "num_parameters"),
    state=_state,
    when_empty="no layers were recorded",
)
