"""The device that the calling thread trains on, asked of frameworks that already use one; none is woken up for it."""

from __future__ import annotations

import sys
from typing import Any


def training_device() -> str | None:
    """Name and number of the accelerator in use: `cuda:1 (NVIDIA H100)`; `None` where there is none yet."""
    return _of_torch(sys.modules.get("torch")) or _of_jax(sys.modules.get("jax"))


def _of_torch(torch: Any) -> str | None:
    for kind in ("cuda", "xpu"):
        accelerator = getattr(torch, kind, None)
        if accelerator is not None and accelerator.is_initialized():
            number = accelerator.current_device()
            return f"{kind}:{number} ({accelerator.get_device_name(number)})"
    return None


def _of_jax(jax: Any) -> str | None:
    """The devices of this process, where JAX has found its own already; asking before would take them."""
    bridge = sys.modules.get("jax._src.xla_bridge")
    if jax is None or bridge is None or not bridge.backends_are_initialized():
        return None
    devices = jax.local_devices()
    if devices[0].platform == "cpu":
        return None
    return f"{', '.join(f'{one.platform}:{one.id}' for one in devices)} ({devices[0].device_kind})"
