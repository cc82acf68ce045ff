"""Ranks that a real MPI launched, MPICH, which the test group installs, and Open MPI where there is any."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recorded import column_of, rows_of

RANK = """
import json, os, sys
import dnnprov

with dnnprov.start_run("mpi", params={"learning_rate": 0.1}) as run, run.task("Training") as training:
    training.log(epoch=1, loss=run.rank + 1.0)
told = {name: value for name, value in os.environ.items() if name.startswith(("PMI", "MPI_", "OMPI_"))}
with open(f"{sys.argv[1]}/{run.rank}.json", "w") as file:
    json.dump(told, file)
"""

TOLD = {
    "MPICH": {"PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALNRANKS": "2", "MPI_LOCALRANKID": "1"},
    "Open MPI": {
        "OMPI_COMM_WORLD_RANK": "1",
        "OMPI_COMM_WORLD_SIZE": "2",
        "OMPI_COMM_WORLD_LOCAL_RANK": "1",
        "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    },
}
"""What each tells its second rank, of what we read."""


def find_launcher(name):
    """The command that starts ranks, wherever it is; one that is installed beside this Python comes first."""
    for place in (str(Path(sys.executable).parent), *os.get_exec_path()):
        for command in ("mpiexec.hydra", "mpirun", "mpiexec"):
            found = shutil.which(command, path=place)
            if found is None:
                continue
            said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
            if ("Open MPI" if "Open MPI" in said else "MPICH" if "HYDRA" in said else None) == name:
                return [found] if name == "MPICH" else [found, "--oversubscribe"]
    return None


LAUNCHERS = {name: launcher for name in TOLD if (launcher := find_launcher(name)) or name == "MPICH"}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_ranks_of_a_real_mpi_are_one_run(store, tmp_path, name):
    launcher = LAUNCHERS[name]
    assert launcher, "MPICH, which the test group installs, has no mpiexec.hydra beside this Python"
    command = [*launcher, "-n", "2", sys.executable, "-c", RANK, str(tmp_path)]
    as_root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    for _ in range(2):  # a second launch is another run
        done = subprocess.run(
            command,
            env={**os.environ, **as_root, "DNNPROV_STORE": str(store)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
    assert rows_of(store, "SELECT name, status FROM run ORDER BY name") == [
        {"name": "mpi-1", "status": "finished"},
        {"name": "mpi-2", "status": "finished"},
    ]
    ranks = rows_of(store, "SELECT rank, status FROM run_rank ORDER BY run_id, rank")
    assert [tuple(row.values()) for row in ranks] == [(0, "finished"), (1, "finished")] * 2
    assert column_of(store, "SELECT loss FROM oTrainingModel WHERE rank = 1") == [2.0, 2.0]
    assert column_of(store, "SELECT learning_rate FROM iTrainingModel") == [0.1, 0.1]
    assert TOLD[name].items() <= json.loads((tmp_path / "1.json").read_text()).items()
