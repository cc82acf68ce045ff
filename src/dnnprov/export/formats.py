"""The formats of an export, by name, and the one function that makes any of them.

A new format is one entry in `FORMATS`. `prov` and Graphviz are loaded when a run is exported, not before.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.errors import MissingExtraError, UsageError
from dnnprov.export.drawing import draw
from dnnprov.export.folding import folded
from dnnprov.export.run_reader import read_run

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from prov.model import ProvDocument

    from dnnprov.analysis.history import History
    from dnnprov.export.run_facts import RunFacts


@dataclass(frozen=True)
class Format:
    """A format of export.

    Attributes:
        name: as people write it.
        suffixes: of files that hold it, the usual one first.
        write: facts of a run -> the file's content.
        aliases: other names that people know it by.
        is_picture: it is drawn, with a long run folded unless it is asked for in full.
    """

    name: str
    suffixes: tuple[str, ...]
    write: Callable[[RunFacts], bytes]
    aliases: tuple[str, ...] = ()
    is_picture: bool = False


def _document(facts: RunFacts) -> ProvDocument:
    try:
        from dnnprov.export.prov_document import prov_document  # noqa: PLC0415 - `prov` is an extra
    except ImportError as error:
        raise MissingExtraError("exporting PROV", "prov") from error
    return prov_document(facts)


def _serialized(format_name: str, **options: object) -> Callable[[RunFacts], bytes]:
    """A writer by way of one of the serializers of `prov`."""

    def write(facts: RunFacts) -> bytes:
        stream = BytesIO()
        _document(facts).serialize(stream, format=format_name, **options)
        return stream.getvalue()

    return write


def _drawn(graphviz_format: str) -> Callable[[RunFacts], bytes]:
    """A writer of a picture."""

    def write(facts: RunFacts) -> bytes:
        document = _document(facts)
        from dnnprov.export.arranging import picture  # noqa: PLC0415 - `prov` is an extra

        return draw(picture(document), graphviz_format)

    return write


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format("provn", (".provn",), _serialized("provn"), aliases=("prov-n",)),
        Format("json", (".json",), _serialized("json", indent=1, ensure_ascii=False), aliases=("prov-json",)),
        Format("svg", (".svg",), _drawn("svg"), is_picture=True),
        Format("png", (".png",), _drawn("png"), is_picture=True),
    )
}
"""By name."""


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


def export_run(history: History, run_id: int, format_name: str, *, full: bool = False) -> bytes:
    """A run in one of the formats, as it is at this moment.

    Documents always state every epoch. A picture of a long run folds its epochs into phases between adaptations.

    Args:
        history: to read from, all at one state.
        run_id: key of the run in this database.
        format_name: one of `FORMATS`, or an alias.
        full: draw every epoch by itself too.

    Raises:
        UsageError: there is no such format.
        RunNotFoundError: there is no such run.
        MissingExtraError: `prov` or `pygraphviz` is not installed.
    """
    chosen = find_format(format_name)
    if chosen is None:
        raise UsageError(f"no format {format_name!r}; there is {', '.join(FORMATS)}")
    with history.snapshot():
        facts = read_run(history, run_id)
    return chosen.write(folded(facts) if chosen.is_picture and not full else facts)
