"""A file as a value of an element."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from dnnprov.dataflow.misuse import expect
from dnnprov.model.values import plain_value


@dataclass(frozen=True)
class File:
    """A file that a task used or generated: recorded with size and SHA-256, and its path as the value.

    Args:
        path: of the file, or of the folder that it is in.
        name: of the file, where `path` is its folder.
        role: what it is to the run: `"model"`, `"data"`.

    Raises:
        UsageError: the path is none.
    """

    path: str
    name: str = ""
    role: str | None = None

    def __post_init__(self) -> None:
        if not expect("path", self.path, str | PathLike, "a path"):
            object.__setattr__(self, "path", str(plain_value(self.path)))

    @property
    def place(self) -> Path:
        """The file itself."""
        path = Path(self.path)
        return path / self.name if self.name and path.name != self.name else path
