"""The experiment in Keras, plain PyTorch and Lightning: one statement and one question compare all three."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import dnnprov
from recorded import rows_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "three_frameworks"


@pytest.mark.slow
def test_one_statement_and_one_question_compare_the_three_frameworks(flowers_archive, store):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "compare.py"), "--few", "--epochs=2", "--size=16"],
        env={**os.environ, "DNNPROV_DATA": str(flowers_archive.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    expected = {"keras", "torch", "lightning"}
    assert {line.split()[0] for line in done.stdout.splitlines() if " Adam " in line and "0.002" in line} >= expected
    with dnnprov.open(store) as history:
        best = list(history.ask("Q5", dataflow="flowers17"))
    assert {row["run"].partition("-")[0] for row in best} == expected
    for name in ("optimizer_name", "learning_rate", "batch_size", "num_epochs", "dropout"):
        assert len({row[name] for row in best}) == 1, name
    found = rows_of(
        store,
        "SELECT COUNT(DISTINCT o.run_id) AS runs, COUNT(*) AS epochs, COUNT(o.loss) AS losses, COUNT(o.accuracy) AS a,"
        " COUNT(o.val_loss) AS val_losses, COUNT(o.val_accuracy) AS val_accuracies FROM otrainingmodel AS o",
    )
    assert found == [{"runs": 3, "epochs": 6, "losses": 6, "a": 6, "val_losses": 6, "val_accuracies": 6}]
    assert rows_of(store, "SELECT COUNT(DISTINCT run_id) AS runs FROM otestingmodel WHERE accuracy IS NOT NULL") == [
        {"runs": 3}
    ]
    assert rows_of(store, "SELECT kind, detail FROM problem") == []
