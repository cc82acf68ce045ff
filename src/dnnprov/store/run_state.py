"""The state of a run, which follows from the states of its ranks, whichever was taken in first.

A run runs while any rank does, and is finished when all are. Else it is what the worst of them is, and its reason says
which ranks ended otherwise than well, and when; while others go on, it says so already. Where a run went on with fewer
ranks, those that were over by then do not count any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_WORST_FIRST = ("failed", "crashed", "interrupted", "stopped", "pruned")
"""What somebody said weighs more than a silence, since a launcher ends all others when one rank fails."""

_SHOWN = 2
"""Ranks that are named of those that said how they ended, and of those that did not."""

_RANKS = """
SELECT k.rank, k.status, k.ended_at, k.exit_reason, k.host, k.attempt, k.started_at, k.heartbeat_at
FROM run_rank AS k WHERE k.run_id = ? ORDER BY k.rank"""


_COUNTS = """
SELECT COUNT(*), COUNT(*) FILTER (WHERE k.status = 'running'),
       COUNT(*) FILTER (WHERE k.status NOT IN ('running', 'finished')),
       EXISTS (SELECT 1 FROM process AS p WHERE p.run_id = :run_id AND p.rank = 0 AND p.attempt > 0)
FROM rank_state AS k WHERE k.run_id = :run_id"""


@dataclass(frozen=True)
class _Rank:
    """A rank and how it does; host and times are of its latest process."""

    rank: int
    status: str
    ended_at: str | None
    reason: str | None
    host: str | None
    attempt: int | None
    started_at: str | None
    heartbeat_at: str | None


def settle_run(connection: sqlite3.Connection, run_id: int) -> None:
    """Write the state of a run that follows from its ranks."""
    num_ranks, num_running, num_bad, is_resumed = connection.execute(_COUNTS, {"run_id": run_id}).fetchone()
    if num_ranks == 1:
        connection.execute(
            "UPDATE run SET (status, ended_at, exit_reason) ="
            " (SELECT k.status, k.ended_at, k.exit_reason FROM rank_state AS k WHERE k.run_id = run.run_id)"
            " WHERE run_id = ?",
            (run_id,),
        )
        return
    if num_running and not num_bad and not is_resumed:  # as nearly always, whatever comes of many ranks
        connection.execute(
            "UPDATE run SET status = 'running', ended_at = NULL, exit_reason = NULL WHERE run_id = ?", (run_id,)
        )
        return
    ranks = _counted([_Rank(*row) for row in connection.execute(_RANKS, (run_id,)).fetchall()])
    connection.execute(
        "UPDATE run SET status = ?, ended_at = ?, exit_reason = ? WHERE run_id = ?", (*_state(ranks), run_id)
    )


def _counted(ranks: list[_Rank]) -> list[_Rank]:
    """Those that take part in what the run is now."""
    first = ranks[0]
    if not first.attempt or first.started_at is None:
        return ranks
    return [one for one in ranks if (one.attempt or 0) >= first.attempt or (one.heartbeat_at or "") >= first.started_at]


def _state(ranks: list[_Rank]) -> tuple[str, str | None, str | None]:
    """Status, end and reason."""
    bad = [one for one in ranks if one.status not in {"running", "finished"}]
    is_running = any(one.status == "running" for one in ranks)
    ended_at = None if is_running else max((one.ended_at or "" for one in ranks), default="") or None
    if not bad:
        return "running" if is_running else "finished", ended_at, None
    status = min((one.status for one in bad), key=_WORST_FIRST.index)
    alike = {(one.status, one.reason) for one in bad}
    if len(bad) == len(ranks) and len(alike) == 1 and status != "crashed":
        return status, ended_at, bad[0].reason
    return "running" if is_running else status, ended_at, _told(bad)


def _told(bad: list[_Rank]) -> str:
    """Which ranks ended otherwise than well, those first that said so."""
    said = _in_order([one for one in bad if one.status != "crashed"])
    silent = _in_order([one for one in bad if one.status == "crashed"])
    shown = [*said[:_SHOWN], *silent[:_SHOWN]]
    words = [_words(one) for one in shown]
    if len(bad) > len(shown):
        words.append(f"and {len(bad) - len(shown)} more")
    return "; ".join(words)


def _in_order(ranks: Sequence[_Rank]) -> list[_Rank]:
    return sorted(ranks, key=lambda one: (one.ended_at or "", one.rank))


def _words(one: _Rank) -> str:
    name = f"rank {one.rank}" + (f" on {one.host}" if one.host else "")
    if one.status == "crashed":
        if one.started_at is None:
            return f"{name} died: {one.reason}"
        return f"{name} died at {one.ended_at} or soon after: {one.reason}"
    return f"{name} {one.status} at {one.ended_at}" + (f": {one.reason}" if one.reason else "")
