"""Which run a process records into, and as which rank: all processes of a launch find the same without a word.

The uid of a run follows from what its launcher told all processes, the dataflow, and how many runs of it this process
started before. So all ranks have to start their runs of a dataflow in the same order. A process that nobody launched
begins with something random instead.

Where a launcher says no more than the last time (two `srun` of a script that trains one model after the other), the
journals that this rank left tell which run is the next.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.capture.launcher import RANK_VARIABLE, RANKS_VARIABLE, RUN_VARIABLE, find_launch, tell_children
from dnnprov.capture.user_warning import warn_user
from dnnprov.errors import JournalError
from dnnprov.journal.reader import is_process_gone, read_header

if TYPE_CHECKING:
    from dnnprov.capture.launch import Launch
    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.events import SegmentOpened

_READABLE = re.compile(r"(?!(?:archive|latest)$)[A-Za-z0-9][A-Za-z0-9_-]{3,63}")
"""Of a run's uid that a user gives; it names a folder beside the archive."""

_MOST_LAUNCHES = 10_000


@dataclass(frozen=True)
class RunPart:
    """What a process is to a run.

    Attributes:
        uid: of the run.
        rank: of the process.
        attempt: how many processes of this rank recorded into the run before, at least.
        launch: what the launcher said, where this process is one of several.
    """

    uid: str
    rank: int = 0
    attempt: int = 0
    launch: Launch | None = None


def find_part(folder: StoreFolder, dataflow: str) -> RunPart:
    """The run that starts now, of all ranks, and the part of this process in it; one of its own where none is known."""
    number = _counted(dataflow)
    try:
        launch = find_launch()
        tell_children(_seed, launch)
        part = _part_of(launch, folder, dataflow, number) if launch is not None else None
    except Exception as error:  # noqa: BLE001 - whatever an environment holds, the training starts (P1)
        warn_user(f"what this process was launched as could not be read: {error}; a run of its own is recorded")
        part = None
    return part or RunPart(_uid((_seed,), dataflow, number))


def find_attempt(folder: StoreFolder, uid: str, rank: int) -> int:
    """Number of the next process of a rank of a run."""
    return max((header.attempt + 1 for header in _headers(folder, uid, rank)), default=0)


def _part_of(launch: Launch, folder: StoreFolder, dataflow: str, number: int) -> RunPart | None:
    if launch.rank is None or launch.job is None:
        unknown = "what all ranks know" if launch.rank is not None else "its rank"
        warn_user(
            f"{launch.launcher} says that this process is one of several, but not {unknown}, so it records a run of its"
            f" own; to record one run, set {RUN_VARIABLE} to the same new text for all ranks and {RANK_VARIABLE} to the"
            f" number of each; {RANKS_VARIABLE}=0 keeps them apart without this warning"
        )
        return None
    uid = _uid_of(launch, folder, dataflow, number)
    headers = _headers(folder, uid, launch.rank)
    if any(is_process_gone(header) is False for header in headers):
        warn_user(
            f"rank {launch.rank} of run {uid} is recorded by another process that lives, so this one records a run of"
            f" its own; give each launch a {RUN_VARIABLE} of its own, or set {RANKS_VARIABLE}=0"
        )
        return None
    attempt = max([launch.restart_count, *(header.attempt + 1 for header in headers)])
    return RunPart(uid, launch.rank, attempt, launch)


def _uid_of(launch: Launch, folder: StoreFolder, dataflow: str, number: int) -> str:
    """The uid of the run that a launch goes on with, or else the next."""
    job = launch.job or ()
    if job[0] == RUN_VARIABLE and _READABLE.fullmatch(job[1]) and _num_runs.total() == 1:
        return job[1]
    uid = _uid(job, dataflow, number)
    for later in range(1, _MOST_LAUNCHES):
        if not folder.run_segments(uid):
            break
        another = _uid((*job, str(later)), dataflow, number)
        if launch.goes_on:
            if not folder.run_segments(another):
                break
        elif all(header.attempt < launch.restart_count for header in _headers(folder, uid, launch.rank or 0)):
            break
        uid = another
    return uid


def _headers(folder: StoreFolder, uid: str, rank: int) -> list[SegmentOpened]:
    """Opening events of what processes of a rank recorded into a run; forked children left out."""
    found = []
    for path in folder.run_segments(uid):
        if path.name.startswith(f"r{rank}-"):
            try:
                header = read_header(path)
            except (OSError, JournalError):  # archived in this moment, or not ours; ingest says so
                continue
            if header is not None and header.rank == rank and header.forked_from is None:
                found.append(header)
    return found


def _uid(job: tuple[str, ...], dataflow: str, number: int) -> str:
    told = "\0".join((*job, dataflow, str(number)))
    return hashlib.sha256(told.encode("utf-8", "backslashreplace")).hexdigest()[:16]


_seed = secrets.token_hex(16)
_num_runs: Counter[str] = Counter()
"""By dataflow: runs that this process started."""


def _counted(dataflow: str) -> int:
    _num_runs[dataflow] += 1
    return _num_runs[dataflow]


def _after_fork_in_child() -> None:
    global _seed  # noqa: PLW0603 - of the process
    _seed = secrets.token_hex(16)
    _num_runs.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
