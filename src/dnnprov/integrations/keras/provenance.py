"""`model.provenance(...)` on stock Keras models (Fig. 6): from then on plain `fit` and `evaluate` are recorded.

`install` gives `keras.Model` the methods `provenance` and `get_dataflow`, and puts a wrapper around `fit`, `evaluate`
and `predict` that adds a `ProvenanceCallback` where the model has provenance, or `autolog` asks for it. A model without
it costs a look into a dictionary. What the callback records goes into the run of the model's dataflow, so that tasks of
the user (`Task`) and those of Keras are one graph.

The provenance of a model lies in the model and dies with it. Copies (deepcopy, pickling, clone_model) have none, since
Keras makes them anew from their configuration.
"""

from __future__ import annotations

import functools
import weakref
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import keras

from dnnprov.capture.current_runs import active_run
from dnnprov.capture.run_task import end_of_block
from dnnprov.capture.start import DISABLED_VARIABLE
from dnnprov.capture.switches import is_switched_on
from dnnprov.dataflow.attribute import Attribute
from dnnprov.dataflow.dataflow import Dataflow
from dnnprov.dataflow.feeding import feeding_tasks
from dnnprov.dataflow.plan import predefined_transformation
from dnnprov.dataflow.recording import begin_recording, forget_recording, known_recording
from dnnprov.dataflow.set import Set, SetType
from dnnprov.dataflow.transformation import Transformation
from dnnprov.errors import UsageError
from dnnprov.integrations.claims import claimed
from dnnprov.integrations.clean_traceback import leave_out_own_frames
from dnnprov.integrations.keras.automatic import find_automatic
from dnnprov.integrations.keras.call_callbacks import bind, has_provenance, with_callback, without_callback
from dnnprov.integrations.keras.callback import ProvenanceCallback
from dnnprov.integrations.keras.provenance_arguments import Wanted, wanted
from dnnprov.integrations.keras.provenance_values import find_value
from dnnprov.integrations.run_choice import in_another_thread

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.dataflow.recording import Recording
    from dnnprov.integrations.keras.automatic import AutomaticProvenance

_PLACE = "_dnnprov_provenance"
"""Attribute of a model, set past Keras, which would track it."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ModelProvenance:
    """Records what a model does into the run of a dataflow.

    Args:
        recording: of the dataflow.
        wants: what is to be recorded.

    Attributes:
        recording: as given.
        is_at_work: whether one of the wrapped methods is under way; what it calls in turn is part of it.
    """

    def __init__(self, recording: Recording, wants: Wanted) -> None:
        self.recording = recording
        self.is_at_work = False
        self._callback: ProvenanceCallback | None = None
        self._run: Run | None = None
        self._fed: list[RunTask] = []
        self._known: set[RunTask] = set()
        self._told: set[str] = set()
        self.take(wants)

    def take(self, wants: Wanted) -> None:
        """Record from now on what is wanted here."""
        self._wants = wants
        plan = self.recording.plan
        plan.is_automatic, plan.activities = True, ("Training", "Testing")
        if wants.is_adapted:
            plan.add(predefined_transformation("Adaptation"))
        if wants.attributes:
            declared = [Attribute(name, kind) for name, kind in wants.attributes.items()]
            plan.add(Transformation("Training", [Set("iTrainingModel", SetType.INPUT, declared)]))
        for transformation in wants.transformations:
            plan.add(transformation)

    def call(self, method: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call `fit`, `evaluate` or `predict` with a callback of ours among its callbacks."""
        positional, named, run, bound = (model, *args), kwargs, None, None
        with self.recording.guarded(f"keras {method.__name__}"):
            bound = bind(method, model, args, kwargs)
            if bound is not None and not has_provenance(bound.arguments.get("callbacks")):
                run = self._prepare(method.__name__, model, bound)
                positional, named = bound.args, bound.kwargs
        self.is_at_work = True
        training = run.training if run else None
        try:
            result = method(*positional, **named)
        except BaseException as error:
            if run is not None and bound is not None and method.__name__ == "fit":
                if self._callback is not None and run.training is training:
                    self._callback.before_callbacks_failed(model, bound.arguments, error)
                self._note_failure(run, training, error)
            raise
        else:
            if run is not None and method.__name__ == "fit" and run is self.recording.own_run:
                run.expect_own_end(None)
            return result
        finally:
            self.is_at_work = False
            if run is not None and bound is not None:
                run.feed_trainings(())
                without_callback(self._callback, bound.arguments.get("callbacks"))

    def _prepare(self, method: str, model: Any, bound: inspect.BoundArguments) -> Run | None:
        """Get the run ready, and put the callback among those of the call; `None` where nothing is to be recorded."""
        if method == "predict" and self.recording.own_run is None and active_run() is None:
            return None
        run = self.recording.run()
        run.hyperparameters.leave_out(self._wants.is_left_out)
        with run.recorder.guarded("the plan of a model"):
            self.recording.post(run)
        if method == "fit":
            with run.recorder.guarded("the hyperparameters of provenance()"):
                self._state_hyperparameters(run, model, bound)
            with run.recorder.guarded("tasks before a training"):
                run.feed_trainings(self._feeding(run))
        if self._callback is None or self._run is not run:
            self._callback, self._run = ProvenanceCallback(self.recording.tag, run=run), run
        bound.arguments["callbacks"] = with_callback(self._callback, bound.arguments.get("callbacks"), model)
        return run

    def _state_hyperparameters(self, run: Run, model: Any, bound: inspect.BoundArguments) -> None:
        wants = self._wants
        run.set_params(**{name: wants.typed(name, value) for name, value in wants.stated.items()})
        arguments = {**{name: one.default for name, one in bound.signature.parameters.items()}, **bound.arguments}
        for name in wants.attributes:
            if name in wants.stated or run.hyperparameters.known(name) is not None:
                continue
            is_found, value = find_value(name, model, arguments)
            if is_found:
                run.set_params(**{name: wants.typed(name, value)})
            elif name not in self._told:
                self._told.add(name)
                run.recorder.note_problem(
                    "unknown_hyperparameter",
                    f"hyperparameter {name!r} of dataflow {wants.tag!r} is neither a keyword of provenance() nor in "
                    "the optimizer, the arguments of fit or the model; NULL was recorded",
                )

    def _feeding(self, run: Run) -> list[RunTask]:
        """The user's tasks since the last training that this one uses; where there is none, those of the last one."""
        new = [one for one in self.recording.executions(run) if one.task not in self._known]
        if new:
            self._fed = feeding_tasks(self.recording.plan, new)
            self._known.update(one.task for one in new)
        return [task for task in self._fed if task.run is run]

    def _note_failure(self, run: Run, before: RunTask | None, error: BaseException) -> None:
        """Keras says nothing to callbacks when a `fit` is left: the training ended as this tells."""
        with self.recording.guarded("keras fit"):
            status, reason = end_of_block(error)
            training = run.training
            if training is not None and training is not before and training.status == "running":
                training.end(status, reason)
            if run is self.recording.own_run and status != "finished":
                run.expect_own_end(status, reason)


