"""Tells trackers of ours that `init_trackers` was called, where Accelerate does not: before 1.8, without a `config`.

What trains between that call and the first `log` belongs to the tracker's run, so the run has to begin there.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.clean_traceback import leave_out_own_frames

if TYPE_CHECKING:
    from collections.abc import Callable


def install(accelerator_class: Any, tracker_class: type) -> None:
    """Put the wrapper on.

    Args:
        accelerator_class: of Accelerate.
        tracker_class: ours, which has a `start`.
    """
    accelerator_class.init_trackers = _beginning(accelerator_class.init_trackers, tracker_class)


def _beginning(original: Callable[..., Any], tracker_class: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def init_trackers(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        for one in getattr(self, "trackers", ()):
            if isinstance(one, tracker_class):
                one.start()
        return result

    return init_trackers
