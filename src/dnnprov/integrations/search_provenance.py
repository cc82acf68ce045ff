"""What `track` gives back for a tuner: the recording of its search, for its user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.integrations.finishing_block import FinishingBlock

if TYPE_CHECKING:
    from dnnprov.capture.run import Run
    from dnnprov.integrations.search_steps import SearchSteps
    from dnnprov.model.events import RunStatus


class SearchProvenance(FinishingBlock):
    """Records a search for hyperparameters: made by `track`, and a context manager that finishes its run."""

    def __init__(self, search: SearchSteps) -> None:
        self._search = search

    @property
    def run(self) -> Run | None:
        """The run of the search; `None` before its first trial, and where another process records it."""
        return self._search.run

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run of the search where it was started here; trials that go on have failed.

        Args:
            status: `finished`, if left out.
            reason: why, in words.
        """
        with self._search.guarded("finish of a search"):
            self._search.finish(status, reason)
