"""Which run the tasks of a program belong to."""

from __future__ import annotations

import threading

import dnnprov
from dnnprov.capture.current_runs import open_runs
from dnnprov.dfanalyzer import (
    Attribute,
    AttributeType,
    Dataflow,
    DataSet,
    Element,
    Set,
    SetType,
    Task,
    Transformation,
    recording,
)
from recorded import column_of, rows_of

COUNT = """
    import sys
    from dfa_lib_python.attribute import Attribute
    from dfa_lib_python.attribute_type import AttributeType
    from dfa_lib_python.dataflow import Dataflow
    from dfa_lib_python.dataset import DataSet
    from dfa_lib_python.element import Element
    from dfa_lib_python.set import Set
    from dfa_lib_python.set_type import SetType
    from dfa_lib_python.task import Task
    from dfa_lib_python.transformation import Transformation

    counted = Set("oCount", SetType.OUTPUT, [Attribute("A", AttributeType.NUMERIC)])
    df = Dataflow("Cells", [Transformation("Count", [counted])])
    df.save()
"""


def count(task, *values):
    task.add_dataset(DataSet("oCount", [Element([value]) for value in values]))


def declared():
    counted = Set("oCount", SetType.OUTPUT, [Attribute("A", AttributeType.NUMERIC)])
    dataflow = Dataflow("cells", [Transformation("Count", [counted])])
    dataflow.save()
    return dataflow


def runs(store):
    return rows_of(store, "SELECT name, status FROM run ORDER BY run_id")


def test_each_execution_is_a_run_of_its_name(store, exit_process):
    declared()
    first, second = Task(1, "cells", "monday", "Count"), Task(1, "cells", "tuesday", "Count")
    first.begin()
    second.begin()
    for value in (1, 2):  # in turn
        count(first, value)
        first.save()
        count(second, 10 * value)
        second.save()
    assert runs(store) == [{"name": "monday", "status": "running"}, {"name": "tuesday", "status": "running"}]
    found = rows_of(store, "SELECT r.name, o.a FROM ocount AS o JOIN run AS r USING (run_id) ORDER BY o.a")
    assert [(row["name"], row["a"]) for row in found] == [
        ("monday", 1),
        ("monday", 2),
        ("tuesday", 10),
        ("tuesday", 20),
    ]
    assert column_of(store, "SELECT value FROM run_tag WHERE name = 'exec' ORDER BY value") == ["monday", "tuesday"]
    exit_process()
    assert [row["status"] for row in runs(store)] == ["finished"] * 2


def test_an_execution_whose_tasks_have_ended_is_over_when_another_begins_and_goes_on_if_more_comes(store, exit_process):
    declared()
    first = Task(1, "cells", "monday", "Count")
    count(first, 1)
    first.end()
    Task(1, "cells", "tuesday", "Count").begin()
    assert runs(store) == [{"name": "monday", "status": "finished"}, {"name": "tuesday", "status": "running"}]
    late = Task(2, "cells", "monday", "Count", dependency=first)
    count(late, 2)
    late.begin()
    assert runs(store) == [{"name": "monday", "status": "running"}, {"name": "tuesday", "status": "running"}]
    assert rows_of(store, "SELECT task_id, depends_on_task_id AS after FROM task_dependency") == [
        {"task_id": 3, "after": 1}
    ]
    exit_process()
    assert [row["status"] for row in runs(store)] == ["finished"] * 2


def test_an_execution_goes_on_in_another_process(store, run_script, monkeypatch):
    script = f"""{COUNT}
    task = Task(sys.argv[1], "Cells", "monday", "Count", dependency=None)
    if sys.argv[1] == "2":
        from dfa_lib_python.dependency import Dependency
        task.add_dependency(Dependency(["Count"], [1]))
    task.add_dataset(DataSet("oCount", [Element([int(sys.argv[1])])]))
    task.begin()
    task.end()
    """
    run_script(script, "1")
    run_script(script, "2")
    assert runs(store) == [{"name": "monday", "status": "finished"}]
    assert column_of(store, "SELECT a FROM ocount ORDER BY a") == [1, 2]
    assert rows_of(store, "SELECT task_id, depends_on_task_id AS after FROM task_dependency") == [
        {"task_id": 2, "after": 1}
    ]


