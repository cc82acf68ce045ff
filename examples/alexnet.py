"""AlexNet (Krizhevsky, Sutskever and Hinton, NIPS 2012), narrowed so that a laptop trains it in seconds.

Five convolutions, three poolings and three dense layers stand where the original has them, each narrower by one factor.
Two things differ, and why:

- Photos of 64 pixels instead of 227 keep little after a first convolution of 11 x 11 in steps of 4: small images get
  5 x 5 in steps of 2.
- Batch normalisation replaces local response normalisation, after each convolution: without it, 35 epochs on Oxford
  Flowers 17 end 5 (Adam) to 20 (SGD) points of test accuracy lower. Its momentum is 0.8, not Keras's 0.99, whose
  averages need hundreds of steps to settle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILTERS = (96, 256, 384, 384, 256)
_KERNEL_SIZES = (11, 5, 3, 3, 3)
_POOLED = (1, 2, 5)  # the convolutions followed by a pooling
_DENSE_UNITS = (4096, 4096)
_LARGE_IMAGE = 128  # rows from which on the original first convolution fits


def build_alexnet(
    input_shape: tuple[int, int, int], num_classes: int, dropout: float, *, scale: float = 1 / 8
) -> keras.Sequential:
    """Returns an AlexNet, not compiled yet.

    Args:
        input_shape: rows, columns and channels of the images, whose values lie in [0, 1]. At least 32 rows.
        num_classes: units of the last layer, a softmax.
        dropout: rate of both dropout layers.
        scale: width of each layer as a fraction of the original's: 96 to 384 filters, 4,096 units.
    """
    model = keras.Sequential(name="alexnet")
    model.add(keras.Input(input_shape))
    for number, filters in enumerate(_FILTERS, start=1):
        for layer in _convolution(number, round(filters * scale), input_shape[0]):
            model.add(layer)
    model.add(layers.Flatten(name="flatten"))
    for number, units in enumerate(_DENSE_UNITS, start=1):
        model.add(layers.Dense(round(units * scale), activation="relu", name=f"dense_{number}"))
        model.add(layers.Dropout(dropout, name=f"dropout_{number}"))
    model.add(layers.Dense(num_classes, activation="softmax", name="dense_3"))
    return model


def _convolution(number: int, filters: int, rows: int) -> Iterator[keras.Layer]:
    """Yields the layers of one of the five convolutions, with the pooling after it where there is one."""
    kernel_size, strides = _KERNEL_SIZES[number - 1], 1
    if number == 1:
        kernel_size, strides = (kernel_size, 4) if rows >= _LARGE_IMAGE else (5, 2)
    yield layers.Conv2D(filters, kernel_size, strides=strides, padding="same", use_bias=False, name=f"conv_{number}")
    yield layers.BatchNormalization(momentum=0.8, name=f"normalization_{number}")
    yield layers.Activation("relu", name=f"activation_{number}")
    if number in _POOLED:
        yield layers.MaxPooling2D(3, strides=2, name=f"pooling_{number}")
