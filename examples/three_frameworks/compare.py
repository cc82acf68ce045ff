"""Runs the experiment in all three frameworks, then compares them with one SQL statement and one question."""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
from pathlib import Path

from experiment import DATAFLOW, GRAY_SCALE

SCRIPTS = ("train_keras.py", "train_torch.py", "train_lightning.py")

COMPARISON = """
SELECT e.value AS framework, p.optimizer_name, p.learning_rate, COALESCE(f.filter_name, 'none') AS filter_name,
       COUNT(*) AS epochs, MIN(o.loss) AS loss, MAX(o.val_accuracy) AS val_accuracy
FROM oTrainingModel AS o
JOIN iTrainingModel AS p ON p.run_id = o.run_id
JOIN (SELECT run_id, name AS value FROM run_tag WHERE name IN ('keras', 'torch', 'lightning')) AS e
  ON e.run_id = o.run_id
LEFT JOIN oFilters AS f ON f.run_id = o.run_id
GROUP BY o.run_id
ORDER BY val_accuracy DESC
"""


def main() -> None:
    """Train the grid and ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--few", action="store_true", help="one training a framework instead of eight")
    options = parser.parse_args()
    optimizers, rates, filters = ("Adam", "SGD"), (0.002, 0.0005), ("none", GRAY_SCALE)
    grid = list(itertools.product(optimizers, rates, filters))[: 1 if options.few else None]
    for script, (optimizer, rate, filter_name) in itertools.product(SCRIPTS, grid):
        settings = [f"--optimizer={optimizer}", f"--learning-rate={rate}", f"--filter={filter_name}"]
        common = [f"--epochs={options.epochs}", f"--size={options.size}"]
        print(script, *settings, flush=True)
        subprocess.run(
            [sys.executable, str(Path(__file__).with_name(script)), *settings, *common],
            check=True,
            env={"KERAS_BACKEND": "jax", **os.environ},
            stderr=None if options.few else subprocess.DEVNULL,
        )
    for question in (["query", COMPARISON], ["ask", "Q5", "--dataflow", DATAFLOW, "--top", "5"]):
        subprocess.run([sys.executable, "-m", "dnnprov", *question], check=True)


if __name__ == "__main__":
    main()
