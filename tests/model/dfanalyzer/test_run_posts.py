"""What becomes of posts: events that hold each thing once, also after another process took over."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnnprov.journal.format import decode, encode
from dnnprov.model.dfanalyzer.plan import Plan
from dnnprov.model.dfanalyzer.posts import SetPost, TaskPost
from dnnprov.model.dfanalyzer.run_posts import RunPosts
from dnnprov.model.events import (
    AttributeDeclared,
    DataflowDeclared,
    DataSetDeclared,
    ElementsRecorded,
    FileHashed,
    FileRecorded,
    PostKept,
    PostTaken,
    ProblemRecorded,
    TaskBegan,
    TaskDescribed,
    TaskEnded,
    TransformationDeclared,
)
from dnnprov.model.values import NON_FINITE

ATTRIBUTES = [AttributeDeclared("name"), AttributeDeclared("rate", "numeric"), AttributeDeclared("image", "file")]
TRAINING = TransformationDeclared(
    "Training",
    [DataSetDeclared("iSettings", "used", ATTRIBUTES), DataSetDeclared("Results", "generated", ATTRIBUTES[1:2])],
)


class Journal:
    """Holds events as a file does, encoded, and lets a later process read them."""

    def __init__(self, process="p"):
        self.process = process
        self.lines = []

    def append(self, event):
        event.seq = len(self.lines)
        self.lines.append(encode(event))
        return f"{self.process}:{event.seq}"

    def add_file(self, path, relation, task):
        self.append(FileRecorded(path=path, relation=relation, task=task))

    def events(self, kind=object):
        return [event for event in map(decode, self.lines) if isinstance(event, kind)]

    def rows(self, data_set):
        """The rows of a set, with what is not finite in its place."""
        return [
            {**row, **{name: NON_FINITE[word] for name, word in special.items()}}
            for event in self.events(ElementsRecorded)
            if event.set == data_set
            for row, special in zip(event.rows, event.non_finite or [{}] * len(event.rows), strict=True)
        ]

    def problems(self):
        return [(event.kind, event.detail) for event in self.events(ProblemRecorded)]


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def posts(journal):
    return RunPosts(Plan("alexnet", [TRAINING]), journal)


def task(number=1, data_set=None, elements=(), status="RUNNING", **more):
    sets = [SetPost(data_set, list(elements))] if data_set else []
    named = {"dataflow": "alexnet", "transformation": "training", "id": str(number), "status": status, "sets": sets}
    return TaskPost(**(named | more))


def test_tags_and_types_are_those_declared_and_numbers_come_as_numbers(posts, journal):
    posts.take(task(1, "isettings", [["Adam", "0.002", "/data/a.png"], "SGD;1;/data/b.png"]))
    assert [event.tag for event in journal.events(TaskBegan)] == ["Training"]
    assert journal.rows("iSettings") == [
        {"name": "Adam", "rate": 0.002, "image": "/data/a.png"},
        {"name": "SGD", "rate": 1, "image": "/data/b.png"},
    ]
    (recorded,) = journal.events(ElementsRecorded)
    assert recorded.relation == "used"
    assert [(event.path, event.relation) for event in journal.events(FileRecorded)] == [
        ("/data/a.png", "used"),
        ("/data/b.png", "used"),
    ]


def test_numbers_in_columns_of_text_become_text_and_what_is_empty_is_no_number(posts, journal):
    posts.take(task(1, "iSettings", [[7, "", ""]]))
    assert journal.rows("iSettings") == [{"name": "7", "rate": None, "image": ""}]
    assert not journal.events(FileRecorded)


def test_values_that_are_not_finite_stay_so(posts, journal):
    posts.take(task(1, "Results", [[math.nan], ["inf"], ["-Infinity"]]))
    assert [str(row["rate"]) for row in journal.rows("Results")] == ["nan", "inf", "-inf"]


def test_a_surplus_value_is_told_and_what_fits_is_stored(posts, journal):
    posts.take(task(1, "Results", [[0.5, "extra"]]))
    assert journal.rows("Results") == [{"rate": 0.5}]
    ((kind, detail),) = journal.problems()
    assert kind == "value_does_not_fit"
    assert "dataflow 'alexnet', data set 'Results', attribute 2 of 1: 'extra' is one value too many" in detail


def test_missing_values_are_told_once_and_the_rest_is_stored(posts, journal):
    posts.take(task(1, "iSettings", [["Adam"], ["SGD"]]))
    assert journal.rows("iSettings") == [{"name": "Adam"}, {"name": "SGD"}]
    assert len(journal.problems()) == 1
    assert "none for 'rate', 'image'" in journal.problems()[0][1]


def test_an_undeclared_set_and_transformation_are_taken_with_types_of_their_values(posts, journal):
    posts.take(task(1, "oMore", ["3;0.5;abc;1_0"], transformation="Cleaning"))
    assert [event.tag for event in journal.events(TaskBegan)] == ["Cleaning"]
    assert journal.rows("oMore") == [{"value_1": 3, "value_2": 0.5, "value_3": "abc", "value_4": "1_0"}]
    assert "nobody declared" in journal.problems()[0][1]


def test_values_by_name_may_name_any_attribute(posts, journal):
    posts.take(task(1, "Results", [{"rate": "0.5", "batch": 32}]))
    assert journal.rows("Results") == [{"rate": 0.5, "batch": 32}]


def test_a_flat_list_of_texts_is_one_element_where_the_set_has_as_many_attributes(posts, journal):
    posts.take(task(1, "iSettings", ["Adam", "0.1", "/a.png"]))
    assert journal.rows("iSettings") == [{"name": "Adam", "rate": 0.1, "image": "/a.png"}]


def test_a_semicolon_in_the_one_value_of_a_set_is_part_of_it(journal):
    plan = Plan("d", [TransformationDeclared("T", [DataSetDeclared("s", "used", [AttributeDeclared("note")])])])
    RunPosts(plan, journal).take(task(1, "s", ["a;b"], transformation="T"))
    assert journal.rows("s") == [{"note": "a;b"}]


def test_several_data_sets_and_elements_of_one_begin_are_all_kept(posts, journal):
    sets = [SetPost("iSettings", [["a", 1, ""], ["b", 2, ""]]), SetPost("Results", [[1]]), SetPost("Results", [[2]])]
    posts.take(task(1, sets=sets))
    assert [row["name"] for row in journal.rows("iSettings")] == ["a", "b"]
    assert [row["rate"] for row in journal.rows("Results")] == [1, 2]


def test_end_without_begin_is_a_task_that_began_and_ended(posts, journal):
    posts.take(task(1, "Results", [[1]], status="FINISHED"))
    kinds = [type(event) for event in journal.events()]
    assert kinds == [TaskBegan, ElementsRecorded, TaskEnded]


def test_an_end_sent_again_ends_once_and_what_it_brings_new_is_added(posts, journal):
    posts.take(task(1, "Results", [[1]], status="FINISHED"))
    posts.take(task(1, "Results", [[1], [2]], status="FINISHED", details={"output": "done"}))
    assert len(journal.events(TaskBegan)) == len(journal.events(TaskEnded)) == 1
    assert [row["rate"] for row in journal.rows("Results")] == [1, 2]
    assert [event.details for event in journal.events(TaskDescribed)] == [{"output": "done"}]


def test_an_id_that_begins_after_its_end_is_another_task(posts, journal):
    for status in ("RUNNING", "FINISHED", "RUNNING"):
        posts.take(task(1, status=status))
    assert [event.identifier for event in journal.events(TaskBegan)] == ["1", "1"]


def test_dependencies_are_tasks_of_the_run_by_transformation_and_id(posts, journal):
    posts.take(task(1))
    posts.take(task(2, dependencies=[("Training", "1"), ("Training", "9")]))
    posts.take(task(2, dependencies=[("Training", "1"), ("Training", "9")], status="FINISHED"))
    posts.take(task(1, dependencies=[("training", "2")]))
    assert [event.after for event in journal.events(TaskBegan)] == [[], ["p:0"]]
    kinds, details = zip(*journal.problems(), strict=True)
    assert set(kinds) == {"not_a_task"}
    assert ["which this run has not" in detail for detail in details] == [True, False]
    assert "after it had begun" in details[1]


def test_an_adaptation_is_from_the_rate_known_and_by_the_technique_stated(journal):
    posts = RunPosts(Plan("alexnet"), journal)
    posts.take(task(1, "iTrainingModel", [["Adam", 0.002, 100, 8]]))
    stated = SetPost("iAdaptation", [{"epochs_drop": 10, "technique": "LearningRateScheduler"}])
    adapted = SetPost("oAdaptation", [[0.001, "10:00", 10, 1]])
    posts.take(task(2, transformation="Adaptation", sets=[stated, adapted]))
    posts.take(task(2, transformation="Adaptation", sets=[adapted, SetPost("oAdaptation", [[0.0005, "10:10", 20, 2]])]))
    rows = journal.rows("oAdaptation")
    assert [(row["old_value"], row["new_value"]) for row in rows] == [(0.002, 0.001), (0.001, 0.0005)]
    assert {(row["attribute"], row["technique"]) for row in rows} == {("learning_rate", "LearningRateScheduler")}


def test_a_plan_is_declared_in_a_run_where_it_is_new(posts, journal):
    posts.declare()
    posts.declare()
    posts.plan.post([TRAINING])
    posts.declare()
    grown = [DataSetDeclared("Results", "generated", [AttributeDeclared("loss", "numeric")])]
    posts.plan.post([TransformationDeclared("training", grown)], ["Results: reader"])
    posts.declare()
    declared = journal.events(DataflowDeclared)
    assert [len(event.transformations) for event in declared] == [1, 1]
    assert [one.name for one in declared[1].transformations[0].sets[1].attributes] == ["rate", "loss"]
    assert [kind for kind, _ in journal.problems()] == ["not_extracted"]
    posts.take(task(1, "Results", [[0.1, 2.5]]))
    assert journal.rows("Results") == [{"rate": 0.1, "loss": 2.5}]


def test_what_waited_for_its_dataflow_is_recorded_in_order_by_its_plan(journal):
    posts = RunPosts(Plan("alexnet"), journal)
    posts.keep(task(1, "Results", [["0.5"]]))
    posts.keep(task(1, "Results", [["0.5"], [math.nan]], status="FINISHED"))
    assert {type(event) for event in journal.events()} == {PostKept}
    assert not posts.is_idle
    posts.plan.post([TRAINING])
    posts.take_waiting()
    assert [str(row["rate"]) for row in journal.rows("Results")] == ["0.5", "nan"]
    assert [event.post for event in journal.events(PostTaken)] == ["p:0", "p:1"]
    assert posts.is_idle


def test_a_disk_that_is_full_for_a_while_leaves_nothing_half_known(posts, journal):
    sent = task(1, "iSettings", [["a", 1, "/x"], ["b", 2, "/y"]], status="FINISHED", details={"output": "o"})
    room = 0

    def append(event):
        if len(journal.lines) >= room:
            raise OSError("No space left on device")
        return journal.append(event)

    posts._append = append
    for room in range(20):  # noqa: B007 - `append` looks at it
        try:
            posts.take(sent)
        except OSError:
            continue
    kinds = Counter(type(event).__name__ for event in journal.events() if not isinstance(event, FileHashed))
    assert kinds == {"TaskBegan": 1, "ElementsRecorded": 1, "FileRecorded": 2, "TaskEnded": 1}


ROWS = st.lists(st.sampled_from([0.1, 0.2, "0.2", 3, math.nan, "x"]), max_size=4)
BEFORE = [("Training", "2")]
SENT = st.lists(st.tuples(st.integers(1, 2), ROWS, st.sampled_from(["READY", "RUNNING"])), max_size=6)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SENT, st.integers(0, 6))
def test_of_equal_rows_as_many_are_stored_as_one_post_had_at_most_whoever_takes_over(sent, taken_over_after):
    """The rule in other words, by counting what was sent; the second process knows nothing but the journal."""
    first, second = Journal("one"), Journal("two")
    for part, journal in ((sent[:taken_over_after], first), (sent[taken_over_after:], second)):
        posts = RunPosts(Plan("alexnet", [TRAINING]), journal)
        if journal is second:
            for event in first.events():
                posts.replay(event, "one")
        for number, rows, status in part:
            posts.take(task(number, "Results", [[value] for value in rows], status))
    expected = Counter()
    for wanted in (1, 2):
        for value in ("0.1", "0.2", "3", "nan", "x"):
            counts = [[str(row) for row in rows].count(value) for number, rows, _ in sent if number == wanted]
            expected[value] += max(counts, default=0)
    stored = Counter(str(row["rate"]) for journal in (first, second) for row in journal.rows("Results"))
    assert stored == +expected
    began = [event.identifier for journal in (first, second) for event in journal.events(TaskBegan)]
    assert sorted(began) == sorted({str(number) for number, _, _ in sent})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SENT, st.booleans())
def test_a_process_that_takes_over_knows_all_that_was_sent(sent, ends):
    journal = Journal("one")
    posts = RunPosts(Plan("alexnet", [TRAINING]), journal)
    status = "FINISHED" if ends else "RUNNING"
    told = [
        task(number, "Results", [[value] for value in rows], details={"output": str(rows)}, dependencies=BEFORE)
        for number, rows, _ in sent
    ]
    for one in told:
        posts.take(one)
    last = [task(number, status=status) for number, _, _ in sent[-1:]]
    for one in last:
        posts.take(one)
    later = Journal("two")
    again = RunPosts(Plan("alexnet", [TRAINING]), later)
    for event in journal.events():
        again.replay(event, "one")
    assert again.is_idle == posts.is_idle
    for one in last:
        again.take(one)
    assert later.lines == []
    again.take(task(3, dependencies=[("training", str(sent[0][0]))] if sent else []))
    (began,) = later.events(TaskBegan)
    assert all(reference.startswith("one:") for reference in began.after)
    assert len(began.after) == bool(sent)
