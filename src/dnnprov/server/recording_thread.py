"""Records posts, each durable before it is answered.

One thread writes all journals. What is posted while it waits for the disk goes into the next round together, so that
many requests share one wait (group commit).
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.model.dfanalyzer.posts import DataflowPost, TaskPost

if TYPE_CHECKING:
    from dnnprov.server.client_runs import ClientRuns, Recorded
    from dnnprov.server.open_run import OpenRun

MAX_ROUND = 512
"""Posts that are made durable at once."""

TIDY_SECONDS = 1.0

Post = DataflowPost | TaskPost


@dataclass(eq=False)
class _Request:
    """A post, and who waits for its answer."""

    posts: list[Post]
    answer: asyncio.Future[list[Recorded]]
    recorded: list[Recorded]
    touched: frozenset[OpenRun] = frozenset()
    fault: Exception | None = None


class RecordingThread:
    """Writes what was posted to journals.

    Args:
        runs: of clients, used by this thread alone once it is started.
    """

    def __init__(self, runs: ClientRuns) -> None:
        self._runs = runs
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="dnnprov-recording", daemon=True)
        self._syncing = ThreadPoolExecutor(max_workers=4, thread_name_prefix="dnnprov-sync")
        self._told: set[str] = set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Record what was posted so far, and let go of the journals."""
        self._requests.put(None)
        self._thread.join()
        self._syncing.shutdown()

    async def record(self, posts: list[Post]) -> list[Recorded]:
        """Record posts, and wait until they are durable.

        Raises:
            OSError: they could not be made so; what was written of them is not recorded again by another try.
        """
        answer: asyncio.Future[list[Recorded]] = asyncio.get_running_loop().create_future()
        self._requests.put(_Request(posts, answer, []))
        return await answer

    def _work(self) -> None:
        tidy_at = time.monotonic() + TIDY_SECONDS
        is_stopped = False
        while not is_stopped:
            requests: list[_Request] = []
            try:
                first = self._requests.get(timeout=max(0.0, tidy_at - time.monotonic()))
                while first is not None:
                    requests.append(first)
                    if len(requests) == MAX_ROUND:
                        break
                    first = self._requests.get_nowait()
                is_stopped = first is None
            except queue.Empty:
                pass
            self._record_round(requests)
            if time.monotonic() >= tidy_at or is_stopped:
                self._look_after(is_stopped=is_stopped)
                tidy_at = time.monotonic() + TIDY_SECONDS

    def _record_round(self, requests: list[_Request]) -> None:
        for request in requests:
            self._runs.touched.clear()
            try:
                for post in request.posts:
                    is_task = isinstance(post, TaskPost)
                    request.recorded.append(
                        self._runs.record_task(post) if is_task else self._runs.record_dataflow(post)  # type: ignore[arg-type]
                    )
            except Exception as error:  # noqa: BLE001 - whatever one post meets, the others are recorded
                request.fault = error
            request.touched = frozenset(self._runs.touched)
        unsynced = self._sync(frozenset().union(*(request.touched for request in requests)))
        for request in requests:
            for run in request.touched:
                request.fault = request.fault or unsynced.get(run)
        if requests:  # one call for all: each wakes the loop, and takes the interpreter from this thread
            requests[0].answer.get_loop().call_soon_threadsafe(_answer, requests)

    def _sync(self, runs: frozenset[OpenRun]) -> dict[OpenRun, Exception]:
        """Make runs durable; those that could not be, each with the reason."""

        def sync(run: OpenRun) -> Exception | None:
            try:
                run.sync()
            except OSError as error:
                return error
            return None

        several = list(runs)
        faults = self._syncing.map(sync, several) if len(several) > 1 else map(sync, several)
        return {run: fault for run, fault in zip(several, faults, strict=True) if fault is not None}

    def _look_after(self, *, is_stopped: bool) -> None:
        """End runs that are over, or all of them; that it cannot be done is said once."""
        try:
            if is_stopped:
                self._runs.close()
            else:
                self._runs.tidy()
        except Exception as error:  # noqa: BLE001 - the server goes on; the next time it may work
            if str(error) not in self._told:
                self._told.add(str(error))
                print(f"dnnprov: a run could not be ended: {error}", file=sys.stderr)  # noqa: T201 - to its operator


def _answer(requests: list[_Request]) -> None:
    """In the loop: let those go on who wait."""
    for request in requests:
        if request.answer.done():  # its client is gone
            continue
        if request.fault is not None:
            request.answer.set_exception(request.fault)
        else:
            request.answer.set_result(request.recorded)
