"""Tasks, data sets and elements of the paper's face, in the tables that today's face fills."""

from __future__ import annotations

import copy
import gc
import hashlib
import os
import signal
import statistics
import subprocess
import sys
import textwrap
import threading
import weakref
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import dnnprov
from counted_calls import num_calls
from dnnprov import Dataflow, DataSet, Dependency, Element, File, Task, TaskStatus
from dnnprov.dataflow.recording import Recording, known_recording
from dnnprov.errors import UsageError
from dnnprov.model.events import ElementsRecorded, TaskBegan
from recorded import column_of, events_of, rows_of

FIG_5 = """
    from datetime import datetime
    from dnnprov import DataSet, Dataflow, Element, Task

    df = Dataflow("alexnet", True)
    df.save()
    t1 = Task(1, "alexnet", "Training")
    t1.add_dataset(DataSet("iTrainingModel", [Element(["Adam", 0.002, 20, 8])]))
    t1.begin()
    t2 = Task(2, "alexnet", "Adaptation", dependency=t1)
    initial_lrate = 0.002
    drop = 0.5
    epochs_drop = 10.0
    t2_input = DataSet("iAdaptation", [Element([epochs_drop, drop, initial_lrate])])
    t2.add_dataset(t2_input)
    t2.begin()
    lr, adaptation_id = initial_lrate, 0
    for epoch in range(1, 21):
        if epoch > 1 and (epoch - 1) % epochs_drop == 0:
            lr, adaptation_id = lr * drop, adaptation_id + 1
        t2_output = DataSet("oAdaptation", [Element([lr, datetime.now(), epoch, adaptation_id])])
        t2.add_dataset(t2_output)
        t2.save()
        t1_output = DataSet("oTrainingModel", [Element([datetime.now(), 1.5, 1 / epoch, 0.5, 2 / epoch, 0.4, epoch])])
        t1.add_dataset(t1_output)
        t1.save()
"""


def run_script(script, code=0):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def record(task, data_set, *values, **named):
    task.add_dataset(DataSet(data_set, [Element(list(values), **named)]))
    task.save()


def problems(store):
    return rows_of(store, "SELECT kind, detail FROM problem ORDER BY problem_id")


def test_the_program_of_fig_5_records_a_run_that_ends_with_its_process(store):
    run_script(FIG_5)
    assert rows_of(store, "SELECT name, status, last_epoch FROM run") == [
        {"name": "alexnet-1", "status": "finished", "last_epoch": 20}
    ]
    assert rows_of(store, "SELECT tag, identifier, status FROM task ORDER BY task_id") == [
        {"tag": "Training", "identifier": "1", "status": "finished"},
        {"tag": "Adaptation", "identifier": "2", "status": "finished"},
    ]
    assert rows_of(store, "SELECT t.tag, b.tag AS before FROM task_dependency AS d JOIN task AS t USING (task_id)"
                          " JOIN task AS b ON b.task_id = d.depends_on_task_id") == [
        {"tag": "Adaptation", "before": "Training"}
    ]  # fmt: skip
    assert rows_of(store, "SELECT epochs_drop, drop_n, initial_lrate FROM iadaptation") == [
        {"epochs_drop": 10.0, "drop_n": 0.5, "initial_lrate": 0.002}
    ]
    assert problems(store) == []


def test_the_questions_answer_on_fig_5_as_on_any_run(store):
    run_script(FIG_5)
    with dnnprov.open() as history:
        assert history.ask("Q1")[0]["value"] == 0.1
        assert len(history.ask("Q3")) == 20
        assert history.ask("Q4")[0]["learning_rate"] == 0.002
        assert [(row["epoch"], row["old_value"], row["new_value"]) for row in history.ask("Q6")] == [(11, 0.002, 0.001)]
        assert history.ask("Q8")[0]["num_epochs"] == 20
        rows = history.sql("SELECT attribute, adaptation_id, timestamp FROM oAdaptation ORDER BY epoch", limit=None)
    assert [row["adaptation_id"] for row in rows] == [0] * 10 + [1] * 10
    assert {row["attribute"] for row in rows} == {"learning_rate"}
    assert all(row["timestamp"].endswith("Z") for row in rows)


