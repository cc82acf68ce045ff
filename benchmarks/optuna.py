"""What autolog costs a study of Optuna: each trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.pairs import Training, measured
from benchmarks.timing import other_work

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Measurement, Size


def measure(size: Size) -> list[Measurement]:
    """Per cent of a trial."""
    return measured(Study, size)


class Study(Training):
    """A study in memory, whose trials work for a moment."""

    name = "autolog of Optuna"
    step = "trial"
    step_seconds = 2.0  # short for one that trains a network; what it works here only has to be long enough to measure
    shape: ClassVar[dict[str, int]] = {"num_pairs": 4, "num_turns": 3, "num_epochs": 1, "num_steps": 40}
    turn = 2
    warming_up = 0
    table = "oSearch"
    has_epochs = False

    def train(self, tick: Callable[[], None]) -> None:
        """One study."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)

        def objective(trial: Any) -> float:
            tick()
            rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
            layers = trial.suggest_int("num_layers", 1, 3)
            for _ in range(700):  # some 50 ms
                other_work()
            return rate * layers

        optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3)).optimize(objective, self.num_steps)
