"""Declaring dataflows: what is predefined, what the store remembers, how a dataflow grows from version to version."""

from __future__ import annotations

import json

import pytest

import dnnprov
from dnnprov import (
    Attribute,
    AttributeType,
    Dataflow,
    DataSet,
    Element,
    Program,
    Set,
    SetType,
    Task,
    Transformation,
)
from dnnprov.dataflow import recording
from dnnprov.errors import UsageError
from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.plan_file import read_plan
from dnnprov.model.events import DataflowDeclared
from recorded import column_of, events_of, rows_of

NUMERIC, TEXT = AttributeType.NUMERIC, AttributeType.TEXT


@pytest.fixture
def new_process(monkeypatch, exit_process):
    """Ends the runs and forgets what was declared, as another process does."""

    def begin():
        exit_process()
        monkeypatch.setattr(recording, "_recordings", {})

    return begin


def record(task, data_set, *values, **named):
    task.add_dataset(DataSet(data_set, [Element(list(values), **named)]))
    task.save()


def versions(store):
    """Version -> specification."""
    rows = rows_of(store, "SELECT version, specification FROM dataflow_version ORDER BY version")
    return {row["version"]: json.loads(row["specification"]) for row in rows}


def filters():
    return Transformation(
        "Filters",
        [
            Set("iFilters", SetType.INPUT, [Attribute("dataset_name", TEXT)]),
            Set("oFilters", SetType.OUTPUT, [Attribute("filter_name", TEXT)]),
        ],
    )


def train(dropout, accuracy, *, filter_name=None):
    """One training of the paper's story, with its filter or without."""
    before = None
    if filter_name:
        before = Task(1, "alexnet", "Filters")
        before.add_dataset(DataSet("iFilters", [Element(["17flowers"])]))
        before.begin()
        record(before, "oFilters", filter_name)
        before.end()
    training = Task(2, "alexnet", "Training", dependency=before)
    record(training, "iTrainingModel", "Adam", 0.002, 2, 8, dropout=dropout)
    for epoch in (1, 2):
        record(training, "oTrainingModel", "now", 20.0, 1 / epoch, accuracy / 2, 1.0, accuracy, epoch)
    training.end()
    testing = Task(3, "alexnet", "Testing", dependency=training)
    record(testing, "oTestingModel", 0.5, accuracy)
    testing.end()


def test_an_automatic_dataflow_has_the_activities_of_the_paper(store):
    Dataflow("alexnet", True).save()
    assert versions(store) == {
        1: {
            "Adaptation": {
                "after": {"Training": ["oTrainingModel"]},
                "generated": ["oAdaptation"],
                "used": ["iAdaptation", "oTrainingModel"],
            },
            "Testing": {"generated": ["oTestingModel"]},
            "Training": {"generated": ["oTrainingModel"], "used": ["iLayers", "iTrainingModel"]},
        }
    }


def test_the_story_of_the_gray_scale_filter(store, new_process):
    Dataflow("alexnet", True).save()
    train(0.4, 0.59)
    new_process()
    assert list(versions(store)) == [1]

    df = Dataflow("alexnet", True)
    df.add_transformation(filters())
    df.save()
    train(0.4, 0.37, filter_name="gray-scale")
    new_process()
    Dataflow("alexnet", True).save()
    train(0.7, 0.5)
    new_process()

    found = versions(store)
    assert list(found) == [1, 2]
    assert "Filters" not in found[1]
    assert found[2]["Filters"] == {
        "attributes": {"iFilters": {"dataset_name": "text"}, "oFilters": {"filter_name": "text"}},
        "generated": ["oFilters"],
        "used": ["iFilters"],
    }
    assert found[2]["Training"]["after"] == {"Filters": ["oFilters"]}
    followed = (
        "SELECT r.name, v.version FROM run AS r JOIN dataflow_version AS v USING (dataflow_version_id) ORDER BY 1"
    )
    assert [tuple(row.values()) for row in rows_of(store, followed)] == [
        ("alexnet-1", 1), ("alexnet-2", 2), ("alexnet-3", 2),
    ]  # fmt: skip
    with dnnprov.open() as history:
        assert history.ask("Q7", dropout=0.4) == [
            {"filter_name": "gray-scale", "num_runs": 1, "runs": "alexnet-2"},
            {"filter_name": "none", "num_runs": 1, "runs": "alexnet-1"},
        ]
        extremes = [(row["which"], row["run"], row["filter_name"], row["accuracy"]) for row in history.ask("Q8")]
        assert extremes == [("best", "alexnet-1", "none", 0.59), ("worst", "alexnet-2", "gray-scale", 0.37)]
        assert history.query("SELECT kind, detail FROM problem") == []