@pytest.mark.parametrize(
    ("ending", "code", "status", "reason"),
    [
        ("raise ValueError('loss is gone')", 1, "failed", "ValueError: loss is gone"),
        ("sys.exit(0)", 0, "finished", None),
        ("os.kill(os.getpid(), 9)", -9, "crashed", None),
    ],
)
def test_a_script_that_never_says_end_ends_its_run_and_tasks_as_its_process_ends(store, ending, code, status, reason):
    run_script(
        f"""
        import os, sys
        from dnnprov import Task
        Task(1, "net", "Training").begin()
        {ending}
        """,
        code,
    )
    assert rows_of(store, "SELECT r.status, t.status AS task FROM run AS r JOIN task AS t USING (run_id)") == [
        {"status": status, "task": status}
    ]
    if reason:
        assert column_of(store, "SELECT exit_reason FROM run") == [reason]


def test_values_by_position_go_to_the_attributes_of_the_paper_in_its_order(store):
    Dataflow("net", True)
    training, testing = Task(1, "net", "Training"), Task(2, "net", "Testing")
    record(training, "iTrainingModel", "SGD", 0.1, 7, 9)
    record(training, "oTrainingModel", "2020-01-01", 1.5, 0.5, 0.6, 0.7, 0.8, 3)
    record(training, "iLayers", "dropout_1", "Dropout", 0.4)
    record(testing, "oTestingModel", 0.2, 0.9)
    found = rows_of(store, "SELECT optimizer_name, learning_rate, num_epochs, num_layers FROM itrainingmodel")
    assert found == [{"optimizer_name": "SGD", "learning_rate": 0.1, "num_epochs": 7, "num_layers": 9}]
    sql = "SELECT timestamp, elapsed_time, loss, accuracy, val_loss, val_accuracy, epoch FROM otrainingmodel"
    assert list(rows_of(store, sql)[0].values()) == ["2020-01-01", 1.5, 0.5, 0.6, 0.7, 0.8, 3]
    assert rows_of(store, "SELECT name, type, value FROM ilayers") == [
        {"name": "dropout_1", "type": "Dropout", "value": "0.4"}
    ]
    assert rows_of(store, "SELECT loss, accuracy FROM otestingmodel") == [{"loss": 0.2, "accuracy": 0.9}]
    assert problems(store) == []


def test_values_by_name_in_any_case_and_new_ones_become_columns(store):
    training = Task(1, "net", "Training")
    record(training, "oTrainingModel", LOSS=0.5, Epoch=1)
    training.add_dataset(DataSet("oTrainingModel", [Element({"loss": 0.4, "epoch": 2, "f1": 0.3})]))
    training.save()
    assert rows_of(store, "SELECT epoch, loss, f1 FROM otrainingmodel ORDER BY epoch") == [
        {"epoch": 1, "loss": 0.5, "f1": None},
        {"epoch": 2, "loss": 0.4, "f1": 0.3},
    ]


def test_numbers_that_come_as_text_or_as_time_are_numbers(store):
    training = Task(1, "net", "Training")
    record(training, "oTrainingModel", "now", timedelta(seconds=90), "0.5", np.float32(0.1), "nan", np.array(0.4), "3")
    (row,) = rows_of(store, "SELECT elapsed_time, loss, accuracy, val_accuracy, epoch, non_finite FROM otrainingmodel")
    assert row == {
        "elapsed_time": 90.0, "loss": 0.5, "accuracy": 0.1, "val_accuracy": 0.4, "epoch": 3,
        "non_finite": '{"val_loss": "NaN"}',
    }  # fmt: skip
    assert problems(store) == []


