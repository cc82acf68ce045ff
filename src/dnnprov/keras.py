"""Provenance of Keras trainings: `ProvenanceCallback("alexnet")` in the callbacks of `fit`, or the paper's Fig. 6.

Importing this gives every `keras.Model` the methods `provenance` and `get_dataflow`.
"""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import keras as _keras
except ModuleNotFoundError as error:
    if error.name != "keras":  # Keras is there, its backend is not: Keras' own message says which
        raise
    raise MissingExtraError("dnnprov.keras", "keras") from None

from dnnprov.capture.user_warning import warn_user
from dnnprov.integrations.keras.version import check_version

check_version(_keras.__version__)

from dnnprov.integrations.keras.callback import ProvenanceCallback  # noqa: E402 - an older Keras may lack what it imports
from dnnprov.integrations.keras.files import install  # noqa: E402
from dnnprov.integrations.keras.provenance import install as _install_provenance  # noqa: E402

if _missing := install():
    warn_user(
        f"Keras {_keras.__version__} has no {' and no '.join(_missing)}: files that are saved or loaded through it are"
        " not seen; name them with add_file"
    )
_install_provenance()

__all__ = ["ProvenanceCallback"]
