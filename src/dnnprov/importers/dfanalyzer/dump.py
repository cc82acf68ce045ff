"""The text format of MonetDB's `msqldump`: CREATE TABLE, then COPY ... INTO with one record a line.

Of a dump only table definitions and records are read; nothing in it is ever executed. Strings stand in double quotes
with C's escapes, so that a record is one line whatever it holds; a bare NULL is none. The delimiter is what COPY says:
`|` in dumps of some versions, a tab in those of others. (MonetDB documentation, "msqldump" and "COPY INTO".)
"""

from __future__ import annotations

import csv
import itertools
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from dnnprov.errors import ImportSourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dnnprov.importers.imported_run import Progress

_NAME = r'(?:"((?:[^"]|"")*)"|(\w+))'
_CREATE = re.compile(rf"CREATE TABLE (?:{_NAME}\.)?{_NAME}\s*\(", re.IGNORECASE)
_COPY = re.compile(rf"COPY (\d+) RECORDS INTO (?:{_NAME}\.)?{_NAME}\s*(\([^)]*\))?\s*FROM stdin\b(.*)", re.IGNORECASE)
_DELIMITERS = re.compile(r"DELIMITERS\s+E?'([^']*)'\s*,\s*E?'([^']*)'(?:\s*,\s*E?'([^']*)')?", re.IGNORECASE)
_SET_SCHEMA = re.compile(rf"SET SCHEMA {_NAME}\s*;", re.IGNORECASE)
_INSERT = re.compile(r'INSERT INTO "[^"]+"\."[^"]+"', re.IGNORECASE)
_COLUMN = re.compile(rf"\s*{_NAME}\s+([A-Za-z]+)")
_NO_COLUMNS = ("CONSTRAINT", "PRIMARY", "FOREIGN", "UNIQUE", "CHECK")
_NO_STATEMENT = re.compile(r'\s*[\d"]')

_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "b": "\b", "a": "\a", "v": "\v"}
_FIELD = r'\s*(?:"((?:[^"\\]|\\.|"")*)"|([^{delimiter}"]*))\s*'