def test_too_many_values_are_told_with_dataflow_set_place_and_value(store):
    testing = Task(1, "net", "Testing")
    with pytest.warns(RuntimeWarning, match="attribute 3 of 2"):
        record(testing, "oTestingModel", 0.1, 0.9, "surplus")
    assert rows_of(store, "SELECT loss, accuracy FROM otestingmodel") == [{"loss": 0.1, "accuracy": 0.9}]
    (problem,) = problems(store)
    assert problem["kind"] == "value_does_not_fit"
    for part in ("'net'", "'oTestingModel'", "attribute 3 of 2", "'surplus'"):
        assert part in problem["detail"]


def test_too_few_values_are_told_unless_names_give_the_rest(store):
    training = Task(1, "net", "Training")
    record(training, "iTrainingModel", "SGD", 0.1, num_epochs=3, NUM_LAYERS=2)
    assert problems(store) == []
    with pytest.warns(RuntimeWarning, match="2 values for 4 attributes"):
        record(training, "iTrainingModel", "Adam", 0.1)
    assert "none for 'num_epochs', 'num_layers'" in problems(store)[0]["detail"]


def test_text_where_numbers_are_is_kept_beside_and_told(store):
    record(Task(1, "net", "Testing"), "oTestingModel", "very small", 0.9)
    assert rows_of(store, "SELECT loss, loss_text, accuracy FROM otestingmodel") == [
        {"loss": None, "loss_text": "very small", "accuracy": 0.9}
    ]
    (problem,) = problems(store)
    assert all(part in problem["detail"] for part in ("'net'", "'oTestingModel'", "'loss'", "'very small'"))


def test_values_of_a_set_that_nobody_declared_are_kept_and_told(store):
    task = Task(1, "net", "Split")
    with pytest.warns(RuntimeWarning, match="nobody declared the attributes"):
        record(task, "oSplit", 80, "train")
    assert rows_of(store, "SELECT value_1, value_2 FROM osplit") == [{"value_1": 80, "value_2": "train"}]
    record(task, "oSplit", size=20)
    assert column_of(store, "SELECT size FROM osplit WHERE size IS NOT NULL") == [20]
    record(task, "oSplit", 20, "test")
    assert len(rows_of(store, "SELECT 1 FROM osplit WHERE value_1 IS NOT NULL")) == 2
    assert len(problems(store)) == 1  # the plan lacks the same for each row


def test_save_sends_what_is_new_and_begin_may_come_after_the_data_sets(store):
    task = Task(1, "net", "Training")
    data_set = DataSet("oTrainingModel", [Element({"epoch": 1}), Element({"epoch": 2})])
    task.add_dataset(data_set)
    assert task.status is TaskStatus.READY
    task.begin()
    task.save()
    data_set.add_element(Element({"epoch": 3}))
    task.add_dataset(data_set)
    task.add_dataset(DataSet("oTrainingModel", [Element({"epoch": 4})]))
    task.save()
    task.save()
    assert task.status is TaskStatus.RUNNING
    assert column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY element_id") == [1, 2, 3, 4]
    assert [len(one.rows) for one in events_of(store) if isinstance(one, ElementsRecorded)] == [2, 1, 1]
    task.end()
    assert task.status is TaskStatus.FINISHED
    assert column_of(store, "SELECT status FROM task") == ["finished"]


def test_what_was_added_and_never_saved_is_recorded_when_the_run_ends(store, exit_process):
    task = Task(1, "net", "Training")
    task.add_dataset(DataSet("oTrainingModel", [Element({"epoch": 1})]))
    task.begin()
    task.add_dataset(DataSet("oTrainingModel", [Element({"epoch": 2})]))
    del task
    exit_process()
    assert column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch") == [1, 2]
    with dnnprov.start_run("other"):
        inside = Task(1, "other", "Training")
        inside.begin()
        inside.add_dataset(DataSet("oTrainingModel", [Element({"epoch": 9})]))
    assert column_of(store, "SELECT MAX(epoch) FROM otrainingmodel") == [9]


def test_a_task_that_never_began_is_recorded_in_the_run_that_it_was_given_values_in(store):
    with dnnprov.start_run("net"):
        Task(1, "net", "Filters").begin()
        Task(2, "net", "Training").add_dataset(DataSet("oTrainingModel", [Element({"epoch": 1})]))
    assert column_of(store, "SELECT COUNT(*) FROM run") == [1]
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == [1]


