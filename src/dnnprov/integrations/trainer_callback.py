"""What callbacks for a Trainer have in common, whichever framework it is of: their arguments, their run and its end."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from dnnprov.integrations.autologging import program_name
from dnnprov.integrations.finishing_block import FinishingBlock
from dnnprov.integrations.run_choice import RunChoice, in_another_thread

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.integrations.training_steps import TrainingSteps
    from dnnprov.model.events import RunStatus


class HasSteps(Protocol):
    """What a callback hands everything to."""

    steps: TrainingSteps


Recording = TypeVar("Recording", bound=HasSteps)


class TrainerCallback(FinishingBlock, Generic[Recording]):
    """Half of a callback: the class of the framework comes behind it among the bases, its hooks in the class itself.

    Attributes:
        framework: its name.
        make_recording: makes what the hooks hand everything to, of a choice of the run and the tasks before.
        recording: that was made.
    """

    framework: ClassVar[str]
    make_recording: ClassVar[Callable[..., Any]]
    recording: Recording

    def __init__(
        self,
        dataflow: str | None = None,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | Iterable[str] | None = None,
        store: str | os.PathLike[str] | None = None,
        run: Run | None = None,
        after: RunTask | Iterable[RunTask] | None = None,
    ) -> None:
        super().__init__()
        choice = RunChoice(program_name() if dataflow is None else dataflow, params, name, tags, store, run)
        self.recording = self.make_recording(choice, after)
        self._is_tied = False

    @property
    def run(self) -> Run | None:
        """The run recorded into; `None` before the first training, test or prediction."""
        return self.recording.steps.run

    def add_file(self, path: str | os.PathLike[str], role: str = "model") -> None:
        """Record a file that the training led to and that was not seen by itself; its SHA-256 follows."""
        with self.recording.steps.guarded(f"{self.framework} add_file"):
            self.recording.steps.add_file(path, role)

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run, where it is the callback's own.

        Args:
            status: as the last training was left, else `finished`, if left out.
            reason: why, in words.
        """
        with self.recording.steps.guarded(f"{self.framework} finish"):
            self.recording.steps.finish(status, reason)

    def tie(self) -> None:
        """Finish a run of our own when this callback goes away; at exit the run does it itself, knowing why."""
        if not self._is_tied:
            self._is_tied = True
            weakref.finalize(self, in_another_thread, self.recording.steps.finish).atexit = False

    def __getstate__(self) -> dict[str, Any]:
        """A copy, and what another process unpickles, begins anew, with the same arguments."""
        kept = {name: value for name, value in vars(self).items() if name != "recording"}
        return {**kept, "_choice": self.recording.steps.choice.another(), "_is_tied": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        choice = state.pop("_choice")
        self.__dict__.update(state)
        self.recording = self.make_recording(choice)
