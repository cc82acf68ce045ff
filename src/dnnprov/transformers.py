"""Provenance of the Hugging Face Trainer: `Callback("sentiment")` among its callbacks."""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import transformers as _transformers
except ModuleNotFoundError as error:
    if error.name != "transformers":
        raise
    raise MissingExtraError("dnnprov.transformers", "transformers") from None

from dnnprov.integrations.framework_version import check_oldest

check_oldest("dnnprov.transformers", "Transformers", "5.0", _transformers.__version__)

_trainer = _transformers.Trainer  # loads PyTorch, which what follows needs

from dnnprov.integrations.transformers.callback import Callback  # noqa: E402 - an older one may lack what it imports
from dnnprov.integrations.transformers.calls import install as _install  # noqa: E402

_install(_trainer)

__all__ = ["Callback"]
