"""Names that were given out, as a file in the store folder: tables and columns are called the same ever after.

Names that collide are numbered as they come (`lr`, `LR` -> `lr`, `lr_2`), and a column is of the type of its first
value. Both depend on which process was heard first, which no journal tells. `names.json` does: a database that is
made anew begins with all that it lists, in its order, so that people's SQL goes on meaning the same.

What a transaction gives out is in the file before it ends, so that a kill loses none. Machines with a database of their
own write the same file; who finds it without names that its database gave adds them again.

It is never needed: where it is missing or damaged, names are those of the database, and without one follow from the
order of the journals; they are noted anew. A file of a later format is left as it is.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from dnnprov.store.given_names import GivenAttribute, GivenSet, by_tag, lacks, merged, names_of
from dnnprov.store.transaction import transaction

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder

FORMAT = 1

FILE_NAME = "names.json"


class _Content(msgspec.Struct):
    format: int
    sets: list[GivenSet]


class _Format(msgspec.Struct):
    format: int


_decoder: msgspec.json.Decoder[_Content] = msgspec.json.Decoder(_Content)


class _LaterFormatError(ValueError):
    """A later dnnprov wrote the file."""


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
        self._has_new = False
        self._is_later = False
        self._seen: tuple[int, int, int] | None = None  # the file when it last held all names of the database
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
        self._has_new = True

    def begin_with(self, sets: list[GivenSet]) -> None:
        """Take other names than those of the file, for a database that is to be made."""
        self.forget()
        self._sets = {given.tag: given for given in sets}

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

    def write_new(self) -> None:
        """Add what was given out since, within the transaction of the caller, which keeps other writers out."""
        if self._path is not None and self._is_written and self._has_new:
            with contextlib.suppress(OSError):  # no answer needs it; the next catch-up tries again
                self._merge(self._path)

    def write_missing(self) -> None:
        """Bring a file up to date that is older than the database, that others wrote, or that was deleted."""
        if self._path is None or not self._is_written:
            return
        seen = _identity(self._path)
        if not self._has_new and seen is not None and seen == self._seen:
            return
        self.forget()
        given = self._read()
        if not self._has_new and (self._is_later or not lacks(given, names_of(self._connection))):
            self._seen = seen
            return
        with contextlib.suppress(OSError), transaction(self._connection):
            self._merge(self._path)

    def _merge(self, path: Path) -> None:
        """Add the names of the database to the file, unless it is not ours to write.

        Raises:
            OSError: it cannot be written.
        """
        self.forget()
        names = merged(names_of(self._connection), self._read())
        if (names != self.sets() or not path.exists()) and not self._is_later:
            _write(path, names)
            self.forget()
        self._seen, self._has_new = _identity(path), False

    def _read(self) -> dict[str, GivenSet]:
        if self._sets is None:
            self._sets, self._is_later = {}, False
            if self._path is not None:
                try:
                    self._sets = _decoded(self._path.read_bytes())
                except _LaterFormatError:
                    self._is_later = True
                except (OSError, ValueError):
                    pass
        return self._sets


def find_fault(folder: StoreFolder) -> str | None:
    """Why no names can be taken from the file; `None` where they can, or there is none."""
    try:
        _decoded((folder.path / FILE_NAME).read_bytes())
    except FileNotFoundError:
        return None
    except _LaterFormatError as error:
        return f"{FILE_NAME} {error}; it was left as it is"
    except (OSError, ValueError):
        return f"{FILE_NAME} is damaged"
    return None


def known_names(connection: sqlite3.Connection, folder: StoreFolder) -> list[GivenSet]:
    """The names of a database, of any version as far as it can be read, and what more the file has."""
    names = NameFile(connection, folder)
    try:
        given = msgspec.convert(msgspec.to_builtins(_Content(FORMAT, names_of(connection))), _Content)
        return merged(list(by_tag(given.sets).values()), {one.tag: one for one in names.sets()})
    except (sqlite3.DatabaseError, KeyError, ValueError):
        return names.sets()


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What tells a file from the one that another process put in its place."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _write(path: Path, sets: list[GivenSet]) -> None:
    new = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        new.write_bytes(msgspec.json.format(msgspec.json.encode(_Content(FORMAT, sets)), indent=1) + b"\n")
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def _decoded(content: bytes) -> dict[str, GivenSet]:
    """The data sets of a file by their tags.

    Raises:
        _LaterFormatError: a later dnnprov wrote it.
        ValueError: it is damaged.
    """
    _refuse_later(content)
    return by_tag(_decoder.decode(content).sets)


def _refuse_later(content: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):  # damaged
        found = msgspec.json.decode(content, type=_Format).format
        if found > FORMAT:
            raise _LaterFormatError(f"has format {found}, this dnnprov knows {FORMAT}: a later one wrote it")
