"""Versions of dataflows follow from what was recorded: not from the order in which journals are read, nor from when."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import dnnprov
from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.format import encode
from dnnprov.model.events import (
    AttributeDeclared,
    DataflowDeclared,
    DataSetDeclared,
    ElementsRecorded,
    ProgramDeclared,
    RunResumed,
    RunStarted,
    SegmentOpened,
    TaskBegan,
    TransformationDeclared,
)
from dnnprov.store.ingest import Ingest
from dnnprov.store.migrations import migrate
from export.recordings import export_of, forget_database
from recorded import column_of, rows_of

DAY = 86_400_000_000
BEGAN = 1_700_000_000_000_000


def encoded(run, process, events, began_at, **header):
    """The lines of a segment; its events are a second apart."""
    opened = SegmentOpened(format=1, run=run, process=process, host="elsewhere", boot="another", **header)
    lines = []
    for number, event in enumerate([opened, *events]):
        event.seq, event.at = number, began_at + 1_000_000 * number
        lines.append(encode(event))
    return lines


def shown(*tags, after=True):
    """Tasks, each after the one before, and what they generate."""
    events, before = [], None
    for tag in tags:
        number = len(events) + 2
        events.append(TaskBegan(tag=tag, after=[before] if before and after else []))
        events.append(ElementsRecorded(set=f"o{tag}", relation="generated", rows=[{"x": 1}], task=number))
        before = number
    return events


def posted(tag, *attributes, dataflow="m", dependency=None, programs=()):
    data_set = DataSetDeclared(f"i{tag}", "used", [AttributeDeclared(name) for name in attributes], dependency)
    declared = TransformationDeclared(tag, [data_set], [ProgramDeclared(path) for path in programs])
    return DataflowDeclared(dataflow=dataflow, transformations=[declared])


def started(dataflow="m", program="train.py"):
    return RunStarted(dataflow=dataflow, name="n", program=program)


class Reading:
    """A store whose journals come in bit by bit."""

    def __init__(self, place):
        self.folder = StoreFolder(place)
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.connection, str(place))
        self.ingest = Ingest(self.connection, self.folder)

    def take(self, run, process, lines):
        path = self.folder.segment(run, process)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(lines))

    def catch_up(self, *, as_another_process=False):
        if as_another_process:
            self.ingest = Ingest(self.connection, self.folder)
        self.ingest.catch_up()
        return self

    def plans(self):
        """All that the database and the files say of plans, without keys."""
        queries = {
            "dataflow": "SELECT tag, recorded_at FROM dataflow",
            "version": "SELECT d.tag, v.version, v.specification, r.uid, p.name, v.sequence, v.recorded_at"
            " FROM dataflow_version AS v JOIN dataflow AS d USING (dataflow_id) JOIN run AS r ON r.run_id = v.run_id"
            " JOIN process AS p ON p.process_id = v.process_id",
            "run": "SELECT r.uid, d.tag, w.tag, v.version FROM run AS r LEFT JOIN dataflow AS d USING (dataflow_id)"
            " LEFT JOIN dataflow_version AS v USING (dataflow_version_id)"
            " LEFT JOIN dataflow AS w ON w.dataflow_id = v.dataflow_id",
            "transformation": "SELECT d.tag, t.tag, g.path FROM data_transformation AS t JOIN dataflow AS d"
            " USING (dataflow_id) LEFT JOIN program AS g USING (program_id)",
            "link": "SELECT d.tag, t.tag, l.relation, s.tag FROM transformation_data_set AS l JOIN data_transformation"
            " AS t USING (transformation_id) JOIN dataflow AS d USING (dataflow_id) JOIN data_set AS s"
            " USING (data_set_id)",
            "dependency": "SELECT w.tag, a.tag, b.tag, s.tag FROM data_dependency AS d JOIN dataflow AS w"
            " USING (dataflow_id) JOIN data_transformation AS a ON a.transformation_id = d.previous_transformation_id"
            " JOIN data_transformation AS b ON b.transformation_id = d.next_transformation_id"
            " LEFT JOIN data_set AS s USING (data_set_id)",
            "fact": "SELECT d.tag, f.transformation, f.relation, f.object, f.data_set, r.uid, p.name, f.sequence"
            " FROM plan_fact AS f JOIN dataflow AS d USING (dataflow_id) JOIN process AS p USING (process_id)"
            " JOIN run AS r USING (run_id)",
        }
        found = {name: sorted(self.connection.execute(sql).fetchall(), key=repr) for name, sql in queries.items()}
        problems = "SELECT kind, detail FROM problem WHERE kind = 'event_not_taken'"
        assert self.connection.execute(problems).fetchall() == []
        plans = {tag: self.folder.plan(tag) for tag, _ in found["dataflow"]}
        found["file"] = [(tag, path.read_bytes()) for tag, path in sorted(plans.items()) if path.exists()]
        return found

    def versions(self, dataflow="m"):
        """Version -> tags of its transformations, and run -> version."""
        plans = self.plans()
        steps = [sorted(json.loads(row[2])) for row in sorted(plans["version"]) if row[0] == dataflow]
        return steps, {row[0]: row[3] for row in plans["run"] if row[1] == dataflow}


def read(tmp_path, *segments):
    """A store that took in segments one by one."""
    reading = Reading(tmp_path)
    for segment in segments:
        reading.take(*segment)
        reading.catch_up()
    return reading


def read_in_any_order(tmp_path, *segments):
    """The store, which is the same in whatever order segments were taken in, and all at once."""
    readings = [read(tmp_path / str(number), *order) for number, order in enumerate(itertools.permutations(segments))]
    at_once = Reading(tmp_path / "at once")
    for segment in segments:
        at_once.take(*segment)
    readings.append(at_once.catch_up())
    for reading in readings[1:]:
        assert reading.plans() == readings[0].plans()
    return readings[0]


def run_of(number, events, process="r0-a", **header):
    """A run that began on a day, with one process."""
    run = f"{number:016x}"
    return run, process, encoded(run, process, events, BEGAN + number * DAY, **header)


def test_a_run_that_arrives_late_and_began_earlier_brings_the_earlier_version(tmp_path):
    first = run_of(1, [started(), *shown("Training")])
    late = run_of(2, [started(), *shown("Filters", "Training")])
    last = run_of(3, [started(), *shown("Training", "Testing")])
    reading = read_in_any_order(tmp_path, first, last, late)
    assert reading.versions() == (
        [["Training"], ["Filters", "Training"], ["Filters", "Testing", "Training"]],
        {f"{number:016x}": number for number in (1, 2, 3)},
    )


def test_what_two_runs_bring_at_the_same_time_is_told_apart_by_their_starts(tmp_path):
    whole_a, whole_b = run_of(1, [started(), *shown("A", "C")]), run_of(2, [started(), *shown("B")])
    reading = Reading(tmp_path)
    for part in (slice(0, 3), slice(3, None)):
        for run, process, lines in (whole_a, whole_b):
            reading.take(run, process, lines[part])
            reading.catch_up(as_another_process=True)
    assert reading.versions() == ([["A", "C"], ["A", "B", "C"]], {whole_a[0]: 1, whole_b[0]: 2})
    assert reading.plans() == read(tmp_path / "anew", whole_b, whole_a).plans()


def test_runs_that_began_at_once_stand_in_the_order_of_their_uids(tmp_path):
    segments = [(run, "r0-a", encoded(run, "r0-a", [started(), *shown(run)], BEGAN)) for run in ("bb", "aa", "cc")]
    reading = read_in_any_order(tmp_path, *segments)
    assert reading.versions() == ([["aa"], ["aa", "bb"], ["aa", "bb", "cc"]], {"aa": 1, "bb": 2, "cc": 3})


def test_a_run_whose_start_is_heard_last_takes_its_place_before_others(tmp_path):
    began = run_of(1, [started()])
    child = run_of(1, [*shown("A"), posted("P", "x"), *shown("B")], "r0-fork-b", forked_from="r0-a")
    resumed = run_of(1, [RunResumed(dataflow="m"), *shown("C")], "r0-c", attempt=1)
    reading = read_in_any_order(tmp_path, child, resumed, run_of(2, [started(), *shown("A", "D")]), began)
    assert reading.versions() == (
        [["A"], ["A", "B", "C", "P"], ["A", "B", "C", "D", "P"]],
        {f"{1:016x}": 2, f"{2:016x}": 3},
    )


def test_a_run_that_shows_nothing_new_follows_the_newest_version_before_it(tmp_path):
    segments = [run_of(number, [started(), *shown("A")]) for number in (1, 2, 5)]
    segments.append(run_of(3, [started(), posted("B", "x")]))
    reading = read_in_any_order(tmp_path, *segments)
    assert reading.versions() == (
        [["A"], ["A", "B"]],
        {f"{1:016x}": 1, f"{2:016x}": 1, f"{3:016x}": 2, f"{5:016x}": 2},
    )


def test_an_order_of_attributes_that_comes_back_is_a_version_whenever_the_other_is_heard(tmp_path):
    orders = [("a", "b"), ("b", "a"), ("a", "b")]
    segments = [run_of(number, [started(), posted("S", *order)]) for number, order in enumerate(orders, 1)]
    reading = read_in_any_order(tmp_path, *segments)
    found = [json.loads(row[2])["S"]["attributes"]["iS"] for row in reading.plans()["version"]]
    assert [tuple(one) for one in found] == orders


def test_a_set_that_is_generated_after_the_dependency_goes_along_it_in_any_order(tmp_path):
    task, other = TaskBegan(tag="Load"), TaskBegan(tag="Train", after=[2])
    late = ElementsRecorded(set="oLoad", relation="generated", rows=[{"x": 1}], task=2)
    more = ElementsRecorded(set="oMore", relation="generated", rows=[{"x": 1}], task=2)
    first = run_of(1, [started(), task, other, late])
    reading = read_in_any_order(tmp_path, first, run_of(2, [started(), TaskBegan(tag="Load"), more]))
    specifications = [json.loads(row[2])["Train"]["after"] for row in reading.plans()["version"]]
    assert specifications == [{"Load": ["oLoad"]}, {"Load": ["oLoad", "oMore"]}]
    assert reading.plans()["dependency"] == [("m", "Load", "Train", "oLoad"), ("m", "Load", "Train", "oMore")]


def test_the_program_of_a_step_is_that_of_the_earliest_run_or_the_one_declared_last(tmp_path):
    segments = [
        run_of(1, [started(program="one.py"), *shown("A")]),
        run_of(2, [started(program="two.py"), *shown("A", "B"), posted("B", "x", programs=["p", "q"])]),
        run_of(3, [started(program="three.py"), posted("B", "x", programs=["q", "p"])]),
    ]
    reading = read_in_any_order(tmp_path, *segments)
    assert reading.plans()["transformation"] == [("m", "A", "one.py"), ("m", "B", "q")]


def test_a_run_that_was_resumed_as_one_of_another_dataflow_leaves_nothing_there(tmp_path):
    segments = [
        run_of(2, [RunResumed(dataflow="z"), *shown("A", "B")], "r0-b", attempt=1),
        run_of(2, [started(), *shown("A")]),
        run_of(3, [RunResumed(dataflow="z"), *shown("B")], attempt=1),
        run_of(1, [started("z"), *shown("C")]),
    ]
    reading = read_in_any_order(tmp_path, *segments)
    assert reading.versions("z") == ([["C"], ["B", "C"]], {f"{1:016x}": 1, f"{3:016x}": 2})
    assert reading.versions("m") == ([["A", "B"]], {f"{2:016x}": 1})


# Any recording


TAGS, SETS, FEW = st.sampled_from(["A", "B", "Training"]), st.sampled_from(["iA", "oA", "oB"]), {"max_size": 4}
RELATIONS = st.sampled_from(["used", "generated"])
DECLARED = st.builds(
    TransformationDeclared,
    TAGS,
    st.lists(
        st.builds(
            DataSetDeclared,
            SETS,
            RELATIONS,
            st.lists(st.sampled_from("abc"), max_size=3, unique=True).map(lambda n: [AttributeDeclared(x) for x in n]),
            st.none() | TAGS,
        ),
        max_size=2,
    ),
    st.lists(st.builds(ProgramDeclared, st.sampled_from(["p", "q"]), st.sampled_from(["", "P"])), max_size=2),
)
ACTIONS = st.one_of(
    st.tuples(st.just("task"), TAGS, st.booleans()),
    st.tuples(st.just("element"), SETS, RELATIONS),
    st.tuples(st.just("post"), st.sampled_from(["m", "m", "z"]), st.lists(DECLARED, min_size=1, max_size=2)),
)
PROCESSES = st.tuples(
    st.sampled_from(["fork", "rank", "resumed", "lost"]), st.sampled_from(["m", "z"]), st.lists(ACTIONS, **FEW)
)
RUNS = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["m", "m", "z"]),
    st.sampled_from([None, "x.py", "y.py"]),
    st.lists(ACTIONS, **FEW),
    st.lists(PROCESSES, max_size=2),
)


def recorded(actions, first, foreign):
    """Events of what a process did, after its first ones; `foreign` is a task of another process, or `None`."""
    events, task = list(first), foreign
    for kind, name, more in actions:
        if kind == "task":
            before = task if more else foreign
            task = len(events) + 1
            events.append(TaskBegan(tag=name, after=[] if before is None else [before]))
        elif kind == "element":
            events.append(ElementsRecorded(set=name, relation=more, rows=[{"x": 1}], task=task))
        else:
            events.append(DataflowDeclared(dataflow=name, transformations=more))
    return events


def journal_of(runs):
    """The segments of runs: (run, process) -> lines."""
    journal = {}
    for number, (day, dataflow, program, actions, others) in enumerate(runs):
        run, began_at = f"{number:016x}", BEGAN + day * DAY
        first = [RunStarted(dataflow=dataflow, name="n", program=program)]
        is_lost = any(kind == "lost" for kind, *_ in others)
        if not is_lost:
            journal[run, "r0-a"] = encoded(run, "r0-a", recorded(actions, first, None), began_at)
        for index, (kind, other, other_actions) in enumerate(others, 1):
            is_resumed = kind in {"resumed", "lost"}
            process = f"r{int(kind == 'rank')}-{index}"
            head = [RunResumed(dataflow=dataflow if is_lost else other)] if is_resumed else []
            header = {"attempt": int(is_resumed), "rank": int(kind == "rank")}
            header["forked_from"] = "r0-a" if kind == "fork" else None
            events = recorded(other_actions, head, "r0-a:2")
            journal[run, process] = encoded(run, process, events, began_at + DAY // 2, **header)
    return journal


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink one takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(RUNS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_whatever_is_recorded_gives_the_same_plans_in_whatever_order_and_pieces_it_is_read(runs, random):
    journal = journal_of(runs)
    place = Path(tempfile.mkdtemp())
    try:
        whole = Reading(place / "whole")
        for (run, process), lines in journal.items():
            whole.take(run, process, lines)
        whole.catch_up()
        pieces = Reading(place / "pieces")
        rest = {key: list(lines) for key, lines in journal.items()}
        while rest:
            key = random.choice(sorted(rest))
            size = random.choice([1, 2, len(rest[key])])
            pieces.take(*key, rest[key][:size])
            rest[key] = rest[key][size:]
            if not rest[key]:
                del rest[key]
            if random.random() < 0.8:
                pieces.catch_up(as_another_process=random.random() < 0.3)
        assert pieces.catch_up().plans() == whole.plans()
    finally:
        shutil.rmtree(place)


# Real recordings


def test_a_live_store_and_one_made_anew_export_the_same(store):
    """Two runs at once with catch-ups in between, as a follower makes them."""
    one = dnnprov.start_run("m", name="one")
    one.task("Training").log(epoch=1, loss=1.0)
    column_of(store, "SELECT 1")
    two = dnnprov.start_run("m", name="two")
    with two.task("Filters") as filters:
        filters.generates("oFilters", filter_name="gray-scale")
    column_of(store, "SELECT 1")
    one.task("Testing").log(loss=0.5)
    column_of(store, "SELECT 1")
    two.finish()
    one.finish()
    sql = (
        "SELECT r.name, v.version, v.specification, b.name AS bringer, v.recorded_at = b.started_at AS since_start"
        " FROM run AS r JOIN dataflow_version AS v USING (dataflow_version_id)"
        " JOIN run AS b ON b.run_id = v.run_id ORDER BY 1"
    )
    before, plan = rows_of(store, sql), StoreFolder(store).plan("m").read_bytes()
    assert [(row["name"], row["version"], row["bringer"], row["since_start"]) for row in before] == [
        ("one", 1, "one", 1), ("two", 2, "two", 1),
    ]  # fmt: skip
    exported = export_of(store, "json", dataflow="m")
    forget_database(store)
    assert export_of(store, "json", dataflow="m") == exported
    assert rows_of(store, sql) == before
    assert StoreFolder(store).plan("m").read_bytes() == plan


def test_a_store_that_gets_an_earlier_run_from_elsewhere_exports_as_if_it_had_always_been_there(store, tmp_path):
    with dnnprov.start_run("m", store=tmp_path / "elsewhere", name="early") as run:
        run.task("Filters").generates("oFilters", filter_name="gray-scale")
    for name in ("one", "two"):
        with dnnprov.start_run("m", name=name) as run:
            run.task("Training").log(epoch=1, loss=1.0)
    assert column_of(store, "SELECT version FROM dataflow_version") == [1]
    shutil.copytree(tmp_path / "elsewhere" / "journal", store / "journal", dirs_exist_ok=True)
    late = export_of(store, "json", dataflow="m")
    assert column_of(store, "SELECT version FROM dataflow_version") == [1, 2]
    forget_database(store)
    assert export_of(store, "json", dataflow="m") == late


def test_many_runs_that_show_nothing_new_cost_the_plan_no_statement(tmp_path):
    events = [posted("A", "x", "y"), *shown("A", "Training", "B")[:2]]
    reading = Reading(tmp_path)
    for number in range(3):
        run, process, lines = run_of(number + 1, [started(), *events])
        reading.take(run, process, lines)
        statements = []
        reading.connection.set_trace_callback(statements.append)
        reading.catch_up()
        reading.connection.set_trace_callback(None)
    plan = [sql for sql in statements if any(name in sql for name in ("plan_", "posted_plan", "dataflow_version"))]
    written = [sql for sql in plan if sql.split()[0] in {"INSERT", "UPDATE", "DELETE"}]
    assert len([sql for sql in written if "UPDATE run" not in sql]) == 1  # the plan that was posted, noted
    assert len(plan) <= 5
