"""What can be asked of any tracking store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dnnprov.errors import ImportSourceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dnnprov.importers.mlflow.artifacts import Artifacts
    from dnnprov.importers.mlflow.tracked import Point, TrackedRun


class TrackingStore(ABC):
    """A tracking store, which is read and never changed.

    **Errors**: every method raises `ImportSourceError` where the store is not what it should be.

    **Memory**: what a run is but for its metrics is kept in memory; metrics stream.

    Args:
        shown: what it is called in messages; no secret is in it.

    Attributes:
        left_out: what is in the store and does not come with the runs, a sentence each; complete after `runs`.
        note: what was concluded about the store as a whole, if anything.
    """

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.left_out: list[str] = []
        self.note: str | None = None

    @abstractmethod
    def runs(self, experiments: Collection[str]) -> list[TrackedRun]:
        """All runs that are not deleted, in the order that they began.

        Args:
            experiments: names of those wanted; all where there are none.
        """

    @abstractmethod
    def points(self, runs: Iterable[TrackedRun]) -> Iterator[tuple[TrackedRun, Iterator[Point]]]:
        """Each run with the values of its metrics, those of one metric together; runs may come in another order."""

    @abstractmethod
    def artifacts(self, run: TrackedRun, uri: str) -> Artifacts:
        """The files at a URI that a run names."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open."""

    def check_experiments(self, wanted: Collection[str], found: Iterable[str]) -> None:
        """Make sure that experiments that were asked for are there."""
        names = sorted(set(found))
        missing = sorted(set(wanted) - set(names))
        if missing:
            raise ImportSourceError(
                self.shown, f"it has no experiment {missing[0]!r}; it has {', '.join(map(repr, names[:20])) or 'none'}"
            )
