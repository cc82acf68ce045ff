"""What the data sets of a store are made of, as far as questions depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.model.names import plain_name

if TYPE_CHECKING:
    from dnnprov.store.base import Store

FILTER_COLUMN = "filter_name"


@dataclass(frozen=True)
class RecordedSchema:
    """Columns that grow as runs are recorded.

    Attributes:
        hyperparameters: columns of `itrainingmodel`, in the order they came.
        metrics: attribute of oTrainingModel as written -> its column.
        filters: table -> its columns that hold the name of an applied filter (the text beside it included).
    """

    hyperparameters: tuple[str, ...]
    metrics: dict[str, str]
    filters: dict[str, tuple[str, ...]]

    def metric_column(self, metric: str) -> str | None:
        """The column of `otrainingmodel` for a metric, by its name as written or as the column is called."""
        columns = set(self.metrics.values())
        for candidate in (self.metrics.get(metric), metric.lower(), plain_name(metric)):
            if candidate in columns:
                return candidate
        return None


_ATTRIBUTES = f"""
SELECT s.table_name, a.name, a.column_name, CASE WHEN b.attribute_id IS NULL THEN 0 ELSE 1 END AS is_overflow
FROM attribute AS a
JOIN data_set AS s ON s.data_set_id = a.data_set_id
LEFT JOIN attribute AS b ON b.attribute_id = a.overflow_of
WHERE a.column_name <> ''
  AND (s.table_name IN ('itrainingmodel', 'otrainingmodel')
       OR COALESCE(b.column_name, a.column_name) = '{FILTER_COLUMN}')
ORDER BY s.data_set_id, a.attribute_id
"""


def read_schema(store: Store) -> RecordedSchema:
    """What the store's data sets are made of now."""
    _, rows = store.read(_ATTRIBUTES)
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
    )
