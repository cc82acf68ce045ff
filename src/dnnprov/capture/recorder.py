"""The door from a training to its journal: it takes events and never raises.

Contract:

- **Threads.** Any thread may append. What a signal handler or a finalizer brings while its own thread is in the middle
  of an append is recorded right after it, so that nothing waits for itself.
- **Forks.** A forked child gets a segment of its own with its first event; its end ends nobody's run.
- **Failure.** What cannot be recorded is counted and said once through `warnings`; once writing works again the
  count goes into the journal, so that `dnnprov doctor` shows it.
- **Cost.** `append` encodes and makes one `write`. A heartbeat thread syncs the file every 10 s; a worker thread,
  started at its first job, hashes files and looks at the environment.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING

from dnnprov.capture.background import Background
from dnnprov.capture.beginnings import Beginnings, Handle
from dnnprov.capture.user_warning import warn_user
from dnnprov.journal.opening import process_name, signed
from dnnprov.journal.reader import machine_boot
from dnnprov.journal.writer import SegmentWriter
from dnnprov.model.events import (
    FORMAT_VERSION,
    ProblemRecorded,
    ProcessHeard,
    SegmentClosed,
    SegmentOpened,
)
from dnnprov.model.signals import came_from_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.events import Event, Reference

HEARTBEAT_SECONDS = 10.0
CHILD_EXIT_PRIORITY = -100
"""Of the last that a child of `multiprocessing` does: whatever it logs at its end comes before."""

REOPEN_SECONDS = 1.0
"""How long to wait before another try to make a segment after one failed."""

_BOUND_TO_SEGMENT = frozenset(
    {
        errno.EBADF,  # somebody closed the descriptor
        errno.EFBIG,  # a limit of files, not of the disk
        errno.EIO,
        errno.ENODEV,
        errno.ENOTCONN,  # the file server is another, or knows the file no more
        errno.ENXIO,
        errno.ESHUTDOWN,
        errno.ESTALE,
    }
)
"""Errors that another segment may not have."""

_NO_SYNC = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EROFS})
"""Errors of file systems that make nothing durable on demand."""


class Recorder:
    """Records the events of one run from this process.

    Args:
        folder: of the store.
        run: uid of the run.
        rank: of this process.
        attempt: how many processes of this rank recorded into the run before.
    """

    def __init__(self, folder: StoreFolder, run: str, rank: int = 0, attempt: int = 0) -> None:
        self.folder = folder
        self.run = run
        self.rank = rank
        self.attempt = attempt
        self.process = process_name(rank)
        self.num_lost = 0
        self._header = SegmentOpened(format=FORMAT_VERSION, run=run, process="", rank=rank, attempt=attempt)
        self._writer: SegmentWriter | None = None
        self._lost_untold = 0
        self._beginnings = Beginnings()
        self._open_again_at = 0.0
        self._beaten_at = 0
        self._closed = False
        self._warned: set[str] = set()
        self._append_lock = threading.RLock()  # `with` lets go of it whatever interrupts; a flag would stay
        self._deferred: dict[int, deque[Callable[[], None]]] = {}  # by thread: each does its own
        self._background = Background(self.guarded, self._note_degraded)
        self._is_child = False
        _recorders.add(self)

    def append(self, event: Event, *, keep: bool = False) -> Handle:
        """Write an event; one that is lost is counted, and said once.

        Args:
            event: to write.
            keep: one that others build on (the run's start, a task's) is kept until it can be written, before any
                later one; its handle is filled in then.

        Returns:
            What later events refer to it by.
        """
        handle = Handle(self.process)
        self.record(event, handle, keep=keep)
        return handle

    def record(
        self, event: Event, handle: Handle | None = None, *, keep: bool = False, is_second_try: bool = False
    ) -> None:
        """Write an event; as `append`, for those that no later event refers to."""
        lock = self._append_lock
        if lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001 - as `is_recording` asks
            self.defer(lambda: self.record(event, handle, keep=keep, is_second_try=is_second_try))
            return
        try:
            with lock:
                try:  # all of it in this frame: with cold caches, each further one costs a tenth of a call
                    writer = self._writer
                    if writer is None or self._beginnings.waiting or self._lost_untold:
                        writer = self._ready_writer()
                    number = writer.append(event)
                    if handle is not None:
                        handle.process, handle.seq = self.process, number
                        if keep:
                            self._beginnings.note(event, handle)
                except Exception as error:  # noqa: BLE001 - P1: recording never raises into a training
                    self._miss(event, handle, error, keep=keep, is_second_try=is_second_try)
        finally:
            if self._deferred:
                self.run_deferred()

    def is_recording(self) -> bool:
        """Whether this very thread is in the middle of an append, and a signal handler or finalizer asks."""
        return self._append_lock._is_owned()  # type: ignore[attr-defined, no-any-return] # noqa: SLF001 - as Condition asks

    def defer(self, job: Callable[[], None]) -> None:
        """Do something as soon as the append that this thread is in the middle of is done."""
        self._deferred.setdefault(threading.get_ident(), deque()).append(job)

    def run_deferred(self) -> None:
        """Do what waited for an append of this thread to be done."""
        jobs = self._deferred.get(threading.get_ident())
        while jobs:
            jobs.popleft()()
        self._deferred.pop(threading.get_ident(), None)

    def _ready_writer(self) -> SegmentWriter:
        """The writer, behind what waited for one.

        Raises:
            OSError: there is none, or it cannot write.
        """
        writer = self._writer or self._open()
        self._catch_up(writer)
        return writer

    def _miss(self, event: Event, handle: Handle | None, error: Exception, *, keep: bool, is_second_try: bool) -> None:
        """An event could not be written: try once again in another segment, keep it, or count it."""
        if came_from_handler(error):
            raise error
        is_bound = isinstance(error, OSError) and error.errno in _BOUND_TO_SEGMENT
        if is_bound and not is_second_try and self._open_another():
            self.defer(lambda: self.record(event, handle, keep=keep, is_second_try=True))
            return
        if keep and handle is not None and not self._closed:
            self._beginnings.waiting.append((event, handle))
        else:
            self.num_lost += 1
            self._lost_untold += 1
        self._warn("lost", f"could not be recorded: {error}; training goes on, what is lost is counted")

    def reference(self, handle: Handle | None) -> Reference | None:
        """How an event of this process refers to a task or file."""
        if handle is None:
            return None
        if handle.seq is None and self._beginnings.waiting and not self.is_recording():
            with contextlib.suppress(OSError), self._append_lock:  # its event waits; maybe writing works again
                self._ready_writer()
        if handle.seq is None:
            return None
        return handle.seq if handle.process == self.process else f"{handle.process}:{handle.seq}"

    def note_problem(self, kind: str, detail: str) -> None:
        """Record that something could not be taken as it came, and say so once for its kind."""
        self.record(ProblemRecorded(kind=kind, detail=detail))
        self._warn(kind, f"{detail} (kind {kind!r}; `dnnprov doctor` counts more of it)")

    def forget(self, handle: Handle) -> None:
        """What a handle stands for has ended: nothing that comes builds on it."""
        self._beginnings.forget(handle)

    @contextlib.contextmanager
    def guarded(self, where: str) -> Iterator[None]:
        """Keep a failure of our own code from the training: it becomes a problem `capture_failure`."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - P1: recording never raises into a training
            self.note_failure(where, error)

    def note_failure(self, where: str, error: Exception) -> None:
        """Note what was raised here as a problem `capture_failure`, unless the user's own handler of a signal did.

        Raises:
            Exception: what a handler of a signal raised, which is meant for the user's code.
        """
        if came_from_handler(error):
            raise error
        with contextlib.suppress(Exception):
            self.note_problem("capture_failure", f"{where}: {type(error).__name__}: {error}")

    def _note_degraded(self, detail: str) -> None:
        self.note_problem("degraded", detail)

    def notice_deletion(self) -> None:
        """Where the journal was deleted, or taken away: say so, and record the rest of the run into a new segment."""
        writer = self._writer
        if writer is None:
            return
        if writer.is_taken_away():
            self._warn("taken", f"{writer.path} was closed by the program; the rest of the run goes to a new journal")
        elif writer.is_deleted():
            self._warn(
                "deleted", f"{writer.path} was deleted while it was written; what it held is lost, the rest is kept"
            )
        else:
            return
        with self._append_lock:
            if writer.is_deleted():
                detail = f"{writer.path} was deleted with {writer.num_events} events; what was not taken in is lost"
                self._beginnings.begin_anew(self.process, ProblemRecorded(kind="journal_deleted", detail=detail))
                self.num_lost += writer.num_events
            else:
                self.num_lost += 1
                self._lost_untold += 1
            self._leave_segment(writer)

    def _open_another(self) -> bool:
        """Go on in a segment of another name, where one can be made; else stay with this one."""
        writer, process = self._writer, self.process
        if writer is None:
            return False
        self.process = process_name(self._header.rank)
        try:
            self._open()
        except OSError:
            self.process = process
            return False
        writer.close()
        return True

    def _leave_segment(self, writer: SegmentWriter) -> None:
        """Go on in a segment of another name."""
        self._writer = None
        writer.close()
        self.process = process_name(self._header.rank)

    def submit(self, job: Callable[[], None]) -> None:
        """Run something slow off the training thread, in the order of the calls; `close` waits for it."""
        self._background.submit(job)

    def retry(self) -> None:
        """Let the next event try at once to open a journal, where there is none: it may be the last that can."""
        self._open_again_at = 0.0

    def drain(self) -> None:
        """Wait until everything submitted is done."""
        self._background.drain()

    def close(self) -> None:
        """Finish the jobs, close the segment and make it durable; nothing is recorded after."""
        self.drain()
        self._background.stop_beats()
        writer = self._writer
        if writer is not None:
            self._sync(writer)  # the next reader sees all that was written in any case
            with self.guarded("closing the journal"), self._append_lock:
                self._close_segment(writer)
        else:
            self._note_unwritten()
        self.num_lost += len(self._beginnings.waiting)
        self._writer, self._closed = None, True

    def _close_segment(self, writer: SegmentWriter) -> None:
        """Write the last event; where even that cannot be written, leave the number of lost events as a file's name."""
        try:
            self._catch_up(writer)
            writer.close_with(SegmentClosed())
        except OSError as error:
            self._warn("lost", f"could not be recorded: {error}; its end is not known")
            writer.close()
            self._note_unwritten()

    def _note_unwritten(self) -> None:
        """Leave the number of events that could not be written as the name of a file, which a full disk takes."""
        if (num_lost := self._lost_untold + len(self._beginnings.waiting)) and not self._closed:
            with contextlib.suppress(OSError, ValueError):
                self.folder.note_unwritten(self.run, self.process, num_lost)

    def _open(self) -> SegmentWriter:
        if self._closed:
            raise OSError("the run is finished")
        if time.monotonic() < self._open_again_at:
            raise OSError(f"the store {self.folder.path} is not writable")
        self._open_again_at = time.monotonic() + REOPEN_SECONDS
        self.folder.create()
        opening = signed(
            self._header, self.process, machine_boot()
        )  # which opens files too: before the journal takes the last descriptor there is
        writer = SegmentWriter(self.folder.segment(self.run, self.process))
        try:
            writer.append(opening)
        except OSError:  # a disk that is full: the next try must not find this file
            writer.close()
            with contextlib.suppress(OSError):
                writer.path.unlink()
            raise
        self._writer, self._open_again_at = writer, 0.0
        self._background.start_beats(self._beat, HEARTBEAT_SECONDS)
        if self._is_child:
            self._close_with_child()
        return writer

    def _close_with_child(self) -> None:
        """A child of `multiprocessing` runs no exit handlers but those that it is told of."""
        self._is_child = False
        multiprocessing = sys.modules.get("multiprocessing.util")
        if multiprocessing is not None:
            multiprocessing.Finalize(None, self.close, exitpriority=CHILD_EXIT_PRIORITY)

    def _catch_up(self, writer: SegmentWriter) -> None:
        """Write what was kept while nothing could be written, and tell how many events are lost."""

        def write(event: Event, handle: Handle) -> None:
            handle.process, handle.seq = self.process, writer.append(event)

        self._beginnings.write_waiting(write, self.reference)
        if self._lost_untold:
            count, self._lost_untold = self._lost_untold, 0
            try:
                writer.append(ProblemRecorded(kind="lost", detail=f"{count} events could not be written"))
            except OSError:
                self._lost_untold += count
                raise

    def _warn(self, kind: str, message: str) -> None:
        if kind in self._warned:
            return
        self._warned.add(kind)
        warn_user(f"run {self.run}: {message}")

    def _beat(self) -> None:
        self.notice_deletion()
        writer = self._writer
        if writer is None:
            return
        if writer.last_write_at == self._beaten_at:  # nothing since the last beat, whatever the clock says
            self.record(ProcessHeard())
        self._beaten_at = writer.last_write_at
        self._sync(writer)

    def _sync(self, writer: SegmentWriter) -> None:
        """Make the journal durable; that the disk would not is told, since it says so only once."""
        try:
            writer.sync()
        except OSError as error:
            if error.errno not in _NO_SYNC and "not_synced" not in self._warned:
                self.note_problem(
                    "not_synced", f"{writer.path} may not be on the disk as it was written: {error.strerror}"
                )

    def become_child(self) -> None:
        """After a fork, in the child: leave the parent's segment and threads to the parent."""
        parent, writer = self.process, self._writer
        self._background = Background(self.guarded, self._note_degraded)
        self._append_lock, self._deferred = threading.RLock(), {}
        self._writer = None
        self._is_child = True
        self._beginnings = Beginnings()
        self._lost_untold = 0
        self._header = SegmentOpened(
            format=FORMAT_VERSION,
            run=self.run,
            process="",
            rank=self._header.rank,
            attempt=self._header.attempt,
            forked_from=parent,
        )
        self.process = process_name(self._header.rank, forked=True)
        if writer is not None:
            writer.close()


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for recorder in list(_recorders):
        recorder.become_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
