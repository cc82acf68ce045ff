"""Which of a user's own tasks a training that records itself comes after, by the data sets of the dataflow.

A task feeds a training where its transformation generates a set that Training is declared to use, or generates one
that no other task takes. So the last step of a preprocessing feeds it, the steps before that do not, and a set that
goes to Testing does not either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.dataflow.set import SetType
from dnnprov.model.training import TESTING_TAGS, TRAINING_TAGS

if TYPE_CHECKING:
    from dnnprov.capture.run_task import RunTask
    from dnnprov.dataflow.plan import DataflowPlan
    from dnnprov.dataflow.recording import Execution

_OF_THE_TRAINING = TRAINING_TAGS | TESTING_TAGS | {"adaptation"}


def feeding_tasks(plan: DataflowPlan, executions: list[Execution]) -> list[RunTask]:
    """The tasks whose results a training uses that begins now.

    Args:
        plan: of the dataflow.
        executions: of the user's tasks in the run, in order.
    """
    own = [one for one in executions if one.task.tag.lower() not in _OF_THE_TRAINING]
    taken = {id(before) for one in own for before in one.before}
    feeding = []
    for one in own:
        takers = {other.task.tag.lower() for other in own if other is not one} | {"testing"}
        is_used = _is_taken(plan, one.task.tag, {"training"})
        is_leaf = id(one.task) not in taken and not _is_taken(plan, one.task.tag, takers)
        if is_used or (is_leaf and plan.sets(one.task.tag, SetType.OUTPUT)):
            feeding.append(one.task)
    return feeding


def _is_taken(plan: DataflowPlan, tag: str, takers: set[str]) -> bool:
    """Whether any of the takers is declared to use what a transformation generates."""
    generated = plan.sets(tag, SetType.OUTPUT)
    return any(
        source == tag.lower() or data_set in generated
        for taker in takers - {tag.lower()}
        for data_set, source in plan.sets(taker, SetType.INPUT).items()
    )
