"""Which things a person means: `alexnet-6`, `alexnet-6:Testing`, `alexnet-6:oTrainingModel[epoch=10]`, `model.keras`.

In this order: a run as everywhere (uid, name, `latest`, beginning of a uid); RUN and, after a colon, an id, a task, a
data set or a file of that run, with a number or a value in brackets where one of several is meant; a file by its path
or the beginning of its SHA-256 (see `files`). What fits several things means all of them, and a note says so.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from dnnprov.analysis.lineage.files import files_in_run, find_files
from dnnprov.analysis.questions.sql_text import storable_text
from dnnprov.analysis.selection import select_run
from dnnprov.errors import NotFoundError, RunNotFoundError, UsageError
from dnnprov.model.identifiers import BASE, recorded_name
from dnnprov.store.schema import non_finite_key, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from dnnprov.store.base import Store

    Asked: TypeAlias = str | os.PathLike[str]

_IRI = re.compile(rf"{re.escape(BASE)}run/(?P<uid>[^#]*)#(?P<id>.*)")
_TOLERANCE = 1e-6


class Place(NamedTuple):
    """A record, by the keys of this database.

    Attributes:
        kind: run, task, file or element.
        run_id: that it belongs to.
        key: of the task or file.
        table: of the element's data set.
        row: of the element: process_id, sequence, row_number.
    """

    kind: str
    run_id: int
    key: int = 0
    table: str = ""
    row: tuple[int, int, int] = (0, 0, 0)


@dataclass
class Found:
    """What was meant.

    Attributes:
        places: one or more, of one kind.
        notes: one line each, about the choice.
    """

    places: list[Place]
    notes: list[str] = field(default_factory=list)


def find_things(store: Store, asked: Asked, dataflow: str | None = None) -> Found:
    """The things that a person means, in runs of a dataflow if one is given.

    Raises:
        NotFoundError: nothing is called so.
        DataflowNotFoundError: no dataflow has this tag.
        AmbiguousRunError: it is the beginning of several uids.
        UsageError: it fits several files, or what stands in the brackets cannot be meant.
    """
    if isinstance(asked, os.PathLike):
        found = _found_files(store, os.fspath(asked))
        if found is None:
            raise NotFoundError(f"no run recorded the file {os.fspath(asked)!r}")
        return found
    thing = storable_text(asked)
    iri = _IRI.fullmatch(thing)
    if iri is not None:
        thing = iri["uid"] if iri["id"] == "run" else f"{iri['uid']}:{iri['id']}"
    run = _run_or_none(store, thing, dataflow)
    if run is not None:
        return run
    trouble: NotFoundError | None = None
    for colon in (match.start() for match in re.finditer(":", thing)):
        of_run = _run_or_none(store, thing[:colon], dataflow)
        if of_run is not None:
            try:
                return _find_in_run(store, of_run, thing[:colon], thing[colon + 1 :])
            except NotFoundError as error:
                trouble = trouble or error
    found = _found_files(store, thing)
    if found is None:
        raise trouble or NotFoundError(f"no run, file or element {thing!r}{_suggestion(store, thing)}")
    return found


def _found_files(store: Store, name: str) -> Found | None:
    records, notes = find_files(store, storable_text(name))
    places = [Place("file", record.run_id, record.file_id) for record in records]
    return Found(places, notes) if places else None


def _files(store: Store, run_id: int, name: str) -> list[Place]:
    return [Place("file", run_id, key) for key in files_in_run(store, run_id, name)]


def _run_or_none(store: Store, name: str, dataflow: str | None) -> Found | None:
    try:
        selected = select_run(store, name, dataflow)
    except RunNotFoundError:
        return None
    return Found([Place("run", selected.run_id)], [selected.note] if selected.note else [])


def _find_in_run(store: Store, run: Found, run_name: str, name: str) -> Found:
    run_id = run.places[0].run_id
    if name == "run":
        return run
    for wanted, condition in _readings(name):
        for find in (_by_id, _tasks, _elements, _files):
            if find is _tasks and "=" in condition:
                continue  # a value chooses elements
            places = find(store, run_id, wanted)
            if places:
                places = _chosen(store, places, condition, f"{run_name}:{wanted}") if condition else places
                return Found(places, [*run.notes, *_notes(store, places, f"{run_name}:{name}", wanted)])
    known = [known for (known,) in _names_in_run(store, run_id)]
    raise NotFoundError(f"run {run_name!r} has no task, data set or file {name!r}{_nearest(name, known)}")


def _readings(name: str) -> Iterator[tuple[str, str]]:
    """The name and the choice in brackets that a text may be read as; names from outside may hold brackets too."""
    yield name, ""
    if name.endswith("]"):
        for bracket in re.finditer(r"\[", name):
            yield name[: bracket.start()], name[bracket.end() : -1]


def _notes(store: Store, places: list[Place], name: str, wanted: str) -> Iterator[str]:
    """What to tell about a name that fits several things."""
    kind = places[0].kind
    if kind == "task" and _elements(store, places[0].run_id, wanted):
        yield f"{name!r} is a task and a data set; the task is meant, for elements choose one by a value in brackets"
    if len(places) > 1 and kind != "file":
        yield f"{len(places):,} {kind}s are called {name!r}; all are meant"


def _by_id(store: Store, run_id: int, name: str) -> list[Place]:
    """The record with a local name of an export; its process is a name from outside, so each is tried."""
    kind = name.partition("-")[0]
    if kind not in {"task", "file", "element"}:
        return []
    for process_id, process in store.read("SELECT process_id, name FROM process WHERE run_id = ?", (run_id,))[1]:
        prefix = recorded_name(kind, process) + "-"
        numbers = name.removeprefix(prefix).split("-") if name.startswith(prefix) else []
        if not numbers or not all(number.isascii() and number.isdigit() for number in numbers):
            continue
        if kind == "element" and len(numbers) == 2:
            for (table,) in store.read("SELECT table_name FROM data_set ORDER BY data_set_id")[1]:
                row = (process_id, int(numbers[0]), int(numbers[1]))
                sql = (
                    f"SELECT 1 FROM {quoted(table)} WHERE run_id = ? AND process_id = ? AND sequence = ?"
                    " AND row_number = ?"
                )
                if store.read(sql, (run_id, *row))[1]:
                    return [Place("element", run_id, table=table, row=row)]
        elif kind != "element" and len(numbers) == 1:
            sql = f"SELECT {kind}_id FROM {kind} WHERE process_id = ? AND sequence = ?"
            found = store.read(sql, (process_id, int(numbers[0])))[1]
            if found:
                return [Place(kind, run_id, found[0][0])]
    return []


def _tasks(store: Store, run_id: int, tag: str) -> list[Place]:
    found = store.read(
        "SELECT t.task_id, t.tag FROM task AS t LEFT JOIN process AS p ON p.process_id = t.process_id"
        " WHERE t.run_id = ? AND LOWER(t.tag) = ?"
        " ORDER BY p.attempt, p.rank, p.started_at, p.name, t.sequence",
        (run_id, tag.lower()),
    )[1]
    return [Place("task", run_id, key) for key, _ in _as_written(found, tag)]


def _elements(store: Store, run_id: int, tag: str) -> list[Place]:
    sets = store.read("SELECT table_name, tag FROM data_set WHERE LOWER(tag) = ?", (tag.lower(),))[1]
    places = []
    for table, _ in _as_written(sets, tag):
        found = store.read(
            f"SELECT e.process_id, e.sequence, e.row_number FROM {quoted(table)} AS e"
            " LEFT JOIN process AS p ON p.process_id = e.process_id WHERE e.run_id = ?"
            " ORDER BY p.attempt, p.rank, p.started_at, p.name, e.sequence, e.row_number",
            (run_id,),
        )[1]
        places += [Place("element", run_id, table=table, row=row) for row in found]
    return places


def _as_written(found: list[tuple[Any, ...]], name: str) -> list[tuple[Any, ...]]:
    """Those that are called exactly so, else all that differ in letter case only."""
    return [row for row in found if row[1] == name] or found


def _chosen(store: Store, places: list[Place], condition: str, name: str) -> list[Place]:
    """Those that the brackets mean: `[2]`, the second in the order of recording, or `[epoch=10]`."""
    if re.fullmatch(r"[0-9]+", condition):
        number = int(condition)
        if not 1 <= number <= len(places):
            raise NotFoundError(f"no {name}[{condition}]; there are {len(places):,}, counted from 1")
        return [places[number - 1]]
    attribute, equals, value = condition.partition("=")
    if not equals or places[0].kind != "element":
        raise UsageError(f"[{condition}] chooses nothing; write a number, {name}[2], or a value, {name}[epoch=10]")
    table, run_id = places[0].table, places[0].run_id
    rows = _rows_with(store, run_id, table, attribute.strip(), value.strip())
    chosen = [place for place in places if place.row in rows]
    if not chosen:
        raise NotFoundError(f"none of the {len(places):,} elements {name} has {attribute} {value!r}")
    return chosen


def _rows_with(store: Store, run_id: int, table: str, attribute: str, value: str) -> set[tuple[int, int, int]]:
    known = store.read(
        "SELECT a.name, a.column_name, a.attribute_id, a.data_set_id FROM attribute AS a JOIN data_set AS s"
        " ON s.data_set_id = a.data_set_id WHERE s.table_name = ? ORDER BY a.attribute_id",
        (table,),
    )[1]
    meant = [row for row in known if row[0] == attribute] or [
        row for row in known if attribute.lower() in (row[0].lower(), row[1])
    ]
    if not meant:
        names = list(dict.fromkeys(row[0] for row in known))
        raise NotFoundError(f"the elements have no attribute {attribute!r}{_nearest(attribute, names)}")
    rows: set[tuple[int, int, int]] = set()
    for _, column, attribute_id, data_set_id in meant:
        held = (
            f"e.{quoted(column)}"
            if column
            else (
                f"(SELECT v.value FROM element_value AS v WHERE v.data_set_id = {data_set_id}"
                f" AND v.element_id = e.element_id AND v.attribute_id = {attribute_id})"
            )
        )
        key = non_finite_key(column, attribute_id)
        sql = (
            f"SELECT e.process_id, e.sequence, e.row_number, {held}, e.non_finite FROM {quoted(table)} AS e"
            " WHERE e.run_id = ?"
        )
        for *row, found, special in store.read(sql, (run_id,))[1]:
            if _is_value(found, value) or (special and f'"{key}": "{value}"' in special):
                rows.add(tuple(row))
    return rows


def _is_value(found: object, wanted: str) -> bool:
    """Whether a value is the one that was typed; numbers agree to a millionth."""
    if isinstance(found, int | float):
        try:
            number = float(wanted)
        except ValueError:
            return False
        return abs(found - number) <= _TOLERANCE * abs(number)
    return found is not None and str(found) == wanted


def _names_in_run(store: Store, run_id: int) -> Iterable[tuple[str]]:
    """Tags of the tasks and of the sets that the run's transformations have."""
    return store.read(
        "SELECT t.tag FROM task AS t WHERE t.run_id = :run UNION SELECT s.tag FROM task AS t"
        " JOIN transformation_data_set AS l ON l.transformation_id = t.transformation_id"
        " JOIN data_set AS s ON s.data_set_id = l.data_set_id WHERE t.run_id = :run",
        {"run": run_id},
    )[1]


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return "; there is " + ", ".join(repr(one) for one in sorted(known)[:8]) if known else ""


def _suggestion(store: Store, thing: str) -> str:
    runs = [name for (name,) in store.read("SELECT DISTINCT name FROM run WHERE name IS NOT NULL")[1]]
    paths = [path for (path,) in store.read("SELECT DISTINCT path FROM file")[1]]
    known = [*runs, *paths, *(path.rpartition("/")[2] for path in paths)]
    close = get_close_matches(thing, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else "; name a run, RUN:TASK, RUN:SET[epoch=10], or a file"
