"""The framework-neutral steps, with plain values and no framework."""

from __future__ import annotations

import gc
import math
import weakref
from dataclasses import dataclass

import pytest

import dnnprov
from dnnprov.errors import UsageError
from dnnprov.integrations.metric_names import flat
from dnnprov.integrations.run_choice import RunChoice
from dnnprov.integrations.technique import BY_HAND, Technique
from dnnprov.integrations.training_steps import TrainingSteps
from dnnprov.model.events import (
    ElementsRecorded,
    HyperparameterAdapted,
    ParametersSet,
    ProblemRecorded,
    RunEnded,
    RunStarted,
    TaskBegan,
    TaskEnded,
)


class Network:
    """Something that trains, as far as the steps know."""


def plateau():
    return Technique("Plateau", {"patience": 2}, "callback", triggered_by="loss=0.5")


def train(steps, rates, model=None, layers=list):
    """One epoch for each rate; a rate that differs from the one before is set between the epochs."""
    steps.begin_training({"learning_rate": rates[0], "optimizer_name": "SGD"}, model, layers)
    for epoch, rate in enumerate(rates, start=1):
        steps.see({"learning_rate": rate}, plateau)
        steps.begin_epoch(epoch)
        steps.end_epoch(epoch, {"loss": 1 / epoch})
    steps.end_training()


@pytest.fixture
def steps(store):
    return TrainingSteps(RunChoice("net"))


def test_a_training_has_its_hyperparameters_layers_and_one_row_an_epoch(steps, recorded):
    train(steps, [0.1, 0.1], Network(), lambda: [{"position": 1, "type": "Dense"}])
    steps.finish()
    assert recorded.parameters() == {"learning_rate": 0.1, "optimizer_name": "SGD"}
    assert recorded.rows("iLayers") == [{"position": 1, "type": "Dense"}]
    rows = recorded.rows("oTrainingModel")
    assert [(row["epoch"], row["loss"]) for row in rows] == [(1, 1.0), (2, 0.5)]
    assert all(0 <= row["elapsed_time"] < 10 and row["timestamp"].endswith("Z") for row in rows)
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]


def test_a_change_belongs_to_the_first_epoch_that_trains_with_the_new_value(steps, recorded):
    train(steps, [0.1, 0.1, 0.01])
    (event,) = recorded.events(HyperparameterAdapted)
    assert (event.epoch, event.old_value, event.new_value) == (3, 0.1, 0.01)
    assert (event.technique, event.agent, event.triggered_by) == ("Plateau", "callback", "loss=0.5")
    assert recorded.rows("iAdaptation") == [{"patience": 2, "technique": "Plateau"}]


def test_a_change_within_an_epoch_belongs_to_that_epoch(steps, recorded):
    steps.begin_training({"learning_rate": 0.1})
    steps.begin_epoch(1)
    steps.see({"learning_rate": 0.2}, plateau)
    steps.end_epoch(1, {})
    assert recorded.adaptations() == [(1, "Plateau", 0.1, 0.2)]


def test_a_change_after_the_last_epoch_belongs_to_the_next_training(steps, recorded):
    network = Network()
    train(steps, [0.1], network)
    steps.see({"learning_rate": 0.01}, plateau)
    assert recorded.adaptations() == []
    train(steps, [0.01], network)
    assert recorded.adaptations() == [(1, "Plateau", 0.1, 0.01)]
    assert len(recorded.events(RunStarted)) == 1


def test_a_value_changed_between_two_trainings_was_changed_by_hand(steps, recorded):
    network = Network()
    train(steps, [0.1], network)
    train(steps, [0.5], network)
    assert recorded.adaptations() == [(1, "manual", 0.1, 0.5)]
    assert len(recorded.events(ParametersSet)) == 1


def test_two_objects_that_record_into_one_run_know_what_the_other_saw(store, recorded):
    with dnnprov.start_run("net"):
        train(TrainingSteps(RunChoice("net")), [0.1])
        train(TrainingSteps(RunChoice("net")), [0.5])
    assert recorded.adaptations() == [(1, "manual", 0.1, 0.5)]


def test_a_rate_that_is_not_a_number_is_no_change_of_itself(steps, recorded):
    train(steps, [0.1, math.nan, math.nan])
    assert recorded.adaptations() == [(2, "Plateau", 0.1, "NaN")]


