"""Reads JSON bodies as the clients of DfAnalyzer send them (Python, C++, Java, shell).

They differ: ids are texts or numbers, elements lists or texts joined by `;`, `sub_id` is also `subid`, `dependency` may
be `""` or `{}`, `exec` and `first` come from later versions only. What no field of ours means is passed over. Whatever
else does not fit is refused as a whole, naming field, value and what was expected.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from dnnprov.errors import PostRefusedError
from dnnprov.model.dfanalyzer.posts import STATUSES, DataflowPost, SetPost, TaskPost
from dnnprov.model.events import AttributeDeclared, DataSetDeclared, ProgramDeclared, TransformationDeclared
from dnnprov.model.values import plain_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.model.dfanalyzer.posts import Status
    from dnnprov.model.events import Relation

MAX_DEPTH = 16
"""Of a value: lists in lists become a text, and beyond this they are no value any more."""

ATTRIBUTE_TYPES = ("TEXT", "NUMERIC", "FILE", "RDFILE")
_RELATIONS: dict[str, Relation] = {"INPUT": "used", "OUTPUT": "generated"}
_SUB_IDS = ("sub_id", "subid", "sub")
"""The last is what `dfa_lib_python` makes of the first."""

_FIRST = {"1": True, "true": True, "0": False, "false": False, "": False}
_DETAILS = ("workspace", "resource", "output", "error", "hardware")


def read_json(content: bytes) -> dict[str, Any]:
    """The object that a body holds; NaN and Infinity are taken, which Python's clients write.

    Raises:
        PostRefusedError: it is no JSON object.
    """
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            value = json.loads(content)
        except RecursionError:
            raise PostRefusedError("", content[:100], "JSON that is not nested so deep") from None
        except ValueError as error:  # no JSON, no Unicode, or an integer of thousands of digits
            raise PostRefusedError("", content[:100], f"a JSON object ({error})") from None
    if not isinstance(value, dict):
        raise PostRefusedError("", value, "a JSON object")
    return value


def read_dataflow(body: dict[str, Any]) -> DataflowPost:
    """A dataflow as `POST /pde/dataflow/json` has it.

    Raises:
        PostRefusedError: a field has what cannot be meant.
    """
    extractors: list[str] = []

    def transformation(value: Any, field: str) -> TransformationDeclared:
        one = _object(value, field)
        sets = [_data_set(each, at) for each, at in _items(one, "sets", field)]
        for each, at in _items(one, "sets", field):
            extractors.extend(_extractors(each, at))
        programs = [_program(each, at) for each, at in _items(one, "programs", field)]
        return TransformationDeclared(tag=_tag(one, "tag", field), sets=sets, programs=programs)

    transformations = [transformation(each, at) for each, at in _items(body, "transformations", "")]
    email = _text(body.get("email"), "email")
    return DataflowPost(
        tag=_tag(body, "tag", ""),
        transformations=transformations,
        extractors=extractors,
        people=[email] if email else [],
    )


def read_task(body: dict[str, Any]) -> TaskPost:
    """A task as `POST /pde/task/json` has it.

    Raises:
        PostRefusedError: a field has what cannot be meant.
    """
    tag_field = "transformation" if body.get("transformation") not in (None, "") else "tag"
    details = {name: _text(body.get(name), name) for name in _DETAILS}
    performances = [_performance(each, at) for each, at in _items(body, "performances", "")]
    if performances:
        details["performances"] = json.dumps(performances)
    sub_field = next((name for name in _SUB_IDS if name in body), _SUB_IDS[0])
    return TaskPost(
        dataflow=_tag(body, "dataflow", ""),
        transformation=_tag(body, tag_field, ""),
        id=_tag(body, "id", ""),
        sub_id=_text(body.get(sub_field), sub_field),
        status=_status(body.get("status")),
        execution=_text(body.get("exec"), "exec"),
        is_first=_is_first(body.get("first")),
        sets=[_set_post(each, at) for each, at in _items(body, "sets", "")],
        files=[_file(each, at) for each, at in _items(body, "files", "")],
        dependencies=_dependencies(body.get("dependency"), "dependency"),
        details={name: text for name, text in details.items() if text},
    )


def _at(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PostRefusedError(field, value, "an object")
    return value


def _items(one: dict[str, Any], name: str, field: str) -> list[tuple[Any, str]]:
    """The items of a list, each with where it stands; of what is left out, none."""
    value, at = one.get(name), _at(field, name)
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise PostRefusedError(at, value, "a list")
    return [(item, f"{at}[{number}]") for number, item in enumerate(value)]


def _text(value: Any, field: str) -> str:
    """A text that UTF-8 can carry, or a number as text; nothing is an empty one."""
    if value is None or isinstance(value, str):
        return plain_text(value or "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PostRefusedError(field, value, "text or a number")
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    try:
        return str(whole)
    except ValueError:
        raise PostRefusedError(field, hex(int(value))[:40], "a number of fewer digits") from None


def _tag(one: dict[str, Any], name: str, field: str) -> str:
    text = _text(one.get(name), _at(field, name))
    if not text:
        raise PostRefusedError(_at(field, name), one.get(name), "text that is not empty")
    return text


def _status(value: Any) -> Status:
    if value is None or value == "":
        return "RUNNING"
    found = next((one for one in STATUSES if isinstance(value, str) and one == value.upper()), None)
    if found is None:
        raise PostRefusedError("status", value, f"one of {', '.join(STATUSES)}")
    return found


def _is_first(value: Any) -> bool:
    found = _FIRST.get("" if value is None else str(value).lower()) if not isinstance(value, list | dict) else None
    if found is None:
        raise PostRefusedError("first", value, '"0" or "1"')
    return found


def _data_set(value: Any, field: str) -> DataSetDeclared:
    one = _object(value, field)
    tag, kind = _tag(one, "tag", field), one.get("type")
    if kind is None or kind == "":
        relation: Relation | None = "generated" if tag[:1] == "o" else "used"
    else:
        relation = _RELATIONS.get(kind.upper()) if isinstance(kind, str) else None
    if relation is None:
        raise PostRefusedError(_at(field, "type"), kind, "INPUT or OUTPUT")
    dependency = one.get("dependency")
    if isinstance(dependency, dict):
        dependency = dependency.get("tag")
    return DataSetDeclared(
        tag=tag,
        relation=relation,
        attributes=[_attribute(each, at) for each, at in _items(one, "attributes", field)],
        dependency=_text(dependency, _at(field, "dependency")) or None,
    )


def _attribute(value: Any, field: str) -> AttributeDeclared:
    one = {"name": value} if isinstance(value, str) else _object(value, field)
    kind = one.get("type")
    kind = "TEXT" if kind is None or kind == "" else kind
    if not isinstance(kind, str) or kind.upper() not in ATTRIBUTE_TYPES:
        raise PostRefusedError(_at(field, "type"), kind, f"one of {', '.join(ATTRIBUTE_TYPES)}")
    return AttributeDeclared(name=_tag(one, "name", field), type=kind.lower())


def _extractors(value: Any, field: str) -> list[str]:
    """What a set has of extractors, in words."""
    found = []
    for each, at in _items(_object(value, field), "extractors", field):
        one = _object(each, at)
        words = [_text(one.get(name), _at(at, name)) for name in ("tag", "cartridge", "extension")]
        found.append(f"{_tag(value, 'tag', field)}: {' '.join(word for word in words if word) or 'without a name'}")
    return found


def _program(value: Any, field: str) -> ProgramDeclared:
    if isinstance(value, str) and value:
        return ProgramDeclared(path=plain_text(value))
    one = _object(value, field)
    name = _text(one.get("name"), _at(field, "name"))
    path = _text(one.get("path"), _at(field, "path")) or name
    if not path:
        raise PostRefusedError(_at(field, "path"), one.get("path"), "text that is not empty")
    return ProgramDeclared(path=path, name=name)


def _file(value: Any, field: str) -> str:
    if isinstance(value, str) and value:
        return plain_text(value)
    one = _object(value, field)
    return file_path(_text(one.get("name"), _at(field, "name")), _text(one.get("path"), _at(field, "path")), field)


def file_path(name: str, folder: str, field: str) -> str:
    """The path of a file that is given by its name and the folder that it is in, or by one of both.

    Raises:
        PostRefusedError: there is neither.
    """
    if not name and not folder:
        raise PostRefusedError(field, {"name": name, "path": folder}, "the name or the path of a file")
    if not name or not folder or folder.rpartition("/")[2] == name:
        return folder or name
    return f"{folder.rstrip('/')}/{name}"


def _performance(value: Any, field: str) -> dict[str, str]:
    return {plain_text(name): _text(each, _at(field, str(name))) for name, each in _object(value, field).items()}


def _set_post(value: Any, field: str) -> SetPost:
    one = _object(value, field)
    elements, at = one.get("elements"), _at(field, "elements")
    if elements is None:
        elements = []
    if isinstance(elements, str):
        elements = [elements]
    if not isinstance(elements, list):
        raise PostRefusedError(at, elements, "a list of elements")
    if elements and not any(isinstance(each, list | dict | str) for each in elements):
        elements = [elements]  # the values of one
    return SetPost(_tag(one, "tag", field), [_element(each, f"{at}[{number}]") for number, each in enumerate(elements)])


def _element(value: Any, field: str) -> str | list[Any] | dict[str, Any]:
    if isinstance(value, dict) and set(value) == {"values"}:
        value = value["values"]
    if not isinstance(value, str | list | dict):
        raise PostRefusedError(field, value, "a list of values, or a text of values joined by ;")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(each, list | dict) and _is_deep(each):
            raise PostRefusedError(field, "lists in lists", f"values nested no deeper than {MAX_DEPTH}")
    return value


def _is_deep(value: Any) -> bool:
    """Whether it is nested deeper than a value may be; without recursion, which it could be too deep for."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, list | dict)
        ]
        if not level:
            return False
    return True


