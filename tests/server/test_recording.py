"""What clients post is recorded: which run it goes to, what waits, what is stored once, what outlives the server."""

from __future__ import annotations

import json
import resource
import shutil
import threading
import time

import pytest

from dnnprov.journal.folder import StoreFolder
from dnnprov.model.dfanalyzer.json_form import read_dataflow, read_task
from dnnprov.server import client_runs
from dnnprov.server.client_runs import ClientRuns
from recorded import column_of, rows_of


def epochs(store):
    return rows_of(
        store,
        "SELECT r.name, o.epoch, o.loss FROM oTrainingModel AS o JOIN run AS r USING (run_id) ORDER BY r.name, o.epoch",
    )


def test_the_story_of_a_python_client(serve, store, training):
    server = serve()
    server.dataflow("alexnet", training)
    named = {"exec": "alexnet-2023-05-01", "first": "0", "sub_id": "", "dependency": "", "performances": []}
    server.task(
        **named | {"first": "1"},
        status="RUNNING",
        sets=[{"tag": "iTrainingModel", "elements": [["Adam", "0.002", 100]]}],
    )
    for epoch in (1, 2):
        server.task(**named, status="RUNNING", sets=[{"tag": "oTrainingModel", "elements": [[epoch, 1 / epoch]]}])
    performance = {"startTime": "2023-05-01 10:00:00", "endTime": "2023-05-01 10:05:00", "method": "COMPUTATION"}
    server.task(**named | {"performances": [performance]}, status="FINISHED", output="done", resource="gpu-3")
    before = {"tags": [{"tag": "training"}], "ids": [{"id": "1"}]}
    server.task(**named | {"dependency": before}, id=2, transformation="testing", status="FINISHED")
    server.stop()
    assert epochs(store) == [
        {"name": "alexnet-2023-05-01", "epoch": 1, "loss": 1.0},
        {"name": "alexnet-2023-05-01", "epoch": 2, "loss": 0.5},
    ]
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "alexnet-2023-05-01", "status": "finished"}]
    assert rows_of(store, "SELECT optimizer_name, learning_rate, num_epochs FROM iTrainingModel") == [
        {"optimizer_name": "Adam", "learning_rate": 0.002, "num_epochs": 100}
    ]
    tasks = rows_of(store, "SELECT tag, identifier, status, details FROM task ORDER BY task_id")
    assert [(row["tag"], row["identifier"], row["status"]) for row in tasks] == [
        ("Training", "1", "finished"),
        ("testing", "2", "finished"),
    ]
    details = json.loads(tasks[0]["details"])
    assert (details["output"], details["resource"]) == ("done", "gpu-3")
    assert json.loads(details["performances"]) == [performance]
    assert column_of(store, "SELECT COUNT(*) FROM task_dependency") == [1]
    assert column_of(store, "SELECT detail FROM problem") == []


def test_the_text_form_records_the_same_as_json(serve, store):
    server = serve()
    server.post(
        "/pde/dataflow",
        b"dataflow(alexnet)\ndataset(iTrainingModel, {OPTIMIZER_NAME, LEARNING_RATE}, {TEXT, NUMERIC})\n"
        b"dataset(oTrainingModel, {EPOCH, LOSS}, {NUMERIC, NUMERIC})\nprogram(train, /opt/train.py)\n"
        b"transformation(Training, {iTrainingModel}, {oTrainingModel}, {train})\n",
    )
    server.post(
        "//pde/task",
        b"task(alexnet, training, 1, FINISHED)\ncollection(iTrainingModel, {{Adam; 0.002}})\n"
        b"collection(oTrainingModel, {{1; 0.5}, {2; 0.25}})\nfile(model.h5, /data)",
    )
    server.stop()
    assert [(row["epoch"], row["loss"]) for row in epochs(store)] == [(1, 0.5), (2, 0.25)]
    assert column_of(store, "SELECT learning_rate FROM iTrainingModel") == [0.002]
    assert column_of(store, "SELECT path FROM file") == ["/data/model.h5"]
    assert "/opt/train.py" in column_of(store, "SELECT path FROM program")


