"""The images of a training in batches, drawn and mirrored anew in each epoch.

48 photos a class are few, so half of them are mirrored, left to right. This is done here and not by a layer: a
preprocessing layer would be recorded as a filter that the images went through, beside the one that the paper asks for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import keras
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flowers17 import Split


class Batches(keras.utils.PyDataset):
    """Batches of one split, in an order of its own for each epoch.

    Args:
        split: images and labels.
        batch_size: images a batch; the last one of an epoch may have fewer.
        mirror: mirror half of the images, anew in each epoch; not for images such as digits.
        seed: of the order and of the choice of what is mirrored.
    """

    def __init__(self, split: Split, batch_size: int, *, mirror: bool, seed: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self._split, self._mirror = split, mirror
        self._random = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._split.labels) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        images = self._split.images[rows]
        if self._mirror:
            mirrored = self._is_mirrored[rows]
            images[mirrored] = images[mirrored, :, ::-1]
        return images, self._split.labels[rows]

    def on_epoch_end(self) -> None:
        """Draw the next epoch."""
        count = len(self._split.labels)
        self._order = self._random.permutation(count)
        self._is_mirrored = self._random.random(count) < 0.5
