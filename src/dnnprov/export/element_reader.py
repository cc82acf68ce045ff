"""Reads the elements of a run from the tables of its data sets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnnprov.export.run_facts import LAYERS, Element, Order, Value
from dnnprov.model.identifiers import recorded_name
from dnnprov.model.values import NON_FINITE
from dnnprov.store.schema import non_finite_key, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dnnprov.analysis.history import History


@dataclass
class Places:
    """How the keys of this database are called in an export.

    Attributes:
        processes: key of a process -> its name in the run.
        positions: key of a process -> its place among those of the run.
        ranks: key of a process -> its rank.
        tasks: key of a task -> its id.
    """

    processes: dict[int, str]
    positions: dict[int, int]
    ranks: dict[int, int]
    tasks: dict[int, str] = field(default_factory=dict)

    def process(self, process_id: int) -> str:
        """The name of a process; its key where the database lost it."""
        return self.processes.get(process_id, f"unknown-{process_id}")

    def name(self, kind: str, row: Mapping[str, Any], *numbers: int) -> str:
        """The id of what a row holds."""
        return recorded_name(kind, self.process(row["process_id"]), row["sequence"], *numbers)

    def order(self, row: Mapping[str, Any]) -> Order:
        """When in the run a row was recorded."""
        return self.positions.get(row["process_id"], -1), row["sequence"], row.get("row_number", 0)


@dataclass(frozen=True)
class _Attribute:
    name: str
    column: str
    type: str
    is_overflow: bool
    """Whether it holds the values of the attribute of this name that do not fit its column."""


def read_elements(history: History, run_id: int, places: Places) -> list[Element]:
    """All elements of a run in the order of recording; layers are members of one list for each task."""
    elements: list[Element] = []
    for data_set in history.query("SELECT data_set_id, tag, table_name FROM data_set ORDER BY data_set_id"):
        found = history.query(
            f"SELECT * FROM {quoted(data_set['table_name'])} WHERE run_id = ?"  # noqa: S608 - quoted
            " ORDER BY process_id, sequence, row_number",
            (run_id,),
        )
        if found:
            reader = _SetReader(history, run_id, data_set, places)
            elements += [reader.element(row) for row in found]
    elements.sort(key=lambda element: element.order)
    return _with_layer_lists(elements)


class _SetReader:
    """Makes elements of the rows of one data set."""

    def __init__(self, history: History, run_id: int, data_set: dict[str, Any], places: Places) -> None:
        self._tag, self._table, self._places = data_set["tag"], data_set["table_name"], places
        key = (data_set["data_set_id"],)
        self._attributes = {
            row["attribute_id"]: _Attribute(
                row["name"], row["column_name"], row["type"], row["overflow_of"] is not None
            )
            for row in history.query("SELECT * FROM attribute WHERE data_set_id = ? ORDER BY attribute_id", key)
        }
        self._beyond: dict[int, list[tuple[int, Any]]] = {}
        if any(not attribute.column for attribute in self._attributes.values()):
            of_run = f"SELECT element_id FROM {quoted(self._table)} WHERE run_id = ?"  # noqa: S608 - quoted
            sql = f"SELECT * FROM element_value WHERE data_set_id = ? AND element_id IN ({of_run})"  # noqa: S608 - ours
            for row in history.query(sql, (*key, run_id)):
                self._beyond.setdefault(row["element_id"], []).append((row["attribute_id"], row["value"]))

    def element(self, row: dict[str, Any]) -> Element:
        return Element(
            id=self._places.name("element", row, row["row_number"]),
            table=self._table,
            set=self._tag,
            relation=row["relation"],
            task=self._places.tasks.get(row["task_id"]),
            recorded_at=row["recorded_at"],
            order=self._places.order(row),
            values=self._values(row),
        )

    def _values(self, row: dict[str, Any]) -> dict[str, Value]:
        non_finite: dict[str, str] = json.loads(row["non_finite"]) if row["non_finite"] else {}
        stored = dict(self._beyond.get(row["element_id"], ()))
        values: dict[str, Value] = {}
        overflown: dict[str, Value] = {}
        for key, attribute in self._attributes.items():
            special = non_finite.get(non_finite_key(attribute.column, key))
            raw = row.get(attribute.column) if attribute.column else stored.get(key)
            value = NON_FINITE[special] if special else raw
            if value is None:
                continue
            target = overflown if attribute.is_overflow else values
            target[attribute.name] = bool(value) if attribute.type == "boolean" and value in (0, 1) else value
        return overflown | values


def _with_layer_lists(elements: Iterable[Element]) -> list[Element]:
    """The elements with the layers that one task used in one list, as the rows of `iLayers` mean them."""
    layers: dict[str | None, list[Element]] = {}
    others = []
    for element in elements:
        if element.table == LAYERS and element.relation == "used":
            layers.setdefault(element.task, []).append(element)
        else:
            others.append(element)
    return others + [_layer_list(members) for members in layers.values()]


def _layer_list(members: list[Element]) -> Element:
    first = members[0]
    return Element(
        id=f"layers-{first.id}",
        table=first.table,
        set=first.set,
        relation=first.relation,
        task=first.task,
        recorded_at=first.recorded_at,
        order=first.order,
        label=f"{len(members)} layers" if len(members) > 1 else "1 layer",
        num_rows=len(members),
        members=tuple(members),
    )
