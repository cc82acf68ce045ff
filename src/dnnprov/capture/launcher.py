"""How this process was started among others: by torchrun, Slurm, MPI, Lightning, `multiprocessing` or by hand.

Launchers tell each process its rank by environment variables; torch and JAX are asked as well, where the user has
initialised their process groups. Nothing is imported, initialised or waited for.

What a process of ours inherits is not a rank of its own: a forked or spawned child, and a program that a rank starts,
have the variables of their parent. They record as processes that nobody launched.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from typing import TYPE_CHECKING

from dnnprov.capture.launch import Launch
from dnnprov.capture.launching_process import beginning_of, find_launching_process, is_started_by_multiprocessing
from dnnprov.capture.process_groups import ask_frameworks
from dnnprov.capture.switches import is_switched_on

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_VARIABLE = "DNNPROV_RUN_ID"
RANK_VARIABLE = "DNNPROV_RANK"
RANKS_VARIABLE = "DNNPROV_RANKS"
PROCESS_VARIABLE = "DNNPROV_PROCESS"
"""Set by a process that records as one of several, for its children: its pid, its seed, and what it was told."""

SIGNS = (
    RUN_VARIABLE,
    RANK_VARIABLE,
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "NODE_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
    "TORCHELASTIC_RUN_ID",
    "TORCHELASTIC_RESTART_COUNT",
    "SLURM_PROCID",
    "SLURM_STEP_ID",
    "OMPI_COMM_WORLD_RANK",
    "PMI_RANK",
)
"""Variables by which a process differs from the one that launched it."""

LIGHTNING = frozenset({"lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric"})

_BATCH_JOBS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "PALS_APID")
_SLURM_OWN_STEPS = 0xFFFFFFF0
"""Steps from here on are Slurm's own: of the batch script and of an interactive shell, which are no ranks."""

_LOOPBACK = ("localhost", "127.", "::1")


def find_launch() -> Launch | None:
    """How this process was launched; `None` for one that stands alone."""
    if not is_switched_on(RANKS_VARIABLE, default=True):
        return None
    environment, asked = os.environ, ask_frameworks()
    signs = read_signs(environment)
    if _is_inherited(signs, asked):
        return None
    launch = None
    for find in (_of_torchrun, _of_slurm, _of_open_mpi, _of_mpich, _of_variables):
        launch = launch or find(environment)
    launch = launch or _of_lightning(environment, asked) or asked
    return _as_told_by_hand(environment, launch)


def read_signs(environment: Mapping[str, str]) -> dict[str, str]:
    """What a process was told by its launcher, as far as it tells processes apart."""
    return {name: environment[name] for name in SIGNS if name in environment}


def tell_children(seed: str, launch: Launch | None) -> None:
    """Leave word for the children of this process: what they inherit of it, and by what they know its runs.

    Args:
        seed: from which the uids of its runs follow, where nobody launched it.
        launch: how it was launched.
    """
    global _seed_alone  # noqa: PLW0603 - of the process
    if launch is None:
        if LIGHTNING.isdisjoint(sys.modules):  # no other library makes a process alone the first of several
            return
        _seed_alone = seed
    os.environ[PROCESS_VARIABLE] = f"{os.getpid()}:{seed}:{_digest(read_signs(os.environ))}"


def _is_inherited(signs: dict[str, str], asked: Launch | None) -> bool:
    """Whether all that a process is told is its parent's."""
    if not signs and asked is None:
        return True
    if _at_fork is not None:
        return (signs, asked) == _at_fork
    if asked is not None:
        return False
    pid, _, digest = _word_of_parent
    if pid not in {"", str(os.getpid())} and digest == _digest(signs):
        return True
    return is_started_by_multiprocessing() and beginning_of(os.getpid(), SIGNS) == signs


