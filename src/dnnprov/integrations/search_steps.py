"""A search for hyperparameters in plain values, for any tuner: a run for the search, and one below it for each trial.

The run of the search has one task, `Search`: it used what the search is made of (`iSearch`) and where it looks
(`iSearchSpace`, a row a hyperparameter), and generated a row a trial (`oSearch`). A trial is a run whose parent it is;
its values are the hyperparameters of that run, so that trials and trainings by hand are compared by the same questions.
Its task `Trial` generated what the tuner was told at the end (`oTrial`). What trains within a trial is part of its run.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dnnprov.capture.run_task import end_of_block
from dnnprov.capture.start import start_run
from dnnprov.capture.user_warning import warn_user
from dnnprov.integrations.metric_names import canonical_parameters, with_canonical_names
from dnnprov.integrations.run_choice import RunChoice
from dnnprov.model.events import ProblemRecorded
from dnnprov.model.signals import came_from_handler

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.model.events import RunStatus

SEARCH = "Search"
TRIAL = "Trial"
LEFT = "the trial was left before its end, by an exception or an interrupt"
NOTHING = object()


class TrialSteps:
    """One trial: its run, from its beginning to what the tuner was told of it.

    Attributes:
        number: what the tuner calls it.
        run: its run.
        returned: what the program gave back for it, whether its tuner takes that or not; `NOTHING` before it did.
    """

    def __init__(self, search: SearchSteps, number: int | str, run: Run, values: Mapping[str, Any]) -> None:
        self._search = search
        self.number = number
        self.run = run
        self.returned: Any = NOTHING
        self._values = dict(values)
        run.before_finish(self._share_names)
        self._task = run.task(TRIAL)
        self._task.uses("iTrial", trial=number)
        run.expect_end(self._task, "failed", LEFT)
        self._steps: set[int] = set()

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.run.status == "running"

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Record values of hyperparameters that the trial has; of each, what was recorded first."""
        self._values.update(values)
        self.run.set_params(**self.run.hyperparameters.new(values))

    def _share_names(self) -> None:
        """Record the values under the names that every framework shares, where no framework told these by now.

        What trained in the trial knows better: an `optimizer` of the trial is `sgd`, where Keras says `SGD`.
        """
        self.run.set_params(**self.run.hyperparameters.new(canonical_parameters(self._values)))

    def report(self, step: int, values: Mapping[str, Any]) -> None:
        """Record what the trial told its tuner on the way; of one step, what it told first.

        Args:
            step: as the trial counts.
            values: name -> value at that step.
        """
        if step not in self._steps:
            if not self._steps:
                self._share_names()
            self._steps.add(step)
            self.run.log(step=step, **with_canonical_names(values))

    def end(self, status: RunStatus, reason: str | None, result: Mapping[str, Any]) -> None:
        """The trial ended; a second call does nothing.

        Args:
            status: of its run; `pruned` where the tuner gave it up.
            reason: why, in words.
            result: name -> value that the tuner goes by; empty where there is none.
        """
        if not self.is_open:
            return
        row = {"trial": self.number, **result}
        self._task.generates("oTrial", **row)
        self._task.end(status, reason)
        self._search.note_trial({**row, "status": status, "run_uid": self.run.uid})
        self.run.finish(status, reason)


