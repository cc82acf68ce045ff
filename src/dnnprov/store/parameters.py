"""Hyperparameters: one row of iTrainingModel a run, with the values that the training began with.

`set_params` may come in parts, and a Training task may name its own; as long as they agree they fill one row, so that
a join of run and itrainingmodel gives one row a run. A value that differs gets a row of its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dnnprov.store.schema import quoted

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.store.catalog import Catalog
    from dnnprov.store.elements import Elements, Origin, Placement


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
        if values and not self.join(values, non_finite, origin):
            self._elements.insert(self._catalog.data_set("iTrainingModel"), "used", values, non_finite, origin)

    def join(self, values: dict[str, Any], non_finite: dict[str, str], origin: Origin) -> bool:
        """Add values to the run's row where there is one that they agree with; whether that was so."""
        data_set = self._catalog.data_set("iTrainingModel")
        table = quoted(data_set.table)
        cursor = self._connection.execute(
            f"SELECT * FROM {table} WHERE run_id = ? ORDER BY element_id LIMIT 1", (origin.run_id,)
        )
        found = cursor.fetchone()
        if found is None:
            return False
        row = dict(zip((column[0] for column in cursor.description), found, strict=True))
        if row["task_id"] is not None and origin.task_id not in (None, row["task_id"]):
            return False
        placement = self._elements.place(data_set, values, non_finite, origin)
        names: dict[str, str] = json.loads(row["non_finite"]) if row["non_finite"] else {}
        if any(_differs(column, value, row, placement, names) for column, value in placement.columns.items()):
            return False
        columns = {column: value for column, value in placement.columns.items() if value is not None}
        columns["task_id"] = row["task_id"] if row["task_id"] is not None else origin.task_id
        names.update(placement.non_finite)
        columns["non_finite"] = json.dumps(names) if names else None
        settings = ", ".join(f"{quoted(column)} = ?" for column in columns)
        self._connection.execute(
            f"UPDATE {table} SET {settings} WHERE element_id = ?", (*columns.values(), row["element_id"])
        )
        self._elements.write_beyond(data_set, row["element_id"], placement)
        return True


def _differs(column: str, value: Any, row: dict[str, Any], placement: Placement, names: dict[str, str]) -> bool:
    """Whether a value is another one than the row has; a row that has none yet agrees with any."""
    known, known_name = row.get(column), names.get(column)
    if known is None and known_name is None:
        return False
    return (known, known_name) != (value, placement.non_finite.get(column))
