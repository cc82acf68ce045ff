"""The server at its door: bad bodies, strangers, what it says of itself. It lives on whatever comes."""

from __future__ import annotations

import base64
import json
import re
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnnprov.cli.main import exit_code
from recorded import column_of, rows_of

TASK = {"dataflow": "alexnet", "transformation": "training", "id": 1}
TOKEN = "a-token-of-some-length"


def lives(server):
    return server.ask("GET", "/openapi.json")[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/pde/task/json", {**TASK, "status": 7}, "status"),
        ("/pde/task/json", {**TASK, "sets": [{"tag": "x", "elements": [3, [1]]}]}, "sets[0].elements[0]"),
        ("/pde/task/json", b"[" * 1_000_000, ""),
        ("/pde/task/json", b"", ""),
        ("/pde/dataflow/json", {"tag": {"a": 1}}, "tag"),
        ("/pde/dataflow/json", b"\x00\xff", ""),
        ("/pde/task", b"task(alexnet)", "command 1, task, argument 2"),
        ("/pde/dataflow", b"nonsense", "command 1"),
    ],
)
def test_a_body_that_cannot_be_taken_is_told_what_was_expected_and_leaves_nothing(serve, store, path, body, field):
    server = serve()
    status, answer = server.ask("POST", path, body)
    assert status == 400
    assert answer["field"] == field
    assert answer["expected"] in answer["error"]
    assert answer["value"] in answer["error"]
    assert not list(store.glob("journal/**/*.jsonl"))
    assert lives(server)


def test_of_a_body_with_one_fault_at_its_end_nothing_is_recorded(serve, store):
    server = serve()
    elements = [[number] for number in range(1000)]
    status, answer = server.ask("POST", "/pde/task/json", {**TASK, "sets": [{"tag": "x", "elements": [*elements, 5]}]})
    assert (status, answer["field"]) == (400, "sets[0].elements[1000]")
    server.dataflow("alexnet")
    assert column_of(store, "SELECT COUNT(*) FROM task") == [0]


def test_a_body_of_100_mb_is_refused_in_words_and_the_server_lives(serve):
    server = serve()
    status, answer = server.ask("POST", "/pde/task/json", b" " * 100_000_000)
    assert status == 413
    assert "larger than 32 MiB" in answer["error"]
    assert lives(server)


def test_hostile_names_are_data(serve, store):
    """Also those that JSON can say and UTF-8 cannot carry."""
    hostile = "../x\0'; DROP TABLE run; -- \ud800"
    server = serve()
    sets = [{"tag": hostile, "type": "OUTPUT", "attributes": [{"name": hostile, "type": "NUMERIC"}, {"name": "order"}]}]
    server.dataflow(hostile, {"tag": hostile, "sets": sets, "programs": [hostile]})
    named = {"dataflow": hostile, "transformation": hostile, "exec": hostile, "sub_id": hostile, "output": hostile}
    elements = [[1, hostile], {hostile: 2, "run_id": 3}, [10**30, ["x"]]]
    more = {
        "files": [hostile],
        "performances": [{hostile: hostile}],
        "dependency": {"tags": [hostile], "ids": [hostile]},
    }
    server.task(**named, **more, id=hostile, status="FINISHED", sets=[{"tag": hostile, "elements": elements}])
    server.stop()
    written = hostile.replace("\ud800", "\\ud800")
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": written, "status": "finished"}]
    (table,) = column_of(store, "SELECT table_name FROM data_set WHERE tag = ?", (written,))
    assert column_of(store, f"SELECT order_ FROM {table} ORDER BY element_id") == [written, None, '["x"]']
    assert column_of(store, "SELECT path FROM file") == [written]
    assert not list(store.parent.glob("x*"))


def test_a_large_body_of_real_elements_is_taken(serve, store):
    server = serve()
    server.dataflow("alexnet", {"tag": "training", "sets": [{"tag": "o", "type": "OUTPUT", "attributes": ["x"]}]})
    server.task(sets=[{"tag": "o", "elements": [["v" * 1000 + str(number)] for number in range(5000)]}])
    assert column_of(store, "SELECT COUNT(*) FROM o") == [5000]


def test_a_client_that_leaves_in_the_middle_of_a_body_disturbs_nobody(serve):
    server = serve()
    with socket.create_connection((server.host, server.port)) as left:
        left.sendall(b"POST /pde/task/json HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
    with socket.create_connection((server.host, server.port)) as garbage:
        garbage.sendall(b"\x00\x01 nonsense\r\n\r\n")
    assert lives(server)


def test_addresses_and_methods_that_are_none_are_answered_in_json(serve):
    server = serve()
    status, answer = server.ask("GET", "/nowhere")
    assert (status, "/pde/task/json" in answer["error"]) == (404, True)
    assert server.ask("GET", "/pde/task/json")[0] == 405
    assert server.ask("GET", "/api/dataflows/list") == (200, [])
    assert server.ask("GET", "/api/dataflows/7")[0] == 404
    for path in ("/shutdown", "/api/shutdown", "/exit"):
        assert server.ask("POST", path, {})[0] == 404
    assert lives(server)


def test_a_server_with_a_token_answers_those_who_have_it(serve):
    server = serve(DNNPROV_TOKEN=TOKEN)
    basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
    for headers, expected in (
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic ???"}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": f"Basic {basic}"}, 200),  # from http://me:TOKEN@host:22000
    ):
        assert server.ask("POST", "//pde/dataflow/json", {"tag": "a"}, headers=headers)[0] == expected, headers
        assert server.ask("GET", "//api/dataflows/list", headers=headers)[0] == expected, headers


