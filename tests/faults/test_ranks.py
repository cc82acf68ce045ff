"""Trainings of several processes: one run, whoever launched them, and what is seen when one of them dies."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import dnnprov
from dnnprov.cli.main import exit_code
from faults.rank_scripts import TRAINING, Rank, finish_all, train
from faults.scripts import run_file
from recorded import column_of, rows_of

TWO = [{"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "MASTER_ADDR": "localhost"} for rank in range(2)]


def ranks_of(store):
    return [tuple(row.values()) for row in rows_of(store, "SELECT rank, status FROM run_rank ORDER BY run_id, rank")]


# torchrun: three ranks, one of them killed in the second epoch, and all started again

ELASTIC = """
import os, signal, sys
from datetime import timedelta
import torch
import torch.distributed as dist
import dnnprov

restarts = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
with dnnprov.start_run("m", params={"lr": 0.1}) as run, run.task("Training") as training:
    run.set_params(momentum=0.9)
    place = f"file://{sys.argv[1]}/{restarts}"  # with the store of torchrun, gloo meets addresses of before the restart
    dist.init_process_group("gloo", place, timedelta(seconds=30), rank=run.rank, world_size=3)
    for epoch in range(1, 4):
        if restarts == 0 and epoch == 3 and run.rank == 2:
            run.log(step=epoch, last_words=1.0)
            os.kill(os.getpid(), signal.SIGKILL)
        total = torch.tensor([float(run.rank)])
        dist.all_reduce(total)
        training.log(epoch=epoch, loss=float(total) + 10 * restarts, own=float(run.rank))
        run.log(step=epoch, epoch=epoch, loss=float(run.rank))
    dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def elastic_store(tmp_path_factory):
    """What three ranks recorded, of which one was killed, and then again all of them."""
    place = tmp_path_factory.mktemp("elastic")
    script = place / "train.py"
    script.write_text(ELASTIC)
    store = place / "store"
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=3", "--max-restarts=1", script, place],
        env={**os.environ, "DNNPROV_STORE": str(store), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return store


@pytest.fixture
def elastic(elastic_store, monkeypatch):
    monkeypatch.setenv("DNNPROV_STORE", str(elastic_store))
    return elastic_store


@pytest.mark.captures("ranks", framework="torch")
def test_torchrun_makes_one_run_of_which_rank_0_records_what_is_the_same_everywhere(elastic):
    assert rows_of(elastic, "SELECT name, status, exit_reason FROM run") == [
        {"name": "m-1", "status": "finished", "exit_reason": None}
    ]
    (parameters,) = rows_of(elastic, "SELECT rank, lr, momentum FROM itrainingmodel")
    assert parameters == {"rank": 0, "lr": 0.1, "momentum": 0.9}
    assert column_of(elastic, "SELECT COUNT(*) FROM oadaptation") == [0]
    assert column_of(elastic, "SELECT COUNT(*) FROM problem") == [0]


def test_every_rank_records_its_machine_and_its_own_results(elastic):
    sql = "SELECT p.rank, COUNT(*) AS n FROM environment AS e JOIN process AS p USING (process_id) WHERE p.attempt = 1"
    assert [tuple(row.values()) for row in rows_of(elastic, f"{sql} GROUP BY p.rank")] == [(0, 1), (1, 1), (2, 1)]
    ranks = rows_of(elastic, "SELECT rank, host, attempt, status FROM run_rank ORDER BY rank")
    assert [(row["rank"], row["attempt"], row["status"]) for row in ranks] == [(n, 1, "finished") for n in range(3)]
    assert all(row["host"] for row in ranks)
    sql = "SELECT o.rank, o.own, COUNT(*) AS n FROM otrainingmodel AS o JOIN process AS p USING (process_id)"
    own = rows_of(elastic, f"{sql} WHERE p.attempt = 1 GROUP BY o.rank, o.own ORDER BY o.rank")
    assert [tuple(row.values()) for row in own] == [(0, 0.0, 3), (1, 1.0, 3), (2, 2.0, 3)]
    own = rows_of(elastic, "SELECT DISTINCT rank, value FROM metric WHERE name = 'loss' ORDER BY rank")
    assert [tuple(row.values()) for row in own] == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_questions_and_summaries_take_the_rows_of_the_lowest_rank_and_the_latest_attempt(elastic):
    with dnnprov.open() as history:
        assert [(row["epoch"], row["loss"]) for row in history.ask("Q3")] == [(1, 13.0), (2, 13.0), (3, 13.0)]
    summed = rows_of(elastic, "SELECT rank, last, num_values FROM run_metric WHERE name = 'loss' AND level = 'epoch'")
    assert summed == [{"rank": 0, "last": 13.0, "num_values": 3}]


def test_what_was_recorded_before_a_restart_stays_and_can_be_asked_for(elastic):
    sql = "SELECT COUNT(*) FROM otrainingmodel AS o JOIN process AS p USING (process_id) WHERE p.attempt = 0"
    assert all(column_of(elastic, f"{sql} AND o.rank = {rank}")[0] >= 2 for rank in range(3))
    assert column_of(elastic, "SELECT rank FROM metric WHERE name = 'last_words'") == [2]
    sql = "SELECT DISTINCT t.status FROM task AS t JOIN process AS p USING (process_id) WHERE p.attempt = "
    assert column_of(elastic, f"{sql}0 AND t.rank = 2") == ["crashed"]
    assert column_of(elastic, f"{sql}1") == ["finished"]
    sql = "SELECT COUNT(*) FROM metric_value AS v JOIN metric_series AS s USING (series_id)"
    assert column_of(elastic, f"{sql} WHERE s.name = 'loss' AND v.superseded = 1")[0] >= 6


def test_the_epochs_of_a_rank_derive_from_its_own(elastic):
    with dnnprov.open() as history:
        found = history.ancestors("m-1:oTrainingModel[epoch=3]", kinds=["element"])
    derived = [row for row in found if row["relation"] == "wasDerivedFrom"]
    ranks = [[name.partition("element-r")[2][0] for name in (row["via"], row["id"])] for row in derived]
    assert sorted(ranks) == [["0", "0"], ["0", "0"], ["1", "1"], ["1", "1"], ["2", "2"], ["2", "2"]]


# Told by variables


def test_a_rank_that_dies_is_named_while_others_go_on_and_when_they_are_done(store, capsys):
    ranks = [Rank(store, **one) for one in TWO]
    assert len({rank.said()[0] for rank in ranks}) == 1
    ranks[1].kill()
    (row,) = rows_of(store, "SELECT status, ended_at, exit_reason FROM run")
    (dead,) = rows_of(store, "SELECT host, ended_at FROM run_rank WHERE rank = 1")
    told = f"rank 1 on {dead['host']} died at {dead['ended_at']} or soon after: the process ended without a word"
    assert row == {"status": "running", "ended_at": None, "exit_reason": told}
    assert ranks_of(store) == [(0, "running"), (1, "crashed")]
    assert column_of(store, "SELECT status FROM task ORDER BY rank") == ["running", "crashed"]
    assert exit_code(["runs"]) == 0
    assert told in capsys.readouterr().err
    assert exit_code(["show", "m-1"]) == 0
    assert told in capsys.readouterr().out
    assert exit_code(["doctor"]) == 0
    assert told in capsys.readouterr().out
    ranks[0].finish()
    assert rows_of(store, "SELECT status, exit_reason FROM run") == [{"status": "crashed", "exit_reason": told}]
    assert column_of(store, "SELECT status FROM task ORDER BY rank") == ["finished", "crashed"]


def test_a_rank_that_fails_says_why_and_the_run_has_failed_when_all_are_done(store):
    ranks = [Rank(store, **one) for one in TWO]
    for rank in ranks:
        rank.said()
    ranks[1].finish("raise ValueError('no data')", code=1)
    assert column_of(store, "SELECT status FROM run") == ["running"]
    ranks[0].finish()
    (row,) = rows_of(store, "SELECT r.status, r.exit_reason, r.ended_at = k.ended_at AS at_last FROM run AS r"
                     " JOIN run_rank AS k ON k.run_id = r.run_id AND k.rank = 0")  # fmt: skip
    assert (row["status"], row["at_last"]) == ("failed", 1)
    assert row["exit_reason"].startswith("rank 1 on ")
    assert row["exit_reason"].endswith(": ValueError: no data")


def test_a_second_launch_is_a_run_of_its_own(store):
    first, second = train(store, TWO), train(store, TWO)
    assert [rank for _, rank in first + second] == [0, 1, 0, 1]
    assert len({uid for uid, _ in first}) == len({uid for uid, _ in second}) == 1
    assert first != second
    assert column_of(store, "SELECT name FROM run ORDER BY started_at") == ["m-1", "m-2"]
    assert column_of(store, "SELECT DISTINCT status FROM run") == ["finished"]


SLURM = {"SLURM_JOB_ID": 71, "SLURM_STEP_ID": 0, "SLURM_STEP_NUM_TASKS": 2, "SLURM_NTASKS": 4}
OPEN_MPI = {"OMPI_COMM_WORLD_SIZE": 2, "OMPI_COMM_WORLD_LOCAL_SIZE": 1, "PMIX_NAMESPACE": "prterun-a-7@1"}
LAUNCHERS = {
    "Slurm": [{**SLURM, "SLURM_PROCID": rank, "SLURM_LOCALID": 0, "SLURM_NODEID": rank} for rank in range(2)],
    "Open MPI": [{**OPEN_MPI, "OMPI_COMM_WORLD_RANK": rank, "OMPI_COMM_WORLD_LOCAL_RANK": 0} for rank in range(2)],
    "MPICH": [{"PMI_RANK": rank, "PMI_SIZE": 2, "MPI_LOCALNRANKS": 2, "MPI_LOCALRANKID": rank} for rank in range(2)],
    "torchrun on two machines": [
        {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "GROUP_WORLD_SIZE": 2, "TORCHELASTIC_RUN_ID": "night"}
        for rank in range(2)
    ],
    "by hand": [{"DNNPROV_RUN_ID": "night-7", "DNNPROV_RANK": rank} for rank in range(2)],
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_ranks_of_every_launcher_record_one_run(store, launcher):
    said = train(store, LAUNCHERS[launcher])
    assert len({uid for uid, _ in said}) == 1
    assert ranks_of(store) == [(0, "finished"), (1, "finished")]
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT COUNT(*) FROM itrainingmodel") == [1]


def test_ranks_that_scripts_of_their_own_start_have_one_launcher(store):
    """As `torchrun --no-python train.sh` does."""
    script = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {TRAINING!r}])"
    ranks = [Rank(store, script, **one) for one in TWO]
    assert len({rank.said()[0] for rank in ranks}) == 1
    finish_all(ranks)
    assert ranks_of(store) == [(0, "finished"), (1, "finished")]


