"""The ranks of runs that several processes recorded, and which of them ended otherwise than well."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dnnprov.analysis.result import Row
    from dnnprov.store.base import Store

_SHOWN = 5

_COLUMNS = (
    "rank",
    "host",
    "pid",
    "device",
    "attempt",
    "status",
    "started_at",
    "ended_at",
    "heartbeat_at",
    "exit_reason",
)

_RANKS = f"""
SELECT {", ".join(f"k.{column}" for column in _COLUMNS)} FROM run_rank AS k WHERE k.run_id = :run_id ORDER BY k.rank"""

_LOST = """
SELECT r.run_id, COALESCE(r.name, r.uid) AS name, r.exit_reason FROM run AS r
WHERE r.run_id IN (SELECT k.run_id FROM rank_state AS k WHERE k.rank > 0) AND r.run_id IN (
    SELECT k.run_id FROM rank_state AS k WHERE k.status IN ('failed', 'crashed')) AND r.exit_reason IS NOT NULL
ORDER BY r.started_at DESC NULLS LAST, r.run_id DESC"""


def ranks_of(store: Store, run_id: int) -> list[Row]:
    """The ranks of a run; none where one process recorded it."""
    found = [dict(zip(_COLUMNS, row, strict=True)) for row in store.read(_RANKS, {"run_id": run_id})[1]]
    return found if len(found) > 1 else []


def lost_ranks(store: Store) -> list[tuple[int, str, str]]:
    """Key and name of each run with a rank that failed or crashed, and which it was and when; the latest run first."""
    return [(int(run_id), str(name), str(reason)) for run_id, name, reason in store.read(_LOST, {})[1]]


def rank_notes(store: Store, run_ids: Collection[int]) -> Sequence[str]:
    """A line for each of some runs with a rank that failed or crashed, at most a few."""
    lost = [f"run {name}: {reason}" for run_id, name, reason in lost_ranks(store) if run_id in run_ids]
    more = len(lost) - _SHOWN
    if more > 0:
        return [*lost[:_SHOWN], f"ranks of {more} more runs failed or crashed; `dnnprov show RUN` tells which"]
    return lost
