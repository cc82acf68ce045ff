"""Provenance of scikit-learn: `with dnnprov.sklearn.watch("flowers"): model.fit(x, y)`."""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import sklearn as _sklearn
except ModuleNotFoundError as error:
    if error.name != "sklearn":
        raise
    raise MissingExtraError("dnnprov.sklearn", "sklearn") from None

from dnnprov.integrations.sklearn.version import check_sklearn

check_sklearn(_sklearn.__version__)

from dnnprov.integrations.sklearn.watching import WatchedFits, watch  # noqa: E402 - an older one may lack what it needs

__all__ = ["WatchedFits", "watch"]
