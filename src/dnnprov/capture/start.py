"""Starts runs, and ends those that nobody finished."""

from __future__ import annotations

import atexit
import secrets
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dnnprov.capture.disabled_recorder import DisabledRecorder
from dnnprov.capture.earlier import find_earlier
from dnnprov.capture.environment import environment
from dnnprov.capture.follower import start_follower
from dnnprov.capture.notebook import running_cell
from dnnprov.capture.recorder import Recorder
from dnnprov.capture.run import Run, active_run, open_runs
from dnnprov.capture.run_task import end_of_block
from dnnprov.capture.switches import is_switched_on
from dnnprov.capture.user_warning import warn_user
from dnnprov.errors import UsageError
from dnnprov.journal.folder import store_folder
from dnnprov.model.events import RunResumed, RunStarted
from dnnprov.model.values import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from dnnprov.journal.folder import StoreFolder

DISABLED_VARIABLE = "DNNPROV_DISABLED"


def start_run(
    dataflow: str,
    params: Mapping[str, Any] | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | Iterable[str] | None = None,
    store: str | PathLike[str] | None = None,
    parent: Run | str | None = None,
    resume: str | None = None,
) -> Run:
    """Start recording a run of a dataflow.

    Args:
        dataflow: its tag, what the user calls the model or project: `"alexnet"`.
        params: hyperparameters by name; they become the run's row of `iTrainingModel`.
        name: for people; `<dataflow>-<n>` where it is left out. The same name twice makes two runs.
        tags: labels, or label -> text.
        store: folder, or a `postgresql://` URL; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        parent: the run, or its uid, that this one is a part of (a trial of a study).
        resume: uid of a run to go on with instead of starting a new one; its name and hyperparameters are taken over.
            Where the store has none of this uid, a warning says so and a new run starts.

    Returns:
        The run, a context manager.

    Raises:
        UsageError: an argument has a type that cannot be meant. Nothing else is ever raised: where the store cannot
            be written, a warning says so and training goes on.

    Example:
        ```python
        with dnnprov.start_run("alexnet", params={"learning_rate": 0.002}) as run:
            with run.task("Training") as training:
                training.log(epoch=1, loss=2.87, accuracy=0.11)
        ```
    """
    _check("dataflow", dataflow, str, "a tag such as 'alexnet'")
    if not dataflow:
        raise UsageError("dataflow='' is empty; expected a tag such as 'alexnet'")
    _check("params", params, Mapping | None, "a dict of hyperparameters")
    _check("name", name, str | None, "text")
    _check("parent", parent, Run | str | None, "a run or its uid")
    _check("resume", resume, str | None, "the uid of a run")
    if "\0" in str(store or ""):
        raise UsageError(
            f"store={str(store)!r} holds a NUL, which no path may; expected a folder or a postgresql:// URL"
        )
    labels = _labels(tags)
    folder = store_folder(store)
    if is_switched_on(DISABLED_VARIABLE, default=False):
        return Run(DisabledRecorder(folder, resume or secrets.token_hex(8)), dataflow, name or dataflow)
    _finish_earlier_cells(dataflow)
    resumed = _resume(folder, dataflow, resume) if resume else None
    run = _begun(resumed) if resumed else begin_run(folder, dataflow, name, labels, parent)
    run.set_params(**{plain_text(key): value for key, value in (params or {}).items()})
    return run


def begin_run(
    folder: StoreFolder,
    dataflow: str,
    name: str | None,
    labels: Mapping[str, str],
    parent: Run | str | None = None,
    uid: str | None = None,
) -> Run:
    """Start a run whose arguments are known to be good.

    Args:
        folder: of the store.
        dataflow: its tag.
        name: for people; `None` for `<dataflow>-<n>`.
        labels: label -> text.
        parent: that it is a part of.
        uid: of the run, which no other has; made where it is `None`.
    """
    uid = uid or secrets.token_hex(8)
    if is_switched_on(DISABLED_VARIABLE, default=False):
        return Run(DisabledRecorder(folder, uid), dataflow, name or dataflow)
    return _begun(_start(Recorder(folder, uid), dataflow, name, labels, parent))


