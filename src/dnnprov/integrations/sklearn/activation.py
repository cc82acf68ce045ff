"""Puts the automatic capture of scikit-learn in place, for `dnnprov.autolog()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sklearn

from dnnprov.integrations.sklearn.version import check_sklearn

if TYPE_CHECKING:
    from dnnprov.integrations.autologging import Settings
    from dnnprov.integrations.sklearn.fits import FitRecorder


def activate(settings: Settings) -> None:
    """Record every fit that the program makes from now on, as far as the settings say so.

    Raises:
        UnsupportedVersionError: this scikit-learn is too old.
    """
    check_sklearn(sklearn.__version__)
    from dnnprov.integrations.sklearn.fits import FitRecorder  # noqa: PLC0415 - needs what older ones lack
    from dnnprov.integrations.sklearn.hooks import record_others  # noqa: PLC0415

    recorders: dict[str, FitRecorder] = {}

    def find_recorder() -> FitRecorder | None:
        if not settings.records("sklearn"):
            return None
        if settings.dataflow not in recorders:
            recorders[settings.dataflow] = FitRecorder(settings.choice())
        return recorders[settings.dataflow]

    record_others(find_recorder)