def _of_torchrun(environment: Mapping[str, str]) -> Launch | None:
    """Of torchrun, and so of `accelerate launch`."""
    run_id = environment.get("TORCHELASTIC_RUN_ID")
    told = _read_rank(environment, "torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "GROUP_RANK")
    if told is None or run_id is None:
        return None
    restarts = _number(environment, "TORCHELASTIC_RESTART_COUNT") or 0
    told = dataclasses.replace(told, restart_count=restarts)
    if _is_on_one_machine(environment):
        return dataclasses.replace(_by_process(told, environment), goes_on=restarts > 0)
    if run_id not in {"", "none"}:  # which torchrun says where no --rdzv-id is given
        return dataclasses.replace(told, job=("torchrun", run_id))
    return _by_batch_job(told, environment)


def _of_slurm(environment: Mapping[str, str]) -> Launch | None:
    """Of a task that srun started; a batch script has a SLURM_PROCID as well."""
    step, job = _number(environment, "SLURM_STEP_ID"), environment.get("SLURM_JOB_ID")
    size = "SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in environment else "SLURM_NTASKS"
    told = _read_rank(environment, "Slurm", "SLURM_PROCID", size, "SLURM_LOCALID", "SLURM_NODEID")
    if told is None or step is None or step >= _SLURM_OWN_STEPS or job is None or (told.world_size or 0) < 2:
        return None
    restarts = _number(environment, "SLURM_RESTART_COUNT") or 0
    return dataclasses.replace(told, restart_count=restarts, job=("Slurm", job, str(step)), goes_on=False)


def _of_open_mpi(environment: Mapping[str, str]) -> Launch | None:
    names = (f"OMPI_COMM_WORLD_{name}" for name in ("RANK", "SIZE", "LOCAL_RANK", "NODE_RANK"))
    told = _read_rank(environment, "Open MPI", *names)
    if told is None or (told.world_size or 0) < 2:
        return None
    told = dataclasses.replace(told, node=None, goes_on=False)  # NODE_RANK is the rank on the node
    if _number(environment, "OMPI_COMM_WORLD_LOCAL_SIZE") == told.world_size:
        return _by_process(told, environment)
    for name in ("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "OMPI_MCA_orte_hnp_uri"):
        if environment.get(name):
            return dataclasses.replace(told, job=("Open MPI", environment[name], *_batch_job(environment)))
    return _by_batch_job(told, environment)


def _of_mpich(environment: Mapping[str, str]) -> Launch | None:
    """Of the process managers of MPICH and of its descendants."""
    told = _read_rank(environment, "MPI", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "")
    if told is None or (told.world_size or 0) < 2:
        return None
    told = dataclasses.replace(told, goes_on=False)
    if _number(environment, "MPI_LOCALNRANKS") == told.world_size:
        return _by_process(told, environment)
    return _by_batch_job(told, environment)


def _of_variables(environment: Mapping[str, str]) -> Launch | None:
    """Of the variables that torch reads, whoever set them."""
    told = _read_rank(environment, "RANK", "RANK", "WORLD_SIZE", "LOCAL_RANK", "NODE_RANK")
    if told is None or (told.world_size or 0) < 2:
        return None
    told = dataclasses.replace(told, goes_on=False)
    return _by_process(told, environment) if _is_on_one_machine(environment) else _by_batch_job(told, environment)


def _of_lightning(environment: Mapping[str, str], asked: Launch | None) -> Launch | None:
    """Of a script that Lightning starts again for each further rank; the first process is itself the launcher.

    When its trainer is done, Lightning takes the number of ranks back; the processes are what they were.
    """
    global _lightning  # noqa: PLW0603 - of the process
    told = _read_rank(environment, "Lightning", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_RANK", "NODE_RANK")
    if told is None:
        return None
    if told.world_size is None:
        told = dataclasses.replace(told, world_size=asked.world_size if asked is not None else None)
    if (told.world_size or 0) < 2:
        return _lightning
    if asked is not None:
        told = dataclasses.replace(told, rank=asked.rank)
    elif told.node:  # how many ranks the machines before have is not told
        return dataclasses.replace(told, rank=None)
    pid, seed, _ = _word_of_parent
    is_further = (
        environment.get("LOCAL_RANK") != "0"
    )  # the first is no child of Lightning, whatever its parent left word of
    seed = seed if is_further and pid == str(os.getppid()) else _seed_alone
    if seed:
        _lightning = dataclasses.replace(told, job=(seed,))
    else:
        _lightning = _by_process(told, environment) if _is_on_one_machine(environment) else told
    return _lightning


def _as_told_by_hand(environment: Mapping[str, str], launch: Launch | None) -> Launch | None:
    """What the user says goes before all."""
    rank, run = _number(environment, RANK_VARIABLE), environment.get(RUN_VARIABLE)
    if launch is None and not run:
        return Launch(RANK_VARIABLE, rank) if rank else None
    launch = launch or Launch(RUN_VARIABLE, 0)
    if launch.job is None and not run:
        launch = _by_batch_job(launch, environment)
    if rank is not None:
        launch = dataclasses.replace(launch, rank=rank)
    return dataclasses.replace(launch, job=(RUN_VARIABLE, run), goes_on=True) if run else launch


def _read_rank(environment: Mapping[str, str], launcher: str, *names: str) -> Launch | None:
    """Rank, number of ranks, rank on the machine and number of the machine, from variables of these names."""
    rank, size, local, node = (_number(environment, name) for name in names)
    if rank is None or (size is not None and rank >= size):
        return None
    return Launch(launcher, rank, size, local, node)


def _by_process(told: Launch, environment: Mapping[str, str]) -> Launch:
    """Known by the process that launched it and its neighbours on one machine."""
    launcher = find_launching_process(read_signs(environment), skips_own=is_started_by_multiprocessing())
    if launcher is None:
        return _by_batch_job(told, environment)
    if told.rank and launcher.split("/")[-2] == str(os.getpid()):  # it said so to itself: its neighbours cannot know
        return told
    return dataclasses.replace(told, job=(launcher,))


def _by_batch_job(told: Launch, environment: Mapping[str, str]) -> Launch:
    """Known by the job of a batch system, in which one launch may follow another."""
    job = _batch_job(environment)
    return dataclasses.replace(told, job=(told.launcher, *job) if job else None, goes_on=False)


def _batch_job(environment: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(environment[name] for name in (*_BATCH_JOBS, "SLURM_STEP_ID") if environment.get(name))


def _is_on_one_machine(environment: Mapping[str, str]) -> bool:
    machines = _number(environment, "GROUP_WORLD_SIZE")
    if machines is not None:
        return machines == 1
    local = _number(environment, "LOCAL_WORLD_SIZE")
    if local is not None:
        return local == _number(environment, "WORLD_SIZE")
    return environment.get("MASTER_ADDR", "").startswith(_LOOPBACK)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _digest(signs: Mapping[str, str]) -> str:
    return hashlib.sha256(repr(sorted(signs.items())).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _read_word() -> tuple[str, str, str]:
    """Pid, seed and signs of the process that left word for its children."""
    pid, _, rest = os.environ.get(PROCESS_VARIABLE, "").partition(":")
    seed, _, digest = rest.partition(":")
    return pid, seed, digest


_seed_alone = ""
"""Of a process that began runs before Lightning made it the first of several."""

_lightning: Launch | None = None
"""As Lightning last launched this process."""

_word_of_parent = _read_word()

_at_fork: tuple[dict[str, str], Launch | None] | None = None
"""In a forked child: what its parent was told, and what the frameworks said there."""


def _after_fork_in_child() -> None:
    global _at_fork, _seed_alone, _word_of_parent
    _at_fork, _seed_alone, _word_of_parent = (read_signs(os.environ), ask_frameworks()), "", _read_word()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
