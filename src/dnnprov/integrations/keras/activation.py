"""Puts the automatic capture of Keras in place, for `dnnprov.autolog()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from dnnprov.integrations.keras.version import check_version

if TYPE_CHECKING:
    from dnnprov.integrations.autologging import Settings


def activate(settings: Settings) -> None:
    """Record every `fit` and `evaluate` from now on, as far as the settings say so.

    Raises:
        UnsupportedVersionError: this Keras is too old.
    """
    check_version(keras.__version__)
    from dnnprov.integrations.keras import automatic, files, provenance  # noqa: PLC0415 - need what older ones lack

    files.install()
    provenance.install()
    automatic.record_automatically(settings)
