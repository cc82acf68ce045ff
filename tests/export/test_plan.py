"""The plan in PROV: versions, steps, data sets with their attributes, programs and dependencies."""

import sys

import pytest
from prov.model import ProvEntity, ProvInfluence, ProvMembership

import dnnprov
from dnnprov.export.plan_facts import Dependency, Plan, Transformation, Version, together
from dnnprov.export.plan_picture import plan_picture
from dnnprov.export.plan_reader import read_plan
from export.recordings import document_of, facts_of, record_paper_run
from prov_constraints import check


@pytest.fixture
def grown(store, monkeypatch):
    """The story of section 4: trained, then trained again with filters before."""
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with dnnprov.start_run("alexnet", store=store, name="plain") as run, run.task("Training") as training:
        training.log(epoch=1, loss=1.0)
    record_paper_run(store, name="filtered")
    return store


def things(prov, kind):
    """Local name -> entity, of those that have one of our types."""
    return {
        one.identifier.localpart: one
        for one in prov.get_records(ProvEntity)
        if f"dnnprov:{kind}" in {str(name) for name in one.get_asserted_types()}
    }


def values(record, name):
    return sorted(str(value) for key, value in record.attributes if str(key) == name)


def test_every_version_is_a_plan_with_the_steps_it_had(grown):
    prov = document_of(grown, dataflow="alexnet", part="plan")
    versions = things(prov, "Dataflow")
    assert {name: values(one, "dnnprov:version") for name, one in versions.items()} == {
        "version-1": ["1"],
        "version-2": ["2"],
    }
    assert "prov:Plan" in {str(kind) for kind in versions["version-1"].get_asserted_types()}
    members = [tuple(one.localpart for one in record.args) for record in prov.get_records(ProvMembership)]
    assert sorted(member for version, member in members if version == "version-1") == ["transformation-Training"]
    assert len([member for version, member in members if version == "version-2"]) == 4


def test_a_later_version_is_a_revision_of_the_one_before(grown):
    prov = document_of(grown, dataflow="alexnet", part="plan")
    (revision,) = [one for one in prov.records if one.get_type().localpart == "Derivation"]
    assert [one.localpart for one in revision.args[:2]] == ["version-2", "version-1"]
    assert {str(kind) for kind in revision.get_asserted_types()} == {"prov:Revision"}


def test_a_step_names_its_sets_and_the_script_it_was_seen_in(grown):
    prov = document_of(grown, dataflow="alexnet", part="plan")
    training = things(prov, "DataTransformation")["transformation-Training"]
    assert values(training, "dnnprov:uses") == ["set:iLayers", "set:iTrainingModel"]
    assert values(training, "dnnprov:generates") == ["set:oTrainingModel"]
    (program,) = things(prov, "Program").values()
    assert program.identifier.localpart == "program-train_x002E_py"
    assert values(training, "dnnprov:program") == [str(program.identifier)]


def test_a_data_set_has_its_attributes_with_their_types(grown):
    sets = things(document_of(grown, dataflow="alexnet", part="plan"), "DataSet")
    assert values(sets["oFilters"], "dnnprov:textAttribute") == ["data:filter_name"]
    assert "data:loss" in values(sets["oTrainingModel"], "dnnprov:numberAttribute")
    assert values(sets["oTrainingModel"], "dnnprov:integerAttribute") == ["data:epoch"]


def test_a_dependency_is_an_influence_and_names_the_set_between(grown):
    prov = document_of(grown, dataflow="alexnet", part="plan")
    found = {
        (*(one.localpart for one in record.args[:2]), *values(record, "dnnprov:dataSet"))
        for record in prov.get_records(ProvInfluence)
    }
    assert ("transformation-Training", "transformation-Filters", "set:oFilters") in found


