"""Records what only a current MLflow knows, after `record.py`, and prints as JSON what its client then says of all.

`python record_more.py URI FOLDER`
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.update(MLFLOW_ALLOW_FILE_STORE="true", GIT_PYTHON_REFRESH="quiet", MLFLOW_DISABLE_TELEMETRY="true")

import mlflow
import numpy as np
import record
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient


class Doubles(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[float]) -> list[float]:
        return [2 * value for value in model_input]


def with_a_model(folder):
    """A model, a dataset with an address, a commit, tags that look like ours."""
    tags = {"imported_from": "elsewhere", "mlflow.source.git.commit": "c0ffee", "mlflow.source.git.dirty": "True"}
    with mlflow.start_run(run_name="model", tags=tags, description="what it is") as run:
        data = from_numpy(np.arange(4.0), source="https://example.org/flowers.csv", name="table")
        mlflow.log_input(data, context="test", tags={"part": "one"})
        mlflow.pyfunc.log_model(name="doubles", python_model=Doubles(), pip_requirements=[], input_example=[1.0])
        mlflow.log_params({"optimizer_learning_rate": "1e-3", "epochs": 2, "seed": None, "shuffle": True})
        for epoch in range(2):
            mlflow.log_metrics({"accuracy": 0.5 + epoch / 4, "system/cpu_utilization_percentage": 50.0}, step=epoch)
    return run


def with_a_clock(client, experiment):
    """As the loggers of Lightning and transformers write: steps are batches, and `epoch` says of which epoch one is."""
    run = client.create_run(experiment, run_name="clock")
    points = []
    for batch in range(12):
        points.append(Metric("train_loss", 12.0 - batch, 1_700_000_000_000 + batch, batch))
        points.append(Metric("epoch", batch // 4, 1_700_000_000_000 + batch, batch))
        if batch % 4 == 3:
            points.append(Metric("val_loss", 6.0 - batch / 4, 1_700_000_000_000 + batch, batch))
    client.log_batch(run.info.run_id, metrics=points)
    client.set_terminated(run.info.run_id, "KILLED")


def told(client):
    """What the client says of each run."""
    found = []
    experiments = {one.experiment_id: one.name for one in client.search_experiments()}
    for run in client.search_runs(list(experiments)):
        data = run.data
        found.append(
            {
                "experiment": experiments[run.info.experiment_id],
                "run_id": run.info.run_id,
                "name": run.info.run_name,
                "status": run.info.status,
                "started": run.info.start_time,
                "ended": run.info.end_time,
                "params": data.params,
                "tags": data.tags,
                "points": sorted(
                    [key, one.step, one.timestamp, repr(one.value)]
                    for key in data.metrics
                    for one in client.get_metric_history(run.info.run_id, key)
                ),
            }
        )
    return found


def main(uri, folder):
    record.main(uri, folder)
    client = MlflowClient()
    with_a_model(folder)
    with_a_clock(client, client.get_experiment_by_name("flowers 花").experiment_id)
    Path(folder, "told.json").write_text(json.dumps(told(client)), encoding="utf-8")


main(sys.argv[1], sys.argv[2])
