"""IRIs and local names of what was recorded, formed from what is the same after a rebuild of the database.

A local name is kept to ASCII letters, digits, `_` and `-`, so that PROV-N, PROV-JSON, PROV-XML and RDF can all write it
as it stands. Any other character of a name from outside becomes `_xHHHH_`, as ISO/IEC 9075-14 (SQL/XML) maps SQL
identifiers to XML names: one to one, so two names never meet.
"""

from __future__ import annotations

import re
from urllib.parse import quote

BASE = "https://w3id.org/dnnprov/"

VOCABULARY = f"{BASE}ns#"
"""Types and attributes that dnnprov defines: `dnnprov:status`, `dnnprov:Epoch`."""

DATA = f"{BASE}data#"
"""Attributes that users name: `data:learning_rate`."""

DATA_SETS = f"{BASE}set#"
TAGS = f"{BASE}tag#"
AGENTS = f"{BASE}agent#"

_ESCAPE = re.compile(r"_x([0-9A-F]{4,6})_")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]|_(?=x)")


def local_name(name: str) -> str:
    """A name from outside as a local name that every format can write.

    Example:
        >>> local_name("val_loss"), local_name("top-5 é"), local_name("_x0020_"), local_name("5x")
        ('val_loss', 'top-5_x0020__x00E9_', '_x005F_x0020_', '_x0035_x')
    """
    safe = _UNSAFE.sub(lambda found: _escaped(found[0]), name)
    if not safe:
        return "_x_"
    return safe if safe[0].isalpha() or safe[0] == "_" else _escaped(safe[0]) + safe[1:]


def _escaped(character: str) -> str:
    return f"_x{ord(character):04X}_"


def release_name(version: str) -> str:
    """A version in a local name: as `local_name`, with dots and leading digits as they are.

    Example:
        >>> release_name("0.1.0"), release_name("1."), release_name("1+cpu")
        ('0.1.0', '1_x002E_', '1_x002B_cpu')
    """
    safe = ".".join(_UNSAFE.sub(lambda found: _escaped(found[0]), part) for part in version.split("."))
    return safe if not safe.endswith(".") else f"{safe[:-1]}{_escaped('.')}"


def original_name(name: str) -> str:
    """The name that `local_name` was given.

    Example:
        >>> original_name("top-5_x0020__x00E9_"), original_name("_x_")
        ('top-5 é', '')
    """
    return "" if name == "_x_" else _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name)


def run_namespace(uid: str) -> str:
    """The namespace of everything that belongs to one run."""
    return f"{BASE}run/{quote(uid, safe='')}#"


def dataflow_namespace(tag: str) -> str:
    """The namespace of the plan: versions of a dataflow and its transformations."""
    return f"{BASE}dataflow/{quote(tag, safe='')}#"


def recorded_name(kind: str, process: str, *numbers: int) -> str:
    """The local name of what one event recorded.

    Args:
        kind: `task`, `element`, `file`, ...
        process: name of the process in the run.
        numbers: sequence number of the event, and the row in it where it has rows.

    Example:
        >>> recorded_name("element", "r0-1f", 12, 0)
        'element-r0-1f-12-0'
    """
    return "-".join([kind, local_name(process), *map(str, numbers)])