def test_programs_without_an_execution_have_a_run_for_each_process(store, run_script):
    script = f"""{COUNT}
    task = Task(1, "Cells", "Count")
    task.begin()
    assert Task(1, "cells", "count").recording is task.recording
    """
    run_script(script)
    run_script(script)
    assert runs(store) == [{"name": f"cells-{number}", "status": "finished"} for number in (1, 2)]


def test_a_dataflow_that_is_only_declared_is_in_the_store(store):
    declared()
    assert column_of(store, "SELECT tag FROM dataflow") == ["cells"]
    assert column_of(store, "SELECT tag FROM data_transformation") == ["count"]


def test_the_run_of_the_declaration_takes_the_name_of_the_first_execution(store):
    declared()
    assert [row["name"] for row in runs(store)] == ["cells-1"]
    Task(1, "cells", "monday", "Count").begin()
    assert [row["name"] for row in runs(store)] == ["monday"]


def test_a_dataflow_that_the_store_has_begins_no_run(store, run_script):
    run_script(f"{COUNT}\n    Task(1, 'cells', 'monday', 'Count').end()")
    assert len(runs(store)) == 1  # which leaves the plan where programs may read it
    run_script(COUNT)
    assert len(runs(store)) == 1


def test_inside_a_run_everything_is_recorded_into_it(store):
    declared()
    with dnnprov.start_run("own", name="mine", store=store):
        task = Task(1, "cells", "monday", "Count")
        count(task, 1)
        task.begin()
    assert rows_of(store, "SELECT r.name, o.a FROM ocount AS o JOIN run AS r USING (run_id)") == [
        {"name": "mine", "a": 1}
    ]


def test_inside_a_run_what_nobody_saved_is_recorded_into_it(store):
    declared()
    with dnnprov.start_run("cells", name="mine"):
        first, second = Task(1, "cells", "monday", "Count"), Task(2, "cells", "Count")
        first.begin()
        count(first, 1)
        count(second, 2)
    count(Task(3, "cells", "Count"), 3)
    later = Task(4, "cells", "Count")
    later.begin()
    found = rows_of(store, "SELECT r.name, o.a FROM ocount AS o JOIN run AS r USING (run_id) ORDER BY o.a")
    assert [(row["name"], row["a"]) for row in found] == [("mine", 1), ("mine", 2)]


def test_a_run_that_encloses_another_threads_tasks_is_not_ended_by_an_execution(store):
    declared()
    has_ended, may_go_on = threading.Event(), threading.Event()

    def train():
        with dnnprov.start_run("cells", name="mine"):
            for number in (1, 2):
                task = Task(number, "cells", "Count")
                count(task, number)
                task.end()
                has_ended.set()
                may_go_on.wait()

    thread = threading.Thread(target=train)
    thread.start()
    has_ended.wait()
    Task(1, "cells", "monday", "Count").begin()
    may_go_on.set()
    thread.join()
    found = rows_of(store, "SELECT r.name, o.a FROM ocount AS o JOIN run AS r USING (run_id) ORDER BY o.a")
    assert [(row["name"], row["a"]) for row in found] == [("mine", 1), ("mine", 2)]


def test_executions_that_nobody_ends_are_not_all_open_at_once(store, monkeypatch, exit_process):
    monkeypatch.setattr(recording, "MAX_OPEN", 3)
    declared()
    tasks = [Task(1, "cells", f"run {number}", "Count") for number in range(6)]
    for task in tasks:
        task.begin()
        assert len(open_runs) <= 3
    count(tasks[0], 7)
    tasks[0].save()  # goes on
    exit_process()
    assert rows_of(store, "SELECT r.name, o.a FROM ocount AS o JOIN run AS r USING (run_id)") == [
        {"name": "run 0", "a": 7}
    ]
    assert column_of(store, "SELECT COUNT(*) FROM task") == [6]
    assert {row["status"] for row in runs(store)} == {"finished"}
    assert len(runs(store)) == 6


