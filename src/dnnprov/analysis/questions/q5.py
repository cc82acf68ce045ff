"""Q5: the hyperparameters of the most accurate runs.

Every hyperparameter that any run of the store has is asked for; the answer leaves out those that no listed run has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.base import Parameter, Question, Statement
from dnnprov.analysis.questions.hyperparameters import join_hyperparameters, shown_hyperparameters
from dnnprov.analysis.ranking import ranking
from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    from dnnprov.analysis.questions.base import Arguments
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema

_COLUMNS = ("rank", "run", "accuracy", "accuracy_source")


def _state(schema: RecordedSchema, arguments: Arguments) -> Statement:
    shown = shown_hyperparameters(schema, _COLUMNS)
    selected = "".join(f"\n       {one.value} AS {quoted(one.name)}," for one in shown)
    sql = f"""
WITH{ranking("best", ":top")}
SELECT b.place AS rank, b.run, b.accuracy, b.accuracy_source,{selected}
       p.non_finite
FROM best AS b
{join_hyperparameters("b.run_id")}
ORDER BY b.place"""
    parameters = {"dataflow": arguments["dataflow"], "top": arguments["top"]}
    return Statement(sql, parameters, {one.key: one.name for one in shown}, frozenset(one.name for one in shown))


Q5 = Question(
    id="Q5",
    text=(
        "Retrieve the combinations of hyperparameters where was obtained the 3 best accuracy values in previous "
        "training for model m'?"
    ),
    question_class="C2",
    about="ranking",
    columns=_COLUMNS,
    state=_state,
    parameters=(Parameter("top", int, 3, "number of runs", minimum=1),),
)
