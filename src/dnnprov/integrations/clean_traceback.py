"""Tracebacks that show the user's code and the framework's, and nothing of what stands between them.

A wrapper that catches what its function raises, takes its own entries off and raises again with a bare `raise` is not
seen: Python adds an entry for a frame where an exception comes into it, not where it is raised again.
"""

from __future__ import annotations


def leave_out_own_frames(error: BaseException) -> None:
    """Take the entries of this package off the begin of a traceback; call it where the error is caught.

    Args:
        error: that a bare `raise` raises again.
    """
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_globals.get("__name__", "").startswith("dnnprov."):
        traceback = traceback.tb_next
    error.__traceback__ = traceback
