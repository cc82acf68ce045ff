"""Several runs in one document: a bundle each, what the bundles are, and what the runs share."""

import pytest
from prov.model import ProvActivity, ProvAssociation, ProvAttribution, ProvEntity, ProvGeneration

import dnnprov
from dnnprov.errors import DataflowNotFoundError, RunNotFoundError, UsageError
from dnnprov.export.formats import FORMATS
from dnnprov.export.prov_document import bundled_document
from export.recordings import (
    document_of,
    export_of,
    facts_of,
    labels,
    record_paper_run,
    segments,
    statements_of,
    write_segments,
)
from prov_constraints import check


@pytest.fixture
def three_runs(store):
    """Two runs with the plan of the paper, before them one without filters; and a run of another dataflow."""
    with dnnprov.start_run("alexnet", store=store, name="plain") as run, run.task("Training") as training:
        training.log(epoch=1, loss=1.0)
    record_paper_run(store, name="first", epochs=3, adapt_at=(2,))
    record_paper_run(store, name="second", epochs=3, adapt_at=(2,))
    with dnnprov.start_run("other", store=store, name="elsewhere") as run, run.task("Training") as training:
        training.log(epoch=1, loss=1.0)
    return store


def bundles(prov):
    """Bundles by the name of the run that is in them."""
    named = {}
    for bundle in prov.bundles:
        (run,) = [one for one in bundle.get_records(ProvActivity) if str(one.identifier).endswith(":run")]
        named[str(run.label)] = bundle
    return named


def test_each_run_has_a_bundle_with_what_its_own_document_says(three_runs):
    prov = document_of(three_runs, "first", "second")
    assert list(bundles(prov)) == ["first", "second"]
    for name, bundle in bundles(prov).items():
        alone = document_of(three_runs, name, part="runs")
        told = {key[1:] for key in statements_of(prov) if key[0] == bundle.identifier.uri}
        assert told == {key[1:] for key in statements_of(alone)}


def test_a_bundle_is_described_at_the_top(three_runs):
    prov = document_of(three_runs, "first", "second")
    for bundle in prov.bundles:
        (entity,) = [one for one in prov.get_records(ProvEntity) if one.identifier == bundle.identifier]
        assert {str(kind) for kind in entity.get_asserted_types()} == {"prov:Bundle", "dnnprov:RunProvenance"}
        run = bundle.identifier.namespace["run"]
        assert (bundle.identifier, run) in [one.args[:2] for one in prov.get_records(ProvGeneration)]
        (recorder,) = [one.args[1] for one in prov.get_records(ProvAttribution) if one.args[0] == bundle.identifier]
        assert recorder.localpart == f"software.dnnprov.{dnnprov.__version__}"
        (association,) = [one for one in prov.get_records(ProvAssociation) if one.args[0] == run]
        assert [str(one) for one in association.args[1:]] == [str(recorder), "dataflow:version-2"]


def test_a_dataflow_holds_all_of_its_runs_and_no_other(three_runs):
    prov = document_of(three_runs, dataflow="alexnet")
    assert list(bundles(prov)) == ["plain", "first", "second"]
    assert "other" not in labels(prov).values()
    assert "elsewhere" in bundles(document_of(three_runs, dataflow="other"))


def test_runs_of_two_dataflows_have_both_plans_at_the_top(three_runs):
    prov = document_of(three_runs, "first", "elsewhere")
    plans = [
        one for one in prov.get_records(ProvEntity) if "Dataflow" in {t.localpart for t in one.get_asserted_types()}
    ]
    assert sorted(str(one.label) for one in plans) == ["alexnet", "other"]


def test_what_happened_alone_has_no_plan_and_both_parts_together_are_the_whole(three_runs):
    whole, plan, runs = (document_of(three_runs, dataflow="alexnet", part=part) for part in ("all", "plan", "runs"))
    assert statements_of(whole) == statements_of(plan) + statements_of(runs)
    assert not list(plan.bundles)
    assert not list(plan.get_records(ProvActivity))


def test_a_run_named_twice_is_exported_once_and_as_it_is(three_runs):
    prov = document_of(three_runs, "first", "first")
    assert not list(prov.bundles)
    assert prov == document_of(three_runs, "first")


def test_a_file_that_one_run_made_and_another_used_is_the_same_thing_in_both_bundles(three_runs, tmp_path):
    with dnnprov.start_run("alexnet", store=three_runs, name="tuned") as run, run.task("Training") as training:
        training.uses_file(tmp_path / "model.keras", role="weights")
    prov = document_of(three_runs, "second", "tuned")
    made, used = (
        {one.identifier.uri for one in bundle.get_records(ProvEntity) if one.label == "model.keras"}
        for bundle in bundles(prov).values()
    )
    assert len(made & used) == 1


def test_a_format_without_bundles_names_those_that_have_them(three_runs):
    with pytest.raises(UsageError, match="turtle carries no bundles.*provn, json, xml, trig, jsonld"):
        export_of(three_runs, "turtle", "first", "second")
    assert document_of(three_runs, "first", format_name="turtle") == document_of(three_runs, "first")
    assert document_of(three_runs, dataflow="alexnet", part="plan", format_name="turtle")


@pytest.mark.parametrize("format_name", FORMATS)
def test_live_runs_are_exported_together_in_every_format(store, format_name):
    runs = [dnnprov.start_run("d", store=store) for _ in range(2)]
    runs[0].task("Training").log(epoch=1, loss=float("nan"))
    if FORMATS[format_name].carries_bundles:
        assert len(export_of(store, format_name, dataflow="d")) > 1000
    for run in runs:
        run.finish()


def test_what_is_not_there_is_said(three_runs):
    with pytest.raises(RunNotFoundError):
        export_of(three_runs, "json", "first", "nobody")
    with pytest.raises(DataflowNotFoundError):
        export_of(three_runs, "json", dataflow="vgg")
    with pytest.raises(UsageError, match="part='half'"):
        export_of(three_runs, "json", "first", part="half")
    with pytest.raises(UsageError, match="name a run, or a dataflow"):
        export_of(three_runs, "json")


@pytest.mark.slow
def test_two_runs_are_valid_after_every_event_of_the_second(store, tmp_path):
    first = record_paper_run(store, epochs=2, adapt_at=(2,))
    second = record_paper_run(store, epochs=2, adapt_at=(2,))
    (whole, lines), (grown, more) = sorted(segments(store).items(), key=lambda one: one[0].parts[0] != first.uid)
    for end in range(1, len(more) + 1, 2):
        cut = write_segments(tmp_path / "cut", {whole: lines, grown: more[:end]})
        facts = [facts_of(cut, run.uid) for run in (first, second)]
        assert check(bundled_document(facts, [one.plan for one in facts[:1]])) == [], f"after {end} events"


@pytest.mark.parametrize("format_name", ["json", "xml", "trig", "jsonld"])
def test_a_data_set_of_two_dataflows_is_stated_once(three_runs, format_name):
    prov = document_of(three_runs, "first", "elsewhere", format_name=format_name)
    sets = [
        one for one in prov.get_records(ProvEntity) if "DataSet" in {str(t.localpart) for t in one.get_asserted_types()}
    ]
    stated = [one.identifier.localpart for one in sets]
    assert "oTrainingModel" in stated
    assert len(stated) == len(set(stated))
    assert statements_of(prov) == statements_of(document_of(three_runs, "first", "elsewhere"))
