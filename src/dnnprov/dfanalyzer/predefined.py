"""Transformations that a program for DNNProv or DLProv need not declare, as these libraries declare them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dnnprov.dataflow.attribute import AttributeType
from dnnprov.dataflow.set import SetType
from dnnprov.dfanalyzer.attribute import Attribute
from dnnprov.dfanalyzer.set import Set
from dnnprov.dfanalyzer.transformation import Transformation
from dnnprov.model.dfanalyzer.json_form import read_dataflow

if TYPE_CHECKING:
    from dnnprov.model.events import TransformationDeclared

TEXT, NUMERIC, FILE = AttributeType.TEXT, AttributeType.NUMERIC, AttributeType.FILE


def predefined_transformations() -> list[Transformation]:
    """Those of DNNProv, which `True` declares: TrainingModel, Adaptation, TestingModel."""
    training = Transformation("TrainingModel", [_training_input("iTrainingModel"), _epochs("oTrainingModel")])
    drop = _used("iAdaptation", EPOCHS_DROP=NUMERIC, DROP_N=NUMERIC, INITIAL_LRATE=NUMERIC)
    adapted = _generated("oAdaptation", NEW_LRATE=NUMERIC, TIMESTAMP=TEXT, EPOCH_ID=NUMERIC, ADAPTATION_ID=NUMERIC)
    epochs = _epochs("oTrainingModel")
    epochs.set_type(SetType.INPUT)
    epochs.dependency = "trainingmodel"
    tested = _generated("oTestingModel", LOSS=NUMERIC, ACCURACY=NUMERIC)
    return [
        training,
        Transformation("Adaptation", [epochs, drop, adapted]),
        Transformation("TestingModel", [epochs, tested]),
    ]


@cache
def known_transformations() -> dict[str, TransformationDeclared]:
    """Those of DLProv, by tag in lower case; a task that executes one of them declares it."""
    loaded, filtered = _generated("oLoadData", DATASET_DIR=FILE), _generated("oFilter", DATASET_DIR=FILE)
    parts = [_generated(f"o{part}Set", **{f"{part}Set": FILE}) for part in ("Train", "Val", "Test")]
    model = _generated("oTrainedModel", MODEL_NAME=TEXT, MODEL_DIR=FILE)
    source = _used("iInputDataset", DATASET_NAME=TEXT, DATASET_SOURCE=TEXT)
    ratios = _used("iSplitConfig", TRAIN_RATIO=NUMERIC, VAL_RATIO=NUMERIC, TEST_RATIO=NUMERIC)
    loading = Transformation("LoadData", [source, loaded])
    filtering = Transformation(
        "ApplyFilter", [*_from("loaddata", loaded), _used("iFilter", FILTER_NAME=TEXT), filtered]
    )
    splitting = Transformation("SplitData", [*_from("loaddata", loaded), ratios, *parts])
    epochs, weights = _epochs("oTrain"), _generated("oWeights", WEIGHTS_PATH=FILE)
    training = Transformation(
        "Train",
        [_training_input("iTrain", BATCH_SIZE=NUMERIC), epochs, model, weights, *_from("splitdata", *parts[:2])],
    )
    tested = _generated("oTest", LOSS=NUMERIC, ACCURACY=NUMERIC)
    testing = Transformation("Test", [*_from("splitdata", parts[2]), *_from("train", model), tested])
    specifications = [one.get_specification() for one in (loading, filtering, splitting, training, testing)]
    declared = read_dataflow({"tag": "dlprov", "transformations": specifications})
    return {one.tag: one for one in declared.transformations}


def _used(tag: str, **attributes: AttributeType) -> Set:
    return Set(tag, SetType.INPUT, [Attribute(name, kind) for name, kind in attributes.items()])


def _generated(tag: str, **attributes: AttributeType) -> Set:
    return Set(tag, SetType.OUTPUT, [Attribute(name, kind) for name, kind in attributes.items()])


def _from(transformation: str, *sets: Set) -> list[Set]:
    """The sets as what another transformation uses, that they come from."""
    for one in sets:
        one.set_type(SetType.INPUT)
        one.dependency = transformation
    return list(sets)


def _training_input(tag: str, **further: AttributeType) -> Set:
    before = {"OPTIMIZER_NAME": TEXT, "LEARNING_RATE": NUMERIC, "NUM_EPOCHS": NUMERIC}
    return _used(tag, **before, **further, NUM_LAYERS=NUMERIC)


def _epochs(tag: str) -> Set:
    numbers = ("LOSS", "ACCURACY", "VAL_LOSS", "VAL_ACCURACY", "EPOCH")
    return _generated(tag, TIMESTAMP=TEXT, ELAPSED_TIME=TEXT, **dict.fromkeys(numbers, NUMERIC))