def test_after_the_end_of_its_run_a_task_records_nothing_unless_it_begins_anew(store):
    df, task = Dataflow("net", True), Task(1, "net", "Training")
    task.begin()
    df.finish()
    task.end()
    assert column_of(store, "SELECT name FROM run") == ["net-1"]
    with pytest.warns(RuntimeWarning, match="came after finish"):
        record(task, "oTrainingModel", epoch=1)
    task.begin()
    record(task, "oTrainingModel", epoch=1)
    assert rows_of(store, "SELECT r.name FROM run AS r JOIN otrainingmodel USING (run_id)") == [{"name": "net-2"}]


def test_a_status_of_finished_ends_the_task_with_the_next_save(store):
    task = Task(1, "net", "Training")
    task.begin()
    task.set_status(TaskStatus.FINISHED)
    task.save()
    assert column_of(store, "SELECT status FROM task") == ["finished"]


def test_an_id_goes_on_with_its_task_until_that_ends(store):
    Task(1, "net", "Training").begin()
    again = Task("1", "net", "training")
    record(again, "oTrainingModel", epoch=1)
    again.end()
    assert column_of(store, "SELECT COUNT(*) FROM task") == [1]
    Task(1, "net", "Training").begin()
    Task(1, "net", "Testing").begin()
    Task(1, "net", "Training", sub_id=2).begin()
    assert rows_of(store, "SELECT tag, identifier, status FROM task ORDER BY task_id") == [
        {"tag": "Training", "identifier": "1", "status": "finished"},
        {"tag": "Training", "identifier": "1", "status": "running"},
        {"tag": "Testing", "identifier": "1", "status": "running"},
        {"tag": "Training", "identifier": "1", "status": "running"},
    ]


def test_what_the_originals_tell_of_a_task_is_kept(store):
    task = Task(7, "net", "Training", "a", workspace="/scratch", resource="gpu-1")
    task.begin()
    task.output, task.error = "42 epochs", "a warning"
    task.end()
    (row,) = rows_of(store, "SELECT identifier, details FROM task")
    assert row["identifier"] == "7"
    assert row["details"] == (
        '{"sub_id": "a", "workspace": "/scratch", "resource": "gpu-1", "output": "42 epochs", "error": "a warning"}'
    )


def before(store, tag):
    sql = (
        "SELECT b.tag || b.identifier AS name FROM task_dependency AS d JOIN task AS t USING (task_id)"
        " JOIN task AS b ON b.task_id = d.depends_on_task_id WHERE t.tag = ? ORDER BY name"
    )
    return column_of(store, sql, (tag,))


def test_a_task_depends_on_one_on_several_or_on_ids(store):
    first, second = Task(1, "net", "Filters"), Task(2, "net", "Filters")
    first.begin()
    training = Task(3, "net", "Training", dependency=[first, second])  # the second begins with it
    training.begin()
    Task(4, "net", "Testing", dependency=Dependency(["Training", "filters"], [3, 1])).begin()
    other = Task(5, "net", "Report")
    other.add_dependency(Dependency(["Testing"], [4]))
    other.begin()
    assert before(store, "Training") == ["Filters1", "Filters2"]
    assert before(store, "Testing") == ["Filters1", "Training3"]
    assert before(store, "Report") == ["Testing4"]


def test_a_dependency_that_is_not_there_or_late_is_told(store):
    training = Task(1, "net", "Training", dependency=Dependency(["Filters"], [9]))
    with pytest.warns(RuntimeWarning, match="depends on a task that this run has not"):
        training.begin()
    training.add_dependency(Dependency(["Filters"], [9]))
    assert [one["kind"] for one in problems(store)] == ["not_a_task", "not_a_task"]