def test_within_one_run_each_plan_that_says_something_new_is_a_version(store):
    df = Dataflow("alexnet", True)
    df.save()
    df.save()
    train(0.4, 0.59)
    df.add_transformation(filters())
    df.save()
    train(0.4, 0.37, filter_name="gray-scale")
    assert list(versions(store)) == [1, 2]
    assert column_of(store, "SELECT COUNT(*) FROM run") == [1]


def test_the_same_plan_again_is_no_version(store, new_process):
    for _ in range(3):
        Dataflow("net", False, [filters()]).save()
        new_process()
    assert list(versions(store)) == [1]
    assert column_of(store, "SELECT COUNT(*) FROM data_transformation") == [1]


def test_an_attribute_added_later_is_a_version_and_takes_values_from_then_on(store, new_process):
    Dataflow("net", False, [filters()]).save()
    record(Task(1, "net", "Filters"), "oFilters", "gray-scale")
    new_process()
    grown = filters()
    grown.output[0].add_attribute(Attribute("strength", NUMERIC))
    Dataflow("net", False, [grown])
    task = Task(1, "net", "Filters")
    record(task, "oFilters", "blur", 0.5)
    grown.output[0].add_attribute(Attribute("seed", NUMERIC))  # while the task is under way
    record(task, "oFilters", "noise", 0.1, 7)
    found = versions(store)
    assert [list(one["Filters"]["attributes"]["oFilters"]) for one in found.values()] == [
        ["filter_name"],
        ["filter_name", "strength"],
        ["filter_name", "strength", "seed"],
    ]
    sql = "SELECT filter_name, strength, seed FROM ofilters ORDER BY element_id"
    assert [tuple(row.values()) for row in rows_of(store, sql)] == [
        ("gray-scale", None, None), ("blur", 0.5, None), ("noise", 0.1, 7),
    ]  # fmt: skip


def test_declared_sets_types_dependencies_and_programs_are_in_the_plan_s_tables(store):
    resize = Transformation("Resize", [Set("oResize", SetType.OUTPUT, [Attribute("image", AttributeType.FILE)])])
    crop = Transformation(
        "Crop",
        [
            Set("oResize", SetType.INPUT, dependency=resize),
            Set("oCrop", SetType.OUTPUT, [Attribute("left", NUMERIC), Attribute("note")]),
        ],
        programs=[Program("crop", "/usr/bin/crop"), Program("python", "crop.py")],
    )
    Dataflow("net", False, [resize, crop]).save()
    sql = (
        "SELECT p.tag AS previous, n.tag AS next, s.tag AS data_set FROM data_dependency AS d"
        " JOIN data_transformation AS p ON p.transformation_id = d.previous_transformation_id"
        " JOIN data_transformation AS n ON n.transformation_id = d.next_transformation_id "
        " JOIN data_set AS s USING (data_set_id)"
    )
    assert rows_of(store, sql) == [{"previous": "Resize", "next": "Crop", "data_set": "oResize"}]
    assert rows_of(
        store, "SELECT p.name, p.path FROM data_transformation AS t JOIN program AS p USING (program_id)"
    ) == [{"name": "crop", "path": "/usr/bin/crop"}]
    assert column_of(store, "SELECT path FROM program WHERE name = 'python'") == ["crop.py"]
    types = (
        "SELECT a.name, a.type FROM attribute AS a JOIN data_set AS s USING (data_set_id) WHERE s.tag = ? ORDER BY 1"
    )
    assert rows_of(store, types, ("oCrop",)) == [{"name": "left", "type": "number"}, {"name": "note", "type": "text"}]
    assert rows_of(store, types, ("oResize",)) == [{"name": "image", "type": "text"}]
    assert versions(store)[1]["Crop"]["programs"] == {"/usr/bin/crop": "crop", "crop.py": "python"}


