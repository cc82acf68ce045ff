"""The demo: its runs against Keras's own history, and the whole of it as a person starts it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dnnprov

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

pytestmark = pytest.mark.filterwarnings(
    # Keras 3.15's own callbacks under NumPy 2
    "ignore:.*__array__.*:DeprecationWarning"
)


def few(data, number):
    """A part of a data set, so that a test trains in seconds."""

    def part(split):
        return dataclasses.replace(split, images=split.images[:number], labels=split.labels[:number])

    return dataclasses.replace(data, **{name: part(getattr(data, name)) for name in ("train", "validation", "test")})


def test_the_photos_are_split_alike_in_each_class(flowers_archive, monkeypatch):
    import numpy as np

    from flowers17 import apply_gray_scale, load_flowers

    monkeypatch.setenv("DNNPROV_DATA", str(flowers_archive.parent))
    data = load_flowers(16, allow_download=False)
    assert (data.name, len(data.class_names)) == ("17flowers", 17)
    for split, number in ((data.train, 48), (data.validation, 12), (data.test, 20)):
        assert np.bincount(split.labels).tolist() == [number] * 17
        assert split.images.shape == (number * 17, 16, 16, 3)
        assert 0 <= split.images.min() < split.images.max() <= 1
    gray = apply_gray_scale(data)
    assert np.ptp(gray.train.images, axis=-1).max() == 0
    assert np.ptp(data.train.images, axis=-1).max() > 0.5


@pytest.mark.slow
def test_the_answers_on_the_demo_s_runs_agree_with_keras_history(flowers_archive, store, tmp_path, monkeypatch):
    from alexnet_flowers17 import read_options, train
    from cost import Cost
    from flowers17 import load_flowers
    from grid import Settings

    monkeypatch.setenv("DNNPROV_DATA", str(flowers_archive.parent))
    data = few(load_flowers(32, allow_download=False), 96)
    options = read_options(["--epochs", "12", "--output", str(tmp_path), "--scale", "0.02"])
    grid = [
        Settings("SGD", 0.002, 0.4),
        Settings("Adam", 0.001, 0.7, adaptation="LearningRateScheduler"),
        Settings("Adam", 0.002, 0.4, filter_name="gray-scale"),
    ]
    histories = [train(settings, data, options, Cost(store), lambda: None).history for settings in grid]
    with dnnprov.open() as history:
        for number, expected in enumerate(histories, start=1):
            name = f"alexnet-{number}"
            for metric in ("loss", "accuracy", "val_loss", "val_accuracy"):
                values = [history.ask("Q1", run=name, epoch=epoch, metric=metric)[0]["value"] for epoch in range(1, 13)]
                assert values == expected[metric]
            assert [row["loss"] for row in history.ask("Q3", run=name)] == expected["loss"]
            assert all(row["elapsed_seconds"] > 0 for row in history.ask("Q3", run=name))
            layers = list(history.ask("Q2", run=name))
            assert [layer["name"] for layer in layers if layer["type"] == "Dropout"] == ["dropout_1", "dropout_2"]
        runs = {row["name"]: row for row in history.runs()}
        assert [runs[f"alexnet-{number}"]["optimizer_name"] for number in (1, 2, 3)] == ["SGD", "Adam", "Adam"]
        assert [runs[f"alexnet-{number}"]["learning_rate"] for number in (1, 2, 3)] == [0.002, 0.001, 0.002]
        changes = history.sql(
            "SELECT r.name, epoch, old_value, new_value, technique FROM oadaptation JOIN run AS r USING (run_id)"
        )
        assert [tuple(row.values()) for row in changes] == [("alexnet-2", 11, 0.001, 0.0005, "LearningRateScheduler")]
        filters = {row["filter_name"]: row["runs"] for row in history.ask("Q7", dropout=0.4)}
        assert filters == {"gray-scale": "alexnet-3", "none": "alexnet-1"}
        tested = {name: run["accuracy"] for name, run in runs.items()}
        extremes = {row["which"]: row["accuracy"] for row in history.ask("Q8")}
        assert extremes == {"best": max(tested.values()), "worst": min(tested.values())}
        assert {run["accuracy_source"] for run in runs.values()} == {"test"}
        models = history.sql("SELECT path, sha256 FROM file WHERE role = 'model'")
        assert len(models) == 3
        assert all(row["sha256"] for row in models)


def test_the_demo_as_a_whole_without_photos(tmp_path):
    pytest.importorskip("pygraphviz")
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: value for name, value in os.environ.items() if name not in {"DNNPROV_DATA", "DNNPROV_STORE"}}
    options = ["--runs", "1", "--epochs", "14", "--scale", "0.03", "--no-download"]
    done = subprocess.run(
        [sys.executable, "examples/alexnet_flowers17.py", *options],
        cwd=tmp_path,
        env={**environment, "XDG_CACHE_HOME": str(tmp_path), "DNNPROV_FOLLOW": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "going on with scikit-learn's digits" in done.stderr
    assert "asks] alexnet-1 is running, epoch 1" in done.stdout
    for number in range(1, 9):
        assert f"$ dnnprov ask Q{number} --dataflow alexnet" in done.stdout
    assert "What provenance cost" in done.stdout
    output = tmp_path / "demo-output"
    for name in ("alexnet-1.provn", "alexnet-1.prov.json", "alexnet-1.svg", "alexnet-1.png", "alexnet-1.keras"):
        assert (output / name).stat().st_size > 0, name