def test_two_dataflows_of_a_process_are_two_runs_and_one_of_both_tasks_is_one(store):
    first, second = Task(1, "one", "Training"), Task(1, "two", "Training", dependency=Task(2, "one", "Filters"))
    first.begin()
    Task(3, "one", "Testing", dependency=first).begin()
    with pytest.warns(RuntimeWarning, match="depends on a task that this run has not"):
        second.begin()
    assert column_of(store, "SELECT name FROM run ORDER BY name") == ["one-1", "two-1"]
    assert first.run is not second.run


def test_inside_a_run_tasks_are_recorded_into_it(store):
    Dataflow("net", True).save()
    for rate in (0.1, 0.2):
        with dnnprov.start_run("net") as run:
            task = Task(1, "net", "Training")
            record(task, "iTrainingModel", "SGD", rate, 1, 1)
            assert task.run is run
    assert rows_of(store, "SELECT r.name, p.learning_rate FROM run AS r LEFT JOIN itrainingmodel AS p USING (run_id)"
                          " ORDER BY r.name") == [
        {"name": "net-1", "learning_rate": None}, {"name": "net-2", "learning_rate": 0.1},
        {"name": "net-3", "learning_rate": 0.2},
    ]  # fmt: skip


def test_an_adaptation_is_from_the_rate_known_and_by_the_technique_stated(store):
    training = Task(1, "net", "Training")
    training.begin()
    adaptation = Task(2, "net", "Adaptation", dependency=training)
    record(adaptation, "iAdaptation", 10, 0.5, 0.002, technique="StepDecay")
    record(adaptation, "oAdaptation", 0.001, datetime.now(UTC), 11, 1)
    record(adaptation, "oAdaptation", 0.0005, datetime.now(UTC), 21, 2, technique="by hand", old_value=7.0)
    record(adaptation, "oAdaptation", attribute="momentum", new_value=0.5, epoch=22)
    record(training, "oTestingModel", 0.1, 0.9)
    sql = "SELECT attribute, old_value, new_value, technique FROM oadaptation ORDER BY element_id"
    assert [tuple(row.values()) for row in rows_of(store, sql)] == [
        ("learning_rate", 0.002, 0.001, "StepDecay"),
        ("learning_rate", 7.0, 0.0005, "by hand"),
        ("momentum", None, 0.5, "StepDecay"),
    ]
    with dnnprov.open() as history:
        assert [row["technique"] for row in history.ask("Q6")] == ["StepDecay", "by hand"]


def test_a_rate_saved_in_every_epoch_is_an_adaptation_only_where_it_changed(store):
    training, adaptation = Task(1, "net", "Training"), Task(2, "net", "Adaptation")
    record(training, "iTrainingModel", "SGD", 0.1, 3, 1)
    record(training, "oTrainingModel", epoch=1, accuracy=0.5)
    for epoch, rate in enumerate((0.1, 0.1, 0.05, 0.05), start=1):
        record(adaptation, "oAdaptation", rate, datetime.now(UTC), epoch, 1)
    assert column_of(store, "SELECT COUNT(*) FROM oadaptation") == [4]
    with dnnprov.open() as history:
        assert [(row["epoch"], row["old_value"], row["new_value"]) for row in history.ask("Q6")] == [(3, 0.1, 0.05)]