def test_a_run_id_of_the_users_is_the_uid(store):
    assert {uid for uid, _ in train(store, LAUNCHERS["by hand"])} == {"night-7"}


def test_a_requeued_job_goes_on_with_its_run_and_a_further_step_begins_another(store):
    first = train(store, LAUNCHERS["Slurm"])
    again = train(store, [{**one, "SLURM_RESTART_COUNT": 1} for one in LAUNCHERS["Slurm"]])
    further = train(store, [{**one, "SLURM_STEP_ID": 1} for one in LAUNCHERS["Slurm"]])
    assert first == again != further
    assert column_of(store, "SELECT DISTINCT attempt FROM process ORDER BY 1") == [0, 1]
    assert column_of(store, "SELECT name FROM run ORDER BY started_at") == ["m-1", "m-2"]


def test_two_trainings_in_one_step_are_two_runs(store):
    first, second = (train(store, LAUNCHERS["Slurm"]) for _ in range(2))
    assert first != second
    assert column_of(store, "SELECT COUNT(*) FROM run_rank GROUP BY run_id") == [2, 2]


@pytest.mark.parametrize(
    "told",
    [
        {"SLURM_PROCID": 0, "SLURM_NTASKS": 4, "SLURM_JOB_ID": 71},  # a batch script itself
        {**SLURM, "SLURM_PROCID": 0, "SLURM_STEP_ID": 4294967291},
        {**SLURM, "SLURM_PROCID": 0, "SLURM_STEP_NUM_TASKS": 1},
        {"RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "localhost"},
        {"RANK": "three", "WORLD_SIZE": 2},
        {"RANK": 5, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost"},
        {"LOCAL_RANK": 0},
        {**TWO[1], "DNNPROV_RANKS": 0},
    ],
)
def test_a_process_that_is_none_of_several_records_a_run_of_its_own(store, told):
    rank = Rank(store, **told)
    assert rank.said()[1] == 0
    assert "dnnprov" not in rank.finish()
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "m-1", "status": "finished"}]


