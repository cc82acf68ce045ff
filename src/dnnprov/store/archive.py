"""Moves closed and ingested segments to the archive, compressed; the original goes only after its copy is durable.

The compressed copy is written beside the folders of the runs and renamed into one of them. So the archive folder's own
time changes with every segment that comes in, by whomever, and one look at it tells whether there is anything new.
What a kill leaves of a copy goes with its run, or with the next `dnnprov gc`.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import secrets
import shutil
from typing import TYPE_CHECKING

from dnnprov.journal.writer import sync_folder

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from dnnprov.journal.folder import StoreFolder

_TEMPORARY = re.compile(r"\.([^.]+)\..+\.[0-9a-f]{16}")


def archive_segment(folder: StoreFolder, segment: Path, num_bytes: int) -> bool:
    """Compress a segment into the archive and remove it; any number of processes may try at once.

    Args:
        folder: of the store.
        segment: that is closed.
        num_bytes: of it that the database has; one that holds more stays.

    Returns:
        Whether it is in the archive. It stays where it is where the folder cannot be written.
    """
    target = folder.archived(segment.parent.name, segment.name.removesuffix(".jsonl"))
    temporary = folder.archive / f".{target.parent.name}.{target.name}.{secrets.token_hex(8)}"
    try:
        if not folder.archive.exists():
            folder.archive.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.journal)
        target.parent.mkdir(exist_ok=True)
        with segment.open("rb") as plain, temporary.open("xb") as compressed:
            with gzip.GzipFile(fileobj=compressed, mode="wb", filename="", mtime=0, compresslevel=4) as packed:
                shutil.copyfileobj(plain, packed, 1 << 20)
            compressed.flush()
            os.fsync(compressed.fileno())
            is_whole = plain.tell() == num_bytes
        if is_whole:
            temporary.rename(target)
            sync_folder(target.parent)
            sync_folder(folder.archive)
            segment.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                segment.parent.rmdir()  # while other segments of the run are open it stays
        else:
            temporary.unlink(missing_ok=True)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        return False
    return is_whole


def discard_unfinished(folder: StoreFolder, runs: Container[str] | None = None) -> None:
    """Remove copies that nobody finished; whose is under way is tried again by the next catch-up.

    Args:
        folder: of the store.
        runs: whose copies are meant; `None` for those of all.
    """
    with contextlib.suppress(FileNotFoundError), os.scandir(folder.archive) as entries:
        for entry in entries:
            named = _TEMPORARY.fullmatch(entry.name)
            if named and (runs is None or named[1] in runs):
                with contextlib.suppress(OSError):
                    (folder.archive / entry.name).unlink()