def test_a_file_among_the_values_is_recorded_with_its_hash(store, tmp_path, exit_process):
    (tmp_path / "images.txt").write_bytes(b"daffodil")
    (tmp_path / "model.bin").write_bytes(b"weights")
    task = Task(1, "net", "Training")
    record(task, "oModel", path=File(tmp_path / "model.bin", role="model"))
    record(task, "iImages", listing=File(str(tmp_path), "images.txt"))
    exit_process()
    sql = (
        "SELECT f.path, f.relation, f.role, f.sha256, t.tag FROM file AS f JOIN task AS t USING (task_id)"
        " ORDER BY f.file_id"
    )
    rows = rows_of(store, sql)
    assert [tuple(row.values()) for row in rows] == [
        (str(tmp_path / "model.bin"), "generated", "model", hashlib.sha256(b"weights").hexdigest(), "Training"),
        (str(tmp_path / "images.txt"), "used", None, hashlib.sha256(b"daffodil").hexdigest(), "Training"),
    ]
    assert column_of(store, "SELECT path FROM omodel") == [str(tmp_path / "model.bin")]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Dataflow(""), "tag='' is no name"),
        (lambda: Dataflow("net", 5), "predefined=5 is a int; expected True, False or a list"),
        (lambda: Dataflow("net", True, ["Training"]), "transformation='Training' is a str; expected a Transformation"),
        (lambda: Task(1, None, "Training"), "dataflow_tag=None is no name"),
        (lambda: Task(1, "net", ""), "transformation_tag='' is no name"),
        (lambda: Task(1, "net", "Training", dependency=3), "dependency=3 is a int; expected a Task"),
        (lambda: Task(1, "net", "Training").add_dataset("iFilters"), "dataset='iFilters' is a str; expected a DataSet"),
        (lambda: Task(1, "net", "Training").set_status("RUNNING"), "status='RUNNING' is a str; expected a TaskStatus"),
        (lambda: DataSet("", []), "tag='' is no name"),
        (lambda: DataSet("oFilters", [5]), "data set 'oFilters': 5 is a int; expected an Element"),
        (lambda: Dependency("Filters", [1]), "tags='Filters' is a str; expected a list"),
        (lambda: Dependency(["Filters"], [1, 2]), "1 tags and 2 ids"),
        (lambda: File(3), "path=3 is a int; expected a path"),
    ],
)
def test_what_cannot_be_meant_raises_before_a_training(store, call, message):
    with pytest.raises(UsageError) as raised:
        call()
    assert message in str(raised.value)
    assert not store.exists()


def test_a_transformation_that_nobody_declared_raises_and_says_which_there_are(store):
    Dataflow("net", False, [dnnprov.Transformation("Filters")])
    with pytest.raises(UsageError, match="'net' has no transformation 'Trainig'; it has 'Filters'; add it with"):
        Task(1, "net", "Trainig")
    Task(1, "net", "filters")


def test_while_a_task_is_under_way_nothing_raises_and_all_is_told(store):
    Dataflow("net", False, [dnnprov.Transformation("Filters")])
    Task(1, "net", "Filters").begin()
    with pytest.warns(RuntimeWarning, match="no transformation 'Split'"):
        late = Task(2, "net", "Split")
    late.add_dataset("nonsense")
    late.add_dataset(DataSet("oSplit", [{"size": 3}]))
    late.end()
    assert {one["kind"] for one in problems(store)} == {"misused_call"}
    assert len(problems(store)) == 3
    assert column_of(store, "SELECT size FROM osplit") == [3]


def test_a_store_that_cannot_be_written_costs_the_record_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DNNPROV_STORE", str(tmp_path / "file" / "store"))
    with pytest.warns(RuntimeWarning):
        Dataflow("net", True).save()
        task = Task(1, "net", "Training")
        record(task, "oTrainingModel", epoch=1)
        task.end()


def test_switched_off_it_takes_everything_and_records_nothing(store, monkeypatch):
    monkeypatch.setenv("DNNPROV_DISABLED", "1")
    Dataflow("net", True).save()
    record(Task(1, "net", "Training"), "oTrainingModel", 1, 2, 3)
    assert not store.exists()


def test_a_failure_of_ours_is_a_problem_and_not_the_user_s(store, monkeypatch):
    task = Task(1, "net", "Training")
    task.begin()
    monkeypatch.setattr("dnnprov.dataflow.task.row_of", lambda *_: 1 / 0)
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"):
        record(task, "oTrainingModel", epoch=1)
    assert [one["kind"] for one in problems(store)] == ["capture_failure"]


def test_a_task_is_a_context_too(store):
    with pytest.raises(ValueError, match="gone"), Task(1, "net", "Training") as task:
        task.add_dataset(DataSet("oTrainingModel", [Element({"epoch": 1})]))
        raise ValueError("gone")
    with Task(2, "net", "Testing"):
        pass
    assert rows_of(store, "SELECT status, exit_reason FROM task ORDER BY task_id") == [
        {"status": "failed", "exit_reason": "ValueError: gone"},
        {"status": "finished", "exit_reason": None},
    ]
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == [1]


