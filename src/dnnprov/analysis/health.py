"""The state of a store: what is in it, what could not be recorded or taken in, and what each problem means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.analysis.ranks import lost_ranks
from dnnprov.analysis.store_state import StoreState, examine_place, find, find_missing
from dnnprov.store.database_errors import is_damaged

if TYPE_CHECKING:
    from dnnprov.analysis.history import History
    from dnnprov.errors import StoreUnavailableError
    from dnnprov.journal.folder import StoreFolder

_SHOWN_RUNS = 5

MEANINGS: dict[str, str] = {
    "lost": "Events could not be written while the disk was full or not writable. Free space; they cannot be had back.",
    "journal_deleted": "A journal was deleted while it was written; what was not in the database by then is lost."
    " Restore it from a copy, then run dnnprov rebuild.",
    "not_synced": "The disk reported an error when a journal was to be made durable; some may be lost. Check the disk.",
    "corrupt_line": "A line of a journal is damaged and was set aside. Check the disk; restore the journal from a copy,"
    " then run dnnprov rebuild.",
    "missing_events": "A journal lacks events in its middle. It was edited or damaged; restore it from a copy, then run"
    " dnnprov rebuild.",
    "journal_truncated": "A journal was emptied or cut off before it was closed. What the database has of it stays."
    " Restore it from a copy, then run dnnprov rebuild; not before.",
    "event_not_taken": "An event could not be stored and was set aside. Please report it with the detail.",
    "damaged_archive": "A compressed journal is cut off or damaged; what came before is in. Restore it from a copy,"
    " then run dnnprov rebuild.",
    "repeated_event": "Lines of a journal stand there again; each event is in once. Check what copied or edited it.",
    "mended_event": "An event said an impossible number or time, and got that of its neighbour. Check the disk.",
    "refused_segment": "A file in the journal folder is no journal of this version, and was left alone. Move it away,"
    " or upgrade; then run dnnprov rebuild.",
    "capture_failure": "A hook failed while it recorded; the training went on. Please report it with the detail.",
    "torn_event": "A journal ends in mid-event: its process was killed, or the disk full, in a write. Nothing to do.",
    "value_does_not_fit": "A value did not fit its column; it is kept in <column>_text or in the detail. Log one type.",
    "conflicting_hyperparameter": "A hyperparameter was given with another value than the framework has.",
    "dataflow_changed": "A run was resumed as one of another dataflow; it stays what it was. Start a new run instead.",
    "file_missing": "A file that was to be recorded was not there. Record it after it is written.",
    "unknown_status": "finish() or end() was called with a status that does not exist; finished was recorded.",
    "not_a_task": "A task was to depend on what is no task of its run, or too late; that dependency is not recorded.",
    "misused_call": "A call that raises before a training was made during one; what could be kept of it was.",
    "degraded": "A part of recording could not be started or read; the events are in. See the detail.",
    "not_imported": "A part of what was imported was left out, or is kept otherwise. The source still has it.",
    "not_extracted": "A client of the server declared an extractor of raw data; raw data are not extracted.",
    "unknown_hyperparameter": "A hyperparameter that provenance() names was found nowhere. Give its value by keyword.",
}
"""Kind of problem -> what it means and what to do."""

LOSSES = frozenset(
    {
        "lost",
        "journal_deleted",
        "not_synced",
        "corrupt_line",
        "missing_events",
        "journal_truncated",
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
        num_events: how many events are lost, where they were counted.
        meaning: what it means and what to do.
        latest: detail of the latest one.
        run: name of its run.
        runs: names of the runs that have some, the latest first, at most five.
        num_runs: how many they are.
    """

    kind: str
    count: int
    is_loss: bool
    num_events: int | None
    meaning: str
    latest: str
    run: str | None
    runs: list[str]
    num_runs: int


@dataclass(frozen=True)
class Health:
    """The state of a store.

    Attributes:
        state: of the store as a place.
        schema_version: of its database; `None` where that cannot be opened.
        runs: status -> number of runs.
        problems: by kind, losses first.
        is_lossy: whether something that was recorded, or was to be, is not in the database.
        notes: for stderr.
    """

    state: StoreState
    schema_version: int | None
    runs: dict[str, int]
    problems: list[ProblemCount]
    is_lossy: bool
    notes: list[str]


def examine(history: History) -> Health:
    """Look at a store, after taking in what is new."""
    notes = history.catch_up()
    state = examine_place(history.folder)
    taken_in = {row["segment"]: row["state"] for row in history.query("SELECT segment, state FROM journal_position")}
    state.findings.extend(find_missing(history.folder, taken_in))
    unreadable = history.store.unreadable
    if unreadable:
        state.findings.append(
            find("unreadable_journals", f"{len(unreadable)} journals cannot be read, the first: {unreadable[0]}")
        )
        notes = []
    lost = lost_ranks(history.store)
    if lost:
        (_, name, reason), number = lost[0], len(lost)
        state.findings.append(
            find("ranks_lost", f"in {number} runs ranks failed or crashed, the latest {name}: {reason}")
        )
    counts = history.query("SELECT status, COUNT(*) AS num_runs FROM run GROUP BY status ORDER BY status")
    problems = _problems(history)
    return Health(
        state=state,
        schema_version=history.query("SELECT version FROM schema_version")[0]["version"],
        runs={row["status"]: row["num_runs"] for row in counts},
        problems=problems,
        is_lossy=any(problem.is_loss for problem in problems) or any(finding.is_loss for finding in state.findings),
        notes=notes,
    )


def examine_unopened(folder: StoreFolder, error: StoreUnavailableError) -> Health:
    """Look at a store whose database cannot be opened.

    Args:
        folder: of the store.
        error: that came of it.
    """
    state = examine_place(folder)
    damaged = error.__cause__ is not None and is_damaged(error.__cause__)
    state.findings.append(find("damaged_database" if damaged else "no_database", str(error)))
    return Health(state, None, {}, [], is_lossy=True, notes=[])


def _problems(history: History) -> list[ProblemCount]:
    found: dict[str, list[tuple[str, str | None]]] = {}
    for row in history.query(
        "SELECT p.kind AS kind, p.detail AS detail, r.name AS name FROM problem AS p"
        " LEFT JOIN run AS r ON r.run_id = p.run_id ORDER BY p.problem_id DESC"
    ):
        found.setdefault(row["kind"], []).append((row["detail"], row["name"]))
    problems = [_counted(kind, details) for kind, details in found.items()]
    return sorted(problems, key=lambda problem: (not problem.is_loss, problem.kind))


def _counted(kind: str, found: list[tuple[str, str | None]]) -> ProblemCount:
    """Problems of one kind, the latest first."""
    runs = list(dict.fromkeys(name for _, name in found if name is not None))
    (latest, run) = found[0]
    return ProblemCount(
        kind=kind,
        count=len(found),
        is_loss=kind in LOSSES,
        num_events=_num_events(kind, [detail for detail, _ in found]),
        meaning=MEANINGS.get(kind, "See the detail."),
        latest=latest,
        run=run,
        runs=runs[:_SHOWN_RUNS],
        num_runs=len(runs),
    )


def _num_events(kind: str, details: list[str]) -> int | None:
    """How many events the details of a kind say to be lost."""
    if kind == "lost":
        return sum(int(number[1]) for detail in details if (number := re.match(r"(\d+) events", detail)))
    if kind == "missing_events":
        ranges = (re.match(r"events (\d+) to (\d+)", detail) for detail in details)
        return sum(int(one[2]) - int(one[1]) + 1 for one in ranges if one)
    return len(details) if kind in {"corrupt_line", "event_not_taken"} else None
