"""A program that executes a transformation."""

from __future__ import annotations

from os import PathLike, fspath

from dnnprov.dataflow.misuse import expect, tag_text
from dnnprov.dfanalyzer.provenance_object import ProvenanceObject


class Program(ProvenanceObject):
    """A program.

    Args:
        name: of it.
        path: where it is.

    Raises:
        UsageError: one of them is no text.
    """

    def __init__(self, name: str, path: str | PathLike[str]) -> None:
        super().__init__("")
        self._name = tag_text("name", name)
        self._path = fspath(path) if expect("path", path, str | PathLike, "a path") else str(path)
        self._transformationTag = self._dataflowTag = ""

    @property
    def name(self) -> str:
        """Of it."""
        return self._name

    @property
    def path(self) -> str:
        """Where it is."""
        return self._path
