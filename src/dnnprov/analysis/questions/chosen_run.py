"""The run that a question about one run means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnnprov.analysis.questions.base import Arguments


def chosen_run(arguments: Arguments, condition: str = "") -> str:
    """A common table expression `chosen` of one row: the named run, else the one of the dataflow started last.

    Args:
        arguments: of the question; `run` is a uid or `None`.
        condition: that the run must meet where none is named, SQL over `r`.
    """
    if arguments["run"] is not None:
        rows = "FROM run AS r WHERE r.uid = :run"
    else:
        wanted = f" AND {condition}" if condition else ""
        rows = f"""FROM run AS r JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id
    WHERE d.tag = :dataflow{wanted}
    ORDER BY r.started_at DESC NULLS LAST, r.run_id DESC LIMIT 1"""
    return f"""chosen AS (
    SELECT r.run_id, COALESCE(r.name, r.uid) AS run, r.started_at
    {rows}
)"""


def run_parameters(arguments: Arguments) -> dict[str, object]:
    """The parameters that `chosen` names."""
    name = "dataflow" if arguments["run"] is None else "run"
    return {name: arguments[name]}
