"""Provenance of loops that train with JAX: `training = dnnprov.jax.watch(model, optimizer)`, `training.epoch(...)`."""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import jax as _jax
except ModuleNotFoundError as error:
    if error.name != "jax":
        raise
    raise MissingExtraError("dnnprov.jax", "jax") from None

from dnnprov.integrations.framework_version import check_oldest

check_oldest("dnnprov.jax", "JAX", "0.7.2", _jax.__version__)

from dnnprov.integrations.jax.watching import WatchedTraining, watch  # noqa: E402 - an older one may lack what it needs

__all__ = ["WatchedTraining", "watch"]
