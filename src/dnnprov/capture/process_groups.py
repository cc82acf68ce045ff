"""The rank of this process in a process group of torch or JAX, where the program made one; none is made here."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from dnnprov.capture.launch import Launch
from dnnprov.capture.launching_process import find_launching_process, is_started_by_multiprocessing


def ask_frameworks() -> Launch | None:
    """The rank in the process group of torch or JAX, where the program made one."""
    try:
        told = _ask_torch(sys.modules.get("torch.distributed")) or _ask_jax(sys.modules.get("jax._src.distributed"))
    except Exception:  # noqa: BLE001 - whatever another version of them raises, the training starts (P1)
        return None
    if told is None or not is_started_by_multiprocessing():
        return told
    launcher = find_launching_process({}, skips_own=True)
    return dataclasses.replace(told, job=None if launcher is None else (launcher,), goes_on=False)


def _ask_torch(distributed: Any) -> Launch | None:
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return Launch("torch.distributed", int(distributed.get_rank()), int(distributed.get_world_size()))


def _ask_jax(distributed: Any) -> Launch | None:
    """Without jax.process_index(), which would initialise the devices."""
    state: Any = getattr(distributed, "global_state", None)
    if getattr(state, "client", None) is None or state.num_processes < 2:
        return None
    return Launch("jax.distributed", int(state.process_id), int(state.num_processes))
