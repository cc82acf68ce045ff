"""Long runs folded for a page, without losing what matters, and still valid PROV."""

import pytest

import dnnprov
from dnnprov.export.folding import folded
from dnnprov.export.prov_document import prov_document
from export.recordings import (
    attributes,
    facts_of,
    labels,
    named,
    record_paper_run,
    record_two_techniques,
    statements,
    times_outside,
)
from prov_constraints import check


def steps(facts):
    (line,) = facts.timelines
    return [step.label or step.epoch for step in line.steps]


def test_a_short_run_is_left_as_it_is(store):
    record_paper_run(store, epochs=3, adapt_at=(2,))
    facts = facts_of(store)
    assert folded(facts).timelines == facts.timelines


def test_epochs_between_adaptations_become_phases(store):
    record_paper_run(store, epochs=40, adapt_at=(10, 30))
    short = folded(facts_of(store))
    assert steps(short) == ["epochs 1-9", 10, "epochs 10-29", 30, "epochs 30-40"]
    phase = short.timelines[0].steps[2]
    assert (phase.first["loss"], phase.values["loss"], phase.num_rows) == (3 / 10, 3 / 29, 20)
    assert phase.best["accuracy"] == 1 - 1 / 29


def test_the_best_of_a_phase_is_the_lowest_loss_and_the_highest_accuracy_and_never_nan(store):
    values = [(2.0, 0.1), (0.5, 0.9), (float("nan"), 0.3), (1.0, 0.4), (1.1, 0.4), (1.2, 0.4), (1.3, 0.4)]
    with dnnprov.start_run("d", store=store) as run, run.task("Training") as training:
        for number, (loss, accuracy) in enumerate(values, 1):
            training.log(epoch=number, loss=loss, val_accuracy=accuracy)
    (phase,) = folded(facts_of(store)).timelines[0].steps
    assert phase.best == {"loss": 0.5, "val_accuracy": 0.9}


def test_an_adaptation_at_every_epoch_still_makes_few_steps(store):
    record_paper_run(store, epochs=100, adapt_at=range(2, 101))
    assert steps(folded(facts_of(store))) == [1, "98 adaptations", "epochs 2-99", 100, 100]


def test_many_changes_between_two_epochs_are_one_from_the_first_to_the_last_value(store):
    with dnnprov.start_run("d", store=store, params={"learning_rate": 8.0}) as run:
        with run.task("Training") as training:
            training.log(epoch=1, loss=1.0)
            for n in range(9):
                run.adapt(dnnprov.Change("learning_rate", 8.0 - n, 7.0 - n, epoch=2, step=n, technique="OneCycle"))
            training.log(epoch=2, loss=0.5)
    change = folded(facts_of(store)).timelines[0].steps[1]
    assert (change.values["old_value"], change.values["new_value"], change.num_rows) == (8.0, -1.0, 9)


def test_adaptations_of_two_techniques_stay_with_the_one_that_made_them(store):
    record_two_techniques(store)
    short = folded(facts_of(store))
    assert steps(short) == ["epochs 1-10", "2 adaptations", "2 adaptations", "epochs 11-30", 31, "epochs 31-40"]
    prov = prov_document(short)
    assert (check(prov), times_outside(prov)) == ([], [])
    agents = dict(statements(prov, "Association"))
    makers = {}
    for effect, activity in statements(prov, "Generation"):
        if effect in agents or labels(prov)[activity] == "Adaptation":
            makers.setdefault(agents[activity], []).append(labels(prov)[effect])
    assert sorted((agent, len(made)) for agent, made in makers.items()) == [
        ("adapting.LearningRateScheduler", 2),
        ("adapting.ReduceLROnPlateau", 1),
    ]
    of_schedule, of_plateau = (step.values for step in short.timelines[0].steps[1:3])
    assert (of_schedule["technique"], of_plateau["technique"]) == ("LearningRateScheduler", "ReduceLROnPlateau")
    assert "triggered_by" not in of_schedule
    assert (of_plateau["reason"], "triggered_by" in of_plateau) == ("flat", False)


def test_a_change_that_another_technique_had_a_part_in_is_not_told_from_its_beginning(store):
    record_two_techniques(store)
    of_schedule = folded(facts_of(store)).timelines[0].steps[1]
    assert (of_schedule.values["new_value"], "old_value" in of_schedule.values) == (0.1 / 8, False)


def test_techniques_of_folded_tasks_are_not_told_as_one_and_keep_their_agents(store):
    with dnnprov.start_run("folds", store=store, params={"learning_rate": 0.4}) as run:
        for _ in range(8):
            with run.task("Training") as training:
                training.log(epoch=1, loss=1.0)
                for rate, technique in ((0.4, "Halved"), (0.2, "Plateau")):
                    run.adapt(
                        dnnprov.Change("learning_rate", rate, rate / 2, epoch=2, technique=technique, agent="callback"),
                        training,
                    )
                training.log(epoch=2, loss=0.5)
    short = folded(facts_of(store))
    changes = [step for step in short.timelines[0].steps if step.table == "oadaptation"]
    assert [(change.num_rows, "technique" in change.values) for change in changes] == [(16, False)]
    associated = {cause for effect, cause in named(prov_document(short), "Association") if "Adaptation" in effect}
    assert associated == {"Halved", "Plateau"}