def test_tasks_begin_with_the_letters_that_were_declared(store):
    Dataflow("net", False, [dnnprov.Transformation("Split")])
    Task(1, "net", "split").begin()
    assert [one.tag for one in events_of(store) if isinstance(one, TaskBegan)] == ["Split"]


class Unreadable:
    """As objects of a user's own may be."""

    def __repr__(self):
        raise RuntimeError("no words")

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    __hash__ = None


def test_one_data_set_may_be_what_one_task_generated_and_the_next_used(store):
    filters, training = Task(1, "net", "Filters"), Task(2, "net", "Training")
    gray = DataSet("oFilters", [Element(["gray-scale"])])
    filters.add_dataset(gray)
    filters.end()
    training.add_dataset(gray)
    training.end()
    training.add_dataset(gray)
    training.save()
    assert rows_of(store, "SELECT task_id, filter_name FROM ofilters") == [
        {"task_id": 1, "filter_name": "gray-scale"},
        {"task_id": 2, "filter_name": "gray-scale"},
    ]


def test_tag_and_id_have_the_names_that_programs_for_the_original_read(store):
    df = Dataflow("net", True)
    first, second = Task(1, df._tag, "Filters"), Task("b", "net", "Resize")
    for one in (first, second):
        one.begin()
    both = Dependency([first._tag, second._tag], [first._id, second._id])
    Task(3, "net", "Training", dependency=both).begin()
    assert column_of(store, "SELECT depends_on_task_id FROM task_dependency ORDER BY 1") == [1, 2]
    assert DataSet("oFilters")._tag == "oFilters"


@pytest.mark.parametrize("transformation", ["SplitDataset", "TrainingModel"])
def test_an_execution_before_the_transformation_names_the_run(store, transformation):
    Dataflow("net", True)
    for moment in ("net-2023-05-01 10:00:00.123", "net-2023-05-02 11:00:00.456"):
        first = Task(1, "net", moment, transformation)
        first.begin()
        Task(2, "net", moment, "TestingModel", dependency=first).end()
    assert rows_of(store, "SELECT r.name, t.tag FROM run AS r JOIN task AS t USING (run_id) ORDER BY task_id") == [
        {"name": moment, "tag": tag}
        for moment in ("net-2023-05-01 10:00:00.123", "net-2023-05-02 11:00:00.456")
        for tag in (transformation, "TestingModel")
    ]


def test_a_part_of_a_declared_transformation_is_no_execution(store):
    Dataflow("net", False, [dnnprov.Transformation("net-split"), dnnprov.Transformation("b")])
    Task(1, "net", "net-split", "b").begin()
    assert column_of(store, "SELECT tag FROM task") == ["net-split"]


def test_what_says_nothing_of_itself_reaches_no_training(store):
    task, thing = Task(1, "net", "Training"), Unreadable()
    task.begin()
    with pytest.warns(RuntimeWarning, match="expected a DataSet"):
        task.add_dataset(thing)
    task.add_dataset(DataSet("oFilters", [thing]))
    task.add_dependency(thing)
    Task(thing, thing, thing, dependency=thing)
    dnnprov.Attribute(thing, thing)
    dnnprov.Set(thing, thing, dependency=thing)
    Dependency(thing, thing)
    File(thing)
    task.end()
    assert {one["kind"] for one in problems(store)} == {"misused_call"}


@pytest.mark.parametrize("tag", ["half \ud800 a pair", "\x00", " "])
def test_a_tag_that_is_no_text_of_unicode_costs_no_record(store, tag):
    declared = dnnprov.Transformation(tag, [dnnprov.Set(tag, "OUTPUT", [dnnprov.Attribute(tag, "NUMERIC")])])
    Dataflow(tag, False, [declared]).save()
    task = Task(tag, tag, tag)
    record(task, tag, 5)
    task.end()
    assert column_of(store, "SELECT status FROM task") == ["finished"]
    table = column_of(store, "SELECT table_name FROM data_set ORDER BY data_set_id")[-1]
    column = column_of(store, "SELECT column_name FROM attribute ORDER BY attribute_id")[-1]
    assert column_of(store, f'SELECT "{column}" FROM "{table}"') == [5]


