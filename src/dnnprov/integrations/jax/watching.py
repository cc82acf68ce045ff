"""What `dnnprov.jax.watch` gives back: the recording of a loop that trains with JAX."""

from __future__ import annotations

import atexit
import inspect
import sys
import weakref
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

import jax

from dnnprov.errors import UsageError
from dnnprov.integrations.autologging import program_name
from dnnprov.integrations.finishing_block import FinishingBlock
from dnnprov.integrations.jax.data import record_data
from dnnprov.integrations.jax.layers import layer_rows, num_parameters
from dnnprov.integrations.jax.optimizer_values import OptimizerValues
from dnnprov.integrations.jax.tracing import kept, refuse_traced
from dnnprov.integrations.metric_names import with_canonical_names
from dnnprov.integrations.run_choice import RunChoice
from dnnprov.integrations.training_steps import TrainingSteps

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.model.events import RunStatus

MAX_KEPT = 100_000
"""Values of so many steps are kept on the device, where a loop asks for batches and tells of no epoch."""

_open: set[WatchedTraining] = set()
"""Those that nobody finished, kept until the process ends."""


class WatchedTraining(FinishingBlock):
    """A training in a loop of the user's own: made by `watch`, and a context manager that ends it.

    Its methods never raise. Values on a device are read by `epoch` and `test` only, which wait for them.
    """

    def __init__(self, steps: TrainingSteps, values: OptimizerValues, *, batches: bool = False) -> None:
        self._steps = steps
        self._batches: list[dict[str, Any]] | None = [] if batches else None
        self._values = values
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._is_filled = False
        _open.add(self)

    @property
    def run(self) -> Run | None:
        """The run recorded into."""
        return self._steps.run

    def begin(self, model: Any, state: Any) -> None:
        """The training begins, with what the optimizer was made with and holds now; called by `watch`."""
        held: dict[str, Any] = {}
        warm_up: dict[str, Any] = {}
        first_only: dict[str, Any] = {}
        with self._steps.guarded("jax optimizer"):
            first_only.update(self._values.made_with())
        with self._steps.guarded("jax optimizer state"):
            held.update(self._values.at_start(state))
            self._is_filled = bool(held)
        with self._steps.guarded("jax schedule"):
            warm_up.update(self._values.warm_up(held))
        with self._steps.guarded("jax parameters"):
            first_only.update({} if model is None else {"num_parameters": num_parameters(model)})
        with self._steps.guarded("jax training"):
            parameters = {name: value for name, value in held.items() if name not in warm_up}
            first_only = {name: value for name, value in first_only.items() if name not in held}
            self._steps.begin_training(parameters, _known_by(model), None, first_only)
            if warm_up and self._steps.run is not None:  # the row tells where it leads to, the epochs where it is
                self._steps.run.fill_params(self._steps.run.hyperparameters.new(warm_up))
                self._see({name: held[name] for name in warm_up})
            if model is not None:
                self._steps.describe(lambda: layer_rows(model))
            self._steps.start_clock()

    def uses_data(self, inputs: Any, targets: Any = None) -> None:
        """Record what the loop trains on: shapes, types, classes, and a hash of the content where it is in memory here.

        Args:
            inputs: an array of NumPy or JAX, or several in a list, tuple or mapping.
            targets: likewise.
        """
        with self._steps.guarded("jax data"):
            if self._steps.training is not None:
                refuse_traced({"inputs": inputs, "targets": targets}, "uses_data")
                record_data(self._steps.training, inputs, targets)

    def step(self, /, **metrics: Any) -> None:
        """Take the values of one batch; the epoch's row has their means.

        Nothing is recorded and nothing read: they are summed where they are, and kept there until the end of the epoch
        where batches are asked for.

        Args:
            metrics: name -> value, on a device or not.
        """
        with self._steps.guarded("jax step"):
            refuse_traced(metrics, "step")
            for name, value in metrics.items():
                self._sums[name] = kept(value) if name not in self._sums else self._sums[name] + value
                self._counts[name] = self._counts.get(name, 0) + 1
            if self._batches is not None:
                self._batches.append({name: kept(value) for name, value in metrics.items()})
                if len(self._batches) >= MAX_KEPT:
                    self._record_batches(None)

    def epoch(self, epoch: Any = None, state: Any = None, /, **metrics: Any) -> None:
        """Record that an epoch is over: its row, with the seconds since the one before, and what changed in it.

        Args:
            epoch: its number, as you count; where it is left out, the one after the last: a state may come alone.
            state: of the optimizer as it is now, or the `TrainState`; an optimizer of Flax NNX holds its own.
            metrics: name -> value; one that `step` was given too, has this value.
        """
        with self._steps.guarded("jax epoch"):
            refuse_traced(metrics, "epoch")
            if state is None and not (isinstance(epoch, Real) or hasattr(epoch, "__index__")):
                epoch, state = None, epoch
            number = (self._steps.last_epoch or 0) + 1 if epoch is None else epoch
            self._steps.number_epoch(number)
            held: dict[str, Any] = {}
            with self._steps.guarded("jax optimizer state"):
                held = self._values.now(state)
                self._fill(held)
                self._see(held)
            with self._steps.guarded("jax batches"):
                self._record_batches(number)
            rates = {name: value for name, value in held.items() if name.startswith("learning_rate")}
            means = {name: total / self._counts[name] for name, total in self._sums.items()}
            self._sums, self._counts = {}, {}
            self._steps.end_epoch(number, {**rates, **with_canonical_names({**means, **metrics})})
            self._steps.start_clock()

    def _see(self, held: Mapping[str, Any]) -> None:
        for name, value in held.items():
            self._steps.see({name: value}, partial(self._values.technique, name))

    def _record_batches(self, epoch: int | None) -> None:
        """Read the values of the steps since the last time at once, and record them."""
        if self._batches and self._steps.run is not None:
            batches, self._batches = self._batches, []
            for values in jax.device_get(batches):
                self._steps.run.log(epoch=epoch, **values)

    def _fill(self, held: Mapping[str, Any]) -> None:
        """At the first epoch: take what the optimizer holds, where that could not be read when the training began."""
        if not self._is_filled and held and self._steps.run is not None:
            self._is_filled = True
            self._steps.run.fill_params(held)

    def test(self, /, **metrics: Any) -> None:
        """Record the result on the whole test set, as a Testing task.

        Args:
            metrics: name -> value.
        """
        with self._steps.guarded("jax test"):
            self._steps.begin_testing()
            self._steps.end_testing(with_canonical_names(metrics))

    def add_file(self, path: str | os.PathLike[str], role: str = "model") -> None:
        """Record a file or folder that the training wrote; its SHA-256 follows."""
        with self._steps.guarded("jax add_file"):
            self._steps.add_file(path, role)

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """End the training, and the run where it was started here; the process does that at its end, too.

        Args:
            status: one of finished, failed, interrupted, stopped, pruned; `finished` where it is left out.
            reason: why, in words.
        """
        status = status or "finished"
        _open.discard(self)
        with self._steps.guarded("jax batches"):
            self._record_batches(None)
        with self._steps.guarded("jax finish"):
            self._steps.end_training(status, reason)
            self._steps.finish(status, reason)


