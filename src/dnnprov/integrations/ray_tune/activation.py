"""Puts the automatic capture of Ray Tune in place, for `dnnprov.autolog()`, once Ray Tune itself is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ray

from dnnprov.capture.user_warning import warn_user
from dnnprov.integrations.ray_tune.version import check_ray
from dnnprov.integrations.when_imported import run_when_imported

if TYPE_CHECKING:
    from dnnprov.integrations.autologging import Settings


def activate(settings: Settings) -> None:
    """Record every experiment from now on, as far as the settings say so.

    Raises:
        UnsupportedVersionError: this Ray is too old.
    """
    check_ray(ray.__version__)
    run_when_imported("ray.tune", __name__, lambda: _record(settings))


def _record(settings: Settings) -> None:
    try:
        from dnnprov.integrations.ray_tune.automatic import record_automatically  # noqa: PLC0415 - loads Ray Tune

        record_automatically(settings)
    except Exception as error:  # noqa: BLE001 - P1: a program runs on without its provenance
        warn_user(f"ray is not recorded: {type(error).__name__}: {error}")
