"""Q3: time and loss of each epoch of one run.

The time is the one recorded, else what passed between the records: since the epoch before it in its task, or since
the task began. Records of one moment, as of a log without times that was imported, tell none. A run with several
trainings lists one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.base import Question, Statement
from dnnprov.analysis.questions.chosen_run import chosen_run, run_parameters
from dnnprov.analysis.questions.epoch_rows import epoch_rows
from dnnprov.analysis.questions.sql_text import seconds_between

if TYPE_CHECKING:
    from dnnprov.analysis.questions.base import Arguments
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema


def _state(_: RecordedSchema, arguments: Arguments) -> Statement:
    sql = f"""
WITH {chosen_run(arguments)},{epoch_rows("chosen")}
SELECT c.run, e.epoch,
       COALESCE(e.elapsed_time,
                CASE WHEN e.before <> e.recorded_at THEN {seconds_between("e.before", "e.recorded_at")} END
       ) AS elapsed_seconds,
       e.loss, e.non_finite
FROM chosen AS c JOIN done AS e ON e.run_id = c.run_id
ORDER BY e.training, e.epoch NULLS LAST, e.attempt, e.process_id, e.sequence, e.row_number"""
    return Statement(sql, run_parameters(arguments), non_finite={"loss": "loss"})


Q3 = Question(
    id="Q3",
    text="Retrieve the time consumed and loss by each epoch in the training t' of model m'.",
    question_class="C1",
    about="run",
    columns=("run", "epoch", "elapsed_seconds", "loss"),
    state=_state,
    when_empty="no epochs were recorded",
)