def test_a_file_that_is_written_again_and_again_is_one_file_of_its_last_size(store, tmp_path):
    with dnnprov.start_run("d", store=store) as run, run.task("Training") as training:
        for n in range(1, 5):
            (tmp_path / "best.keras").write_bytes(b"x" * n)
            training.generates_file(tmp_path / "best.keras", role="checkpoint")
    short = folded(facts_of(store))
    (file,) = short.files
    assert (file.num_files, file.num_versions, file.size) == (1, 4, 4)
    told = attributes(prov_document(short), "best.keras")
    assert (told["dnnprov:numVersions"], told["dnnprov:sizeBytes"]) == (4, 4)


def test_folded_files_count_each_path_once(store, tmp_path):
    with dnnprov.start_run("d", store=store) as run, run.task("Training") as training:
        for name, size in (("a", 1), ("b", 10), ("a", 2)):
            (tmp_path / name).write_bytes(b"x" * size)
            training.generates_file(tmp_path / name, role="checkpoint")
    (file,) = folded(facts_of(store)).files
    assert (file.num_files, file.num_versions, file.size) == (2, 3, 12)


def test_many_rows_files_and_series_become_one_that_says_how_many(store, tmp_path):
    with dnnprov.start_run("d", store=store) as run, run.task("Split") as split:
        for n in range(10):
            split.generates("oSplit", part=n)
            (tmp_path / f"{n}.npz").write_bytes(b"12345")
            split.generates_file(tmp_path / f"{n}.npz", role="data")
            run.log(**{f"m{n}": n})
    short = folded(facts_of(store))
    assert [element.label for element in short.elements] == ["10 rows of oSplit"]
    assert [(file.num_files, file.size) for file in short.files] == [(10, 50)]
    assert [series.name for series in short.series] == ["10 metrics"]


@pytest.mark.parametrize("num_trainings", [3, 30])
def test_many_tasks_are_folded_by_transformation(store, num_trainings):
    with dnnprov.start_run("folds", store=store, params={"learning_rate": 0.1}) as run:
        for _ in range(num_trainings):
            with run.task("Training") as training:
                for epoch in (1, 2, 3):
                    training.log(epoch=epoch, loss=1 / epoch)
                    run.adapt(dnnprov.Change("learning_rate", 0.1, 0.05, epoch=epoch + 1, technique=f"T{epoch}"))
            with run.task("Testing", after=training) as testing:
                testing.log(accuracy=0.5)
    short = folded(facts_of(store))
    prov = prov_document(short)
    assert check(prov) == []
    assert len(labels(prov)) < 60
    trainings = [task for task in short.tasks if task.is_training]
    assert sum(task.num_tasks for task in trainings) == num_trainings


def test_a_folded_run_states_the_same_relations_between_fewer_things(store):
    record_paper_run(store, epochs=40, adapt_at=(10, 30))
    prov = prov_document(folded(facts_of(store)))
    assert check(prov) == []
    assert ("epochs 10-29", "learning_rate 0.002 -> 0.001") in named(prov, "Derivation")
    assert ("Adaptation", "epochs 1-9") in named(prov, "Usage")
    assert attributes(prov, "epochs 1-9")["dnnprov:numRows"] == 9


def adapt_every_epoch(store, changed_at=(), epochs=12):
    """The paper's Fig. 5: a row of oAdaptation at every epoch, whether the value changed or not."""
    with dnnprov.start_run("d", store=store) as run, run.task("Training") as training:
        rate = 0.8
        for epoch in range(1, epochs + 1):
            new = rate / 2 if epoch in changed_at else rate
            run.adapt(dnnprov.Change("learning_rate", rate, new, epoch=epoch, technique="Step"), training)
            rate = new
            training.log(epoch=epoch, loss=1 / epoch)
    return folded(facts_of(store))


def test_only_changes_divide_a_training_into_phases(store):
    short = adapt_every_epoch(store, changed_at=(5, 9))
    labels_of = [(step.label, step.num_rows, step.num_changes) for step in short.timelines[0].steps]
    assert labels_of == [
        ("epochs 1-4", 4, 0), (None, 5, 1), ("epochs 5-8", 4, 0), (None, 7, 1), ("epochs 9-12", 4, 0),
    ]  # fmt: skip
    assert [step.values.get("new_value") for step in short.timelines[0].steps[1::2]] == [0.4, 0.2]
    prov = prov_document(short)
    assert (check(prov), times_outside(prov)) == ([], [])
    told = attributes(prov, "learning_rate 0.8 -> 0.4")
    assert (told["dnnprov:numRows"], told["dnnprov:numAdaptations"], told["data:epoch"]) == (5, 1, 5)


def test_rows_without_any_change_are_no_adaptations(store):
    short = adapt_every_epoch(store)
    assert steps(short) == ["12 rows, no change", "epochs 1-12"]
    prov = prov_document(short)
    assert (check(prov), times_outside(prov)) == ([], [])
    assert attributes(prov, "12 rows, no change")["dnnprov:numAdaptations"] == 0


def test_several_filters_in_one_keep_their_names(store):
    with dnnprov.start_run("d", store=store) as run, run.task("Filters") as filters:
        for name in ("Rescaling", "gray-scale", "Rescaling", "flip"):
            filters.generates("oFilters", filter_name=name)
    (element,) = folded(facts_of(store)).elements
    assert (element.label, element.values) == ("4 rows of oFilters", {"filter_name": "Rescaling, gray-scale, flip"})
