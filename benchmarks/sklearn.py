"""What autolog costs scikit-learn: each fit of an estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from benchmarks.pairs import Training, measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Measurement, Size


def measure(size: Size) -> list[Measurement]:
    """Per cent of a fit."""
    return measured(Fits, size)


class Fits(Training):
    """Fits of a new estimator each."""

    name = "autolog of scikit-learn"
    step = "fit"
    step_seconds = 0.1
    shape: ClassVar[dict[str, int]] = {"num_pairs": 4, "num_turns": 3, "num_epochs": 1, "num_steps": 40}
    turn = 2
    warming_up = 0
    table = "iTrainingModel"
    has_epochs = False

    def __init__(self, is_recorded: bool, num_epochs: int, num_steps: int) -> None:
        super().__init__(is_recorded, num_epochs, num_steps)
        import numpy as np

        self.inputs = np.random.default_rng(3).normal(size=(2000, 16))
        self.targets = self.inputs.sum(axis=1) > 0

    def train(self, tick: Callable[[], None]) -> None:
        """Forests, one after the other."""
        from sklearn.ensemble import RandomForestClassifier

        for number in range(self.num_steps):
            tick()
            RandomForestClassifier(20, random_state=number).fit(self.inputs, self.targets)
