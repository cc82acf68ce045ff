"""A tracker of Accelerate's that records provenance: what a loop configures, logs, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import accelerate
from accelerate.tracking import GeneralTracker, on_main_process

from dnnprov.capture.current_runs import activate
from dnnprov.integrations.accelerate.beginning import install
from dnnprov.integrations.autologging import program_name
from dnnprov.integrations.metric_names import canonical_name, canonical_parameters, is_of_test, with_canonical_names
from dnnprov.integrations.run_choice import RunChoice
from dnnprov.integrations.torch.accelerator import accelerator_values
from dnnprov.integrations.trainer_values import plain_parameters
from dnnprov.integrations.training_steps import TrainingSteps

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.model.events import RunStatus

_base: Any = GeneralTracker


def _nothing() -> None:
    """Leave no run: none was entered."""


class Tracker(_base):  # type: ignore[misc]
    """Records what a loop with an Accelerator hands to its trackers.

    What `init_trackers` is given as `config` are hyperparameters. What `accelerator.log` is given with a whole `epoch`
    is the row of that epoch, counted as you count; what comes without becomes series, by `step`, or, where all names
    begin with `test` and no step is given, the result of a test. As with other trackers, of several processes the main
    one records.

    **Which run.** The one given as `run`, else the one whose `with dnnprov.start_run(...)` encloses the call, else a
    run of its own, from `init_trackers` to `end_training`.

    Args:
        dataflow: its tag, what you call the model or project; the name of the script where it is left out.
        params: hyperparameters that you state.
        name: of a run of its own; `<dataflow>-<n>` where it is left out.
        tags: of a run of its own.
        store: of a run of its own; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: to record into.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.

    Example:
        ```python
        from accelerate import Accelerator

        accelerator = Accelerator(log_with=dnnprov.accelerate.Tracker("alexnet"))
        accelerator.init_trackers("alexnet", config={"lr": 0.002})
        accelerator.log({"epoch": 1, "train_loss": 2.87, "val_acc": 0.11})
        accelerator.end_training()
        ```
    """

    name = "dnnprov"
    requires_logging_directory = False
    main_process_only = True

    def __init__(
        self,
        dataflow: str | None = None,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | Iterable[str] | None = None,
        store: str | os.PathLike[str] | None = None,
        run: Run | None = None,
    ) -> None:
        super().__init__()
        choice = RunChoice(program_name() if dataflow is None else dataflow, params, name, tags, store, run)
        self._steps = TrainingSteps(choice)
        self._leave: Callable[[], None] = _nothing

    @property
    def run(self) -> Run | None:
        """The run recorded into; `None` before `init_trackers`."""
        return self._steps.run

    @property
    def tracker(self) -> Run | None:
        """The run, as Accelerate's `get_tracker(..., unwrap=True)` gives it."""
        return self.run

    @on_main_process  # type: ignore[untyped-decorator]
    def start(self) -> None:
        """Begin the run."""
        with self._steps.guarded("accelerate start"):
            self._begun()

    @on_main_process  # type: ignore[untyped-decorator]
    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Record hyperparameters under their own names, and those that every framework shares."""
        with self._steps.guarded("accelerate store_init_configuration"):
            self._begun().fill_params(canonical_parameters(plain_parameters(values)))

    @on_main_process  # type: ignore[untyped-decorator]
    def log(self, values: Mapping[str, Any], step: int | None = None, **_: Any) -> None:
        """Record the row of an epoch, the result of a test, or values of a step."""
        with self._steps.guarded("accelerate log"):
            run, epoch = self._begun(), values.get("epoch")
            if epoch is None and step is None and values and all(is_of_test(name) for name in values):
                self._steps.begin_testing()
                self._steps.end_testing({**{canonical_name(name): values[name] for name in values}, **values})
            elif isinstance(epoch, bool) or not isinstance(epoch, int | float) or epoch != int(epoch):
                run.log(**{**values, "step": step})
            else:
                metrics = {name: value for name, value in with_canonical_names(values).items() if name != "epoch"}
                run.log_epoch(int(epoch), **metrics)  # which joins them to what `autolog` sees of the loop

    @on_main_process  # type: ignore[untyped-decorator]
    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """The training is over, and so is the run, where it is the tracker's own.

        Args:
            status: `finished`, if left out.
            reason: why, in words.
        """
        with self._steps.guarded("accelerate finish"):
            self._leave()
            self._steps.finish(status or "finished", reason)

    def _begun(self) -> Run:
        """The run, which is the active one until the tracker is finished: what `autolog` sees goes into it."""
        run = self._steps.choice.at_testing()
        if self._leave is _nothing:
            self._leave = activate(run)
            with self._steps.guarded("accelerate settings"):
                run.fill_params(accelerator_values())
        return run


if not hasattr(_base, "start"):
    install(accelerate.Accelerator, Tracker)
