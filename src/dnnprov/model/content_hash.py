"""The SHA-256 by which a file or folder is known, wherever it lies and whatever it is called.

Whoever records a file and whoever looks for one later must mean the same hash, so it stands here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def content_sha256(path: Path) -> str:
    """The hash of a file, or of all files in a folder, in hexadecimal.

    A folder's hash is taken over a line `<sha256>  <relative path>` for each file in it, sorted by path, as
    `sha256sum` would print them.

    Raises:
        OSError: there is none, or it is not readable.
    """
    return _folder_digest(path) if path.is_dir() else _digest(path)


def files_below(folder: Path) -> list[Path]:
    """The files in a folder and its folders, sorted by path."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _folder_digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in files_below(folder):
        whole.update(f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n".encode("utf-8", "backslashreplace"))
    return whole.hexdigest()
