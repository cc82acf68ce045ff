"""From a statement to a result: runs the SQL and gives every value that was not finite its place back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dnnprov.analysis.questions.sql_text import with_literals
from dnnprov.analysis.result import Result
from dnnprov.analysis.shared_values import shared_values
from dnnprov.model.values import NON_FINITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dnnprov.analysis.questions.base import Statement
    from dnnprov.store.base import Store


def answer(store: Store, statement: Statement, notes: Iterable[str] = ()) -> Result:
    """Run a statement of ours.

    Args:
        store: that is asked.
        statement: what to run; its `non_finite` column, where it has one, does not show in the answer.
        notes: for the result.
    """
    columns, rows = store.read(statement.sql, statement.parameters)
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    if statement.non_finite:
        columns.remove("non_finite")
        for row in found:
            put_back(row, row.pop("non_finite"), statement.non_finite)
    absent = {column for column in statement.optional if all(row[column] is None for row in found)}
    shown = [column for column in columns if column not in absent]
    cells = [[row[column] for column in shown] for row in found]
    shared = shared_values(found, (name for name in shown if name in statement.optional))
    return Result(shown, cells, with_literals(statement.sql, statement.parameters), notes, shared=shared)


def put_back(row: dict[str, Any], non_finite: str | None, places: Mapping[str, str] | None = None) -> None:
    """Write NaN and infinities where a row has NULL for them.

    Args:
        row: changed in place.
        non_finite: NaN | Infinity | -Infinity, or JSON: column of the data set -> one of them.
        places: column of the data set -> column of the row; the same name where it is left out.
    """
    if not non_finite:
        return
    is_name = non_finite in NON_FINITE
    names = dict.fromkeys(places or row, non_finite) if is_name else json.loads(non_finite)
    for column, name in names.items():
        place = places.get(column) if places is not None else column
        if place in row and name in NON_FINITE:
            row[place] = NON_FINITE[name]
