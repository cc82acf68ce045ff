"""The state of a store: what is in it, what could not be recorded or taken in, and what each problem means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dnnprov.analysis.history import History

MEANINGS: dict[str, str] = {
    "lost": "Events could not be written while the disk was full or not writable. Free space; they cannot be had back.",
    "corrupt_line": "A line of a journal is damaged and was set aside. Check the disk; restore the journal.",
    "missing_events": "A journal lacks events in its middle. It was edited or damaged; restore it from a copy.",
    "event_not_taken": "An event could not be stored and was set aside. Please report it with the detail.",
    "damaged_archive": "A compressed journal is cut off or damaged; what came before is in. Restore it from a copy.",
    "mended_event": "An event said an impossible number or time, and got that of its neighbour. Check the disk.",
    "refused_segment": "A file in the journal folder is no journal of this version, and was left alone.",
    "capture_failure": "A hook failed while it recorded; the training went on. Please report it with the detail.",
    "torn_event": "A process was killed in the middle of a write; the call had not returned. Nothing to do.",
    "value_does_not_fit": "A value did not fit its column; it is kept in <column>_text or in the detail. Log one type.",
    "conflicting_hyperparameter": "A hyperparameter was given with another value than the framework has.",
    "dataflow_changed": "A run was resumed as one of another dataflow; it stays what it was. Start a new run instead.",
    "file_missing": "A file that was to be recorded was not there. Record it after it is written.",
    "unknown_status": "finish() or end() was called with a status that does not exist; finished was recorded.",
    "not_a_task": "A task was to depend on what is no task of its run, or too late; that dependency is not recorded.",
    "misused_call": "A call that raises before a training was made during one; what could be kept of it was.",
    "unknown_hyperparameter": "A hyperparameter that provenance() names was found nowhere. Give its value by keyword.",
}
"""Kind of problem -> what it means and what to do."""

LOSSES = frozenset(
    {
        "lost",
        "corrupt_line",
        "missing_events",
        "event_not_taken",
        "damaged_archive",
        "refused_segment",
        "capture_failure",
    }
)
"""Kinds that mean that something which was recorded, or was to be, is not in the database."""


@dataclass(frozen=True)
class ProblemCount:
    """All problems of one kind.

    Attributes:
        kind: as in `problem.kind`.
        count: how many.
        is_loss: whether something is lost.
        meaning: what it means and what to do.
        latest: detail of the latest one.
        run: name of its run.
    """

    kind: str
    count: int
    is_loss: bool
    meaning: str
    latest: str
    run: str | None


@dataclass(frozen=True)
class Health:
    """The state of a store.

    Attributes:
        place: of the store.
        schema_version: of its database.
        database_bytes, journal_bytes: on disk.
        runs: status -> number of runs.
        problems: by kind, losses first.
        is_lossy: whether something is lost.
        notes: for stderr.
    """

    place: str
    schema_version: int
    database_bytes: int
    journal_bytes: int
    runs: dict[str, int]
    problems: list[ProblemCount]
    is_lossy: bool
    notes: list[str]


def examine(history: History) -> Health:
    """Look at a store, after taking in what is new."""
    notes = history.catch_up()
    folder = history.folder
    counts = history.query("SELECT status, COUNT(*) AS num_runs FROM run GROUP BY status ORDER BY status")
    problems = [
        ProblemCount(
            row["kind"],
            row["num_problems"],
            row["kind"] in LOSSES,
            MEANINGS.get(row["kind"], "See the detail."),
            row["detail"],
            row["name"],
        )
        for row in history.query(
            "SELECT p.kind AS kind, n.num_problems AS num_problems, p.detail AS detail, r.name AS name"
            " FROM (SELECT kind, COUNT(*) AS num_problems, MAX(problem_id) AS latest FROM problem GROUP BY kind) AS n"
            " JOIN problem AS p ON p.problem_id = n.latest LEFT JOIN run AS r ON r.run_id = p.run_id ORDER BY p.kind"
        )
    ]
    problems.sort(key=lambda problem: (not problem.is_loss, problem.kind))
    return Health(
        place=str(folder.path),
        schema_version=history.query("SELECT version FROM schema_version")[0]["version"],
        database_bytes=_num_bytes(folder.path.glob("provenance.db*")),
        journal_bytes=_num_bytes(folder.journal.rglob("*.jsonl*")),
        runs={row["status"]: row["num_runs"] for row in counts},
        problems=problems,
        is_lossy=any(problem.is_loss for problem in problems),
        notes=notes,
    )


def _num_bytes(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except OSError:  # archived in this moment
            continue
    return total