def test_a_child_forked_while_another_thread_saves_does_not_wait_for_it(store):
    task, held, done = Task(1, "net", "Training"), threading.Event(), threading.Event()
    task.begin()

    def save_for_long():
        with known_recording("net").lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=save_for_long)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        record(task, "oTrainingModel", epoch=1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert status == 0
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == [1]


def test_a_run_that_two_threads_finish_at_once_is_finished(store, monkeypatch):
    df, task = Dataflow("net", True), Task(1, "net", "Training")
    record(task, "oTrainingModel", epoch=1)
    run, under_way, begun = task.run, threading.Event(), threading.Event()

    def wait_for_the_other():
        under_way.set()
        begun.wait(0.2)

    monkeypatch.setattr(run.recorder, "run_deferred", wait_for_the_other)
    first = threading.Thread(target=run.finish, daemon=True)
    first.start()
    under_way.wait()
    second = threading.Thread(target=df.finish, daemon=True)
    second.start()
    for thread in (first, second):
        thread.join(10)
        assert not thread.is_alive()
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_threads_that_save_one_task_lose_no_row(store):
    task = Task(1, "net", "Training")
    task.begin()

    def save_rows():
        for epoch in range(200):
            record(task, "oTrainingModel", epoch=epoch)

    threads = [threading.Thread(target=save_rows) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert column_of(store, "SELECT COUNT(*) FROM otrainingmodel") == [800]


def test_threads_that_name_a_dataflow_first_at_once_record_one_run(store, monkeypatch):
    both = threading.Barrier(2, timeout=5)

    def recording(tag):
        both.wait()
        return Recording(tag)

    monkeypatch.setattr("dnnprov.dataflow.recording.Recording", recording)
    threads = [threading.Thread(target=lambda: Task(1, "net", "Training").begin()) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert column_of(store, "SELECT COUNT(*) FROM run") == [1]


def test_a_run_that_is_finished_is_not_held(store):
    df, kept = Dataflow("net", True), []
    for _ in range(3):
        task = Task(1, "net", "Training")
        task.begin()
        kept.append(weakref.ref(task.run))
        df.finish()
        del task
    gc.collect()
    assert [one() for one in kept[:2]] == [None, None]


def test_a_copy_of_a_callback_that_holds_a_task_records_into_the_same_task(store):
    task, df = Task(1, "net", "Training"), Dataflow("net", True)
    task.begin()
    with dnnprov.start_run("net") as run, run.task("Filters") as filters:
        held = copy.deepcopy({"task": task, "dataflow": df, "filters": filters})
        held["filters"].generates("oFilters", filter_name="gray-scale")
    record(held["task"], "oTrainingModel", epoch=1)
    held["dataflow"].finish()
    assert rows_of(store, "SELECT tag, status FROM task ORDER BY tag") == [
        {"tag": "Filters", "status": "finished"},
        {"tag": "Training", "status": "finished"},
    ]


def test_an_empty_path_is_no_file(store):
    paths = dnnprov.Set("iLoad", "INPUT", [dnnprov.Attribute("path", "FILE")])
    Dataflow("net", False, [dnnprov.Transformation("Load", [paths])])
    record(Task(1, "net", "Load"), "iLoad", "")
    assert column_of(store, "SELECT path FROM iload") == [""]
    assert column_of(store, "SELECT COUNT(*) FROM file") == [0]


def test_the_last_of_thousands_of_tasks_costs_what_the_tenth_did(store):
    def step(number):
        before = Dependency(["Step"], [number - 1]) if number else None
        Task(number, "net", "Step", dependency=before).end()

    costs = [num_calls(lambda number=number: step(number)) for number in range(3000)]
    assert statistics.median(costs[-100:]) <= statistics.median(costs[10:110])
    assert column_of(store, "SELECT COUNT(*) FROM task_dependency") == [2_999]
