"""Which metrics of a run are of whole epochs.

Three things tell it. A metric called `epoch`, as the loggers of Lightning and transformers write it, says of which
epoch a step is: what has one value for each of several whole epochs is of epochs, which are then numbered so. Else, as
with every log, steps that rise by one in a metric of the validation. Else, as many values with such steps as the
hyperparameter `num_epochs` says. A value alone is a result, which MLflow gives the step 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnnprov.importers.courses import MAX_EPOCHS, epoch_tags
from dnnprov.importers.logged_names import meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dnnprov.importers.courses import Steps
    from dnnprov.importers.mlflow.points import RunPoints

_EPOCH = "epoch"
_SYSTEM = "system/"
"""What MLflow writes of the machine, by itself."""


@dataclass(frozen=True)
class RunEpochs:
    """What is known of the epochs of a run.

    Attributes:
        tags: of the metrics of whole epochs.
        of_steps: step -> epoch, where a metric said so.
        is_told: whether the epochs of `tags` are those of `of_steps`, and not the steps themselves.
    """

    tags: frozenset[str] = frozenset()
    of_steps: dict[int, float] = field(default_factory=dict)
    is_told: bool = False

    def epoch(self, step: int) -> int:
        """The epoch of a value of `tags`."""
        return int(self.of_steps[step]) if self.is_told else step


def find_epochs(
    points: RunPoints,
    read: Callable[[], Iterable[tuple[int, int, int, float]]],
    *,
    num_epochs: object,
    steps: Steps,
) -> RunEpochs:
    """Look which metrics are of whole epochs.

    Args:
        points: of the run.
        read: its values, as often as it is called.
        num_epochs: as the hyperparameters have it.
        steps: what all steps are; `auto`: it is to be found out.
    """
    series = {tag: one for tag, one in zip(points.tags, points.courses, strict=True) if not tag.startswith(_SYSTEM)}
    clock = series.pop(_EPOCH, None)
    of_steps = {}
    if clock is not None and clock.count <= MAX_EPOCHS:
        place = points.tags.index(_EPOCH)
        of_steps = {step: epoch for at, step, _, epoch in read() if at == place and math.isfinite(epoch)}
    if steps != "auto":
        return RunEpochs(epoch_tags(series, steps), of_steps)
    told = _tags_of_whole_epochs(points, read(), of_steps) & series.keys() if of_steps else frozenset()
    if told:
        return RunEpochs(told, of_steps, is_told=True)
    several = {tag: one for tag, one in series.items() if one.count > 1 or num_epochs == 1}
    found = epoch_tags(several, steps) or frozenset(
        tag
        for tag, one in several.items()
        if one.is_consecutive and one.count == num_epochs and meaning(tag)[0] != "test"
    )
    return RunEpochs(found, of_steps)


def _tags_of_whole_epochs(
    points: RunPoints, values: Iterable[tuple[int, int, int, float]], of_steps: dict[int, float]
) -> frozenset[str]:
    """The tags each of whose values is of another whole epoch than the one before."""
    are_several = len({epoch for epoch in of_steps.values() if epoch.is_integer()}) > 1
    left = {
        place
        for place, one in enumerate(points.courses)
        if one.count <= MAX_EPOCHS and (one.count > 1 or not are_several)
    }
    last: dict[int, float] = {}
    for place, step, _, _ in values:
        if place in left:
            epoch = of_steps.get(step)
            if epoch is None or not epoch.is_integer() or epoch <= last.get(place, -1.0):
                left.discard(place)
            else:
                last[place] = epoch
    return frozenset(points.tags[place] for place in left if meaning(points.tags[place])[0] != "test")
