"""The package as a whole: what is public, and what works without the extras."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

import dnnprov


def test_the_public_names_are_these():
    names = [
        "Attribute",
        "AttributeType",
        "Change",
        "DataSet",
        "Dataflow",
        "Dependency",
        "DnnprovError",
        "Element",
        "File",
        "History",
        "Program",
        "Result",
        "Run",
        "RunTask",
        "Set",
        "SetType",
        "Task",
        "TaskStatus",
        "Transformation",
        "__version__",
        "accelerate",
        "active_run",
        "autolog",
        "export_provenance",
        "jax",
        "keras",
        "keras_tuner",
        "lightning",
        "open",
        "optuna",
        "ray",
        "sklearn",
        "start_run",
        "torch",
        "transformers",
    ]
    assert dir(dnnprov) == names
    of_the_users_own = {
        "accelerate", "jax", "keras", "keras_tuner", "lightning", "open", "optuna", "ray", "sklearn", "torch",
        "transformers",
    }  # fmt: skip
    assert dnnprov.__all__ == [name for name in names if name not in of_the_users_own]
    for name in set(names) - {"ray"}:  # which no group of ours installs
        assert getattr(dnnprov, name) is not None


def test_a_name_that_does_not_exist_says_which_do():
    with pytest.raises(AttributeError, match=r"no attribute 'strt_run'.*start_run"):
        _ = dnnprov.strt_run


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert dnnprov.__version__ == version("dnnprov")


@pytest.mark.parametrize(
    ("missing", "call", "advice"),
    [
        ("prov", "exit_code(['export', 'latest', '--format', 'provn'])", "pip install 'dnnprov[prov]'"),
        ("pygraphviz", "exit_code(['export', 'latest', '--format', 'svg'])", "pip install 'dnnprov[prov]'"),
        ("pandas", "dnnprov.open().runs().to_pandas()", "pip install 'dnnprov[pandas]'"),
        ("pyarrow", "dnnprov.open().runs().to_arrow()", "pip install 'dnnprov[pandas]'"),
        ("keras", "dnnprov.keras", "pip install 'dnnprov[keras]'"),
        ("jax", "dnnprov.jax", "pip install 'dnnprov[jax]'"),
        ("keras_tuner", "dnnprov.keras_tuner", "pip install 'dnnprov[keras-tuner]'"),
        ("optuna", "dnnprov.optuna", "pip install 'dnnprov[optuna]'"),
        ("ray", "dnnprov.ray", "pip install 'dnnprov[ray]'"),
        ("sklearn", "dnnprov.sklearn", "pip install 'dnnprov[sklearn]'"),
        ("torch", "dnnprov.torch", "pip install 'dnnprov[torch]'"),
        ("pytest", "__import__('dnnprov.testing')", "pip install 'dnnprov[testing]'"),
        ("transformers", "dnnprov.transformers", "pip install 'dnnprov[transformers]'"),
        ("accelerate", "dnnprov.accelerate", "pip install 'dnnprov[accelerate]'"),
    ],
)
def test_a_missing_extra_names_what_brings_it(store, missing, call, advice):
    script = f"""
        import sys
        sys.modules[{missing!r}] = None  # as if it were not installed
        import dnnprov
        from dnnprov.cli.main import exit_code
        with dnnprov.start_run("m") as run:
            run.task("Training").log(epoch=1, loss=1.0)
        try:
            {call}
        except ImportError as error:
            print(error, file=sys.stderr)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert advice in done.stderr


def test_without_lightning_under_either_name_its_extra_is_named():
    script = """
        import sys
        sys.modules["lightning"] = sys.modules["pytorch_lightning"] = None
        import dnnprov
        try:
            dnnprov.lightning
        except ImportError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "pip install 'dnnprov[lightning]'" in done.stdout


def test_recording_and_asking_need_no_extra(store):
    script = """
        import sys
        for name in ("prov", "pygraphviz", "pandas", "pyarrow", "numpy", "keras", "torch", "jax", "lightning"):
            sys.modules[name] = None
        import dnnprov
        from dnnprov.cli.main import exit_code
        with dnnprov.start_run("m", params={"learning_rate": 0.1}) as run:
            run.task("Training").log(epoch=1, loss=1.0, accuracy=0.5)
        for command in (["runs"], ["show", "latest"], ["doctor"], *(["ask", f"Q{number}"] for number in range(1, 9))):
            assert exit_code(command) == 0, command
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
