"""The real sources that imports are tested on."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

collect_ignore_glob = ["mlflow_stores/*.py"]
"""Programs that tests start, with MLflow."""

DATA = Path(os.environ.get("DNNPROV_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def found(name):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not at {path}; set DNNPROV_DATA to its folder")
    return path


@pytest.fixture(scope="session")
def alexnet_dump():
    """Four trainings of AlexNet that DfAnalyzer recorded in 2020."""
    return found("dfanalyzer-alexnet.sql")


@pytest.fixture(scope="session")
def flowers_logs(tmp_path_factory):
    """34 folders of TensorBoard."""
    place = tmp_path_factory.mktemp("tensorboard")
    with tarfile.open(found("tensorboard-flowers17.tgz")) as archive:
        archive.extractall(place, filter="data")
    return place / "runs"
