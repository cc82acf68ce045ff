"""`get_specification()` of each class is the dictionary that DfAnalyzer's library sends."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from dnnprov.dfanalyzer import (
    Attribute,
    AttributeType,
    Dataflow,
    DataSet,
    Dependency,
    Element,
    Extractor,
    ExtractorCartridge,
    ExtractorExtension,
    File,
    MethodType,
    Performance,
    Program,
    RawDataExtractor,
    RawDataIndexer,
    Set,
    SetType,
    Task,
    TaskStatus,
    Transformation,
)
from dnnprov.errors import UsageError

pytestmark = pytest.mark.usefixtures("store")

LOSS = {"name": "LOSS", "type": "NUMERIC"}


def numeric(*names):
    return [Attribute(name, AttributeType.NUMERIC) for name in names]


def test_a_dataflow_has_exactly_its_tag_and_its_transformations():
    training = Transformation("Training", [Set("iTraining", SetType.INPUT, numeric("LOSS"))])
    dataflow = Dataflow("AlexNet", transformations=[training])
    expected = {"tag": "itraining", "type": "INPUT", "attributes": [LOSS]}
    assert dataflow.get_specification() == {
        "tag": "alexnet",
        "transformations": [{"tag": "training", "sets": [expected]}],
    }
    assert Dataflow("AlexNet", email="a@b.c", predefined=True).get_specification().keys() == {"tag", "transformations"}
    assert Dataflow("Empty").get_specification() == {"tag": "empty"}


def test_true_declares_the_transformations_of_dnnprov_with_what_they_take_from_each_other():
    transformations = Dataflow("alexnet", True).get_specification()["transformations"]
    names = {
        one["tag"]: {
            (each["tag"], each["type"], each.get("dependency", "")): [a["name"] for a in each["attributes"]]
            for each in one["sets"]
        }
        for one in transformations
    }
    epochs = ["TIMESTAMP", "ELAPSED_TIME", "LOSS", "ACCURACY", "VAL_LOSS", "VAL_ACCURACY", "EPOCH"]
    assert names == {
        "trainingmodel": {
            ("itrainingmodel", "INPUT", ""): ["OPTIMIZER_NAME", "LEARNING_RATE", "NUM_EPOCHS", "NUM_LAYERS"],
            ("otrainingmodel", "OUTPUT", ""): epochs,
        },
        "adaptation": {
            ("otrainingmodel", "INPUT", "trainingmodel"): epochs,
            ("iadaptation", "INPUT", ""): ["EPOCHS_DROP", "DROP_N", "INITIAL_LRATE"],
            ("oadaptation", "OUTPUT", ""): ["NEW_LRATE", "TIMESTAMP", "EPOCH_ID", "ADAPTATION_ID"],
        },
        "testingmodel": {
            ("otrainingmodel", "INPUT", "trainingmodel"): epochs,
            ("otestingmodel", "OUTPUT", ""): ["LOSS", "ACCURACY"],
        },
    }


@pytest.mark.parametrize(
    "arguments",
    [
        (("t", [Transformation("A")]), {}),
        (("t",), {"transformations": [Transformation("A")]}),
        (("t", False, [Transformation("A")]), {}),
        (("t", False, "me@here.org", [Transformation("A")]), {}),
        (("t",), {"hyperparameters": False, "transformations": [Transformation("A")]}),
    ],
)
def test_each_copy_has_its_own_arguments_of_a_dataflow(arguments):
    positional, named = arguments
    dataflow = Dataflow(*positional, **named)
    assert dataflow.get_specification() == {"tag": "t", "transformations": [{"tag": "a"}]}
    assert dataflow.transformations == [{"tag": "a"}]


@pytest.mark.parametrize(
    "arguments", [(("t", True), {}), (("t",), {"hyperparameters": True}), (("t",), {"predefined": True})]
)
def test_each_copy_has_its_own_name_for_what_is_predefined(arguments):
    positional, named = arguments
    assert len(Dataflow(*positional, **named).transformations) == 3


def test_a_set_that_is_changed_and_added_again_is_an_input_here_and_an_output_there():
    shared = Set("oCells", SetType.OUTPUT, numeric("COUNT"))
    first, second = Transformation("Detect"), Transformation("Count")
    first.set_sets([shared])
    shared.set_type(SetType.INPUT)
    shared.dependency = first._tag
    second.set_sets([shared])
    attributes = [{"name": "COUNT", "type": "NUMERIC"}]
    assert first.get_specification()["sets"] == [{"tag": "ocells", "type": "OUTPUT", "attributes": attributes}]
    assert second.get_specification()["sets"] == [
        {"tag": "ocells", "type": "INPUT", "attributes": attributes, "dependency": "detect"}
    ]
    assert first.output == first.sets
    assert first.input == []
    assert second.input == second.sets
    shared.add_attribute(Attribute("SIZE", AttributeType.NUMERIC))  # comes to both
    assert all(len(one.sets[0]["attributes"]) == 2 for one in (first, second))


def test_values_of_elements_are_texts_where_they_are_looked_at_and_kept_as_they_are():
    element = Element([0.5, 2, None, np.float32(1.5), "Adam"])
    assert element.values == ["0.5", "2", "None", "1.5", "Adam"]
    assert DataSet("oTrain", [element]).get_specification() == {"tag": "otrain", "elements": [element.values]}
    assert DataSet("oTrain", [element]).elements == [element.values]
    assert DataSet("oTrain", []).get_specification() == {"tag": "otrain"}
    data_set = DataSet("oTrain", [element])
    element.values = [7]
    assert data_set.elements == [["0.5", "2", "None", "1.5", "Adam"]]


def test_a_task_of_the_official_library():
    first = Task(1, "AlexNet", "Training", workspace="/data", resource="node-1")
    task = Task("2", "AlexNet", "Testing", "sub", first, output="out")
    task.add_dataset(DataSet("oTest", [Element([1])]))
    assert task.get_specification() == {
        "tag": "testing",
        "id": "2",
        "sub": "sub",
        "dataflow": "alexnet",
        "transformation": "testing",
        "dependency": {"tags": [{"tag": "training"}], "ids": [{"id": "1"}]},
        "output": "out",
        "status": "READY",
        "sets": [{"tag": "otest", "elements": [["1"]]}],
    }
    assert first.get_specification()["workspace"] == "/data"
    assert (task._id, task._tag, task._dataflow) == ("2", "testing", "alexnet")


def test_a_task_of_an_execution_says_so_and_forgets_what_it_sent():
    task = Task(1, "alexnet", "alexnet-monday", "Training")
    specification = task.get_specification()
    assert (specification["exec"], specification["first"]) == ("alexnet-monday", "0")
    task.add_dataset(DataSet("iTraining", [Element([1])]))
    task.begin()
    assert task.get_specification()["status"] == "RUNNING"
    assert "sets" not in task.get_specification()
    task.add_dataset(DataSet("oTraining", [Element([1])]))
    task.save()
    task.add_dataset(DataSet("oTraining", [Element([2])]))
    assert task.get_specification()["sets"] == [{"tag": "otraining", "elements": [["2"]]}]
    task.end()
    performance = task.get_specification()["performances"]
    assert [set(one) for one in performance] == [{"startTime", "endTime"}]
    assert task.start_time == performance[0]["startTime"]


def test_a_task_of_the_official_library_keeps_what_it_sent():
    task = Task(1, "alexnet", "Training")
    for value in (1, 2):
        task.add_dataset(DataSet("oTraining", [Element([value])]))
        task.save()
    assert [one["elements"] for one in task.get_specification()["sets"]] == [[["1"]], [["2"]]]


def test_the_small_classes():
    assert Dependency(["Split", "Train"], [2, "3"]).get_specification() == {
        "tags": [{"tag": "Split"}, {"tag": "Train"}],
        "ids": [{"id": 2}, {"id": "3"}],
    }
    assert Attribute("NAME", AttributeType.FILE).get_specification() == {"name": "NAME", "type": "FILE"}
    assert str(Attribute("NAME", AttributeType.FILE)) == "NAME:FILE"
    assert Program("sort", "/bin/sort").get_specification() == {"name": "sort", "path": "/bin/sort"}
    assert File("/data", "A.csv").get_specification() == {"tag": "a.csv", "path": "/data", "name": "A.csv"}
    extractor = Extractor("cells", ExtractorCartridge.EXTRACTION, ExtractorExtension.CSV)
    assert extractor.get_specification() == {"tag": "cells", "cartridge": "EXTRACTION", "extension": "CSV"}
    cells = Set("oCells", SetType.OUTPUT, [], [extractor])
    assert cells.get_specification()["extractors"] == [extractor.get_specification()]
    performance = Performance("10:00", "11:00", MethodType.COMPUTATION, "all")
    assert performance.get_specification() == {
        "startTime": "10:00",
        "endTime": "11:00",
        "method": "COMPUTATION",
        "description": "all",
    }
    assert [one.value for one in TaskStatus] == ["READY", "RUNNING", "FINISHED"]


@pytest.mark.parametrize(
    ("one", "name", "value", "read"),
    [
        (Extractor("e", ExtractorCartridge.EXTRACTION, ExtractorExtension.CSV), "cartridge", None, "EXTRACTION"),
        (
            Extractor("e", ExtractorCartridge.EXTRACTION, ExtractorExtension.CSV),
            "cartridge",
            ExtractorCartridge.INDEXING,
            "INDEXING",
        ),
        (
            Extractor("e", ExtractorCartridge.EXTRACTION, ExtractorExtension.CSV),
            "extension",
            ExtractorExtension.FITS,
            "FITS",
        ),
        (Extractor("e", ExtractorCartridge.EXTRACTION, ExtractorExtension.CSV), "setTag", "ds", "ds"),
        (Extractor("e", ExtractorCartridge.EXTRACTION, ExtractorExtension.CSV), "transformationTag", "tf", "tf"),
        (Extractor("e", ExtractorCartridge.EXTRACTION, ExtractorExtension.CSV), "dataflowTag", "df", "df"),
        (Program("sort", "/bin/sort"), "name", "uniq", "uniq"),
        (Program("sort", "/bin/sort"), "path", "/bin/uniq", "/bin/uniq"),
        (Program("sort", "/bin/sort"), "transformationTag", "tf", "tf"),
        (Performance("10:00", "11:00"), "startTime", "09:00", "09:00"),
        (Performance("10:00", "11:00"), "endTime", "12:00", "12:00"),
        (Performance("10:00", "11:00", MethodType.INDEXING), "method", None, MethodType.INDEXING),
        (Performance("10:00", "11:00"), "method", MethodType.EXTRACTION, "EXTRACTION"),
        (Performance("10:00", "11:00"), "description", "all", "all"),
    ],
)
def test_what_is_specified_can_be_read_and_set(one, name, value, read):
    if value is not None:
        setattr(one, name, value)
    assert getattr(one, name) == read
    assert one.get_specification()[name] == read
    json.dumps(one.get_specification())


class Unreadable:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


def test_a_value_that_cannot_say_what_it_is_is_named_by_its_type():
    (text,) = Element([Unreadable()]).values
    assert "Unreadable" in text


@pytest.mark.parametrize(
    "one",
    [
        DataSet("oTrain", [Element([1])]),
        Transformation("Train", [Set("oTrain", SetType.OUTPUT, numeric("LOSS"))]),
        Dependency(["Split"], [1]),
        Extractor("e", ExtractorCartridge.EXTRACTION, ExtractorExtension.CSV),
    ],
)
def test_what_is_pickled_comes_back(one):
    assert pickle.loads(pickle.dumps(one)).get_specification() == one.get_specification()


def test_raw_data_programs_tell_their_command_and_are_not_run(monkeypatch):
    monkeypatch.setenv("DFANALYZER_DIR", "/opt/dfa")
    extractor = RawDataExtractor(ExtractorCartridge.EXTRACTION, "cut -f1", numeric("A", "B"))
    assert (
        extractor.get_command_line() == "/opt/dfa/bin/RDE EXTRACTION:EXTRACT extractor . cut -f1 [A:NUMERIC,B:NUMERIC]"
    )
    indexer = RawDataIndexer(ExtractorCartridge.INDEXING, "cells", "/data", "out.csv", numeric("A"), "-x")
    assert indexer.get_command_line() == "/opt/dfa/bin/RDE INDEXING:INDEX cells /data out.csv [A:NUMERIC] -x"
    with pytest.warns(RuntimeWarning, match="was not run: raw data are not extracted"):
        indexer.run()


def test_a_specification_is_json():
    dataflow = Dataflow("alexnet", True, "me@here.org", [Transformation("Mine", [Set("oMine", SetType.OUTPUT)])])
    assert json.loads(json.dumps(dataflow.get_specification())) == dataflow.get_specification()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dataflow(""),
        lambda: Dataflow("t", ["no transformation"]),
        lambda: Transformation("t", ["no set"]),
        lambda: Set("s", "SIDEWAYS"),
        lambda: Set("s", SetType.INPUT, ["no attribute"]),
        lambda: Attribute("a", "COLOUR"),
        lambda: DataSet("s", [[1, 2]]),
        lambda: Task(1, "t", ""),
        lambda: Task(1, 7, "Training"),
        lambda: Task(1, "t", "Training", dependency="Split"),
        lambda: Task(1, "t", "Training", colour="red"),
        lambda: Dependency("Split", [1]),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_under_way(make):
    with pytest.raises(UsageError, match="expected|is no|it has"):
        make()
