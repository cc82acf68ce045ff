"""Prospective provenance: dataflows, transformations, data sets and their attributes, growing as records come.

Names from outside become table and column names here and nowhere else (`model.names`). The predefined sets of
DNNProv-Df are known whatever the case of their names, since older systems write tags in lower case and attributes in
upper case; other names are distinct as they are written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnnprov.model.names import table_name, unique_name
from dnnprov.model.training import SETS
from dnnprov.store.plan_files import PlanFiles
from dnnprov.store.plan_growth import set_tag
from dnnprov.store.plan_record import PlanRecord
from dnnprov.store.plan_rows import PlanRows
from dnnprov.store.schema import (
    COLUMN_TYPES,
    MAX_ATTRIBUTE_COLUMNS,
    OWN_COLUMNS,
    data_set_table,
    own_names,
    quoted,
)
from dnnprov.store.versions import Versions
from dnnprov.store.views import overview_view

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.events import AttributeDeclared
    from dnnprov.model.training import ColumnType

_OWN_NAMES = own_names()

_FLOAT = COLUMN_TYPES["number"]

_NEVER = "~"
"""Later than any time."""

_DECLARED_TYPES: dict[str, ColumnType] = {
    "numeric": "number",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
}
"""Declared type of an attribute -> that of its column; any other is text."""


@dataclass
class Attribute:
    """One attribute of a data set.

    Attributes:
        attribute_id: key in `attribute`.
        name: as the user wrote it.
        column: where its values are; `None` where the table is full and they are in `element_value`.
        type: of its values; a fraction makes an integer attribute one of numbers.
        turns_to_float: whether the column is one of floats, which large integers do not fit.
    """

    attribute_id: int
    name: str
    column: str | None
    type: ColumnType
    turns_to_float: bool


@dataclass
class DataSet:
    """A data set and its table.

    Attributes:
        data_set_id: key in `data_set`.
        tag: as the user wrote it.
        table: where its elements are.
        attributes: by name as written.
        overflows: key of an attribute -> the text beside it, for values that do not fit its column.
        columns: names in use in the table.
    """

    data_set_id: int
    tag: str
    table: str
    attributes: dict[str, Attribute] = field(default_factory=dict)
    overflows: dict[int, Attribute] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)

    @property
    def of_any_type(self) -> frozenset[str]:
        """Attributes whose texts belong into the column beside them."""
        predefined = SETS.get(self.table)
        return predefined.of_any_type if predefined else frozenset()

    def predefined_column(self, name: str) -> str | None:
        """The predefined column that an attribute name means, whatever its case; `None` for a name of one's own."""
        predefined = SETS.get(self.table)
        return predefined.column(name) if predefined else None


