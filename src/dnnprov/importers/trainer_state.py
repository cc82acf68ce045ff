"""`trainer_state.json`, where the Trainer of Hugging Face transformers keeps what it logged.

The format is that of `TrainerState` (transformers, `src/transformers/trainer_callback.py`): `log_history` has an object
for each logging step (`loss`, `learning_rate`), each evaluation (`eval_...`) and the end (`train_runtime`), with `step`
and a fractional `epoch`. There are no times in it. It is one JSON text, so it is read at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dnnprov.errors import ImportSourceError
from dnnprov.importers.imported_run import ImportedRun, describe_source
from dnnprov.importers.told_training import RATE_NAMES, ToldTraining
from dnnprov.model.values import number_or_none

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dnnprov.importers.imported_run import Progress
    from dnnprov.journal.staging import StagedSegment
    from dnnprov.model.events import RunStatus

_EVALUATED, _TESTED = "eval_", "test_"
_ABOUT_SPEED = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
_AT_END = "train_runtime"
_HYPERPARAMETERS = {"num_train_epochs": "num_epochs", "train_batch_size": "batch_size", "max_steps": "max_steps"}

NOTE = "the file has no times: all of them are that of the file"


def read_trainer_state(
    path: Path, *, dataflow: str | None, name: str | None, progress: Progress
) -> Iterator[ImportedRun]:
    """The training that a file, or the one in a folder of a checkpoint, tells of.

    Args:
        path: of either.
        dataflow: its tag; the name of the folder where it is `None`.
        name: of the run; the same.
        progress: called with the bytes read.

    Raises:
        ImportSourceError: it is no such file.
    """
    file = path / "trainer_state.json" if path.is_dir() else path
    source = describe_source(file, progress)
    state = _load(file)
    entries: list[dict[str, Any]] = state["log_history"]
    folder = file.absolute().parent.name or file.stem
    status, reason = _ending(state, entries)

    def record(segment: StagedSegment) -> None:
        training = ToldTraining(segment)
        training.has(_hyperparameters(state))
        _tell(entries, training)
        training.end(status)

    yield ImportedRun(
        key="",
        dataflow=dataflow or folder,
        name=name or folder,
        sources=(source,),
        tool="Hugging Face Trainer",
        command="trainer-state",
        record=record,
        started_at=source.modified,
        ended_at=source.modified,
        status=status,
        reason=reason,
        tags={"import_note": NOTE},
    )


def _load(path: Path) -> dict[str, Any]:
    """The state that a file holds, looked at so far as it is used."""
    try:
        state = json.loads(path.read_bytes())
    except UnicodeDecodeError as error:
        raise ImportSourceError(path, f"it is not in UTF-8 ({error.reason} at byte {error.start})") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise ImportSourceError(path, f"it is no JSON, or ends early: {error}") from None
    history = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(history, list):
        raise ImportSourceError(path, "it has no list 'log_history'; expected the trainer_state.json of a checkpoint")
    for number, entry in enumerate(history):
        if not isinstance(entry, dict) or not all(_is_number(entry.get(key, 0)) for key in ("step", "epoch")):
            shown = json.dumps(entry)[:80]
            raise ImportSourceError(
                path, f"entry {number} of 'log_history' is {shown}; expected an object whose step and epoch are numbers"
            )
    return state  # type: ignore[no-any-return]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _hyperparameters(state: dict[str, Any]) -> dict[str, Any]:
    """What the state says of them; those of a trial of a search too."""
    found = {column: state[name] for name, column in _HYPERPARAMETERS.items() if state.get(name) is not None}
    trial = state.get("trial_params")
    return {**found, **trial} if isinstance(trial, dict) else found


def _ending(state: dict[str, Any], entries: list[dict[str, Any]]) -> tuple[RunStatus, str | None]:
    """How the training ended, as far as its log tells."""
    done, planned = state.get("global_step"), state.get("max_steps")
    is_done = isinstance(done, int) and isinstance(planned, int) and 0 < planned <= done
    if is_done or any(_AT_END in entry for entry in entries):
        return "finished", None
    return "interrupted", f"the log ends at step {done} of {planned}"


def _tell(entries: list[dict[str, Any]], training: ToldTraining) -> None:
    """Rows of oTrainingModel for whole epochs, series for what was logged within epochs."""
    is_by_epochs = all(_whole(entry) is not None for entry in entries if _is_training(entry))
    rows: dict[int, dict[str, Any]] = {}
    for entry in entries:
        values = {_name(key): value for key, value in entry.items() if key not in {"step", "epoch"}}
        step, epoch = number_or_none(entry.get("step")), number_or_none(entry.get("epoch"))
        rate = next((values[name] for name in RATE_NAMES if name in values), None)
        training.rate_seen(rate, epoch, step if isinstance(step, int) else None)
        whole = _whole(entry)
        tested = {key.removeprefix(_TESTED): value for key, value in values.items() if key.startswith(_TESTED)}
        if tested:
            training.test(tested)
        elif whole is not None and _AT_END not in entry:
            rows.setdefault(whole, {"epoch": whole}).update(values)
        if not tested and (whole is None or _AT_END in entry or (_is_training(entry) and not is_by_epochs)):
            training.step(values, step if isinstance(step, int) else None, epoch)
    for _, row in sorted(rows.items()):
        training.epoch(row, is_rate_told=True)


def _is_training(entry: dict[str, Any]) -> bool:
    return "loss" in entry


def _whole(entry: dict[str, Any]) -> int | None:
    """The epoch that ended with an entry; `None` where it was in the midst of one."""
    epoch = number_or_none(entry.get("epoch"))
    return epoch if isinstance(epoch, int) and epoch > 0 else None


def _name(key: str) -> str:
    """A metric's name as everywhere else: of the validation with `val_`."""
    bare = key.removeprefix(_EVALUATED)
    return key if bare == key or bare.endswith(_ABOUT_SPEED) else f"val_{bare}"
