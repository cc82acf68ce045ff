"""What a picture says of each statement: short words, since a page is small and names from outside may be long."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from prov.constants import PROV_LABEL, PROV_TYPE
from prov.identifier import QualifiedName
from prov.model import Literal

from dnnprov.model.identifiers import original_name
from dnnprov.model.values import non_finite_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prov.model import ProvElement

MAX_CHARACTERS = 44
MAX_LINES = 4
MAX_METRICS = 4
MAX_NOTE_ROWS = 9

_FIRST_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
_NO_METRICS = frozenset({"epoch", "timestamp", "elapsed_time"})
_NOTED_ENVIRONMENT = {
    "os": "OS",
    "cpu": "CPU",
    "gpu": "GPU",
    "python": "Python",
    "gitCommit": "commit",
    "gitDirty": "uncommitted changes",
}
ARROW = "\N{RIGHTWARDS ARROW}"


@dataclass
class Said:
    """What a document says of one thing.

    Attributes:
        label: its `prov:label`.
        types: our types, without prefix.
        data_set: tag of the set that an element belongs to.
        facts: our attributes, without prefix.
        data, first, best: attributes of the user, as the user named them.
    """

    label: str
    types: set[str] = field(default_factory=set)
    data_set: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)


def said_of(record: ProvElement) -> Said:
    """The attributes of a record by what they are."""
    said = Said(str(record.label))
    user = {"data": said.data, "first": said.first, "best": said.best}
    for name, value in record.attributes:
        prefix = name.namespace.prefix
        if name == PROV_TYPE and isinstance(value, QualifiedName):
            if value.namespace.prefix == "dnnprov":
                said.types.add(value.localpart)
            elif value.namespace.prefix == "set":
                said.data_set = original_name(value.localpart)
        elif prefix in user:
            user[prefix][original_name(name.localpart)] = value.value if isinstance(value, Literal) else value
        elif prefix == "dnnprov":
            said.facts[name.localpart] = value
        elif name == PROV_LABEL:
            said.label = str(value)
    return said


def short(value: object) -> str:
    """A value in few characters, on one line, without what cannot be drawn."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return non_finite_name(value) or f"{value:.4g}"
    text = str(value)[: 10 * MAX_CHARACTERS]
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"


def title_and_lines(said: Said) -> tuple[str, tuple[str, ...]]:
    """What stands in a node: its title, and further lines."""
    make = next((make for kind, make in _LINES.items() if kind in said.types), _version_lines)
    lines = make(said)
    return short(said.data_set or said.label), tuple(short(line) for line in lines if line)


def _activity_lines(said: Said) -> tuple[str, ...]:
    status = said.facts.get("status", "")
    is_run = "ExecuteDataflow" in said.types
    shown = str(status) if is_run or status != "finished" else ""
    return ("ExecuteDataflow" if is_run else "", shown, str(said.facts.get("exitReason", "")))


def _epoch_lines(said: Said) -> tuple[str, ...]:
    numbers = {name: value for name, value in said.data.items() if name not in _NO_METRICS and _is_number(value)}
    names = [name for name in _FIRST_METRICS if name in numbers]
    names += [name for name in numbers if name not in names]
    lines = [said.label if said.label != said.data_set else ""]
    for name in names[:MAX_METRICS]:
        since = f"{short(said.first[name])} {ARROW} " if name in said.first else ""
        last = short(numbers[name])
        best = short(said.best.get(name, numbers[name]))
        lines.append(f"{name} {since}{last}" + (f" (best {best})" if best != last else ""))
    return tuple(lines)


def _adaptation_lines(said: Said) -> tuple[str, ...]:
    data = said.data
    change = said.label
    if "attribute" in data:
        since = [short(data["old_value"])] if "old_value" in data else []
        change = " ".join([str(data["attribute"]), *since, ARROW, short(data.get("new_value", "?"))])
    is_many = said.facts.get("numAdaptations", 1) != 1
    many = said.label if is_many else ""
    start = f"from epoch {data['epoch']}" if "epoch" in data and not many else ""
    return (
        many,
        change if change != many else "",
        str(data.get("technique", "")),
        start,
        str(data.get("triggered_by", "")),
    )


def _element_lines(said: Said) -> tuple[str, ...]:
    if "numRows" in said.facts and said.data:
        told = ", ".join(f"{name} {value}" for name, value in said.data.items())
        return tuple(wrap(told, MAX_CHARACTERS, max_lines=MAX_LINES, placeholder="\N{HORIZONTAL ELLIPSIS}"))
    if "numRows" in said.facts:
        is_named = said.data_set is None or said.data_set not in said.label
        return (said.label if is_named else f"{said.facts['numRows']} rows",)
    if len(said.data) > 2:
        return ()
    return tuple(f"{name} {short(value)}" for name, value in said.data.items())


def _file_lines(said: Said) -> tuple[str, ...]:
    size = said.facts.get("sizeBytes")
    versions = said.facts.get("numVersions")
    return (
        str(said.facts.get("role", "file")),
        _size(size) if isinstance(size, int) else "",
        "" if versions is None else f"{versions} versions",
    )


def _series_lines(said: Said) -> tuple[str, ...]:
    count = said.facts.get("numValues")
    return (f"{count:,} values" if isinstance(count, int) else "metric per step",)


def _version_lines(said: Said) -> tuple[str, ...]:
    version = said.facts.get("version")
    if "Dataflow" in said.types:
        return ("dataflow" if version is None else f"dataflow, version {version}",)
    return (str(version),) if version is not None else ()


_LINES: dict[str, Callable[[Said], tuple[str, ...]]] = {
    "ExecuteDataflow": _activity_lines,
    "Task": _activity_lines,
    "Epoch": _epoch_lines,
    "HyperparameterAdaptation": _adaptation_lines,
    "Element": _element_lines,
    "Layer": lambda said: (said.label,),
    "File": _file_lines,
    "MetricSeries": _series_lines,
    "Program": lambda _: ("program",),
}
"""Our type -> what further lines say; other things tell their version."""


def _size(num_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} TB"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def note_rows(said: Said, members: list[Said]) -> tuple[tuple[str, str], ...]:
    """Attributes that stand in a note beside a node; none where the node itself says enough."""
    if "Environment" in said.types:
        rows = [(shown, said.facts[term]) for term, shown in _NOTED_ENVIRONMENT.items() if term in said.facts]
    elif "Layer" in said.types:
        rows = [_layer_row(member.data) for member in members]
    elif "Element" in said.types and len(said.data) > 2:
        rows = [(name, _last_part(value) if name == "path" else value) for name, value in said.data.items()]
    else:
        rows = []
    shown = [(short(name), short(value)) for name, value in rows[:MAX_NOTE_ROWS]]
    if len(rows) > MAX_NOTE_ROWS:
        shown.append(("\N{HORIZONTAL ELLIPSIS}", f"{len(rows) - MAX_NOTE_ROWS} more"))
    return tuple(shown)


def _last_part(path: object) -> object:
    """The name of a file: a picture has no room for the folders above it."""
    return PurePath(path).name or path if isinstance(path, str) else path


def _layer_row(data: Mapping[str, Any]) -> tuple[str, Any]:
    named = [str(data[name]) for name in ("type", "value") if name in data]
    return str(data.get("name", data.get("position", "layer"))), " ".join(named)