def test_layers_are_recorded_once_a_model(steps, recorded):
    network = Network()
    for _ in range(2):
        train(steps, [0.1], network, lambda: [{"position": 1}])
    assert len(recorded.rows("iLayers")) == 1


def test_layers_that_cannot_be_read_cost_only_the_layers(steps, recorded):
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"):
        train(steps, [0.1], Network(), lambda: 1 // 0)
    assert len(recorded.rows("oTrainingModel")) == 1
    assert [event.kind for event in recorded.events(ProblemRecorded)] == ["capture_failure"]


def test_what_the_user_states_wins_over_what_the_framework_holds(store, recorded):
    steps = TrainingSteps(RunChoice("net", params={"learning_rate": 0.3, "dropout": 0.4}))
    with pytest.warns(RuntimeWarning, match="learning_rate was given as 0.3, the framework has 0.1"):
        train(steps, [0.1])
    assert recorded.parameters() == {"learning_rate": 0.3, "dropout": 0.4, "optimizer_name": "SGD"}
    assert recorded.adaptations() == []


def test_stated_parameters_do_not_undo_an_adaptation_in_the_next_training(store, recorded):
    with dnnprov.start_run("net") as run:
        steps = TrainingSteps(RunChoice("net", params={"learning_rate": 0.1}, run=run))
        train(steps, [0.1, 0.01])
        train(steps, [0.01])
    assert recorded.adaptations() == [(2, "Plateau", 0.1, 0.01)]


def test_a_test_follows_the_training(steps, recorded):
    train(steps, [0.1])
    steps.begin_testing()
    steps.end_testing({"loss": 0.25, "accuracy": {"top1": 0.5}})
    training, testing = recorded.events(TaskBegan)
    assert (testing.tag, testing.after) == ("Testing", [training.seq])
    (row,) = recorded.rows("oTestingModel")
    assert {"loss": 0.25, "accuracy_top1": 0.5}.items() <= row.items()
    assert 0 <= row["elapsed_time"] < 10


def test_a_training_follows_the_tasks_it_is_after(store, recorded):
    with dnnprov.start_run("net") as run:
        with run.task("Filters") as filters:
            pass
        train(TrainingSteps(RunChoice("net"), after=filters), [0.1])
    began = recorded.events(TaskBegan)
    assert [(event.tag, event.after) for event in began] == [("Filters", []), ("Training", [began[0].seq])]


def test_a_training_whose_owner_goes_away_has_failed_and_its_run_too(steps, recorded):
    owner = Network()
    steps.begin_training({})
    steps.end_with(owner)
    del owner
    gc.collect()
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed"]
    steps.finish()
    (end,) = recorded.events(RunEnded)
    assert (end.status, "left before its end" in end.reason) == ("failed", True)


def test_a_training_that_ended_before_its_owner_goes_away_stays_finished(steps, recorded):
    owner = Network()
    steps.begin_training({})
    steps.end_with(owner)
    steps.end_training()
    del owner
    gc.collect()
    steps.finish()
    assert [event.status for event in recorded.events(TaskEnded)] == ["finished"]
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]


def test_another_model_begins_another_run_of_our_own(steps, recorded):
    one, other = Network(), Network()
    train(steps, [0.1], one)
    train(steps, [0.1], other)
    steps.finish()
    assert len({event.name for event in recorded.events(RunStarted)}) == 2
    assert [event.status for event in recorded.events(RunEnded)] == ["finished", "finished"]


@dataclass
class Line:
    """A model without a hash; two of them are equal."""

    weight: float = 0.0


def test_models_without_a_hash_are_told_apart_though_they_are_equal(steps, recorded):
    one, other = Line(), Line()
    for model, rate in ((one, 0.1), (one, 0.1), (other, 0.5)):
        train(steps, [rate], model, lambda: [{"position": 1, "type": "Line"}])
    steps.finish()
    assert len(recorded.events(RunStarted)) == 2
    assert len(recorded.rows("iLayers")) == 2
    assert recorded.adaptations() == []
    assert recorded.events(ProblemRecorded) == []


def test_a_model_without_a_hash_is_not_kept_alive(steps, recorded):
    model = Line()
    gone = weakref.ref(model)
    train(steps, [0.1], model)
    del model
    gc.collect()
    assert gone() is None


