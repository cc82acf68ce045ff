"""SHA-256 of recorded files, computed off the training thread and only of what was recorded.

The size and time of a file are noted when it is recorded. The hash comes later; when the file is no longer the one
that was noted, it is marked instead of given the hash of something else.
"""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

OVERWRITTEN = "overwritten before it was hashed"


@dataclass(frozen=True)
class FileState:
    """What tells whether a file is still the same.

    Attributes:
        size: bytes; of a folder the sum over its files.
        modified: nanoseconds since 1970.
        inode: number of the file in its file system.
    """

    size: int
    modified: int
    inode: int


def file_state(path: Path) -> FileState:
    """The state of a file or folder now.

    Raises:
        OSError: there is none, or it is not readable.
    """
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        return FileState(found.st_size, found.st_mtime_ns, found.st_ino)
    inside = [entry.stat() for entry in _files_below(path)]
    newest = max((entry.st_mtime_ns for entry in inside), default=found.st_mtime_ns)
    return FileState(sum(entry.st_size for entry in inside), newest, found.st_ino)


def file_sha256(path: Path, expected: FileState) -> tuple[str | None, str | None]:
    """The hash of a file that is in the expected state before and after, or the reason why there is none.

    A folder's hash is taken over a line `<sha256>  <relative path>` for each file in it, sorted by path, as
    `sha256sum` would print them.

    Returns:
        (hexadecimal SHA-256, None), or (None, reason).
    """
    try:
        if file_state(path) != expected:
            return None, OVERWRITTEN
        if not path.is_file() and not path.is_dir():
            return None, "no regular file"  # a pipe or a device would be read for ever
        digest = _folder_digest(path) if path.is_dir() else _digest(path)
        if file_state(path) != expected:
            return None, OVERWRITTEN
    except FileNotFoundError:
        return None, "deleted before it was hashed"
    except OSError as error:
        return None, f"not readable: {error.strerror}"
    return digest, None


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _folder_digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in _files_below(folder):
        whole.update(f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n".encode("utf-8", "backslashreplace"))
    return whole.hexdigest()


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
