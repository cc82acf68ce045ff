"""`dnnprov doctor SCRIPT` says what would be recorded of a program, without running it."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from dnnprov.integrations.forecast import forecast

TRAIN = """
    import os
    from package import models
    from .nowhere import thing
    raise SystemExit("it was run")
"""


def write(folder, **modules):
    for name, text in modules.items():
        place = folder / f"{name.replace('__in__', '/')}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(textwrap.dedent(text))
    return folder / "train.py"


def names(script):
    return [one.name for one in forecast(script)]


def doctor(*arguments):
    command = [sys.executable, "-m", "dnnprov", "doctor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_what_the_script_and_the_modules_beside_it_import(tmp_path):
    script = write(
        tmp_path,
        train=TRAIN,
        package__in____init__="",
        package__in__models="import numpy\nfrom .deep import net",
        package__in__deep="import torch.nn as nn\nimport train\ndef f():\n    import jax",
        elsewhere="import keras",
    )
    assert names(script) == ["torch", "jax"]


@pytest.mark.parametrize("use", ["dnnprov.jax.watch(m)", "from dnnprov.jax import watch", "from dnnprov import jax"])
def test_loops_of_jax_that_the_program_watches_are_recorded(tmp_path, use):
    unwatched, watched = (
        next(one for one in forecast(write(tmp_path, train=f"import jax, dnnprov\n{last}")) if one.name == "jax")
        for last in ("", use)
    )
    assert (unwatched.recorded, "dnnprov.jax.watch" in unwatched.not_recorded) == ("", True)
    assert ("dnnprov.jax.watch" in watched.recorded, watched.not_recorded) == (True, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import keras", ["keras"]),
        ("from keras.models import Sequential", ["keras"]),
        ("import importlib\nimportlib.import_module('torch.nn')", ["torch"]),
        ("if False:\n    import torch", ["torch"]),
        ("import wandb, torch", ["torch", "wandb"]),
        ("from dfa_lib_python.task import Task", ["dfa_lib_python"]),
        ("import dnnprov", ["dnnprov"]),
        ("import math", ["nothing"]),
        ("import torch, os\nos._exit(0)", ["torch", "os._exit"]),
    ],
)
def test_what_is_imported(tmp_path, text, expected):
    assert names(write(tmp_path, train=text)) == expected


def test_a_package_beside_the_script_is_not_the_framework(tmp_path):
    assert names(write(tmp_path, train="import torch", torch="x = 1")) == ["nothing"]


def test_versions_and_words(tmp_path, monkeypatch):
    import torch

    (found,) = forecast(write(tmp_path, train="import torch"))
    assert found.version.startswith(torch.__version__.partition("+")[0])
    assert "PyTorch" in found.recorded
    assert "log_epoch" in found.not_recorded
    monkeypatch.setattr("dnnprov.integrations.forecast._version", lambda package: "99.0")
    assert "untested" in forecast(tmp_path / "train.py")[0].note
    monkeypatch.setattr("dnnprov.integrations.forecast._version", lambda package: None)
    found = forecast(tmp_path / "train.py")
    assert [(one.name, one.recorded) for one in found] == [("torch", ""), ("nothing", "")]
    assert found[0].not_recorded == "it is imported and not installed"


def test_the_command_prints_lines_or_json_and_runs_nothing(tmp_path):
    script = write(tmp_path, train=TRAIN, package__in____init__="", package__in__models="import keras")
    done = doctor(script)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == str(script)
    assert "fit, evaluate and files of Keras" in done.stdout
    (found,) = json.loads(doctor("--json", script).stdout)
    assert found["name"] == "keras"
    assert not (tmp_path / ".dnnprov").exists()


@pytest.mark.parametrize("content", ["def (", "\0", None])
def test_what_is_no_script_is_told_in_one_line(tmp_path, content):
    script = tmp_path / "train.py"
    if content is not None:
        script.write_text(content)
    done = doctor(script)
    assert done.returncode == 2
    assert done.stderr.startswith(f"dnnprov: {str(script)!r} cannot be read as a Python script: ")
    assert len(done.stderr.splitlines()) == 1


def test_an_import_of_itself_and_in_a_circle_ends(tmp_path):
    assert names(write(tmp_path, train="import train, other", other="import train, torch")) == ["torch"]
