"""Which recorded files a person means by a path or a hash.

A file is its content. One path may have held several contents over time, which are different files; and one content may
lie at several paths, on other machines too, renamed or moved since: that is one file, recorded several times.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dnnprov.errors import NotFoundError, UsageError
from dnnprov.model.content_hash import content_sha256, files_below
from dnnprov.store.source import time_text

if TYPE_CHECKING:
    from dnnprov.store.base import Store

MIN_PREFIX = 6
"""Characters that the beginning of a SHA-256 must have."""

_HASH = re.compile(rf"(?:sha256:)?([0-9a-f]{{{MIN_PREFIX},64}})", re.IGNORECASE)


class FileRecord(NamedTuple):
    """A file as it was recorded once."""

    file_id: int
    run_id: int
    path: str
    sha256: str | None
    size: int | None
    modified_at: str | None

    @property
    def content(self) -> object:
        """The hash; where there is none, the record stands for itself."""
        return self.sha256 or self.file_id


def find_files(store: Store, name: str) -> tuple[list[FileRecord], list[str]]:
    """All records of the file that is meant, and notes about the choice; none where nothing is called so.

    Args:
        store: to look in.
        name: a path, what lies there now or lay there then; the end of one; or the beginning of a SHA-256.

    Raises:
        NotFoundError: there is such a file, but no run recorded it.
        UsageError: it fits several files.
    """
    if not name:
        return [], []
    place = Path(os.path.abspath(name))  # noqa: PTH100 - as the recorder writes it; `absolute` leaves `..` as it is
    recorded = _records(store, "f.path IN (:name, :place)", name=name, place=str(place))
    content = None
    if found := _state(place):
        content = _content(store, place, found, recorded)
    if content is not None:
        same = _records(store, "f.sha256 = :sha256", sha256=content)
        paths = dict.fromkeys(record.path for record in same)
        moved = [] if str(place) in paths else [f"{str(place)!r} was recorded as {_listed(list(paths))}"]
        return same, moved
    if recorded:
        notes = ["what lies there now was never recorded; what was recorded there last is meant"] if found else []
        return _last_content(store, recorded, notes)
    by_hash = _by_hash(store, name)
    if by_hash:
        return by_hash, []
    by_end = _by_end(store, name)
    if not by_end and found:
        raise NotFoundError(f"the file {name!r} is there, but no run recorded it or anything of its content")
    return _last_content(store, by_end, []) if by_end else ([], [])


def files_in_run(store: Store, run_id: int, name: str) -> list[int]:
    """Keys of the files of one run that have a path or the end of one."""
    recorded = _records(store, "f.run_id = :run", run=run_id)
    return [record.file_id for record in recorded if record.path == name or _ends_with(record.path, name)]


def _ends_with(path: str, end: str) -> bool:
    """Whether a path ends with these folders and this name; also where it was recorded on Windows."""
    if path.endswith(f"/{end}"):
        return True
    return "/" not in path and path.replace("\\", "/").endswith("/" + end.replace("\\", "/"))


def _records(store: Store, condition: str, **parameters: object) -> list[FileRecord]:
    """Records that meet a condition over `f`, in the order of their times."""
    sql = "SELECT f.file_id, f.run_id, f.path, f.sha256, f.size, f.modified_at FROM file AS f"
    rows = store.read(f"{sql} WHERE {condition} ORDER BY f.recorded_at, f.file_id", parameters)[1]
    return [FileRecord(*row) for row in rows]


def _state(place: Path) -> os.stat_result | None:
    """What is at a place, if it is a file or a folder; a pipe or a device would be read for ever."""
    try:
        found = place.stat()
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode) else None


def _content(store: Store, place: Path, state: os.stat_result, recorded: list[FileRecord]) -> str | None:
    """The hash of what is at a place, if any run recorded it; it is computed only where it may be one of them."""
    is_folder = stat.S_ISDIR(state.st_mode)
    last = recorded[-1] if recorded and not is_folder else None
    if last and last.sha256 and (last.size, last.modified_at) == (state.st_size, time_text(state.st_mtime_ns // 1000)):
        return last.sha256
    try:
        size = sum(path.stat().st_size for path in files_below(place)) if is_folder else state.st_size
        if not store.read("SELECT 1 FROM file WHERE size = ? AND sha256 IS NOT NULL LIMIT 1", (size,))[1]:
            return None
        sha256 = content_sha256(place)
    except OSError:
        return None
    return sha256 if store.read("SELECT 1 FROM file WHERE sha256 = ? LIMIT 1", (sha256,))[1] else None


def _last_content(store: Store, recorded: list[FileRecord], notes: list[str]) -> tuple[list[FileRecord], list[str]]:
    """Of several contents at one path the last; all its records, also at other paths."""
    contents = list(dict.fromkeys(record.content for record in recorded))
    last = recorded[-1]
    if len(contents) > 1:
        others = [content for content in contents if content != last.content]
        hashed = [content[:12] for content in others if isinstance(content, str)]
        before = [_listed(hashed)] if hashed else []
        before += [f"{len(others) - len(hashed)} without a hash"] if len(hashed) < len(others) else []
        which = f"sha256 {last.sha256[:12]}" if last.sha256 else "without a hash"
        told = " and ".join(before)
        notes.append(f"{len(contents)} files lay at {last.path!r}; the last is meant, {which}; before it: {told}")
    if last.sha256 is None:
        return [last], notes
    return _records(store, "f.sha256 = :sha256", sha256=last.sha256), notes


def _by_hash(store: Store, name: str) -> list[FileRecord]:
    match = _HASH.fullmatch(name)
    if match is None:
        return []
    recorded = _records(store, "SUBSTR(f.sha256, 1, LENGTH(:hash)) = :hash", hash=match[1].lower())
    contents = list(dict.fromkeys(record.sha256 for record in recorded))
    if len(contents) > 1:
        raise UsageError(
            f"{name!r} fits {len(contents)} files ({_listed([str(one) for one in contents])}); give more of it"
        )
    return recorded


def _by_end(store: Store, name: str) -> list[FileRecord]:
    """The records of the one path that ends so; of several paths if they hold the same."""
    end = name.removeprefix("./").strip("/")
    last = end.rpartition("/")[2]
    pattern = "%" + re.sub(r"([\\%_])", r"\\\1", last)
    found = _records(store, r"f.path LIKE :end ESCAPE '\'", end=pattern) if last else []
    recorded = [one for one in found if _ends_with(one.path, end)]
    paths = list(dict.fromkeys(record.path for record in recorded))
    if len(paths) > 1 and len({record.content for record in recorded}) > 1:
        raise UsageError(f"{name!r} fits {len(paths)} files ({_listed(paths)}); give more of the path")
    return recorded


def _listed(names: list[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
