"""When a task began and ended, as a program measured it."""

from __future__ import annotations

from enum import StrEnum

from dnnprov.dfanalyzer.provenance_object import ProvenanceObject, Specified


class MethodType(StrEnum):
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
        self.startTime = start_time
        self.endTime = end_time
        self.method = method
        self.description = description

    startTime = Specified("begin; may be set")  # noqa: N815 - the original's name
    endTime = Specified("end; may be set")  # noqa: N815 - likewise
    method = Specified("what was measured; may be set")
    description = Specified("of it; may be set")
