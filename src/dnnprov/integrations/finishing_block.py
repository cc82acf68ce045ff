"""What is a context manager that finishes a run at its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from dnnprov.capture.run_task import end_of_block

if TYPE_CHECKING:
    from types import TracebackType

    from dnnprov.model.events import RunStatus


class FinishingBlock(ABC):
    """Makes `with` around an object finish its run; an exception that leaves the block says how."""

    @abstractmethod
    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.finish(*end_of_block(error))
