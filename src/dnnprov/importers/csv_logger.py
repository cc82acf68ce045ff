"""What `keras.callbacks.CSVLogger` wrote: a header, and a line an epoch.

The format is that of Keras (`keras/src/callbacks/csv_logger.py`): the first column is `epoch`, counted from 0; a metric
that an epoch did not have is `NA`. Such a file has no times and does not say how the training ended.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from dnnprov.errors import ImportSourceError
from dnnprov.importers.imported_run import ImportedRun, describe_source
from dnnprov.importers.told_training import ToldTraining, number_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dnnprov.importers.imported_run import Progress, SourceFile
    from dnnprov.journal.staging import StagedSegment

_EPOCH = "epoch"
_MISSING = "NA"
_PROGRESS_LINES = 4096

NOTE = "the file has no times: those of the epochs are that of the file; how the training ended is not known"


def read_csv_log(
    path: Path, *, dataflow: str | None, name: str | None, separator: str, progress: Progress
) -> Iterator[ImportedRun]:
    """The training that a file tells of.

    Args:
        path: of the file.
        dataflow: its tag; the name of the file without suffix where it is `None`.
        name: of the run; the same.
        separator: between values, as CSVLogger was given it.
        progress: called with the bytes read.

    Raises:
        ImportSourceError: it is no such file.
    """
    source = describe_source(path)
    for _ in _rows(source, separator, lambda *_: None):  # all of it can be read, before anything is told
        pass

    def record(segment: StagedSegment) -> None:
        training = ToldTraining(segment)
        for row in _rows(source, separator, progress):
            training.epoch(row)
        training.end()

    yield ImportedRun(
        key="",
        dataflow=dataflow or path.stem,
        name=name or path.stem,
        sources=(source,),
        tool="Keras CSVLogger",
        command="csvlogger",
        record=record,
        started_at=source.modified,
        ended_at=source.modified,
        tags={"import_note": NOTE},
    )


def _rows(source: SourceFile, separator: str, progress: Progress) -> Iterator[dict[str, Any]]:
    """The values of each line by name; those that are missing are left out.

    Raises:
        ImportSourceError: a line is not what it should be.
    """
    path = source.path
    try:
        with path.open("rb") as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=separator, strict=True)
            names = next(reader, [])
            _check_names(names, path, separator)
            for number, cells in enumerate(reader, 1):
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise ImportSourceError(
                        path,
                        f"line {reader.line_num} has {len(cells)} values; expected {len(names)}, as the header has",
                    )
                values = {name: number_in(cell) for name, cell in zip(names, cells, strict=True) if cell != _MISSING}
                if not isinstance(values.get(_EPOCH), int | float):
                    raise ImportSourceError(
                        path, f"line {reader.line_num} has the epoch {cells[names.index(_EPOCH)]!r}; expected a number"
                    )
                if number % _PROGRESS_LINES == 0:
                    progress(file.tell(), source.size)
                yield values
    except UnicodeDecodeError as error:
        raise ImportSourceError(path, f"it is not in UTF-8 ({error.reason} at byte {error.start})") from None
    except csv.Error as error:
        raise ImportSourceError(path, f"it is no CSV: {error}") from None
    progress(source.size, source.size)


def _check_names(names: list[str], path: Path, separator: str) -> None:
    if _EPOCH not in names:
        shown = separator.join(names)[:80]
        raise ImportSourceError(
            path, f"its first line is {shown!r}; expected names with {_EPOCH!r} among them, separated by {separator!r}"
            " (another separator: --separator)"
        )  # fmt: skip
    if len(set(names)) != len(names):
        raise ImportSourceError(path, f"its first line names a column twice: {separator.join(names)[:80]!r}")
