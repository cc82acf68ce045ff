"""Runs a script as a process of its own, as a training is one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = Path(__file__).parents[1]


def start_script(source: str, store: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a script; it may import what lies in `tests`."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source)],
        env={**os.environ, "DNNPROV_STORE": str(store), "PYTHONPATH": str(TESTS), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_script(source: str, store: Path, code: int = 0, **environment: str) -> tuple[str, str]:
    """Run a script that must end with an exit code; what it printed."""
    process = start_script(source, store, **environment)
    out, err = process.communicate(timeout=90)
    assert process.returncode == code, (process.returncode, err)
    return out, err


def run_file(script: Path, store: Path, *arguments: str) -> None:
    """Run a script from its file, as what spawns processes must be run."""
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "DNNPROV_STORE": str(store)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def end_with_signal(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """Send a signal as soon as the script has printed a line; its exit code, and what it said on stderr."""
    assert process.stdout is not None
    assert process.stdout.readline(), process.communicate()[1]
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


def wait_until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that is to come."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
