"""The trainings of the experiment: which settings are tried, and in which order.

The paper varies optimizer, learning rate, dropout, gray-scale filter and adaptation of the learning rate. Nine
trainings instead of all crossings are enough for its questions, because most differ from another one in a single
setting: what the adaptation, the filter, the optimizer or the dropout did can be read from a pair. As in the paper, the
gray-scale filter is an idea that came later: the trainings with it are the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EPOCHS = 35


@dataclass(frozen=True)
class Settings:
    """The hyperparameters of one training.

    Attributes:
        optimizer: SGD has a momentum of 0.9.
        learning_rate: at the start; an adaptation lowers it during the training.
        dropout: rate of both dropout layers.
        filter_name: what the photos go through beforehand.
        adaptation: the Keras callback that lowers the learning rate; ``None`` leaves it as it is.
        epochs: passes over the training photos.
    """

    optimizer: Literal["Adam", "SGD"]
    learning_rate: float
    dropout: float
    filter_name: Literal["none", "gray-scale"] = "none"
    adaptation: Literal["LearningRateScheduler", "ReduceLROnPlateau"] | None = None
    epochs: int = EPOCHS


GRID = (
    Settings("SGD", 0.002, 0.4),
    Settings("Adam", 0.0005, 0.7),
    Settings("Adam", 0.001, 0.4),
    Settings("Adam", 0.001, 0.4, adaptation="ReduceLROnPlateau"),
    Settings("Adam", 0.002, 0.4),
    Settings("Adam", 0.002, 0.4, adaptation="LearningRateScheduler"),
    Settings("Adam", 0.002, 0.7, adaptation="LearningRateScheduler"),
    Settings("Adam", 0.002, 0.4, filter_name="gray-scale", adaptation="LearningRateScheduler"),
    Settings("SGD", 0.002, 0.4, filter_name="gray-scale"),
)
