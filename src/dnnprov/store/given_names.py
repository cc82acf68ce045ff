"""Names that were given out: data sets with their tables, attributes with their columns, in the order they came."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from dnnprov.model.names import unique_name
from dnnprov.model.training import ColumnType  # noqa: TC001 - msgspec reads the annotation
from dnnprov.store.schema import COLUMN_TYPES, OWN_COLUMNS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

_KINDS: dict[str, ColumnType] = {"INTEGER": "integer", "REAL": "number", "TEXT": "text", "": "unknown"}
"""As declared to SQLite -> a type whose columns are."""

_PLAIN = re.compile(r"[a-z0-9_]{1,63}")


class GivenAttribute(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the values of an attribute go.

    Attributes:
        name: as the user wrote it.
        column: `None` where the table was full.
        type: of its values.
        made_as: type that its column was made for, where that is another.
        is_overflow: whether it is the text beside the attribute of this name.
    """

    name: str
    column: str | None
    type: ColumnType
    made_as: ColumnType | None = None
    is_overflow: bool = False


class GivenSet(msgspec.Struct, frozen=True):
    """A data set: its tag as the user wrote it, its table, and its attributes in the order in which they came."""

    tag: str
    table: str
    attributes: list[GivenAttribute] = []

    def keyed(self) -> dict[tuple[str, bool], GivenAttribute]:
        """The attributes by their names, and by whether they are the texts beside those."""
        return {(one.name, one.is_overflow): one for one in self.attributes}

    def columns(self) -> set[str]:
        """Names that are taken."""
        return {one.column for one in self.attributes if one.column is not None}


def names_of(connection: sqlite3.Connection) -> list[GivenSet]:
    """The names that a database gave out."""
    attributes: dict[int, list[GivenAttribute]] = {}
    for data_set_id, name, column, kind, overflow_of, declared in connection.execute(
        "SELECT a.data_set_id, a.name, a.column_name, a.type, a.overflow_of, c.type FROM attribute AS a"
        " JOIN data_set AS s ON s.data_set_id = a.data_set_id"
        " LEFT JOIN pragma_table_info(s.table_name) AS c ON c.name = a.column_name ORDER BY a.attribute_id"
    ):
        made_as = kind if declared in (None, COLUMN_TYPES[kind]) else _KINDS.get(declared, kind)
        given = GivenAttribute(
            name, column or None, kind, None if made_as == kind else made_as, overflow_of is not None
        )
        attributes.setdefault(data_set_id, []).append(given)
    rows = connection.execute("SELECT data_set_id, tag, table_name FROM data_set ORDER BY data_set_id")
    return [GivenSet(tag, table, attributes.get(key, [])) for key, tag, table in rows]


def by_tag(found: Sequence[GivenSet]) -> dict[str, GivenSet]:
    """Data sets by their tags.

    Raises:
        ValueError: something is named as no database names it.
    """
    _check_names([given.table for given in found], (), "tables")
    for given in found:
        _check_names([one.column for one in given.attributes if one.column is not None], OWN_COLUMNS, given.table)
        if len(given.keyed()) != len(given.attributes):
            raise ValueError(f"{given.table} has an attribute twice")
    sets = {given.tag: given for given in found}
    if len(sets) != len(found):
        raise ValueError("a data set is there twice")
    return sets


def _check_names(names: list[str], taken: Iterable[str], place: str) -> None:
    if len(set(names)) != len(names) or not set(names).isdisjoint(taken):
        raise ValueError(f"{place}: a name is there twice, or is one of ours")
    if not all(_PLAIN.fullmatch(name) for name in names):
        raise ValueError(f"{place}: {names!r} are no plain names")


def lacks(given: Mapping[str, GivenSet], known: list[GivenSet]) -> bool:
    """Whether a file lacks names; which of two databases named something first, it settles once."""
    return any(one.tag not in given or one.keyed().keys() - given[one.tag].keyed().keys() for one in known)


def merged(known: list[GivenSet], given: Mapping[str, GivenSet]) -> list[GivenSet]:
    """What a database names, and after that what only the file does, numbered where these names are not free."""
    found = []
    for one in known:
        attributes, names, taken = list(one.attributes), one.keyed(), one.columns()
        for key, other in given[one.tag].keyed().items() if one.tag in given else ():
            if key not in names:
                column = other.column and unique_name(other.column, taken)
                attributes.append(msgspec.structs.replace(other, column=column))
                taken |= {column} if column else set()
        found.append(GivenSet(one.tag, one.table, attributes))
    tags, tables = {one.tag for one in known}, {one.table for one in known}
    for other_set in given.values():
        if other_set.tag not in tags:
            table = unique_name(other_set.table, tables)
            tables.add(table)
            found.append(msgspec.structs.replace(other_set, table=table))
    return found
