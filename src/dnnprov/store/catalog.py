"""Prospective provenance: dataflows, transformations, data sets and their attributes, growing as records come.

Names from outside become table and column names here and nowhere else (`model.names`). The predefined sets of
DNNProv-Df are known whatever the case of their names, since older systems write tags in lower case and attributes in
upper case; other names are distinct as they are written. What a name means in a row follows from that row alone: where
two of its names mean one predefined attribute, the one spelled so has it, else the first, and the other is one's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnnprov.model.names import table_name, unique_name
from dnnprov.model.training import SETS, predefined_set
from dnnprov.store.name_file import NameFile
from dnnprov.store.plan_files import PlanFiles
from dnnprov.store.plan_growth import set_tag
from dnnprov.store.plan_record import PlanRecord
from dnnprov.store.plan_rows import PlanRows
from dnnprov.store.schema import (
    COLUMN_TYPES,
    MAX_ATTRIBUTE_COLUMNS,
    OWN_COLUMNS,
    data_set_table,
    non_finite_key,
    own_names,
    quoted,
)
from dnnprov.store.versions import Versions
from dnnprov.store.views import overview_view

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

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
        type: of its values; the first one settles an unknown type, a fraction makes integers numbers.
        turns_to_float: whether the column is one of floats, which large integers do not fit.
    """

    attribute_id: int
    name: str
    column: str | None
    type: ColumnType
    turns_to_float: bool

    @property
    def key(self) -> str:
        """What stands for it in `non_finite`."""
        return non_finite_key(self.column, self.attribute_id)


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
        unmade: columns that the table will be made with; `None` once it is there.
    """

    data_set_id: int
    tag: str
    table: str
    attributes: dict[str, Attribute] = field(default_factory=dict)
    overflows: dict[int, Attribute] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    unmade: list[str] | None = None

    @property
    def of_any_type(self) -> frozenset[str]:
        """Attributes whose texts belong into the column beside them."""
        predefined = SETS.get(self.table)
        return predefined.of_any_type if predefined else frozenset()

    def predefined_name(self, name: str) -> str | None:
        """The predefined attribute that a name means, whatever its case; `None` for a name of one's own."""
        predefined = SETS.get(self.table)
        return predefined.column(name) if predefined else None

    def predefined_in(self, names: Iterable[str]) -> set[str]:
        """Names that are spelled as predefined attributes are, and so mean these before any other spelling does."""
        predefined = SETS.get(self.table)
        return predefined.attributes.keys() & names if predefined else set()


