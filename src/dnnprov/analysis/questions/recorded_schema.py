"""What the data sets of a store are made of, as far as questions depend on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnnprov.model.names import plain_name
from dnnprov.store.schema import non_finite_key

if TYPE_CHECKING:
    from dnnprov.store.base import Store

FILTER_COLUMN = "filter_name"

MAX_FURTHER = 1000
"""Attributes beyond the columns of a table that an answer shows; a row of PostgreSQL has some 1,600 columns."""


@dataclass(frozen=True)
class FurtherAttribute:
    """An attribute beyond the columns that a table has.

    Attributes:
        attribute_id, data_set_id: keys.
        name: as the user wrote it; of the text beside one, with `_text` after it.
    """

    attribute_id: int
    data_set_id: int
    name: str

    @property
    def key(self) -> str:
        """What stands for it in `non_finite`."""
        return non_finite_key(None, self.attribute_id)

    def value(self, element: str) -> str:
        """SQL for its value.

        Args:
            element: alias of the table whose rows are asked.
        """
        return (
            f"(SELECT v.value FROM element_value AS v WHERE v.data_set_id = {self.data_set_id}"
            f" AND v.element_id = {element}.element_id AND v.attribute_id = {self.attribute_id})"
        )


@dataclass(frozen=True)
class RecordedSchema:
    """Columns that grow as runs are recorded.

    Attributes:
        hyperparameters: columns of `itrainingmodel`, in the order they came.
        metrics: attribute of oTrainingModel as written -> its column.
        filters: table -> its columns that hold the name of an applied filter (the text beside it included).
        further: table -> its attributes beyond the columns.
    """

    hyperparameters: tuple[str, ...]
    metrics: dict[str, str]
    filters: dict[str, tuple[str, ...]]
    further: dict[str, list[FurtherAttribute]] = field(default_factory=dict)

    @property
    def further_hyperparameters(self) -> list[FurtherAttribute]:
        """Hyperparameters beyond the columns, as far as one answer can hold them."""
        return self.further.get("itrainingmodel", [])[:MAX_FURTHER]

    def further_metric(self, metric: str) -> FurtherAttribute | None:
        """A metric beyond the columns, by its name as written or reduced as that of a column."""
        metrics = self.further.get("otrainingmodel", [])
        by_name = {plain_name(one.name): one for one in reversed(metrics)} | {one.name: one for one in metrics}
        return by_name.get(metric) or by_name.get(plain_name(metric))

    def metric_column(self, metric: str) -> str | None:
        """The column of `otrainingmodel` for a metric, by its name as written or as the column is called."""
        columns = set(self.metrics.values())
        for candidate in (self.metrics.get(metric), metric.lower(), plain_name(metric)):
            if candidate in columns:
                return candidate
        return None


_ATTRIBUTES = f"""
SELECT s.table_name, a.name, a.column_name, CASE WHEN b.attribute_id IS NULL THEN 0 ELSE 1 END AS is_overflow,
       a.attribute_id, a.data_set_id
FROM attribute AS a
JOIN data_set AS s ON s.data_set_id = a.data_set_id
LEFT JOIN attribute AS b ON b.attribute_id = a.overflow_of
WHERE s.table_name IN ('itrainingmodel', 'otrainingmodel') OR COALESCE(b.column_name, a.column_name) = '{FILTER_COLUMN}'
ORDER BY s.data_set_id, a.attribute_id
"""


def read_schema(store: Store) -> RecordedSchema:
    """What the store's data sets are made of now."""
    _, found = store.read(_ATTRIBUTES)
    further: dict[str, list[FurtherAttribute]] = {}
    for table, name, column, is_overflow, attribute_id, data_set_id in found:
        if not column:
            one = FurtherAttribute(attribute_id, data_set_id, f"{name}_text" if is_overflow else name)
            further.setdefault(table, []).append(one)
    rows = [row[:4] for row in found if row[2]]
    filter_columns: dict[str, list[str]] = {}
    for table, _, column, is_overflow in rows:
        if column == FILTER_COLUMN or (is_overflow and table in filter_columns):
            filter_columns.setdefault(table, []).append(column)
    return RecordedSchema(
        hyperparameters=tuple(column for table, _, column, _ in rows if table == "itrainingmodel"),
        metrics={
            name: column for table, name, column, is_overflow in rows if table == "otrainingmodel" and not is_overflow
        },
        filters={table: tuple(columns) for table, columns in filter_columns.items()},
        further=further,
    )