def _dependencies(value: Any, field: str) -> list[tuple[str, str]]:
    if value is None or value in ("", {}):
        return []
    if isinstance(value, list):
        return [pair for number, one in enumerate(value) for pair in _dependencies(one, f"{field}[{number}]")]
    one = _object(value, field)
    tags = _parts(one, "tags", "tag", field, lambda each, at: [_text(each, at)])
    ids = _parts(one, "ids", "id", field, _ids)
    return paired([tag for (tag,) in tags], ids, field)


def _parts(
    one: dict[str, Any], name: str, inner: str, field: str, read: Callable[[Any, str], list[str]]
) -> list[list[str]]:
    """The tags or ids of a dependency, each alone or as the one entry of an object."""
    at = _at(field, name)
    value = one.get(name)
    listed = value if isinstance(value, list) else [] if value in (None, "", {}) else [value]
    found = []
    for number, each in enumerate(listed):
        held = each.get(inner) if isinstance(each, dict) else each
        found.append(read(held, f"{at}[{number}]"))
    return found


def _ids(value: Any, field: str) -> list[str]:
    """One id, a list of them, or several joined by `;`."""
    listed = value if isinstance(value, list) else _text(value, field).split(";")
    return [_text(each, field).strip() for each in listed]


def paired(tags: list[str], ids: list[list[str]], field: str) -> list[tuple[str, str]]:
    """Tag and id of each task of a dependency: to each tag belong its ids; one tag may have them all.

    Raises:
        PostRefusedError: they do not go together.
    """
    if len(tags) == 1 and len(ids) != 1:
        ids = [[each for several in ids for each in several]]
    if len(tags) != len(ids):
        raise PostRefusedError(field, {"tags": tags, "ids": ids}, "as many ids as tags")
    return [(tag, each) for tag, several in zip(tags, ids, strict=True) for each in several if tag and each]
