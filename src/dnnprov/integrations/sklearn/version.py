"""The versions of scikit-learn that this package records."""

from __future__ import annotations

from dnnprov.integrations.framework_version import check_oldest

OLDEST = "1.5"
"""As `pyproject.toml` says for the extra `sklearn`."""


def check_sklearn(version: str) -> None:
    """Raise UnsupportedVersionError where a version of scikit-learn is older than the oldest supported.

    Example:
        >>> check_sklearn("1.9.1")
    """
    check_oldest("dnnprov.sklearn", "scikit-learn", OLDEST, version)
