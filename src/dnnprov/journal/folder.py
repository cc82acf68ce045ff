"""The store folder and where each thing lies in it.

```
.dnnprov/
  provenance.db             the database: a cache, made anew from the journals at any time
  journal/<run>/<process>.jsonl           open segments
  journal/<run>/<process>.<n>.lost        n events could not be written, not even this number
  journal/archive/<run>/<process>.jsonl.gz   closed and ingested ones
  dataflows/<tag>/<n>       numbers given to runs: <tag>-<n>
  dataflows/<tag>/exec-<hash>   uid of the run of an execution that a program for DfAnalyzer named
  dataflows/<tag>.json      the plan of a dataflow, as the database has it
  control/                  requests to running trainings
  server.lock               held by the server of this store
  studies.lock              held for a moment, while a process looks who records a study that several work on
  store-id                  tells this store from another of its path, where its database is not in here
```
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.errors import UsageError
from dnnprov.model.names import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnnprov.journal.database_place import DatabasePlace

STORE_VARIABLE = "DNNPROV_STORE"
FOLDER_VARIABLE = "DNNPROV_DIR"
DEFAULT_FOLDER = ".dnnprov"
SEGMENT_SUFFIX = ".jsonl"
ARCHIVE_SUFFIX = ".jsonl.gz"
UNWRITTEN_SUFFIX = ".lost"
BEGIN_SECONDS = 2.0
"""How long another process may take from the name of a run to its first event."""


@dataclass(frozen=True)
class StoreFolder:
    """Paths below one store folder; nothing is created or read until asked for."""

    path: Path

    @property
    def database(self) -> Path:
        """The SQLite database; outside the folder where the file system has no working locks."""
        return self.database_place.path

    @property
    def database_place(self) -> DatabasePlace:
        """Where the database lies, and why not in the folder if it does not."""
        from dnnprov.journal.database_place import find_database_place  # noqa: PLC0415 - a log call needs none of it

        return find_database_place(self.path)

    @property
    def journal(self) -> Path:
        """Folder of the open segments, one folder a run."""
        return self.path / "journal"

    @property
    def archive(self) -> Path:
        """Folder of the compressed segments."""
        return self.journal / "archive"

    @property
    def dataflows(self) -> Path:
        """Folder of what the recording side may know of dataflows."""
        return self.path / "dataflows"

    @property
    def follower_lock(self) -> Path:
        """Locked by the one follower of this store."""
        return self.database.with_name("follower.lock")

    @property
    def server_lock(self) -> Path:
        """Locked by the one server of this store."""
        return self.path / "server.lock"

    @property
    def studies_lock(self) -> Path:
        """Locked while a process looks who records a study that several work on."""
        return self.path / "studies.lock"

    def segment(self, run: str, process: str) -> Path:
        """The open segment of a process of a run."""
        return self.journal / run / f"{process}{SEGMENT_SUFFIX}"

    def archived(self, run: str, process: str) -> Path:
        """The same segment, compressed."""
        return self.archive / run / f"{process}{ARCHIVE_SUFFIX}"

    def exists(self) -> bool:
        """Whether anything was ever recorded here."""
        return self.journal.is_dir() or (self.path / "provenance.db").exists()

    def create(self) -> None:
        """Make the folder, its parts and a `.gitignore`, as far as they are missing.

        Raises:
            OSError: the place is not writable.
        """
        for folder in (self.journal, self.dataflows, self.path / "control"):
            folder.mkdir(parents=True, exist_ok=True)
        ignore = self.path / ".gitignore"
        if not ignore.exists() or not ignore.stat().st_size:  # empty: the disk was full
            ignore.write_text("*\n", encoding="ascii")

    def open_segments(self) -> Iterator[Path]:
        """The segments not archived yet, in the order of their paths."""
        for run_folder in sorted(_folders(self.journal)):
            if run_folder.name != "archive":
                yield from sorted(run_folder.glob(f"*{SEGMENT_SUFFIX}"))

    def archived_segments(self) -> Iterator[Path]:
        """The compressed segments, in the order of their paths."""
        for run_folder in sorted(_folders(self.archive)):
            yield from sorted(run_folder.glob(f"*{ARCHIVE_SUFFIX}"))

    def run_segments(self, run: str) -> list[Path]:
        """The segments of one run, open and archived."""
        return [*(self.journal / run).glob(f"*{SEGMENT_SUFFIX}"), *(self.archive / run).glob(f"*{ARCHIVE_SUFFIX}")]

    def note_unwritten(self, run: str, process: str, num_events: int) -> None:
        """Note in the name of an empty file, which a full disk takes, how many events could not be written.

        Raises:
            OSError: not even that can be made.
        """
        note = self.journal / run / f"{process}.{num_events}{UNWRITTEN_SUFFIX}"
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()

    def find_unwritten(self, run: str) -> dict[str, int]:
        """Process -> how many of its last events could not be written, as it noted when it closed the run."""
        try:
            notes = [find_note(path) for path in (self.journal / run).iterdir()]
        except OSError:
            return {}
        return {note.process: note.num_events for note in notes if note is not None}

    def default_run_name(self, dataflow: str) -> str:
        """`<dataflow>-<n>` with the next free number; the creation of an empty file makes it ours alone.

        Raises:
            OSError: the place is not writable.
        """
        numbers = self._numbers(dataflow)
        numbers.mkdir(parents=True, exist_ok=True)
        number = max((int(entry.name) for entry in numbers.iterdir() if entry.name.isdecimal()), default=0) + 1
        while not _create_once(numbers / str(number)):
            number += 1
        return f"{dataflow}-{number}"

    def reserve_run_name(self, dataflow: str, name: str) -> None:
        """Keep default names clear of a name that a user gave."""
        numbered = re.fullmatch(re.escape(dataflow) + r"-([1-9]\d{0,8})", name)
        if numbered:
            self._numbers(dataflow).mkdir(parents=True, exist_ok=True)
            _create_once(self._numbers(dataflow) / numbered[1])

    def claim_execution(self, dataflow: str, execution: str, uid: str) -> str:
        """The uid of the run that an execution has which the user named: this one, unless another process was first.

        Raises:
            OSError: the place is not writable.
        """
        hashed = hashlib.sha256(execution.encode("utf-8", "backslashreplace")).hexdigest()[:32]
        place = self._numbers(dataflow) / f"exec-{hashed}"
        place.parent.mkdir(parents=True, exist_ok=True)
        own = place.with_name(f"{place.name}.{uid}")
        own.write_text(uid, encoding="ascii")
        try:
            os.link(own, place)
        except OSError:
            first = place.read_text(encoding="ascii") if place.exists() else ""
            if re.fullmatch(r"[0-9a-f]+", first) and self._has_begun(first, place):
                return first
            own.replace(place)  # the run was removed, or there are no links here
        finally:
            own.unlink(missing_ok=True)
        return uid

    def find_latest_execution(self, dataflow: str) -> str | None:
        """The uid of the run whose execution was claimed last; `None` where no program named one.

        Raises:
            OSError: that cannot be read.
        """
        claims = [
            (one.stat().st_mtime_ns, one) for one in self._numbers(dataflow).glob("exec-*") if "." not in one.name
        ]
        return max(claims)[1].read_text(encoding="ascii") if claims else None

    def _has_begun(self, run: str, claim: Path) -> bool:
        """Whether there is a run that a process claimed; it may be about to begin."""
        until = time.monotonic() + BEGIN_SECONDS
        while not self.run_segments(run):
            if time.monotonic() > until or abs(time.time() - claim.stat().st_mtime) > BEGIN_SECONDS:
                return False
            time.sleep(0.01)
        return True

    def plan(self, dataflow: str) -> Path:
        """Where the plan of a dataflow is left for the recording side."""
        return self.dataflows / f"{_file_name(dataflow)}.json"

    def _numbers(self, dataflow: str) -> Path:
        return self.dataflows / _file_name(dataflow)


@dataclass(frozen=True)
class UnwrittenNote:
    """What a process left when it closed a run of which its last events could not be written.

    Attributes:
        path: of the empty file.
        run: uid of the run.
        process: name of the process.
        num_events: that are lost.
    """

    path: Path
    run: str
    process: str
    num_events: int


def find_note(path: Path) -> UnwrittenNote | None:
    """The note that a file is; `None` where it is something else."""
    found = re.fullmatch(rf"(.+)\.([0-9]{{1,15}}){re.escape(UNWRITTEN_SUFFIX)}", path.name)
    return UnwrittenNote(path, path.parent.name, found[1], int(found[2])) if found else None


def _file_name(tag: str) -> str:
    """A name for what belongs to a dataflow: two tags that reduce to one plain name get names of their own."""
    readable = plain_name(tag)
    if readable == tag:
        return readable
    exact = tag.encode("utf-8", "backslashreplace")
    shown = exact.hex() if len(exact) <= 80 else f"{exact[:40].hex()}~{hashlib.sha256(exact).hexdigest()[:32]}"
    return f"{readable[:40]}~{shown}"


def _folders(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir()]
    except OSError:
        return []


def _create_once(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def is_database_url(place: str) -> bool:
    """Whether a store is a PostgreSQL database rather than a folder."""
    return place.startswith(("postgresql://", "postgres://"))


def store_place(store: str | os.PathLike[str] | None = None) -> str:
    """The store that is meant: the argument, else `DNNPROV_STORE`, else `./.dnnprov`.

    Raises:
        UsageError: the argument is neither a path nor a string.
    """
    if store is None or store == "":
        return os.environ.get(STORE_VARIABLE) or DEFAULT_FOLDER
    if not isinstance(store, str | os.PathLike):
        raise UsageError(f"store={store!r} is a {type(store).__name__}; expected a path or a postgresql:// URL")
    return os.fspath(store)


def store_folder(store: str | os.PathLike[str] | None = None) -> StoreFolder:
    """The folder where the journals of a store lie: the store itself, or for a database `DNNPROV_DIR`.

    The path is made absolute, so that a program that changes its working directory goes on recording to one place.
    """
    place = store_place(store)
    if is_database_url(place):
        place = os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER
    try:
        path = Path(place).expanduser()
    except RuntimeError:
        raise UsageError(f"store={place!r} begins with the home of a user that does not exist") from None
    try:
        return StoreFolder(path.absolute())
    except FileNotFoundError:  # the working directory was deleted: recording will say that it cannot write
        return StoreFolder(path)
