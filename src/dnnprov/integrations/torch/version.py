"""The versions of PyTorch that this package records."""

from __future__ import annotations

import re

from dnnprov.errors import UnsupportedVersionError

OLDEST = "2.4"
"""As `pyproject.toml` says for the extra `torch`."""


def check_version(version: str) -> None:
    """Raise UnsupportedVersionError where a version of PyTorch is older than the oldest supported.

    Example:
        >>> check_version("2.13.0+cpu")
        >>> check_version("1.13.1")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        dnnprov.errors.UnsupportedVersionError: dnnprov.torch records torch 2.4 and later; installed is torch 1.13.1...
    """
    if _numbers(version) < _numbers(OLDEST):
        raise UnsupportedVersionError("dnnprov.torch", "torch", OLDEST, version)


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
