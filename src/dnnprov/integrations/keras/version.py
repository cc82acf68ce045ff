"""The versions of Keras that this package records."""

from __future__ import annotations

from dnnprov.integrations.framework_version import check_oldest

OLDEST = "3.12"
"""As `pyproject.toml` says for the extra `keras`."""


def check_version(version: str) -> None:
    """Raise UnsupportedVersionError where a version of Keras is older than the oldest supported.

    Example:
        >>> check_version("3.15.0")
        >>> check_version("2.15.0")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        dnnprov.errors.UnsupportedVersionError: dnnprov.keras records Keras 3.12 and later; installed is ...
    """
    check_oldest("dnnprov.keras", "Keras", OLDEST, version)