_LINES = 2048
_INTEGER_TYPES = frozenset({"TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "HUGEINT"})
_FLOAT_TYPES = frozenset({"DOUBLE", "REAL", "FLOAT", "DECIMAL", "NUMERIC", "DEC"})


@dataclass(frozen=True)
class Table:
    """A table of a dump.

    Attributes:
        schema, name: of it.
        columns: their names, in order.
        integers, floats: those of them that hold numbers.
    """

    schema: str
    name: str
    columns: tuple[str, ...]
    integers: frozenset[str]
    floats: frozenset[str]


class Dump:
    """One dump, read from its beginning to its end.

    Args:
        path: of the file.
        progress: called with the bytes read.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._progress = progress
        self._line = 0
        self._schema = ""
        self._tables: dict[tuple[str, str], Table] = {}
        self._is_open = False  # whether a transaction is

    def records(self, wanted: Callable[[Table], bool]) -> Iterator[tuple[Table, list[list[str | None]]]]:
        """Records, some of a table at a time.

        Args:
            wanted: whether those of a table are; of the others it is only looked whether they are there.

        Raises:
            ImportSourceError: the file is cut off, or no such dump.
        """
        with self._path.open("rb") as stream:
            while line := stream.readline():
                self._line += 1
                text = self._decoded(line)
                copy = _COPY.match(text)
                if copy:
                    yield from self._copied(copy, stream, wanted)
                    self._expect_statement(stream)
                else:
                    self._take_statement(text, stream)
        if self._is_open:
            raise self._error("it ends within a transaction, so it is cut off; expected COMMIT at its end")
        self._progress(self._size, self._size)

    def _take_statement(self, text: str, stream: IO[bytes]) -> None:
        """Note what a line that holds no record means for those that follow."""
        word = text.strip().rstrip(";").upper()
        if word in {"START TRANSACTION", "COMMIT"}:
            self._is_open = word != "COMMIT"
        elif found := _SET_SCHEMA.match(text):
            self._schema = _name(found[1], found[2])
        elif found := _CREATE.match(text):
            self._define(found, stream)
        elif _INSERT.match(text):
            raise self._error("it holds INSERT statements; make the dump without --inserts, so that it holds COPY")

    def _define(self, found: re.Match[str], stream: IO[bytes]) -> None:
        """Take in the columns of a table."""
        rest, columns = found.string[found.end() :], []
        while True:
            column = _COLUMN.match(rest)
            if column and rest.split()[0].upper() not in _NO_COLUMNS:
                columns.append((_name(column[1], column[2]), column[3].upper()))
            if rest.rstrip().endswith(");"):
                break
            line = stream.readline()
            if not line:
                raise self._error(f"it ends within the definition of table {_name(found[3], found[4])!r}")
            self._line += 1
            rest = self._decoded(line)
        schema = _name(found[1], found[2]) or self._schema
        name = _name(found[3], found[4])
        integers, floats = (
            frozenset(column for column, kind in columns if kind in kinds) for kinds in (_INTEGER_TYPES, _FLOAT_TYPES)
        )
        self._tables[schema, name] = Table(schema, name, tuple(column for column, _ in columns), integers, floats)

    def _copied(
        self, copy: re.Match[str], stream: IO[bytes], wanted: Callable[[Table], bool]
    ) -> Iterator[tuple[Table, list[list[str | None]]]]:
        """The records that follow a COPY."""
        num_records, schema, name = int(copy[1]), _name(copy[2], copy[3]) or self._schema, _name(copy[4], copy[5])
        table = self._tables.get((schema, name))
        if table is None:
            raise self._error(f"records of table {name!r} of schema {schema!r} come without its CREATE TABLE")
        if copy[6]:
            listed = tuple(_name(*one) for one in re.findall(_NAME, copy[6]))
            table = Table(table.schema, table.name, listed, table.integers, table.floats)
        delimiter = self._delimiter(copy[7])
        done, is_wanted = 0, wanted(table)
        while done < num_records:
            lines = list(itertools.islice(stream, min(_LINES, num_records - done)))
            if not lines or not lines[-1].endswith(b"\n"):
                whole = done + len(lines) - bool(lines)
                raise self._error(
                    f"it is cut off: of table {name!r} it has {whole} whole records; expected {num_records}", len(lines)
                )
            if is_wanted:
                yield table, self._parsed(lines, table, delimiter)
            done += len(lines)
            self._line += len(lines)
            self._progress(stream.tell(), self._size)

    def _delimiter(self, clause: str) -> str:
        found = _DELIMITERS.search(clause)
        if found is None:
            return "|"
        delimiter = _unescaped(found[1])
        if len(delimiter) != 1 or _unescaped(found[2]) != "\n" or (found[3] or '"') != '"':
            raise self._error(f"it uses the delimiters {found[0]!r}; expected one character, '\\n' and '\"'")
        return delimiter

    def _parsed(self, lines: list[bytes], table: Table, delimiter: str) -> list[list[str | None]]:
        """The fields of records, in C unless escapes or a quoted NULL have to be looked at."""
        texts = [self._decoded(line, number) for number, line in enumerate(lines, 1)]
        joined = "".join(texts)
        records = None if "\\" in joined or '"NULL"' in joined else _split(texts, delimiter)
        if records is None:
            records = [self._fields(text, delimiter, number) for number, text in enumerate(texts, 1)]
        for number, record in enumerate(records, 1):
            if len(record) != len(table.columns):
                raise self._error(
                    f"a record of table {table.name!r} has {len(record)} fields; expected {len(table.columns)}", number
                )
        return records

    def _fields(self, text: str, delimiter: str, number: int) -> list[str | None]:
        pattern = _field_pattern(delimiter)
        fields: list[str | None] = []
        begin, text = 0, text.rstrip("\r\n")
        while True:
            found = pattern.match(text, begin)
            if found is None or (found.end() < len(text) and text[found.end()] != delimiter):
                raise self._error(f"field {len(fields) + 1} of a record is torn: {text[begin : begin + 40]!r}", number)
            quoted, bare = found[1], found[2]
            if quoted is not None:
                fields.append(_unescaped(quoted.replace('""', '"')))
            else:
                fields.append(None if bare.strip() == "NULL" else bare)
            if found.end() >= len(text):
                return fields
            begin = found.end() + 1

    def _expect_statement(self, stream: IO[bytes]) -> None:
        """Refuse a record more than COPY counts."""
        following = stream.peek(80)[:80]  # type: ignore[attr-defined]
        if _NO_STATEMENT.match(following.decode("utf-8", "replace")):
            shown = following[:40]
            raise self._error(f"COPY counts another number of records than there are; expected SQL, not {shown!r}", 1)

    def _decoded(self, line: bytes, further: int = 0) -> str:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            shown = line[max(0, error.start - 10) : error.start + 10]
            raise self._error(f"it is not in UTF-8: {shown!r}; convert it first, with iconv", further) from None

    def _error(self, what: str, further: int = 0) -> ImportSourceError:
        return ImportSourceError(self._path, f"line {self._line + further}: {what}")


def _split(texts: list[str], delimiter: str) -> list[list[str | None]] | None:
    """The fields of records without escapes; `None` where they have to be looked at one by one."""
    reader = csv.reader(texts, delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True)
    try:
        records: list[list[str | None]] = [[None if cell == "NULL" else cell for cell in cells] for cells in reader]
    except csv.Error:
        return None
    return records if len(records) == len(texts) else None


def _name(quoted: str | None, bare: str | None) -> str:
    """An identifier; one without quotes is in lower case, as MonetDB takes it."""
    return quoted.replace('""', '"') if quoted else (bare or "").lower()


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)) if found[1] else _ESCAPED.get(found[2], found[2]), text)


def _field_pattern(delimiter: str) -> re.Pattern[str]:
    blank = r"\s*" if delimiter != "\t" else " *"
    return re.compile(_FIELD.replace("{delimiter}", re.escape(delimiter)).replace(r"\s*", blank))
