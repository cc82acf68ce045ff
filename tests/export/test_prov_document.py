"""What a run's document states, and that it is valid at every moment."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from prov.model import ProvActivity, ProvAssociation, ProvGeneration

import dnnprov
from dnnprov.export.arranging import picture
from dnnprov.export.contents import Part
from dnnprov.export.folding import folded
from dnnprov.export.prov_document import bundled_document, prov_document
from dnnprov.export.prov_names import moment
from export.recordings import (
    DOCUMENTS,
    attributes,
    document,
    exported,
    facts_of,
    labels,
    named,
    record_paper_run,
    segments,
    statements,
    times_outside,
    write_segments,
)
from prov_constraints import check


@pytest.fixture
def paper_run(store):
    record_paper_run(store, name="paper")
    return document(store)


def test_a_finished_run_is_valid_and_says_so(paper_run):
    assert check(paper_run) == []
    run = attributes(paper_run, "paper")
    assert run["dnnprov:status"] == "finished"


def test_tasks_are_started_by_the_run_and_informed_by_those_they_depend_on(paper_run):
    assert set(named(paper_run, "Start")) == {
        (task, "paper") for task in ("Filters", "Training", "Adaptation", "Testing")
    }
    assert set(named(paper_run, "Communication")) == {
        ("Training", "Filters"),
        ("Adaptation", "Training"),
        ("Testing", "Training"),
    }


def test_training_used_hyperparameters_layers_filters_and_adaptations(paper_run):
    used = {cause for effect, cause in named(paper_run, "Usage") if effect == "Training"}
    assert used == {
        "iTrainingModel",
        "2 layers",
        "oFilters",
        "learning_rate 0.002 -> 0.001",
        "learning_rate 0.001 -> 0.0005",
    }


def test_training_generated_every_epoch_and_the_model_file(paper_run):
    generated = [effect for effect, cause in named(paper_run, "Generation") if cause == "Training"]
    assert sorted(generated) == [*(f"epoch {n}" for n in range(1, 7)), "model.keras"]


def test_an_adaptation_used_the_epoch_before_it_and_the_next_epoch_derives_from_it(paper_run):
    used = {cause for effect, cause in named(paper_run, "Usage") if effect == "Adaptation"}
    assert used == {"iAdaptation", "epoch 2", "epoch 4"}
    derived = named(paper_run, "Derivation")
    assert ("epoch 3", "learning_rate 0.002 -> 0.001") in derived
    assert ("learning_rate 0.002 -> 0.001", "epoch 2") in derived
    assert ("epoch 3", "epoch 2") in derived
    assert ("epoch 5", "learning_rate 0.002 -> 0.001") not in derived


def test_the_callback_that_adapted_is_associated_with_the_adaptation(paper_run):
    assert ("Adaptation", "LearningRateScheduler") in named(paper_run, "Association")


def test_the_agent_of_an_adaptation_is_a_person_of_the_run_or_the_technique(store):
    with dnnprov.start_run("d", store=store, params={"learning_rate": 0.1}) as run:
        with run.task("Training") as training:
            training.log(epoch=1, loss=1.0)
            for agent, technique in (("person", "manual"), ("callback", "ReduceLROnPlateau"), (None, "Other")):
                run.adapt(dnnprov.Change("learning_rate", 0.1, 0.05, technique=technique, agent=agent))
    prov = document(store)
    assert check(prov) == []
    agents = [cause for effect, cause in statements(prov, "Association") if labels(prov)[effect] == "Adaptation"]
    technique, person = sorted(agents)
    assert technique == "adapting.ReduceLROnPlateau"
    assert person.startswith("person.")


def test_testing_used_the_model_that_was_there_and_generated_its_results(paper_run):
    assert [cause for effect, cause in named(paper_run, "Usage") if effect == "Testing"] == ["model.keras"]
    assert ("oTestingModel", "Testing") in named(paper_run, "Generation")


def test_a_model_file_that_came_after_the_test_was_not_used_by_it(store, tmp_path):
    late = tmp_path / "late.keras"
    late.write_bytes(b"x")
    with dnnprov.start_run("d", store=store) as run:
        with run.task("Testing") as testing:
            testing.log(accuracy=0.5)
        run.add_file(late, role="model")
    prov = document(store)
    assert [cause for effect, cause in named(prov, "Usage") if effect == "Testing"] == []
    assert ("late.keras", "d-1") in named(prov, "Generation")


def test_a_checkpoint_is_not_taken_for_the_model_that_was_tested(store, tmp_path):
    (tmp_path / "best.keras").write_bytes(b"x")
    with dnnprov.start_run("d", store=store) as run:
        with run.task("Training") as training:
            training.log(epoch=1, loss=1.0)
            training.generates_file(tmp_path / "best.keras", role="checkpoint")
        with run.task("Testing", after=training) as testing:
            testing.log(accuracy=0.5)
    prov = document(store)
    assert [cause for effect, cause in named(prov, "Usage") if effect == "Testing"] == []
    assert ("best.keras", "Training") in named(prov, "Generation")


def test_a_file_told_after_its_task_had_ended_was_generated_by_it_at_no_stated_time(store, tmp_path):
    (tmp_path / "net.keras").write_bytes(b"x")
    with dnnprov.start_run("d", store=store) as run:
        with run.task("Training") as training:
            training.log(epoch=1, loss=1.0)
        training.generates_file(tmp_path / "net.keras", role="model")
    prov = document(store)
    assert ("net.keras", "Training") in named(prov, "Generation")
    times = {str(r.args[0]).split("-")[0]: r.args[2] for r in prov.get_records(ProvGeneration)}
    assert times["run:file"] is None
    assert times["run:element"] is not None


def test_a_time_without_zone_is_told_as_one_in_utc():
    assert str(moment("2026-01-02T03:04:05")) == "2026-01-02 03:04:05+00:00"
    assert moment("yesterday") is None


def test_agents_follow_the_plan_and_software_acts_for_the_person(paper_run):
    associations = [r for r in paper_run.get_records() if r.get_type().localpart == "Association"]
    of_run = [dict(r.formal_attributes) for r in associations if str(r.args[0]) == "run:run"]
    kinds = {str(r.args[1]).split(":")[1].split(".")[0] for r in associations if str(r.args[0]) == "run:run"}
    assert kinds == {"person", "software", "machine"}
    assert {str(values["plan"]) for values in ({k.localpart: v for k, v in one.items()} for one in of_run)} == {
        "dataflow:version-1"
    }
    delegations = statements(paper_run, "Delegation")  # frameworks that other tests loaded act for the person too
    assert any("dnnprov" in delegate for delegate, *_ in delegations)
    assert {delegate.partition(".")[0] for delegate, *_ in delegations} == {"software"}
    assert {responsible.partition(".")[0] for _, responsible, *_ in delegations} == {"person"}


def test_the_plan_has_the_transformations_and_each_task_names_its_own(paper_run):
    members = {cause for effect, cause in named(paper_run, "Membership") if effect == "alexnet"}
    assert members == {"Filters", "Training", "Adaptation", "Testing"}
    for task in paper_run.get_records(ProvActivity):
        for name, value in task.attributes:
            if name.localpart == "transformation":
                assert value.localpart == f"transformation-{task.label}"


def test_layers_are_members_of_their_list(paper_run):
    assert named(paper_run, "Membership").count(("2 layers", "iLayers")) == 2


def test_series_of_metrics_stand_as_one_entity_with_their_sums(paper_run):
    series = attributes(paper_run, "batch_loss")
    assert series["dnnprov:numValues"] == 6
    assert series["dnnprov:last"] == pytest.approx(4 / 6)


def test_identifiers_are_the_same_after_the_database_was_made_anew(store):
    record_paper_run(store, name="first")
    record_paper_run(store, name="second")
    before = exported(store, "provn", "second")
    for path in Path(store).glob("provenance.db*"):
        path.unlink()
    assert exported(store, "provn", "second") == before


@pytest.mark.slow
def test_every_prefix_of_a_journal_is_valid_and_round_trips(store, tmp_path):
    run = record_paper_run(store, epochs=3, adapt_at=(2,))
    ((path, lines),) = segments(store).items()
    names = set()
    for end in range(2, len(lines) + 1):
        cut = write_segments(tmp_path / "cut", {path: lines[:end]})
        prov = document(cut, run.uid)
        assert check(prov) == [], f"after {end} events"
        short = prov_document(folded(facts_of(cut, run.uid)))
        assert (check(short), times_outside(short)) == ([], []), f"folded, after {end} events"
        facts = facts_of(cut, run.uid)
        assert [check(prov_document(facts, part)) for part in Part] == [[], [], []], f"parts, after {end} events"
        assert check(bundled_document([facts], [facts.plan] if facts.plan else [])) == [], (
            f"bundled, after {end} events"
        )
        for format_name in DOCUMENTS:
            assert document(cut, run.uid, format_name) == prov, f"{format_name}, after {end} events"
        names |= set(labels(prov))
        status = attributes(prov, run.name)["dnnprov:status"]
        assert status == ("finished" if b"RunEnded" in b"".join(lines[:end]) else "running")
    assert len(names) > 15


def test_a_rank_heard_before_the_run_is_valid(store, tmp_path):
    run = record_paper_run(store)
    ((path, lines),) = segments(store).items()
    header = json.loads(lines[0])
    rank = [
        {**header, "process": "r1-x", "rank": 1, "pid": header["pid"]},
        {"event": "TaskBegan", "seq": 1, "at": header["at"], "tag": "Training"},
        {"event": "ElementsRecorded", "seq": 2, "at": header["at"], "set": "oTrainingModel", "relation": "generated",
         "rows": [{"epoch": 1, "loss": 2.0}], "task": 1},
    ]  # fmt: skip
    second = {Path(path.parent, "r1-x.jsonl"): [json.dumps(event).encode() + b"\n" for event in rank]}
    alone = document(write_segments(tmp_path / "alone", second), run.uid)
    assert check(alone) == []
    assert named(alone, "Generation") == [("epoch 1", "Training")]
    both = document(write_segments(tmp_path / "both", {path: lines, **second}), run.uid)
    assert check(both) == []
    assert [cause for _, cause in named(both, "Generation")].count("Training") == 6 + 1 + 1


CRASHING = """
import os, sys, dnnprov
run = dnnprov.start_run("alexnet", params={"learning_rate": 0.1}, name="crashing")
training = run.task("Training")
for epoch in (1, 2):
    training.log(epoch=epoch, loss=float("nan"))
