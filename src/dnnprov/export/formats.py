"""The formats of an export, by name: what their files are called, what they can hold, and how each is written.

A new format is one entry in `FORMATS`. `prov` and Graphviz are loaded when something is exported, not before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from prov.model import ProvDocument


@dataclass(frozen=True)
class Format:
    """A format of export.

    Attributes:
        name: as people write it.
        suffixes: of files that hold it, the usual one first.
        media_type: as a server would say it.
        aliases: other names that people know it by.
        serializer: of `prov`, that writes a document.
        options: of that serializer.
        graphviz: its name there, for a picture.
        carries_bundles: whether it can hold several runs apart.
    """

    name: str
    suffixes: tuple[str, ...]
    media_type: str
    aliases: tuple[str, ...] = ()
    serializer: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    graphviz: str = ""
    carries_bundles: bool = True

    @property
    def is_picture(self) -> bool:
        """Whether it is drawn, with a long run folded unless it is asked for in full."""
        return bool(self.graphviz)

    def write(self, document: ProvDocument) -> bytes:
        """A document as a file of this format, which is no picture.

        Raises:
            MissingExtraError: a package that it needs is not installed.
        """
        from dnnprov.export.serialization import serialized  # noqa: PLC0415 - `prov` is an extra

        return serialized(document, self.serializer, **self.options)


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format("provn", (".provn",), "text/provenance-notation", ("prov-n",), "provn"),
        Format(
            "json",
            (".json",),
            "application/json",
            ("prov-json",),
            "json",
            {"indent": 1, "ensure_ascii": False},
        ),
        Format("xml", (".provx", ".xml"), "application/provenance+xml", ("prov-xml", "provx"), "xml"),
        Format(
            "turtle",
            (".ttl",),
            "text/turtle",
            ("ttl", "prov-o"),
            "rdf",
            {"rdf_format": "turtle"},
            carries_bundles=False,
        ),
        Format("trig", (".trig",), "application/trig", (), "rdf", {"rdf_format": "trig"}),
        Format(
            "jsonld",
            (".jsonld",),
            "application/ld+json",
            ("json-ld", "prov-jsonld"),
            "jsonld",
            {"indent": 1, "ensure_ascii": False},
        ),
        Format("svg", (".svg",), "image/svg+xml", graphviz="svg"),
        Format("png", (".png",), "image/png", graphviz="png"),
        Format("pdf", (".pdf",), "application/pdf", graphviz="pdf"),
    )
}
"""By name."""


def named_format(name: str) -> Format:
    """The format of a name or an alias, in whatever case it is written.

    Raises:
        UsageError: there is none.
    """
    found = find_format(name)
    if found is None:
        raise UsageError(f"no format {name!r}; there is {', '.join(FORMATS)}")
    return found


def find_format(name: str) -> Format | None:
    """The format of a name or an alias, in whatever case it is written."""
    wanted = name.lower()
    return next((one for one in FORMATS.values() if wanted in (one.name, *one.aliases)), None)


def format_of_path(path: str | os.PathLike[str]) -> str:
    """The name of the format that a file's suffix stands for.

    Raises:
        UsageError: it stands for none.
    """
    suffix = Path(path).suffix.lower()
    for one in FORMATS.values():
        if suffix in one.suffixes:
            return one.name
    known = ", ".join(suffix for one in FORMATS.values() for suffix in one.suffixes)
    raise UsageError(f"the suffix of {str(path)!r} tells no format; use one of {known}, or name the format")


def check_extra() -> None:
    """Make sure that `prov` can be loaded.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import prov  # noqa: F401, PLC0415 - `prov` is an extra
    except ImportError as error:
        raise MissingExtraError("exporting PROV", "prov") from error
