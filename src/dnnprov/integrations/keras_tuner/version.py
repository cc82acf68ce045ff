"""The versions of Keras Tuner that this package records."""

from __future__ import annotations

from dnnprov.integrations.framework_version import check_oldest

OLDEST = "1.4"
"""As `pyproject.toml` says for the extra `keras-tuner`."""


def check_keras_tuner(version: str) -> None:
    """Raise UnsupportedVersionError where a version of Keras Tuner is older than the oldest supported.

    Example:
        >>> check_keras_tuner("1.4.8")
    """
    check_oldest("dnnprov.keras_tuner", "keras-tuner", OLDEST, version)
