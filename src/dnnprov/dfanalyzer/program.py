"""A program that executes a transformation."""

from __future__ import annotations

from os import PathLike, fspath

from dnnprov.dataflow.misuse import expect, tag_text
from dnnprov.dfanalyzer.provenance_object import ProvenanceObject, Specified


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
        self.name = tag_text("name", name)
        self.path = fspath(path) if expect("path", path, str | PathLike, "a path") else str(path)
        self.transformationTag = self.dataflowTag = ""

    name = Specified("of it; may be set")
    path = Specified("where it is; may be set")
    transformationTag = Specified("tag of the transformation; may be set")  # noqa: N815 - the original's name
    dataflowTag = Specified("tag of the dataflow; may be set")  # noqa: N815 - likewise