class Catalog:
    """The names the database knows, cached until another process changes them.

    Args:
        connection: that the rows are written through.
        folder: of the store, where names are taken from and plans and names are left; `None` where they are not.
        leaves_files: whether plans and names are left there.

    Attributes:
        names: that were given out, by whichever database.
        plan: what dataflows consist of.
        record: of what was shown and posted of them.
        versions: of the dataflows.
        files: with their newest versions.
    """

    def __init__(
        self, connection: sqlite3.Connection, folder: StoreFolder | None = None, *, leaves_files: bool = True
    ) -> None:
        self.names = NameFile(connection, folder, is_written=leaves_files)
        self.record = PlanRecord(connection)
        self.plan = PlanRows(connection, self.record)
        self.files = PlanFiles(connection, folder if leaves_files else None)
        self.versions = Versions(connection, self.record, self.files)
        self._connection = connection
        self._dataflows: dict[str, tuple[int, str]] = {}
        self._data_sets: dict[str, DataSet] = {}
        self._is_overview_old = False
        self._other_names: dict[str, str] = {}  # of tables, that came up: a view -> its table

    def forget(self) -> None:
        """Another process wrote, or a transaction was rolled back: read everything anew when it is needed."""
        self._dataflows.clear()
        self._data_sets.clear()
        self._is_overview_old = False
        self._other_names.clear()
        self.names.forget()
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
            if tag.lower() not in SETS and predefined_set(tag) is not None:
                self._other_names[table_name(tag, _OWN_NAMES, ())] = found.table
        return found

    def attribute(self, data_set: DataSet, name: str, kind: ColumnType, taken: set[str]) -> Attribute:
        """The attribute that a value of this name goes to, made where there is none.

        Args:
            data_set: that the value belongs to.
            name: as the user wrote it.
            kind: type of the value, for a new column.
            taken: predefined attributes that other values of the same row go to; what is found is added.
        """
        predefined = data_set.predefined_name(name)
        if predefined is not None and (predefined == name or predefined not in taken):
            taken.add(predefined)
            return data_set.attributes[predefined]
        return data_set.attributes.get(name) or self._add_attribute(data_set, name, kind)

    def overflow(self, data_set: DataSet, attribute: Attribute) -> Attribute:
        """The text attribute beside another, `<column>_text`, for values that do not fit its column."""
        found = data_set.overflows.get(attribute.attribute_id)
        if found is None:
            found = self._add_attribute(data_set, attribute.name, "text", overflow_of=attribute)
        return found

    def widen(self, attribute: Attribute, kind: ColumnType) -> None:
        """A fraction came to an attribute of integers, say; its column holds both as they are."""
        attribute.type = kind
        self._connection.execute("UPDATE attribute SET type = ? WHERE attribute_id = ?", (kind, attribute.attribute_id))
        self.names.note_change()

    def declare(self, data_set: DataSet, attributes: list[AttributeDeclared]) -> None:
        """Add the attributes of a data set before their first values."""
        taken = data_set.predefined_in([one.name for one in attributes])
        for one in attributes:
            self.attribute(data_set, one.name, _DECLARED_TYPES.get(one.type.lower(), "text"), taken)

    def make_table(self, data_set: DataSet) -> None:
        """Make the table of a new data set, with all columns that it has until now.

        SQLite reads the whole schema anew for each column that is added to a table, so it is put off until then.
        """
        if data_set.unmade is not None:
            for statement in data_set_table(data_set.table, data_set.data_set_id, data_set.unmade):
                self._connection.execute(statement)
            data_set.unmade = None

    def make_tables(self) -> None:
        """Make all tables, the views of those that are called otherwise, too, and of the hyperparameters there are now.

        The end of every transaction.
        """
        for data_set in self._data_sets.values():
            self.make_table(data_set)
        for view, table in self._other_names.items():
            if view not in self._taken_tables():
                self._connection.execute(f"CREATE VIEW {quoted(view)} AS SELECT * FROM {quoted(table)}")
        self._other_names.clear()
        if self._is_overview_old:
            self.refresh_overview()

    def refresh_overview(self) -> None:
        """Make `run_overview` anew for the hyperparameters there are now."""
        self._is_overview_old = False
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
        given = self.names.find(tag)
        taken = self._taken_tables()
        if given is not None and table_name(given.table, _OWN_NAMES, taken) == given.table:
            table = given.table
        else:
            table = table_name(tag, _OWN_NAMES, taken | self.names.tables())
        key = self._connection.execute("INSERT INTO data_set (tag, table_name) VALUES (?, ?)", (tag, table)).lastrowid
        data_set = DataSet(key or 0, tag, table, columns=set(OWN_COLUMNS), unmade=[])
        self.names.note_change()
        for one in given.attributes if given else ():
            beside = data_set.attributes.get(one.name)
            if not one.is_overflow:
                self._add_attribute(data_set, one.name, one.type)
            elif beside is not None:
                self.overflow(data_set, beside)
        predefined = SETS.get(tag.lower())
        for name, kind in predefined.attributes.items() if predefined else ():
            if name not in data_set.attributes:
                self._add_attribute(data_set, name, kind)
        return data_set

    def _taken_tables(self) -> set[str]:
        """Names that no new table may have: those of data sets, and of what people made in the database themselves."""
        rows = self._connection.execute("SELECT table_name FROM data_set UNION SELECT lower(name) FROM sqlite_master")
        return {name for (name,) in rows}

    def _add_attribute(
        self, data_set: DataSet, name: str, kind: ColumnType, overflow_of: Attribute | None = None
    ) -> Attribute:
        given = self.names.find_attribute(data_set.tag, name, is_overflow=overflow_of is not None)
        if given is not None and given.column not in data_set.columns:
            column, kind, made_as = given.column, given.type, given.made_as or given.type
        else:
            column, made_as = self._free_column(data_set, f"{overflow_of.column}_text" if overflow_of else name), kind
        if column is not None:
            definition = f"{quoted(column)} {COLUMN_TYPES[made_as]}"
            if data_set.unmade is None:
                self._connection.execute(f"ALTER TABLE {quoted(data_set.table)} ADD COLUMN {definition}")
            else:
                data_set.unmade.append(definition)
            data_set.columns.add(column)
        key = self._connection.execute(
            "INSERT INTO attribute (data_set_id, name, column_name, type, overflow_of) VALUES (?, ?, ?, ?, ?)",
            (data_set.data_set_id, name, column or "", kind, overflow_of.attribute_id if overflow_of else None),
        ).lastrowid
        attribute = Attribute(key or 0, name, column, kind, column is not None and COLUMN_TYPES[made_as] == _FLOAT)
        self.names.note_change()
        if overflow_of is None:
            data_set.attributes[name] = attribute
        else:
            data_set.overflows[overflow_of.attribute_id] = attribute
        self._is_overview_old = self._is_overview_old or data_set.table == "itrainingmodel"
        return attribute

    def _free_column(self, data_set: DataSet, name: str) -> str | None:
        """The first free name of a column; `None` where the table is full."""
        if len(data_set.columns) >= MAX_ATTRIBUTE_COLUMNS + len(OWN_COLUMNS):
            return None
        return unique_name(name, data_set.columns | self.names.columns(data_set.tag))
