"""What is recorded of one study: its sampler, pruner and search space, and its trials."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optuna.distributions import CategoricalDistribution
from optuna.exceptions import TrialPruned
from optuna.trial import TrialState

from dnnprov.capture.current_runs import activate
from dnnprov.capture.run_task import end_of_block
from dnnprov.integrations.clean_traceback import leave_out_own_frames
from dnnprov.integrations.made_with import held_text
from dnnprov.integrations.metric_names import with_canonical_names
from dnnprov.integrations.optuna.shared_study import begin_shared
from dnnprov.integrations.search_steps import NOTHING
from dnnprov.model.values import json_text, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

    from dnnprov.capture.run import Run
    from dnnprov.integrations.search_steps import SearchSteps, TrialSteps
    from dnnprov.model.events import RunStatus

MAX_SHOWN = 80

_STATUS: Mapping[TrialState, RunStatus] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


class StudyRecording:
    """Hands what happens in a study to the steps of its search; it never raises, and holds no study.

    Args:
        search: its steps.
    """

    def __init__(self, search: SearchSteps) -> None:
        self.search = search

    def begin(self, study: Study) -> None:
        """The study is about to be worked on."""
        with self.search.guarded("optuna study"):
            if not self.search.is_begun:
                what: dict[str, Any] = {}
                with self.search.guarded("optuna sampler"):
                    what = _described(study)
                begin_shared(self.search, study, lambda uid: self.search.begin(study, what, uid))

    def begin_trial(self, trial: Trial) -> None:
        """A trial was asked for; what it suggests is told by `suggested`."""
        with self.search.guarded("optuna trial"):
            self.begin(trial.study)
            if self.search.is_begun:
                self.search.begin_trial(trial.number, trial.params)
                for name, distribution in trial.distributions.items():
                    self.search.describe_space(_space_row(name, distribution))

    def suggested(self, trial: Trial, name: str) -> None:
        """A trial has a value for a hyperparameter."""
        with self.search.guarded("optuna suggestion"):
            steps = self.search.find_trial(trial.number)
            if steps is not None:
                steps.set_values({name: trial.params[name]})
                self.search.describe_space(_space_row(name, trial.distributions[name]))

    def reported(self, trial: Trial, value: Any, step: Any) -> None:
        """A trial told an intermediate value."""
        with self.search.guarded("optuna report"):
            steps = self.search.find_trial(trial.number)
            if steps is not None:
                names = trial.study.metric_names
                steps.report(int(step), {names[0] if names else "intermediate_value": float(value)})

    def execute(self, objective: Callable[[Trial], Any], trial: Trial) -> Any:
        """Call the objective with the run of its trial as the active one, so that what trains in it records there."""
        steps = self._trial(trial)
        take_back = _nothing if steps is None else activate(steps.run)
        try:
            value = objective(trial)
        except TrialPruned as error:
            leave_out_own_frames(error)
            raise
        except BaseException as error:
            if steps is not None:
                with self.search.guarded("optuna failure"):
                    steps.end(*end_of_block(error), {})
            leave_out_own_frames(error)
            raise
        else:
            if steps is not None:
                steps.returned = value
            return value
        finally:
            take_back()

    def ended(self, study: Study, trial: FrozenTrial) -> None:
        """Optuna knows how a trial ended."""
        with self.search.guarded("optuna result"):
            steps = self.search.find_trial(trial.number)
            if steps is not None and trial.state in _STATUS:
                result = _result(study, trial)
                if trial.state == TrialState.COMPLETE and study.metric_names:
                    steps.run.log(**with_canonical_names(result))
                if trial.user_attrs:
                    result["user_attrs"] = json_text(trial.user_attrs)
                steps.end(_STATUS[trial.state], _reason(study, trial, steps.returned), result)

    @contextmanager
    def left_ended(self, numbers: set[int]) -> Iterator[None]:
        """A block after which these trials have ended: of those that Optuna told no end, it is not known why."""
        try:
            yield
        finally:
            with self.search.guarded("optuna optimize"):
                self.search.end_left_trials(numbers)

    def finish(self) -> None:
        """Finish the run of the study where it was started here."""
        with self.search.guarded("optuna finish"):
            self.search.finish()

    def find_run(self, trial: Trial) -> Run | None:
        """The run of a trial that has not ended."""
        steps = self._trial(trial)
        return None if steps is None else steps.run

    def _trial(self, trial: Trial) -> TrialSteps | None:
        with self.search.guarded("optuna trial"):
            if (found := self.search.find_trial(trial.number)) is not None:
                return found
        return None


def _nothing() -> None:
    """In the place of what ends the activity of a run."""


def _described(study: Study) -> dict[str, Any]:
    """The study as a row of iSearch."""
    directions = [direction.name.lower() for direction in study.directions]
    row = {
        "tuner": "optuna",
        "study_name": study.study_name,
        "direction": directions[0] if len(directions) == 1 else json_text(directions),
        "metric": json_text(study.metric_names) if study.metric_names else None,
        "algorithm": type(study.sampler).__name__,
        "algorithm_parameters": held_text(study.sampler),
        "pruner": type(study.pruner).__name__,
        "pruner_parameters": held_text(study.pruner),
    }
    return {name: value for name, value in row.items() if value is not None}


def _space_row(name: str, distribution: BaseDistribution) -> dict[str, Any]:
    """A distribution as a row of iSearchSpace."""
    row: dict[str, Any] = {
        "name": name,
        "distribution": type(distribution).__name__.removesuffix("Distribution").lower(),
    }
    if isinstance(distribution, CategoricalDistribution):
        row["choices"] = json_text(list(distribution.choices))
    else:
        row.update({key: getattr(distribution, key, None) for key in ("low", "high", "step", "log")})
    return {key: value for key, value in row.items() if value is not None}


def _result(study: Study, trial: FrozenTrial) -> dict[str, Any]:
    """The values of a trial by name: as the study calls its metrics, else `value`, or `value_0` and so on."""
    values = trial.values or []
    names = study.metric_names or (["value"] if len(values) == 1 else [f"value_{n}" for n in range(len(values))])
    return dict(zip(names, values, strict=False))


def _reason(study: Study, trial: FrozenTrial, returned: Any) -> str | None:
    if trial.state == TrialState.FAIL:
        if returned is NOTHING:
            return "Optuna was told that the trial failed"
        shown = plain_text(returned)[:MAX_SHOWN]
        return f"Optuna took the trial for failed: its objective returned {shown}, no usable value"
    if trial.state != TrialState.PRUNED:
        return None
    if trial.last_step is None:
        return "pruned by its objective"
    value = trial.intermediate_values[trial.last_step]
    return f"{type(study.pruner).__name__} at step {trial.last_step}, intermediate value {value:g}"
