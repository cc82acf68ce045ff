"""Provenance of Lightning trainings: a `Callback("alexnet")`, or a `Logger("alexnet")`, for a Trainer."""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    from dnnprov.integrations.lightning.bases import package as _package
except ModuleNotFoundError as error:
    if error.name not in {"lightning", "lightning.pytorch", "pytorch_lightning"}:  # what it needs in turn, says itself
        raise
    raise MissingExtraError("dnnprov.lightning", "lightning") from None

from dnnprov.integrations.framework_version import check_oldest

check_oldest("dnnprov.lightning", "Lightning", "2.2", _package.__version__)

from dnnprov.integrations.lightning.callback import Callback  # noqa: E402 - an older one may lack what it imports
from dnnprov.integrations.lightning.logger import Logger  # noqa: E402

__all__ = ["Callback", "Logger"]
