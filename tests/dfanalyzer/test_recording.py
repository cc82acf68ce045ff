"""What programs tell through the classes of DfAnalyzer's library, in the tables."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import sys
import threading
from datetime import timedelta

import numpy as np
import pytest

import dnnprov
from dnnprov.capture.current_runs import open_runs
from dnnprov.dfanalyzer import (
    Attribute,
    AttributeType,
    Dataflow,
    DataSet,
    Dependency,
    Element,
    Extractor,
    ExtractorCartridge,
    ExtractorExtension,
    File,
    Program,
    Set,
    SetType,
    Task,
    TaskStatus,
    Transformation,
)
from recorded import column_of, rows_of


def numeric(*names):
    return [Attribute(name, AttributeType.NUMERIC) for name in names]


def add(task, tag, *rows):
    task.add_dataset(DataSet(tag, [Element(list(row)) for row in rows]))


def problems(store):
    return [
        (row["kind"], row["detail"]) for row in rows_of(store, "SELECT kind, detail FROM problem ORDER BY problem_id")
    ]


def counting(*attributes):
    """A dataflow of one transformation, that generates oCount."""
    dataflow = Dataflow("cells", [Transformation("Count", [Set("oCount", SetType.OUTPUT, numeric(*attributes))])])
    dataflow.save()
    return dataflow


def test_values_take_the_declared_type(store):
    attributes = [*numeric("N", "S"), Attribute("T"), Attribute("F", AttributeType.FILE)]
    Dataflow("cells", [Transformation("Count", [Set("oCount", SetType.OUTPUT, attributes)])]).save()
    (store.parent / "a.png").write_bytes(b"picture")
    task = Task(1, "cells", "Count")
    add(task, "oCount", [np.float32(0.5), "7", 3, store.parent / "a.png"])
    add(task, "oCount", [timedelta(seconds=90), "1e-3", None, ""], [-9999999, float("inf"), True, ""])
    task.end()
    found = rows_of(store, "SELECT n, s, t, f, non_finite FROM ocount ORDER BY element_id")
    assert found == [
        {"n": 0.5, "s": 7, "t": "3", "f": str(store.parent / "a.png"), "non_finite": None},
        {"n": 90, "s": 0.001, "t": None, "f": "", "non_finite": None},
        {"n": None, "s": None, "t": "True", "f": "", "non_finite": '{"n": "NaN", "s": "Infinity"}'},
    ]


def test_files_among_values_and_of_tasks_have_their_hash(store, exit_process):
    Dataflow("cells", [Transformation("Count", [Set("iCount", SetType.INPUT, [Attribute("F", AttributeType.FILE)])])])
    for name in ("a.png", "b.csv"):
        (store.parent / name).write_bytes(name.encode())
    task = Task(1, "cells", "Count")
    add(task, "iCount", [File(store.parent, "a.png")])
    task.begin()
    task.add_file(File(store.parent, "b.csv"))
    task.end()
    exit_process()
    assert rows_of(store, "SELECT path, sha256, relation FROM file ORDER BY path") == [
        {
            "path": str(store.parent / name),
            "sha256": hashlib.sha256(name.encode()).hexdigest(),
            "relation": relation,
        }
        for name, relation in (("a.png", "used"), ("b.csv", "generated"))
    ]


@pytest.mark.usefixtures("store")
def test_what_the_original_loses_is_kept(store):
    counting("A", "B")
    task = Task(1, "cells", "monday", "Count")
    add(task, "oCount", [1, 2])
    add(task, "oCount", [3, 4], [5, 6])  # two data sets before one begin, one of several elements
    add(task, "oOther", ["x"])
    task.begin()
    assert rows_of(store, "SELECT a, b FROM ocount ORDER BY a") == [{"a": a, "b": a + 1} for a in (1, 3, 5)]
    assert column_of(store, "SELECT value_1 FROM oother") == ["x"]
    never_begun = Task(2, "cells", "monday", "Count")
    add(never_begun, "oCount", [7, 8])
    never_begun.end()
    assert rows_of(store, "SELECT identifier, status FROM task ORDER BY task_id") == [
        {"identifier": "1", "status": "running"},
        {"identifier": "2", "status": "finished"},
    ]


def test_what_the_original_repeats_is_stored_once(store):
    counting("A")
    task = Task(1, "cells", "Count")  # the official one sends all it has with each save
    for value in (1, 2, 2):
        add(task, "oCount", [value])
        task.save()
    task.save()
    task.end()
    task.end()
    assert column_of(store, "SELECT a FROM ocount ORDER BY element_id") == [1, 2, 2]
    assert column_of(store, "SELECT COUNT(*) FROM task") == [1]


def test_a_value_count_that_differs_keeps_what_fits_and_tells_the_rest(store):
    counting("A", "B")
    task = Task(1, "cells", "Count")
    add(task, "oCount", [1, 2, 3], [4])
    task.end()
    assert rows_of(store, "SELECT a, b FROM ocount ORDER BY a") == [{"a": 1, "b": 2}, {"a": 4, "b": None}]
    place = "dataflow 'cells', data set 'ocount', "
    assert sorted(problems(store)) == [
        ("value_does_not_fit", f"{place}1 values for 2 attributes: none for 'B'"),
        ("value_does_not_fit", f"{place}attribute 3 of 2: 3 is one value too many; kept here only"),
    ]


def test_what_nobody_declared_is_accepted_and_its_types_are_inferred(store):
    task = Task(1, "undeclared", "Anything")
    add(task, "oAnything", ["0.5", "text", 7, np.int64(3)])
    task.end()
    assert rows_of(store, "SELECT value_1, value_2, value_3, value_4 FROM oanything") == [
        {"value_1": 0.5, "value_2": "text", "value_3": 7, "value_4": 3}
    ]
    assert column_of(store, "SELECT tag FROM data_transformation") == ["anything"]
    assert [kind for kind, _ in problems(store)] == ["value_does_not_fit"]


def test_a_dataflow_posted_again_with_a_change_is_another_version(store):
    dataflow = counting("A")
    task = Task(1, "cells", "Count")
    task.begin()
    dataflow.save()
    assert column_of(store, "SELECT COUNT(*) FROM dataflow_version") == [1]
    dataflow.add_transformation(Transformation("Sort", [Set("oSort", SetType.OUTPUT, numeric("K"))]))
    dataflow.save()
    assert column_of(store, "SELECT COUNT(*) FROM dataflow_version") == [2]
    add(Task(2, "cells", "Sort"), "oSort", [1])
    again = Dataflow("cells", [Transformation("Count", [Set("oCount", SetType.OUTPUT, numeric("A", "C"))])])
    again.save()
    add(task, "oCount", [1, 2])
    task.save()
    assert rows_of(store, "SELECT a, c FROM ocount") == [{"a": 1, "c": 2}]
    assert column_of(store, "SELECT COUNT(*) FROM dataflow_version") == [3]


def test_what_is_added_to_a_dataflow_need_not_be_saved(store):
    dataflow = Dataflow("cells")
    dataflow.add_transformation(Transformation("Count", [Set("oCount", SetType.OUTPUT, numeric("A"))]))
    task = Task(1, "cells", "Count")
    add(task, "oCount", ["5"])
    task.begin()
    assert column_of(store, "SELECT a FROM ocount") == [5]


def test_programs_and_extractors_of_a_plan(store):
    counting = Transformation(
        "Count",
        [
            Set(
                "oCount",
                SetType.OUTPUT,
                numeric("A"),
                [Extractor("x", ExtractorCartridge.EXTRACTION, ExtractorExtension.CSV)],
            )
        ],
    )
    counting.add_program(Program("counter", "/bin/count"))
    Dataflow("cells", [counting]).save()
    assert column_of(store, "SELECT path FROM program WHERE path = '/bin/count'") == ["/bin/count"]
    assert [kind for kind, _ in problems(store)] == ["not_extracted"]


def test_the_predefined_sets_of_dnnprov_answer_the_questions(store):
    Dataflow("alexnet", True).save()
    training = Task(1, "alexnet", "monday", "TrainingModel")
    add(training, "iTrainingModel", ["Adam", 0.002, 2, 8])
    training.begin()
    adaptation = Task(2, "alexnet", "monday", "Adaptation", dependency=training)
    add(adaptation, "iAdaptation", [10.0, 0.5, 0.002])
    adaptation.begin()
    for epoch in (1, 2):
        add(training, "oTrainingModel", ["2020-01-01", "0:00:02.5", 1 / epoch, 0.2 * epoch, 1, 0.1 * epoch, epoch])
        training.save()
    add(adaptation, "oAdaptation", [0.001, "2020-01-01", 2, "1"])
    adaptation.end()
    training.end()
    testing = Task(3, "alexnet", "monday", "TestingModel", dependency=training)
    add(testing, "oTestingModel", [0.4, 0.75])
    testing.end()
    with dnnprov.open(store) as history:
        assert list(history.ask("Q3", dataflow="alexnet")) == [
            {"run": "monday", "epoch": epoch, "elapsed_seconds": 2.5, "loss": 1 / epoch} for epoch in (1, 2)
        ]
        (best,) = history.ask("Q4", dataflow="alexnet")
        assert (best["learning_rate"], best["accuracy"], best["accuracy_source"]) == (0.002, 0.75, "test")
        (adapted,) = history.ask("Q6", dataflow="alexnet")
        assert (adapted["epoch"], adapted["old_value"], adapted["new_value"]) == (2, 0.002, 0.001)
    assert rows_of(
        store,
        "SELECT t.tag, d.tag AS after FROM task_dependency JOIN task AS t USING (task_id)"
        " JOIN task AS d ON d.task_id = depends_on_task_id ORDER BY t.task_id",
    ) == [{"tag": "adaptation", "after": "trainingmodel"}, {"tag": "testingmodel", "after": "trainingmodel"}]


def test_the_tags_of_dlprov_answer_the_questions(store):
    dataflow = Dataflow("mnist", predefined=True, email="bob@fictional.com")
    dataflow.save()
    loading = Task(1, dataflow, "mnist-monday", "LoadData")
    filtering = Task(2, dataflow, "mnist-monday", "ApplyFilter", dependency=loading)
    splitting = Task(3, dataflow, "mnist-monday", "SplitData", dependency=filtering)
    training = Task(4, dataflow, "mnist-monday", "Train", dependency=splitting)
    testing = Task(5, dataflow, "mnist-monday", "Test", dependency=[splitting, training])
    for task, used in ((loading, ["mnist", "here"]), (filtering, ["Grayscale"]), (splitting, [80, 10, 10])):
        add(task, {"1": "iInputDataset", "2": "iFilter", "3": "iSplitConfig"}[task._id], used)
        task.begin()
        task.end()
    add(training, "iTrain", ["Adam", 0.002, 2, 32, 8])
    training.begin()
    for epoch in (1, 2):
        add(training, "oTrain", ["2020-01-01", 2.5, 1 / epoch, 0.2 * epoch, -9999999, 0.1 * epoch, epoch])
        training.save()
    training.end()
    testing.begin()
    add(testing, "oTest", [0.4, 0.75])
    testing.end()
    with dnnprov.open(store) as history:
        (best,) = history.ask("Q5", dataflow="mnist")
        assert (best["run"], best["accuracy"], best["batch_size"], best["num_layers"]) == ("mnist-monday", 0.75, 32, 8)
        assert {row["filter_name"] for row in history.ask("Q8", dataflow="mnist")} == {"Grayscale"}
    assert column_of(store, "SELECT val_loss FROM otrain WHERE non_finite IS NOT NULL") == [None, None]
    assert column_of(store, "SELECT batch_size FROM iTrain") == [32]
    assert column_of(store, "SELECT accuracy FROM oTest") == [0.75]
    assert "bob@fictional.com" in column_of(store, "SELECT name FROM agent WHERE kind = 'person'")
    declared = column_of(store, "SELECT tag FROM data_transformation ORDER BY tag")
    assert {"trainingmodel", "adaptation", "testingmodel", "loaddata", "applyfilter", "train"} <= set(declared)
    afters = rows_of(store, "SELECT task_id, depends_on_task_id AS after FROM task_dependency ORDER BY 1, 2")
    assert [(row["task_id"], row["after"]) for row in afters] == [(2, 1), (3, 2), (4, 3), (5, 3), (5, 4)]


def test_hardware_is_in_the_environment(store, exit_process):
    Task(1, "cells", "Count").begin()
    exit_process()
    (machine,) = rows_of(store, "SELECT host, cpu, num_cpus, memory_bytes FROM environment")
    assert all(machine.values())


def test_a_dependency_that_did_not_begin_yet_begins(store):
    first = Task(1, "cells", "Clean")
    second = Task(2, "cells", "Count", dependency=first)
    second.begin()
    first.begin()
    assert column_of(store, "SELECT tag FROM task ORDER BY task_id") == ["clean", "count"]
    assert rows_of(store, "SELECT task_id, depends_on_task_id FROM task_dependency") == [
        {"task_id": 2, "depends_on_task_id": 1}
    ]


def test_a_dependency_by_tags_and_ids(store):
    Task(1, "cells", "Clean").end()
    task = Task(2, "cells", "Count")
    task.add_dependency(Dependency(["Clean", "Clean"], [1, 9]))
    task.begin()
    assert column_of(store, "SELECT depends_on_task_id FROM task_dependency") == [1]
    assert problems(store) == [
        ("not_a_task", "task '2' (count) depends on task '9' (Clean), which this run has not; it was left out")
    ]


def test_set_status_is_recorded_with_the_next_save(store):
    task = Task(1, "cells", "Count")
    task.begin()
    task.set_status(TaskStatus.FINISHED)
    task.save()
    assert column_of(store, "SELECT status FROM task") == ["finished"]


def test_the_same_id_after_its_end_is_a_new_task(store):
    for _ in range(2):
        task = Task(1, "cells", "Count")
        task.begin()
        task.end()
    assert column_of(store, "SELECT COUNT(*) FROM task") == [2]


def test_a_data_set_may_be_changed_and_added_again(store):
    counting("A")
    task, data_set = Task(1, "cells", "Count"), DataSet("oCount", [Element([1])])
    task.add_dataset(data_set)
    data_set.elements = [Element([2])]
    task.add_dataset(data_set)
    task.save()
    assert column_of(store, "SELECT a FROM ocount ORDER BY a") == [1, 2]


def test_what_was_added_is_recorded_though_nobody_saved_it(store, exit_process):
    counting("A")
    task = Task(1, "cells", "Count")
    task.begin()
    add(task, "oCount", [1])
    exit_process()
    assert column_of(store, "SELECT a FROM ocount") == [1]
    assert column_of(store, "SELECT status FROM task") == ["finished"]


def test_a_copy_of_what_holds_a_task_records_into_the_same(store):
    counting("A")
    task = Task(1, "cells", "Count")
    copied = copy.deepcopy({"task": task})["task"]
    add(copied, "oCount", [1])
    copied.begin()
    task.end()
    assert column_of(store, "SELECT COUNT(*) FROM task") == [1]


def test_nothing_is_printed(store, capfd):
    counting("A")
    task = Task(1, "cells", "monday", "Count")
    task.begin()
    add(task, "oCount", [1])
    task.end()
    assert capfd.readouterr().out == ""


def test_a_misuse_while_a_task_is_under_way_is_a_problem(store):
    task = Task(1, "cells", "Count")
    task.begin()
    with pytest.warns(RuntimeWarning, match="expected a DataSet"):
        task.add_dataset("no data set")
    Set("s", "SIDEWAYS")
    assert [kind for kind, _ in problems(store)] == ["misused_call", "misused_call"]


def test_a_store_that_cannot_be_written_warns_and_nothing_raises(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("DNNPROV_STORE", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="dnnprov"):
        Dataflow("cells", True).save()
        task = Task(1, "cells", "monday", "Count")
        task.begin()
        add(task, "oCount", [1])
        task.end()
        for run in list(open_runs):
            run.finish()


def test_a_failure_of_ours_is_a_problem(store, monkeypatch):
    task = Task(1, "cells", "Count")
    task.begin()
    monkeypatch.setattr("dnnprov.model.dfanalyzer.run_posts.RunPosts.take", lambda *_: 1 / 0)
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"):
        task.save()
    monkeypatch.undo()
    monkeypatch.setenv("DNNPROV_STORE", str(store))
    task.end()
    assert [kind for kind, _ in problems(store)] == ["capture_failure"]


def test_tasks_of_several_threads(store):
    counting("A")
    tasks = [Task(number, "cells", "Count") for number in range(8)]

    def work(task):
        for value in range(50):
            add(task, "oCount", [value])
            task.save()
        task.end()

    threads = [threading.Thread(target=work, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = rows_of(store, "SELECT task_id, COUNT(*) AS n, COUNT(DISTINCT a) AS d FROM ocount GROUP BY task_id")
    assert [(row["n"], row["d"]) for row in found] == [(50, 50)] * 8


def test_a_save_that_adds_nothing_writes_nothing(store):
    counting("A")
    task = Task(1, "cells", "Count")
    task.begin()
    (segment,) = (store / "journal").glob("*/*.jsonl")
    next(iter(open_runs)).recorder.drain()  # the environment is recorded in the background
    before = segment.read_bytes()
    for _ in range(5):
        task.save()
    assert segment.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_records_into_the_same_run(store):
    counting("A")
    task = Task(1, "cells", "Count")
    task.begin()
    child = os.fork()
    if child == 0:
        add(task, "oCount", [2])
        task.save()
        os._exit(0)
    os.waitpid(child, 0)
    add(task, "oCount", [1])
    task.end()
    assert sorted(column_of(store, "SELECT a FROM ocount")) == [1, 2]
    assert column_of(store, "SELECT COUNT(*) FROM run") == [1]


def test_the_functions_of_vinisalazar(store):
    from dfa_lib_python import add_transformation, end_task, start_task

    dataflow = Dataflow("genomes")
    _, _, found = add_transformation(
        dataflow,
        "FindGenes",
        [Attribute("CONTIGS", AttributeType.TEXT), Attribute("BASE", AttributeType.TEXT)],
        [Attribute("GENES", AttributeType.NUMERIC)],
    )
    annotate, used, _ = add_transformation(
        dataflow, "Annotate", [Attribute("BASE", AttributeType.TEXT)], [Attribute("NAME", AttributeType.TEXT)], found
    )
    assert annotate.input == [{**found.get_specification(), "type": "INPUT"}, used.get_specification()]
    dataflow.save()
    task, given = start_task(0, "genomes", "FindGenes", ["a.fna", "cog"])
    assert given.elements == [["a.fna", "cog"]]
    assert end_task(task, "FindGenes", [17, 18]).elements == [["17"], ["18"]]
    assert rows_of(store, "SELECT contigs, base FROM ifindgenes") == [{"contigs": "a.fna", "base": "cog"}]
    assert column_of(store, "SELECT genes FROM ofindgenes ORDER BY genes") == [17, 18]
    assert column_of(store, "SELECT status FROM task") == ["finished"]


def test_values_that_fail_do_not_reach_the_program(store):
    class Unreadable:
        def __str__(self):
            raise RuntimeError("no")

    task = Task(1, "cells", "monday", "Count")
    add(task, "oCount", [Unreadable(), 1])
    task.begin()
    task.get_specification()
    add(task, "oCount", [2, 3])
    task.end()
    assert column_of(store, "SELECT COUNT(*) FROM ocount") == [2]


def test_a_path_that_no_file_can_have_is_told(store):
    dataflow = Dataflow("cells", [Transformation("Count", [Set("oFile", SetType.OUTPUT, [Attribute("F", "FILE")])])])
    task = Task(1, dataflow, "monday", "Count")
    add(task, "oFile", ["a\0b"])
    with pytest.warns(RuntimeWarning, match="was not recorded"):
        task.end()
    assert column_of(store, "SELECT kind FROM problem") == ["file_missing"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("face", ["dnnprov", "dnnprov.dfanalyzer"])
def test_a_forked_child_does_not_record_what_its_parent_has_not_saved_yet(store, face):
    script = f"""
import os, sys
from {face} import DataSet, Element, Task
task = Task(1, "cells", "Training")
task.begin()
task.add_dataset(DataSet("oTestingModel", [Element([0.5, 0.25])]))
child = os.fork()
if child == 0:
    task.save()
    sys.exit(0)
os.waitpid(child, 0)
task.end()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    assert column_of(store, "SELECT loss FROM otestingmodel") == [0.5]
