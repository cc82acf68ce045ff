"""Prospective provenance: dataflows, transformations, data sets and their attributes, growing as records come.

Names from outside become table and column names here and nowhere else (`model.names`). The predefined sets of
DNNProv-Df are known whatever the case of their names, since older systems write tags in lower case and attributes in
upper case; other names are distinct as they are written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnnprov.model.names import table_name, unique_name
from dnnprov.model.training import SETS
from dnnprov.store.schema import (
    COLUMN_TYPES,
    MAX_ATTRIBUTE_COLUMNS,
    OWN_COLUMNS,
    data_set_table,
    own_names,
    quoted,
)
from dnnprov.store.views import overview_view

if TYPE_CHECKING:
    import sqlite3

    from dnnprov.model.events import Relation
    from dnnprov.model.training import ColumnType

_OWN_NAMES = own_names()

_FLOAT = COLUMN_TYPES["number"]


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

    def predefined_column(self, name: str) -> str | None:
        """The predefined column that an attribute name means, whatever its case; `None` for a name of one's own."""
        predefined = SETS.get(self.table)
        if predefined is None:
            return None
        lowered = name.lower()
        column = predefined.aliases.get(lowered, lowered)
        return column if column in predefined.attributes else None


class Catalog:
    """The names the database knows, cached until another process changes them.

    Args:
        connection: that the rows are written through.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._dataflows: dict[str, int] = {}
        self._transformations: dict[tuple[int, str], int] = {}
        self._data_sets: dict[str, DataSet] = {}
        self._links: set[tuple[int, int, str]] = set()
        self._changed: dict[int, int] = {}  # dataflow -> the run that changed it

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back: read everything anew when it is needed."""
        self._dataflows.clear()
        self._transformations.clear()
        self._data_sets.clear()
        self._links.clear()
        self._changed.clear()

    def dataflow(self, tag: str, recorded_at: str | None = None) -> int:
        """Key of a dataflow, made where there is none."""
        key = self._dataflows.get(tag)
        if key is None:
            self._connection.execute(
                "INSERT INTO dataflow (tag, recorded_at) VALUES (?, ?) ON CONFLICT DO NOTHING", (tag, recorded_at)
            )
            key = self._dataflows[tag] = self._one("SELECT dataflow_id FROM dataflow WHERE tag = ?", tag)
        return key

    def transformation(self, dataflow_id: int, tag: str, run_id: int) -> int:
        """Key of a transformation of a dataflow, made where there is none."""
        key = self._transformations.get((dataflow_id, tag))
        if key is None:
            cursor = self._connection.execute(
                "INSERT INTO data_transformation (dataflow_id, tag) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (dataflow_id, tag),
            )
            if cursor.rowcount:
                self._changed[dataflow_id] = run_id
            key = self._transformations[dataflow_id, tag] = self._one(
                "SELECT transformation_id FROM data_transformation WHERE dataflow_id = ? AND tag = ?", dataflow_id, tag
            )
        return key

    def link(
        self, dataflow_id: int, transformation_id: int, data_set: DataSet, relation: Relation, run_id: int
    ) -> None:
        """Note that a transformation uses or generates a data set."""
        link = (transformation_id, data_set.data_set_id, relation)
        if link in self._links:
            return
        self._links.add(link)
        cursor = self._connection.execute(
            "INSERT INTO transformation_data_set VALUES (?, ?, ?) ON CONFLICT DO NOTHING", link
        )
        if not cursor.rowcount:
            return
        self._changed[dataflow_id] = run_id
        if relation == "generated":
            self._connection.execute(
                "UPDATE data_dependency SET data_set_id = ?"
                " WHERE previous_transformation_id = ? AND data_set_id IS NULL",
                (data_set.data_set_id, transformation_id),
            )

    def depend(self, dataflow_id: int, previous: int, following: int, run_id: int) -> None:
        """Note that a transformation takes the results of another."""
        known = self._connection.execute(
            "SELECT 1 FROM data_dependency WHERE previous_transformation_id = ? AND next_transformation_id = ?",
            (previous, following),
        ).fetchone()
        if known:
            return
        generated = self._connection.execute(
            "SELECT data_set_id FROM transformation_data_set WHERE transformation_id = ? AND relation = 'generated'"
            " ORDER BY data_set_id",
            (previous,),
        ).fetchall()
        self._changed[dataflow_id] = run_id
        self._connection.executemany(
            "INSERT INTO data_dependency (dataflow_id, previous_transformation_id, next_transformation_id, data_set_id)"
            " VALUES (?, ?, ?, ?)",
            [(dataflow_id, previous, following, data_set_id) for (data_set_id,) in generated or [(None,)]],
        )

    def data_set(self, tag: str) -> DataSet:
        """A data set by its tag; its table is made where there is none."""
        found = self._data_sets.get(tag)
        if found is None:
            predefined = SETS.get(tag.lower())
            known_tag = predefined.tag if predefined else tag
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

    def declare(self, data_set: DataSet, name: str, kind: ColumnType) -> None:
        """Add an attribute before its first value."""
        self.attribute(data_set, name, kind, set())

    def write_versions(self, recorded_at: str | None) -> None:
        """Note the new plan of each dataflow that changed: in place for the run that changed it, else a new version."""
        for dataflow_id, run_id in self._changed.items():
            specification = self._specification(dataflow_id)
            last = self._connection.execute(
                "SELECT dataflow_version_id, version, run_id FROM dataflow_version WHERE dataflow_id = ?"
                " ORDER BY version DESC LIMIT 1",
                (dataflow_id,),
            ).fetchone()
            if last and last[2] == run_id:
                version_id = last[0]
                self._connection.execute(
                    "UPDATE dataflow_version SET specification = ? WHERE dataflow_version_id = ?",
                    (specification, version_id),
                )
            else:
                version_id = self._connection.execute(
                    "INSERT INTO dataflow_version (dataflow_id, version, specification, run_id, recorded_at)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (dataflow_id, last[1] + 1 if last else 1, specification, run_id, recorded_at),
                ).lastrowid
            self._connection.execute("UPDATE run SET dataflow_version_id = ? WHERE run_id = ?", (version_id, run_id))
        self._changed.clear()

    def refresh_overview(self) -> None:
        """Make `run_overview` anew for the hyperparameters there are now."""
        parameters = self.data_set("iTrainingModel")
        attributes = [*parameters.attributes.values(), *parameters.overflows.values()]
        attributes.sort(key=lambda attribute: attribute.attribute_id)
        columns = [attribute.column for attribute in attributes if attribute.column]
        self._connection.execute("DROP VIEW IF EXISTS run_overview")
        self._connection.execute(overview_view(columns))

    def _specification(self, dataflow_id: int) -> str:
        plan: dict[str, dict[str, list[str]]] = {}
        rows = self._connection.execute(
            "SELECT t.tag, l.relation, s.tag FROM data_transformation AS t"
            " LEFT JOIN transformation_data_set AS l ON l.transformation_id = t.transformation_id"
            " LEFT JOIN data_set AS s ON s.data_set_id = l.data_set_id"
            " WHERE t.dataflow_id = ? ORDER BY t.tag, l.relation, s.tag",
            (dataflow_id,),
        )
        for transformation, relation, data_set in rows:
            sets = plan.setdefault(transformation, {})
            if relation:
                sets.setdefault(relation, []).append(data_set)
        return json.dumps(plan, ensure_ascii=False, sort_keys=True)

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

    def _one(self, sql: str, *parameters: object) -> int:
        return int(self._connection.execute(sql, parameters).fetchone()[0])
