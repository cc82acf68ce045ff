"""Starts runs, and ends those that nobody finished."""

from __future__ import annotations

import atexit
import secrets
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dnnprov.capture.current_runs import active_run, open_runs
from dnnprov.capture.device import training_device
from dnnprov.capture.disabled_recorder import DisabledRecorder
from dnnprov.capture.earlier import find_earlier
from dnnprov.capture.environment import environment
from dnnprov.capture.follower import start_follower
from dnnprov.capture.git_state import GitQuestion
from dnnprov.capture.launching_process import is_importing_again
from dnnprov.capture.notebook import running_cell
from dnnprov.capture.recorder import Recorder
from dnnprov.capture.run import Run
from dnnprov.capture.run_part import RunPart, find_attempt, find_part
from dnnprov.capture.run_task import end_of_block
from dnnprov.capture.switches import is_switched_on
from dnnprov.capture.user_warning import warn_user
from dnnprov.capture.worker_process import at_worker_end
from dnnprov.errors import UsageError
from dnnprov.journal.folder import store_folder
from dnnprov.model.events import RunResumed, RunStarted
from dnnprov.model.values import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from dnnprov.capture.earlier import EarlierRun
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

    In a training of several processes each of them calls this: they record one run, rank 0 what is the same everywhere.

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
    if is_switched_on(DISABLED_VARIABLE, default=False) or is_importing_again():
        return Run(DisabledRecorder(folder, resume or secrets.token_hex(8)), dataflow, name or dataflow)
    _finish_earlier_cells(dataflow, parent.uid if isinstance(parent, Run) else parent)
    part = find_part(folder, dataflow)
    resumed = _resume(folder, dataflow, resume, part) if resume else None
    run = _begun(resumed or _begin(folder, dataflow, name, labels, parent, part))
    run.set_params(**{plain_text(key): value for key, value in (params or {}).items()})
    return run


def begin_run(folder: StoreFolder, dataflow: str, name: str, labels: Mapping[str, str], uid: str) -> Run:
    """Start a run whose uid was chosen before.

    Args:
        folder: of the store.
        dataflow: its tag.
        name: for people.
        labels: label -> text.
        uid: of the run, which no other has.
    """
    if is_switched_on(DISABLED_VARIABLE, default=False) or is_importing_again():
        return Run(DisabledRecorder(folder, uid), dataflow, name)
    part = replace(find_part(folder, dataflow), uid=uid)
    return _begun(_begin(folder, dataflow, name, labels, None, part))


def _begun(run: Run) -> Run:
    """The run, once its environment is being recorded and it will be ended with the process."""
    _record_environment(run)
    open_runs.add(run)
    at_worker_end(_finish_with)
    return run


def _begin(
    folder: StoreFolder,
    dataflow: str,
    name: str | None,
    labels: Mapping[str, str],
    parent: Run | str | None,
    part: RunPart,
) -> Run:
    """A new run, or the part of this process in one that other ranks or earlier processes began."""
    if part.attempt or part.rank:
        earlier = _earlier(folder, part.uid, part.rank)
        if part.rank or earlier is not None:
            return _join(folder, dataflow, part, earlier, name)
    recorder = Recorder(folder, part.uid, attempt=part.attempt)
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


def _join(folder: StoreFolder, dataflow: str, part: RunPart, earlier: EarlierRun | None, name: str | None) -> Run:
    """Record into a run that is there, or will be, from a rank or a further process of it."""
    recorder = Recorder(folder, part.uid, part.rank, part.attempt)
    run = Run(recorder, dataflow, (earlier.name if earlier else None) or name or part.uid)
    if earlier is not None:
        run.continue_from(earlier)
    if part.attempt:
        recorder.append(RunResumed(dataflow=dataflow), keep=True)
    return run


def _resume(folder: StoreFolder, dataflow: str, uid: str, part: RunPart) -> Run | None:
    """The run of this uid, to go on with; `None`, which is said, where the store has none: then a new one starts."""
    first = _earlier(folder, uid, 0)
    if first is None:
        warn_user(f"resume={uid!r} is the uid of no run in {folder.path}; a new run is recorded instead")
        return None
    attempt = max(first.num_attempts if part.rank == 0 else 0, find_attempt(folder, uid, part.rank), part.attempt)
    earlier = first if part.rank == 0 else _earlier(folder, uid, part.rank)
    return _join(folder, dataflow, RunPart(uid, part.rank, max(attempt, 1)), earlier, first.name)


def _earlier(folder: StoreFolder, uid: str, rank: int) -> EarlierRun | None:
    try:
        return find_earlier(folder, uid, rank)
    except Exception:  # noqa: BLE001 - whatever a damaged journal raises, the training starts (P1)
        return None


def _record_environment(run: Run) -> None:
    """Where this process runs. Its device may be chosen after the run is started, but before there is a task.

    Other programs are started here, not in a background thread: when the training goes on none of them is its child.
    """
    recorder, device, git = run.recorder, _device(run), GitQuestion()
    if run.leads:
        with recorder.guarded("follower"):
            start_follower(recorder.folder)

    def record() -> None:
        recorder.append(environment(git, device))

    def record_device() -> None:
        chosen = _device(run)
        if chosen is not None:
            recorder.submit(lambda: recorder.record(environment(git, chosen)))

    recorder.submit(record)
    if device is None:
        run.before_first_task(record_device)


def _device(run: Run) -> str | None:
    """That of this thread, which background threads may not have."""
    try:
        return training_device()
    except Exception as error:  # noqa: BLE001 - whatever another version of a framework raises, the training starts (P1)
        run.recorder.note_problem("degraded", f"the device cannot be told: {error}")
        return None


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


def _finish_earlier_cells(dataflow: str, parent: str | None) -> None:
    """In a notebook: a cell that is run again ends the run of this dataflow that it started before.

    The run that the new one is a part of goes on. Two runs that one and the same cell starts go on side by side, as
    they do in a script.
    """
    cell = running_cell()
    if cell is None:
        return
    active = active_run()
    for run in list(open_runs):
        is_other = run.cell != cell and run is not active and run.uid != parent
        if run.dataflow == dataflow and is_other and not run.is_elsewhere():
            run.finish(reason="the next run of this dataflow was started in the same notebook")


def _finish_open_runs() -> None:
    """At exit: runs nobody finished end as the process does.

    In an interactive session the last error may be any, long before: then it says nothing.
    """
    is_interactive = hasattr(sys, "ps1") or sys.flags.interactive  # the first in notebooks, too
    _finish_with(None if is_interactive else getattr(sys, "last_value", None))


def _finish_with(error: BaseException | None) -> None:
    for run in list(open_runs):
        run.finish(*end_of_block(error))


atexit.register(_finish_open_runs)
