"""What tests of the paper's face share."""

from __future__ import annotations

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
