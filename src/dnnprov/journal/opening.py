"""How a process opens a segment: the name that it gives it, and the first event, which says how to know it lives."""

from __future__ import annotations

import os
import re
import secrets
import socket
from typing import TYPE_CHECKING

from dnnprov.journal.reader import process_started

if TYPE_CHECKING:
    from dnnprov.model.events import SegmentOpened


def process_name(rank: int = 0, *, forked: bool = False) -> str:
    """Name of a segment: rank, machine, pid, and a random part, since pids come again."""
    host = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:16] or "host"
    kind = "-fork" if forked else ""
    return f"r{rank}{kind}-{host}-{os.getpid()}-{secrets.token_hex(4)}"


def signed(header: SegmentOpened, process: str, boot: str | None) -> SegmentOpened:
    """The opening event of a segment of this process, with what it is known by; `boot` is that of the machine."""
    header.process = process
    header.host, header.pid = socket.gethostname(), os.getpid()
    header.started, header.boot = process_started(header.pid), boot
    return header