def test_a_task_before_its_dataflow_waits_and_is_recorded_by_its_plan(serve, store, training):
    server = serve()
    answer = server.task(sets=[{"tag": "oTrainingModel", "elements": ["1;0.5"]}])
    assert (answer["recorded"], answer["waits_for"]) == (False, "alexnet")
    assert column_of(store, "SELECT COUNT(*) FROM task") == [0]
    server.kill()
    server = serve()
    server.dataflow("AlexNet", training)
    assert [(row["epoch"], row["loss"]) for row in epochs(store)] == [(1, 0.5)]
    server.task(status="FINISHED")
    assert rows_of(store, "SELECT identifier, status FROM task") == [{"identifier": "1", "status": "finished"}]
    assert column_of(store, "SELECT detail FROM problem") == []


def test_what_was_answered_is_there_after_kill_9_and_another_server_goes_on_with_the_run(serve, store, training):
    server = serve()
    server.dataflow("alexnet", training)
    for epoch in range(1, 6):
        server.task(exec="e", sets=[{"tag": "oTrainingModel", "elements": [[epoch, 0.5]]}])
    server.kill()
    assert [row["epoch"] for row in epochs(store)] == [1, 2, 3, 4, 5]
    assert column_of(store, "SELECT status FROM run") == ["crashed"]
    server = serve()
    server.task(exec="e", sets=[{"tag": "oTrainingModel", "elements": [[5, 0.5], [6, 0.5]]}])
    assert column_of(store, "SELECT status FROM run") == ["running"]
    assert column_of(store, "SELECT status FROM task") == ["running"]
    server.task(exec="e", status="FINISHED")
    server.stop()
    assert [(row["name"], row["epoch"]) for row in epochs(store)] == [("e", epoch) for epoch in range(1, 7)]
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "e", "status": "finished"}]
    assert rows_of(store, "SELECT identifier, status FROM task") == [{"identifier": "1", "status": "finished"}]
    assert column_of(store, "SELECT COUNT(*) FROM process") == [2]


def test_posts_in_flight_when_the_server_is_killed_are_there_if_they_were_answered(serve, store, training):
    server = serve()
    server.dataflow("alexnet", training)
    answered = [[] for _ in range(8)]

    def client(number):
        connection = server.connect()
        try:
            for epoch in range(10_000):
                server.task_on(connection, number, epoch)
                answered[number].append(epoch)
        except (OSError, AssertionError, ValueError):
            pass

    def task_on(connection, number, epoch):
        body = {"dataflow": "alexnet", "transformation": "training", "id": number, "exec": f"e{number % 3}"}
        server.post(
            "/pde/task/json", {**body, "sets": [{"tag": "oTrainingModel", "elements": [[epoch, 0.5]]}]}, connection
        )

    server.task_on = task_on
    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while sum(map(len, answered)) < 400:
        pass
    server.kill()
    for thread in threads:
        thread.join()
    stored = rows_of(store, "SELECT t.identifier, o.epoch FROM oTrainingModel AS o JOIN task AS t USING (task_id)")
    found = {(int(row["identifier"]), row["epoch"]) for row in stored}
    assert len(found) == len(stored)
    sent = {(number, epoch) for number, epochs_of in enumerate(answered) for epoch in epochs_of}
    assert sent <= found
    assert len(found) <= len(sent) + 8


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process are of Linux")
def test_what_a_full_disk_refuses_is_told_and_there_once_when_it_is_sent_again(serve, store, training):
    server = serve()
    server.dataflow("alexnet", training)
    task = {"dataflow": "alexnet", "transformation": "training", "id": 1, "exec": "e"}
    bodies = [{**task, "sets": [{"tag": "oTrainingModel", "elements": [[epoch, 0.5]]}]} for epoch in range(60)]
    without = resource.RLIM_INFINITY
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4000, without))
    statuses = [server.ask("POST", "/pde/task/json", body)[0] for body in bodies]
    assert statuses == sorted(statuses)
    assert set(statuses) == {200, 503}
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (without, without))
    for body in bodies:
        server.post("/pde/task/json", body)
    server.kill()
    assert [row["epoch"] for row in epochs(store)] == list(range(60))


