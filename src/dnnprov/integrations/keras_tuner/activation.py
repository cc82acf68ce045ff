"""Puts the automatic capture of Keras Tuner in place, for `dnnprov.autolog()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras_tuner

from dnnprov.integrations.keras_tuner.version import check_keras_tuner

if TYPE_CHECKING:
    from dnnprov.integrations.autologging import Settings


def activate(settings: Settings) -> None:
    """Record every search from now on, as far as the settings say so.

    Raises:
        UnsupportedVersionError: this Keras Tuner is too old.
    """
    check_keras_tuner(keras_tuner.__version__)
    from dnnprov.integrations.keras_tuner.tuners import record_others  # noqa: PLC0415 - needs what older ones lack

    record_others(lambda: settings.records("keras_tuner"), lambda: settings.dataflow)