def test_a_set_may_go_from_one_transformation_to_the_next_as_in_scripts_for_the_original(store, tmp_path):
    (tmp_path / "numbers").write_text("5 1")
    df = Dataflow("soma")
    tf1 = Transformation("ReadNumbers")
    tf1_input = Set("iReadNumbers", SetType.INPUT, [Attribute("SUM_FILE", AttributeType.FILE)])
    tf1_output = Set("oReadNumbers", SetType.OUTPUT, [Attribute("FIRST", NUMERIC), Attribute("SECOND", NUMERIC)])
    tf1.set_sets([tf1_input, tf1_output])
    df.add_transformation(tf1)
    tf2 = Transformation("Add")
    tf1_output.set_type(SetType.INPUT)
    tf1_output.dependency = tf1._tag
    tf2.set_sets([tf1_output, Set("oAdd", SetType.OUTPUT, [Attribute("RESULT", NUMERIC)])])
    df.add_transformation(tf2)
    df.save()
    t1 = Task(1, "soma", "ReadNumbers")
    t1.add_dataset(DataSet("iReadNumbers", [Element([str(tmp_path / "numbers")])]))
    t1.begin()
    t1.add_dataset(DataSet("oReadNumbers", [Element([5, 1])]))
    t1.end()
    t2 = Task(2, "soma", "Add", dependency=t1)
    t2.begin()
    t2.add_dataset(DataSet("oAdd", [Element([6])]))
    t2.end()
    assert versions(store)[1]["ReadNumbers"]["generated"] == ["oReadNumbers"]
    assert versions(store)[1]["Add"]["used"] == ["oReadNumbers"]
    assert versions(store)[1]["Add"]["after"] == {"ReadNumbers": ["oReadNumbers"]}
    assert rows_of(store, "SELECT first, second, relation FROM oreadnumbers") == [
        {"first": 5, "second": 1, "relation": "generated"}
    ]
    assert rows_of(store, "SELECT path, relation FROM file") == [
        {"path": str(tmp_path / "numbers"), "relation": "used"}
    ]
    assert rows_of(store, "SELECT kind, detail FROM problem") == []


# What the store remembers


def own_order():
    return Transformation(
        "Training",
        [Set("iTrainingModel", SetType.INPUT, [Attribute("LEARNING_RATE", NUMERIC), Attribute("OPTIMIZER_NAME")])],
    )


def test_the_order_declared_here_is_that_of_values_by_position(store):
    Dataflow("net", False, [own_order()])
    record(Task(1, "net", "Training"), "iTrainingModel", 0.1, "SGD")
    assert rows_of(store, "SELECT learning_rate, optimizer_name FROM itrainingmodel") == [
        {"learning_rate": 0.1, "optimizer_name": "SGD"}
    ]


@pytest.mark.parametrize("tag", ["net", "../../etc/passwd", "Ünïcode ✓", "a" * 300, "x.json", "con\n\0", "'; DROP--"])
def test_an_automatic_dataflow_takes_the_order_registered_for_its_tag(store, new_process, tag):
    Dataflow(tag, False, [own_order(), filters()]).save()
    new_process()
    with dnnprov.open() as history:  # takes it in, and leaves the plan in the store folder
        assert history.dataflows() == [tag]
    names = [path.name for path in (store / "dataflows").iterdir() if path.suffix == ".json"]
    assert len(names) == 1
    Dataflow(tag, True).save()
    record(Task(1, tag, "Training"), "iTrainingModel", 0.1, "SGD")
    record(Task(2, tag, "Filters"), "oFilters", "gray-scale")
    assert rows_of(store, "SELECT learning_rate, optimizer_name FROM itrainingmodel") == [
        {"learning_rate": 0.1, "optimizer_name": "SGD"}
    ]
    assert list(versions(store)) == [1]
    assert rows_of(store, "SELECT kind, detail FROM problem") == []


def test_tags_that_look_alike_have_plans_of_their_own(store, new_process):
    tags = ["Net", "net", "nét", "net ", "b" * 200, "b" * 201]
    for number, tag in enumerate(tags):
        Dataflow(tag, False, [Transformation(f"Step{number}")]).save()
        new_process()
    with dnnprov.open():
        pass
    column_of(store, "SELECT 1")
    for number, tag in enumerate(tags):
        assert [one.tag for one in read_plan(StoreFolder(store), tag).transformations] == [f"Step{number}"]


