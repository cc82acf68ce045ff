"""Q4: the learning rate that the most accurate run began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.base import Question, Statement
from dnnprov.analysis.questions.hyperparameters import join_hyperparameters
from dnnprov.analysis.ranking import ranking

if TYPE_CHECKING:
    from dnnprov.analysis.questions.base import Arguments
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema


def _state(_: RecordedSchema, arguments: Arguments) -> Statement:
    sql = f"""
WITH{ranking("best", "1")}
SELECT b.run, p.learning_rate, b.accuracy, b.accuracy_source, p.non_finite
FROM best AS b
{join_hyperparameters("b.run_id")}"""
    return Statement(sql, {"dataflow": arguments["dataflow"]}, non_finite={"learning_rate": "learning_rate"})


Q4 = Question(
    id="Q4",
    text="What is the initial value of the learning rate when the training for model m' was more accurate?",
    question_class="C2",
    about="ranking",
    columns=("run", "learning_rate", "accuracy", "accuracy_source"),
    state=_state,
)
