"""A program that executes a transformation."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath

from dnnprov.dataflow.misuse import expect, tag_text


@dataclass(frozen=True)
class Program:
    """A script or program, which a transformation names as what executes it.

    Args:
        name: of it.
        path: where it is.

    Raises:
        UsageError: the name is empty, or one of them is no text.
    """

    name: str
    path: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", tag_text("name", self.name))
        if expect("path", self.path, str | PathLike, "a path"):
            object.__setattr__(self, "path", str(fspath(self.path)))
