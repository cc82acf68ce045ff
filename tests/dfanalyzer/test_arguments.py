"""What stands where among the arguments of a task, in each copy of the library."""

from __future__ import annotations

import pytest

from dnnprov.dfanalyzer import Dataflow, Dependency, Task, Transformation

pytestmark = pytest.mark.usefixtures("store")


def told(task):
    specification = task.get_specification()
    return specification.get("exec", ""), specification["transformation"], specification.get("sub", "")


@pytest.mark.parametrize(
    ("arguments", "named", "expected"),
    [
        (("clean",), {}, ("", "clean", "")),
        (("clean", ""), {}, ("", "clean", "")),
        (("clean", "7"), {}, ("", "clean", "7")),
        (("clean", None), {}, ("", "clean", "")),
        (("monday", "clean"), {}, ("monday", "clean", "")),
        (("monday", "Clean"), {}, ("monday", "clean", "")),
        (("monday", "clean", "7"), {}, ("monday", "clean", "7")),
        (("monday", "unheard"), {}, ("monday", "unheard", "")),
        (("clean", "count"), {}, ("clean", "count", "")),  # an execution that is called as a transformation is
        (("monday", "train"), {}, ("monday", "train", "")),
        (("train", "7"), {}, ("", "train", "7")),  # of DLProv, declared by this
        (("monday",), {"transformation_tag": "clean"}, ("monday", "clean", "")),
        ((), {"exec_tag": "monday", "transformation_tag": "clean"}, ("monday", "clean", "")),
        (("clean",), {"exec_tag": "monday"}, ("monday", "clean", "")),
        ((), {"transformation_tag": "clean", "sub_id": 7}, ("", "clean", "7")),
        ((Transformation("Clean"), "7"), {}, ("", "clean", "7")),
        (("monday", Transformation("Clean")), {}, ("monday", "clean", "")),
    ],
)
def test_the_third_and_fourth_argument(arguments, named, expected):
    dataflow = Dataflow("cells", [Transformation("Clean"), Transformation("Count")])
    assert told(Task(1, "cells", *arguments, **named)) == expected
    assert told(Task(1, dataflow, *arguments, **named)) == expected


def test_a_task_that_follows_tells_that_the_third_is_the_transformation():
    first = Task(1, "unknown", "anything")
    second = Task(2, "unknown", "other", "7", first)
    assert told(second) == ("", "other", "7")
    assert told(Task(2, "unknown", "monday", "other", "7", first)) == ("monday", "other", "7")


def test_what_the_store_registered_counts_as_declared(store, exit_process):
    Dataflow("cells", [Transformation("Clean")]).save()
    exit_process()
    from dnnprov import open as open_history
    from dnnprov.dfanalyzer import recording

    with open_history(store) as history:
        history.runs()
    recording._recordings.clear()  # as in another process
    assert told(Task(1, "cells", "Clean", "part 2")) == ("", "clean", "part 2")


def test_dependencies_of_every_kind():
    first, second = Task(1, "cells", "monday", "Clean"), Task(2, "cells", "monday", "Count")
    expected = {"tags": [{"tag": "clean"}], "ids": [{"id": "1"}]}
    both = {"tags": [{"tag": "clean"}, {"tag": "count"}], "ids": [{"id": "1"}, {"id": "2"}]}
    assert Task(3, "cells", "monday", "Test", "", first).get_specification()["dependency"] == expected
    assert Task(3, "cells", "monday", "Test", dependency=first).get_specification()["dependency"] == expected
    assert Task(3, "cells", "monday", "Test", dependency=[first, second]).get_specification()["dependency"] == both
    task = Task(3, "cells", "monday", "Test")
    assert "dependency" not in task.get_specification()
    task.add_dependency(Dependency(["Clean"], [1]))
    assert task.get_specification()["dependency"] == {"tags": [{"tag": "Clean"}], "ids": [{"id": 1}]}


def test_the_rest_of_the_arguments():
    task = Task(1, "cells", "monday", "Clean", "7", None, "/work", "node-1", "done", "none")
    found = task.get_specification()
    assert [found[name] for name in ("sub", "workspace", "resource", "output", "error")] == [
        "7",
        "/work",
        "node-1",
        "done",
        "none",
    ]
    assert Task(identifier=4, dataflow_tag="cells", transformation_tag="Clean")._id == "4"