def provenance(
    self: Any,
    dataflow_tag: str = "",
    adaptation: bool = False,
    hyps: Mapping[str, bool] = _NOTHING,
    hyperparameters: Any = (),
    transformations: Any = _NOTHING,
    **kwargs: Any,
) -> None:
    """Record what this model does from now on: its next `fit` and `evaluate`, without callbacks.

    Args:
        self: the model.
        dataflow_tag: what you call the model or project; the model's name where it is left out.
        adaptation: whether the plan has an Adaptation beforehand; one that happens is recorded either way.
        hyps: hyperparameter -> whether to record it; one that is not named is. Names in any case: `"LEARNING_RATE"`.
        hyperparameters: more of them, pairs of a name and `"NUMERIC"` or `"TEXT"`. Their values are those given by
            keyword here, else found by name in the optimizer, in the arguments of `fit` or in the model.
        transformations: of your own: tag -> `Transformation`, or `{"input": {name: type}, "output": {name: type}}`.
            More may be added to `get_dataflow()`.
        **kwargs: values of hyperparameters.

    Raises:
        UsageError: an argument has a type that cannot be meant.
    """
    wants = wanted(dataflow_tag or str(self.name), adaptation, hyps, hyperparameters, transformations, kwargs)
    known: ModelProvenance | None = vars(self).get(_PLACE)
    if known is not None and known.recording.tag == wants.tag:
        known.take(wants)
        return
    recording = known_recording(wants.tag)
    if recording is None or recording.is_of_model:
        if recording is not None and not (recording.own_run and recording.own_run.is_executing):
            recording.finish()  # the next model of a search: the run of the one before is over
        recording = begin_recording(wants.tag)
        weakref.finalize(self, in_another_thread, functools.partial(_finish, recording)).atexit = False
    recording.is_of_model = True  # also one that the user began: the model's trainings go into the same run
    object.__setattr__(self, _PLACE, ModelProvenance(recording, wants))


def get_dataflow(self: Any) -> Dataflow:
    """The dataflow that this model is recorded for, to add transformations to.

    Raises:
        UsageError: `provenance` was not called.
    """
    known: ModelProvenance | None = vars(self).get(_PLACE)
    if known is None:
        raise UsageError(f"model {self.name!r} has no dataflow yet; call model.provenance(dataflow_tag=...) first")
    return Dataflow.of(known.recording)


def install() -> None:
    """Give `keras.Model` provenance; a second call does nothing."""
    for name in ("fit", "evaluate", "predict"):
        original = getattr(keras.Model, name)
        if not hasattr(original, "is_recorded_by_dnnprov"):
            setattr(keras.Model, name, _recorded(original))
    keras.Model.provenance, keras.Model.get_dataflow = provenance, get_dataflow


def _recorded(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def recorded(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            known: ModelProvenance | AutomaticProvenance | None = vars(self).get(_PLACE) or find_automatic(self)
            with claimed("keras"):  # PyTorch below records nothing of it
                if known is None or known.is_at_work or is_switched_on(DISABLED_VARIABLE, default=False):
                    return method(self, *args, **kwargs)
                return known.call(method, self, args, kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise

    recorded.is_recorded_by_dnnprov = True  # type: ignore[attr-defined]
    return recorded


def _finish(recording: Recording) -> None:
    """The model is gone: so is its run over."""
    forget_recording(recording)
    recording.finish()