def test_a_model_that_nothing_can_refer_to_weakly_is_recorded_with_its_layers(steps, recorded):
    for rates in ([0.1], [0.1, 0.2]):
        train(steps, rates, {"weight": 0.0}, lambda: [{"position": 1, "type": "Line"}])
    steps.finish()
    assert len(recorded.events(RunStarted)) == 1  # it is not told from another
    assert recorded.parameters()["learning_rate"] == 0.1
    assert recorded.rows("iLayers") == [{"position": 1, "type": "Line"}]
    assert recorded.adaptations() == [(2, "Plateau", 0.1, 0.2)]
    assert recorded.events(ProblemRecorded) == []


def test_a_run_that_is_not_ours_is_not_finished(store, recorded):
    run = dnnprov.start_run("net")
    steps = TrainingSteps(RunChoice("other", run=run))
    train(steps, [0.1])
    steps.finish()
    assert run.status == "running"
    run.finish()


def test_a_failure_before_there_is_a_run_is_told_and_reaches_the_journal_of_the_run(steps, recorded):
    with pytest.warns(RuntimeWarning, match="first hook: ValueError: odd"), steps.guarded("first hook"):
        raise ValueError("odd")
    train(steps, [0.1])
    (problem,) = recorded.events(ProblemRecorded)
    assert (problem.kind, problem.detail) == ("capture_failure", "first hook: ValueError: odd")


def test_a_failure_in_a_run_becomes_a_problem_and_does_not_come_out(steps, recorded):
    train(steps, [0.1])
    with pytest.warns(RuntimeWarning, match="odd"), steps.guarded("a hook"):
        raise ValueError("odd")
    assert [event.kind for event in recorded.events(ProblemRecorded)] == ["capture_failure"]


def test_a_disabled_recorder_costs_nothing_and_records_nothing(store, monkeypatch):
    monkeypatch.setenv("DNNPROV_DISABLED", "1")
    steps = TrainingSteps(RunChoice("net"))
    train(steps, [0.1, 0.2])
    steps.finish()
    assert not store.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataflow": ""}, "dataflow='' is no tag"),
        ({"dataflow": 3}, "dataflow=3 is no tag"),
        ({"dataflow": "net", "params": [1]}, "expected a dict"),
        ({"dataflow": "net", "name": 1}, "expected text"),
        ({"dataflow": "net", "tags": 3}, "tags=3 is a int; expected a dict or a list of labels"),
        ({"dataflow": "net", "store": 3}, "store=3 is a int; expected a folder"),
        ({"dataflow": "net", "run": "uid"}, "what dnnprov.start_run returned"),
    ],
)
def test_misuse_raises_before_training(arguments, message):
    with pytest.raises(UsageError, match=message):
        RunChoice(**arguments)


@pytest.mark.parametrize("after", ["Filters", 3, ["Filters"]])
def test_what_is_no_task_raises_before_training(after):
    with pytest.raises(UsageError, match="expected a task of a run, or a list of tasks"):
        TrainingSteps(RunChoice("net"), after)


def test_a_test_that_never_ended_has_failed(steps, recorded):
    train(steps, [0.1])
    steps.begin_testing()
    steps.finish()
    assert [event.status for event in recorded.events(TaskEnded)] == ["finished", "failed"]


def test_what_is_for_the_first_training_only_is_not_compared_later(steps, recorded):
    network = Network()
    for number in (2, 5):
        steps.begin_training({"momentum": 0.5}, network, first_only={"num_epochs": number})
        steps.begin_epoch(1)
        steps.end_training()
    assert recorded.parameters() == {"momentum": 0.5, "num_epochs": 2}
    assert recorded.events(HyperparameterAdapted) == []


def test_metrics_of_a_tree_get_a_name_each():
    assert flat({"a": {"b": {"c": 1}}, "d": 2}) == {"a_b_c": 1, "d": 2}


def test_by_hand_is_a_person():
    assert (BY_HAND.name, BY_HAND.agent) == ("manual", "person")


def test_rows_keep_a_loss_that_is_not_a_number(steps, recorded):
    steps.begin_training({})
    steps.begin_epoch(1)
    steps.end_epoch(1, {"loss": math.nan})
    event = next(event for event in recorded.events(ElementsRecorded) if event.set == "oTrainingModel")
    assert event.non_finite == [{"loss": "NaN"}]
