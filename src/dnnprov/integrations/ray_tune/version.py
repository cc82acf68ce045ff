"""The versions of Ray that this package records."""

from __future__ import annotations

from dnnprov.integrations.framework_version import check_oldest

OLDEST = "2.44"
"""As `pyproject.toml` says for the extra `ray`."""


def check_ray(version: str) -> None:
    """Raise UnsupportedVersionError where a version of Ray is older than the oldest supported.

    Example:
        >>> check_ray("2.60.0")
    """
    check_oldest("dnnprov.ray", "ray[tune]", OLDEST, version)
