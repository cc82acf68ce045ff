"""The versions of Optuna that this package records."""

from __future__ import annotations

from dnnprov.integrations.framework_version import check_oldest

OLDEST = "4.0"
"""As `pyproject.toml` says for the extra `optuna`."""


def check_optuna(version: str) -> None:
    """Raise UnsupportedVersionError where a version of Optuna is older than the oldest supported.

    Example:
        >>> check_optuna("5.0.0")
    """
    check_oldest("dnnprov.optuna", "Optuna", OLDEST, version)
