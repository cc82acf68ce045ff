"""Puts the automatic capture of Optuna in place, for `dnnprov.autolog()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna

from dnnprov.integrations.optuna.version import check_optuna

if TYPE_CHECKING:
    from dnnprov.integrations.autologging import Settings


def activate(settings: Settings) -> None:
    """Record every study from now on, as far as the settings say so.

    Raises:
        UnsupportedVersionError: this Optuna is too old.
    """
    check_optuna(optuna.__version__)
    from dnnprov.integrations.optuna.studies import record_others  # noqa: PLC0415 - needs what older ones lack

    record_others(lambda: settings.records("optuna"), lambda: settings.dataflow)
