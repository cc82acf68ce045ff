"""Starts programs that are no children of the training, so that one which waits for all its children misses none.

A shell in between starts the program and ends within a millisecond or two, before `start_detached` returns.
"""

from __future__ import annotations

import subprocess
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def start_detached(command: Sequence[str], output: IO[bytes] | int = subprocess.DEVNULL) -> None:
    """Start a program in a session of its own, without standard streams but its output.

    Args:
        command: the program and its arguments.
        output: what it prints to; nothing of it is kept where this is left out.

    Raises:
        OSError: there is no shell, or no process can be started.
    """
    subprocess.run(  # noqa: S603 - commands of our own
        ["/bin/sh", "-c", '"$@" </dev/null 2>/dev/null &', "sh", *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
        check=False,
    )
