"""Which run an integration records into: the one it was given, the active one, or one of its own.

A run of its own begins with the first training and lasts as long as the integration's object (a callback), so that an
evaluation after the training belongs to it: it is finished by `finish`, by the object's `with` block, when the object
goes away or trains another model, and at the latest when the process exits (then with the exception that ended it).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from dnnprov.capture.current_runs import active_run
from dnnprov.capture.run import Run
from dnnprov.capture.start import start_run
from dnnprov.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.model.events import RunStatus

FINALIZER_SECONDS = 5.0
"""How long a finalizer waits for what it started; it goes on by itself after that."""


class RunChoice:
    """Finds or starts the run.

    Args:
        dataflow: tag of the dataflow of a run that is started here.
        params: hyperparameters that the user states; they win over what the framework holds.
        name: of a run that is started here.
        tags: of a run that is started here.
        store: of a run that is started here.
        run: to record into, instead of the active one or a new one.

    Attributes:
        dataflow: as given.
        run: the one recorded into; `None` before the first training or evaluation.
        left: status and reason of its last training, where that was left before its end.

    Raises:
        UsageError: an argument has a type that cannot be meant.
    """

    def __init__(
        self,
        dataflow: str,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | Iterable[str] | None = None,
        store: str | PathLike[str] | None = None,
        run: Run | None = None,
    ) -> None:
        if not isinstance(dataflow, str) or not dataflow:
            raise UsageError(f"dataflow={dataflow!r} is no tag; expected text such as 'alexnet'")
        check_type("params", params, Mapping | None, "a dict of hyperparameters")
        check_type("name", name, str | None, "text")
        check_type("tags", tags, Iterable | None, "a dict or a list of labels")
        check_type("store", store, str | PathLike | None, "a folder or a postgresql:// URL")
        check_type("run", run, Run | None, "what dnnprov.start_run returned")
        self.dataflow = dataflow
        self._params, self._name, self._tags, self._store = params, name, tags, store
        self._given = run
        self._model: weakref.ref[Any] | None = None
        self._is_own = False
        self._stated_in: Run | None = None
        self.run: Run | None = run
        self.left: tuple[RunStatus, str | None] | None = None

    def another(self) -> RunChoice:
        """One like this that has chosen nothing yet, for a model that trains while another does."""
        return RunChoice(self.dataflow, self._params, self._name, self._tags, self._store, self._given)

    def __getstate__(self) -> dict[str, Any]:
        """For another process, where a run of this one means nothing: there it chooses anew."""
        return {**vars(self.another()), "_given": None, "run": None}

    def at_training(self, model: object, resume: str | None = None) -> Run:
        """The run for a training that begins now.

        Args:
            model: that trains; a run of our own for another one is finished before, as its last training ended.
            resume: uid of a run to go on with, where one would be started here.
        """
        run = self._given or active_run()
        if run is not None:
            return self._adopt(run)
        is_same_model = self._model is None or self._model() is model
        if self._is_own and self.run is not None and self.run.status == "running" and is_same_model:
            self._remember(model)
            return self.run
        self.finish()
        self._remember(model)
        return self._start(resume)

    def goes_on_in(self, run: Run) -> bool:
        """Whether a training that goes on in a run stays there: it is open, and no other encloses the call now."""
        chosen = self._given or active_run()
        return run.status == "running" and (chosen is None or chosen is run)

    def at_testing(self) -> Run:
        """The run for an evaluation that begins now: the one trained in while that is open, else as for a training."""
        if self.run is not None and (self.run is self._given or self.run.status == "running"):
            return self.run
        run = active_run()
        return self._start() if run is None else self._adopt(run)

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run where it is our own; a second call does nothing.

        Args:
            status: that of the last training where it was left before its end, else `finished`, if left out.
            reason: why, in words.
        """
        if status is None:
            status, reason = (self.left[0], self.left[1] or reason) if self.left else ("finished", reason)
        if self._is_own and self.run is not None:
            self.run.finish(status, reason)

    def _adopt(self, run: Run) -> Run:
        if run is not self.run:
            self.finish()
        self.run, self._is_own = run, False
        if self._params and self._stated_in is not run:  # once a run: what adapts them later must not be undone
            self._stated_in = run
            run.set_params(**self._params)
        return run

    def _start(self, resume: str | None = None) -> Run:
        self.run = start_run(self.dataflow, self._params, self._name, self._tags, self._store, resume=resume)
        self._is_own = True
        return self.run

    def _remember(self, model: object) -> None:
        self._model = None if model is None else weakref.ref(model)


def check_type(name: str, value: object, kind: Any, expected: str) -> None:
    """Raise UsageError where an argument is none of the types that can be meant."""
    if not isinstance(value, kind):
        raise UsageError(f"{name}={value!r} is a {type(value).__name__}; expected {expected}")


def in_another_thread(job: Callable[[], None]) -> None:
    """Run what records from a finalizer.

    A finalizer may run at any moment in any thread, also in the middle of an append whose lock it would then wait for
    for ever. So the job gets a thread of its own, which is waited for, but not for long.
    """
    thread = threading.Thread(target=job, name="dnnprov-finalizer")
    try:
        thread.start()
    except RuntimeError:  # the interpreter shuts down; the run's own end at exit takes care
        return
    thread.join(FINALIZER_SECONDS)
