"""A small Keras model and its data, for tests that train one."""

from __future__ import annotations

import keras
import numpy as np

X = np.linspace(-1, 1, 120, dtype="float32").reshape(30, 4)
Y = np.arange(30) % 3


def small_model(learning_rate=0.5, **compile_arguments):
    """Two layers and a dropout; the same weights each time."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(5, activation="relu", name="hidden"),
            keras.layers.Dropout(0.4, name="drop"),
            keras.layers.Dense(3, activation="softmax", name="out"),
        ]
    )
    arguments = {
        "optimizer": keras.optimizers.SGD(learning_rate, momentum=0.5),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }
    model.compile(**{**arguments, **compile_arguments})
    return model


def fit(model, callbacks, epochs=2, **arguments):
    """Train on 30 examples in batches of 10."""
    return model.fit(X, Y, verbose=0, **{"batch_size": 10, "epochs": epochs, "callbacks": callbacks, **arguments})


class RaisesAtEnd(keras.callbacks.Callback):
    """Raises at the end of an epoch, once."""

    def __init__(self, error, epoch=0):
        super().__init__()
        self.error, self.epoch = error, epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch and self.error is not None:
            error, self.error = self.error, None
            raise error


def plateau(**arguments):
    """A callback that halves the rate at the end of every epoch but the first: no loss improves by 100."""
    return keras.callbacks.ReduceLROnPlateau(
        **{"monitor": "loss", "factor": 0.5, "patience": 1, "min_delta": 100, **arguments}
    )
