"""What `dnnprov.optuna.track` gives back: the recording of a study, for its user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.study import Study

from dnnprov.errors import UsageError
from dnnprov.integrations.autologging import program_name
from dnnprov.integrations.optuna.studies import record_study
from dnnprov.integrations.search_provenance import SearchProvenance
from dnnprov.integrations.search_steps import SearchSteps

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from optuna.trial import Trial

    from dnnprov.capture.run import Run

_NO_NAME = "no-name-"
"""What Optuna calls a study that has no name begins so."""


class StudyProvenance(SearchProvenance):
    """Records a study: made by `track`, and a context manager that finishes its run."""

    def __init__(self, study: Study, search: SearchSteps) -> None:
        super().__init__(search)
        self._recording = record_study(study, search)

    def run_of(self, trial: Trial) -> Run | None:
        """The run of a trial that goes on, for what trains between `study.ask` and `study.tell`."""
        return self._recording.find_run(trial)


def track(
    study: Study,
    dataflow: str | None = None,
    params: Mapping[str, Any] | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | Iterable[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    run: Run | None = None,
) -> StudyProvenance:
    """Record a study from now on: it is a run, and each trial that it works on is a run below that.

    What trains within the objective, with any framework that dnnprov records, or by `dnnprov.active_run().log(...)`,
    belongs to the run of its trial. The study of several processes, which share its storage and the store, is one run.

    Args:
        study: of Optuna.
        dataflow: tag of the runs; where it is left out, the name of the study if it has one, else of the script.
        params: what you state of the study itself, for iSearch.
        name: of the study's run; `<dataflow>-<n>` where it is left out.
        tags: of the study's run.
        store: of all runs; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: that the study is, instead of the one whose `with` block encloses its beginning, or a new one.

    Returns:
        What tells the runs and finishes them; the process does that at its end, too.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.

    Example:
        ```python
        import optuna

        study = optuna.create_study(study_name="alexnet")
        dnnprov.optuna.track(study)
        study.optimize(lambda trial: trial.suggest_float("dropout", 0, 1), n_trials=3)
        ```
    """
    if not isinstance(study, Study):
        raise UsageError(f"study={study!r} is a {type(study).__name__}; expected what optuna.create_study returned")
    tag = program_name() if dataflow is None and study.study_name.startswith(_NO_NAME) else dataflow
    return StudyProvenance(study, SearchSteps(study.study_name if tag is None else tag, params, name, tags, store, run))