class Catalog:
    """The names the database knows, cached until another process changes them.

    Args:
        connection: that the rows are written through.
        folder: of the store, where plans are left; `None` where they are not.

    Attributes:
        plan: what dataflows consist of.
        record: of what was shown and posted of them.
        versions: of the dataflows.
        files: with their newest versions.
    """

    def __init__(self, connection: sqlite3.Connection, folder: StoreFolder | None = None) -> None:
        self.record = PlanRecord(connection)
        self.plan = PlanRows(connection, self.record)
        self.files = PlanFiles(connection, folder)
        self.versions = Versions(connection, self.record, self.files)
        self._connection = connection
        self._dataflows: dict[str, tuple[int, str]] = {}
        self._data_sets: dict[str, DataSet] = {}

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back: read everything anew when it is needed."""
        self._dataflows.clear()
        self._data_sets.clear()
        self.plan.forget()
        self.record.forget()
        self.versions.forget()

    def dataflow(self, tag: str, recorded_at: str | None) -> int:
        """Key of a dataflow, made where there is none; its time is the earliest that is given."""
        at = recorded_at or _NEVER
        known = self._dataflows.get(tag)
        if known is None or at < known[1]:
            self._connection.execute(
                "INSERT INTO dataflow (tag, recorded_at) VALUES (?, ?) ON CONFLICT (tag) DO UPDATE"
                " SET recorded_at = excluded.recorded_at"
                " WHERE COALESCE(dataflow.recorded_at, ?) > excluded.recorded_at",
                (tag, recorded_at, _NEVER),
            )
            key, first = self._connection.execute(
                "SELECT dataflow_id, recorded_at FROM dataflow WHERE tag = ?", (tag,)
            ).fetchone()
            known = self._dataflows[tag] = (int(key), first or _NEVER)
        return known[0]

    def reconsider_dataflow(self, dataflow_id: int) -> None:
        """A run turned out to be of another dataflow: remove this one where nothing else is of it."""
        self._dataflows.clear()
        self._connection.execute(
            "UPDATE dataflow SET recorded_at = (SELECT MIN(h.at) FROM"
            " (SELECT r.started_at AS at FROM run AS r WHERE r.dataflow_id = ?1"
            " UNION ALL SELECT p.recorded_at FROM plan_declaration AS p WHERE p.dataflow_id = ?1) AS h)"
            " WHERE dataflow_id = ?1",
            (dataflow_id,),
        )
        self._connection.execute(
            "DELETE FROM dataflow WHERE dataflow_id = ?1 AND NOT EXISTS (SELECT 1 FROM run AS r"
            " WHERE r.dataflow_id = ?1) AND NOT EXISTS (SELECT 1 FROM plan_declaration AS p WHERE p.dataflow_id = ?1)",
            (dataflow_id,),
        )

    def data_set(self, tag: str) -> DataSet:
        """A data set by its tag; its table is made where there is none."""
        found = self._data_sets.get(tag)
        if found is None:
            known_tag = set_tag(tag)
            found = self._data_sets.get(known_tag) or self._load(known_tag) or self._create(known_tag)
            self._data_sets[tag] = self._data_sets[known_tag] = found
        return found

    def attribute(self, data_set: DataSet, name: str, kind: ColumnType, taken: set[str]) -> Attribute:
        """The attribute that a value of this name goes to, made where there is none.

        Args:
            data_set: that the value belongs to.
            name: as the user wrote it.
            kind: type of the value, for a new column.
            taken: columns that other values of the same row go to.
        """
        found = data_set.attributes.get(name)
        if found is None:
            column = data_set.predefined_column(name)
            if column is not None and column not in taken:
                return data_set.attributes[column]
            found = self._add_attribute(data_set, name, kind)
        return found

    def overflow(self, data_set: DataSet, attribute: Attribute) -> Attribute:
        """The text attribute beside another, `<column>_text`, for values that do not fit its column."""
        found = data_set.overflows.get(attribute.attribute_id)
        if found is None:
            found = self._add_attribute(data_set, attribute.name, "text", overflow_of=attribute)
        return found

    def widen(self, attribute: Attribute) -> None:
        """A fraction came to an attribute of integers; its column holds both as they are."""
        attribute.type = "number"
        self._connection.execute(
            "UPDATE attribute SET type = 'number' WHERE attribute_id = ?", (attribute.attribute_id,)
        )

    def declare(self, data_set: DataSet, attributes: list[AttributeDeclared]) -> None:
        """Add the attributes of a data set before their first values."""
        known = (data_set.attributes.get(one.name) for one in attributes)
        taken = {attribute.column for attribute in known if attribute and attribute.column}
        for one in attributes:
            attribute = self.attribute(data_set, one.name, _DECLARED_TYPES.get(one.type.lower(), "text"), taken)
            if attribute.column:
                taken.add(attribute.column)

    def refresh_overview(self) -> None:
        """Make `run_overview` anew for the hyperparameters there are now."""
        parameters = self.data_set("iTrainingModel")
        attributes = [*parameters.attributes.values(), *parameters.overflows.values()]
        attributes.sort(key=lambda attribute: attribute.attribute_id)
        columns = [attribute.column for attribute in attributes if attribute.column]
        self._connection.execute("DROP VIEW IF EXISTS run_overview")
        self._connection.execute(overview_view(columns))

    def _load(self, tag: str) -> DataSet | None:
        row = self._connection.execute(
            "SELECT data_set_id, tag, table_name FROM data_set WHERE tag = ?", (tag,)
        ).fetchone()
        if row is None:
            return None
        data_set = DataSet(row[0], row[1], row[2], columns=set(OWN_COLUMNS))
        declared = dict(self._connection.execute("SELECT name, type FROM pragma_table_info(?)", (data_set.table,)))
        for attribute_id, name, column, kind, overflow_of in self._connection.execute(
            "SELECT attribute_id, name, column_name, type, overflow_of FROM attribute WHERE data_set_id = ?"
            " ORDER BY attribute_id",
            (data_set.data_set_id,),
        ):
            attribute = Attribute(attribute_id, name, column or None, kind, declared.get(column) == _FLOAT)
            if overflow_of is None:
                data_set.attributes[name] = attribute
            else:
                data_set.overflows[overflow_of] = attribute
            data_set.columns.add(column)
        return data_set

    def _create(self, tag: str) -> DataSet:
        taken = {name for (name,) in self._connection.execute("SELECT table_name FROM data_set")}
        table = table_name(tag, _OWN_NAMES, taken)
        key = self._connection.execute("INSERT INTO data_set (tag, table_name) VALUES (?, ?)", (tag, table)).lastrowid
        data_set = DataSet(key or 0, tag, table, columns=set(OWN_COLUMNS))
        for statement in data_set_table(table, data_set.data_set_id):
            self._connection.execute(statement)
        predefined = SETS.get(tag.lower())
        for name, kind in predefined.attributes.items() if predefined else ():
            self._add_attribute(data_set, name, kind)
        return data_set

    def _add_attribute(
        self, data_set: DataSet, name: str, kind: ColumnType, overflow_of: Attribute | None = None
    ) -> Attribute:
        column: str | None = None
        if len(data_set.columns) < MAX_ATTRIBUTE_COLUMNS + len(OWN_COLUMNS):
            column = unique_name(f"{overflow_of.column}_text" if overflow_of else name, data_set.columns)
            self._connection.execute(
                f"ALTER TABLE {quoted(data_set.table)} ADD COLUMN {quoted(column)} {COLUMN_TYPES[kind]}"
            )
            data_set.columns.add(column)
        key = self._connection.execute(
            "INSERT INTO attribute (data_set_id, name, column_name, type, overflow_of) VALUES (?, ?, ?, ?, ?)",
            (data_set.data_set_id, name, column or "", kind, overflow_of.attribute_id if overflow_of else None),
        ).lastrowid
        attribute = Attribute(key or 0, name, column, kind, column is not None and COLUMN_TYPES[kind] == _FLOAT)
        if overflow_of is None:
            data_set.attributes[name] = attribute
        else:
            data_set.overflows[overflow_of.attribute_id] = attribute
        if data_set.table == "itrainingmodel" and self._has_overview():
            self.refresh_overview()
        return attribute

    def _has_overview(self) -> bool:
        return (
            self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'run_overview'").fetchone() is not None
        )