run.adapt(dnnprov.Change("learning_rate", 0.1, 0.01, epoch=3))
os._exit(9)
"""


def test_a_crashed_run_is_valid_and_says_why(store):
    subprocess.run([sys.executable, "-c", CRASHING], check=False)
    prov = document(store)
    assert check(prov) == []
    run = attributes(prov, "crashing")
    assert run["dnnprov:status"] == "crashed"
    assert "without a word" in run["dnnprov:exitReason"]
    assert ("epoch 2", "epoch 1") in named(prov, "Derivation")


def test_a_run_cut_off_before_its_environment_was_told_still_had_its_plan(store, tmp_path):
    run = record_paper_run(store)
    ((path, lines),) = segments(store).items()
    kept = [line for line in lines if json.loads(line).get("event") != "EnvironmentRecorded"]
    assert len(kept) < len(lines)
    cut = write_segments(tmp_path / "cut", {path: kept})
    for format_name in DOCUMENTS:
        prov = document(cut, run.uid, format_name)
        assert check(prov) == []
        (of_run,) = [r for r in prov.get_records(ProvAssociation) if str(r.args[0]) == "run:run"]
        assert [str(value) for value in of_run.args[1:3]] == ["None", "dataflow:version-1"]
    assert ("run:run", "hadPlan") in {(edge.source, edge.relation) for edge in picture(prov).edges}


@pytest.mark.parametrize(("value", "text"), [(math.nan, "NaN"), (math.inf, "INF"), (-math.inf, "-INF")])
def test_numbers_that_are_not_finite_are_doubles_in_each_format(store, value, text):
    with dnnprov.start_run("d", store=store) as run, run.task("Training") as training:
        training.log(epoch=1, loss=value)
    assert f'data:loss="{text}" %% xsd:double' in exported(store, "provn").decode()
    assert {"$": text, "type": "xsd:double"} in [
        one.get("data:loss") for one in json.loads(exported(store, "json"))["entity"].values()
    ]
    for format_name in DOCUMENTS:
        found = attributes(document(store, format_name=format_name), "epoch 1")["data:loss"]
        assert found == value or (math.isnan(value) and math.isnan(found))


def test_values_keep_their_type_and_size(store):
    values = {"flag": True, "big": 2**60, "huge": 2**70, "text": "a\n\"b\" \\ 'c'\r\t\u2028", "long": "x" * 1_000_000}
    with dnnprov.start_run("d", store=store) as run, run.task("Split") as split:
        split.generates("oSplit", **values)
    for format_name in DOCUMENTS:
        found = attributes(document(store, format_name=format_name), "oSplit")
        assert {name: found[f"data:{name}"] for name in values} == {**values, "huge": str(2**70)}


def test_a_value_that_did_not_fit_its_column_stands_under_its_own_name(store):
    with dnnprov.start_run("d", store=store) as run, run.task("Training") as training:
        training.log(epoch=1, loss=0.5)
        training.log(epoch=2, loss="lost")
    assert attributes(document(store), "epoch 2")["data:loss"] == "lost"


def test_attributes_beyond_the_columns_of_a_table_are_there(store):
    with dnnprov.start_run("d", store=store) as run, run.task("Wide") as wide:
        wide.generates("oWide", **{f"a{n}": n for n in range(450)})
    found = attributes(document(store), "oWide")
    assert [found[f"data:a{n}"] for n in range(450)] == list(range(450))


def test_several_trainings_keep_their_epochs_apart(store):
    with dnnprov.start_run("folds", store=store, params={"learning_rate": 0.1}) as run:
        for fold in (1, 2):
            with run.task("Training") as training:
                for epoch in (1, 2):
                    training.log(epoch=epoch, loss=fold / epoch)
                    run.adapt(dnnprov.Change("learning_rate", 0.1, 0.1 / fold, epoch=epoch + 1))
    prov = document(store)
    assert check(prov) == []
    used = [cause for effect, cause in statements(prov, "Usage") if labels(prov)[effect] == "Training"]
    assert sum(labels(prov)[cause] == "iTrainingModel" for cause in used) == 2
    derived = [pair for pair in statements(prov, "Derivation") if labels(prov)[pair[1]] == "epoch 1"]
    maker = dict(statements(prov, "Generation"))
    for effect, cause in derived:
        if labels(prov)[effect] == "epoch 2":
            assert maker[effect] == maker[cause]


def test_a_file_of_another_run_is_named_as_what_it_derives_from(store, tmp_path):
    record_paper_run(store, name="first")
    with dnnprov.start_run("tune", store=store) as run, run.task("Training") as training:
        training.uses_file(tmp_path / "model.keras", role="weights")
    prov = document(store)
    assert check(prov) == []
    ((effect, cause),) = [
        (str(r.args[0]), str(r.args[1])) for r in prov.get_records() if r.get_type().localpart == "Derivation"
    ]
    assert effect.startswith("run:file-")
    assert cause.startswith("run2:file-")
    assert "run2:" in [str(r.args[1])[:5] for r in prov.get_records() if r.get_type().localpart == "Generation"]
    first = document(store, "first")
    (model,) = [r for r in first.get_records() if r.is_element() and r.label == "model.keras"]
    (same,) = [r for r in prov.get_records() if r.is_element() and str(r.identifier) == cause]
    assert model.identifier.uri == same.identifier.uri


def test_a_run_of_another_is_started_by_it(store):
    with dnnprov.start_run("study", store=store, name="parent") as parent:
        dnnprov.start_run("study", store=store, name="child", parent=parent).finish()
    prov = document(store, "child")
    assert check(prov) == []
    assert ("child", "parent") in [(labels_of(prov)[a], labels_of(prov)[b]) for a, b in starts(prov)]


def labels_of(prov):
    return {str(record.identifier): str(record.label) for record in prov.get_records() if record.is_element()}


def starts(prov):
    return [(str(r.args[0]), str(r.args[2])) for r in prov.get_records() if r.get_type().localpart == "Start"]
