"""Provenance of Optuna studies: `dnnprov.optuna.track(study)` before `study.optimize(...)`."""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import optuna as _optuna
except ModuleNotFoundError as error:
    if error.name != "optuna":
        raise
    raise MissingExtraError("dnnprov.optuna", "optuna") from None

from dnnprov.integrations.optuna.version import check_optuna

check_optuna(_optuna.__version__)

from dnnprov.integrations.optuna.study_provenance import StudyProvenance, track  # noqa: E402 - an older one may lack what it imports

__all__ = ["StudyProvenance", "track"]
