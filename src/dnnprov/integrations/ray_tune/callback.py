"""Provenance of Ray Tune through one callback, in the driver: what trials report comes to it wherever they train."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ray.tune import Callback

from dnnprov.capture.adaptation import Change
from dnnprov.integrations.autologging import program_name
from dnnprov.integrations.metric_names import flat, with_canonical_names
from dnnprov.integrations.ray_tune.controller import Deciders, find_deciders, reason_of_failure
from dnnprov.integrations.ray_tune.origin import Origin, find_origin, local_path, state_of
from dnnprov.integrations.ray_tune.search_space import space_rows, trial_values
from dnnprov.integrations.search_steps import LEFT, SearchSteps
from dnnprov.model.values import same_value

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.search_steps import TrialSteps
    from dnnprov.model.events import RunStatus

_BOOKKEEPING = frozenset(
    {
        "checkpoint_dir_name",
        "config",
        "date",
        "done",
        "episodes_total",
        "experiment_id",
        "experiment_tag",
        "hostname",
        "iterations_since_restore",
        "node_ip",
        "pid",
        "should_checkpoint",
        "time_since_restore",
        "time_this_iter_s",
        "time_total_s",
        "timestamp",
        "timesteps_since_restore",
        "timesteps_total",
        "training_iteration",
        "trial_id",
        "warmup_time",
    }
)
"""What Ray adds to a result."""


@dataclass
class _Trial:
    """What is known of a trial that goes on.

    Attributes:
        steps: its run.
        training: its Training task.
        config: that it trains with, flat.
        result: its last one.
        iteration: of that.
        origin: state of another trial that it went on from last; `None` where there is none.
        is_taken_over: whether it went on from there since its last result.
        pruned: why the scheduler ended it; `None` where it did not.
    """

    steps: TrialSteps
    training: RunTask
    config: dict[str, Any]
    result: dict[str, Any] = field(default_factory=dict)
    iteration: int | None = None
    origin: Origin | None = None
    is_taken_over: bool = False
    pruned: str | None = None


class ProvenanceCallback(Callback):  # type: ignore[misc]
    """Records an experiment of Ray Tune: it is a run, and each trial is a run below that.

    What a trial reports is an epoch of its training, numbered by `training_iteration`. Where the configuration of a
    trial changes while it trains, or it goes on from the state of another one, as by population-based training, that is
    an adaptation with its cause.

    Args:
        dataflow: tag of the runs; the name of the script where it is left out.
        params: what you state of the search itself, for iSearch.
        name: of the search's run; `<dataflow>-<n>` where it is left out.
        tags: of the search's run.
        store: of all runs; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: that the search is, instead of the one whose `with` block encloses its beginning, or a new one.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.
    """

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
        self._arguments = (program_name() if dataflow is None else dataflow, params, name, tags, store, run)
        self._search = SearchSteps(*self._arguments)
        self._deciders = Deciders()
        self._trials: dict[str, _Trial] = {}

    @property
    def run(self) -> Run | None:
        """The run of the search; `None` before its beginning."""
        return self._search.run

    def setup(self, **info: Any) -> None:
        """The experiment begins."""
        with self._search.guarded("ray setup"):
            self._deciders = find_deciders()
        with self._search.guarded("ray search"):
            what = {"tuner": "ray_tune", **self._deciders.described()}
            if info.get("total_num_samples"):
                what["num_trials"] = info["total_num_samples"]
            self._search.begin(self, what)
        with self._search.guarded("ray search space"):
            for row in space_rows(self._deciders.space):
                self._search.describe_space(row)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """A trial begins, or goes on."""
        with self._search.guarded("ray trial"):
            if trial.trial_id not in self._trials:
                config = trial_values(trial.config)
                steps = self._search.begin_trial(trial.trial_id, config)
                training = steps.run.task("Training")
                steps.run.expect_end(training, "failed", LEFT)
                self._trials[trial.trial_id] = _Trial(steps, training, config)
            self._note_origin(self._trials[trial.trial_id], find_origin(trial))

    def on_trial_result(  # noqa: D417 - the others are Ray's
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any  # noqa: ARG002
    ) -> None:  # fmt: skip
        """A trial reported: an epoch.

        Args:
            result: what it reported, with the configuration that it trained with.
        """
        with self._search.guarded("ray result"):
            known = self._trials.get(trial.trial_id)
            if known is None:
                return
            self._note_changes(known, trial_values(result.get("config") or trial.config), result)
            metrics = {name: value for name, value in _reported(result).items() if _is_scalar(value)}
            own = {"epoch": result.get("training_iteration"), "elapsed_time": result.get("time_this_iter_s")}
            known.training.log(**{**with_canonical_names(metrics), **own})
            known.result, known.iteration = metrics, own["epoch"]
            if self._deciders.has_pruned(trial, result):
                known.pruned = self._reason(known, result)

    def on_checkpoint(  # noqa: D417 - the others are Ray's
        self, iteration: int, trials: list[Any], trial: Any, checkpoint: Any, **info: Any  # noqa: ARG002
    ) -> None:  # fmt: skip
        """A trial saved a checkpoint: a folder that its training wrote, where it lies on this machine.

        Args:
            checkpoint: that it saved.
        """
        with self._search.guarded("ray checkpoint"):
            known, path = self._trials.get(trial.trial_id), local_path(checkpoint)
            if known is not None and path is not None:
                known.training.generates_file(path, "checkpoint")

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """A trial ended, by itself, by a criterion or by the scheduler."""
        with self._search.guarded("ray trial"):
            self._end(trial, "finished" if self._pruned(trial) is None else "pruned", self._pruned(trial))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """A trial failed, and is not tried again."""
        with self._search.guarded("ray trial"):
            self._end(trial, "failed", reason_of_failure())

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:  # noqa: ARG002
        """The experiment ended; trials that had not were interrupted."""
        with self._search.guarded("ray search"):
            for known in list(self._trials.values()):
                known.steps.end("interrupted", "the experiment ended before the trial", {})
            self._trials.clear()
            self._search.finish()

    def _note_origin(self, known: _Trial, origin: Origin | None) -> None:
        """A trial is about to go on from there: its training used the checkpoint of another one."""
        if origin is None or origin == known.origin:
            return
        known.origin, known.is_taken_over = origin, True
        if origin.path is not None:
            known.training.uses_file(origin.path, "checkpoint")

    def _note_changes(self, known: _Trial, config: dict[str, Any], result: Mapping[str, Any]) -> None:
        """Record what is not as it was: by which scheduler, from which trial, and which value it had gone by."""
        origin = known.origin if known.is_taken_over else None
        changed = {
            name: (known.config[name], value)
            for name, value in config.items()
            if name in known.config and not same_value(known.config[name], value)
        }
        if origin is not None:  # it has the weights of the other one, whichever values it goes on with
            own = state_of(str(known.steps.number), known.iteration)
            changed = {"checkpoint": (own, origin.state), **changed}
        metric = self._deciders.metric
        for name, (old, new) in changed.items():
            change = Change(
                name,
                old,
                new,
                epoch=result.get("training_iteration"),
                technique=self._deciders.name,
                agent="schedule",
                reason=None if origin is None else origin.reason,
                triggered_by=f"{metric}={known.result[metric]:g}" if metric in known.result else None,
                parameters=self._deciders.parameters,
            )
            known.steps.run.adapt(change, known.training)
        known.config, known.is_taken_over = config, False

    def _reason(self, known: _Trial, result: Mapping[str, Any]) -> str:
        metric = self._deciders.metric
        value = f", {metric} {known.result[metric]:g}" if metric in known.result else ""
        return f"{self._deciders.name} at iteration {result.get('training_iteration')}{value}"

    def _pruned(self, trial: Any) -> str | None:
        known = self._trials.get(trial.trial_id)
        return None if known is None else known.pruned

    def _end(self, trial: Any, status: RunStatus, reason: str | None) -> None:
        known = self._trials.pop(trial.trial_id, None)
        if known is None:
            return
        known.training.end(status, reason)
        metric = self._deciders.metric
        result = {"value": known.result[metric]} if metric in known.result else {}
        known.steps.end(status, reason, result)

    def __getstate__(self) -> dict[str, Any]:
        """A copy, and what another process unpickles, begins anew, with the same arguments but the run."""
        return {"_arguments": (*self._arguments[:-1], None)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(*state["_arguments"])  # type: ignore[misc] # begins anew


def _reported(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the trial itself reported, without what Ray adds."""
    return flat({name: value for name, value in result.items() if name not in _BOOKKEEPING})


def _is_scalar(value: Any) -> bool:
    return isinstance(value, bool | int | float | str) or (hasattr(value, "item") and getattr(value, "size", 0) == 1)
