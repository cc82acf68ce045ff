"""What autolog costs a search of Keras Tuner: each trial."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.pairs import Training, measured
from benchmarks.timing import other_work

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Measurement, Size


def measure(size: Size) -> list[Measurement]:
    """Per cent of a trial."""
    return measured(Search, size)


class Search(Training):
    """A search whose trials work for a moment; the tuner itself writes a file for each."""

    name = "autolog of Keras Tuner"
    step = "trial"
    step_seconds = 2.0  # short for one that trains a network; what it works here only has to be long enough to measure
    shape: ClassVar[dict[str, int]] = {"num_pairs": 4, "num_turns": 3, "num_epochs": 1, "num_steps": 40}
    turn = 2
    warming_up = 0
    table = "oSearch"
    has_epochs = False

    def __init__(self, is_recorded: bool, num_epochs: int, num_steps: int) -> None:
        super().__init__(is_recorded, num_epochs, num_steps)
        os.environ["KERAS_BACKEND"] = "jax"

    def train(self, tick: Callable[[], None]) -> None:
        """One search."""
        import keras_tuner

        class Tuner(keras_tuner.RandomSearch):
            def run_trial(self, trial: Any, *_: Any, **__: Any) -> float:
                tick()
                rate = trial.hyperparameters.Float("learning_rate", 1e-4, 1e-1, sampling="log")
                for _ in range(700):  # some 50 ms
                    other_work()
                return float(rate)

        with tempfile.TemporaryDirectory() as folder:
            space = keras_tuner.HyperParameters()
            space.Float("learning_rate", 1e-4, 1e-1, sampling="log")
            goal = keras_tuner.Objective("default_objective", "min")
            tuner = Tuner(objective=goal, hyperparameters=space, max_trials=self.num_steps, seed=3, directory=folder)
            tuner.search(verbose=0)
