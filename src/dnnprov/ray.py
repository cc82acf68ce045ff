"""Provenance of Ray Tune: `dnnprov.ray.ProvenanceCallback("alexnet")` among the callbacks of its `RunConfig`."""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import ray as _ray
    import ray.tune as _tune  # noqa: F401 - whose own parts may be missing
except ModuleNotFoundError as error:
    raise MissingExtraError("dnnprov.ray", "ray") from error

from dnnprov.integrations.ray_tune.version import check_ray

check_ray(_ray.__version__)

from dnnprov.integrations.ray_tune.callback import ProvenanceCallback  # noqa: E402 - an older one may lack what it needs

__all__ = ["ProvenanceCallback"]
