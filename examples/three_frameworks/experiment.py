"""What the three scripts share: their options, the photos, and the run that each of them is.

The run has a name, and a Filters task before the training where the photos become gray. Everything else is recorded by
`dnnprov.autolog()` from the framework itself.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import dnnprov
from flowers17 import GRAY_SCALE, LabelledImages, apply_gray_scale, load_flowers

if TYPE_CHECKING:
    from collections.abc import Iterator

DATAFLOW = "flowers17"
BATCH_SIZE = 32
CHANNELS = (16, 32)


@dataclass(frozen=True)
class Settings:
    """Of one training.

    Attributes:
        optimizer: Adam or SGD.
        learning_rate: that it begins with.
        filter_name: `none` or `gray-scale`.
        epochs: how many.
        size: rows and columns of a photo.
    """

    optimizer: str = "Adam"
    learning_rate: float = 0.002
    filter_name: str = "none"
    epochs: int = 5
    size: int = 32


def read_settings(arguments: list[str] | None = None) -> Settings:
    """The options of a script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--optimizer", choices=["Adam", "SGD"], default=Settings.optimizer)
    parser.add_argument("--learning-rate", type=float, default=Settings.learning_rate)
    parser.add_argument("--filter", dest="filter_name", choices=["none", GRAY_SCALE], default=Settings.filter_name)
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--size", type=int, default=Settings.size)
    return Settings(**vars(parser.parse_args(arguments)))


@contextmanager
def experiment(framework: str, settings: Settings) -> Iterator[tuple[LabelledImages, Any]]:
    """The photos, and the run that a training of them is.

    Args:
        framework: for the name of the run.
        settings: of the training.
    """
    data = load_flowers(settings.size, allow_download=False)
    name = f"{framework}-{settings.optimizer}-{settings.learning_rate:g}-{settings.filter_name}"
    with dnnprov.start_run(DATAFLOW, name=name, params={"num_epochs": settings.epochs}, tags=[framework]) as run:
        if settings.filter_name == GRAY_SCALE:
            with run.task("Filters") as filters:
                filters.uses("iFilters", dataset_name=data.name)
                data = apply_gray_scale(data)
                filters.generates("oFilters", filter_name=data.filter_name)
            run.feed_trainings([filters])
        yield data, run
