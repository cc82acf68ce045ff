"""Provenance of loops with Accelerate: `Accelerator(log_with=dnnprov.accelerate.Tracker("alexnet"))`."""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import accelerate as _accelerate
except ModuleNotFoundError as error:
    if error.name != "accelerate":
        raise
    raise MissingExtraError("dnnprov.accelerate", "accelerate") from None

from dnnprov.integrations.framework_version import check_oldest

check_oldest("dnnprov.accelerate", "Accelerate", "1.3", _accelerate.__version__)

from dnnprov.integrations.accelerate.tracker import Tracker  # noqa: E402 - an older one may lack what it imports

__all__ = ["Tracker"]