def watch(  # noqa: PLR0913 - most of them say which run, by name
    model: Any = None,
    optimizer: Any = None,
    state: Any = None,
    *,
    dataflow: str | None = None,
    params: Mapping[str, Any] | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | Iterable[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    run: Run | None = None,
    after: RunTask | Iterable[RunTask] | None = None,
    batches: bool = False,
) -> WatchedTraining:
    """Begin to record a loop that trains with JAX.

    Args:
        model: module of Flax NNX, `TrainState`, or tree of parameters; its layers are described.
        optimizer: of Flax NNX or optax; a `TrainState` has its own.
        state: of an optimizer of optax, where that holds hyperparameters (`optax.inject_hyperparams`).
        dataflow: tag of the dataflow; the name of the script where it is left out.
        params: hyperparameters that you state: number of epochs, batch size, the loss function; they win over what is
            read. A function is told by its name.
        name: of a run that is started here; `<dataflow>-<n>` where it is left out.
        tags: of a run that is started here.
        store: of a run that is started here; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: to record into, instead of the one whose `with` block encloses the call, or a new one.
        after: the task or tasks whose results the training uses: Filters.
        batches: record what `step` is given as series of the run too, a value a step; read once an epoch.

    Returns:
        The training, which is told of each epoch.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.

    Example:
        ```python
        with dnnprov.jax.watch(params={"learning_rate": 0.1}, dataflow="line") as training:
            for epoch in range(1, 4):
                training.epoch(epoch, loss=1 / epoch)
            training.test(loss=0.3)
        ```
    """
    if isinstance(state, str):
        raise UsageError(
            f"state={state!r} is a str; expected what the optimizer holds; a dataflow is dataflow={state!r}"
        )
    choice = RunChoice(program_name() if dataflow is None else dataflow, _named(params), name, tags, store, run)
    held = model if optimizer is None and hasattr(model, "opt_state") else optimizer
    training = WatchedTraining(TrainingSteps(choice, after), _values(held), batches=batches)
    training.begin(model, state)
    return training


def _named(params: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Stated hyperparameters with the names of functions in their place."""
    if not isinstance(params, dict):
        return params
    return {name: value.__name__ if inspect.isroutine(value) else value for name, value in params.items()}


def _values(optimizer: Any) -> OptimizerValues:
    try:
        return OptimizerValues(optimizer)
    except Exception:  # noqa: BLE001 - an optimizer of the user's may raise anything; then nothing is read of it
        return OptimizerValues(None)


def _known_by(model: Any) -> Any:
    """What tells one model from another; trees of parameters are new ones after each step."""
    try:
        weakref.ref(model)
        hash(model)
    except TypeError:
        return None
    return model


def _finish_open() -> None:
    """At exit: a loop that came to its end, in a script that did; an exception tells more, by itself."""
    if getattr(sys, "last_value", None) is None:
        for training in list(_open):
            training.finish()


atexit.register(_finish_open)  # runs before the one of training_steps, which is imported before
