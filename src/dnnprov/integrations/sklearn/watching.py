"""What `dnnprov.sklearn.watch` gives back: a block in which fits are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from dnnprov.capture.run_task import end_of_block
from dnnprov.integrations.autologging import program_name
from dnnprov.integrations.run_choice import RunChoice
from dnnprov.integrations.sklearn.fits import FitRecorder
from dnnprov.integrations.sklearn.hooks import install, watched

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from contextvars import Token
    from types import TracebackType

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask


class WatchedFits:
    """A block in which `fit`, `score` and `transform` of any estimator are recorded; made by `watch`."""

    def __init__(self, recorder: FitRecorder) -> None:
        self._recorder = recorder
        self._tokens: list[Token[FitRecorder | None]] = []

    def run_of(self, estimator: Any) -> Run | None:
        """The run that an estimator was fitted or tested in; `None` where it was not, in this block."""
        recording = self._recorder.find(estimator)
        return None if recording is None else recording.steps.run

    def add_file(self, estimator: Any, path: str | os.PathLike[str], role: str = "model") -> None:
        """Record a file that an estimator was written to; its SHA-256 follows."""
        recording = self._recorder.find(estimator)
        if recording is not None:
            with recording.steps.guarded("sklearn add_file"):
                recording.steps.add_file(path, role)

    def __enter__(self) -> Self:
        install()
        self._tokens.append(watched.set(self._recorder))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        watched.reset(self._tokens.pop())
        if error is None:
            self._recorder.finish()
        else:
            self._recorder.finish(*end_of_block(error))


def watch(
    dataflow: str | None = None,
    params: Mapping[str, Any] | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | Iterable[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    run: Run | None = None,
    after: RunTask | Iterable[RunTask] | None = None,
) -> WatchedFits:
    """A block in which what is called on estimators of scikit-learn is recorded.

    Args:
        dataflow: tag of the dataflow; the name of the script where it is left out.
        params: hyperparameters that you state; they win over what the estimators hold.
        name: of runs that are started here; `<dataflow>-<n>` where it is left out.
        tags: of runs that are started here.
        store: of runs that are started here; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: to record into, instead of the one whose `with` block encloses a call, or a new one for each estimator.
        after: the task or tasks whose results the trainings use: Filters.

    Returns:
        The context manager. Leaving it finishes the runs that were started in it.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.

    Example:
        ```python
        from sklearn.linear_model import LogisticRegression

        with dnnprov.sklearn.watch("line"):
            model = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
            model.score([[0.5], [2.5]], [0, 1])
        ```
    """
    choice = RunChoice(program_name() if dataflow is None else dataflow, params, name, tags, store, run)
    return WatchedFits(FitRecorder(choice, after))
