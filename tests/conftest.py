"""Fixtures that every test may use, and the rule for tests that need a part of the machine.

A test that lacks such a part (the photos, say) skips with its reason. Under `CI=true` everything that can be had is
there, so a skip is a failure.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from dnnprov.integrations import autologging

os.environ["DNNPROV_FOLLOW"] = "0"
os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when keras is imported
for variable in ("DNNPROV_STORE", "DNNPROV_DIR", "DNNPROV_DISABLED", "DNNPROV_RUN_ID", "DNNPROV_RANK", "DNNPROV_RANKS"):
    os.environ.pop(variable, None)
if sys.argv[0] == "-c":  # a worker of pytest-xdist; runs are to record a script, as they do where pytest is alone
    sys.argv[0] = str(Path(pytest.__file__).with_name("__main__.py"))
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # tests that run in the background send Ctrl-C to their children
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(os.environ.get("DNNPROV_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store folder that start_run and open use by default."""
    place = tmp_path / "store"
    monkeypatch.setenv("DNNPROV_STORE", str(place))
    return place


@pytest.fixture(autouse=True)
def autolog_off():
    """What a test switches on with `autolog` is off again after it."""
    yield
    autologging._settings.take("", {})
    autologging._said.clear()


@pytest.fixture(scope="session")
def flowers_archive():
    """The archive of Oxford Flowers 17."""
    archive = SHARED_DATA / "17flowers.tgz"
    if not archive.is_file():
        pytest.skip(f"the photos are not at {archive}; set DNNPROV_DATA to their folder")
    return archive


def pytest_collection_modifyitems(items):
    """Traced, slow tests take twice the time; what they cover, the tests beside them do too."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped under CI=true, where nothing may be missing: {reason}"
