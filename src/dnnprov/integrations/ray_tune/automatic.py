"""Adds the callback to every experiment of Ray Tune, for `dnnprov.autolog()`."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any

from ray import tune

from dnnprov.integrations.clean_traceback import leave_out_own_frames
from dnnprov.integrations.ray_tune.callback import ProvenanceCallback

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.integrations.autologging import Settings

_MARK = "_dnnprov_original"


def record_automatically(settings: Settings) -> None:
    """Record every experiment that is begun from now on, as far as these settings say so."""
    if not hasattr(tune.Tuner.__init__, _MARK):
        tune.Tuner.__init__ = _with_callback(tune.Tuner.__init__, settings)


def _with_callback(original: Callable[..., None], settings: Settings) -> Callable[..., None]:
    @functools.wraps(original)
    def make(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            original(self, *args, **(_recorded(kwargs, settings) if settings.records("ray") else kwargs))
        except BaseException as error:
            leave_out_own_frames(error)
            raise

    setattr(make, _MARK, original)
    return make


def _recorded(kwargs: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The arguments of a tuner, with a callback of ours among those of its run, where it has none yet."""
    given = kwargs.get("run_config")
    config = tune.RunConfig() if given is None else copy.copy(given)
    callbacks = list(getattr(config, "callbacks", None) or [])
    if any(isinstance(one, ProvenanceCallback) for one in callbacks):
        return kwargs
    config.callbacks = [*callbacks, ProvenanceCallback(settings.dataflow)]
    return {**kwargs, "run_config": config}
