"""`dnnprov.keras_tuner.track`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_tuner.engine.base_tuner import BaseTuner

from dnnprov.errors import UsageError
from dnnprov.integrations.autologging import program_name
from dnnprov.integrations.keras_tuner.tuners import record_tuner
from dnnprov.integrations.search_provenance import SearchProvenance
from dnnprov.integrations.search_steps import SearchSteps

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from dnnprov.capture.run import Run

_NO_NAME = "untitled_project"
"""What Keras Tuner calls a project that has no name."""


def track(
    tuner: BaseTuner,
    dataflow: str | None = None,
    params: Mapping[str, Any] | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | Iterable[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    run: Run | None = None,
) -> SearchProvenance:
    """Record a tuner of Keras Tuner from now on: it is a run, and each trial of `search` is a run below that.

    What Keras trains in a trial belongs to the run of the trial, without a callback of yours.

    Args:
        tuner: of Keras Tuner, or of a class of yours made from one.
        dataflow: tag of the runs; where it is left out, the name of the project if it has one, else of the script.
        params: what you state of the search itself, for iSearch.
        name: of the search's run; `<dataflow>-<n>` where it is left out.
        tags: of the search's run.
        store: of all runs; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: that the search is, instead of the one whose `with` block encloses its beginning, or a new one.

    Returns:
        What tells the run and finishes it; the process does that at its end, too.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.
    """
    if not isinstance(tuner, BaseTuner):
        raise UsageError(f"tuner={tuner!r} is a {type(tuner).__name__}; expected a tuner such as RandomSearch")
    project = program_name() if tuner.project_name in {None, "", _NO_NAME} else tuner.project_name
    search = SearchSteps(project if dataflow is None else dataflow, params, name, tags, store, run)
    record_tuner(tuner, search)
    return SearchProvenance(search)
