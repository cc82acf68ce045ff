"""Provenance of Keras Tuner: `dnnprov.keras_tuner.track(tuner)` before `tuner.search(...)`."""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import keras_tuner as _keras_tuner
except ModuleNotFoundError as error:
    if error.name != "keras_tuner":
        raise
    raise MissingExtraError("dnnprov.keras_tuner", "keras-tuner") from None

import dnnprov.keras  # noqa: F401 - which records what trains in a trial
from dnnprov.integrations.keras_tuner.version import check_keras_tuner

check_keras_tuner(_keras_tuner.__version__)

from dnnprov.integrations.keras_tuner.tracking import track  # noqa: E402 - an older one may lack what it imports
from dnnprov.integrations.search_provenance import SearchProvenance  # noqa: E402

__all__ = ["SearchProvenance", "track"]
