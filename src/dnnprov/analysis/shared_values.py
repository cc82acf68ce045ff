"""Which hyperparameters a table of runs need not show in a column of their own.

A Keras training tells some twenty hyperparameters. In a table, those of the paper stand always, the others where runs
differ in them; what is the same in all rows is said once, in a line below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.model.training import SETS
from dnnprov.model.values import same_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dnnprov.analysis.result import Row

_ALWAYS_SHOWN = frozenset(SETS["itrainingmodel"].attributes)


def shared_values(rows: Sequence[Row], hyperparameters: Iterable[str]) -> dict[str, Any]:
    """Hyperparameter -> value, for those that are the same in all rows and that no table has to show.

    Args:
        rows: of the table.
        hyperparameters: columns to look at.
    """
    if not rows:
        return {}
    first = rows[0]
    return {
        name: first[name]
        for name in hyperparameters
        if name not in _ALWAYS_SHOWN
        and first[name] is not None
        and all(row[name] is not None and same_value(row[name], first[name]) for row in rows)
    }
