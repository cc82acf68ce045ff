"""Makes runs of folders of event files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.importers.imported_run import ImportedRun, describe_source
from dnnprov.importers.logged_names import epoch_name, meaning, parameter_name, parameter_value
from dnnprov.importers.tensorboard.folders import event_files, find_log_folders
from dnnprov.importers.told_training import ToldTraining, number_in
from dnnprov.model.training import LEARNING_RATE, SETS

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from pathlib import Path

    from dnnprov.importers.courses import Steps
    from dnnprov.importers.imported_run import Progress
    from dnnprov.importers.tensorboard.folders import LogFolder
    from dnnprov.journal.staging import StagedSegment
    from dnnprov.model.events import RunStatus

_SUCCESS, _FAILURE = 1, 2

NOTE = "the log does not say how the training ended"


def read_event_folders(
    root: Path, place: Path, *, dataflow: str | None, pattern: re.Pattern[str] | None, steps: Steps, progress: Progress
) -> Iterator[ImportedRun]:
    """The trainings below a folder. All files are looked through before the first is told.

    Args:
        root: the folder.
        place: a folder to keep numbers in meanwhile.
        dataflow: of the runs; the name of the folder where it is `None`.
        pattern: of names of runs, whose groups are hyperparameters.
        steps: what the steps of series are.
        progress: called with the bytes read.

    Raises:
        ImportSourceError: there is none, or a file is damaged.
    """
    total = sum(path.stat().st_size for files in event_files(root).values() for path in files)
    done = 0

    def read(num_bytes: int) -> None:
        nonlocal done
        done += num_bytes
        progress(done, total)

    tag = dataflow or root.absolute().name
    for folder in find_log_folders(root, place, read):
        yield _run(folder, tag, pattern, steps)


def _run(folder: LogFolder, dataflow: str, pattern: re.Pattern[str] | None, steps: Steps) -> ImportedRun:
    sources = tuple(describe_source(path) for path in folder.all_files)
    surveys = [one.survey for one in (folder, *folder.sessions)]
    began = [one.began_at for one in surveys if one.began_at <= one.ended_at]
    ended = [one.ended_at for one in surveys if one.began_at <= one.ended_at]
    started_at = min(began, default=sources[0].modified)
    status, reason = _ending(folder)

    def record(segment: StagedSegment) -> None:
        training = ToldTraining(segment, started_at)
        training.has(_hyperparameters(folder, pattern, training))
        _tell(folder, folder.epoch_tags(steps), training)
        training.end(status, max(ended, default=started_at))

    is_known = any(one.survey.session_status for one in (folder, *folder.sessions))
    return ImportedRun(
        key=folder.name,
        dataflow=dataflow,
        name=folder.name,
        sources=sources,
        tool="TensorBoard",
        command="tensorboard",
        record=record,
        started_at=started_at,
        ended_at=max(ended, default=started_at),
        status=status,
        reason=reason,
        tags={} if is_known else {"import_note": NOTE},
    )


def _ending(folder: LogFolder) -> tuple[RunStatus, str | None]:
    """How a training ended, as the plug-in for hyperparameters has it."""
    sessions = [one.survey for one in (folder, *folder.sessions) if one.survey.is_session]
    ends = [one.session_status for one in sessions if one.session_status is not None]
    if sessions and not ends:
        return "crashed", "the log says that a session began, and nothing of its end"
    if not ends or ends[-1] == _SUCCESS:
        return "finished", None
    if ends[-1] == _FAILURE:
        return "failed", "the log says that the session failed"
    return "crashed", "the log says that the session is running"


def _hyperparameters(folder: LogFolder, pattern: re.Pattern[str] | None, training: ToldTraining) -> dict[str, Any]:
    """What the plug-in says, and of what it does not say, what the name does."""
    found: dict[str, Any] = {}
    if pattern is not None:
        match = pattern.fullmatch(folder.name)
        if match is None:
            training.left_out(
                f"the name {folder.name!r} does not fit the pattern of names; it tells no hyperparameters"
            )
        else:
            found = {parameter_name(name): number_in(value) for name, value in match.groupdict().items()}
    for one in (folder, *folder.sessions):
        found.update({parameter_name(name): value for name, value in one.survey.hyperparameters.items()})
    kinds = SETS["itrainingmodel"].attributes
    return {name: parameter_value(value, kinds.get(name)) for name, value in found.items()}


def _tell(folder: LogFolder, epoch_tags: frozenset[str], training: ToldTraining) -> None:
    """Series as they come, then a row for each epoch, then the results of tests."""
    rows: dict[int, dict[str, Any]] = {}
    times: dict[int, int] = {}
    tests: dict[str, Any] = {}
    tested_at = 0
    for one in (folder, *folder.sessions):
        tags = one.survey.tags
        means = [meaning(tag) for tag in tags]
        names = [epoch_name(tag) if one is folder and tag in epoch_tags else None for tag in tags]
        is_test = [
            kind[0] == "test" and course.count == 1 for kind, course in zip(means, one.survey.courses, strict=True)
        ]
        is_rate = [kind[1] == LEARNING_RATE for kind in means]
        for place, step, at, value in one.survey.scalars():
            name = names[place]
            if name is not None:
                rows.setdefault(step, {"epoch": step})[name] = value
                times[step] = max(at, times.get(step, 0))
            elif is_test[place]:
                tests[means[place][1]], tested_at = value, at
            else:
                if is_rate[place]:
                    training.rate_seen(value, None, step, at)
                training.step({tags[place]: value}, step, None, at)
    for step, row in sorted(rows.items()):
        training.epoch(row, times[step])
    if tests:
        training.test(tests, tested_at)
    _tell_left_out(folder, training)


def _tell_left_out(folder: LogFolder, training: ToldTraining) -> None:
    for one in (folder, *folder.sessions):
        for (word, tag), count in one.survey.others.items():
            training.left_out(f"{count} values of tag {tag!r} are of the kind {word}; numbers are imported")
        for name, num_bytes in one.survey.torn.items():
            training.left_out(
                f"the last {num_bytes} bytes of {name!r} are half a record, as a killed process leaves it"
            )
