"""Reads the text form of the protocol: commands such as `task(alexnet, Training, 1, RUNNING)`, over any lines.

```
dataflow(tag)                                    task(dataflow, transformation, id, [sub id,] status, [workspace, ...])
program(name, path)                              collection(data set, {{value; value}, {value; value}})
dataset(tag, {attributes}, {types})              dependency({transformations}, {ids})
transformation(tag, {used}, {generated}, {programs})    file(name, path)    performance(start, end, method)
```

Values in braces are set apart by `;`, or by `,` where there is none. A `"text in quotes"` may hold any character. What
a command belongs to is the dataflow, the transformation or the task before it. From the page on DfAnalyzer's services
(hpcdb, UFRJ); a set that one transformation generates and a later one uses comes from the former.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnnprov.errors import PostRefusedError
from dnnprov.model.dfanalyzer.json_form import ATTRIBUTE_TYPES, file_path, paired
from dnnprov.model.dfanalyzer.posts import STATUSES, DataflowPost, SetPost, TaskPost
from dnnprov.model.events import AttributeDeclared, DataSetDeclared, ProgramDeclared, TransformationDeclared

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"\s*([A-Za-z_]+)\s*\(")
_DETAILS = ("workspace", "resource", "output", "error")
_DATAFLOW_COMMANDS = ("dataflow", "program", "dataset", "transformation")
_TASK_COMMANDS = ("task", "collection", "dependency", "file", "performance")
MAX_BRACES = 8


@dataclass
class Command:
    """One command.

    Attributes:
        name: in lower case.
        arguments: texts, and lists for braces.
        number: among the commands of the body, from 1.
    """

    name: str
    arguments: list[Any]
    number: int

    def at(self, index: int) -> str:
        """Where an argument stands, for messages."""
        return f"command {self.number}, {self.name}, argument {index + 1}"

    def text(self, index: int, *, needed: bool = False) -> str:
        """An argument that is no list; empty where it is left out.

        Raises:
            PostRefusedError: it is a list, or left out where it is needed.
        """
        value = self.arguments[index] if index < len(self.arguments) else ""
        if not isinstance(value, str) or (needed and not value):
            raise PostRefusedError(self.at(index), value, "text that is not empty" if needed else "text")
        return value

    def listed(self, index: int) -> list[Any]:
        """An argument in braces; one without is a list of itself, one left out is empty."""
        value = self.arguments[index] if index < len(self.arguments) else ""
        return value if isinstance(value, list) else [value] if value else []

    def texts(self, index: int) -> list[str]:
        """Likewise, of texts only.

        Raises:
            PostRefusedError: a list is among them.
        """
        found = self.listed(index)
        if not all(isinstance(one, str) for one in found):
            raise PostRefusedError(self.at(index), found, "names in braces")
        return [one for one in found if one]


def read_dataflow_text(content: bytes) -> DataflowPost:
    """A dataflow as `POST /pde/dataflow` has it.

    Raises:
        PostRefusedError: a command is none, or does not have the arguments that it needs.
    """
    tag, programs = "", {}
    attributes: dict[str, list[AttributeDeclared]] = {}
    transformations: list[TransformationDeclared] = []
    for command in _commands(content, _DATAFLOW_COMMANDS):
        if command.name == "dataflow":
            tag = command.text(0, needed=True)
        elif command.name == "program":
            name = command.text(0, needed=True)
            programs[name] = ProgramDeclared(path=command.text(1) or name, name=name)
        elif command.name == "dataset":
            attributes[command.text(0, needed=True)] = _attributes(command)
        else:
            transformations.append(_transformation(command, attributes, programs, transformations))
    if not tag:
        raise PostRefusedError("", content[:100], "a command dataflow(tag)")
    return DataflowPost(tag=tag, transformations=transformations)


def _attributes(command: Command) -> list[AttributeDeclared]:
    names, types = command.texts(1), command.texts(2)
    if types and len(types) != len(names):
        raise PostRefusedError(command.at(2), types, f"as many types as attributes, {len(names)}")
    for one in types:
        if one.upper() not in ATTRIBUTE_TYPES:
            raise PostRefusedError(command.at(2), one, f"one of {', '.join(ATTRIBUTE_TYPES)}")
    return [
        AttributeDeclared(name=name, type=kind.lower())
        for name, kind in zip(names, types or ["text"] * len(names), strict=True)
    ]


def _transformation(
    command: Command,
    attributes: dict[str, list[AttributeDeclared]],
    programs: dict[str, ProgramDeclared],
    before: list[TransformationDeclared],
) -> TransformationDeclared:
    source = {one.tag: earlier.tag for earlier in before for one in earlier.sets if one.relation == "generated"}
    used = [
        DataSetDeclared(tag=tag, relation="used", attributes=attributes.get(tag, []), dependency=source.get(tag))
        for tag in command.texts(1)
    ]
    generated = [
        DataSetDeclared(tag=tag, relation="generated", attributes=attributes.get(tag, [])) for tag in command.texts(2)
    ]
    return TransformationDeclared(
        tag=command.text(0, needed=True),
        sets=[*used, *generated],
        programs=[programs.get(name) or ProgramDeclared(path=name) for name in command.texts(3)],
    )


@dataclass
class _Told:
    """A task with the commands that follow it."""

    head: dict[str, Any]
    sets: list[SetPost] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    dependencies: list[tuple[str, str]] = field(default_factory=list)
    performances: list[dict[str, str]] = field(default_factory=list)

    def post(self) -> TaskPost:
        if self.performances:
            self.head["details"]["performances"] = json.dumps(self.performances)
        return TaskPost(**self.head, sets=self.sets, files=self.files, dependencies=self.dependencies)


def read_tasks_text(content: bytes) -> list[TaskPost]:
    """Tasks as `POST /pde/task` has them; as a rule there is one.

    Raises:
        PostRefusedError: a command is none, or does not have the arguments that it needs.
    """
    told: list[_Told] = []
    for command in _commands(content, _TASK_COMMANDS):
        if command.name == "task":
            told.append(_Told(_head(command)))
        elif not told:
            raise PostRefusedError(f"command {command.number}", command.name, "task(...) before it")
        elif command.name == "collection":
            told[-1].sets.append(SetPost(command.text(0, needed=True), _elements(command)))
        elif command.name == "dependency":
            ids = [each if isinstance(each, list) else [each] for each in command.listed(1)]
            told[-1].dependencies += paired(command.texts(0), ids, command.at(1))
        elif command.name == "file":
            told[-1].files.append(file_path(command.text(0), command.text(1), command.at(0)))
        else:
            names = ("startTime", "endTime", "method", "description", "invocation")
            told[-1].performances.append({name: command.text(index) for index, name in enumerate(names)})
    if not told:
        raise PostRefusedError("", content[:100], "a command task(dataflow, transformation, id, status)")
    return [one.post() for one in told]


def _head(command: Command) -> dict[str, Any]:
    texts = [command.text(index) for index in range(3, len(command.arguments))]
    has_sub_id = bool(texts) and texts[0].upper() not in STATUSES
    sub_id = texts.pop(0) if has_sub_id else ""
    status = (texts.pop(0) if texts else "").upper() or "RUNNING"
    if status not in STATUSES:
        raise PostRefusedError(command.at(4 if has_sub_id else 3), status, f"one of {', '.join(STATUSES)}")
    return {
        "dataflow": command.text(0, needed=True),
        "transformation": command.text(1, needed=True),
        "id": command.text(2, needed=True),
        "sub_id": sub_id,
        "status": status,
        "details": {name: text for name, text in zip(_DETAILS, texts, strict=False) if text},
    }


def _elements(command: Command) -> list[list[str]]:
    found = command.listed(1)
    if not any(isinstance(one, list) for one in found):
        found = [found] if found else []
    for one in found:
        if not isinstance(one, list) or not all(isinstance(value, str) for value in one):
            raise PostRefusedError(command.at(1), one, "elements in braces, each with its values in braces")
    return [one for one in found if one]


def _commands(content: bytes, known: tuple[str, ...]) -> Iterator[Command]:
    """The commands of a body, in order.

    Raises:
        PostRefusedError: something else stands there.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PostRefusedError("", content[:100], f"text in UTF-8 ({error.reason})") from None
    place, number = 0, 1
    while text[place:].strip():
        found = _NAME.match(text, place)
        if not found or found[1].lower() not in known:
            wanted = ", ".join(f"{name}(...)" for name in known)
            raise PostRefusedError(f"command {number}", text[place : place + 100].strip(), f"one of {wanted}")
        arguments, place = _Reader(text, f"command {number}, {found[1]}").arguments(found.end())
        yield Command(found[1].lower(), arguments, number)
        number += 1


