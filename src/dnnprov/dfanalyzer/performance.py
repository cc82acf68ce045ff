"""When a task began and ended, as a program measured it."""

from __future__ import annotations

from enum import Enum

from dnnprov.dfanalyzer.provenance_object import ProvenanceObject


class MethodType(Enum):
    """What was measured."""

    COMPUTATION = "COMPUTATION"
    INSTRUMENTATION = "INSTRUMENTATION"
    EXTRACTION = "EXTRACTION"
    PROVENANCE = "PROVENANCE"
    INDEXING = "INDEXING"


class Performance(ProvenanceObject):
    """A time from begin to end.

    Args:
        start_time: as text.
        end_time: as text.
        method: what was measured.
        description: of it.
    """

    def __init__(
        self, start_time: str | None, end_time: str | None, method: MethodType | str = "", description: str = ""
    ) -> None:
        super().__init__("")
        self._startTime = start_time
        self._endTime = end_time
        self._method = str(getattr(method, "value", method))
        self._description = description

    @property
    def startTime(self) -> str | None:  # noqa: N802 - the original's name
        """Begin."""
        return self._startTime

    @property
    def endTime(self) -> str | None:  # noqa: N802 - the original's name
        """End."""
        return self._endTime

    @property
    def method(self) -> str:
        """What was measured."""
        return self._method

    @property
    def description(self) -> str:
        """Of it."""
        return self._description
