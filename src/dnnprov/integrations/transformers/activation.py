"""Puts the automatic capture of the Trainer in place, for `dnnprov.autolog()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.capture.user_warning import warn_user
from dnnprov.integrations.when_imported import run_when_imported

if TYPE_CHECKING:
    from dnnprov.integrations.autologging import Settings

TRAINER = "transformers.trainer"
"""The module that Transformers loads when the Trainer is first named; with it come PyTorch and Accelerate."""


def activate(settings: Settings) -> None:
    """Record every Trainer that is made from now on, as far as the settings say so."""
    run_when_imported(TRAINER, __name__, lambda: _record(settings))


def _record(settings: Settings) -> None:
    try:
        from dnnprov.integrations.transformers import automatic  # noqa: PLC0415 - imports the Trainer

        automatic.record_automatically(settings)
    except Exception as error:  # noqa: BLE001 - P1: it would come out of an import of the user's
        warn_user(f"transformers is not recorded: {type(error).__name__}: {error}")
