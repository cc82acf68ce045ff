"""Hyperparameters: one row of iTrainingModel a run, with the values that the training began with.

`set_params` may come in parts, and a Training task may name its own; as long as they agree they fill one row, so that
a join of run and itrainingmodel gives one row a run. A value that differs gets a row of its own, and so does what a
task generated, as a search for hyperparameters does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dnnprov.store.elements import Placement
from dnnprov.store.schema import quoted
from dnnprov.store.views import PROCESS_ORDER, first_parameters

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.store.catalog import Attribute, Catalog, DataSet
    from dnnprov.store.elements import Elements, Origin

_NO_VALUE = (None, None, None)


class Parameters:
    """Keeps the run's row of iTrainingModel.

    Args:
        connection: that rows are written through.
        catalog: of names.
        elements: that new rows are inserted with.
    """

    def __init__(self, connection: sqlite3.Connection, catalog: Catalog, elements: Elements) -> None:
        self._connection = connection
        self._catalog = catalog
        self._elements = elements

    def fill(self, values: dict[str, Any], non_finite: dict[str, str], origin: Origin) -> None:
        """Add hyperparameters of the run as a whole."""
        if values:
            data_set = self._catalog.data_set("iTrainingModel")
            placement = self._elements.place(data_set, values, non_finite, origin)
            if not self.join(placement, origin):
                self._elements.insert(data_set, "used", placement, origin)

    def join(self, placement: Placement, origin: Origin, row_number: int = 0) -> bool:
        """Add values to the run's row where there is one that they agree with; whether that was so."""
        data_set = self._catalog.data_set("iTrainingModel")
        table = quoted(data_set.table)
        cursor = self._connection.execute(
            f"SELECT p.* FROM {table} AS p WHERE p.element_id = {first_parameters('?1')} AND p.relation = 'used'",
            (origin.run_id,),
        )
        found = cursor.fetchone()
        if found is None:
            return False
        row = dict(zip((column[0] for column in cursor.description), found, strict=True))
        known = self._read(data_set, row)
        if row["task_id"] is not None and origin.task_id not in (None, row["task_id"]):
            return False
        if any(_differs(data_set, attribute, known, placement) for attribute in placement.attributes):
            return False
        columns = {column: value for column, value in placement.columns.items() if value is not None}
        columns["task_id"] = row["task_id"] if row["task_id"] is not None else origin.task_id
        names = {**known.non_finite, **placement.non_finite}
        columns["non_finite"] = json.dumps(names) if names else None
        if self._began_before(origin.process_id, row["process_id"]):  # it was taken in later
            columns |= {
                "process_id": origin.process_id,
                "sequence": origin.sequence,
                "row_number": row_number,
                "recorded_at": origin.recorded_at,
            }
        settings = ", ".join(f"{quoted(column)} = ?" for column in columns)
        self._connection.execute(
            f"UPDATE {table} SET {settings} WHERE element_id = ?", (*columns.values(), row["element_id"])
        )
        self._elements.write_beyond(data_set, row["element_id"], placement)
        return True

    def _began_before(self, process_id: int, other: int) -> bool:
        """Whether a process comes before another of its run, so that the run began with what it says."""
        key, other_key = PROCESS_ORDER.format("a"), PROCESS_ORDER.format("b")
        (comes_first,) = self._connection.execute(
            f"SELECT ({key}) < ({other_key}) FROM process AS a JOIN process AS b"
            " WHERE a.process_id = ? AND b.process_id = ?",
            (process_id, other),
        ).fetchone()
        return bool(comes_first)

    def _read(self, data_set: DataSet, row: dict[str, Any]) -> Placement:
        """Where the values of a row are that was written before."""
        beyond = self._connection.execute(
            "SELECT attribute_id, value FROM element_value WHERE data_set_id = ? AND element_id = ?",
            (data_set.data_set_id, row["element_id"]),
        )
        non_finite = json.loads(row["non_finite"]) if row["non_finite"] else {}
        return Placement(columns=row, beyond=dict(beyond.fetchall()), non_finite=non_finite)


def _differs(data_set: DataSet, attribute: Attribute, known: Placement, placement: Placement) -> bool:
    """Whether a value is another one than the row has; a row that has none yet agrees with any."""
    before, now = (_value_in(data_set, attribute, place) for place in (known, placement))
    return before not in (_NO_VALUE, now)


def _value_in(data_set: DataSet, attribute: Attribute, placement: Placement) -> tuple[Any, ...]:
    """What stands for the value of an attribute: itself, or the text beside it, or the name of what is not finite."""
    places = (attribute, data_set.overflows.get(attribute.attribute_id))
    values = [
        place and (placement.columns.get(place.column) if place.column else placement.beyond.get(place.attribute_id))
        for place in places
    ]
    return (*values, placement.non_finite.get(attribute.key))
