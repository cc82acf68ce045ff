"""Stores to measure with: each in a folder of its own that goes when it was measured."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def new_store(*, is_followed: bool = False) -> Iterator[Path]:
    """A store folder that does not exist yet, the default one of this process and its children meanwhile.

    Args:
        is_followed: whether a recorder starts the follower, as it does for users. Where it does, it competes with
            what is measured for the processor, and a benchmark says so.
    """
    with tempfile.TemporaryDirectory(prefix="dnnprov-bench-", ignore_cleanup_errors=True) as folder:
        place = Path(folder) / "store"
        settings = {"DNNPROV_STORE": str(place), "DNNPROV_FOLLOW": "1" if is_followed else "0"}
        with mock.patch.dict(os.environ, settings):
            yield place


def folder_bytes(folder: Path) -> dict[str, int]:
    """Size of every file below a folder, by its path in it."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
