"""What the stacks of the running threads and the exception at hand say about a `fit` that nobody heard the end of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dnnprov.capture.run_task import end_of_block
from dnnprov.integrations.keras.probes import is_of_keras
from dnnprov.integrations.training_steps import ABANDONED

if TYPE_CHECKING:
    from types import FrameType

    from dnnprov.model.events import RunStatus

MAX_FRAMES = 200


def is_on_a_stack(thing: object) -> bool:
    """Whether any thread is within a function of Keras that has this object in a variable."""
    for top in sys._current_frames().values():  # noqa: SLF001 - documented, if for debuggers
        frame: FrameType | None = top
        for _ in range(MAX_FRAMES):
            if frame is None:
                break
            if _holds(frame, thing):
                return True
            frame = frame.f_back
    return False


def how_left(thing: object) -> tuple[RunStatus, str]:
    """How a function of Keras that had this object in a variable was left: by the exception that is handled now.

    In a notebook nobody handles it; there it is the last one that was shown, where that came through the function.
    """
    error: BaseException | None = sys.exception()
    last = getattr(sys, "last_value", None)
    if error is None and isinstance(last, BaseException) and _came_through(last, thing):
        error = last
    status, reason = end_of_block(error)
    return ("failed", ABANDONED) if status == "finished" else (status, reason or ABANDONED)


def _came_through(error: BaseException, thing: object) -> bool:
    traceback = error.__traceback__
    while traceback is not None:
        if _holds(traceback.tb_frame, thing):
            return True
        traceback = traceback.tb_next
    return False


def _holds(frame: FrameType, thing: object) -> bool:
    return thing is not None and is_of_keras(frame) and any(one is thing for one in list(frame.f_locals.values()))
