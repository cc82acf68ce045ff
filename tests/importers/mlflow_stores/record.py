"""Records what the stores of this folder hold, with any MLflow from 0.9 on: `python record.py URI FOLDER`.

How each `.sql` was made, in a new folder, with Python 3.11:

    pip install "mlflow==0.9.1" "sqlalchemy<1.4" "setuptools<70" "protobuf<3.21" "numpy<2" "pandas<2.1" "alembic<1.5" \
        "click<8" "flask<2" "markupsafe<2.1" "jinja2<3" "itsdangerous<2.1" "werkzeug<2"              # mlflow_0_9.sql
    pip install "mlflow-skinny==1.30.1" "sqlalchemy<2" alembic sqlparse "setuptools<70" "numpy<2" "pandas<2.1"  # 1_30
    pip install "mlflow-skinny==2.9.2" "sqlalchemy<2.1" alembic sqlparse "setuptools<70" "numpy<2" "pandas<2.2"  # 2_9

    python record.py sqlite:///mlflow.db recorded
    sqlite3 mlflow.db .dump | sed "s,$PWD/recorded,/recorded,g"

`mlruns_*.json` are the files that `python record.py mlruns recorded` left, path -> text, with the same replacement.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import mlflow
from mlflow.tracking import MlflowClient

LOSSES = (1.5, 0.75, 1 / 3, 0.25)
RATES = (0.01, 0.01, 0.005, 0.005)
NEW = tuple(map(int, mlflow.__version__.split(".")[:2])) >= (1, 0)


def log(name, value, step=0):
    if NEW:
        mlflow.log_metric(name, value, step=step)
    elif step == 0 or name == "loss":  # 0.9 knows no steps
        mlflow.log_metric(name, value)


def training(name, folder):
    run = mlflow.start_run(run_name=name)
    mlflow.log_param("learning_rate", 0.01)
    mlflow.log_param("epochs", len(LOSSES))
    mlflow.log_param("optimizer", "Adam; DROP TABLE runs --")
    mlflow.set_tag("team", "flowers\n'\"")
    for epoch, (loss, rate) in enumerate(zip(LOSSES, RATES)):  # noqa: B905 - Python 3.7 read it, too
        log("loss", loss, epoch)
        log("val_loss", loss + 0.5, epoch)
        log("val_accuracy", epoch / 5, epoch)
        log("lr", rate, epoch)
    for step in range(6):
        log("batch/loss", 2.0 - step, step * 10)
    log("test_accuracy", 0.625)
    if NEW:
        log("grad norm", math.nan, 7)
        log("grad norm", math.inf, 8)
        log("grad norm", -math.inf, 9)
    note = Path(folder, "note.txt")
    note.write_text("hello", encoding="utf-8")
    mlflow.log_artifact(str(note))
    return run


def datasets():
    """Datasets, which MLflow knows from 2.4 on."""
    try:
        import numpy as np
        from mlflow.data import from_numpy
    except ImportError:
        return
    mlflow.log_input(from_numpy(np.arange(6.0), name="flowers17"), context="training")


def main(uri, folder):
    Path(folder).mkdir(exist_ok=True)
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    where = Path(folder, "artifacts").absolute().as_uri() if NEW else str(Path(folder, "artifacts").absolute())
    experiment = client.create_experiment("flowers 花", artifact_location=where)
    mlflow.set_experiment("flowers 花")
    training("first", folder)
    if NEW:
        datasets()
        with mlflow.start_run(run_name="inner", nested=True):
            log("accuracy", 0.5)
    mlflow.end_run()
    run = training("second", folder)
    mlflow.end_run("FAILED")
    training("gone", folder)
    gone = mlflow.active_run().info
    mlflow.end_run()
    client.delete_run(gone.run_id if NEW else gone.run_uuid)
    client.delete_experiment(client.create_experiment("old"))
    try:
        client.create_registered_model("flower-model")
        client.create_model_version("flower-model", where + "/model", run.info.run_id)
    except Exception as error:  # noqa: BLE001 - folders had no registry before 1.29, 0.9 had none at all
        print("no registry:", type(error).__name__)
    print("experiment", experiment)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
