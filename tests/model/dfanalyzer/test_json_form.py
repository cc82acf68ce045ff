"""JSON bodies of DfAnalyzer's clients: what each of them writes is understood, and what cannot be meant is refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnnprov.errors import PostRefusedError
from dnnprov.model.dfanalyzer.json_form import read_dataflow, read_json, read_task
from dnnprov.model.dfanalyzer.posts import SetPost, TaskPost
from dnnprov.model.events import AttributeDeclared, DataSetDeclared, ProgramDeclared, TransformationDeclared

PYTHON_TASK = {
    "tag": "training", "workspace": "", "resource": "gpu-3", "dependency": "", "output": "", "error": "",
    "sets": [{"tag": "iTrainingModel", "elements": [["Adam", 0.002, 100, 8]]}], "status": "RUNNING",
    "dataflow": "alexnet", "transformation": "training", "id": "1", "sub_id": "", "performances": [],
    "dfa_url": "http://localhost:22000/", "start_time": "2021-05-01 10:00:00", "end_time": None,
}  # fmt: skip
"""As `dfa_lib_python` writes it: all its attributes, those without a meaning here included."""

SHELL_TASK = (
    '{"subid":"7","workspace":"\\/home\\/user","dataflow":"uq_rtm","sets":[{"elements":["1;8;1"],"tag":"sparsegridinput"}'
    ',{"elements":["1;8;1;r;w;p","1;8;2;r;w;p"],"tag":"sparsegridoutput"}],"dependency":{},"resource":"local","id":"7",'
    '"transformation":"sparse_grid_construction","status":"FINISHED"}'
)
"""As scripts send it with curl."""


def test_the_python_client_s_task():
    assert read_task(PYTHON_TASK) == TaskPost(
        dataflow="alexnet", transformation="training", id="1", status="RUNNING",
        sets=[SetPost("iTrainingModel", [["Adam", 0.002, 100, 8]])], details={"resource": "gpu-3"},
    )  # fmt: skip


def test_the_later_python_client_s_task_names_its_execution_and_says_that_it_is_first():
    post = read_task({**PYTHON_TASK, "exec": "alexnet-2023-05-01", "first": "1"})
    assert (post.execution, post.is_first) == ("alexnet-2023-05-01", True)
    assert not read_task({**PYTHON_TASK, "first": "0"}).is_first


def test_a_shell_script_s_task():
    post = read_task(read_json(SHELL_TASK.encode()))
    assert (post.id, post.sub_id, post.status) == ("7", "7", "FINISHED")
    assert [one.elements for one in post.sets] == [["1;8;1"], ["1;8;1;r;w;p", "1;8;2;r;w;p"]]
    assert post.details == {"workspace": "/home/user", "resource": "local"}


@pytest.mark.parametrize(("given_id", "expected"), [("1", "1"), (1, "1"), (1.0, "1"), (2.5, "2.5"), ("a b", "a b")])
def test_ids_are_texts_or_numbers(given_id, expected):
    assert read_task({**PYTHON_TASK, "id": given_id}).id == expected


@pytest.mark.parametrize(
    ("dependency", "pairs"),
    [
        (None, []),
        ("", []),
        ({}, []),
        ({"tags": [], "ids": []}, []),
        ({"tags": [{"tag": "a"}], "ids": [{"id": "1"}]}, [("a", "1")]),
        ({"tags": ["a", "b"], "ids": [1, 2]}, [("a", "1"), ("b", "2")]),
        (
            {"tags": [{"tag": "a"}, {"tag": "b"}], "ids": [{"id": "1;2"}, {"id": 3}]},
            [("a", "1"), ("a", "2"), ("b", "3")],
        ),
        ({"tags": [{"tag": "a"}], "ids": [{"id": "1"}, {"id": "2"}]}, [("a", "1"), ("a", "2")]),
        ({"tags": "a", "ids": "1"}, [("a", "1")]),
        ([{"tags": ["a"], "ids": [1]}, {"tags": ["b"], "ids": [2]}], [("a", "1"), ("b", "2")]),
    ],
)
def test_dependencies_in_every_form(dependency, pairs):
    assert read_task({**PYTHON_TASK, "dependency": dependency}).dependencies == pairs


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        (["1;2", "3;4"], ["1;2", "3;4"]),
        ("1;2", ["1;2"]),
        ([1, 2.5, None], [[1, 2.5, None]]),
        ([{"values": [1, 2]}], [[1, 2]]),
        ([{"loss": 0.5}], [{"loss": 0.5}]),
        (None, []),
    ],
)
def test_elements_in_every_form(elements, expected):
    post = read_task({**PYTHON_TASK, "sets": [{"tag": "s", "elements": elements}]})
    assert post.sets == [SetPost("s", expected)]


def test_files_and_performances():
    post = read_task(
        {
            **PYTHON_TASK,
            "files": [{"name": "model.h5", "path": "/data/"}, {"name": "a.txt", "path": "/data/a.txt"}, "/b.txt"],
            "performances": [{"startTime": "10:00", "endTime": "10:05", "method": "COMPUTATION"}],
        }
    )
    assert post.files == ["/data/model.h5", "/data/a.txt", "/b.txt"]
    assert json.loads(post.details["performances"]) == [
        {"startTime": "10:00", "endTime": "10:05", "method": "COMPUTATION"}
    ]


def test_a_dataflow_with_programs_extractors_and_dependencies():
    body = {
        "tag": "alexnet",
        "transformations": [
            {
                "tag": "Training",
                "programs": [{"name": "train", "path": "/opt/train.py"}, "other.py"],
                "sets": [
                    {
                        "tag": "iTraining", "type": "input", "dependency": "Filters",
                        "attributes": [{"name": "LR", "type": "NUMERIC"}, {"name": "image", "type": "File"}, "note"],
                        "extractors": [{"tag": "e", "cartridge": "EXTRACTION", "extension": "CSV", "attributes": []}],
                    },
                    {"tag": "oTraining", "type": "OUTPUT", "attributes": []},
                ],
            }
        ],
    }  # fmt: skip
    post = read_dataflow(body)
    assert post.extractors == ["iTraining: e EXTRACTION CSV"]
    assert post.transformations == [
        TransformationDeclared(
            tag="Training",
            sets=[
                DataSetDeclared(
                    "iTraining",
                    "used",
                    [AttributeDeclared("LR", "numeric"), AttributeDeclared("image", "file"), AttributeDeclared("note")],
                    "Filters",
                ),
                DataSetDeclared("oTraining", "generated"),
            ],
            programs=[ProgramDeclared("/opt/train.py", "train"), ProgramDeclared("other.py")],
        )
    ]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"dataflow": None}, "dataflow", "not empty"),
        ({"dataflow": ["a"]}, "dataflow", "text or a number"),
        ({"id": ""}, "id", "not empty"),
        ({"id": True}, "id", "text or a number"),
        ({"status": "DONE"}, "status", "READY, RUNNING, FINISHED"),
        ({"status": 3}, "status", "READY, RUNNING, FINISHED"),
        ({"first": "maybe"}, "first", '"0" or "1"'),
        ({"exec": {}}, "exec", "text or a number"),
        ({"sets": {"tag": "x"}}, "sets", "a list"),
        ({"sets": [3]}, "sets[0]", "an object"),
        ({"sets": [{"elements": []}]}, "sets[0].tag", "not empty"),
        ({"sets": [{"tag": "s", "elements": 5}]}, "sets[0].elements", "a list of elements"),
        ({"sets": [{"tag": "s", "elements": [[1], 5]}]}, "sets[0].elements[1]", "a list of values"),
        ({"dependency": "Training"}, "dependency", "an object"),
        ({"dependency": {"tags": ["a", "b"], "ids": [1]}}, "dependency", "as many ids as tags"),
        ({"files": [{}]}, "files[0]", "the name or the path"),
        ({"performances": [{"startTime": []}]}, "performances[0].startTime", "text or a number"),
        ({"workspace": False}, "workspace", "text or a number"),
    ],
)
def test_a_task_that_cannot_be_meant_is_refused_with_field_value_and_what_was_expected(change, field, words):
    with pytest.raises(PostRefusedError) as refused:
        read_task({**PYTHON_TASK, **change})
    assert refused.value.field == field
    assert words in refused.value.expected
    assert refused.value.shown in str(refused.value)


def with_set(data_set):
    return {"tag": "a", "transformations": [{"tag": "b", "sets": [data_set]}]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tag": ""}, "tag"),
        ({"tag": "a", "transformations": "b"}, "transformations"),
        (with_set({"tag": "c", "type": "BOTH"}), "transformations[0].sets[0].type"),
        (
            with_set({"tag": "c", "attributes": [{"name": "d", "type": "INT"}]}),
            "transformations[0].sets[0].attributes[0].type",
        ),
        ({"tag": "a", "transformations": [{"tag": "b", "programs": [{}]}]}, "transformations[0].programs[0].path"),
    ],
)  # fmt: skip
def test_a_dataflow_that_cannot_be_meant_is_refused(body, field):
    with pytest.raises(PostRefusedError) as refused:
        read_dataflow(body)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 200_000, b"1" * 10_000, b'{"a": 1} x']
)
def test_what_is_no_json_object_is_refused(content):
    with pytest.raises(PostRefusedError, match="^the body: .* came; expected"):
        read_json(content)


def test_nan_and_infinities_as_python_s_clients_write_them_are_values():
    content = json.dumps({**PYTHON_TASK, "sets": [{"tag": "s", "elements": [[math.nan, -math.inf]]}]}).encode()
    ((loss, bound),) = read_task(read_json(content)).sets[0].elements
    assert math.isnan(loss)
    assert bound == -math.inf
    again = TaskPost.from_text(read_task(read_json(content)).to_text())
    assert math.isnan(again.sets[0].elements[0][0])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [*PYTHON_TASK, "exec", "first", "files", "subid"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_whatever_stands_in_the_fields_of_a_task_is_read_or_refused(changes):
    try:
        post = read_task(read_json(json.dumps({**PYTHON_TASK, **changes}).encode()))
    except PostRefusedError as refused:
        assert refused.field.partition(".")[0].partition("[")[0] in FIELDS
    else:
        assert post.dataflow
        assert repr(TaskPost.from_text(post.to_text())) == repr(post)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON)
def test_whatever_stands_in_a_dataflow_is_read_or_refused(value):
    for body in (
        {"tag": value},
        {"tag": "a", "transformations": value},
        {"tag": "a", "transformations": [value]},
        {"tag": "a", "transformations": [{"tag": "b", "sets": [value], "programs": []}]},
        {"tag": "a", "transformations": [{"tag": "b", "sets": [{"tag": "c", "attributes": [value]}]}]},
    ):
        try:
            assert read_dataflow(body).tag
        except PostRefusedError as refused:
            assert refused.field