class SearchSteps:
    """Records a search and its trials; trials may go on in several threads at once.

    Its methods may raise: an integration wraps the body of each hook in `guarded`, which nothing leaves.

    Args:
        dataflow: tag of the dataflow of the runs that are started here.
        params: what you state of the search.
        name: of the search's run, where it is started here.
        tags: of it.
        store: of all runs.
        run: that the search is, instead of the active one or a new one.

    Raises:
        UsageError: an argument has a type that cannot be meant.
    """

    def __init__(
        self,
        dataflow: str,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | Iterable[str] | None = None,
        store: str | os.PathLike[str] | None = None,
        run: Run | None = None,
    ) -> None:
        self.choice = RunChoice(dataflow, None, name, tags, store, run)
        self.store = store
        self._is_given = run is not None
        self._dataflow, self._stated = dataflow, dict(params or {})
        self._lock = threading.RLock()
        self._task: RunTask | None = None
        self._elsewhere: tuple[str, str] | None = None
        self._early_failures: list[str] = []
        self._known_space: set[tuple[object, ...]] = set()
        self._trials: dict[int | str, TrialSteps] = {}

    @property
    def run(self) -> Run | None:
        """The run of the search; `None` before its beginning, and where another process records it."""
        return self.choice.run

    @contextmanager
    def guarded(self, where: str) -> Iterator[None]:
        """Keep a failure from the search: it becomes a problem `capture_failure` of its run, or a warning."""
        try:
            yield
        except Exception as error:
            if self.run is not None:
                self.run.recorder.note_failure(where, error)
            elif came_from_handler(error):
                raise
            else:
                self._early_failures.append(f"{where}: {type(error).__name__}: {error}")
                warn_user(self._early_failures[-1])

    @property
    def has_given_run(self) -> bool:
        """Whether the user said which run the search is."""
        return self._is_given

    def begin(self, owner: object, what: Mapping[str, Any], resume: str | None = None) -> None:
        """The search begins, or goes on where it has begun: called as often as one likes.

        Args:
            owner: object of the tuner that the search is.
            what: values of iSearch: tuner, algorithm.
            resume: uid of a run to go on with instead of a new one.
        """
        with self._lock:
            self.choice.left = None
            if self.is_begun:
                return
            run = self.choice.at_training(owner, resume)
            self._task = run.task(SEARCH)
            run.expect_end(self._task, "finished")
            self._task.uses("iSearch", **{**what, **self._stated})
            self._known_space.clear()
            failures, self._early_failures = self._early_failures, []
            for detail in failures:
                run.recorder.record(ProblemRecorded(kind="capture_failure", detail=detail))

    def join(self, uid: str, name: str) -> None:
        """Another process records the run of the search, of this uid and name; trials from here are parts of it."""
        self._elsewhere = uid, name

    @property
    def is_begun(self) -> bool:
        """Whether there is a run to put trials below."""
        return self._elsewhere is not None or (self._task is not None and self._task.status == "running")

    def describe_space(self, row: Mapping[str, Any]) -> None:
        """Record where a hyperparameter is looked for, unless that is known.

        Args:
            row: of iSearchSpace: `name`, `distribution` and what belongs to it.
        """
        key = tuple(row.items())
        with self._lock:
            if self._task is not None and key not in self._known_space:
                self._known_space.add(key)
                self._task.uses("iSearchSpace", **row)

    def begin_trial(self, number: int | str, params: Mapping[str, Any]) -> TrialSteps:
        """A trial begins: a run of its own.

        Args:
            number: what the tuner calls it.
            params: hyperparameters that it has from the beginning.
        """
        with self._lock:
            parent = self.run
            if self._elsewhere is not None:
                uid, name = self._elsewhere
                dataflow, store = self._dataflow, self.store
            elif parent is not None:
                uid, name, dataflow, store = parent.uid, parent.name, parent.dataflow, parent.recorder.folder.path
            else:
                raise RuntimeError("a trial began before its search")
            run = start_run(dataflow, params, f"{name}-trial-{number}", store=store, parent=uid)
            self._trials[number] = trial = TrialSteps(self, number, run, params)
            return trial

    def find_trial(self, number: int | str) -> TrialSteps | None:
        """The trial of this number, as long as it has not ended."""
        return self._trials.get(number)

    def note_trial(self, row: Mapping[str, Any]) -> None:
        """A trial ended: its row of oSearch, where the search is recorded here."""
        with self._lock:
            self._trials.pop(row["trial"], None)
            if self._task is not None and self._task.status == "running":
                self._task.log(**row)

    def end_left_trials(self, numbers: Iterable[int | str] | None = None) -> None:
        """End trials that nobody told the end of.

        Args:
            numbers: of these; of all, where it is left out.
        """
        for number in list(self._trials) if numbers is None else numbers:
            if (trial := self.find_trial(number)) is not None:
                trial.end("failed", LEFT, {})

    def note_left(self, error: BaseException) -> None:
        """What was raised out of the search, which means that it ends so unless it is taken up again.

        Args:
            error: Ctrl-C, or the exit of the program; after any other the program may go on with the search.
        """
        if isinstance(error, KeyboardInterrupt | SystemExit):
            status, reason = end_of_block(error)
            self.choice.left = None if status == "finished" else (status, reason)

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run of the search where it was started here, and trials that were left."""
        self.end_left_trials()
        if status is None and self.choice.left is not None:
            status, reason = self.choice.left
        if self._task is not None:
            self._task.end(status or "finished", reason)
        self.choice.finish(status, reason)
