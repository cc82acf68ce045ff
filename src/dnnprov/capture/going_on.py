"""Whether a run goes on in some other process, read from its journals, since the recording side knows no database."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from dnnprov.errors import JournalError
from dnnprov.journal.folder import ARCHIVE_SUFFIX
from dnnprov.journal.reader import is_process_gone, read_header

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder

STALE_SECONDS = 120.0
"""Of another machine's process: one that lives writes every 10 s."""

TAIL_BYTES = 4096
_CLOSED = b'{"event":"SegmentClosed"'


def is_going_on(folder: StoreFolder, uid: str) -> bool | None:
    """Whether a process records into a run now; `None` where the store has no run of this uid."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", uid):
        return None  # no uid of ours, and maybe a path
    segments = folder.run_segments(uid)
    if not segments:
        return None
    return any(_is_written(path) for path in segments if not path.name.endswith(ARCHIVE_SUFFIX))


def _is_written(path: Path) -> bool:
    try:
        header = read_header(path)
        if header is None or header.forked_from is not None or _CLOSED in _tail(path):
            return False
        gone = is_process_gone(header)
        return time.time() - path.stat().st_mtime < STALE_SECONDS if gone is None else not gone
    except (OSError, JournalError):  # archived meanwhile, or no journal
        return False


def _tail(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
        return stream.read()
