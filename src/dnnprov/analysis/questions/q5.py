"""Q5: the hyperparameters of the most accurate runs.

Every hyperparameter that any run of the store has is asked for; the answer leaves out those that no listed run has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.analysis.questions.base import Parameter, Question, Statement
from dnnprov.analysis.questions.hyperparameters import join_hyperparameters
from dnnprov.analysis.ranking import RANKING
from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    from dnnprov.analysis.questions.base import Arguments
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema

_COLUMNS = ("rank", "run", "accuracy", "accuracy_source")


def _state(schema: RecordedSchema, arguments: Arguments) -> Statement:
    names = _answer_columns(schema.hyperparameters)
    selected = "".join(f"\n       p.{quoted(column)} AS {quoted(name)}," for column, name in names.items())
    sql = f"""
WITH {RANKING}
SELECT c.place AS rank, c.run, c.accuracy, c.accuracy_source,{selected}
       p.non_finite
FROM compared AS c
{join_hyperparameters("c.run_id")}
WHERE c.place <= :top
ORDER BY c.place"""
    parameters = {"dataflow": arguments["dataflow"], "top": arguments["top"]}
    return Statement(sql, parameters, non_finite=names, optional=frozenset(names.values()))


def _answer_columns(hyperparameters: tuple[str, ...]) -> dict[str, str]:
    """Column of `itrainingmodel` -> column of the answer; one called `run` stands beside the answer's own `run`."""
    taken = {*_COLUMNS, "non_finite"}
    names = {}
    for column in hyperparameters:
        name = column
        while name in taken:
            name = f"hyperparameter_{name}"
        taken.add(name)
        names[column] = name
    return names


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
