"""Provenance of Keras trainings: `dnnprov.keras.ProvenanceCallback("alexnet")` in the callbacks of `fit`."""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import keras as _keras  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "keras":  # Keras is there, its backend is not: Keras' own message says which
        raise
    raise MissingExtraError("dnnprov.keras", "keras") from None

from dnnprov.integrations.keras import ProvenanceCallback

__all__ = ["ProvenanceCallback"]
