"""The few places where SQL is not the same on both engines, and how values are written into it.

A CROSS JOIN with its condition under WHERE is a JOIN of which SQLite keeps the order: it looks up the rows of the few
runs that are asked for, where it might read a large table from end to end.

Everything else in `questions` is SQL that SQLite 3.40 and PostgreSQL 15 both take. For PostgreSQL, `seconds_between`
is EXTRACT(EPOCH FROM ...) and `TEXT_LIST` is string_agg.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dnnprov.errors import UsageError
from dnnprov.model.values import non_finite_name

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_LIST = "group_concat"
"""Aggregate that joins texts, in the order of a window, or of the subquery that they come from, on both engines."""

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b")


def seconds_between(earlier: str, later: str) -> str:
    """SQL for the seconds from one time to another, both ISO 8601 texts, to the millisecond."""
    return f"ROUND((julianday({later}) - julianday({earlier})) * 86400.0, 3)"


def literal(value: Any) -> str:
    """A value as an SQL literal, whatever it holds.

    Example:
        >>> literal("it's"), literal(None), literal(0.1), literal(float("inf"))
        ("'it''s'", 'NULL', '0.1', "'Infinity'")
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and non_finite_name(value) is None:
        return repr(value)
    text = non_finite_name(value) if isinstance(value, float) else str(value)
    return "'" + str(text).replace("'", "''") + "'"


def with_literals(sql: str, parameters: Mapping[str, Any]) -> str:
    """The statement with its named parameters written in, fit to be pasted into a database shell.

    A value is put in once and not looked at again, so that one which reads `:run` stays what it is.
    """
    return _PARAMETER.sub(lambda found: literal(parameters[found[1]]), sql.strip())


def storable_text(text: str) -> str:
    """The text as the recorder would have stored it: bytes of a command line that are no UTF-8 are written out.

    Raises:
        UsageError: it is no text.
    """
    if not isinstance(text, str):
        raise UsageError(f"{text!r} is a {type(text).__name__}; expected text")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def mentions(alias: str, column: str) -> str:
    """SQL: whether the value of a column is not finite, of a data-set table under an alias.

    `non_finite` is a JSON object of column names, which are a-z, 0-9 and _, so that its text can be searched.
    """
    escaped = column.replace("_", r"\_")
    return rf"""COALESCE({alias}.non_finite, '') LIKE '%"{escaped}":%' ESCAPE '\'"""