def test_attributes_that_are_all_new_come_after_those_of_the_paper(store):
    df = Dataflow("net", True)
    more = Set("iTrainingModel", SetType.INPUT, [Attribute("warmup", NUMERIC)])
    df.add_transformation(Transformation("Training", [more]))
    record(Task(1, "net", "Training"), "iTrainingModel", "SGD", 0.1, 3, 8, 5)
    assert rows_of(store, "SELECT optimizer_name, num_layers, warmup FROM itrainingmodel") == [
        {"optimizer_name": "SGD", "num_layers": 8, "warmup": 5}
    ]
    assert versions(store)[1]["Training"]["attributes"] == {"iTrainingModel": {"warmup": "numeric"}}


def test_a_plan_that_was_deleted_is_left_again_by_the_next_answer(store, new_process):
    Dataflow("net", False, [own_order()]).save()
    new_process()
    column_of(store, "SELECT 1")
    plan = StoreFolder(store).plan("net")
    content = plan.read_text()
    plan.unlink()
    column_of(store, "SELECT 1")
    assert plan.read_text() == content


def test_a_plan_is_written_only_where_it_changed(store, new_process):
    Dataflow("net", False, [own_order()]).save()
    column_of(store, "SELECT 1")
    plan = StoreFolder(store).plan("net")
    before = plan.stat()
    record(Task(1, "net", "Training"), "iTrainingModel", 0.1, "SGD")
    column_of(store, "SELECT 1")
    assert (plan.stat().st_ino, plan.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b'{"dataflow":"other","version":1,"transformations":[]}']
)
def test_a_plan_that_cannot_be_read_is_told_and_the_predefined_one_taken(store, new_process, content):
    plan = StoreFolder(store).plan("net")
    plan.parent.mkdir(parents=True)
    plan.write_bytes(content)
    with pytest.warns(RuntimeWarning, match="the plan of dataflow 'net' in the store"):
        Dataflow("net", True).save()
    assert "Training" in versions(store)[1]


def test_what_today_s_face_recorded_is_registered_too(store, new_process):
    with dnnprov.start_run("net") as run, run.task("Split") as split:
        split.generates("oSplit", size=80)
    column_of(store, "SELECT 1")
    Dataflow("net", True).save()
    assert not [one for one in events_of(store) if isinstance(one, DataflowDeclared)]
    with pytest.warns(RuntimeWarning, match="nobody declared"):  # recorded by name, so without an order
        record(Task(1, "net", "Split"), "oSplit", 20)
    assert column_of(store, "SELECT value_1 FROM osplit WHERE value_1 IS NOT NULL") == [20]


# Declarations that cannot be meant


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Attribute("", NUMERIC), "name='' is no name"),
        (
            lambda: Attribute("loss", "DOUBLE"),
            "type='DOUBLE' is no type of an attribute; expected AttributeType, one of TEXT",
        ),
        (lambda: Set("iX", "BOTH"), "type='BOTH' is no type of a set; expected SetType.INPUT or SetType.OUTPUT"),
        (lambda: Set("iX", SetType.INPUT, ["loss"]), "attribute='loss' is a str; expected an Attribute"),
        (lambda: Set("iX", SetType.INPUT, [], ["csv"]), "raw data are not extracted"),
        (lambda: Set("iX", SetType.INPUT, dependency=3), "dependency=3 is a int; expected the tag of a transformation"),
        (lambda: Transformation(3), "tag=3 is no name"),
        (lambda: Transformation("X", ["iX"]), "set='iX' is a str; expected a Set"),
        (lambda: Transformation("X", programs=["x.py"]), "program='x.py' is a str; expected a Program"),
        (lambda: Program("", "x.py"), "name='' is no name"),
        (lambda: Dataflow("net").add_transformation("X"), "transformation='X' is a str; expected a Transformation"),
    ],
)
def test_a_declaration_that_cannot_be_meant_raises_before_a_training(store, call, message):
    with pytest.raises(UsageError) as raised:
        call()
    assert message in str(raised.value)


def test_types_may_be_named(store):
    assert Attribute("loss", "numeric").type is NUMERIC
    assert Set("iX", "input").type is SetType.INPUT
    assert [one.tag for one in Dataflow("net", [filters()]).transformations] == ["Filters"]
    assert Dataflow("other", hyperparameters=True).recording.plan.is_automatic
