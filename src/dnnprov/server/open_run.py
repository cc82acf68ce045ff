"""A run that clients of the server record: its journal in this process, and what was told of it so far."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dnnprov.journal.opening import process_name, signed
from dnnprov.journal.reader import machine_boot
from dnnprov.journal.run_events import read_run
from dnnprov.journal.writer import SegmentWriter
from dnnprov.model.dfanalyzer.run_posts import RunPosts
from dnnprov.model.events import (
    FORMAT_VERSION,
    REFERRING_FIELDS,
    FileHashed,
    FileRecorded,
    ProcessHeard,
    RunEnded,
    RunResumed,
    RunStarted,
    SegmentClosed,
    SegmentOpened,
)

if TYPE_CHECKING:
    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.dfanalyzer.plan import Plan
    from dnnprov.model.events import Event, Reference, Relation, RunStatus

HEARTBEAT_SECONDS = 10.0
"""As of every recorder; nine of them without a sign mean that the process is gone."""

CLIENT_TAG = "client"
"""Tag of a run that the server records; its value is `dfanalyzer`."""

EXECUTION_TAG = "exec"
"""Tag with the name that the client gave the execution."""


UNREAD_FILE = "a client of the server named it; the server does not read files"


class OpenRun:
    """The journal of one run, and its posts; used by one thread.

    Args:
        folder: of the store.
        uid: of the run.
        plan: of its dataflow.

    Attributes:
        uid: of the run.
        plan: of its dataflow.
        name: for people; empty until it is started or loaded.
        execution: name that the client gave it, or empty.
        posts: what was told of it.
    """

    def __init__(self, folder: StoreFolder, uid: str, plan: Plan) -> None:
        self.uid = uid
        self.name = ""
        self.execution = ""
        self.posts = RunPosts(plan, self)
        self._folder = folder
        self.plan = plan
        self._process = process_name()
        self._writer: SegmentWriter | None = None
        self._is_resumed = False

    def start(self, name: str, execution: str) -> None:
        """Begin a new run, or give the one that was begun for a dataflow the name of its execution.

        Raises:
            OSError: the journal cannot be written.
        """
        tags = {CLIENT_TAG: "dfanalyzer"} | ({EXECUTION_TAG: execution} if execution else {})
        self.append(RunStarted(dataflow=self.plan.tag, name=name, tags=tags))
        self.name, self.execution = name, execution

    def load(self, name: str, execution: str) -> bool:
        """Take over what this or another process recorded of the run; `False` where its journals are gone.

        That the run goes on is recorded with what comes first.

        Raises:
            OSError: the journals cannot be read.
        """
        segments = read_run(self._folder, self.uid)
        for opened, events in segments:
            for event in events:
                self.posts.replay(event, opened.process)
        self.name, self.execution, self._is_resumed = name, execution, bool(segments)
        return bool(segments)

    def end(self, status: RunStatus, reason: str | None = None) -> None:
        """The run is over, as far as is known; it may be gone on with."""
        if self._writer is not None:  # else nothing came since it was loaded
            self.append(RunEnded(status=status, reason=reason))
            self.sync()
            self._writer.close_with(SegmentClosed())

    def leave(self) -> None:
        """Let go of the journal without an end, as a process does that will go on later."""
        self.sync()
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._writer is not None:
            self._writer.close()

    def sync(self) -> None:
        """Make everything durable.

        Raises:
            OSError: the disk would not, or the journal was deleted.
        """
        if self._writer is not None:
            self._writer.sync()
            if self._writer.is_deleted():
                raise FileNotFoundError(f"the journal {self._writer.path} was deleted while it was written")

    def give_sign(self) -> None:
        """Say that this process lives, where nothing else was written of late."""
        if self._writer is not None and time.time() - self._writer.last_write_at / 1e6 > HEARTBEAT_SECONDS:
            self.append(ProcessHeard())

    def add_file(self, path: str, relation: Relation, task: Reference) -> None:
        """Record a file as it was named; it may be of another machine, and is not read."""
        file = self.append(FileRecorded(path=path, relation=relation, task=task))
        self.append(FileHashed(file=file, reason=UNREAD_FILE))

    def is_lost(self) -> bool:
        """Whether the journal was deleted."""
        return self._writer is not None and self._writer.is_deleted()

    def append(self, event: Event) -> Reference:
        """Write an event; what later ones refer to it by.

        Raises:
            OSError: it cannot be written.
        """
        if self._writer is None:
            self._writer = self._open()
        for name in REFERRING_FIELDS.intersection(event.__struct_fields__):
            setattr(event, name, self._shortened(getattr(event, name)))
        return f"{self._process}:{self._writer.append(event)}"

    def _shortened(self, reference: Any) -> Any:
        """A reference to an event of this segment by its number alone."""
        if isinstance(reference, list):
            return [self._shortened(one) for one in reference]
        process, _, number = str(reference).rpartition(":")
        return int(number) if process == self._process else reference

    def _open(self) -> SegmentWriter:
        self._folder.create()
        header = SegmentOpened(format=FORMAT_VERSION, run=self.uid, process="")
        writer = SegmentWriter(self._folder.segment(self.uid, self._process))
        try:
            writer.append(signed(header, self._process, machine_boot()))
            if self._is_resumed:
                writer.append(RunResumed(dataflow=self.plan.tag))
        except OSError:  # a disk that is full: the next try must not find this file
            writer.close()
            writer.path.unlink(missing_ok=True)
            raise
        return writer
