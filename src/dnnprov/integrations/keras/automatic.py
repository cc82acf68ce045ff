"""Keras trainings that `dnnprov.autolog()` records: a `ProvenanceCallback` is added to every `fit` that has none.

Each model has a callback of its own, which lies in the model and dies with it, and with it the run. So a test of a
model belongs to the run that trained it, also where another model has trained since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.capture.current_runs import active_run
from dnnprov.integrations.keras.call_callbacks import bind, has_provenance, with_callback, without_callback
from dnnprov.integrations.keras.callback import ProvenanceCallback

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.autologging import Settings

_PLACE = "_dnnprov_automatic"
"""Attribute of a model, set past Keras, which would track it."""

_asked_for: list[Settings] = []
"""What `autolog` was asked for, once it was."""


class AutomaticProvenance:
    """Adds a callback to what a model does.

    Args:
        dataflow: tag of a run that begins with it.

    Attributes:
        is_at_work: whether a call is under way; what it calls in turn is part of it.
    """

    def __init__(self, dataflow: str) -> None:
        self.is_at_work = False
        self._callback = ProvenanceCallback(dataflow)

    def call(self, method: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call `fit`, `evaluate` or `predict` with our callback among its callbacks."""
        positional, named, bound = (model, *args), kwargs, None
        if method.__name__ != "predict" or self._callback.run is not None or active_run() is not None:
            bound = bind(method, model, args, kwargs)
        if bound is not None and has_provenance(bound.arguments.get("callbacks")):
            bound = None
        if bound is not None:
            bound.arguments["callbacks"] = with_callback(self._callback, bound.arguments.get("callbacks"), model)
            positional, named = bound.args, bound.kwargs
        self.is_at_work = True
        before = self._training()
        try:
            return method(*positional, **named)
        except BaseException as error:
            if bound is not None and method.__name__ == "fit" and self._training() is before:
                self._callback.before_callbacks_failed(model, bound.arguments, error)
            raise
        finally:
            self.is_at_work = False
            if bound is not None:
                without_callback(self._callback, bound.arguments.get("callbacks"))

    def _training(self) -> RunTask | None:
        """The latest training of the run."""
        return None if self._callback.run is None else self._callback.run.training


def record_automatically(settings: Settings) -> None:
    """Record every model from now on, as far as these settings say so."""
    _asked_for[:] = [settings]


def find_automatic(model: Any) -> AutomaticProvenance | None:
    """What records a model by itself; `None` where nobody asked for that."""
    if not _asked_for or not _asked_for[0].records("keras"):
        return None
    known: AutomaticProvenance | None = vars(model).get(_PLACE)
    if known is None:
        known = AutomaticProvenance(_asked_for[0].dataflow)
        object.__setattr__(model, _PLACE, known)
    return known