def test_64_clients_at_once_are_each_answered_once_and_lose_nothing(serve, store, training):
    server = serve()
    server.dataflow("alexnet", training)
    answers = []

    def client(number):
        connection = server.connect()
        for epoch in range(20):
            task = {"dataflow": "alexnet", "transformation": "training", "id": 1, "exec": f"e{number:02}"}
            body = {**task, "sets": [{"tag": "oTrainingModel", "elements": [[epoch, number]]}]}
            status, answer = server.ask("POST", "//pde/task/json", body, connection)
            answers.append((status, answer["run"], number))
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted((200, f"e{number:02}", number) for number in range(64) for _ in range(20))
    assert [(row["name"], row["epoch"], row["loss"]) for row in epochs(store)] == [
        (f"e{number:02}", epoch, number) for number in range(64) for epoch in range(20)
    ]
    assert column_of(store, "SELECT COUNT(*) FROM run") == [64]
    assert column_of(store, "SELECT COUNT(*) FROM task") == [64]


def test_a_dataflow_posted_again_with_a_change_is_another_version_and_the_same_again_is_none(
    serve, store, declared, training
):
    transformation, data_set = declared
    server = serve()
    server.dataflow("alexnet", training)
    server.task(exec="e")
    server.dataflow("alexnet", training)
    filters = transformation("Filters", data_set("oFilters", "OUTPUT", FILTER_NAME="TEXT"))
    server.dataflow("alexnet", training, filters)
    server.task(exec="e", id=2, transformation="filters", sets=[{"tag": "oFilters", "elements": [["gray-scale"]]}])
    assert column_of(store, "SELECT version FROM dataflow_version ORDER BY version") == [1, 2]
    assert column_of(store, "SELECT filter_name FROM oFilters") == ["gray-scale"]
    status, answer = server.ask("GET", "/api/dataflows/alexnet")
    assert (status, answer["version"], answer["num_runs"]) == (200, 2, 1)
    assert set(answer["specification"]) == {"Training", "Filters"}
    assert server.ask("GET", f"/api/dataflows/{answer['id']}") == (200, answer)
    listed = server.ask("GET", "//api/dataflows/list")[1]
    assert [(row["tag"], row["version"]) for row in listed] == [("alexnet", 2)]


def test_undeclared_things_are_taken_and_a_count_that_differs_is_told(serve, store, training):
    server = serve()
    server.dataflow("alexnet", training)
    server.task(sets=[{"tag": "oTrainingModel", "elements": [[1, 0.5, "surplus"]]}])
    server.task(id=2, transformation="Cleaning", sets=[{"tag": "oCleaning", "elements": ["3;0.5;abc"]}])
    assert rows_of(store, "SELECT value_1, value_2, value_3 FROM oCleaning") == [
        {"value_1": 3, "value_2": 0.5, "value_3": "abc"}
    ]
    surplus, undeclared = column_of(
        store, "SELECT detail FROM problem WHERE kind = 'value_does_not_fit' ORDER BY problem_id"
    )
    assert "'surplus' is one value too many" in surplus
    assert "nobody declared" in undeclared


@pytest.fixture
def runs(store):
    made = []

    def make(quiet=3600.0, settle=10.0):
        made.append(ClientRuns(StoreFolder(store), quiet, settle))
        made[-1].load()
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def at(monkeypatch):
    """Sets the clock that quiet is measured by."""
    begin = time.monotonic()

    def set_clock(seconds):
        monkeypatch.setattr(client_runs.time, "monotonic", lambda: begin + seconds)

    return set_clock


