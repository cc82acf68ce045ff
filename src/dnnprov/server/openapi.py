"""The document that describes the server, in OpenAPI 3.1: what each address takes and answers."""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dnnprov.model.dfanalyzer.json_form import ATTRIBUTE_TYPES
from dnnprov.model.dfanalyzer.posts import STATUSES

_TEXT = {"type": ["string", "number", "null"]}
_TAG = {"type": ["string", "number"], "description": "not empty"}
_ANY_VALUE = {"type": ["string", "number", "boolean", "null", "array", "object"]}
_EMPTY = {"type": "string", "const": ""}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "array", "items": items}, {"type": "null"}, _EMPTY]}


def _schemas() -> dict[str, Any]:
    attribute = _object({"name": _TAG, "type": {"type": "string", "enum": list(ATTRIBUTE_TYPES)}}, "name")
    extractor = _object({"tag": _TEXT, "cartridge": _TEXT, "extension": _TEXT})
    data_set = _object(
        {
            "tag": _TAG,
            "type": {"type": "string", "enum": ["INPUT", "OUTPUT"]},
            "attributes": _list(attribute),
            "extractors": _list(extractor),
            "dependency": _TEXT,
        },
        "tag",
    )
    program = _object({"name": _TAG, "path": _TAG}, "path")
    transformation = _object({"tag": _TAG, "sets": _list(data_set), "programs": _list(program)}, "tag")
    element = {
        "anyOf": [
            {"type": "array", "items": _ANY_VALUE},
            {"type": "string", "description": "values joined by ;"},
            {"type": "object", "additionalProperties": _ANY_VALUE},
        ]
    }
    named = _object(
        {"tag": _TAG, "elements": {"anyOf": [{"type": "array", "items": element}, {"type": "string"}]}}, "tag"
    )
    dependency = _object({"tags": _list(_object({"tag": _TAG})), "ids": _list(_object({"id": _TAG}))})
    return {
        "Dataflow": _object({"tag": _TAG, "transformations": _list(transformation)}, "tag"),
        "Task": _object(
            {
                "dataflow": _TAG,
                "transformation": _TAG,
                "id": _TAG,
                "sub_id": _TEXT,
                "status": {"type": "string", "enum": list(STATUSES)},
                "exec": _TEXT,
                "first": {"enum": ["0", "1", 0, 1, True, False, None]},
                "sets": _list(named),
                "files": _list(_object({"name": _TAG, "path": _TAG}, "name", "path")),
                "dependency": {"anyOf": [dependency, {"type": "null"}, _EMPTY]},
                "performances": _list(_object({"startTime": _TEXT, "endTime": _TEXT, "method": _TEXT})),
                "workspace": _TEXT,
                "resource": _TEXT,
                "output": _TEXT,
                "error": _TEXT,
            },
            "dataflow",
            "transformation",
            "id",
        ),
        "Recorded": _object(
            {"recorded": {"type": "boolean"}, "run": _TEXT, "uid": _TEXT, "waits_for": {"type": "string"}},
            "recorded",
            "run",
            "uid",
        ),
        "Error": _object({"error": {"type": "string"}, "field": _TEXT, "value": _TEXT, "expected": _TEXT}, "error"),
    }


def _answer(words: str, schema: str | None = None) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"} if schema else {}}}
    return {"description": words, "content": content}


def _errors(*codes: int) -> dict[str, Any]:
    words = {
        400: "it cannot be taken; nothing of it is recorded",
        401: "the token is missing or wrong",
        403: "it came from a page of another site",
        404: "there is none",
        413: "the body is too large",
        503: "it could not be recorded, or the store not be read",
    }
    return {str(code): _answer(words[code], "Error") for code in codes}


def _posted(summary: str, content: dict[str, Any]) -> dict[str, Any]:
    answers = {"200": _answer("it is durable in a journal", "Recorded"), **_errors(400, 401, 403, 413, 503)}
    return {"post": {"summary": summary, "requestBody": {"required": True, "content": content}, "responses": answers}}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _asked(summary: str, *codes: int, parameter: str | None = None) -> dict[str, Any]:
    named = {"name": parameter, "in": "path", "required": True, "schema": {"type": "string"}}
    answers = {"200": _answer("the answer"), **_errors(401, 403, *codes)}
    return {"get": {"summary": summary, "parameters": [named] if parameter else [], "responses": answers}}


@functools.cache
def openapi_document() -> dict[str, Any]:
    """The whole document."""
    try:
        installed = version("dnnprov")
    except PackageNotFoundError:
        installed = "0"
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "dnnprov: the protocol of DfAnalyzer", "version": installed},
        "paths": {
            "/pde/dataflow/json": _posted("Declare a dataflow", _json("Dataflow")),
            "/pde/task/json": _posted("Tell of a task", _json("Task")),
            "/pde/dataflow": _posted("Declare a dataflow, as text", text),
            "/pde/task": _posted("Tell of tasks, as text", text),
            "/api/dataflows/list": _asked("All dataflows", 503),
            "/api/dataflows/{id}": _asked("One dataflow, by id or tag", 404, 503, parameter="id"),
            "/openapi.json": _asked("This document"),
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }
