"""The state of the code that runs, as git tells it: commit, branch, and whether, and how, it was changed since."""

from __future__ import annotations

import hashlib
import os
import select
import sys
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from dnnprov.capture.detached import start_detached

TIMEOUT_SECONDS = 4.0
"""For all that git is asked; a slow file system must not hold up the end of a run."""

_QUESTIONS = r"""
cd -- "$1" || exit
ask() { git --no-optional-locks "$@"; }
ask rev-parse HEAD --abbrev-ref HEAD && printf '\0' &&
ask status --porcelain && printf '\0' &&
ask diff HEAD --no-ext-diff --no-textconv && printf '\0'
"""
"""A shell script that prints what git says to each question, and a NUL after each that it could answer."""


@dataclass(frozen=True)
class GitState:
    """The state of a working tree.

    Attributes:
        commit: that is checked out.
        branch: that it belongs to, `HEAD` where it is none.
        is_dirty: whether files differ from it; `None` where git did not say so in time.
        diff_sha256: over what git prints about the difference, `None` where there is none.
    """

    commit: str
    branch: str
    is_dirty: bool | None = None
    diff_sha256: str | None = None


class GitQuestion:
    """Asks git for the state of the code that this process runs, which it answers while the training goes on.

    Git is no child of the process: a training that waits for all its children sees its own.
    """

    def __init__(self) -> None:
        self._until = time.monotonic() + TIMEOUT_SECONDS
        self._answer: int | None = None
        program = Path(sys.argv[0]) if sys.argv else Path()
        try:
            folder = program.absolute().parent if program.is_file() else Path.cwd()
            self._answer, writes = os.pipe()
        except OSError:  # the working directory was deleted, or no file can be opened
            return
        try:
            start_detached(["/bin/sh", "-c", _QUESTIONS, "sh", str(folder)], writes)
        except (OSError, ValueError):
            pass
        finally:
            os.close(writes)

    @cached_property
    def answer(self) -> GitState | None:
        """What git said, which is waited for; `None` where there is no git, no repository or no answer in time."""
        head, is_repository, rest = self._read().partition(b"\0")
        if not is_repository:
            return None
        commit, branch = head.split(b"\n")[:2]
        state = GitState(commit.decode("ascii", "replace"), branch.decode("utf-8", "replace"))
        status, is_known, difference = rest.partition(b"\0")
        if not is_known:
            return state
        if not status or not difference.endswith(b"\0"):
            return replace(state, is_dirty=bool(status))
        return replace(state, is_dirty=True, diff_sha256=hashlib.sha256(status + difference[:-1]).hexdigest())

    def _read(self) -> bytes:
        """All that git printed until now, or until it took too long."""
        if self._answer is None:
            return b""
        parts = []
        try:
            poll = select.poll()
            poll.register(self._answer, select.POLLIN)
            while (left := self._until - time.monotonic()) > 0 and poll.poll(left * 1000):
                part = os.read(self._answer, 1 << 16)
                if not part:
                    break
                parts.append(part)
        except OSError:
            pass
        finally:
            os.close(self._answer)  # where git still prints, it ends
        return b"".join(parts)
