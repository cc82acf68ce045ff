"""Provenance of plain PyTorch loops: `dnnprov.autolog()` sees them by itself, `watch` says what trains."""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import torch as _torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise MissingExtraError("dnnprov.torch", "torch") from None

from dnnprov.integrations.torch.version import check_version

check_version(_torch.__version__)

from dnnprov.integrations.torch.watch import Watch, watch  # noqa: E402 - an older PyTorch may lack what it imports

__all__ = ["Watch", "watch"]
