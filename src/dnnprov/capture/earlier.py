"""What an earlier process recorded of a run that is resumed: its name, and the hyperparameters it left with.

Read from the journals, since the recording side knows no database. Of a segment only the few lines that tell this are
decoded.
"""

from __future__ import annotations

import contextlib
import gzip
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnnprov.errors import JournalError
from dnnprov.journal.folder import ARCHIVE_SUFFIX
from dnnprov.journal.format import decode
from dnnprov.journal.reader import read_header
from dnnprov.model.events import DataflowDeclared, HyperparameterAdapted, MetricsRecorded, ParametersSet, RunStarted
from dnnprov.model.values import NON_FINITE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder
    from dnnprov.model.events import AnyEvent, TransformationDeclared

_TELLING = re.compile(rb'\{"event":"(?:RunStarted|ParametersSet|HyperparameterAdapted)"')
_DECLARING = re.compile(rb'\{"event":"DataflowDeclared"')
_METRICS = b'{"event":"MetricsRecorded"'


@dataclass
class EarlierRun:
    """What is known of a run from its earlier processes.

    Attributes:
        name: of the run; `None` where its beginning is not here.
        parameters: hyperparameter -> last value.
        num_adaptations: so far.
        num_attempts: processes of the rank so far.
        next_step: after the last step of a metric.
    """

    name: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    num_adaptations: int = 0
    num_attempts: int = 0
    next_step: int = 0


def find_earlier(folder: StoreFolder, uid: str, rank: int = 0) -> EarlierRun | None:
    """The run of this uid as the journals of a rank have it; `None` where there are none.

    Raises:
        OSError: the journals cannot be read.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", uid):
        return None  # no uid of ours, and maybe a path
    segments = []
    for path in folder.run_segments(uid):
        try:
            header = read_header(path)
        except JournalError:  # not ours; ingest says so
            continue
        if header is not None and header.rank == rank and header.forked_from is None:
            segments.append((header.attempt, header.at, path))
    if not segments:
        return None
    earlier = EarlierRun(num_attempts=len(segments))
    for _, _, path in sorted(segments):
        for event in _telling_events(path):
            _take(event, earlier)
    return earlier


def declared_in(folder: StoreFolder, uid: str) -> list[TransformationDeclared]:
    """The transformations that the journals of a run declare, in order.

    Raises:
        OSError: the journals cannot be read.
    """
    found: list[TransformationDeclared] = []
    for path in sorted(folder.run_segments(uid)):
        for event in _telling_events(path, _DECLARING):
            if isinstance(event, DataflowDeclared):
                found += event.transformations
    return found


def _telling_events(path: Path, telling: re.Pattern[bytes] = _TELLING) -> Iterator[AnyEvent]:
    is_archived = path.name.endswith(ARCHIVE_SUFFIX)
    with (
        contextlib.suppress(EOFError, zlib.error, gzip.BadGzipFile),  # a damaged archive; ingest says so
        gzip.open(path, "rb") if is_archived else path.open("rb") as stream,
    ):
        last_metrics = None
        for line in stream:
            if telling.match(line):
                with contextlib.suppress(JournalError):  # torn or damaged; likewise
                    yield decode(line)
            elif line.startswith(_METRICS) and line.endswith(b"\n"):
                last_metrics = line
        if last_metrics is not None:
            with contextlib.suppress(JournalError):
                yield decode(last_metrics)


def _take(event: AnyEvent, earlier: EarlierRun) -> None:
    if isinstance(event, RunStarted):
        earlier.name = event.name
    elif isinstance(event, ParametersSet):
        special = {name: NON_FINITE[value] for name, value in (event.non_finite or {}).items()}
        earlier.parameters.update({**event.values, **special})
    elif isinstance(event, HyperparameterAdapted):
        earlier.parameters[event.attribute] = event.new_value
        earlier.num_adaptations += 1
    elif isinstance(event, MetricsRecorded) and event.step is not None:
        earlier.next_step = max(earlier.next_step, int(event.step) + 1)
