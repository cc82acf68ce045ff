"""Moves closed and ingested segments to the archive, compressed; the original goes only after its copy is durable."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
from typing import TYPE_CHECKING

from dnnprov.journal.writer import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder


def archive_segment(folder: StoreFolder, segment: Path) -> None:
    """Compress a segment into the archive and remove it; any number of processes may try at once.

    Nothing is done where the folder cannot be written; the segment stays where it is.
    """
    target = folder.archived(segment.parent.name, segment.name.removesuffix(".jsonl"))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with segment.open("rb") as plain, temporary.open("wb") as compressed:
            with gzip.GzipFile(fileobj=compressed, mode="wb", filename="", mtime=0, compresslevel=6) as packed:
                shutil.copyfileobj(plain, packed, 1 << 20)
            compressed.flush()
            os.fsync(compressed.fileno())
        temporary.rename(target)
        sync_folder(target.parent)
        segment.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            segment.parent.rmdir()  # while other segments of the run are open it stays
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
