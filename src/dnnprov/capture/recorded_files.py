"""Files of a run: recorded as they are now, with their SHA-256 to follow from a background thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.capture.file_hash import FileState, file_sha256, file_state
from dnnprov.model.events import FileHashed, FileRecorded
from dnnprov.model.values import text_or_none

if TYPE_CHECKING:
    import os

    from dnnprov.capture.beginnings import Handle
    from dnnprov.capture.recorder import Recorder
    from dnnprov.model.events import Relation


class RecordedFiles:
    """Records files through the recorder of a run."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._unhashed: dict[int, Handle] = {}

    def record(self, path: str | os.PathLike[str], role: str | None, relation: Relation, task: Handle | None) -> None:
        """Record a file or folder with its size and time now and its SHA-256 later; a missing one is a problem."""
        place = Path(path).absolute()
        try:
            state = file_state(place)
        except (OSError, ValueError) as error:  # the latter for a path that no file can have
            why = getattr(error, "strerror", None) or error
            self._recorder.note_problem("file_missing", f"file {str(place)!r} was not recorded: {why}")
            return
        handle = self._recorder.append(
            FileRecorded(
                path=str(place),
                relation=relation,
                role=text_or_none(role),
                size=state.size,
                modified=state.modified // 1000,
                task=self._recorder.reference(task),
            )
        )
        self._unhashed[id(handle)] = handle
        self._recorder.submit(lambda: self._hash(handle, place, state))

    def give_up(self) -> None:
        """Note of each file whose hash nobody waits for that it has none."""
        for handle in list(self._unhashed.values()):
            self._note_hash(handle, None, "the program was ended before the file was read")

    def _hash(self, handle: Handle, path: Path, state: FileState) -> None:
        sha256, reason = file_sha256(path, state)
        self._note_hash(handle, sha256, reason)

    def _note_hash(self, handle: Handle, sha256: str | None, reason: str | None) -> None:
        reference = self._recorder.reference(handle)
        if self._unhashed.pop(id(handle), None) is not None and reference is not None:
            self._recorder.record(FileHashed(file=reference, sha256=sha256, reason=reason))
