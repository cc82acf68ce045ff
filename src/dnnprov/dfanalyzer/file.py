"""A file that a task used or generated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.dfanalyzer.provenance_object import ProvenanceObject

if TYPE_CHECKING:
    from os import PathLike


class File(ProvenanceObject):
    """A file, as a value of an element or added to a task; it is recorded with its size and SHA-256.

    Args:
        path: of it, or of the folder that it is in.
        name: of it.
    """

    def __init__(self, path: str | PathLike[str], name: str = "") -> None:
        super().__init__(name or Path(path).name)
        self._path = str(path)
        self._name = name or Path(path).name

    @property
    def place(self) -> str:
        """The file itself."""
        path = Path(self._path)
        return str(path if path.name == self._name else path / self._name)

    def __str__(self) -> str:
        return self.place
