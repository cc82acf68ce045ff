"""`dnnprov import mlflow` on what a current MLflow records in each kind of its stores, against what its client says."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dnnprov
from dnnprov.cli.main import exit_code

STORES = Path(__file__).with_name("mlflow_stores")
STATUSES = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "interrupted"}


ENVIRONMENT = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}


def run_python(place, *arguments):
    subprocess.run([sys.executable, *map(str, arguments)], cwd=place, env=ENVIRONMENT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder with the same runs in `mlruns` and, taken over by MLflow itself, in `mlflow.db`."""
    place = tmp_path_factory.mktemp("mlflow")
    run_python(place, STORES / "record_more.py", "mlruns", "recorded")
    target = f"sqlite:///{place}/mlflow.db"
    run_python(place, "-m", "mlflow", "migrate-filestore", "--source", "mlruns", "--target", target)
    return place


@pytest.fixture(scope="module")
def server(recorded):
    """The address of a server of that database."""
    command = [sys.executable, str(STORES / "serve.py"), f"sqlite:///{recorded}/mlflow.db", "artifacts"]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=recorded, env=ENVIRONMENT, **quiet) as child:
        port = int(child.stdout.readline())
        yield f"http://127.0.0.1:{port}"
        child.terminate()


@pytest.fixture(scope="module")
def told(recorded):
    """What MLflow's client says of each run."""
    return {run["name"]: run for run in json.loads((recorded / "recorded" / "told.json").read_text(encoding="utf-8"))}


