"""What `model.provenance(...)` was asked for: which hyperparameters to record, which more, which transformations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dnnprov.dataflow.attribute import Attribute, AttributeType
from dnnprov.dataflow.set import Set, SetType
from dnnprov.dataflow.transformation import Transformation
from dnnprov.errors import UsageError
from dnnprov.integrations.run_choice import check_type
from dnnprov.model.positional import number_of

ALSO_NAMED = {
    "decay": ("decay", "weight_decay"),
    "num_epochs": ("num_epochs", "epochs"),
    "loss_function": ("loss_function", "loss"),
}
"""Name in `hyps` -> the names it is recorded by, where these are others."""

MEANT = {
    "weight_decay": "decay",
    "lr": "learning_rate",
    "optimizer": "optimizer_name",
    "epochs": "num_epochs",
    "loss": "loss_function",
}
"""Other names that may stand in `hyps`, and what they mean."""


@dataclass(frozen=True)
class Wanted:
    """The arguments of `provenance`, checked.

    Attributes:
        tag: of the dataflow.
        is_adapted: whether an Adaptation is part of the plan beforehand.
        left_out: hyperparameters that are not to be recorded.
        attributes: of iTrainingModel that were declared.
        stated: hyperparameters given by keyword.
        transformations: of the user.
    """

    tag: str
    is_adapted: bool
    left_out: frozenset[str]
    attributes: dict[str, AttributeType]
    stated: dict[str, Any]
    transformations: list[Transformation] = field(default_factory=list)

    def is_left_out(self, name: str) -> bool:
        """Whether a hyperparameter of this name is not to be recorded; one rate for each of several is a rate too."""
        lowered = name.lower()
        return lowered in self.left_out or ("learning_rate" in self.left_out and lowered.startswith("learning_rate_"))

    def typed(self, name: str, value: Any) -> Any:
        """A value as its declared type has it."""
        return number_of(value) if self.attributes.get(name) is AttributeType.NUMERIC else value


def wanted(
    tag: object,
    adaptation: object,
    hyps: object,
    hyperparameters: object,
    transformations: object,
    stated: dict[str, Any],
) -> Wanted:
    """Check the arguments of `provenance`.

    Raises:
        UsageError: one has a type that cannot be meant.
    """
    check_type("dataflow_tag", tag, str, "a tag such as 'alexnet'")
    check_type("hyps", hyps, Mapping | None, "a dict of hyperparameter to True or False")
    return Wanted(
        tag=str(tag),
        is_adapted=bool(adaptation),
        left_out=frozenset(_left_out(hyps or {})),  # type: ignore[arg-type]  # checked above
        attributes=_attributes(hyperparameters),
        stated=stated,
        transformations=_transformations(transformations),
    )


def _left_out(hyps: Mapping[Any, Any]) -> list[str]:
    names: list[str] = []
    for key, is_wanted in hyps.items():
        if not is_wanted:
            name = MEANT.get(str(key).lower(), str(key).lower())
            names.extend(ALSO_NAMED.get(name, (name,)))
    return names


def _attributes(hyperparameters: Any) -> dict[str, AttributeType]:
    """Declared hyperparameters: pairs of name and type, a dict of them, or names alone."""
    pairs = hyperparameters.items() if isinstance(hyperparameters, Mapping) else hyperparameters or ()
    expected = "expected a list such as [('dropout', 'NUMERIC')]"
    if isinstance(pairs, str) or not isinstance(pairs, Iterable):
        raise UsageError(f"hyperparameters={hyperparameters!r} is a {type(hyperparameters).__name__}; {expected}")
    found: dict[str, AttributeType] = {}
    for pair in pairs:
        one: tuple[Any, ...] = (pair, "TEXT") if isinstance(pair, str) else tuple(_listed(pair, expected))
        if len(one) != 2:
            raise UsageError(f"hyperparameters has {pair!r}; {expected}")
        attribute = Attribute(one[0], one[1])
        found[attribute.name] = attribute.type
    return found


def _transformations(given: Any) -> list[Transformation]:
    """The user's own: Transformation objects, or tag -> {"input": {attribute: type}, "output": {attribute: type}}."""
    expected = "expected a dict of tag to Transformation or to {'input': {...}, 'output': {...}}"
    values = given.items() if isinstance(given, Mapping) else [(None, one) for one in _listed(given, expected)]
    found = []
    for tag, one in values:
        if isinstance(one, Mapping) and tag is not None:
            found.append(_from_attributes(str(tag), one))
        elif isinstance(one, Transformation):
            found.append(one)
        else:
            raise UsageError(f"transformations has {one!r}; {expected}")
    return found


def _listed(given: Any, expected: str) -> list[Any]:
    if given is not None and (isinstance(given, str) or not isinstance(given, Iterable)):
        raise UsageError(f"{given!r} is a {type(given).__name__}; {expected}")
    return list(given or ())


def _from_attributes(tag: str, sides: Mapping[str, Any]) -> Transformation:
    transformation = Transformation(tag)
    for side, attributes in sides.items():
        kind = SetType[str(side).upper()] if str(side).upper() in SetType.__members__ else None
        if kind is None or not isinstance(attributes, Mapping):
            raise UsageError(
                f"transformations[{tag!r}] has {side!r}: {attributes!r}; expected 'input' or 'output' and a dict"
            )
        letter = "i" if kind is SetType.INPUT else "o"
        declared = [Attribute(str(name), type_) for name, type_ in attributes.items()]
        transformation.add_set(Set(f"{letter}{tag}", kind, declared))
    return transformation
