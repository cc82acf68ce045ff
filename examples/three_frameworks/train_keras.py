"""The experiment in Keras: `fit` and `evaluate`, nothing else."""

from __future__ import annotations

import keras
from experiment import BATCH_SIZE, CHANNELS, experiment, read_settings

import dnnprov

dnnprov.autolog()


def main() -> None:
    """Train and test once."""
    settings = read_settings()
    keras.utils.set_random_seed(17)
    with experiment("keras", settings) as (data, _):
        model = keras.Sequential([keras.layers.Input(data.input_shape)])
        for channels in CHANNELS:
            model.add(keras.layers.Conv2D(channels, 3, padding="same", activation="relu"))
            model.add(keras.layers.MaxPooling2D())
        model.add(keras.layers.Flatten())
        model.add(keras.layers.Dropout(0.4))
        model.add(keras.layers.Dense(len(data.class_names), activation="softmax"))
        optimizer = getattr(keras.optimizers, settings.optimizer)(settings.learning_rate)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(
            data.train.images,
            data.train.labels,
            batch_size=BATCH_SIZE,
            epochs=settings.epochs,
            validation_data=(data.validation.images, data.validation.labels),
            verbose=0,
        )
        model.evaluate(data.test.images, data.test.labels, verbose=0)


if __name__ == "__main__":
    main()