def test_pages_of_other_sites_and_names_that_lead_here_are_refused(serve):
    server = serve()
    here = f"{server.host}:{server.port}"
    for headers, expected in (
        ({"Origin": "https://example.org"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Origin": f"http://{here}"}, 200),
        ({"Host": f"localhost:{server.port}"}, 200),
        ({"Host": f"[::1]:{server.port}"}, 200),
    ):
        assert server.ask("POST", "/pde/dataflow/json", {"tag": "a"}, headers=headers)[0] == expected, headers


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "takes a token"),
        (["--host", "example.org"], "takes a token"),
        (["--token", "short"], "soon guessed"),
        (["--host", "256.0.0.1", "--token", TOKEN], "cannot listen"),
    ],
)
def test_where_it_may_not_or_cannot_listen_it_says_so(store, capsys, arguments, words):
    pytest.importorskip("uvicorn", reason="the extra `server` is not installed: pip install 'dnnprov[server]'")
    assert exit_code(["serve", "--port", "0", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(serve, capsys, tmp_path):
    server = serve()
    assert exit_code(["serve", "--port", str(server.port), "--store", str(tmp_path / "other")]) == 2
    assert f"port={server.port}" in (told := capsys.readouterr().err)
    assert "--port" in told


def test_a_store_has_one_server_and_another_when_that_is_killed(serve, capsys):
    server = serve()
    assert exit_code(["serve", "--port", "0"]) == 2
    assert "another server serves the store" in capsys.readouterr().err
    server.kill()
    assert lives(serve())


def test_without_the_extra_it_says_which_to_install(store, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    assert exit_code(["serve"]) == 1
    assert "pip install 'dnnprov[server]'" in capsys.readouterr().err


ANY_CHARACTER = st.characters(codec=None, exclude_categories=())  # surrogates too, which JSON can say
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(ANY_CHARACTER, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


def values_of(schema, schemas):
    """Values that a schema allows, by the part of JSON Schema that the document uses."""
    if "$ref" in schema:
        return values_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([values_of(one, schemas) for one in schema["anyOf"]])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    text = st.text(ANY_CHARACTER, min_size=1, max_size=6)
    made = {
        "string": text,
        "number": st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False, width=16),
        "boolean": st.booleans(),
        "null": st.none(),
        "array": st.lists(values_of(schema["items"], schemas), max_size=3) if "items" in schema else st.just([1, "a"]),
    }
    if "properties" in schema:
        parts = {name: values_of(one, schemas) for name, one in schema["properties"].items()}
        needed = {name: parts.pop(name) for name in schema["required"]}
        made["object"] = st.fixed_dictionaries(needed, optional=parts)
    else:
        made["object"] = st.dictionaries(text, ANYTHING, max_size=2)
    return st.one_of([made[kind] for kind in kinds])


def places_in(value, path=()):
    """Every place in a value, as the keys that lead there."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places_in(inner, (*path, key))


def with_other(value, path, other):
    if not path:
        return other
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = with_other(value[path[0]], path[1:], other)
    return copied


@pytest.mark.parametrize(("path", "name"), [("/pde/dataflow/json", "Dataflow"), ("/pde/task/json", "Task")])
def test_whatever_is_sent_is_answered_as_the_server_s_own_document_says(serve, path, name):
    """What the document allows is taken, unless tags and ids do not go together; anything else is taken or told."""
    server = serve()
    document = server.ask("GET", "/openapi.json")[1]
    schemas = document["components"]["schemas"]
    described = set(document["paths"][path]["post"]["responses"])
    connection = server.connect()

    @settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def send(data):
        body = data.draw(values_of(schemas[name], schemas))
        status, answer = server.ask("POST", path, json.dumps(body).encode(), connection)
        assert status == 200 or re.match("dependency|as many", answer["field"]), answer
        broken = with_other(body, data.draw(st.sampled_from(sorted(places_in(body), key=str))), data.draw(ANYTHING))
        status, answer = server.ask("POST", path, json.dumps(broken).encode(), connection)
        assert str(status) in described
        assert status in (200, 400), answer
        assert status == 200 or {"error", "field", "value", "expected"} <= set(answer)

    send()
    assert lives(server)


@settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(any_server, content):
    for path in ("/pde/dataflow/json", "/pde/task/json", "/pde/dataflow", "/pde/task"):
        assert any_server.ask("POST", path, content)[0] in (200, 400)


@pytest.fixture
def any_server(serve):
    return serve()
