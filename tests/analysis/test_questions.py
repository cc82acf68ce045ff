from __future__ import annotations

import math
import sqlite3

import pytest

import dnnprov
from analysis.histories import Adaptation, Attempt, Clock, Epoch, RunPlan, Training, record
from dnnprov.analysis.questions import QUESTIONS, question
from dnnprov.analysis.questions.recorded_schema import read_schema
from dnnprov.capture.recorder import Recorder
from dnnprov.errors import DataflowNotFoundError, NotFoundError, UsageError
from dnnprov.journal.folder import store_folder


@pytest.fixture
def clock(store, monkeypatch):
    return Clock(monkeypatch)


def run_tested(accuracy, *, filters=(), dataflow="alexnet", epochs=(), **plan):
    attempt = Attempt(filters=filters, trainings=(Training(epochs),), tests=({"accuracy": accuracy},))
    return RunPlan(dataflow, attempts=(attempt,), **plan)


def ask(question_id, **arguments):
    with dnnprov.open() as history:
        return history.ask(question_id, **arguments)


def change_database(store, *statements):
    with dnnprov.open() as history:
        history.catch_up()
    connection = sqlite3.connect(store / "provenance.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_the_words_and_classes_are_those_of_the_papers_tables():
    assert list(QUESTIONS) == ["Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8"]
    assert [q.question_class for q in QUESTIONS.values()] == ["C1", "C1", "C1", "C2", "C2", "C3", "C4", "C4"]
    assert (
        QUESTIONS["Q1"].text == "What is the loss value of epoch 10 of a specific training t' of a specific model m'?"
    )
    assert QUESTIONS["Q7"].text == "What filter was applied to model m' when the dropout value was 0.4?"


def test_a_question_is_found_in_any_case_and_an_unknown_one_is_refused_with_the_known_ones():
    assert question("q3") is QUESTIONS["Q3"]
    with pytest.raises(UsageError, match=r"no question 'Q9'; expected one of Q1, Q2"):
        question("Q9")


@pytest.mark.parametrize("number", range(1, 9))
def test_the_answers_columns_are_those_of_the_contract_with_and_without_rows(clock, number):
    asked = QUESTIONS[f"Q{number}"]
    record([RunPlan()], clock)
    assert tuple(ask(asked.id).columns) == asked.columns
    plan = run_tested(
        0.5, params={"dropout": 0.4}, epochs=(Epoch(10, {"loss": 1.0}),), layers=({"position": 0, "name": "c"},)
    )
    record([plan], clock)
    found = ask(asked.id)
    assert len(found) == (2 if number == 8 else 1)
    assert tuple(found.columns) == (*asked.columns, "dropout") if number == 5 else asked.columns


# Q1


def test_q1_asks_for_epoch_10_and_the_loss_of_the_latest_run_where_nothing_else_is_said(clock):
    epochs = tuple(Epoch(number, {"loss": number / 8}) for number in range(1, 12))
    record([run_tested(0.1, epochs=(Epoch(10, {"loss": 9.0}),)), run_tested(0.1, epochs=epochs)], clock)
    assert ask("Q1") == [{"run": "alexnet-2", "epoch": 10, "metric": "loss", "value": 1.25}]
    assert ask("Q1", run="alexnet-1")[0]["value"] == 9.0


def test_q1_takes_a_metric_by_the_name_it_was_logged_with_and_by_its_column(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        training.generates("oTrainingModel", **{"epoch": 10, "Top-5 Acc!": 0.75, "top_5_acc_": 0.25})
    assert ask("Q1", metric="Top-5 Acc!")[0]["value"] == 0.75
    assert ask("Q1", metric="top_5_acc_") == [{"run": "m-1", "epoch": 10, "metric": "top_5_acc_", "value": 0.25}]
    assert ask("Q1", metric="LOSS") == []


def test_q1_gives_a_loss_that_is_not_finite_as_a_float_of_its_own_column_only(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        training.log(epoch=10, loss=float("-inf"), val_loss=float("nan"))
    assert ask("Q1")[0]["value"] == -math.inf
    assert math.isnan(ask("Q1", metric="val_loss")[0]["value"])
    assert ask("Q1", metric="val_loss").to_json_rows() == [
        {"run": "m-1", "epoch": 10, "metric": "val_loss", "value": "NaN"}
    ]


def test_q1_takes_the_last_step_of_the_epoch_from_the_series_where_no_epoch_row_has_the_metric(store):
    with dnnprov.start_run("m") as run:
        for step, (epoch, loss) in enumerate([(10, 3.0), (10, float("nan")), (11, 1.0)]):
            run.log(step=step, epoch=epoch, loss=loss)
        with run.task("Training") as training:
            training.log(epoch=10, accuracy=0.5)
        assert math.isnan(ask("Q1")[0]["value"])
        training_2 = run.task("Training")
        training_2.log(epoch=10, loss=2.0)
        assert ask("Q1")[0]["value"] == 2.0


def test_q1_takes_the_training_that_began_last_and_not_the_record_that_came_last(store):
    with dnnprov.start_run("m") as run:
        early, late = run.task("Training"), run.task("Training")
        late.log(epoch=10, loss=2.0)
        early.log(epoch=10, loss=1.0)
    assert ask("Q1")[0]["value"] == 2.0


def test_q1_takes_a_series_of_the_lowest_rank(store):
    with dnnprov.start_run("m") as run:
        run.log(step=1, epoch=10, loss=1.0)
        other = dnnprov.Run(Recorder(store_folder(), run.uid, rank=1), "m", "")
        other.log(step=2, epoch=10, loss=2.0)
        other.log(step=3, epoch=11, loss=2.0)
        other.recorder.close()
    assert ask("Q1")[0]["value"] == 1.0
    assert ask("Q1", epoch=11) == []


def test_q1_says_why_it_has_no_answer(clock):
    record([run_tested(0.5)], clock)
    found = ask("Q1", metric="f1", epoch=3)
    assert found == []
    assert found.notes == ["no value of 'f1' at epoch 3"]


# Questions about epochs and layers


def test_q3_measures_from_record_to_record_and_from_the_start_of_the_task(clock):
    epochs = (Epoch(1, {"loss": 3.484}, 22.075), Epoch(2, {"loss": 2.87}, 20.56), Epoch(3, {"elapsed_time": 0.5}, 9.0))
    record([run_tested(0.5, epochs=epochs)], clock)
    assert [list(row.values())[1:] for row in ask("Q3")] == [[1, 22.075, 3.484], [2, 20.56, 2.87], [3, 0.5, None]]


def test_of_an_epoch_logged_in_parts_q3_takes_the_one_with_the_loss_also_where_it_is_nan(clock):
    parts = (
        Epoch(1, {"loss": float("nan")}),
        Epoch(1, {"accuracy": 0.5}),
        Epoch(2, {"loss": 1.0}),
        Epoch(2, {"loss": 2.0}),
    )
    record([run_tested(0.5, epochs=parts)], clock)
    first, second = ask("Q3")
    assert math.isnan(first["loss"])
    assert second["loss"] == 2.0


def test_a_resumed_run_has_each_epoch_once_and_in_order(clock):
    first = Training(tuple(Epoch(number, {"loss": 1.0}) for number in (1, 2, 3, 4)))
    second = Training(tuple(Epoch(number, {"loss": 2.0}) for number in (3, 4, 5)))
    plan = RunPlan(attempts=(Attempt(trainings=(first,)), Attempt(trainings=(second,), tests=({"accuracy": 0.5},))))
    record([plan], clock)
    assert [(row["epoch"], row["loss"]) for row in ask("Q3")] == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]
    assert ask("Q8")[0]["num_epochs"] == 5
    assert ask("Q1", epoch=3)[0]["value"] == 2.0


def test_two_trainings_of_one_run_are_listed_one_after_the_other_and_both_count(clock):
    trainings = tuple(Training((Epoch(1, {"loss": loss}), Epoch(2, {"loss": loss}))) for loss in (4.0, 1.0))
    record([RunPlan(attempts=(Attempt(trainings=trainings, tests=({"accuracy": 0.5},)),))], clock)
    assert [(row["epoch"], row["loss"]) for row in ask("Q3")] == [(1, 4.0), (2, 4.0), (1, 1.0), (2, 1.0)]
    assert ask("Q8")[0]["num_epochs"] == 4
    assert ask("Q1", epoch=1)[0]["value"] == 1.0


def test_q2_takes_the_latest_run_with_layers_and_of_two_trainings_the_last(store):
    with dnnprov.start_run("m") as run:
        for name in ("old", "new"):
            with run.task("Training") as training:
                layers = [
                    {"position": 2, "name": name, "type": "Dense"},
                    {"position": 1, "name": "c", "type": "Conv2D"},
                ]
                training.record("iLayers", "used", layers)
    with dnnprov.start_run("m", name="without layers"):
        pass
    assert [(row["run"], row["position"], row["name"]) for row in ask("Q2")] == [("m-1", 1, "c"), ("m-1", 2, "new")]
    assert ask("Q2", run="without layers") == []
    assert ask("Q2", run="without layers").notes == ["no layers were recorded"]


# Rankings


def test_of_equal_runs_the_earlier_is_the_better_and_the_earlier_is_the_worse(clock):
    record([run_tested(0.25), run_tested(0.5), run_tested(0.5), run_tested(0.25)], clock)
    assert [row["run"] for row in ask("Q5", top=4)] == ["alexnet-2", "alexnet-3", "alexnet-1", "alexnet-4"]
    assert [(row["which"], row["run"]) for row in ask("Q8")] == [("best", "alexnet-2"), ("worst", "alexnet-1")]


def test_of_equal_runs_that_started_at_the_same_time_the_one_with_the_smaller_key_is_before(store, clock):
    record([run_tested(0.5), run_tested(0.5), run_tested(0.5)], clock)
    change_database(store, "UPDATE run SET started_at = '2026-01-01T00:00:00Z'")
    with dnnprov.open() as history:
        by_key = [row["name"] for row in history.query("SELECT name FROM run ORDER BY run_id")]
    assert [row["run"] for row in ask("Q5")] == by_key


def test_only_runs_with_the_best_source_are_compared_and_the_others_are_named(clock):
    epochs = (Epoch(1, {"val_accuracy": 0.9, "accuracy": 0.99}),)
    untested = RunPlan(attempts=(Attempt(trainings=(Training(epochs),)),))
    found_in = record([run_tested(0.25), untested, run_tested(float("nan")), RunPlan()], clock)
    assert [plan.name for plan in found_in] == ["alexnet-1", "alexnet-2", "alexnet-3", "alexnet-4"]
    found = ask("Q4")
    assert found == [{"run": "alexnet-1", "learning_rate": None, "accuracy": 0.25, "accuracy_source": "test"}]
    assert found.notes == [
        "runs compared by test accuracy; left out, without test accuracy: alexnet-2, alexnet-4",
        "runs compared by test accuracy; left out, whose test accuracy is NaN or infinite: alexnet-3",
    ]


def test_many_runs_left_out_are_named_in_part(clock):
    record([run_tested(0.25), *[RunPlan()] * 12], clock)
    (note,) = ask("Q5").notes
    assert note.endswith("alexnet-10, alexnet-11 and 2 more")


def test_a_run_that_diverged_after_a_good_epoch_counts_with_the_good_epoch(clock):
    epochs = (Epoch(1, {"val_accuracy": 0.75}), Epoch(2, {"val_accuracy": float("nan")}))
    other = (Epoch(1, {"val_accuracy": float("inf")}), Epoch(2, {"val_accuracy": 0.5}))
    record([RunPlan(attempts=(Attempt(trainings=(Training(rows),)),)) for rows in (other, epochs)], clock)
    found = ask("Q5")
    assert [(row["run"], row["accuracy"], row["accuracy_source"]) for row in found] == [
        ("alexnet-2", 0.75, "validation"),
        ("alexnet-1", 0.5, "validation"),
    ]


def test_a_store_without_any_accuracy_has_an_empty_ranking_and_says_so(clock):
    record([RunPlan(), RunPlan()], clock)
    for question_id in ("Q4", "Q5", "Q6", "Q8"):
        found = ask(question_id)
        assert found == []
        assert found.notes == ["no run of dataflow 'alexnet' has an accuracy that can be compared"]


def test_runs_of_every_status_take_part_also_one_that_still_runs(clock):
    record([run_tested(0.25, status=status) for status in ("finished", "failed", "pruned")], clock)
    running = dnnprov.start_run("alexnet")
    with running.task("Testing") as testing:
        testing.log(accuracy=0.75)
    assert len(ask("Q5", top=9)) == 4
    assert ask("Q4")[0]["run"] == running.name
    running.finish()


def test_a_run_logged_batch_by_batch_is_ranked_by_its_best_batch(clock):
    record([RunPlan(batches=((1, {"acc": 0.5}), (1, {"acc": 0.25})))], clock)
    assert ask("Q4")[0]["accuracy"] == 0.5
    assert ask("Q4")[0]["accuracy_source"] == "training"


def test_a_lucky_batch_does_not_beat_an_epoch(clock):
    batches = ((1, {"accuracy": 1.0}), (1, {"accuracy": 0.25}))
    trained = Attempt(trainings=(Training((Epoch(1, {"accuracy": 0.5}),)),))
    record([RunPlan(name="batches", batches=batches), RunPlan(name="epochs", attempts=(trained,))], clock)
    answer = ask("Q4")
    assert [row["run"] for row in answer] == ["epochs"]
    assert answer.notes == ["runs compared by training accuracy; left out, without training accuracy: batches"]


def test_q5_shows_a_hyperparameter_where_any_listed_run_has_it(clock):
    plans = [
        run_tested(0.5, params={"lr": 0.1}),
        run_tested(0.25, params={"run": "x", "weird name": True}),
        run_tested(0.1, params={"z": 1}),
    ]
    record(plans, clock)
    found = ask("Q5", top=2)
    assert found.columns == ["rank", "run", "accuracy", "accuracy_source", "lr", "hyperparameter_run", "weird_name"]
    assert [list(row.values())[4:] for row in found] == [[0.1, None, None], [None, "x", 1]]


def test_q5_gives_a_hyperparameter_that_is_not_finite_or_no_number(clock):
    record(
        [run_tested(0.5, params={"learning_rate": float("inf")}), run_tested(0.25, params={"learning_rate": "auto"})],
        clock,
    )
    first, second = ask("Q5")
    assert first["learning_rate"] == math.inf
    assert second["learning_rate_text"] == "auto"
    assert ask("Q4")[0]["learning_rate"] == math.inf


def test_q6_finds_the_technique_with_the_adaptation_task_and_takes_the_papers_rows(store):
    with dnnprov.start_run("m") as run:
        with run.task("Training") as training:
            training.log(epoch=1, accuracy=0.5)
        with run.task("Adaptation", after=training) as adaptation:
            adaptation.uses("iAdaptation", epochs_drop=10.0, drop_n=0.5, initial_lrate=0.002, technique="LRS")
            adaptation.generates("oAdaptation", NEW_LRATE=0.001, EPOCH_ID=10, ADAPTATION_ID=1)
            adaptation.generates("oAdaptation", NEW_LRATE=0.00025, EPOCH_ID=30, ADAPTATION_ID=2)
    rows = [(row["adapted"], row["epoch"], row["technique"], row["new_value"]) for row in ask("Q6")]
    assert rows == [(1, 10, "LRS", 0.001), (1, 30, "LRS", 0.00025)]


def test_q6_says_that_nothing_was_adapted_where_only_another_attribute_was(clock):
    training = Training((Epoch(1, {"accuracy": 0.5}),), adaptations=(Adaptation("momentum", 0.9, 0.8, 1),))
    record([RunPlan(attempts=(Attempt(trainings=(training,)),))], clock)
    (row,) = ask("Q6")
    assert list(row.values()) == ["alexnet-1", 0, None, None, None, None, 0.5]


def test_the_hyperparameters_are_those_that_the_first_training_began_with(store):
    with dnnprov.start_run("m", params={"learning_rate": 0.5, "dropout": 0.4}) as run:
        with run.task("Training"):
            pass
        with run.task("Training") as tuning:
            tuning.uses("iTrainingModel", learning_rate=0.125, dropout=0.7)
            tuning.log(epoch=1, accuracy=0.5)
    with dnnprov.open() as history:
        assert len(history.sql("SELECT * FROM itrainingmodel")) == 2
    assert ask("Q4")[0]["learning_rate"] == 0.5
    assert ask("Q5")[0]["dropout"] == 0.4
    assert len(ask("Q7")) == 1
    assert ask("Q7", dropout=0.7) == []


def test_the_latest_run_is_the_one_that_started_last_whatever_its_key(store, clock):
    record([run_tested(0.5, epochs=(Epoch(10, {"loss": loss}),)) for loss in (1.0, 2.0)], clock)
    assert ask("Q1")[0]["value"] == 2.0
    change_database(store, "UPDATE run SET started_at = '2026-01-01T00:00:00Z' WHERE name = 'alexnet-2'")
    assert ask("Q1")[0]["value"] == 1.0
    assert ask("Q1", run="latest")[0]["value"] == 1.0


# Filters


def test_filters_are_found_by_the_derivation_path_and_by_nothing_else(store, clock):
    chain = (("crop",), (None, ""), ("gray-scale", "none"))
    record([run_tested(0.5, filters=chain, params={"dropout": 0.4}), run_tested(0.25, params={"dropout": 0.4})], clock)
    assert ask("Q7") == [
        {"filter_name": "crop, gray-scale", "num_runs": 1, "runs": "alexnet-1"},
        {"filter_name": "none", "num_runs": 1, "runs": "alexnet-2"},
    ]
    assert [row["filter_name"] for row in ask("Q8")] == ["crop, gray-scale", "none"]
    change_database(store, "DELETE FROM task_dependency")
    assert ask("Q7") == [{"filter_name": "none", "num_runs": 2, "runs": "alexnet-1, alexnet-2"}]
    assert [row["filter_name"] for row in ask("Q8")] == ["none", "none"]


def test_a_filter_that_a_resumed_run_applied_again_counts_once(clock):
    training = Training((Epoch(1, {"accuracy": 0.5}),))
    first = Attempt((("blur", "gray-scale"),), (training,))
    record([RunPlan(params={"dropout": 0.4}, attempts=(first, Attempt((("gray-scale", "crop"),), (training,))))], clock)
    assert ask("Q7")[0]["filter_name"] == "blur, gray-scale, crop"


def test_q7_lists_the_filter_of_most_runs_first(clock):
    filters = ["blur", "crop", "crop", "sharpen", "sharpen"]
    record([run_tested(0.5, filters=((name,),), params={"dropout": 0.4}) for name in filters], clock)
    assert [(row["filter_name"], row["num_runs"]) for row in ask("Q7")] == [("crop", 2), ("sharpen", 2), ("blur", 1)]


def test_a_filter_in_a_circle_of_dependencies_is_found_all_the_same(store, clock):
    record([run_tested(0.5, filters=(("gray-scale",), ("blur",)))], clock)
    change_database(
        store,
        "INSERT INTO task_dependency SELECT a.task_id, b.task_id FROM task AS a, task AS b"
        " WHERE a.tag = 'Filters' AND b.tag = 'Training'",
    )
    assert set(ask("Q8")[0]["filter_name"].split(", ")) == {"gray-scale", "blur"}


def test_a_filter_reached_over_two_paths_stands_once_and_before_both(store):
    with dnnprov.start_run("m", params={"dropout": 0.4}) as run:
        tasks = {}
        for tag, after in {"A": [], "B": ["A"], "C": ["A", "B"], "Training": ["A", "C"]}.items():
            tasks[tag] = run.task(tag, after=[tasks[name] for name in after])
            tasks[tag].generates(f"out{tag}", filter_name=tag)
    assert ask("Q7")[0]["filter_name"] == "A, B, C"


def test_a_training_is_known_by_what_it_generates_too(store):
    with dnnprov.start_run("m", params={"dropout": 0.4}) as run:
        with run.task("Filters") as filters:
            filters.generates("oFilters", filter_name=7)
        with run.task("Fit", after=filters) as fit:
            assert ask("Q7")[0]["filter_name"] == "none"
            fit.generates("oTrainingModel", epoch=1, loss=1.0)
    assert ask("Q7")[0]["filter_name"] == "7"


def test_a_filter_that_was_used_or_that_testing_went_through_was_not_applied(store):
    with dnnprov.start_run("m", params={"dropout": 0.4}) as run:
        with run.task("Filters") as filters:
            filters.uses("iFilters", filter_name="wanted")
        with run.task("Training", after=filters) as training:
            training.generates("oFilters", filter_name="its own")
        with run.task("Filters") as other:
            other.generates("oFilters", filter_name="for the test")
        run.task("Testing", after=[training, other]).log(accuracy=0.5)
    assert ask("Q7")[0]["filter_name"] == "none"


def test_q7_counts_the_dropout_of_layers_and_a_tolerance_of_a_millionth(store):
    def run_with(name, params, **layer):
        with dnnprov.start_run("m", name=name, params=params) as run, run.task("Training") as training:
            training.uses("iLayers", position=1, **layer)

    run_with("near", {"dropout": 0.4 * (1 + 9e-7)})
    run_with("far", {"dropout": 0.4 * (1 + 2e-6)})
    run_with("layer", {"dropout": 0.7}, type="DROPOUT", rate=0.4)
    run_with("keras-prov", {}, type="dropout", value="0.4")
    run_with("other layer", {}, type="Dense", rate=0.4)
    assert [row["runs"] for row in ask("Q7")] == ["near, layer, keras-prov"]
    assert [row["runs"] for row in ask("Q7", dropout=0.7)] == ["layer"]
    found = ask("Q7", dropout=0)
    assert found == []
    assert found.notes == ["no run has the dropout 0.0"]


# How it is asked


def test_the_only_dataflow_is_meant_where_none_is_named_and_of_several_none(clock):
    with pytest.raises(dnnprov.errors.StoreNotFoundError):
        ask("Q4")
    record([run_tested(0.5), run_tested(0.75, dataflow="vgg")], clock)
    with pytest.raises(UsageError, match=r"2 dataflows; name one of 'alexnet', 'vgg'"):
        ask("Q4")
    assert ask("Q4", dataflow="vgg")[0]["run"] == "vgg-1"
    assert ask("Q3", run="vgg-1") == []
    with pytest.raises(DataflowNotFoundError, match=r"no dataflow 'alexnt'; did you mean 'alexnet'\?"):
        ask("Q4", dataflow="alexnt")


def test_a_store_without_dataflows_is_told_from_a_wrong_call(store):
    (store / "journal").mkdir(parents=True)
    with pytest.raises(NotFoundError, match="no dataflow in the store"):
        ask("Q4")


def test_a_question_that_compares_runs_takes_no_run(clock):
    record([run_tested(0.5)], clock)
    with pytest.raises(
        UsageError, match=r"Q5 compares the runs of a dataflow; it takes no run, and got run='alexnet-1'"
    ):
        ask("Q5", run="alexnet-1")


@pytest.mark.parametrize(
    ("question_id", "arguments", "message"),
    [
        ("Q1", {"epoch": "ten"}, r"epoch='ten' is a str; expected a whole number"),
        ("Q1", {"epoch": True}, r"epoch=True is a bool; expected a whole number"),
        ("Q1", {"epoch": 2**64}, r"epoch=18446744073709551616 has more than 64 bits"),
        ("Q7", {"dropout": 10**400}, r"has more than 64 bits"),
        ("Q5", {"top": 0}, r"top=0 is too small; expected at least 1"),
        ("Q7", {"dropout": float("nan")}, r"dropout=nan is a float; expected a finite number"),
        ("Q7", {"top": 3}, r"Q7 was asked with top=3; it has the parameters dropout"),
        ("Q8", {"top": 3}, r"Q8 was asked with top=3; it has no parameters"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(clock, question_id, arguments, message):
    record([run_tested(0.5)], clock)
    with pytest.raises(UsageError, match=message):
        ask(question_id, **arguments)


def test_names_that_no_text_can_hold_are_found_as_they_were_recorded(store):
    with dnnprov.start_run("m\udcff", name="r\udcff") as run, run.task("Training") as training:
        training.log(epoch=10, **{"l\udcff": 0.5})
    found = ask("Q1", dataflow="m\udcff", run="r\udcff", metric="l\udcff")
    assert list(found[0].values()) == ["r\\udcff", 10, "l\\udcff", 0.5]


def test_the_sql_of_an_answer_can_be_pasted_and_answers_the_same(clock):
    hostile = "o'Brien'; DROP TABLE run; -- :dataflow :run"
    training = Training(
        (Epoch(10, {"loss": 1.0, "accuracy": 0.5}),), adaptations=(Adaptation("learning_rate", 0.2, 0.1, 3),)
    )
    attempt = Attempt(filters=((hostile,),), trainings=(training,))
    plan = RunPlan(hostile, {"dropout": 0.4, "lr": 0.1}, (attempt,), layers=({"position": 0, "name": hostile},))
    record([plan], clock)
    with dnnprov.open() as history:
        for asked in QUESTIONS.values():
            found = history.ask(asked.id)
            pasted = history.sql(found.sql)
            assert len(found) > 0
            assert [{name: row[name] for name in found.columns} for row in pasted] == found.rows
        assert history.ask("Q1", metric=hostile) == []


def test_no_question_but_those_about_epochs_looks_at_every_epoch_of_the_store(clock):
    record([run_tested(0.5, epochs=(Epoch(1, {"loss": 1.0}),))], clock)
    with dnnprov.open() as history:
        history.catch_up()
        schema = read_schema(history.store)
        for asked in QUESTIONS.values():
            statement = asked.state(schema, {**asked.arguments({}), "dataflow": "alexnet", "run": None})
            _, plan = history.store.read(f"EXPLAIN QUERY PLAN {statement.sql}", statement.parameters)
            tables = {"o", "x", "t", "v", "m", "p", "q", "r"}  # aliases of tables that grow with runs and epochs
            scanned = [detail for *_, detail in plan if detail.startswith("SCAN") and detail.split()[1] in tables]
            assert scanned == [], (asked.id, plan)