def test_processes_of_multiprocessing_end_the_runs_that_they_began(store, run_script):
    script = f"""{COUNT}
    import multiprocessing

    def count(number):
        task = Task(number, "Cells", f"run {{number}}", "Count")
        task.add_dataset(DataSet("oCount", [Element([number])]))
        task.begin()
        task.end()

    def fail():
        Task(1, "Cells", "fails", "Count").begin()
        raise ValueError("no epochs")

    if __name__ == "__main__":
        for method in ("fork", "spawn"):
            context = multiprocessing.get_context(method)
            with context.Pool(1) as pool:  # which kills its workers
                pool.map(count, [0, 1] if method == "fork" else [2, 3])
        child = multiprocessing.get_context("fork").Process(target=fail)
        child.start()
        child.join()
    """
    run_script(script)
    found = rows_of(store, "SELECT name, status, exit_reason FROM run WHERE name NOT LIKE 'Cells%' ORDER BY name")
    assert [(row["name"], row["status"]) for row in found] == [
        ("fails", "failed"),
        *((f"run {number}", "finished") for number in range(4)),
    ]
    assert found[0]["exit_reason"] == "ValueError: no epochs"
    assert sorted(column_of(store, "SELECT a FROM ocount")) == [0, 1, 2, 3]


def test_a_task_goes_to_another_process_with_its_arguments(store, run_script):
    script = f"""{COUNT}
    import multiprocessing

    def count(task, dataflow):
        assert dataflow.get_specification()["tag"] == "cells"
        task.add_dataset(DataSet("oCount", [Element([2])]))
        task.save()

    if __name__ == "__main__":
        task = Task(1, "Cells", "monday", "Count")
        task.begin()
        child = multiprocessing.get_context("spawn").Process(target=count, args=(task, df))
        child.start()
        child.join()
        assert child.exitcode == 0
        task.add_dataset(DataSet("oCount", [Element([3])]))
        task.end()
    """
    run_script(script)
    assert rows_of(
        store,
        "SELECT r.name, t.identifier, o.a FROM ocount AS o JOIN task AS t USING (task_id)"
        " JOIN run AS r ON r.run_id = t.run_id ORDER BY o.a",
    ) == [{"name": "monday", "identifier": "1", "a": a} for a in (2, 3)]
    assert column_of(store, "SELECT COUNT(*) FROM task") == [1]


def test_where_dnnprov_is_disabled_nothing_is_written(store, monkeypatch):
    monkeypatch.setenv("DNNPROV_DISABLED", "1")
    declared()
    task = Task(1, "cells", "monday", "Count")
    count(task, 1)
    task.end()
    assert not store.exists()


def test_an_exception_fails_the_run(store, run_script):
    done = run_script(f"{COUNT}\n    Task(1, 'cells', 'Count').begin()\n    raise ValueError('no')", code=1)
    assert done.stderr.splitlines()[-1] == "ValueError: no"
    assert [line.strip().split(",")[0] for line in done.stderr.splitlines() if "File" in line] == [
        'File "' + str(store.parent / "script.py") + '"'
    ]
    assert runs(store) == [{"name": "cells-1", "status": "failed"}]
    assert column_of(store, "SELECT status FROM task") == ["failed"]


def test_hostile_tags_of_executions(store):
    declared()
    for tag in ("../../etc/passwd", "a\0b", "'; DROP TABLE run; --", "x" * 3000, "\ud800", "日本"):
        Task(1, "cells", tag, "Count").begin()
    assert column_of(store, "SELECT COUNT(*) FROM run") == [6]
    assert not (store.parent.parent / "etc").exists()
