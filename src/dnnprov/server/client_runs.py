"""Which run a post of a client belongs to, and when a run is over.

- A client that names its execution (`exec`) has one run for each name, whatever connection, time or server it comes by.
- Others cannot be told apart: one run of a dataflow takes all that comes, until the client says that it begins
  (`first`), or posts the dataflow and begins a task anew that had ended, or nothing was heard for `quiet_seconds`.
- A run whose tasks have ended is finished once nothing was heard for some seconds. It goes on when more comes.

What is known of runs is read back from the journals, so a server that was killed or stopped goes on with them.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dnnprov.analysis.history import open_history
from dnnprov.journal.plan_file import read_plan
from dnnprov.model.dfanalyzer.plan import Plan
from dnnprov.server.open_run import CLIENT_TAG, EXECUTION_TAG, OpenRun

if TYPE_CHECKING:
    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.dfanalyzer.posts import DataflowPost, TaskPost

SETTLE_SECONDS = 10.0
"""After which a run whose tasks have ended is finished."""

_RUNS = """SELECT r.uid, d.tag AS dataflow, r.name, r.status, r.heartbeat_at,
    COALESCE((SELECT e.value FROM run_tag AS e WHERE e.run_id = r.run_id AND e.name = ?), '') AS execution
    FROM run AS r JOIN dataflow AS d USING (dataflow_id) JOIN run_tag AS t ON t.run_id = r.run_id AND t.name = ?
    ORDER BY r.started_at, r.run_id"""


@dataclass
class KnownRun:
    """A run that clients recorded.

    Attributes:
        uid: of it.
        name: for people.
        heard_at: when a client was heard last, on the monotonic clock.
        run: while its journal is open here.
        is_finished: whether it is, as far as is known.
        is_posted_again: whether its dataflow was posted since all its tasks had ended.
    """

    uid: str
    name: str
    heard_at: float
    run: OpenRun | None = None
    is_finished: bool = False
    is_posted_again: bool = False


@dataclass(frozen=True)
class Recorded:
    """What became of a post.

    Attributes:
        run: that it went to; `None` for a dataflow that said nothing new.
        is_waiting: whether it waits for its dataflow.
    """

    run: OpenRun | None
    is_waiting: bool = False


class ClientRuns:
    """The runs of clients in one store; used by one thread.

    Args:
        folder: of the store.
        quiet_seconds: after which a run that nobody named takes no more, and one whose tasks never ended is over.
        settle_seconds: after which a run whose tasks have ended is finished.

    Attributes:
        touched: runs that were written to since it was emptied, to be synced.
    """

    def __init__(self, folder: StoreFolder, quiet_seconds: float, settle_seconds: float = SETTLE_SECONDS) -> None:
        self.touched: set[OpenRun] = set()
        self._folder = folder
        self._quiet_seconds = quiet_seconds
        self._settle_seconds = settle_seconds
        self._plans: dict[str, Plan] = {}
        self._known: dict[tuple[str, str], KnownRun] = {}  # by dataflow and execution; of those without, the latest

    def load(self) -> None:
        """Learn which runs there are, and which of them have posts that wait.

        Raises:
            DnnprovError: the store cannot be read.
            OSError: a journal cannot be.
        """
        if not self._folder.exists():
            return
        with open_history(self._folder.path) as history:
            rows = history.query(_RUNS, (EXECUTION_TAG, CLIENT_TAG))
            tags = history.dataflows()
        for tag in tags:
            self._plans[tag] = self._read_plan(tag)
        now, clock = time.monotonic(), datetime.now(UTC)
        for row in rows:
            heard = datetime.fromisoformat(row["heartbeat_at"]) if row["heartbeat_at"] else clock
            known = KnownRun(row["uid"], row["name"] or "", now - max(0.0, (clock - heard).total_seconds()))
            known.is_finished = row["status"] == "finished"
            self._known[row["dataflow"], row["execution"]] = known
            if not known.is_finished:
                self._look_for_waiting(row["dataflow"], row["execution"], known)

    def record_dataflow(self, post: DataflowPost) -> Recorded:
        """Record a plan, and the tasks that waited for it.

        Raises:
            OSError: a journal cannot be written.
        """
        plan = self._plan_declared(post.tag)
        before = (plan.transformations, list(plan.people)) if plan.is_declared else None
        plan.post(post.transformations, post.extractors, post.people)
        is_new = before != (plan.transformations, list(plan.people)) or not self._runs_of(plan)
        unnamed = self._known.get((plan.tag, ""))
        if unnamed is not None:
            ended = unnamed.run is None or (unnamed.run.posts.is_idle and not unnamed.run.posts.is_empty)
            unnamed.is_posted_again = unnamed.is_posted_again or ended
        run = self._run_to_declare_in(plan) if is_new else None
        waiting = [other.run for other in self._runs_of(plan) if other.run is not None and other.run.posts.waiting]
        for one in dict.fromkeys([*([run] if run else []), *waiting]):
            self._note(one)
            one.posts.declare()
            one.posts.take_waiting()
        return Recorded(run)

    def record_task(self, post: TaskPost) -> Recorded:
        """Record what is new of a task, or keep it until its dataflow is posted.

        Raises:
            OSError: a journal cannot be read or written.
        """
        plan = self._plan_of_task(post.dataflow)
        run = self._run_of(plan, post)
        self._note(run)
        if not plan.is_declared:
            run.posts.keep(post)
            return Recorded(run, is_waiting=True)
        run.posts.declare()
        run.posts.take_waiting()
        run.posts.take(post)
        return Recorded(run)

    def tidy(self) -> None:
        """End runs that are over, and give a sign of life of others.

        Raises:
            OSError: a journal cannot be written.
        """
        now = time.monotonic()
        for known in list(self._known.values()):
            run = known.run
            if run is None:
                continue
            if self._forget_lost(known):
                continue
            is_over = run.posts.is_idle and not run.posts.is_empty and now - known.heard_at >= self._settle_seconds
            if is_over or now - known.heard_at >= self._quiet_seconds:
                self._end(known, f"nothing was heard for {self._quiet_seconds:g} s, and tasks had not ended")
            else:
                run.give_sign()

    def close(self) -> None:
        """Finish the runs whose tasks have ended, and let go of others, which may go on with another server.

        Raises:
            OSError: a journal cannot be written.
        """
        for known in self._known.values():
            run, known.run = known.run, None
            if run is not None and run.posts.is_idle and not run.is_lost():
                run.end("finished")
            elif run is not None:
                run.leave()

    def _note(self, run: OpenRun) -> None:
        """Note that the client of a run is heard, and that something is written to it."""
        known = self._known[run.plan.tag, run.execution]
        known.heard_at, known.is_finished = time.monotonic(), False
        self.touched.add(run)

    def _run_of(self, plan: Plan, post: TaskPost) -> OpenRun:
        run = self._find_open(plan, post.execution)
        if run is not None:
            known = self._known[plan.tag, post.execution]
            if post.execution or not run.posts.starts_over(post, is_posted_again=known.is_posted_again):
                known.is_posted_again = False
                return run
            self._end(known, "its client began anew, and tasks had not ended")
        elif post.execution and (unnamed := self._find_open(plan, "")) is not None and unnamed.posts.is_empty:
            self._folder.reserve_run_name(plan.tag, post.execution)
            unnamed.start(post.execution, post.execution)
            known = self._known[plan.tag, post.execution] = self._known.pop((plan.tag, ""))
            known.name = unnamed.name
            return unnamed
        return self._start(plan, post.execution)

    def _start(self, plan: Plan, execution: str) -> OpenRun:
        self._folder.create()
        if execution:
            self._folder.reserve_run_name(plan.tag, execution)
        run = OpenRun(self._folder, secrets.token_hex(8), plan)
        run.start(execution or self._folder.default_run_name(plan.tag), execution)
        self._known[plan.tag, execution] = KnownRun(run.uid, run.name, time.monotonic(), run)
        return run

    def _find_open(self, plan: Plan, execution: str) -> OpenRun | None:
        """The run of an execution, opened where it is not; `None` where there is none that takes more."""
        known = self._known.get((plan.tag, execution))
        if known is None or self._forget_lost(known):
            return None
        if not execution and time.monotonic() - known.heard_at >= self._quiet_seconds:
            return None
        if known.run is None:
            run = OpenRun(self._folder, known.uid, plan)
            if not run.load(known.name, execution):
                del self._known[plan.tag, execution]  # it was removed
                return None
            known.run = run
        return known.run

    def _forget_lost(self, known: KnownRun) -> bool:
        """Whether the journal of a run was deleted; then what comes is of another run."""
        if known.run is None or not known.run.is_lost():
            return False
        del self._known[known.run.plan.tag, known.run.execution]
        known.run.close()
        return True

    def _end(self, known: KnownRun, why_not_finished: str) -> None:
        run, known.run = known.run, None
        if run is not None:
            run.posts.take_waiting()
            known.is_finished = run.posts.is_idle
            if known.is_finished:
                run.end("finished")
            else:
                run.end("interrupted", why_not_finished)

    def _run_to_declare_in(self, plan: Plan) -> OpenRun:
        """The run that a change of the dataflow belongs to: one under way, else it is the beginning of another."""
        unnamed = self._known.get((plan.tag, ""))
        under_way = None if unnamed is None or unnamed.is_finished else self._find_open(plan, "")
        return under_way or self._busy_run(plan) or self._start(plan, "")

    def _runs_of(self, plan: Plan) -> list[KnownRun]:
        return [known for (tag, _), known in self._known.items() if tag == plan.tag]

    def _busy_run(self, plan: Plan) -> OpenRun | None:
        """The run heard last, where it has tasks under way: a change of the dataflow is its client's."""
        busy = [known for known in self._runs_of(plan) if known.run is not None and not known.run.posts.is_idle]
        return max(busy, key=lambda known: known.heard_at).run if busy else None

    def _look_for_waiting(self, tag: str, execution: str, known: KnownRun) -> None:
        run = OpenRun(self._folder, known.uid, self._plans[tag])
        if run.load(known.name, execution) and run.posts.waiting:
            known.run = run

    def _read_plan(self, tag: str) -> Plan:
        """What the store knows of a dataflow; where that cannot be read, nothing."""
        try:
            found = read_plan(self._folder, tag)
        except (OSError, ValueError):
            found = None
        return Plan(tag, found.transformations if found else ())

    def _plan_of_task(self, tag: str) -> Plan:
        """The plan that a task's dataflow means: of this tag, else of one that is the same but for letter case."""
        plan = self._plans.get(tag)
        if plan is None or not plan.is_declared:
            for other in reversed(self._plans.values()):
                if other.is_declared and other.tag.lower() == tag.lower():
                    return other
            found = self._read_plan(tag)
            if plan is None:
                plan = self._plans[tag] = found
            elif found.is_declared:  # by a recording of this store beside the server
                plan.post(found.transformations)
        return plan

    def _plan_declared(self, tag: str) -> Plan:
        """The plan that a declaration completes: of this tag, else the one that tasks of it wait for."""
        for other in self._plans.values():
            if tag not in self._plans and not other.is_declared and other.tag.lower() == tag.lower():
                return other
        if tag not in self._plans:
            self._plans[tag] = self._read_plan(tag)
        return self._plans[tag]