def told(runs, number=1, status="RUNNING", **more):
    body = {"dataflow": "d", "transformation": "t", "id": number, "status": status}
    return runs.record_task(read_task({**body, **more}))


def declare(runs, *transformations):
    return runs.record_dataflow(read_dataflow({"tag": "d", "transformations": list(transformations)}))


def test_without_an_execution_a_script_that_begins_again_is_another_run(runs, store):
    recorded = runs()
    for _ in range(2):
        declare(recorded)
        for number in (1, 2):
            told(recorded, number)
            told(recorded, number, "FINISHED")
    recorded.close()
    assert rows_of(store, "SELECT name, status FROM run") == [
        {"name": "d-1", "status": "finished"},
        {"name": "d-2", "status": "finished"},
    ]
    assert column_of(store, "SELECT COUNT(*) FROM task GROUP BY run_id") == [2, 2]


def test_without_an_execution_a_dataflow_that_grows_between_tasks_stays_in_its_run(runs, store):
    recorded = runs()
    declare(recorded, {"tag": "t"})
    told(recorded, 1, "FINISHED")
    declare(recorded, {"tag": "t"}, {"tag": "u"})
    told(recorded, 2, dependency={"tags": ["t"], "ids": [1]})
    assert column_of(store, "SELECT COUNT(*) FROM run") == [1]
    assert column_of(store, "SELECT COUNT(*) FROM task_dependency") == [1]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_change_of_the_dataflow_goes_to_the_run_under_way_and_after_its_end_begins_another(runs, store, is_restarted):
    recorded = runs(settle=0.0)
    declare(recorded, {"tag": "t"})
    told(recorded, 1)
    if is_restarted:
        recorded.close()
        recorded = runs(settle=0.0)
    declare(recorded, {"tag": "t"}, {"tag": "u"})
    told(recorded, 1, "FINISHED")
    recorded.tidy()
    assert column_of(store, "SELECT name FROM run") == ["d-1"]
    if is_restarted:
        recorded.close()
        recorded = runs(settle=0.0)
    declare(recorded, {"tag": "t"}, {"tag": "u"}, {"tag": "v"})
    told(recorded, 2)
    assert column_of(store, "SELECT name FROM run ORDER BY run_id") == ["d-1", "d-2"]
    assert column_of(store, "SELECT r.name FROM task JOIN run AS r USING (run_id) ORDER BY identifier") == [
        "d-1",
        "d-2",
    ]
    versions = "SELECT v.version, r.name FROM dataflow_version AS v JOIN run AS r USING (run_id) ORDER BY v.version"
    assert [tuple(row.values()) for row in rows_of(store, versions)] == [(1, "d-1"), (2, "d-1"), (3, "d-2")]


def test_a_client_that_says_it_is_first_begins_a_run_also_after_one_that_crashed(runs, store):
    recorded = runs()
    declare(recorded)
    told(recorded, 1, first="1")
    told(recorded, 1, first="1")
    recorded.close()
    assert rows_of(store, "SELECT name, status, exit_reason FROM run ORDER BY run_id")[0] == {
        "name": "d-1", "status": "interrupted", "exit_reason": "its client began anew, and tasks had not ended",
    }  # fmt: skip
    assert column_of(store, "SELECT name FROM run ORDER BY run_id") == ["d-1", "d-2"]


def test_an_execution_is_one_run_and_takes_over_the_one_begun_for_its_dataflow(runs, store):
    recorded = runs()
    declare(recorded)
    for execution in ("a", "b", "a"):
        told(recorded, 1, exec=execution)
    declare(recorded)
    assert column_of(store, "SELECT name FROM run ORDER BY run_id") == ["a", "b"]


