"""The network and the data that the benchmarks of frameworks above PyTorch train with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 8


def make_model() -> Any:
    """Two layers, whose step takes some hundred microseconds; one thread computes it."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))


def make_data(num_steps: int) -> list[tuple[Any, Any]]:
    """Samples for so many batches."""
    import torch

    inputs = torch.randn(num_steps * BATCH, 8)
    return list(zip(inputs, (inputs.sum(1) > 0).long(), strict=True))


class Ticking:
    """Puts samples together to a batch, and tells of each.

    Args:
        collate: puts them together.

    Attributes:
        tick: is called; set before each training.
    """

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self._collate = collate
        self.tick: Callable[[], None] = lambda: None

    def __call__(self, samples: Any) -> Any:
        """The batch of these samples."""
        self.tick()
        return self._collate(samples)
