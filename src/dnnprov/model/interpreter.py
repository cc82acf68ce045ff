"""How this Python was started."""

from __future__ import annotations

import sys


def interpreter_options() -> list[str]:
    """The options that this Python was started with, as `-X dev`, for one that takes its place."""
    before = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv[1:])]
    return before[: before.index("-m")] if "-m" in before else before[:-1]