def taken(source, capsys):
    assert exit_code(["import", "mlflow", str(source), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def seconds(moment):
    from datetime import datetime

    return datetime.fromisoformat(moment).timestamp()


@pytest.fixture(params=["mlruns", "mlflow.db", "server"])
def source(request, recorded):
    return request.getfixturevalue("server") if request.param == "server" else recorded / request.param


def test_every_kind_of_store_gives_what_the_client_says(store, source, told, capsys):
    taken(source, capsys)
    with dnnprov.open() as history:
        runs = {run["name"]: run for run in history.runs()}
        assert {name: run["status"] for name, run in runs.items()} == {
            name: STATUSES[run["status"]] for name, run in told.items()
        }
        for name, run in told.items():
            assert runs[name]["dataflow"] == run["experiment"]
            assert seconds(runs[name]["started_at"]) == pytest.approx(run["started"] / 1000, abs=1e-6)
            kept = {
                row["name"]: row["value"]
                for row in history.sql(f"SELECT name, value FROM run_tag WHERE run_id = {runs[name]['run_id']}")
            }
            ours = {"mlflow.runId", "mlflow.experiment", "imported_from", "mlflow.imported_from"}
            assert {key: text for key, text in kept.items() if key not in ours} == {
                key: text for key, text in run["tags"].items() if key not in ours
            }
            assert kept["mlflow.runId"] == run["run_id"]
            assert points_of(history, runs[name]["run_id"]) == sorted(
                (key, step, value) for key, step, _, value in run["points"]
            )


ROWS = {"loss": "loss", "val_loss": "val_loss", "val_accuracy": "val_accuracy", "learning_rate": "lr"}


def points_of(history, run_id):
    """All values of a run, wherever they went, under the names of MLflow and at its steps."""
    found = [
        (row["name"], row["step"], repr(_number(row)))
        for row in history.sql(f"SELECT name, step, value, non_finite FROM metric WHERE run_id = {run_id}")
    ]
    name = history.sql(f"SELECT name FROM run WHERE run_id = {run_id}")[0]["name"]
    for row in history.sql(f"SELECT * FROM otrainingmodel WHERE run_id = {run_id}"):
        step = row["epoch"] * 4 + 3 if name == "clock" else row["epoch"]
        names = {**ROWS, "accuracy": "accuracy"}
        found += [(tag, step, repr(row[key])) for key, tag in names.items() if row.get(key) is not None]
    for row in history.sql(f"SELECT accuracy FROM otestingmodel WHERE run_id = {run_id}"):
        found.append(("test_accuracy", 0, repr(row["accuracy"])))
    return sorted(found)


def _number(row):
    special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    return special[row["non_finite"]] if row["non_finite"] else float(row["value"])


def test_a_run_is_the_same_in_each_kind_of_store(store, recorded, server, told, capsys):
    first = taken(recorded / "mlruns", capsys)
    assert len(first["new"]) == len(told) == 5
    for source in (recorded / "mlflow.db", server):
        again = taken(source, capsys)
        assert (again["new"], sorted(again["known"])) == ([], sorted(first["new"]))


def test_a_metric_called_epoch_says_which_steps_are_of_which_epoch(store, source, capsys):
    taken(source, capsys)
    with dnnprov.open() as history:
        rows = history.sql(
            "SELECT epoch, val_loss, loss FROM otrainingmodel JOIN run USING (run_id) WHERE name = 'clock'"
            " ORDER BY epoch"
        )
        assert [tuple(row.values()) for row in rows] == [(n, 6.0 - (4 * n + 3) / 4, None) for n in range(3)]
        series = history.sql(
            "SELECT step, epoch, value FROM metric JOIN run USING (run_id)"
            " WHERE metric.name = 'train_loss' AND run.name = 'clock' ORDER BY step"
        )
        assert [tuple(row.values()) for row in series] == [(n, n // 4, 12.0 - n) for n in range(12)]


def test_a_model_its_dataset_and_its_commit_belong_to_the_training(store, source, recorded, capsys):
    taken(source, capsys)
    with dnnprov.open() as history:
        (model,) = history.sql(
            "SELECT m.name, m.status, m.relation, t.tag FROM omodel AS m JOIN task AS t USING (task_id)"
        )
        assert tuple(model.values()) == ("doubles", "READY", "generated", "Training")
        files = history.sql("SELECT path, size, sha256, note FROM file WHERE role = 'model'")
        if str(source).startswith("http"):
            assert [(file["size"], file["sha256"], file["note"]) for file in files] == [
                (None, None, "it is on a server, and was not read")
            ]
        else:
            assert {Path(file["path"]).name for file in files} > {"MLmodel", "python_model.pkl"}
            for file in files:
                out = subprocess.run(["sha256sum", file["path"]], capture_output=True, text=True, check=True).stdout
                assert (file["size"], file["sha256"]) == (Path(file["path"]).stat().st_size, out.split()[0])
        (data,) = history.sql("SELECT name, context, part FROM idataset WHERE name = 'table'")
        assert tuple(data.values()) == ("table", "test", "one")
        (used,) = history.sql("SELECT path, relation FROM file WHERE role = 'dataset'")
        assert tuple(used.values()) == ("https://example.org/flowers.csv", "used")
        (environment,) = history.sql(
            "SELECT git_commit, git_dirty FROM environment JOIN run USING (run_id) WHERE name = 'model'"
        )
        assert tuple(environment.values()) == ("c0ffee", 1)
        (row,) = history.sql(
            "SELECT learning_rate, num_epochs, seed, shuffle FROM itrainingmodel JOIN run USING (run_id)"
            " WHERE name = 'model'"
        )
        assert tuple(row.values()) == (0.001, 2, None, 1)
        system = history.sql("SELECT COUNT(*) AS n FROM metric WHERE name = 'system/cpu_utilization_percentage'")
        assert system == [{"n": 2}]
        assert history.sql("SELECT program.path FROM run JOIN program USING (program_id) WHERE run.name = 'model'")


def test_an_exported_document_of_such_a_run_is_valid(store, recorded, capsys, tmp_path):
    taken(recorded / "mlflow.db", capsys)
    target = tmp_path / "model.json"
    assert exit_code(["export", "model", "-o", str(target), "--format", "json"]) == 0
    document = json.loads(target.read_text(encoding="utf-8"))
    assert any("doubles" in json.dumps(entity) for entity in document["entity"].values())
