"""Draws a picture, with the Graphviz engine that the wheel of `pygraphviz` brings; no program of the system is needed.

The engine works in a process of its own: a failed assertion in it ends that process, not a server; it is not made for
threads; its layout may take for ever; and its complaints about fonts belong on nobody's stderr.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec

from dnnprov.errors import DnnprovError, MissingExtraError
from dnnprov.export.picture import MAX_FINE

if TYPE_CHECKING:
    from dnnprov.export.picture import Picture

FINE_SECONDS = 10.0
"""How long the better layout may take before the plain one is taken."""

PLAIN_SECONDS = 300.0


def draw(picture: Picture, graphviz_format: str) -> bytes:
    """The picture as a file of one of Graphviz's formats: `svg`, `png`, `pdf`.

    Raises:
        MissingExtraError: `pygraphviz` is not installed.
        DnnprovError: Graphviz failed.
    """
    if find_spec("pygraphviz") is None:
        raise MissingExtraError("drawing a picture", "prov")
    drawn = None
    if len(picture.nodes) <= MAX_FINE:
        drawn = _attempt(picture, graphviz_format, "fine", FINE_SECONDS)
    if drawn is None or drawn.returncode:
        drawn = _attempt(picture, graphviz_format, "plain", PLAIN_SECONDS)
    if drawn is None:
        raise DnnprovError(
            f"Graphviz did not lay out {len(picture.nodes)} nodes in {PLAIN_SECONDS:g} s; export without --full"
        )
    if drawn.returncode:
        said = drawn.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise DnnprovError(f"Graphviz could not draw {len(picture.nodes)} nodes as {graphviz_format}: {said}")
    return drawn.stdout


def _attempt(
    picture: Picture, graphviz_format: str, quality: str, seconds: float
) -> subprocess.CompletedProcess[bytes] | None:
    """One run of the engine; `None` where it took too long."""
    command = [sys.executable, "-m", "dnnprov.export.graphviz_process", graphviz_format, quality]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        return subprocess.run(  # noqa: S603 - our own module
            command,
            input=msgspec.json.encode(picture),
            capture_output=True,
            timeout=seconds,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return None
