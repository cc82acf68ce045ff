"""The text form of the protocol."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnnprov.errors import PostRefusedError
from dnnprov.model.dfanalyzer.posts import SetPost, TaskPost
from dnnprov.model.dfanalyzer.text_form import read_dataflow_text, read_tasks_text
from dnnprov.model.events import AttributeDeclared, DataSetDeclared, ProgramDeclared

DATAFLOW = b"""
dataflow(systems_of_equations)

program(solver::solver.solve(), /root/systems)

dataset(ocreate, {n_dofs}, {NUMERIC})
dataset(isolve,
            {dt, timesteps},
            {NUMERIC, NUMERIC})
dataset(osolve, {time; converged}, {NUMERIC; TEXT})

transformation(create, {}, {ocreate}, )
transformation(solve, {ocreate, isolve}, {osolve}, {solver::solver.solve()})
"""


def test_a_dataflow_over_several_lines():
    post = read_dataflow_text(DATAFLOW)
    create, solve = post.transformations
    assert post.tag == "systems_of_equations"
    assert create.sets == [DataSetDeclared("ocreate", "generated", [AttributeDeclared("n_dofs", "numeric")])]
    assert [(one.tag, one.relation, one.dependency) for one in solve.sets] == [
        ("ocreate", "used", "create"),
        ("isolve", "used", None),
        ("osolve", "generated", None),
    ]
    assert solve.sets[2].attributes == [AttributeDeclared("time", "numeric"), AttributeDeclared("converged")]
    assert solve.programs == [ProgramDeclared("/root/systems", "solver::solver.solve()")]


def test_a_task_with_all_that_follows_it():
    (post,) = read_tasks_text(
        b"""task(systems, solve, 1, 2, RUNNING, /work, node-7)
        collection(isolve, {{0.5; 10}, {0.25; 20}})
        collection(ocreate, {{ 12 }})
        dependency({create; load}, {{1; 2}; {3}})
        file(mesh.h5, /data)
        performance(10:00:00, 10:00:05, COMPUTATION)"""
    )
    assert post == TaskPost(
        dataflow="systems", transformation="solve", id="1", sub_id="2",
        sets=[SetPost("isolve", [["0.5", "10"], ["0.25", "20"]]), SetPost("ocreate", [["12"]])],
        files=["/data/mesh.h5"],
        dependencies=[("create", "1"), ("create", "2"), ("load", "3")],
        details={"workspace": "/work", "resource": "node-7", "performances": post.details["performances"]},
    )  # fmt: skip


def test_several_tasks_in_one_body():
    posts = read_tasks_text(b"task(a, b, 1, FINISHED)\ncollection(s, {{1}})\ntask(a, c, 2)\ndependency({b}, {1})")
    assert [(one.transformation, one.status) for one in posts] == [("b", "FINISHED"), ("c", "RUNNING")]
    assert [len(one.sets) for one in posts] == [1, 0]
    assert posts[1].dependencies == [("b", "1")]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("{{1, 2}}", [["1", "2"]]),
        ("{{1; 2}, {3; 4}}", [["1", "2"], ["3", "4"]]),
        ("{{1; 2}; {3; 4}}", [["1", "2"], ["3", "4"]]),
        ("{1; 2}", [["1", "2"]]),
        ("{{a,b; c}}", [["a,b", "c"]]),
        ('{{"a;b}", c}}', [["a;b}", "c"]]),
        ("{{Adam(lr=0.1, beta=0.9); 3}}", [["Adam(lr=0.1, beta=0.9)", "3"]]),
        ("{{1; ; 3}}", [["1", "", "3"]]),
        ("{}", []),
    ],
)
def test_values_in_braces(values, expected):
    (post,) = read_tasks_text(f"task(a, b, 1)\ncollection(s, {values})".encode())
    assert post.sets == [SetPost("s", expected)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "task\\(dataflow"),
        (b"collection(s, {{1}})", "task\\(...\\) before it"),
        (b"task(a, b)", "text that is not empty"),
        (b"task(a, b, 1, 2, DONE)", "READY, RUNNING, FINISHED"),
        (b"task(a, b, 1", "at its end"),
        (b"task(a, {b}, 1)", "text that is not empty"),
        (b"task(a, b, 1) nonsense", "one of task"),
        (b"task(a, b, 1)\ncollection(s, {{{1}}})", "elements in braces"),
        (b'task(a, b, 1)\ncollection(s, {{"x}})', 'a " at its end'),
        (b"task(a, b, 1)\ndependency({x; y}, {1; 2; 3})", "as many ids as tags"),
        (b"task(a, b, 1)\ncollection(s, " + b"{" * 100_000, "no deeper than"),
        (b"\xff", "UTF-8"),
    ],
)
def test_a_body_that_cannot_be_meant_is_refused(body, words):
    with pytest.raises(PostRefusedError, match=words):
        read_tasks_text(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"transformation(a, {}, {})", "dataflow\\(tag\\)"),
        (b"dataflow()", "not empty"),
        (b"dataflow(a)\ndataset(s, {x, y}, {NUMERIC})", "as many types as attributes, 2"),
        (b"dataflow(a)\ndataset(s, {x}, {INT})", "TEXT, NUMERIC, FILE, RDFILE"),
        (b"dataflow(a)\ntask(a, b, 1)", "one of dataflow"),
    ],
)
def test_a_dataflow_that_cannot_be_meant_is_refused(body, words):
    with pytest.raises(PostRefusedError, match=words):
        read_dataflow_text(body)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet='task(){},;" collection1\n', max_size=60))
def test_whatever_is_sent_is_read_or_refused(body):
    for read in (read_tasks_text, read_dataflow_text):
        try:
            read(("task(a, b, 1)" + body).encode())
        except PostRefusedError as refused:
            assert refused.expected
