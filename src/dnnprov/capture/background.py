"""The two threads of a recorder: one works off slow jobs, one beats every ten seconds.

Both are daemons, started when they are first needed. A forked child has neither and starts its own.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

Job: TypeAlias = "Callable[[], None]"


class Background:
    """Runs jobs in their order, and a beat.

    Args:
        guarded: makes the context in which a job's failure is noted instead of raised, from what was done.
        lacking: told what there is no thread for.
    """

    def __init__(self, guarded: Callable[[str], AbstractContextManager[None]], lacking: Callable[[str], None]) -> None:
        self._guarded = guarded
        self._lacking = lacking
        self._is_beating = False
        self._lock = threading.RLock()  # a signal handler may submit while its thread does
        self._jobs: queue.SimpleQueue[Job | None] | None = None
        self._worker: threading.Thread | None = None
        self._stopped = threading.Event()

    def submit(self, job: Job) -> None:
        """Run a job on the worker thread; at once, where no thread can be started."""
        with self._lock:
            jobs = self._jobs or self._start_worker()
            if jobs is not None:
                jobs.put(job)
                return
        with self._guarded("work without a thread"):
            job()

    def drain(self) -> None:
        """Wait until all jobs are done."""
        with self._lock:
            jobs, worker = self._jobs, self._worker
            self._jobs, self._worker = None, None
        if jobs is not None and worker is not None:
            jobs.put(None)
            if worker is not threading.current_thread():
                worker.join()

    def start_beats(self, beat: Job, seconds: float) -> None:
        """Call something at an interval until `stop_beats`; a second call does nothing."""
        if self._is_beating:
            return
        self._is_beating = True
        thread = threading.Thread(target=self._beat, args=(beat, seconds), name="dnnprov-heartbeat", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # a limit of the system, or the interpreter ends
            self._lacking(f"the journal is made durable at its end only, not every {seconds:g} s: {error}")

    def stop_beats(self) -> None:
        """Let the beating thread end."""
        self._stopped.set()

    def _start_worker(self) -> queue.SimpleQueue[Job | None] | None:
        jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        worker = threading.Thread(target=self._work, args=(jobs,), name="dnnprov", daemon=True)
        try:
            worker.start()
        except RuntimeError:  # a limit of the system, or the interpreter ends
            return None
        self._jobs, self._worker = jobs, worker
        return jobs

    def _work(self, jobs: queue.SimpleQueue[Job | None]) -> None:
        while (job := jobs.get()) is not None:
            with self._guarded("background work"):
                job()

    def _beat(self, beat: Job, seconds: float) -> None:
        while not self._stopped.wait(seconds):
            with self._guarded("the heartbeat"):
                beat()