class _Reader:
    """Reads what stands between parentheses.

    Args:
        text: the whole.
        where: for messages.
    """

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where

    def arguments(self, start: int) -> tuple[list[Any], int]:
        """The arguments from behind the parenthesis on, and where the text goes on."""
        return self._parts(start, ")", 0)

    def _parts(self, start: int, closing: str, depth: int) -> tuple[list[Any], int]:
        """Parts until the closing character; those with a `;` between are set apart by that alone, in braces."""
        if depth > MAX_BRACES:
            raise PostRefusedError(self._where, "braces in braces", f"braces no deeper than {MAX_BRACES}")
        pieces, separators, place = [_Piece()], "", start
        while place < len(self._text):
            character = self._text[place]
            if character == closing:
                return _joined(pieces, separators, in_braces=closing == "}"), place + 1
            if character == "{":
                pieces[-1].value, place = self._parts(place + 1, "}", depth + 1)
                continue
            if character in ",;":
                separators += character
                pieces.append(_Piece())
            else:
                place = self._take_text(place, pieces[-1])
                continue
            place += 1
        raise PostRefusedError(self._where, self._text[start : start + 100], f"a {closing} at its end")

    def _take_text(self, place: int, piece: _Piece) -> int:
        """Take what is no separator: a text in quotes, a call with its parentheses, or a character."""
        character = self._text[place]
        if character == '"' and not piece.text.strip():
            end = self._text.find('"', place + 1)
            if end < 0:
                raise PostRefusedError(self._where, self._text[place : place + 100], 'a " at its end')
            piece.value = self._text[place + 1 : end]
            return end + 1
        if character == "(":
            end = self._text.find(")", place)
            if end >= 0:
                piece.text += self._text[place : end + 1]
                return end + 1
        piece.text += character
        return place + 1


@dataclass
class _Piece:
    text: str = ""
    value: Any = None

    def read(self) -> Any:
        return self.text.strip() if self.value is None else self.value


def _joined(pieces: list[_Piece], separators: str, *, in_braces: bool) -> list[Any]:
    """The parts of a list: a comma is part of a value where `;` sets the values apart."""
    if not (in_braces and ";" in separators and "," in separators):
        parts = [piece.read() for piece in pieces]
        return [] if parts == [""] else parts
    found = [pieces[0].read()]
    for separator, piece in zip(separators, pieces[1:], strict=True):
        value = piece.read()
        if separator == ";" or not (isinstance(value, str) and isinstance(found[-1], str)):
            found.append(value)
        else:
            found[-1] = f"{found[-1]},{value}"
    return found
