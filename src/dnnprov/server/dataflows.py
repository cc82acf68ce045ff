"""What the server tells of dataflows: all of them, or one with its transformations, data sets and runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dnnprov.analysis.history import open_history
from dnnprov.errors import DataflowNotFoundError
from dnnprov.journal.folder import StoreFolder

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

_LIST = """SELECT d.dataflow_id AS id, d.tag, d.recorded_at,
    (SELECT MAX(v.version) FROM dataflow_version AS v WHERE v.dataflow_id = d.dataflow_id) AS version,
    (SELECT COUNT(*) FROM run AS r WHERE r.dataflow_id = d.dataflow_id) AS num_runs
    FROM dataflow AS d ORDER BY d.dataflow_id"""

_SPECIFICATION = """SELECT specification FROM dataflow_version WHERE dataflow_id = ? ORDER BY version DESC LIMIT 1"""

_RUNS = """SELECT uid, name, status, started_at, ended_at FROM run WHERE dataflow_id = ? ORDER BY started_at, run_id"""


def list_dataflows(store: Path) -> list[dict[str, Any]]:
    """Each dataflow: id, tag, version, number of runs; none where nothing was recorded yet."""
    if not StoreFolder(store).exists():
        return []
    with open_history(store) as history:
        return [dict(row) for row in history.query(_LIST)]


def show_dataflow(store: Path, request: Request) -> dict[str, Any]:
    """One dataflow, by id or tag.

    Raises:
        DataflowNotFoundError: there is none.
    """
    asked = request.path_params["dataflow"]
    if not StoreFolder(store).exists():
        raise DataflowNotFoundError(asked)
    with open_history(store) as history, history.snapshot():
        known = [dict(row) for row in history.query(_LIST)]
        found = [row for row in known if row["tag"] == asked] or [row for row in known if str(row["id"]) == asked]
        if not found:
            raise DataflowNotFoundError(asked, [row["tag"] for row in known])
        (dataflow,) = found
        specification = history.query(_SPECIFICATION, (dataflow["id"],))
        runs = [dict(row) for row in history.query(_RUNS, (dataflow["id"],))]
    plan = json.loads(specification[0]["specification"]) if specification else {}
    return {**dataflow, "specification": plan, "runs": runs}
