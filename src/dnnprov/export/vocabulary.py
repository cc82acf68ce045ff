"""The vocabulary of exports, `dnnprov:`: an OWL file that says what each class and property means.

A document uses no other term of `dnnprov:` than those of this file, and each of them can occur; `tests/export` holds
both. The page of the reference is checked against it.
"""

from __future__ import annotations

from importlib.resources import files


def vocabulary() -> bytes:
    """The vocabulary in Turtle."""
    return files("dnnprov.export").joinpath("vocabulary.ttl").read_bytes()
