"""DNNProv-Df: the predefined transformations, data sets and attributes of deep-learning training.

Fig. 3 of the paper (Pina et al., IPAW 2021) with the attributes that people ask for. The sets may grow by any
attribute; what stands here gives well-known names their column and type before the first value comes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

ColumnType: TypeAlias = Literal["integer", "number", "text", "boolean", "unknown"]
"""Of an attribute's values; unknown as long as only `None` came."""

LEARNING_RATE = "learning_rate"
NO_FILTER = "none"
"""What a question prints where no filter was applied."""


@dataclass(frozen=True)
class PredefinedSet:
    """A data set that DNNProv-Df knows.

    Attributes:
        tag: its name as the paper writes it.
        attributes: column name and type, in the order of the paper's positional values, further ones after.
        aliases: other names of an attribute (lower case) that older systems write, and the column they mean.
        positional: attributes that values without names mean, in the paper's order.
        of_any_type: attributes that are numbers as a rule and texts as well; a text stands in `<column>_text`.
    """

    tag: str
    attributes: dict[str, ColumnType]
    aliases: dict[str, str]
    positional: tuple[str, ...]
    of_any_type: frozenset[str] = frozenset()

    def column(self, name: str) -> str | None:
        """The attribute that a name means, whatever its case; `None` for a name of one's own."""
        lowered = name.lower()
        column = self.aliases.get(lowered, lowered)
        return column if column in self.attributes else None


@dataclass(frozen=True)
class PredefinedTransformation:
    """A transformation that DNNProv-Df knows, with the sets it uses and generates."""

    tag: str
    uses: tuple[str, ...]
    generates: tuple[str, ...]


SETS: dict[str, PredefinedSet] = {
    predefined.tag.lower(): predefined
    for predefined in (
        PredefinedSet(
            "iTrainingModel",
            {
                "optimizer_name": "text",
                LEARNING_RATE: "number",
                "num_epochs": "integer",
                "num_layers": "integer",
                "batch_size": "integer",
                "momentum": "number",
                "decay": "number",
                "dropout": "number",
                "loss_function": "text",
            },
            {},
            ("optimizer_name", LEARNING_RATE, "num_epochs", "num_layers"),
        ),
        PredefinedSet(
            "oTrainingModel",
            {
                "timestamp": "text",
                "elapsed_time": "number",
                "loss": "number",
                "accuracy": "number",
                "val_loss": "number",
                "val_accuracy": "number",
                "epoch": "integer",
            },
            {},
            ("timestamp", "elapsed_time", "loss", "accuracy", "val_loss", "val_accuracy", "epoch"),
        ),
        PredefinedSet(
            "iAdaptation",
            {
                "epochs_drop": "number",
                "drop_n": "number",
                "initial_lrate": "number",
                "technique": "text",
            },
            {},
            ("epochs_drop", "drop_n", "initial_lrate"),
        ),
        PredefinedSet(
            "oAdaptation",
            {
                "new_value": "number",
                "timestamp": "text",
                "epoch": "integer",
                "adaptation_id": "integer",
                "step": "integer",
                "attribute": "text",
                "old_value": "number",
                "technique": "text",
                "agent": "text",
                "reason": "text",
                "triggered_by": "text",
            },
            {"new_lrate": "new_value", "epoch_id": "epoch"},
            ("new_value", "timestamp", "epoch", "adaptation_id"),
            frozenset({"old_value", "new_value"}),
        ),
        PredefinedSet("oTestingModel", {"loss": "number", "accuracy": "number"}, {}, ("loss", "accuracy")),
        PredefinedSet(
            "iLayers",
            {
                "position": "integer",
                "name": "text",
                "type": "text",
                "value": "text",
                "activation": "text",
                "rate": "number",
                "units": "integer",
                "filters": "integer",
                "kernel_size": "text",
                "num_parameters": "integer",
            },
            {},
            ("name", "type", "value"),
        ),
        PredefinedSet("iFilters", {"dataset_name": "text"}, {}, ("dataset_name",)),
        PredefinedSet("oFilters", {"filter_name": "text"}, {}, ("filter_name",)),
    )
}
"""By lower-case tag: older systems write tags in lower case."""

_OTHER_NAMES: dict[str, PredefinedSet] = {
    "itrain": replace(
        SETS["itrainingmodel"],
        positional=("optimizer_name", LEARNING_RATE, "num_epochs", "batch_size", "num_layers"),
    ),
    "itrainmodel": SETS["itrainingmodel"],
    "otrain": SETS["otrainingmodel"],
    "otrainmodel": SETS["otrainingmodel"],
    "otest": SETS["otestingmodel"],
    "otestmodel": SETS["otestingmodel"],
}
"""What DLProv calls predefined sets, in lower case, with the order of values by position that it has."""


@lru_cache(maxsize=1024)  # asked several times for each value of a row
def predefined_set(tag: str) -> PredefinedSet | None:
    """The predefined set that a tag means, in any letter case and by any of its names; `None` for a set of one's own.

    Example:
        >>> [predefined_set(tag).tag for tag in ("otrainingmodel", "oTrain")], predefined_set("oCells")
        (['oTrainingModel', 'oTrainingModel'], None)
    """
    lowered = tag.lower()
    return SETS.get(lowered) or _OTHER_NAMES.get(lowered)


TRANSFORMATIONS: dict[str, PredefinedTransformation] = {
    predefined.tag.lower(): predefined
    for predefined in (
        PredefinedTransformation("Training", ("iTrainingModel", "iLayers"), ("oTrainingModel",)),
        PredefinedTransformation("Adaptation", ("iAdaptation", "oTrainingModel"), ("oAdaptation",)),
        PredefinedTransformation("Testing", (), ("oTestingModel",)),
        PredefinedTransformation("Filters", ("iFilters",), ("oFilters",)),
    )
}

AUTOMATIC = ("Training", "Adaptation", "Testing")
"""The activities of Fig. 3: the transformations of a dataflow that nobody declared."""

TRAINING_TAGS = frozenset({"training", "trainingmodel", "train"})
TESTING_TAGS = frozenset({"testing", "testingmodel", "test"})

ACCURACY_NAMES = (
    "accuracy",
    "acc",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "binary_accuracy",
)
"""Metrics that count as accuracy, the first one found is taken."""


def output_set(tag: str) -> str:
    """The data set that `task.log` writes to: `oTrainingModel` for a training, else `o` + the task's tag.

    Example:
        >>> output_set("Training"), output_set("Testing"), output_set("Split")
        ('oTrainingModel', 'oTestingModel', 'oSplit')
    """
    lowered = tag.lower()
    if lowered in TRAINING_TAGS:
        return "oTrainingModel"
    if lowered in TESTING_TAGS:
        return "oTestingModel"
    known = TRANSFORMATIONS.get(lowered)
    return known.generates[0] if known else f"o{tag}"
