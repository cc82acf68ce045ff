"""Puts the capture of plain PyTorch loops in place, for `dnnprov.autolog()`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch

from dnnprov.capture.user_warning import warn_user
from dnnprov.integrations.torch.version import check_version

if TYPE_CHECKING:
    from dnnprov.integrations.autologging import Settings
    from dnnprov.integrations.run_choice import RunChoice


def activate(settings: Settings) -> None:
    """Record every loop in which an optimizer of PyTorch steps, as far as the settings say so.

    Raises:
        UnsupportedVersionError: this PyTorch is too old.
    """
    check_version(torch.__version__)
    put_hooks_in_place()
    from dnnprov.integrations.torch.loops import choice_of  # noqa: PLC0415 - needs what older ones lack

    choice_of[:] = [functools.partial(_choice, settings)]


def put_hooks_in_place() -> None:
    """Put them there, and say what this PyTorch does not have."""
    from dnnprov.integrations.torch import hooks  # noqa: PLC0415 - needs what older ones lack

    if missing := hooks.install():
        warn_user(f"PyTorch {torch.__version__} has no {' and no '.join(missing)}: what goes through it is not seen")


def _choice(settings: Settings) -> RunChoice | None:
    return settings.choice() if settings.records("torch") else None
