"""Which process launched this one and its neighbours: by it, ranks on one machine agree without a word between them.

Between the launcher and a rank there may be others, such as a shell script that calls Python. They began with the
variables that the launcher sets; the launcher itself began without.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.journal.reader import machine_boot, process_started

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_MOST_ANCESTORS = 32
_PS_SECONDS = 2.0


def find_launching_process(signs: Mapping[str, str], *, skips_own: bool) -> str | None:
    """The nearest process, this one or an ancestor, that did not begin with some variables.

    Args:
        signs: variables with their values here.
        skips_own: whether this one cannot be it, since it was started to be a rank.

    Returns:
        `<boot>/<pid>/<start>`, the same for all that it launched; `None` where it cannot be seen.
    """
    pid = os.getppid() if skips_own else os.getpid()
    for _ in range(_MOST_ANCESTORS):
        begun_with = beginning_of(pid, signs)
        if begun_with is None:  # no /proc; or another user's, as the daemons of batch systems are
            return _named(os.getppid() if pid == os.getpid() else pid)
        if not signs or begun_with != signs:
            return _named(pid)
        parent = _parent_of(pid)
        if parent is None or parent <= 0:
            return None
        pid = parent
    return None


def beginning_of(pid: int, names: Collection[str]) -> dict[str, str] | None:
    """Variables that a process began with, of some; `None` where that cannot be seen."""
    try:
        content = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    pairs = (pair.partition(b"=") for pair in content.split(b"\0"))
    found = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    return {name: found[name] for name in names if name in found}


def is_started_by_multiprocessing() -> bool:
    """Whether this process is a child that `multiprocessing` started."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def is_importing_again() -> bool:
    """Whether a spawned child of `multiprocessing` is importing the program of its parent, before it does its work."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and getattr(process.current_process(), "_inheriting", False) is True


def _parent_of(pid: int) -> int | None:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        return int(status.rpartition(")")[2].split()[1])  # the name before may hold anything
    except (OSError, ValueError, IndexError):
        return None


def _named(pid: int) -> str | None:
    started = process_started(pid) if machine_boot() is not None else _start_by_ps(pid)
    return None if pid <= 0 else f"{machine_boot() or os.uname().nodename}/{pid}/{started}"


def _start_by_ps(pid: int) -> str:
    """When a process began, where there is no /proc."""
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PS_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return " ".join(done.stdout.decode("ascii", "replace").split()).replace("/", "-")
