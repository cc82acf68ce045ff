"""`dnnprov run` starts programs as they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from recorded import column_of

TASK = """
from dfa_lib_python.task import Task
Task(1, "cells", "Count").begin()
"""


@pytest.fixture
def launch(tmp_path, store):
    def run(*arguments, launcher=("-m", "dnnprov", "run"), **variables):
        return subprocess.run(
            [sys.executable, *launcher, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, **variables},
        )

    return run


def write(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(textwrap.dedent(text))


def test_a_script_sees_what_it_sees_by_itself(tmp_path, store, launch):
    write(tmp_path, "show.py", "import sys; print(__name__, __file__, sys.argv, sys.path[0], __spec__, __doc__)")
    bare = subprocess.run(
        [sys.executable, "show.py", "--epochs", "3", "-m", "x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    done = launch("show.py", "--epochs", "3", "-m", "x")
    assert (done.stdout, done.returncode) == (bare.stdout, 0)
    (said,) = done.stderr.splitlines()
    assert said.startswith("dnnprov: autolog records ")
    assert said.endswith(f"as dataflow 'show' in {store}")
    direct = launch("show.py", "--epochs", "3", "-m", "x", launcher=("-m", "dnnprov.integrations.launch"))
    assert direct.stdout == bare.stdout


def test_a_module(tmp_path, launch):
    write(tmp_path, "pack/__init__.py", "")
    write(tmp_path, "pack/main.py", "import sys; print(__name__, sys.argv[1:], __package__)")
    assert launch("-m", "pack.main", "--lr", "1").stdout == "__main__ ['--lr', '1'] pack\n"


def test_the_library_of_dfanalyzer_is_ours(tmp_path, store, launch):
    write(tmp_path, "train.py", TASK)
    assert launch("train.py").returncode == 0
    assert column_of(store, "SELECT name FROM run") == ["cells-1"]


def test_ours_comes_before_a_copy_beside_the_script(tmp_path, store, launch):
    write(tmp_path, "dfa_lib_python/__init__.py", "")
    write(tmp_path, "dfa_lib_python/task.py", "raise SystemExit('the copy')")
    write(tmp_path, "train.py", TASK)
    assert launch("train.py").returncode == 0
    assert column_of(store, "SELECT COUNT(*) FROM run") == [1]


def test_the_original_is_taken_where_it_is_installed_and_asked_for(tmp_path, launch):
    write(tmp_path / "installed", "dfa_lib_python/__init__.py", "")
    write(tmp_path / "installed", "dfa_lib_python/task.py", "print('the original')")
    write(tmp_path, "train.py", "import dfa_lib_python.task as task; print(task.__name__)")
    installed = str(tmp_path / "installed")
    assert launch("--original-dfa-lib", "train.py", PYTHONPATH=installed).stdout.splitlines()[0] == "the original"
    assert launch("train.py", PYTHONPATH=installed).stdout == "dnnprov.dfanalyzer.task\n"
    assert launch("--original-dfa-lib", "train.py").stdout == "dnnprov.dfanalyzer.task\n"  # there is none


def test_processes_that_the_script_starts_record_as_well(tmp_path, store, launch):
    write(tmp_path, "step.py", TASK)
    write(
        tmp_path,
        "train.py",
        """
        import multiprocessing, subprocess, sys
        from dfa_lib_python.task import Task

        def count(number):
            Task(number, "cells", "spawned", "Count").end()

        if __name__ == "__main__":
            subprocess.run([sys.executable, "step.py"], check=True)
            child = multiprocessing.get_context("spawn").Process(target=count, args=(1,))
            child.start()
            child.join()
            assert child.exitcode == 0
        """,
    )
    done = launch("train.py")
    assert done.returncode == 0, done.stderr
    assert column_of(store, "SELECT name FROM run ORDER BY name") == ["cells-1", "spawned"]


def test_a_command_that_starts_python(tmp_path, store, launch):
    write(tmp_path, "train.py", TASK)
    done = launch("env", "SOME=thing", sys.executable, "train.py")
    assert done.returncode == 0, done.stderr
    assert column_of(store, "SELECT COUNT(*) FROM run") == [1]


def test_of_several_ranks_only_the_first_says_what_is_recorded_and_a_launcher_names_no_dataflow(tmp_path, launch):
    write(tmp_path, "show.py", "import dnnprov; dnnprov.autolog('net')")
    ranks = [{"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"} for rank in range(2)]
    first, second = (launch("show.py", **one) for one in ranks)
    assert [line.count("autolog records") for line in first.stderr.splitlines()] == [1, 1]  # ours, and the script's own
    assert second.stderr == ""
    write(tmp_path, "all.sh", "#!/bin/sh\n")
    (tmp_path / "all.sh").chmod(0o755)
    assert "as dataflows named for the scripts in " in launch("./all.sh").stderr
    assert "as dataflow 'given' in " in launch("--dataflow", "given", "./all.sh").stderr


def test_the_store_may_be_named_before_the_script(tmp_path, launch):
    write(tmp_path, "train.py", TASK)
    launch("--store", str(tmp_path / "other"), "train.py", "--store", "mine")
    assert column_of(tmp_path / "other", "SELECT COUNT(*) FROM run") == [1]


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_that_of_the_script(tmp_path, launch, code):
    write(tmp_path, "end.py", f"raise SystemExit({code})")
    assert launch("end.py").returncode == code


def test_a_stack_trace_has_the_scripts_frames_alone(tmp_path, launch):
    write(tmp_path, "fail.py", "def f():\n    raise ValueError('no')\nf()\n")
    bare = subprocess.run([sys.executable, "fail.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    done = launch("fail.py")
    assert (done.stderr.partition("\n")[2], done.returncode) == (bare.stderr, 1)


def test_signals_reach_the_script(tmp_path, store):
    write(tmp_path, "wait.py", TASK + "import time\nprint('ready', flush=True)\ntime.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-m", "dnnprov", "run", "wait.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert column_of(store, "SELECT status FROM run") == ["interrupted"]


def test_a_sitecustomize_that_stands_behind_ours_is_imported(tmp_path, launch):
    write(tmp_path / "site", "sitecustomize.py", "print('customized')")
    write(tmp_path, "show.py", "import sitecustomize, sys; print(sitecustomize.__file__)")
    done = launch("show.py", PYTHONPATH=str(tmp_path / "site"))
    assert done.stdout.splitlines()[-2:] == ["customized", str(tmp_path / "site" / "sitecustomize.py")]
    write(tmp_path / "site", "sitecustomize.py", "import not_there")
    assert "not_there" in launch("show.py", PYTHONPATH=str(tmp_path / "site")).stderr


def test_a_sitecustomize_may_change_the_path(tmp_path, launch):
    write(tmp_path / "our site", "sitecustomize.py", "import sys; sys.path.append('/added')")
    write(tmp_path, "show.py", "import sys; print(sys.path)")
    variables = {"PYTHONPATH": str(tmp_path / "our site")}
    bare = launch("show.py", launcher=(), **variables)
    assert "/added" in bare.stdout
    assert launch("show.py", **variables).stdout == bare.stdout


@pytest.mark.parametrize("module", ["dnnprov.integrations.launch", ("dnnprov", "run")])
def test_options_of_the_interpreter_are_kept(tmp_path, launch, module):
    module = [module] if isinstance(module, str) else module
    write(tmp_path, "show.py", "import sys; print(sys.flags.dev_mode, sys.flags.optimize, sys.argv[1:])")
    done = launch("show.py", "-m", "x", launcher=("-X", "dev", "-O", "-m", *module))
    assert done.stdout == "True 1 ['-m', 'x']\n"


def test_a_shell_script_is_a_command(tmp_path, store, launch):
    write(tmp_path, "train.py", TASK)
    write(tmp_path, "all.sh", f"#!/bin/sh\nexec {sys.executable} train.py\n")
    (tmp_path / "all.sh").chmod(0o755)
    for name in ("./all.sh", "all.sh"):
        done = launch(name)
        assert (done.returncode, len(done.stderr.splitlines())) == (0, 1), done.stderr
    assert column_of(store, "SELECT COUNT(*) FROM run") == [2]


def test_a_script_for_python_may_be_executable_and_have_any_name(tmp_path, launch):
    for name, first in (("train", "#!/usr/bin/env python3"), ("train.sh.py", "#!/bin/sh"), ("plain", "# train")):
        write(tmp_path, name, f"{first}\nimport sys; print(sys.executable)")
        (tmp_path / name).chmod(0o755)
        assert launch(name).stdout == f"{sys.executable}\n"


def test_a_folder_that_is_called_as_a_command_is_does_not_hide_it(tmp_path, launch):
    (tmp_path / "env").mkdir()
    assert "SOME=thing" in launch("env", "SOME=thing").stdout
    write(tmp_path, "app/__main__.py", "print('an application')")
    assert launch("app").stdout == "an application\n"


def test_a_program_that_goes_to_another_folder_records_into_the_same_store(tmp_path, launch):
    write(tmp_path, "step.py", TASK)
    write(
        tmp_path,
        "train.py",
        """
        import os, subprocess, sys
        from dfa_lib_python.dataflow import Dataflow
        from dfa_lib_python.task import Task

        Dataflow("cells").save()
        os.mkdir("results")
        os.chdir("results")
        Task(1, "cells", "monday", "Count").end()
        subprocess.run([sys.executable, "../step.py"], check=True)
        """,
    )
    assert launch("train.py", DNNPROV_STORE="").returncode == 0
    assert column_of(tmp_path / ".dnnprov", "SELECT name FROM run ORDER BY name") == ["cells-1", "monday"]
    assert list((tmp_path / "results").iterdir()) == []


def test_a_program_may_ask_for_the_library_reload_and_forget_it(tmp_path, launch):
    write(
        tmp_path,
        "train.py",
        """
        import importlib, importlib.util, sys
        assert importlib.util.find_spec("dfa_lib_python") is not None
        assert importlib.util.find_spec("dfa_lib_python.task") is not None
        import dfa_lib_python
        from dfa_lib_python.task import Task
        assert dfa_lib_python.__file__
        assert importlib.reload(dfa_lib_python).task.Task is Task
        for name in [name for name in sys.modules if name.startswith("dfa_lib_python")]:
            del sys.modules[name]
        import dfa_lib_python as again
        assert again.task.Task is Task is again.Task
        """,
    )
    done = launch("train.py")
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1), done.stderr


def test_what_is_no_program_is_told_in_one_line(launch):
    expected = "dnnprov: 'nowhere.py' is neither a file nor a command; name a script, -m MODULE, or a command\n"
    done = launch("nowhere.py")
    assert (done.returncode, done.stderr) == (2, expected)
    done = launch()
    assert done.returncode == 2
    assert "Missing argument 'PROGRAM'" in done.stderr
    assert launch(launcher=("-m", "dnnprov.integrations.launch")).returncode == 2


def test_where_dnnprov_cannot_be_prepared_the_script_runs(tmp_path, launch):
    write(tmp_path, "show.py", "print('ran')")
    write(tmp_path / "broken", "dnnprov/__init__.py", "raise RuntimeError('broken')")
    from dnnprov.integrations.launch import LAUNCHED

    write(tmp_path / "broken", "sitecustomize.py", "print('customized')")
    path = os.pathsep.join([str(LAUNCHED), str(tmp_path / "broken")])
    done = launch("show.py", launcher=(), PYTHONPATH=path)
    assert done.stdout == "customized\nran\n"
    assert (done.returncode, done.stderr) == (0, "dnnprov: nothing is recorded: RuntimeError: broken\n")


KERAS = """
import keras, numpy as np
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
model.compile(optimizer="sgd", loss="mse")
"""
FIT = """
model.fit(np.ones((8, 4)), np.ones((8, 2)), epochs=1, verbose=0)
"""


def test_what_frameworks_train_is_recorded_but_not_what_the_script_tells_itself(tmp_path, store, launch):
    write(tmp_path, "train.py", KERAS + FIT)
    write(tmp_path, "told.py", TASK + KERAS + FIT)
    assert launch("train.py").returncode == 0
    assert launch("--dataflow", "named", "train.py").returncode == 0
    assert launch("told.py").returncode == 0
    assert launch("--without", "keras", "train.py").returncode == 0
    assert launch("train.py", DNNPROV_DISABLED="1").stderr.count("dnnprov") == 0
    assert column_of(store, "SELECT name FROM run ORDER BY run_id") == ["train-1", "named-1", "cells-1"]


def test_an_unknown_framework_is_told(launch):
    done = launch("--without", "kears", "train.py")
    assert done.returncode == 2
    assert "kears" in done.stderr
