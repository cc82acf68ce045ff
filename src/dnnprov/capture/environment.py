"""What a run ran on: machine, code, packages. No secrets, and no import of anything heavy."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import re
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.model.events import EnvironmentRecorded

if TYPE_CHECKING:
    from dnnprov.capture.git_state import GitQuestion

ALLOWED_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "JAX_PLATFORMS",
    "KERAS_BACKEND",
    "LOCAL_RANK",
    "NODE_RANK",
    "OMP_NUM_THREADS",
    "PYTHONHASHSEED",
    "RANK",
    "SLURM_JOB_ID",
    "SLURM_JOB_NAME",
    "SLURM_NNODES",
    "SLURM_PROCID",
    "SLURM_RESTART_COUNT",
    "SLURM_STEP_ID",
    "TF_DETERMINISTIC_OPS",
    "TORCHELASTIC_RESTART_COUNT",
    "TORCHELASTIC_RUN_ID",
    "WORLD_SIZE",
    "XLA_FLAGS",
)
"""Environment variables that explain a training; no other one is ever recorded."""

FRAMEWORKS = ("flax", "jax", "keras", "lightning", "tensorflow", "torch", "transformers")
"""Modules that train networks; those a process has loaded become software agents of its run."""

SECRET_NAMES = re.compile(
    r"(?:^|[^a-z0-9])(?:(?:api|access|secret|private)[-_.]?key|password|passwd|pwd|secret|token|auth|credentials?)"
    r"(?:$|[^a-z0-9])"
)
"""Names of options whose values are recorded as `***`; whole words, so that `--max-tokens` stays."""

URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")


def environment(git: GitQuestion, device: str | None = None) -> EnvironmentRecorded:
    """The environment of this process. Takes some milliseconds, most of them git's, so call it off the training thread.

    A part that cannot be read is left out.

    Args:
        git: asked about the code when the run began.
        device: that the process trains on, which only the training thread can tell.
    """
    event = EnvironmentRecorded(
        host=socket.gethostname(),
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu(),
        num_cpus=_usable_cpus(),
        memory_bytes=_memory_bytes(),
        gpu=_gpu(),
        device=device,
        python=platform.python_version(),
        packages=installed_packages(),
        command_line=safe_command_line(getattr(sys, "orig_argv", sys.argv)),
        variables={name: os.environ[name] for name in ALLOWED_VARIABLES if name in os.environ},
    )
    event.frameworks = _loaded_frameworks()
    with contextlib.suppress(PackageNotFoundError, OSError):
        event.software = version("dnnprov")
    with contextlib.suppress(OSError, KeyError):  # no entry in the user database, as in some containers
        event.user = getpass.getuser()
    with contextlib.suppress(OSError):  # the working directory was deleted
        event.working_directory = str(Path.cwd())
    state = git.answer
    if state is not None:
        event.git_commit, event.git_branch = state.commit, state.branch
        event.git_dirty, event.git_diff_sha256 = state.is_dirty, state.diff_sha256
    return event


def safe_command_line(arguments: list[str]) -> list[str]:
    """The arguments with the values of secret-looking options masked.

    Example:
        >>> safe_command_line(["train.py", "--api-key", "abc", "wandb.token=xyz", "--max-tokens", "512"])
        ['train.py', '--api-key', '***', 'wandb.token=***', '--max-tokens', '512']
    """
    masked: list[str] = []
    hide_next = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        is_secret = bool(SECRET_NAMES.search(name.lower())) and (equals != "" or name.startswith("-"))
        if hide_next:
            masked.append("***")
        else:
            masked.append(f"{name}=***" if is_secret and equals else URL_PASSWORD.sub(r"\1***@", argument))
        hide_next = is_secret and not equals and not hide_next
    return masked


def installed_packages() -> dict[str, str]:
    """Name and version of every distribution on `sys.path`, read from the names of its metadata folders."""
    found: dict[str, str] = {}
    for place in sys.path:
        try:
            with os.scandir(place or ".") as entries:
                folders = [entry.name for entry in entries if entry.name.endswith(".dist-info")]
        except OSError:
            continue
        for folder in folders:
            name, _, release = folder.removesuffix(".dist-info").partition("-")
            found.setdefault(name.lower().replace("_", "-"), release)
    return dict(sorted(found.items()))


def _loaded_frameworks() -> dict[str, str]:
    modules = {name: sys.modules[name] for name in FRAMEWORKS if name in sys.modules}
    return {name: str(getattr(module, "__version__", "")) for name, module in modules.items()}


def _cpu() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or None


def _usable_cpus() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _gpu() -> str | None:
    """The models of NVIDIA GPUs as the driver tells them, without starting any program or library."""
    models: list[str] = []
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        with contextlib.suppress(OSError):
            lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
            models.extend(line.partition(":")[2].strip() for line in lines if line.startswith("Model:"))
    return ", ".join(models) or None
