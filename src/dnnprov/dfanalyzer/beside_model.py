"""A task in the run of a Keras model that records itself, as programs for Keras-Prov add them to its dataflow.

It is a task of the paper's face there, so that the training knows which of them it comes after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.dataflow.data_set import DataSet
from dnnprov.dataflow.dependency import Dependency
from dnnprov.dataflow.element import Element
from dnnprov.dataflow.recording import recording_of_model
from dnnprov.dataflow.task import Task as PaperTask

if TYPE_CHECKING:
    from dnnprov.dfanalyzer.task import Task
    from dnnprov.model.dfanalyzer.posts import TaskPost


class TaskBesideModel:
    """Records what is posted of one task.

    Args:
        task: of the program.
        tag: of the dataflow.
    """

    def __init__(self, task: Task, tag: str) -> None:
        recording = recording_of_model(tag)
        _, number, sub_id = task.key()
        self._task = PaperTask(number, recording.tag if recording else tag, task.key()[0], sub_id)

    def record(self, post: TaskPost) -> None:
        """Record what is new of it."""
        if post.dependencies and self._task.run is None:
            tags, ids = zip(*post.dependencies, strict=True)
            self._task.add_dependency(Dependency(tags, ids))
        self._task.output, self._task.error = (post.details.get(name, "") for name in ("output", "error"))
        for one in post.sets:
            self._task.add_dataset(DataSet(one.tag, [Element(row) for row in one.elements]))
        if post.status == "FINISHED":
            self._task.end()
        else:
            self._task.save()