def test_ranks_that_know_nothing_in_common_record_runs_of_their_own_and_say_what_to_do(store):
    told = [{"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "MASTER_ADDR": "node-1"} for rank in range(2)]
    ranks = [Rank(store, **one) for one in told]
    assert len({rank.said()[0] for rank in ranks}) == 2
    assert all("set DNNPROV_RUN_ID to the same new text for all ranks" in said for said in finish_all(ranks))
    assert column_of(store, "SELECT status FROM run") == ["finished", "finished"]


def test_a_rank_that_another_process_is_already_records_a_run_of_its_own_and_says_so(store):
    first = Rank(store, DNNPROV_RUN_ID="taken")
    assert first.said()[0] == "taken"
    second = Rank(store, DNNPROV_RUN_ID="taken")
    assert second.said()[0] != "taken"
    assert "recorded by another process that lives" in second.finish()
    first.finish()
    assert column_of(store, "SELECT COUNT(*) FROM run") == [2]


def test_a_run_that_goes_on_with_fewer_ranks_does_not_wait_for_the_others(store):
    ranks = [Rank(store, **one) for one in TWO]
    ((uid, _), _) = [rank.said() for rank in ranks]
    for rank in ranks:
        rank.kill()
    assert column_of(store, "SELECT status FROM run") == ["crashed"]
    assert train(store, [{}], TRAINING.replace('tags=["t"]', f'resume="{uid}"')) == [(uid, 0)]
    assert rows_of(store, "SELECT status, exit_reason FROM run") == [{"status": "finished", "exit_reason": None}]
    assert ranks_of(store) == [(0, "finished"), (1, "crashed")]


def test_every_rank_goes_on_with_a_run_by_its_uid(store):
    (uid, _), _ = train(store, TWO)
    assert train(store, TWO, TRAINING.replace('tags=["t"]', f'resume="{uid}"')) == [(uid, 0), (uid, 1)]
    assert column_of(store, "SELECT rank FROM process WHERE attempt = 1 ORDER BY rank") == [0, 1]
    assert column_of(store, "SELECT COUNT(*) FROM run") == [1]


def test_several_runs_of_a_process_are_those_of_the_other_ranks(store):
    source = """
    import dnnprov
    runs = [dnnprov.start_run(dataflow, params={"number": n}) for n, dataflow in enumerate("mnm")]
    for run in runs:
        run.log(loss=1.0)
        run.finish()
    print("-".join(run.uid for run in runs), runs[0].rank, flush=True)
    input()
    """
    said = train(store, TWO, source)
    assert len({uids for uids, _ in said}) == 1
    assert len(set(said[0][0].split("-"))) == 3
    assert column_of(store, "SELECT COUNT(*) FROM run_rank GROUP BY run_id") == [2, 2, 2]


STEPS = """
import dnnprov
from dnnprov.integrations.run_choice import RunChoice
from dnnprov.integrations.technique import BY_HAND
from dnnprov.integrations.training_steps import TrainingSteps
class Model:
    pass
model = Model()
steps = TrainingSteps(RunChoice("m", params={"lr": 0.1, "momentum": 0.9}))
steps.begin_training({"learning_rate": 0.5}, model, lambda: [{"name": "dense", "type": "Dense", "position": 1}])
for epoch in (1, 2):
    steps.see({"learning_rate": 0.5 / epoch}, lambda: BY_HAND)
    steps.begin_epoch(epoch)
    steps.end_epoch(epoch, {"loss": 1.0})
steps.run.set_params(lr=0.2)
print(steps.run.uid, steps.run.rank, flush=True)
steps.end_training()
steps.finish()
"""
"""As an integration does, in every rank."""


def test_what_an_integration_sees_in_every_rank_is_recorded_once_where_it_is_the_same(store):
    train(store, TWO, STEPS)
    assert column_of(store, "SELECT rank FROM ilayers") == [0]
    assert column_of(store, "SELECT rank FROM itrainingmodel") == [0]
    assert rows_of(store, "SELECT rank, attribute FROM oadaptation ORDER BY adaptation_id") == [
        {"rank": 0, "attribute": "learning_rate"},
        {"rank": 0, "attribute": "lr"},
    ]
    assert column_of(store, "SELECT rank FROM otrainingmodel ORDER BY rank, epoch") == [0, 0, 1, 1]
    assert column_of(store, "SELECT rank FROM task WHERE tag = 'Training' ORDER BY rank") == [0, 1]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


DEVICES = """
import sys, types
torch = sys.modules["torch"] = types.ModuleType("torch")
used = []
torch.cuda = types.SimpleNamespace(
    is_initialized=lambda: bool(used), current_device=lambda: used[-1], get_device_name=lambda number: f"H{number}00"
)
import dnnprov
with dnnprov.start_run("m") as run:
    run.recorder.drain()
    used.append(run.rank + 1)
    with run.task("Training"):
        print(run.uid, run.rank, flush=True)
"""
"""A GPU cannot be had everywhere; this one is chosen when the run has been started."""


def test_every_rank_records_the_device_that_it_trains_on(store):
    train(store, TWO, DEVICES)
    assert column_of(store, "SELECT device FROM run_rank ORDER BY rank") == ["cuda:1 (H100)", "cuda:2 (H200)"]
    assert column_of(store, "SELECT COUNT(*) FROM environment") == [2]
    assert column_of(store, "SELECT COUNT(*) FROM problem") == [0]


# Children of ranks


def test_children_and_programs_that_a_rank_starts_are_no_rank_again(store, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import multiprocessing, os, subprocess, sys, dnnprov\n"
        "def work(run, number):\n"
        "    run.log(step=number, child=1.0)\n"
        "    with dnnprov.start_run('of child') as own:\n"
        "        own.log(loss=1.0)\n"
        "if __name__ == '__main__':\n"
        "    with dnnprov.start_run('m') as run:\n"
        "        children = [multiprocessing.get_context(kind).Process(target=work, args=(run, n))\n"
        "                    for n, kind in enumerate(['fork', 'spawn'])]\n"
        "        [child.start() for child in children]\n"
        "        [child.join() for child in children]\n"
        "        assert [child.exitcode for child in children] == [0, 0]\n"
        '        code = \'import dnnprov\\nwith dnnprov.start_run("m", name="evaluation") as run: run.log(a=1.0)\'\n'
        "        assert subprocess.run([sys.executable, '-c', code]).returncode == 0\n"
    )
    run_told(script, store, TWO[0])
    runs = rows_of(store, "SELECT dataflow, name, status FROM run_overview ORDER BY name")
    assert [tuple(row.values()) for row in runs] == [
        ("m", "evaluation", "finished"),
        ("m", "m-1", "finished"),
        ("of child", "of child-1", "finished"),
        ("of child", "of child-2", "finished"),
    ]
    assert column_of(store, "SELECT step FROM metric WHERE name = 'child' ORDER BY step") == [0, 1]


def run_told(script, store, told):
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "DNNPROV_STORE": str(store), **{name: str(value) for name, value in told.items()}},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_program_that_a_spawned_child_imports_again_starts_no_run_there(store, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import multiprocessing, dnnprov\n"
        "run = dnnprov.start_run('m')\n"
        "run.log(loss=1.0)\n"
        "def work():\n    pass\n"
        "if __name__ == '__main__':\n"
        "    child = multiprocessing.get_context('spawn').Process(target=work)\n"
        "    child.start()\n    child.join()\n    assert child.exitcode == 0\n"
        "    run.finish()\n"
    )
    run_file(script, store)
    assert column_of(store, "SELECT name FROM run") == ["m-1"]
    assert column_of(store, "SELECT COUNT(*) FROM metric") == [1]


# Launchers that are the program itself

LIGHTNING = """
import os, subprocess, sys, types
sys.modules["lightning"] = types.ModuleType("lightning")
import dnnprov

def fit():
    if "LOCAL_RANK" not in os.environ:
        os.environ.update(NODE_RANK="0", LOCAL_RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1")
        return subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, "LOCAL_RANK": "1"})

before = sys.argv[1] == "before"
child = None if before else fit()
with dnnprov.start_run("m") as run:
    child = fit() if before else child
    run.log(loss=1.0)
    if child is not None:
        assert child.wait() == 0
os.environ.pop("WORLD_SIZE", None)
with dnnprov.start_run("m") as run:
    run.log(loss=2.0)
"""
"""As Lightning does: the first process makes itself rank 0, and starts the program again for the others. At the end of
a training, the number of ranks is taken back."""


@pytest.mark.captures("ranks", framework="lightning")
@pytest.mark.parametrize("started", ["before", "after"])
def test_a_run_that_is_started_before_or_after_lightning_starts_further_ranks_is_one(store, tmp_path, started):
    script = tmp_path / "train.py"
    script.write_text(LIGHTNING)
    run_file(script, store, started)
    assert ranks_of(store) == [(0, "finished"), (1, "finished")] * 2
    assert column_of(store, "SELECT name FROM run ORDER BY started_at") == ["m-1", "m-2"]


def test_the_first_rank_of_lightning_is_not_what_a_process_that_started_it_left_word_of(store, tmp_path, monkeypatch):
    """As in a notebook, or among tests, where Lightning is loaded and a run was begun."""
    monkeypatch.setenv("DNNPROV_PROCESS", f"{os.getpid()}:another-seed:0123456789abcdef")
    script = tmp_path / "train.py"
    script.write_text(LIGHTNING)
    run_file(script, store, "after")
    assert ranks_of(store) == [(0, "finished"), (1, "finished")] * 2


DDP = """
import os, signal
import dnnprov
dnnprov.autolog("m")
import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def training_step(self, batch, index):
        if self.global_rank == 1 and self.current_epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

data = TensorDataset(torch.randn(16, 4), torch.arange(16) % 2)
quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
trainer = lightning.Trainer(max_epochs=3, strategy="ddp", devices=2, accelerator="cpu", **quiet)
trainer.fit(Net(), DataLoader(data, batch_size=4))
"""


@pytest.mark.captures("ranks", framework="lightning")
@pytest.mark.slow
def test_a_rank_of_lightning_that_is_killed_is_named_and_every_rank_keeps_its_epochs(store, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(DDP)
    environment = {**os.environ, "DNNPROV_STORE": str(store), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stderr  # rank 0 misses the other
    (run,) = rows_of(store, "SELECT name, status, exit_reason FROM run")
    assert (run["name"], run["status"]) == ("m-1", "failed")
    assert "rank 0 on" in run["exit_reason"] and "RuntimeError" in run["exit_reason"]
    assert "; rank 1 on" in run["exit_reason"] and "the process ended without a word" in run["exit_reason"]
    assert ranks_of(store) == [(0, "failed"), (1, "crashed")]
    check_what_two_ranks_trained(store, num_epochs=2)


def check_what_two_ranks_trained(store, num_epochs):
    """Each has its epochs, with losses of its own; what is the same in both stands there once."""
    rows = rows_of(store, "SELECT rank, epoch, loss FROM otrainingmodel ORDER BY rank, epoch")
    epochs = range(1, num_epochs + 1)
    assert [(row["rank"], row["epoch"]) for row in rows] == [(rank, epoch) for rank in range(2) for epoch in epochs]
    assert len({row["loss"] for row in rows}) == len(rows)
    assert column_of(store, "SELECT rank FROM itrainingmodel WHERE optimizer_name = 'SGD' AND learning_rate = 0.1") == [
        0
    ]
    assert column_of(store, "SELECT rank FROM ilayers") == [0]
    assert column_of(store, "SELECT tag FROM task") == ["Training"] * 2
    of_machines = "SELECT rank FROM environment JOIN process USING (process_id) ORDER BY rank"
    assert column_of(store, of_machines) == [0, 1]
    assert column_of(store, "SELECT detail FROM problem") == []


ACCELERATE = """
import dnnprov
dnnprov.autolog("m")
import torch
from accelerate import Accelerator

accelerator = Accelerator(cpu=True)
torch.manual_seed(3)
data = torch.utils.data.TensorDataset(torch.randn(16, 4), torch.arange(16) % 2)
model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model, optimizer, batches = accelerator.prepare(model, optimizer, torch.utils.data.DataLoader(data, batch_size=4))
assert accelerator.num_processes == 2
for epoch in range(2):
    for x, y in batches:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
accelerator.end_training()
"""


@pytest.mark.captures("ranks", framework="accelerate")
@pytest.mark.slow
def test_two_ranks_of_accelerate_are_one_run(store, tmp_path):
    """By `accelerate launch`, whose `--multi_gpu` means several processes; the script says that they use CPUs."""
    script = tmp_path / "train.py"
    script.write_text(ACCELERATE)
    environment = {**os.environ, "DNNPROV_STORE": str(store), "OMP_NUM_THREADS": "1"}
    options = ["--multi_gpu", "--num_processes=2", "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no"]
    launch = [sys.executable, "-m", "accelerate.commands.launch", *options, script]
    done = subprocess.run(launch, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "m-1", "status": "finished"}]
    assert ranks_of(store) == [(0, "finished"), (1, "finished")]
    check_what_two_ranks_trained(store, num_epochs=2)


TRANSFORMERS = """
import sys
import dnnprov
dnnprov.autolog("m")
import torch
from transformers import PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments

class Line(PreTrainedModel):
    config_class = PretrainedConfig
    def __init__(self, config):
        super().__init__(config)
        self.line = torch.nn.Linear(4, 2)
        self.post_init()
    def forward(self, x, labels):
        logits = self.line(x)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

torch.manual_seed(3)
data = [{"x": x, "labels": place % 2} for place, x in enumerate(torch.randn(16, 4))]
wanted = {"num_train_epochs": 2, "per_device_train_batch_size": 4, "optim": "sgd", "learning_rate": 0.1}
quiet = {"report_to": "none", "use_cpu": True, "disable_tqdm": True, "lr_scheduler_type": "constant"}
arguments = TrainingArguments(sys.argv[1], save_strategy="epoch", logging_strategy="no", **wanted, **quiet)
assert arguments.world_size == 2
Trainer(Line(PretrainedConfig()), arguments, train_dataset=data).train()
"""


@pytest.mark.captures("ranks", framework="transformers")
@pytest.mark.slow
def test_two_ranks_of_the_trainer_are_one_run(store, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(TRANSFORMERS)
    environment = {**os.environ, "DNNPROV_STORE": str(store), "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", script, tmp_path / "out"]
    done = subprocess.run(launch, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert rows_of(store, "SELECT name, status FROM run") == [{"name": "m-1", "status": "finished"}]
    assert ranks_of(store) == [(0, "finished"), (1, "finished")]
    check_what_two_ranks_trained(store, num_epochs=2)
    assert column_of(store, "SELECT world_size FROM itrainingmodel") == [2]
    files = [(0, "checkpoint", f"{tmp_path}/out/checkpoint-{step}/model.safetensors") for step in (2, 4)]
    found = rows_of(store, "SELECT rank, role, path FROM file JOIN task USING (task_id) ORDER BY path")
    assert [tuple(row.values()) for row in found] == files


JAX = """
import multiprocessing, sys
def work(rank, port):
    import jax
    jax.config.update("jax_platforms", "cpu")
    jax.distributed.initialize(f"localhost:{port}", 2, rank)
    import dnnprov
    with dnnprov.start_run("m") as run:
        assert run.rank == rank
        run.log(loss=1.0)
    jax.distributed.shutdown()
if __name__ == "__main__":
    import socket
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=work, args=(rank, port)) for rank in range(2)]
    [child.start() for child in children]
    [child.join() for child in children]
    assert [child.exitcode for child in children] == [0, 0]
"""


@pytest.mark.captures("ranks", framework="jax")
def test_processes_of_jax_are_asked_for_their_rank(store, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(JAX)
    run_file(script, store)
    assert ranks_of(store) == [(0, "finished"), (1, "finished")]
    assert column_of(store, "SELECT status FROM run") == ["finished"]
