"""What is recorded of one tuner: its oracle and search space, and its trials."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from dnnprov.capture.current_runs import activate
from dnnprov.capture.run_task import end_of_block
from dnnprov.integrations.clean_traceback import leave_out_own_frames
from dnnprov.integrations.keras.call_callbacks import has_provenance, with_callback
from dnnprov.integrations.keras.callback import ProvenanceCallback
from dnnprov.integrations.made_with import held_text
from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dnnprov.integrations.search_steps import SearchSteps
    from dnnprov.model.events import RunStatus

_STATUS: Mapping[str, RunStatus] = {"COMPLETED": "finished", "FAILED": "failed", "INVALID": "failed"}


class TunerRecording:
    """Hands what happens in a search to its steps; it never raises, and holds no tuner.

    Args:
        search: its steps.
    """

    def __init__(self, search: SearchSteps) -> None:
        self.search = search

    def begin(self, tuner: Any) -> None:
        """The tuner is about to search."""
        what: dict[str, Any] = {}
        with self.search.guarded("keras_tuner oracle"):
            what = _described(tuner)
        with self.search.guarded("keras_tuner search"):
            self.search.begin(tuner, what)

    def run_trial(
        self, tuner: Any, method: Callable[..., Any], trial: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run a trial for the tuner, with the run of the trial as the active one."""
        take_back = None
        with self.search.guarded("keras_tuner trial"):
            steps = self.search.begin_trial(trial.trial_id, trial.hyperparameters.values)
            take_back = activate(steps.run)
            kwargs = _recorded_kwargs(tuner, kwargs)
        try:
            return method(trial, *args, **kwargs)
        except BaseException as error:
            with self.search.guarded("keras_tuner failure"):
                if (failed := self.search.find_trial(trial.trial_id)) is not None:
                    failed.end(*end_of_block(error), {})
            leave_out_own_frames(error)
            raise
        finally:
            if take_back is not None:
                take_back()

    def ended(self, tuner: Any, trial: Any) -> None:
        """The oracle was told how a trial ended, and has scored it."""
        with self.search.guarded("keras_tuner result"):
            for one in tuner.oracle.get_space().space:
                self.search.describe_space(_space_row(one))
            steps = self.search.find_trial(trial.trial_id)
            if steps is None:
                return
            known = tuner.oracle.get_trial(trial.trial_id)
            steps.set_values(known.hyperparameters.values)
            result = {"value": known.score, "best_step": known.best_step, "metric": _objective(tuner.oracle)[0]}
            if steps.run.training is not None and known.best_step is not None:
                result["best_epoch"] = known.best_step + 1  # epochs count from 1 here, from 0 there
            status = _STATUS.get(str(known.status), "finished")
            reason = known.message.strip().rpartition("\n")[2] if status == "failed" and known.message else None
            steps.end(status, reason, {name: value for name, value in result.items() if value is not None})

    def end_left_trials(self) -> None:
        """The search is over: trials of which the tuner told no end were left."""
        with self.search.guarded("keras_tuner search"):
            self.search.end_left_trials()

    def finish(self) -> None:
        """Finish the run of the search where it was started here."""
        with self.search.guarded("keras_tuner finish"):
            self.search.finish()


def _recorded_kwargs(tuner: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments with a callback of ours, where Keras Tuner itself trains with them and has none yet."""
    is_theirs = str(getattr(type(tuner).run_trial, "__module__", "")).partition(".")[0] == "keras_tuner"
    takes_any = any(one.kind is one.VAR_KEYWORD for one in inspect.signature(type(tuner).run_trial).parameters.values())
    is_of_keras = hasattr(tuner, "executions_per_trial")
    if not (is_theirs and takes_any and is_of_keras) or has_provenance(kwargs.get("callbacks")):
        return kwargs
    callback = ProvenanceCallback(tuner.project_name or "search")  # it records into the run of the trial
    return {**kwargs, "callbacks": with_callback(callback, kwargs.get("callbacks"), None)}


def _described(tuner: Any) -> dict[str, Any]:
    """The tuner as a row of iSearch."""
    oracle = tuner.oracle
    metric, direction = _objective(oracle)
    row = {
        "tuner": "keras_tuner",
        "study_name": tuner.project_name,
        "metric": metric,
        "direction": direction,
        "algorithm": type(oracle).__name__.removesuffix("Oracle"),
        "algorithm_parameters": held_text(oracle),
        "executions_per_trial": getattr(tuner, "executions_per_trial", None),
    }
    return {name: value for name, value in row.items() if value is not None}


def _objective(oracle: Any) -> tuple[str | None, str | None]:
    """Name of the metric that is optimized, and which way: of several, lists."""
    objective = oracle.objective
    several = getattr(objective, "objectives", None)
    if several:
        return json_text([one.name for one in several]), json_text([_direction(one) for one in several])
    return objective.name, _direction(objective)


def _direction(objective: Any) -> str | None:
    directions: dict[Any, str] = {"min": "minimize", "max": "maximize"}
    return directions.get(objective.direction)


def _space_row(hyperparameter: Any) -> dict[str, Any]:
    """A hyperparameter as a row of iSearchSpace."""
    held = hyperparameter.get_config()
    row = {
        "name": hyperparameter.name,
        "distribution": type(hyperparameter).__name__.lower(),
        "low": held.get("min_value"),
        "high": held.get("max_value"),
        "step": held.get("step"),
        "log": held["sampling"] == "log" if held.get("sampling") else None,
        "choices": json_text(list(held["values"])) if "values" in held else None,
        "conditions": json_text([str(one) for one in held["conditions"]]) if held.get("conditions") else None,
    }
    return {name: value for name, value in row.items() if value is not None}
