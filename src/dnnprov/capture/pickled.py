"""A run in a process that was spawned, not forked: it comes along with the arguments, pickled.

There it records into the same run, from a segment of its own, and its end ends nobody's run: as in a forked child. A
pickle that outlives the process of its run, in a checkpoint say, records nothing: that run is over.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from dnnprov.capture.current_runs import open_runs
from dnnprov.capture.disabled_recorder import DisabledRecorder
from dnnprov.capture.recorder import Recorder
from dnnprov.capture.user_warning import warn_user
from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.reader import is_process_gone, machine_boot, process_started
from dnnprov.model.events import FORMAT_VERSION, SegmentOpened

if TYPE_CHECKING:
    from dnnprov.capture.run import Run

_known: WeakValueDictionary[str, Run] = WeakValueDictionary()
"""Runs that were pickled or restored here, by uid: what comes back is the same object."""


@dataclass(frozen=True)
class PickledRun:
    """What a run is known by elsewhere.

    Attributes:
        store: folder of the store.
        dataflow, name: of the run.
        is_disabled: whether nothing of it is recorded.
        header: opening event of the process that pickled it.
        next_step: that `log` would have counted.
    """

    store: str
    dataflow: str
    name: str
    is_disabled: bool
    header: SegmentOpened
    next_step: int


def pickle_run(run: Run, next_step: int) -> PickledRun:
    """What another process needs to record into a run."""
    _known[run.uid] = run
    recorder = run.recorder
    header = SegmentOpened(
        format=FORMAT_VERSION,
        run=run.uid,
        process=recorder.process,
        rank=recorder.rank,
        attempt=recorder.attempt,
        pid=os.getpid(),
        started=process_started(os.getpid()),
        boot=machine_boot(),
    )
    is_disabled = isinstance(recorder, DisabledRecorder)
    return PickledRun(str(recorder.folder.path), run.dataflow, run.name, is_disabled, header, next_step)


def restore_run(pickled: PickledRun) -> Run:
    """The run that was pickled here, or one that records into it from this process."""
    from dnnprov.capture.run import Run  # noqa: PLC0415 - it pickles itself with this module

    header = pickled.header
    known = _known.get(header.run)
    if known is not None:
        return known
    is_over = is_process_gone(header) is True
    if is_over and not pickled.is_disabled:
        warn_user(f"run {header.run} was pickled by a process that has ended; nothing is recorded into it from here")
    kind = DisabledRecorder if is_over or pickled.is_disabled else Recorder
    recorder = kind(StoreFolder(Path(pickled.store)), header.run, header.rank, header.attempt)
    recorder.process = header.process
    recorder.become_child()
    run = Run(recorder, pickled.dataflow, pickled.name, process_id=header.pid, next_step=pickled.next_step)
    _known[run.uid] = run
    open_runs.add(run)
    return run
