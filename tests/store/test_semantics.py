"""What rows mean must not depend on the order in which the segments of a run are taken in, nor on clocks or types."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import time

import pytest

import dnnprov
from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.format import encode
from dnnprov.model.events import (
    ElementsRecorded,
    FileRecorded,
    MetricsRecorded,
    ParametersSet,
    ProcessHeard,
    RunEnded,
    RunResumed,
    RunStarted,
    SegmentClosed,
    SegmentOpened,
    TaskBegan,
    TaskEnded,
)
from dnnprov.store.ingest import Ingest
from dnnprov.store.liveness import STALE_SECONDS
from dnnprov.store.migrations import migrate
from dnnprov.store.source import time_text
from recorded import column_of, rows_of

RUN = "abcdabcdabcdabcd"
MINUTE = 60_000_000


def write_segment(store, process, events, *, began_at=None, run=RUN, **header):
    """A segment as a process of another machine leaves it; its events are a millisecond apart."""
    path = StoreFolder(store).segment(run, process)
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = SegmentOpened(format=1, run=run, process=process, host="elsewhere", boot="another", **header)
    began_at = began_at or time.time_ns() // 1000
    lines = []
    for number, event in enumerate([opened, *events]):
        event.seq, event.at = number, event.at or began_at + 1000 * number
        lines.append(encode(event))
    path.write_bytes(b"".join(lines))
    return path


def epoch(number, task=2, **metrics):
    return ElementsRecorded(set="oTrainingModel", relation="generated", task=task, rows=[{"epoch": number, **metrics}])


def contents(store):
    """What the database says of runs and plans, without its own keys and the order of its rows."""
    tables = {
        "run": "SELECT r.*, d.tag, v.version, v.specification FROM run AS r LEFT JOIN dataflow AS d USING (dataflow_id)"
        " LEFT JOIN dataflow_version AS v USING (dataflow_version_id)",
        "task": "SELECT p.name, t.sequence, t.tag, t.status, t.started_at, t.ended_at, t.exit_reason, d.tag AS plan"
        " FROM task AS t JOIN process AS p USING (process_id)"
        " LEFT JOIN data_transformation AS d USING (transformation_id)",
        "rank": "SELECT * FROM run_rank",
        "metric": "SELECT * FROM metric",
        "run_metric": "SELECT * FROM run_metric",
        "run_overview": "SELECT * FROM run_overview",
        "itrainingmodel": "SELECT i.*, p.name FROM itrainingmodel AS i JOIN process AS p USING (process_id)",
        "plan": "SELECT d.tag, s.tag AS data_set, t.relation, g.path FROM data_transformation AS d"
        " LEFT JOIN transformation_data_set AS t USING (transformation_id) LEFT JOIN data_set AS s USING (data_set_id)"
        " LEFT JOIN program AS g USING (program_id)",
        "dependency": "SELECT a.tag, b.tag AS following, s.tag AS data_set FROM data_dependency AS d"
        " JOIN data_transformation AS a ON a.transformation_id = d.previous_transformation_id"
        " JOIN data_transformation AS b ON b.transformation_id = d.next_transformation_id"
        " LEFT JOIN data_set AS s USING (data_set_id)",
        "problem": "SELECT kind, detail FROM problem",
    }
    found = {}
    for name, sql in tables.items():
        kept = [{key: row[key] for key in row if not key.endswith("_id")} for row in rows_of(store, sql)]
        found[name] = sorted(json.dumps(row, sort_keys=True) for row in kept)
    return found


def taken_in(store, segments, order):
    """The contents after the segments were taken in one by one in an order."""
    for number in order:
        process, events, header = segments[number]
        write_segment(store, process, events(), **header)
        column_of(store, "SELECT 1")
    return contents(store)


def assert_any_order_is_the_same(tmp_path, segments):
    orders = list(itertools.permutations(range(len(segments))))
    expected = taken_in(tmp_path / "0", segments, orders[0])
    for number, order in enumerate(orders[1:], 1):
        assert taken_in(tmp_path / str(number), segments, order) == expected, order
    for path in (tmp_path / "0").glob("provenance.db*"):
        path.unlink()
    assert contents(tmp_path / "0") == expected
    return expected


# Metrics: what counts of a step that comes again


def test_a_step_counted_anew_in_each_epoch_hides_no_value(store):
    with dnnprov.start_run("m") as run:
        for number in range(3):
            for step in range(4):
                run.log(step=step, epoch=number, loss=float(10 * number + step))
    assert column_of(store, "SELECT value FROM metric ORDER BY epoch, step") == [
        float(10 * number + step) for number in range(3) for step in range(4)
    ]
    assert rows_of(store, "SELECT last, min, max, num_values FROM run_metric") == [
        {"last": 23.0, "min": 0.0, "max": 23.0, "num_values": 12}
    ]


def test_the_same_step_again_and_again_hides_no_value(store):
    with dnnprov.start_run("m") as run:
        for value in range(5):
            run.log(step=0, loss=float(value))
            column_of(store, "SELECT 1")
    assert sorted(column_of(store, "SELECT value FROM metric")) == [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.filterwarnings("ignore")  # of JAX, where another test loaded it: it dislikes any fork
def test_a_forked_child_hides_no_value_of_its_parent(store):
    run = dnnprov.start_run("m")
    run.log(loss=0.0)
    child = os.fork()
    if child == 0:
        run.log(loss=77.0)
        os._exit(0)
    os.waitpid(child, 0)
    run.log(loss=1.0)
    run.finish()
    assert sorted(column_of(store, "SELECT value FROM metric")) == [0.0, 1.0, 77.0]
    assert rows_of(store, "SELECT min, max, num_values FROM run_metric") == [{"min": 0.0, "max": 77.0, "num_values": 3}]


def test_many_values_of_one_step_cost_as_much_each_as_few(store):
    def instructions(num_values):
        folder = StoreFolder(store / str(num_values))
        events = [MetricsRecorded(values={"x": float(n)}, step=0) for n in range(num_values)]
        write_segment(folder.path, "r0-a", [RunStarted(dataflow="m", name="n"), *events])
        connection = sqlite3.connect(folder.database, isolation_level=None)
        migrate(connection, "here")
        count = 0

        def tick():
            nonlocal count
            count += 1

        connection.set_progress_handler(tick, 1000)
        Ingest(connection, folder, chunk_bytes=10_000).catch_up()
        connection.close()
        return count

    assert instructions(8000) < 6 * instructions(2000)


def resumed(first_epochs=(None, None, None), second_epochs=(None, None)):
    first = list(zip((0, 1, 2), (10.0, 11.0, 12.0), first_epochs, strict=True))
    second = list(zip((1, 2), (2.0, 3.0), second_epochs, strict=True))

    def events(opening, values):
        return lambda: [
            opening(),
            *(MetricsRecorded(values={"loss": value}, step=step, epoch=number) for step, value, number in values),
        ]

    now = time.time_ns() // 1000
    return [
        ("r0-b", events(lambda: RunStarted(dataflow="m", name="n"), first), {"began_at": now - MINUTE}),
        ("r0-a", events(lambda: RunResumed(dataflow="m"), second), {"began_at": now, "attempt": 1}),
    ]


def test_of_a_resumed_run_the_later_attempt_counts_at_a_step_in_any_order(tmp_path):
    segments = resumed()
    assert_any_order_is_the_same(tmp_path, segments)
    store = tmp_path / "1"
    assert column_of(store, "SELECT value FROM metric ORDER BY step") == [10.0, 2.0, 3.0]
    assert column_of(store, "SELECT COUNT(*) FROM metric_value") == [5]
    assert rows_of(store, "SELECT last, min, max, num_values FROM run_metric") == [
        {"last": 3.0, "min": 2.0, "max": 10.0, "num_values": 3}
    ]


def test_what_an_earlier_attempt_recorded_alone_is_never_the_last_value(tmp_path):
    _, second = resumed()
    first = lambda: [RunStarted(dataflow="m", name="n"), MetricsRecorded(values={"loss": 9.0}, step=7)]  # noqa: E731
    now = time.time_ns() // 1000
    expected = assert_any_order_is_the_same(tmp_path, [("r0-b", first, {"began_at": now - MINUTE}), second])
    assert json.loads(expected["run_metric"][0])["last"] == 3.0


def test_a_step_of_another_epoch_is_no_repetition(tmp_path):
    assert_any_order_is_the_same(tmp_path, resumed(first_epochs=(1, 1, 1), second_epochs=(2, 1)))
    assert column_of(tmp_path / "1", "SELECT value FROM metric ORDER BY step, epoch") == [10.0, 11.0, 2.0, 3.0]


def test_what_forked_children_record_stands_where_its_times_say_in_any_order(tmp_path):
    began_at = time.time_ns() // 1000 - 10 * MINUTE

    def recorded(opening, *minutes):
        def events():
            values = []
            for minute in minutes:
                values.append(MetricsRecorded(values={"loss": float(minute), "constant": 0.5}, epoch=minute, step=0))
                values.append(epoch(minute, task="r0-a:2", loss=float(minute), accuracy=0.5))
                for event in values[-2:]:
                    event.at = began_at + minute * MINUTE
            return [*opening(), *values]

        return events

    segments = [
        ("r0-a", recorded(lambda: [RunStarted(dataflow="m", name="n"), TaskBegan(tag="Training")], 1, 4, 7), {}),
        ("r0-fork-a", recorded(list, 2, 6), {"forked_from": "r0-a"}),
        ("r0-fork-b", recorded(list, 3, 5), {"forked_from": "r0-a"}),
    ]
    for _, _, header in segments:
        header["began_at"] = began_at
    expected = assert_any_order_is_the_same(tmp_path, segments)
    said = {(row["level"], row["name"]): row for row in map(json.loads, expected["run_metric"])}
    for key in (("batch", "loss"), ("epoch", "loss")):
        assert [said[key][name] for name in ("last", "min_epoch", "max_epoch", "num_values")] == [7.0, 1, 7, 7]
    assert (said["batch", "constant"]["min_epoch"], said["epoch", "accuracy"]["max_epoch"]) == (1, 1)


@pytest.mark.parametrize("kind", ["steps again", "epochs after"])
def test_a_resumed_run_of_many_values_costs_as_much_each_as_one_of_few(tmp_path, kind):
    def instructions(number):
        folder = StoreFolder(tmp_path / str(number))
        connection = sqlite3.connect(folder.path.with_suffix(".db"), isolation_level=None)
        migrate(connection, "here")
        count = 0

        def tick():
            nonlocal count
            count += 1

        ingest = Ingest(connection, folder, chunk_bytes=10_000)
        for attempt, opening in enumerate([RunStarted(dataflow="m", name="n"), RunResumed(dataflow="m")]):
            begin = 0 if kind == "steps again" else attempt * number
            values = [
                MetricsRecorded(values={"x": 1.0 / (n + 1)}, step=n) if not begin and kind == "steps again"
                else epoch(n, loss=1.0 / (n + 1))
                for n in range(begin, begin + number)
            ]  # fmt: skip
            write_segment(folder.path, f"r0-{attempt}", [opening, TaskBegan(tag="Training"), *values], attempt=attempt)
            connection.set_progress_handler(tick, 1000)
            ingest.catch_up()
        connection.close()
        return count

    assert instructions(4000) < 6 * instructions(1000)


# Runs: the latest attempt says how a run is


def attempts():
    """A run that was killed twice and finished at the third go."""
    now = time.time_ns() // 1000

    def first():
        return [
            RunStarted(dataflow="m", name="n", program="train.py"),
            TaskBegan(tag="Training"),
            ParametersSet(values={"batch_size": 8, "learning_rate": 0.1}),
            epoch(1, loss=5.0, accuracy=0.9),
            ElementsRecorded(set="oTestingModel", relation="generated", rows=[{"accuracy": 0.8}]),
        ]

    def second():
        return [RunResumed(dataflow="m"), TaskBegan(tag="Training"), epoch(1, loss=4.0), epoch(2, loss=3.0)]

    def third():
        return [
            RunResumed(dataflow="m"),
            TaskBegan(tag="Training"),
            ParametersSet(values={"batch_size": 16, "warmup": 3}),
            epoch(2, loss=2.0, accuracy=0.5),
            ElementsRecorded(set="oTestingModel", relation="generated", rows=[{"accuracy": 0.4}]),
            TaskEnded(task=2, status="finished"),
            RunEnded(status="finished"),
            SegmentClosed(),
        ]

    return [
        ("r0-c", first, {"began_at": now - 2 * MINUTE}),
        ("r0-b", second, {"began_at": now - MINUTE, "attempt": 1}),
        ("r0-a", third, {"began_at": now, "attempt": 2}),
    ]


def test_a_resumed_run_is_the_same_in_whatever_order_its_attempts_are_taken_in(tmp_path):
    assert_any_order_is_the_same(tmp_path, attempts())
    store = tmp_path / "5"
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT status FROM task ORDER BY started_at") == ["crashed", "crashed", "finished"]
    assert rows_of(store, "SELECT last, num_values FROM run_metric WHERE level = 'epoch' AND name = 'loss'") == [
        {"last": 2.0, "num_values": 2}
    ]
    assert column_of(store, "SELECT last FROM run_metric WHERE level = 'test'") == [0.4]
    assert rows_of(store, "SELECT batch_size, learning_rate FROM run_overview") == [
        {"batch_size": 8, "learning_rate": 0.1}
    ]
    with dnnprov.open(store) as history:
        assert history.run("n").hyperparameters == {"batch_size": 8, "learning_rate": 0.1}


def test_an_attempt_that_was_resumed_while_it_failed_ends_its_own_tasks_only(tmp_path):
    now = time.time_ns() // 1000

    def first():
        started = [RunStarted(dataflow="m", name="n"), TaskBegan(tag="Training")]
        return [*started, RunEnded(status="failed"), SegmentClosed()]

    segments = [
        ("r0-b", first, {"began_at": now - MINUTE}),
        ("r0-a", lambda: [RunResumed(dataflow="m"), TaskBegan(tag="Training")], {"began_at": now, "attempt": 1}),
    ]
    assert_any_order_is_the_same(tmp_path, segments)
    assert column_of(tmp_path / "1", "SELECT status FROM run") == ["running"]
    assert column_of(tmp_path / "1", "SELECT status FROM task ORDER BY started_at") == ["failed", "running"]


def test_a_run_resumed_as_one_of_another_dataflow_stays_what_it_was(tmp_path):
    now = time.time_ns() // 1000
    segments = [
        ("r0-b", lambda: [RunStarted(dataflow="m", name="n"), TaskBegan(tag="Split")], {"began_at": now - MINUTE}),
        ("r0-a", lambda: [RunResumed(dataflow="z"), TaskBegan(tag="Training")], {"began_at": now, "attempt": 1}),
    ]
    for store, order in ((tmp_path / "one", (0, 1)), (tmp_path / "two", (1, 0))):
        taken_in(store, segments, order)
        assert column_of(store, "SELECT dataflow FROM run_overview") == ["m"]
        assert column_of(
            store,
            "SELECT d.tag FROM task AS t JOIN data_transformation AS p USING (transformation_id)"
            " JOIN dataflow AS d USING (dataflow_id)",
        ) == ["m", "m"]
        assert rows_of(store, "SELECT kind, detail FROM problem") == [
            {
                "kind": "dataflow_changed",
                "detail": "the run of dataflow 'm' was resumed as one of 'z'; it stays one of 'm'",
            }
        ]


# Plans: they follow from the rows, whichever came first


def test_a_rank_or_a_child_taken_in_before_rank_0_leaves_the_same_plan(tmp_path):
    now = time.time_ns() // 1000

    def rank_0():
        return [
            RunStarted(dataflow="m", name="n", program="train.py"),
            TaskBegan(tag="Split"),
            ElementsRecorded(set="oSplit", relation="generated", task=2, rows=[{"share": 0.5}]),
            RunEnded(status="finished"),
            SegmentClosed(),
        ]

    def rank_1():
        return [
            TaskBegan(tag="Filters"),
            ElementsRecorded(set="oFilters", relation="generated", task=1, rows=[{"filter_name": "gray-scale"}]),
            TaskBegan(tag="Training", after=[1]),
            epoch(1, task=3, loss=1.0),
            RunEnded(status="finished"),
            SegmentClosed(),
        ]

    def child():
        more = ElementsRecorded(set="oSplit", relation="generated", task="r0-b:2", rows=[{"share": 0.25}])
        used = ElementsRecorded(set="iSplit", relation="used", task="r0-b:2", rows=[{"seed": 1}])
        return [more, used, TaskBegan(tag="Augment", after=["r0-b:2"])]

    segments = [
        ("r0-b", rank_0, {"began_at": now - MINUTE}),
        ("r1-a", rank_1, {"began_at": now - MINUTE, "rank": 1}),
        ("r0-fork-a", child, {"began_at": now - MINUTE, "forked_from": "r0-b"}),
    ]
    expected = assert_any_order_is_the_same(tmp_path, segments)
    plan = [json.loads(row) for row in expected["plan"]]
    assert {"tag": "Filters", "data_set": "oFilters", "relation": "generated", "path": "train.py"} in plan
    assert {"tag": "Split", "data_set": "iSplit", "relation": "used", "path": "train.py"} in plan
    assert {"tag": "Training", "data_set": "iTrainingModel", "relation": "used", "path": "train.py"} in plan
    assert [json.loads(row) for row in expected["dependency"]] == [
        {"tag": "Filters", "following": "Training", "data_set": "oFilters"},
        {"tag": "Split", "following": "Augment", "data_set": "oSplit"},
    ]
    assert {json.loads(row)["status"] for row in expected["task"]} == {"finished"}
    assert json.loads(json.loads(expected["run"][0])["specification"])["Training"] == {
        "after": {"Filters": ["oFilters"]},
        "generated": ["oTrainingModel"],
        "used": ["iTrainingModel"],
    }


def test_ranks_that_are_taken_in_in_any_order_leave_the_same_run(tmp_path):
    now = time.time_ns() // 1000

    def began():
        return [RunStarted(dataflow="m", name="n"), TaskBegan(tag="Training"), epoch(1, task=2, loss=1.0)]

    def failed():
        ended = [RunEnded(status="failed", reason="no data"), SegmentClosed()]
        return [TaskBegan(tag="Training"), epoch(1, task=1, loss=2.0), *ended]

    def again():
        return [
            RunResumed(dataflow="m"),
            TaskBegan(tag="Training"),
            epoch(1, task=2, loss=0.5),
            RunEnded(status="finished"),
            SegmentClosed(),
        ]

    first, second = {"began_at": now - 20 * MINUTE}, {"began_at": now - 10 * MINUTE, "attempt": 1}
    went_on = [("r0-a", began, first), ("r1-a", failed, {**first, "rank": 1})]
    went_on += [("r0-b", again, second), ("r1-b", again, {**second, "rank": 1})]
    for number, (segments, second_rank) in enumerate([(went_on, "finished"), (went_on[:3], "failed")]):
        expected = assert_any_order_is_the_same(tmp_path / f"{number} ", segments)
        (run,) = map(json.loads, expected["run"])
        assert (run["name"], run["status"], run["exit_reason"]) == ("n", "finished", None)
        ranks = {json.loads(row)["rank"]: json.loads(row)["status"] for row in expected["rank"]}
        assert ranks == {0: "finished", 1: second_rank}


# Columns: no name and no type gets in the way of a value


def test_data_sets_with_long_names_that_begin_alike_have_tables_of_their_own(store):
    with dnnprov.start_run("m") as run, run.task("Split") as split:
        split.generates("a" * 55 + "1", x=1)
        split.generates("a" * 55 + "2", x=2)
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]
    assert column_of(store, f"SELECT x FROM {'a' * 55}2") == [2]


def test_a_view_that_a_person_made_keeps_no_value_out(store):
    with dnnprov.start_run("m") as run, run.task("Split") as split:
        split.log(size=1, widened_number=1)
        column_of(store, "SELECT 1")
        connection = sqlite3.connect(store / "provenance.db")
        connection.execute("CREATE VIEW mine AS SELECT size FROM osplit")
        connection.execute("CREATE INDEX mine_too ON osplit (size)")
        connection.commit()
        connection.close()
        split.log(size=1.5)
    assert column_of(store, "SELECT size FROM mine") == [1, 1.5]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


@pytest.mark.parametrize("order", [(2**62 + 1, 0.5, 3, 2.25), (3, 2.25, 2**62 + 1)])
def test_an_integer_column_holds_fractions_and_large_integers_as_they_came(store, order):
    with dnnprov.start_run("m") as run, run.task("Split") as split:
        for size in order:
            split.log(size=size)
    found = column_of(store, "SELECT size FROM osplit ORDER BY element_id")
    assert [(type(value), value) for value in found] == [(type(value), value) for value in order]
    assert column_of(store, "SELECT type FROM attribute WHERE name = 'size'") == ["number"]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


def test_a_fraction_in_one_run_leaves_the_epochs_of_others_whole(store):
    with dnnprov.start_run("m", params={"batch_size": 32}) as run, run.task("Training") as training:
        training.log(epoch=1, loss=0.5)
    with dnnprov.start_run("other", params={"batch_size": 32.5}) as run, run.task("Training") as training:
        training.log(epoch=0.5, loss=0.5)
        training.log(epoch=2.0, loss=0.25)
    with dnnprov.open() as history:
        (row,) = history.ask("Q3", dataflow="m").to_json_rows()
    assert json.dumps(row["epoch"]) == "1"
    assert json.dumps(column_of(store, "SELECT batch_size FROM itrainingmodel")) == "[32, 32.5]"
    assert column_of(store, "SELECT last_epoch FROM run ORDER BY run_id") == [1, 2]
    assert column_of(store, "SELECT max_epoch FROM run_metric WHERE name = 'loss' ORDER BY run_id") == [1, 0.5]


def test_an_attribute_with_the_name_of_an_overflow_keeps_its_own_values(store):
    with dnnprov.start_run("m") as run, run.task("Split") as split:
        split.log(**{"x": 1, "x:text": 5, "x_text": 7})
        split.log(**{"x": "many", "x:text": 6, "x_text": 8})
    assert rows_of(store, "SELECT x, x_text, x_text_2, x_text_3 FROM osplit ORDER BY element_id") == [
        {"x": 1, "x_text": 5, "x_text_2": 7, "x_text_3": None},
        {"x": None, "x_text": 6, "x_text_2": 8, "x_text_3": "many"},
    ]
    assert rows_of(
        store,
        "SELECT a.name, a.column_name, b.column_name AS base FROM attribute AS a"
        " JOIN attribute AS b ON b.attribute_id = a.overflow_of",
    ) == [{"name": "x", "column_name": "x_text_3", "base": "x"}]
    (detail,) = column_of(store, "SELECT detail FROM problem")
    assert detail.endswith("attribute 'x': 'many' is no number; kept in x_text_3")


def test_an_overflow_in_a_table_that_is_full_is_kept_and_told(store):
    with dnnprov.start_run("m") as run, run.task("Wide") as wide:
        wide.log(**{f"a{number}": number for number in range(400)})
        wide.log(a0="text")
    assert column_of(store, "SELECT value FROM element_value") == ["text"]
    assert column_of(store, "SELECT detail FROM problem")[0].endswith("'text' is no number; kept in element_value")


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("step", 2**70, "is an integer beyond 64 bits; kept in step_text"),
        ("loss", 2**70, "is an integer beyond 64 bits; kept in loss_text"),
        ("loss", 2**53 + 1, "is an integer that a column of floats cannot hold exactly; kept in loss_text"),
        ("loss", "high", "is no number; kept in loss_text"),
    ],
)
def test_a_problem_says_why_a_value_does_not_fit(store, column, value, why):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        training.log(step=1, loss=0.5)
        training.log(**{column: value})
    assert column_of(store, f"SELECT {column}_text FROM otrainingmodel ORDER BY element_id") == [None, str(value)]
    assert column_of(store, "SELECT detail FROM problem")[0].endswith(f"{str(value)!r} {why}")


# Hyperparameters


def test_a_hyperparameter_that_does_not_fit_is_told_once_and_agrees_with_no_other_value(store):
    rates = ("fast", "fast", "slow", 0.5)
    given = [ParametersSet(values={"learning_rate": rate}) for rate in rates]
    write_segment(store, "r0-a", [RunStarted(dataflow="m", name="n"), *given])
    assert rows_of(store, "SELECT learning_rate, learning_rate_text FROM itrainingmodel ORDER BY element_id") == [
        {"learning_rate": None, "learning_rate_text": "fast"},
        {"learning_rate": None, "learning_rate_text": "slow"},
        {"learning_rate": 0.5, "learning_rate_text": None},
    ]
    details = column_of(store, "SELECT detail FROM problem ORDER BY problem_id")
    assert ["'slow'" in detail for detail in details] == [False, False, True]  # `fast` was given twice


def test_hyperparameters_beyond_the_columns_are_shown_and_compared(store):
    many = {f"h{number}": number for number in range(500)}
    with dnnprov.start_run("m", params={**many, "h_nan": float("nan")}) as run:
        run.task("Training").uses("iTrainingModel", h499=1)
    with dnnprov.open() as history:
        shown = history.run("latest").hyperparameters
    assert {name: shown[name] for name in many} == many
    assert shown["h_nan"] != shown["h_nan"]
    assert column_of(store, "SELECT COUNT(*) FROM itrainingmodel") == [2]


# Times


def test_a_time_that_no_calendar_has_is_none(store):
    assert time_text(10**19) is None
    assert time_text(1_000_000) == "1970-01-01T00:00:01.000000Z"
    write_segment(store, "r0-a", [RunStarted(dataflow="m", name="n"), FileRecorded(path="/old", modified=-(10**18))])
    assert rows_of(store, "SELECT path, modified_at FROM file") == [{"path": "/old", "modified_at": None}]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


def test_a_machine_whose_clock_is_behind_is_no_crash(store):
    late = time.time_ns() // 1000 - 5 * MINUTE
    path = write_segment(store, "r0-a", [RunStarted(dataflow="m", name="n")], began_at=late)
    for _ in range(2):
        assert column_of(store, "SELECT status FROM run") == ["running"]
    silent = time.time() - STALE_SECONDS - 1
    os.utime(path, (silent, silent))
    assert column_of(store, "SELECT status FROM run") == ["crashed"]


def test_a_machine_whose_clock_is_ahead_crashes_as_others_do(store):
    early = time.time_ns() // 1000 + 60 * MINUTE
    path = write_segment(store, "r0-a", [RunStarted(dataflow="m", name="n")], began_at=early)
    assert column_of(store, "SELECT status FROM run") == ["running"]
    silent = time.time() - STALE_SECONDS - 1
    os.utime(path, (silent, silent))
    assert column_of(store, "SELECT status FROM run") == ["crashed"]


def test_when_a_run_was_last_heard_never_goes_back(store):
    now = time.time_ns() // 1000
    write_segment(store, "r0-a", [RunStarted(dataflow="m", name="n"), ProcessHeard(at=now)], began_at=now - MINUTE)
    column_of(store, "SELECT 1")
    write_segment(store, "r1-a", [ProcessHeard(at=now - 50 * MINUTE)], began_at=now - 60 * MINUTE, rank=1)
    assert column_of(store, "SELECT heartbeat_at FROM run") == [time_text(now)]
    assert column_of(store, "SELECT status FROM run") == ["running"]


# Ends that nobody recorded


def test_a_run_whose_journal_was_closed_without_its_end_is_crashed(store):
    events = [RunStarted(dataflow="m", name="n"), TaskBegan(tag="Training"), SegmentClosed()]
    write_segment(store, "r0-a", events)
    assert rows_of(store, "SELECT status, exit_reason, ended_at = heartbeat_at AS at_last FROM run") == [
        {
            "status": "crashed",
            "exit_reason": "the journal was closed, and nothing in it says how the run ended",
            "at_last": 1,
        }
    ]
    assert column_of(store, "SELECT status FROM task") == ["crashed"]


def test_a_run_whose_rank_0_was_never_heard_waits_for_it_while_it_may_come(store, monkeypatch):
    write_segment(store, "r1-a", [TaskBegan(tag="Training"), RunEnded(status="finished"), SegmentClosed()], rank=1)
    assert column_of(store, "SELECT status FROM run") == ["running"]
    monkeypatch.setattr("dnnprov.store.liveness.STALE_SECONDS", -1.0)
    assert rows_of(store, "SELECT status, exit_reason FROM run") == [
        {"status": "crashed", "exit_reason": "rank 0 died: nothing was ever heard of it"}
    ]
    monkeypatch.setattr("dnnprov.store.liveness.STALE_SECONDS", 90.0)
    path = write_segment(store, "r0-a", [RunStarted(dataflow="m", name="n")])
    assert rows_of(store, "SELECT status, exit_reason FROM run") == [{"status": "running", "exit_reason": None}]
    assert column_of(store, "SELECT status FROM run_rank ORDER BY rank") == ["running", "finished"]
    with path.open("ab") as stream:
        for number, event in enumerate((RunEnded(status="finished"), SegmentClosed()), 2):
            event.seq, event.at = number, time.time_ns() // 1000
            stream.write(encode(event))
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_a_run_waits_for_its_other_ranks_when_one_closed_its_journal(store):
    write_segment(store, "r0-a", [RunStarted(dataflow="m", name="n")])
    write_segment(store, "r1-a", [TaskBegan(tag="Training"), SegmentClosed()], rank=1)
    assert column_of(store, "SELECT status FROM run") == ["running"]


def test_an_adaptation_of_a_text_fits_and_is_no_problem(store):
    with dnnprov.start_run("d", params={"optimizer_name": "SGD", "learning_rate": 0.1}) as run:
        run.set_params(optimizer_name="Adam", learning_rate=0.01)
    assert rows_of(store, "SELECT old_value, new_value, old_value_text, new_value_text FROM oadaptation") == [
        {"old_value": None, "new_value": None, "old_value_text": "SGD", "new_value_text": "Adam"},
        {"old_value": 0.1, "new_value": 0.01, "old_value_text": None, "new_value_text": None},
    ]
    assert column_of(store, "SELECT kind FROM problem") == []


def test_hyperparameters_that_a_search_generates_are_no_row_of_the_run(store):
    with dnnprov.start_run("m", name="searched", params={"lr": 0.1}) as run:
        with run.task("Search") as search:
            search.generates("iTrainingModel", lr=0.1, momentum=0.9)
        run.set_params(decay=0.5)
    with dnnprov.start_run("m", name="only") as run, run.task("Search") as search:
        search.generates("iTrainingModel", lr=0.2)
    sql = "SELECT r.name, i.relation, i.lr, i.momentum, i.decay FROM itrainingmodel AS i JOIN run AS r USING (run_id)"
    assert [tuple(row.values()) for row in rows_of(store, f"{sql} ORDER BY r.started_at, i.element_id")] == [
        ("searched", "used", 0.1, None, 0.5),
        ("searched", "generated", 0.1, 0.9, None),
        ("only", "generated", 0.2, None, None),
    ]
    sql = "SELECT lr, momentum, decay FROM run_overview ORDER BY started_at"
    assert [tuple(row.values()) for row in rows_of(store, sql)] == [(0.1, None, 0.5), (0.2, None, None)]


@pytest.mark.parametrize("epoch", [1e19, -1e19, 1e300, 2.0**63])
def test_an_epoch_that_no_integer_holds_keeps_its_row(store, epoch):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        training.log(epoch=3, loss=0.5)
        training.log(epoch=epoch, loss=0.25)
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == [3, epoch]
    assert column_of(store, "SELECT last_epoch FROM run") == [3]
    assert column_of(store, "SELECT kind FROM problem") == []
