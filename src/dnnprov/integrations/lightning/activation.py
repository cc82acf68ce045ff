"""Puts the automatic capture of Lightning in place, for `dnnprov.autolog()`, and gives Lightning its callbacks."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

from dnnprov.capture.user_warning import warn_user

if TYPE_CHECKING:
    from dnnprov.integrations.autologging import Settings

GROUPS = ("lightning.pytorch.callbacks_factory", "pytorch_lightning.callbacks_factory")
"""Entry points that Lightning asks for callbacks whenever a Trainer is made."""

_asked_for: list[Settings] = []
"""What `autolog` was asked for, once it was."""


def activate(settings: Settings) -> None:
    """Record every Trainer that is made from now on, as far as the settings say so."""
    _asked_for[:] = [settings]
    if not any(point.name == "dnnprov" for point in importlib.metadata.entry_points(group=GROUPS[0])):
        warn_user(
            "this installation of dnnprov has no entry point for Lightning, so autolog sees no Trainer; install it"
            " again, or give Trainers a dnnprov.lightning.Callback"
        )


def callbacks_for_trainer() -> list[Any]:
    """What Lightning adds to a Trainer: nothing, where `autolog` was not called or has Lightning switched off."""
    if not _asked_for or not _asked_for[0].records("lightning"):
        return []
    from dnnprov.integrations.lightning.automatic import AutomaticCallback  # noqa: PLC0415 - imports Lightning

    return _Unannounced([AutomaticCallback(_asked_for[0])])


class _Unannounced(list[Any]):
    """Callbacks that Lightning adds without a line of its log about it: it tells of lists that are true."""

    def __bool__(self) -> bool:
        return False
