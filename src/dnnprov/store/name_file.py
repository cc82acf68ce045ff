"""Names that were given out, as a file in the store folder: tables and columns are called the same ever after.

Names that collide are numbered as they come (`lr`, `LR` -> `lr`, `lr_2`), and a column is of the type of its first
value. Both depend on which process was heard first, which no journal tells. `names.json` does: a database that is
made anew begins with all that it lists, in its order, so that people's SQL goes on meaning the same.

It is never needed: where it is missing or damaged, names follow from the order of the journals, and are noted anew.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from typing import TYPE_CHECKING

import msgspec

from dnnprov.model.training import ColumnType  # noqa: TC001 - msgspec reads the annotation
from dnnprov.store.schema import COLUMN_TYPES, OWN_COLUMNS, own_names

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from dnnprov.journal.folder import StoreFolder

FORMAT = 1

FILE_NAME = "names.json"

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


class _Content(msgspec.Struct):
    format: int
    sets: list[GivenSet]


_decoder: msgspec.json.Decoder[_Content] = msgspec.json.Decoder(_Content)


class NameFile:
    """Reads and writes the file.

    Args:
        connection: to the database that gives names out.
        folder: of the store; `None` where there is no file.
        is_written: whether this database's names go into it.
    """

    def __init__(self, connection: sqlite3.Connection, folder: StoreFolder | None, *, is_written: bool = True) -> None:
        self._connection = connection
        self._path = folder.path / FILE_NAME if folder else None
        self._is_written = is_written
        self._is_current = False
        self._sets: dict[str, GivenSet] | None = None
        self._keyed: dict[str, dict[tuple[str, bool], GivenAttribute]] = {}
        self._columns: dict[str, set[str]] = {}

    def forget(self) -> None:
        """Another process may have given names out."""
        self._sets = None
        self._keyed.clear()
        self._columns.clear()

    def note_change(self) -> None:
        """This database gave a name out."""
        self._is_current = False

    def sets(self) -> list[GivenSet]:
        """All data sets of the file, those that came first first."""
        return list(self._read().values())

    def find(self, tag: str) -> GivenSet | None:
        """What the file says of a data set."""
        return self._read().get(tag)

    def find_attribute(self, tag: str, name: str, *, is_overflow: bool) -> GivenAttribute | None:
        """What the file says of an attribute, or of the text beside it."""
        if tag not in self._keyed:
            given = self.find(tag)
            self._keyed[tag] = given.keyed() if given else {}
        return self._keyed[tag].get((name, is_overflow))

    def columns(self, tag: str) -> set[str]:
        """Names of columns of a data set that are taken."""
        if tag not in self._columns:
            given = self.find(tag)
            self._columns[tag] = given.columns() if given else set()
        return self._columns[tag]

    def tables(self) -> set[str]:
        """Names of tables that are taken."""
        return {given.table for given in self._read().values()}

    def write_missing(self) -> None:
        """Bring the file up to date: names may be new, and the file older than the database, or deleted."""
        if self._path is None or not self._is_written or (self._is_current and self._path.exists()):
            return
        self.forget()
        names = _merged(names_of(self._connection), self._read())
        if names != self.sets() or not self._path.exists():
            with contextlib.suppress(OSError):  # no answer needs it; tried again with the next catch-up
                self._write(names)
                self._is_current = True
        else:
            self._is_current = True

    def _read(self) -> dict[str, GivenSet]:
        if self._sets is None:
            self._sets = {}
            if self._path is not None:
                with contextlib.suppress(OSError, ValueError):
                    self._sets = _checked(_decoder.decode(self._path.read_bytes()))
        return self._sets

    def _write(self, sets: list[GivenSet]) -> None:
        if self._path is None:
            return
        new = self._path.with_name(f".{secrets.token_hex(8)}.new")
        try:
            new.write_bytes(msgspec.json.format(msgspec.json.encode(_Content(FORMAT, sets)), indent=1) + b"\n")
            new.replace(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                new.unlink()
            raise
        self.forget()


def is_damaged(folder: StoreFolder) -> bool:
    """Whether there is a file from which no names can be taken."""
    try:
        _checked(_decoder.decode((folder.path / FILE_NAME).read_bytes()))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return False


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


def _checked(content: _Content) -> dict[str, GivenSet]:
    """The data sets of a file by their tags.

    Raises:
        ValueError: it is of another format, or names something as no database does.
    """
    if content.format != FORMAT:
        raise ValueError(f"format {content.format} is not known; expected {FORMAT}")
    tables = [given.table for given in content.sets]
    _check_names(tables, own_names(), "tables")
    for given in content.sets:
        _check_names([one.column for one in given.attributes if one.column is not None], OWN_COLUMNS, given.table)
        if len(given.keyed()) != len(given.attributes):
            raise ValueError(f"{given.table} has an attribute twice")
    sets = {given.tag: given for given in content.sets}
    if len(sets) != len(content.sets):
        raise ValueError("a data set is there twice")
    return sets


def _check_names(names: list[str], taken: Iterable[str], place: str) -> None:
    if len(set(names)) != len(names) or not set(names).isdisjoint(taken):
        raise ValueError(f"{place}: a name is there twice, or is one of ours")
    if not all(_PLAIN.fullmatch(name) for name in names):
        raise ValueError(f"{place}: {names!r} are no plain names")


def _merged(known: list[GivenSet], given: dict[str, GivenSet]) -> list[GivenSet]:
    """What a database names, and after that what only the file does, as far as these names are free."""
    merged = []
    for one in known:
        before = given[one.tag].keyed() if one.tag in given else {}
        names, taken = one.keyed(), one.columns()
        more = [other for key, other in before.items() if key not in names and other.column not in taken]
        merged.append(GivenSet(one.tag, one.table, [*one.attributes, *more]))
    tags, tables = {one.tag for one in known}, {one.table for one in known}
    return [*merged, *(one for one in given.values() if one.tag not in tags and one.table not in tables)]
