"""The machine that figures are of: they mean nothing without it."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def describe_machine() -> dict[str, str]:
    """What a reader wants to know of it, in words."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "CPU": _cpu(),
        "cores": f"{os.cpu_count()}, load {os.getloadavg()[0]:.1f} at the start",
        "memory": _memory(),
        "OS": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": sqlite3.sqlite_version,
        "disk": _disk(),
        "dnnprov": ", ".join([_version("dnnprov"), *_commit()]),
        "with": ", ".join(f"{name} {_version(name)}" for name in ("msgspec", "keras", "jax")),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> str:
    try:
        num_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return "unknown"
    return f"{num_bytes / 2**30:.0f} GiB"


def _disk() -> str:
    """The file system of the temporary folder, where the stores lie that are measured."""
    place = os.path.realpath(tempfile.gettempdir())
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return "unknown" if sys.platform != "darwin" else "local"
    fitting = [mount for mount in mounts if place == mount[1] or place.startswith(mount[1].rstrip("/") + "/")]
    return max(fitting, key=lambda mount: len(mount[1]))[2] if fitting else "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _commit() -> list[str]:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return [done.stdout.strip()] if done.returncode == 0 else []
