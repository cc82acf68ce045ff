"""The preprocessing that a model does itself, as a Filters task before its trainings, for any framework."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask

_filters: weakref.WeakKeyDictionary[Any, RunTask] = weakref.WeakKeyDictionary()
"""Model -> its Filters task in the run that it trained in last."""


def filters_before(
    run: Run, model: object, given: list[RunTask], rows: Callable[[], list[Mapping[str, Any]]]
) -> list[RunTask]:
    """The tasks whose results a training of a model uses: the given ones, and the model's own filters after them.

    Args:
        run: that the training is in.
        model: that trains; `None` where it is not known.
        given: what the user says comes before: the data went through this first.
        rows: reads the rows of oFilters; called once for each model of a run.
    """
    if model is None:
        return given
    task = _filters.get(model)
    if task is None or task.run is not run:
        found = rows()
        if not found:
            return given
        with run.task("Filters", after=given) as task:
            task.record("oFilters", "generated", found)
        _filters[model] = task
    return [*given, task]
