"""Recording for a contract, and reading back what a store made of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest.mock import patch

import dnnprov
from dnnprov.model.values import NON_FINITE
from dnnprov.store.schema import non_finite_key, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from dnnprov.capture.run import Run
    from dnnprov.store.base import Parameters, Store

    OpenStore: TypeAlias = Callable[[Path], Store]
    Row: TypeAlias = dict[str, Any]

_NO_FOLLOWER = {"DNNPROV_FOLLOW": "0"}  # nobody but the store that is tested takes the journals in


@contextmanager
def recording(folder: Path, dataflow: str = "contract", **arguments: Any) -> Iterator[Run]:
    """A run that is recorded into a folder."""
    with patch.dict(os.environ, _NO_FOLLOWER), dnnprov.start_run(dataflow, store=folder, **arguments) as run:
        yield run


@contextmanager
def recorders(folder: Path, script: str, arguments: Iterable[str] = ("",)) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that record into a folder at once; what is left of them at the end is killed.

    Args:
        folder: of the store.
        script: Python, in which `dnnprov` is imported, `folder` known, and `argument` is one of
        arguments: a process for each.
    """
    processes = [_start(folder, script, argument) for argument in arguments]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _start(folder: Path, script: str, argument: str) -> subprocess.Popen[str]:
    text = f"import sys, time, dnnprov\nfolder, argument = sys.argv[1:]\n{script}"
    return subprocess.Popen(  # noqa: S603 - this very Python
        [sys.executable, "-c", text, str(folder), argument],
        env={**os.environ, **_NO_FOLLOWER},
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def opened(open_store: OpenStore, folder: Path) -> Iterator[Store]:
    """A store that is let go of at the end."""
    store = open_store(folder)
    try:
        yield store
    finally:
        store.close()


def rows(store: Store, sql: str, parameters: Parameters = ()) -> list[Row]:
    """Rows of a query after catching up."""
    note = store.catch_up()
    assert note is None, note
    columns, found = store.read(sql, parameters)
    return [dict(zip(columns, row, strict=True)) for row in found]


def column(store: Store, sql: str, parameters: Parameters = ()) -> list[Any]:
    """The first column of a query after catching up."""
    return [next(iter(row.values())) for row in rows(store, sql, parameters)]


def table_of(store: Store, tag: str) -> str:
    """The table of a data set."""
    (table,) = column(store, "SELECT table_name FROM data_set WHERE tag = :tag", {"tag": tag})
    return str(table)


def attributes_of(store: Store, tag: str) -> list[Row]:
    """The attributes of a data set, those for texts that fit no column among them."""
    return rows(
        store,
        "SELECT a.attribute_id, a.name, a.column_name, a.type, a.overflow_of FROM attribute AS a"
        " JOIN data_set AS s ON s.data_set_id = a.data_set_id WHERE s.tag = :tag ORDER BY a.attribute_id",
        {"tag": tag},
    )


def elements(store: Store, tag: str) -> list[Row]:
    """The elements of a data set in the order they came: attribute as written -> value as recorded.

    A value that did not fit its column is the text that was kept of it; what is NULL is left out.
    """
    attributes = attributes_of(store, tag)
    beyond: dict[tuple[int, int], Any] = {
        (row["element_id"], row["attribute_id"]): row["value"]
        for row in rows(
            store,
            "SELECT v.element_id, v.attribute_id, v.value FROM element_value AS v"
            " JOIN data_set AS s ON s.data_set_id = v.data_set_id WHERE s.tag = :tag",
            {"tag": tag},
        )
    }
    found = []
    for row in rows(store, f"SELECT * FROM {quoted(table_of(store, tag))} ORDER BY element_id"):
        special = json.loads(row["non_finite"]) if row["non_finite"] else {}
        values: Row = {}
        for attribute in attributes:
            key, name = attribute["attribute_id"], attribute["column_name"]
            value = row[name] if name else beyond.get((row["element_id"], key))
            non_finite = special.get(non_finite_key(name or None, key))
            if non_finite is not None:
                assert value is None, f"{attribute['name']!r} is {non_finite}, and its column holds {value!r}"
                value = NON_FINITE[non_finite]
            if value is not None:
                values[attribute["name"]] = value
        found.append(values)
    return found


def is_same(found: object, expected: object) -> bool:
    """Whether a value came back as it went in: the same number or text, NaN for NaN, and no text for a number."""
    if isinstance(expected, float) and expected != expected:  # noqa: PLR0124 - what NaN is known by
        return isinstance(found, float) and found != found  # noqa: PLR0124
    if isinstance(expected, int | float):
        return isinstance(found, int | float) and found == expected
    return type(found) is type(expected) and found == expected


def assert_same(found: Row, expected: Row) -> None:
    """Values by name, compared one by one, so that a failure names those that are wrong."""
    assert set(found) == set(expected), f"values of {set(found) ^ set(expected)} are lost, or nobody recorded them"
    wrong = {
        name: (_short(found[name]), _short(value))
        for name, value in expected.items()
        if not is_same(found[name], value)
    }
    assert not wrong, f"name: (found, recorded) {wrong}"


def problems(store: Store) -> list[Row]:
    """Kind and detail of what could not be taken as it came."""
    return rows(store, "SELECT kind, detail FROM problem ORDER BY problem_id")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}... ({len(text)} characters)"
