"""Takes trainings of other systems into a store: all that a source tells of, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from dnnprov.importers.imported_run import SourceServer
from dnnprov.journal.staging import Staging
from dnnprov.model.events import (
    FORMAT_VERSION,
    EnvironmentRecorded,
    FileHashed,
    FileRecorded,
    RunEnded,
    RunStarted,
    SegmentOpened,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from dnnprov.importers.imported_run import ImportedRun, Source
    from dnnprov.journal.folder import StoreFolder
    from dnnprov.journal.staging import StagedSegment

ROLE = "import source"
"""Of the file that a run was imported from."""

_PROCESS = "import"


@dataclass(frozen=True)
class ImportedRuns:
    """What an import did.

    Attributes:
        new: uids of the runs that came in.
        known: uids of those that the store had.
        num_events: of the new ones.
    """

    new: list[str]
    known: list[str]
    num_events: int


def import_runs(folder: StoreFolder, read: Callable[[Path], Iterable[ImportedRun]]) -> ImportedRuns:
    """Import what a source tells of, unless the store has it.

    Args:
        folder: of the store; made where it is missing.
        read: the trainings of the source; given a folder for what it has to keep meanwhile.

    Raises:
        ImportSourceError: the source cannot be taken for what it should be; then the store is as it was.
        OSError: the store cannot be written; likewise.
    """
    staged: list[str] = []
    known: list[str] = []
    num_events = 0
    with Staging(folder) as staging:
        for run in read(staging.place):
            uid = run.uid
            if uid in staged or folder.run_segments(uid):
                known.append(uid)
                continue
            segment = staging.open(SegmentOpened(format=FORMAT_VERSION, run=uid, process=_PROCESS, at=run.started_at))
            _tell(run, segment, folder)
            staged.append(uid)
            num_events += segment.num_events
        new = staging.publish() if staged else []
    return ImportedRuns(new, known + [uid for uid in staged if uid not in new], num_events)


def _tell(run: ImportedRun, segment: StagedSegment, folder: StoreFolder) -> None:
    """Write the whole segment of a run."""
    if run.name is None:
        name = folder.default_run_name(run.dataflow)
    else:
        name = run.name
        folder.reserve_run_name(run.dataflow, name)
    tags = {"imported_from": run.tool, **run.tags}
    segment.append(
        RunStarted(
            dataflow=run.dataflow, name=name, tags=tags, parent=run.parent, program=run.program, at=run.started_at
        )
    )
    importer, ours = f"dnnprov import {run.command}", version("dnnprov")
    frameworks = {importer: ours, run.tool: ""}
    segment.append(EnvironmentRecorded(software=ours, frameworks=frameworks, **run.environment))
    for source in run.sources:
        _tell_source(source, segment)
    run.record(segment)
    segment.append(RunEnded(status=run.status, reason=run.reason, at=run.ended_at))
    segment.close()


def _tell_source(source: Source, segment: StagedSegment) -> None:
    if isinstance(source, SourceServer):
        number = segment.append(FileRecorded(path=source.address, relation="used", role=ROLE))
        segment.append(FileHashed(file=number, reason="it is a server, whose content changes"))
        return
    number = segment.append(
        FileRecorded(path=str(source.path), relation="used", role=ROLE, size=source.size, modified=source.modified)
    )
    segment.append(FileHashed(file=number, sha256=source.sha256))
