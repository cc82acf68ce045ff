"""What was seen of the models of a run, by whichever integration objects record into it."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnnprov.model.values import plain_value, same_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.integrations.technique import Technique
    from dnnprov.model.values import Scalar


@dataclass(frozen=True)
class SeenChange:
    """A hyperparameter had another value than when it was seen last."""

    attribute: str
    old_value: Scalar
    new_value: Scalar
    technique: Technique


@dataclass
class SeenValues:
    """The hyperparameters of one model as they were last seen in a run.

    Attributes:
        values: the framework's last value of each.
        waiting: changes that no epoch has trained with yet.
        is_described: whether its layers are recorded.
    """

    values: dict[str, Scalar] = field(default_factory=dict)
    waiting: list[SeenChange] = field(default_factory=list)
    is_described: bool = False

    def changes(self, values: Mapping[str, Any], technique: Callable[[], Technique]) -> Iterator[SeenChange]:
        """What is not as it was last seen; what was not seen before is no change.

        Args:
            values: hyperparameter -> value now.
            technique: tells who did it; called only where something changed.
        """
        for name, value in values.items():
            new_value = plain_value(value)
            old_value = self.values.get(name, new_value)
            self.values[name] = new_value
            if not same_value(old_value, new_value):
                yield SeenChange(name, old_value, new_value, technique())

    def differs_from(self, other: SeenValues, names: Iterable[str]) -> bool:
        """Whether any of these values is another than the same one of another model."""
        return any(not same_value(self.values.get(name), other.values.get(name)) for name in names)


class _NoModel:
    """Stands for the model of an integration that tells none."""


_NO_MODEL = _NoModel()
_seen: weakref.WeakKeyDictionary[Run, weakref.WeakKeyDictionary[Any, SeenValues]] = weakref.WeakKeyDictionary()
_first: weakref.WeakKeyDictionary[Run, SeenValues] = weakref.WeakKeyDictionary()


def seen_values(run: Run, model: object) -> SeenValues:
    """What was seen of a model in a run: its own, so that one model's values are no change of another's."""
    models = _seen.setdefault(run, weakref.WeakKeyDictionary())
    return models.setdefault(_NO_MODEL if model is None else model, SeenValues())


def first_seen(run: Run, seen: SeenValues) -> SeenValues:
    """The values of the model that trained first in a run; those of this one, where none did."""
    return _first.setdefault(run, seen)
