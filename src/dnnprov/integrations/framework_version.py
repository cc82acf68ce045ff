"""Refuses a framework that is older than what an integration was written for."""

from __future__ import annotations

import re

from dnnprov.errors import UnsupportedVersionError


def check_oldest(feature: str, framework: str, oldest: str, version: str) -> None:
    """Raise UnsupportedVersionError where a version is older than the oldest supported.

    Args:
        feature: of ours, `dnnprov.keras`.
        framework: as people, and `pip`, call it.
        oldest: as `pyproject.toml` says for its extra.
        version: that is installed.

    Example:
        >>> check_oldest("dnnprov.lightning", "Lightning", "2.0", "2.6.1")
        >>> check_oldest("dnnprov.lightning", "Lightning", "2.0", "1.9.5")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        dnnprov.errors.UnsupportedVersionError: dnnprov.lightning records Lightning 2.0 and later; installed is ...
    """
    if _numbers(version) < _numbers(oldest):
        raise UnsupportedVersionError(feature, framework, oldest, version)


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
