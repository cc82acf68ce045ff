"""What a run records through that is not to be recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.capture.beginnings import Handle
from dnnprov.capture.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.model.events import Event


class DisabledRecorder(Recorder):
    """Takes everything and does nothing: what `DNNPROV_DISABLED=1` asks for."""

    def append(self, event: Event, *, keep: bool = False) -> Handle:  # noqa: ARG002, D102 - as in the base
        return Handle(self.process)

    def record(  # noqa: D102
        self, event: Event, handle: Handle | None = None, *, keep: bool = False, is_second_try: bool = False
    ) -> None:
        pass

    def note_problem(self, kind: str, detail: str) -> None:  # noqa: D102
        pass

    def submit(self, job: Callable[[], None]) -> None:  # noqa: D102
        pass