def _begun(run: Run) -> Run:
    """The run, once its environment is being recorded and it will be ended with the process."""
    run.recorder.submit(lambda: _record_environment(run.recorder))
    open_runs.add(run)
    return run


def _start(
    recorder: Recorder, dataflow: str, name: str | None, labels: Mapping[str, str], parent: Run | str | None
) -> Run:
    run = Run(recorder, dataflow, _run_name(recorder, dataflow, name))
    recorder.append(
        RunStarted(
            dataflow=dataflow,
            name=run.name,
            tags=dict(labels),
            parent=parent.uid if isinstance(parent, Run) else parent,
            program=sys.argv[0] if sys.argv and sys.argv[0] not in {"", "-c"} else None,
        ),
        keep=True,
    )
    return run


def _resume(folder: StoreFolder, dataflow: str, uid: str) -> Run | None:
    """The run of this uid, to go on with; `None`, which is said, where the store has none: then a new one starts."""
    try:
        earlier = find_earlier(folder, uid)
    except Exception:  # noqa: BLE001 - whatever a damaged journal raises, the training starts (P1)
        earlier = None
    if earlier is None:
        warn_user(f"resume={uid!r} is the uid of no run in {folder.path}; a new run is recorded instead")
        return None
    recorder = Recorder(folder, uid, attempt=earlier.num_attempts)
    run = Run(recorder, dataflow, earlier.name or uid)
    run.continue_from(earlier)
    recorder.append(RunResumed(dataflow=dataflow), keep=True)
    return run


def _record_environment(recorder: Recorder) -> None:
    with recorder.guarded("follower"):
        start_follower(recorder.folder)
    recorder.append(environment())


def _run_name(recorder: Recorder, dataflow: str, name: str | None) -> str:
    try:
        if name:
            recorder.folder.reserve_run_name(dataflow, name)
            return name
        return recorder.folder.default_run_name(dataflow)
    except OSError:  # not writable: the first append says so
        return name or f"{dataflow}-{recorder.run[:8]}"


def _check(name: str, value: object, kind: Any, expected: str) -> None:
    if not isinstance(value, kind):
        raise UsageError(f"{name}={value!r} is a {type(value).__name__}; expected {expected}")


def _labels(tags: Mapping[str, str] | Iterable[str] | None) -> dict[str, str]:
    if tags is None:
        return {}
    if isinstance(tags, str):
        return {tags: ""}
    if isinstance(tags, Mapping):
        return {plain_text(key): plain_text(value) for key, value in tags.items()}
    try:
        return dict.fromkeys((plain_text(tag) for tag in tags), "")
    except TypeError:
        raise UsageError(f"tags={tags!r} is a {type(tags).__name__}; expected a dict or a list of labels") from None


def _finish_earlier_cells(dataflow: str) -> None:
    """In a notebook: a cell that is run again ends the run of this dataflow that it started before.

    Two runs that one and the same cell starts go on side by side, as they do in a script.
    """
    cell = running_cell()
    if cell is None:
        return
    active = active_run()
    for run in list(open_runs):
        if run.dataflow == dataflow and run.cell != cell and run is not active and not run.is_elsewhere():
            run.finish(reason="the next run of this dataflow was started in the same notebook")


def _finish_open_runs() -> None:
    """At exit: runs nobody finished end as the process does.

    In an interactive session the last error may be any, long before: then it says nothing.
    """
    is_interactive = hasattr(sys, "ps1") or sys.flags.interactive  # the first in notebooks, too
    error = None if is_interactive else getattr(sys, "last_value", None)
    for run in list(open_runs):
        run.finish(*end_of_block(error))


atexit.register(_finish_open_runs)