def test_the_plan_of_a_run_is_the_version_that_it_followed(grown):
    plain = document_of(grown, "plain", part="plan")
    assert list(things(plain, "DataTransformation")) == ["transformation-Training"]
    assert list(things(plain, "Dataflow")) == ["version-1"]
    assert list(things(document_of(grown, "filtered", part="plan"), "Dataflow")) == ["version-2"]


def test_a_run_that_told_no_dataflow_has_no_plan(store):
    dnnprov.start_run("d", store=store, name="empty").finish()
    prov = document_of(store, "empty", part="plan")
    assert things(prov, "DataTransformation") == {}
    with dnnprov.open(store) as history:
        assert read_plan(history, "d").tag == "d"


def test_a_declared_plan_without_a_run_of_its_steps_is_exported(store):
    dataflow = dnnprov.Dataflow("declared")
    step = dnnprov.Transformation("Clean")
    step.set_sets(
        [
            dnnprov.Set("iClean", dnnprov.SetType.INPUT, [dnnprov.Attribute("photo", dnnprov.AttributeType.FILE)]),
            dnnprov.Set("oClean", dnnprov.SetType.OUTPUT, [dnnprov.Attribute("size", dnnprov.AttributeType.NUMERIC)]),
        ]
    )
    step.add_program(dnnprov.Program("cleaner", "/opt/clean.py"))
    dataflow.add_transformation(step)
    dataflow.save()
    prov = document_of(store, dataflow="declared", part="plan")
    assert values(things(prov, "DataSet")["iClean"], "dnnprov:fileAttribute") == ["data:photo"]
    (program,) = things(prov, "Program").values()
    assert (program.label, values(program, "dnnprov:path")) == ("cleaner", ["/opt/clean.py"])


def test_plans_of_one_dataflow_are_put_together_version_by_version():
    training, filters = Transformation("T", ("i",), ("o",)), Transformation("F", (), ("f",))
    first = Plan("d", (Version(1, (training,)),))
    second = Plan("d", (Version(2, (filters, Transformation("T", ("i", "f"), ("o",))), (Dependency("F", "T", "f"),)),))
    (both,) = together([second, first, second])
    assert [version.number for version in both.versions] == [1, 2]
    assert [(one.tag, one.uses) for one in both.transformations] == [("F", ()), ("T", ("f", "i"))]
    assert both.dependencies == (Dependency("F", "T", "f"),)


def test_the_picture_shows_steps_sets_attributes_and_what_each_version_brought(grown):
    with dnnprov.open(grown) as history:
        pic = plan_picture([read_plan(history, "alexnet")])
    titles = {node.key: (node.title, *node.lines[:1]) for node in pic.nodes}
    edges = {
        (*titles[edge.source][:1], edge.relation, titles[edge.target][-1 if edge.relation == "hadMember" else 0])
        for edge in pic.edges
    }
    assert {("Training", "uses", "iTrainingModel"), ("oFilters", "generates", "Filters")} <= edges
    assert ("Training", "dependsOn", "oFilters") in edges
    assert ("Training", "hadMember", "dataflow, version 1") in edges
    assert ("Filters", "hadMember", "dataflow, version 2") in edges
    assert ("alexnet", "wasRevisionOf", "alexnet") in edges
    (note,) = [note for note in pic.notes if titles[note.of][0] == "oFilters"]
    assert note.rows == (("filter_name", "text"),)
    assert pic.title == "alexnet, the plan"


def test_a_full_picture_of_the_plan_has_every_attribute(grown):
    with dnnprov.open(grown) as history:
        plan = read_plan(history, "alexnet")
    short, whole = (sum(len(note.rows) for note in plan_picture([plan], full=full).notes) for full in (False, True))
    assert whole == sum(len(one.attributes) for one in plan.data_sets) > short


def test_facts_of_a_run_hold_one_version_only(grown):
    plan = facts_of(grown, "filtered").plan
    assert (plan.version, len(plan.versions)) == (2, 1)
    assert check(document_of(grown, "filtered")) == []
