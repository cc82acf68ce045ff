"""What tests of the classes of DfAnalyzer's library share."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from dnnprov.capture.current_runs import open_runs


def finish_all():
    """What the exit of the process does."""
    for run in list(open_runs):
        run.finish()


@pytest.fixture(autouse=True)
def ended():
    """Runs that a test left open end with it, as they would with its process."""
    yield
    finish_all()


@pytest.fixture
def exit_process():
    return finish_all


@pytest.fixture
def run_script(tmp_path):
    """Runs a script by `dnnprov run`, or by Python alone; gives back the finished process."""

    def run(script, *arguments, options=(), code=0, launcher=("-m", "dnnprov", "run"), name="script.py"):
        (tmp_path / name).write_text(textwrap.dedent(script))
        command = [sys.executable, "-W", "error", *launcher, *options, name, *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == code, done.stderr
        return done

    return run
