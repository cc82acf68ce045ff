"""What `dnnprov.jax.watch` costs a loop with JAX: told of epochs only, and told of each step as well."""

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
    return [*measured(Epochs, size), *measured(Steps, size)]


class Epochs(Training):
    """A loop that reads its loss once an epoch."""

    name = "watch of JAX"
    is_automatic = False
    tells_steps = False

    def __init__(self, is_recorded: bool, num_epochs: int, num_steps: int) -> None:
        super().__init__(is_recorded, num_epochs, num_steps)
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        import numpy as np

        self.inputs = np.random.default_rng(3).normal(size=(num_steps, BATCH, 8)).astype("float32")
        self.targets = self.inputs.sum(axis=2)
        self.step_function = make_step()

    def train(self, tick: Callable[[], None]) -> None:
        """One training from new weights."""
        import numpy as np

        weights = {"first": np.full((8, 16), 0.01, "float32"), "second": np.full((16,), 0.01, "float32")}
        if not self.is_recorded:
            self.loop(weights, tick, None)
            return
        with dnnprov.jax.watch(weights, dataflow="bench", params={"learning_rate": 0.01}) as training:
            self.loop(weights, tick, training)

    def loop(self, weights: Any, tick: Callable[[], None], training: Any) -> None:
        """The loop, as people write it."""
        for epoch in range(1, self.num_epochs + 1):
            total = 0.0
            for inputs, targets in zip(self.inputs, self.targets, strict=True):
                tick()
                weights, loss = self.step_function(weights, inputs, targets)
                loss.block_until_ready()  # so that a step's time is that of the step
                total = total + loss
                if self.tells_steps and training is not None:
                    training.step(loss=loss)
            mean = float(total) / self.num_steps
            if training is not None:
                training.epoch(epoch, mean_loss=mean)


class Steps(Epochs):
    """A loop that tells of each step what it gave; the epoch has the mean."""

    name = "watch of JAX, told of each step"
    reach = 1.0
    tells_steps = True


def make_step() -> Callable[..., Any]:
    """One step of gradient descent, compiled."""
    import jax
    import jax.numpy as jnp

    def loss_of(weights: Any, inputs: Any, targets: Any) -> Any:
        return jnp.mean((jnp.tanh(inputs @ weights["first"]) @ weights["second"] - targets) ** 2)

    @jax.jit
    def step(weights: Any, inputs: Any, targets: Any) -> tuple[Any, Any]:
        loss, gradients = jax.value_and_grad(loss_of)(weights, inputs, targets)
        return jax.tree.map(lambda weight, gradient: weight - 0.01 * gradient, weights, gradients), loss

    return step
