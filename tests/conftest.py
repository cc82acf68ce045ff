"""Fixtures that every test may use."""

from __future__ import annotations

import os

import pytest

os.environ["DNNPROV_FOLLOW"] = "0"
os.environ.pop("DNNPROV_STORE", None)
os.environ.pop("DNNPROV_DISABLED", None)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store folder that start_run and open use by default."""
    place = tmp_path / "store"
    monkeypatch.setenv("DNNPROV_STORE", str(place))
    return place
