"""What recording costs `fit` of Keras, on JAX: epochs only, and the values of each batch as well."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import dnnprov
from benchmarks.pairs import Training, measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Measurement, Size

BATCH = 8


def measure(size: Size) -> list[Measurement]:
    """Per cent of a step and of an epoch, of both."""
    return [*measured(Fit, size), *measured(BatchesFit, size)]


class Fit(Training):
    """A small model, fed by a generator."""

    name = "autolog of Keras"

    def __init__(self, is_recorded: bool, num_epochs: int, num_steps: int) -> None:
        super().__init__(is_recorded, num_epochs, num_steps)
        os.environ["KERAS_BACKEND"] = "jax"
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        import keras
        import numpy as np

        keras.utils.set_random_seed(3)
        self.inputs = np.random.default_rng(3).normal(size=(num_steps, BATCH, 8)).astype("float32")
        self.targets = (self.inputs.sum(axis=2) > 0).astype("int32")

    def train(self, tick: Callable[[], None]) -> None:
        """One fit of a new model."""
        import keras

        layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2)]
        model = keras.Sequential([keras.Input((8,)), *layers])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.01), loss=loss, metrics=["accuracy"])

        def batches() -> Any:
            for _ in range(self.num_epochs):
                for batch in zip(self.inputs, self.targets, strict=True):
                    tick()
                    yield batch

        shape = {"epochs": self.num_epochs, "steps_per_epoch": self.num_steps}
        model.fit(batches(), verbose=0, callbacks=self.callbacks(), **shape)

    def callbacks(self) -> list[Any]:
        """What the script itself asks for."""
        return []


class BatchesFit(Fit):
    """One whose batches are recorded."""

    name = "Keras with the values of each batch"
    reach = 1.0
    is_automatic = False

    def callbacks(self) -> list[Any]:
        """Ours, where it is recorded."""
        return [dnnprov.keras.ProvenanceCallback("bench", batches=True)] if self.is_recorded else []
