"""SHA-256 of recorded files, computed off the training thread and only of what was recorded.

The size and time of a file are noted when it is recorded. The hash comes later; when the file is no longer the one
that was noted, it is marked instead of given the hash of something else.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnprov.model.content_hash import content_sha256, files_below

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
    inside = [entry.stat() for entry in files_below(path)]
    newest = max((entry.st_mtime_ns for entry in inside), default=found.st_mtime_ns)
    return FileState(sum(entry.st_size for entry in inside), newest, found.st_ino)


def file_sha256(path: Path, expected: FileState) -> tuple[str | None, str | None]:
    """The hash of a file that is in the expected state before and after, or the reason why there is none.

    Returns:
        (hexadecimal SHA-256, None), or (None, reason).
    """
    try:
        if file_state(path) != expected:
            return None, OVERWRITTEN
        if not path.is_file() and not path.is_dir():
            return None, "no regular file"  # a pipe or a device would be read for ever
        digest = content_sha256(path)
        if file_state(path) != expected:
            return None, OVERWRITTEN
    except FileNotFoundError:
        return None, "deleted before it was hashed"
    except OSError as error:
        return None, f"not readable: {error.strerror}"
    return digest, None