def test_a_run_whose_tasks_ended_is_finished_when_it_settles_and_goes_on_when_more_comes(runs, store, at):
    recorded = runs()
    declare(recorded)
    told(recorded, 1, "FINISHED", exec="a")
    told(recorded, 1, exec="b")
    at(9)
    recorded.tidy()
    assert set(column_of(store, "SELECT status FROM run")) == {"running"}
    at(11)
    recorded.tidy()
    assert column_of(store, "SELECT status FROM run ORDER BY name") == ["finished", "running"]
    told(recorded, 2, exec="a", dependency={"tags": ["t"], "ids": [1]})
    assert column_of(store, "SELECT status FROM run ORDER BY name") == ["running", "running"]
    told(recorded, 2, "FINISHED", exec="a")
    assert column_of(store, "SELECT COUNT(*) FROM task_dependency") == [1]
    assert column_of(store, "SELECT COUNT(*) FROM run") == [2]


def test_after_long_quiet_a_run_takes_no_more_and_is_interrupted_where_tasks_had_not_ended(runs, store, at):
    recorded = runs(quiet=100)
    declare(recorded)
    told(recorded, 1)
    at(101)
    recorded.tidy()
    told(recorded, 2)
    rows = rows_of(store, "SELECT name, status, exit_reason FROM run ORDER BY run_id")
    assert rows[0]["exit_reason"] == "nothing was heard for 100 s, and tasks had not ended"
    assert [(row["name"], row["status"]) for row in rows] == [("d-1", "interrupted"), ("d-2", "running")]


def test_a_task_whose_dataflow_never_comes_is_recorded_when_its_run_is_over(runs, store, at):
    recorded = runs(quiet=100)
    told(recorded, 1, "FINISHED", sets=[{"tag": "o", "elements": ["1;x"]}])
    at(101)
    recorded.tidy()
    assert rows_of(store, "SELECT value_1, value_2 FROM o") == [{"value_1": 1, "value_2": "x"}]
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_a_later_server_goes_on_with_the_run_that_nobody_named(runs, store):
    first = runs()
    declare(first)
    told(first, 1)
    first.close()
    second = runs()
    told(second, 1, "FINISHED")
    second.close()
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "d-1", "status": "finished"}]
    assert column_of(store, "SELECT status FROM task") == ["finished"]


def test_what_two_servers_told_of_a_task_is_together_whichever_journal_is_read_first(runs, store):
    first = runs()
    declare(first)
    told(first, 1, workspace="/work", output="begun")
    first.close()
    (earlier,) = store.glob("journal/*/*.jsonl")
    second = runs()
    told(second, 1, resource="gpu-3", output="half")
    told(second, 1, "FINISHED", error="none", output="done")
    away = earlier.rename(store / "away")
    assert column_of(store, "SELECT status FROM task") == ["finished"]
    away.rename(earlier)
    (details,) = column_of(store, "SELECT details FROM task")
    assert json.loads(details) == {"workspace": "/work", "resource": "gpu-3", "error": "none", "output": "done"}
    assert column_of(store, "SELECT identifier FROM task") == ["1"]


def test_a_run_that_was_removed_begins_anew(runs, store):
    recorded = runs(settle=0.0)
    declare(recorded)
    told(recorded, 1, "FINISHED", exec="a")
    recorded.tidy()
    shutil.rmtree(store / "journal")
    told(recorded, 1, "FINISHED", exec="a")
    assert len(list((store / "journal").glob("*/*.jsonl"))) == 1


def test_what_is_answered_after_the_store_was_deleted_is_in_the_store(serve, store, training):
    server = serve()
    server.dataflow("alexnet", training)
    shutil.rmtree(store)
    server.task(sets=[{"tag": "oTrainingModel", "elements": ["1;0.5"]}])
    assert [(row["epoch"], row["loss"]) for row in epochs(store)] == [(1, 0.5)]
    assert column_of(store, "SELECT status FROM run") == ["running"]
