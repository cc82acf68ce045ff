from __future__ import annotations

import hashlib
import json
import math

import pytest

import dnnprov

PARTS = ["run", "hyperparameters", "metrics", "tasks", "adaptations", "files", "environment", "problems"]


@pytest.fixture
def view(store, tmp_path):
    model = tmp_path / "model.keras"
    model.write_bytes(b"weights")
    parameters = {"learning_rate": 0.5, "decay": float("nan"), "Layer Names": ["a", "b"]}
    with dnnprov.start_run("m", parameters, name="<b>bold</b>", tags={"gpu": "h100"}) as run:
        run.log(step=1, loss=4.0)
        with run.task("Filters") as filters:
            pass
        with run.task("Training", after=filters) as training:
            training.log(epoch=1, loss=1.0, accuracy=0.5)
            training.log(epoch=2, loss=float("nan"), accuracy="high")
            run.set_params(learning_rate=float("-inf"))
            training.generates_file(model, role="model")
        with run.task("Testing", after=training) as testing:
            testing.log(accuracy=0.75)
    with dnnprov.open() as history:
        yield history.run("latest")


def test_a_view_has_everything_that_was_recorded(view):
    assert (view.run["name"], view.run["status"], view.run["tags"]) == ("<b>bold</b>", "finished", {"gpu": "h100"})
    assert view.run_id == view.run["run_id"]
    assert view.run["ended_at"] > view.run["started_at"]
    assert view.run["accuracy"] == 0.75
    assert view.hyperparameters["learning_rate"] == 0.5
    assert math.isnan(view.hyperparameters["decay"])
    assert view.hyperparameters["layer_names"] == '["a", "b"]'
    assert [(row["level"], row["name"]) for row in view.metrics] == [
        ("test", "accuracy"),
        ("epoch", "accuracy"),
        ("epoch", "loss"),
        ("batch", "loss"),
    ]
    loss = view.metrics[2]
    assert math.isnan(loss["last"])
    assert (loss["last_finite"], loss["num_values"], loss["num_non_finite"]) == (1.0, 2, 1)
    (adaptation,) = view.adaptations
    assert (adaptation["attribute"], adaptation["old_value"], adaptation["new_value"]) == (
        "learning_rate",
        0.5,
        -math.inf,
    )
    assert view.environment["software"] == dnnprov.__version__
    assert isinstance(view.environment["packages"], dict)
    assert isinstance(view.environment["command_line"], list)
    (problem,) = view.problems
    assert problem["kind"] == "value_does_not_fit"
    assert "'high'" in problem["detail"]


def test_tasks_come_in_order_with_those_they_depend_on(view):
    names = {row["task_id"]: row["tag"] for row in view.tasks}
    assert [(row["tag"], [names[before] for before in row["after"]]) for row in view.tasks] == [
        ("Filters", []),
        ("Training", ["Filters"]),
        ("Adaptation", ["Training"]),
        ("Testing", ["Training"]),
    ]


def test_files_have_their_hash_and_their_task(view):
    (file,) = view.files
    assert (file["role"], file["relation"], file["task"], file["size"]) == ("model", "generated", "Training", 7)
    assert file["sha256"] == hashlib.sha256(b"weights").hexdigest()


def test_as_dict_is_one_object_of_plain_json(view):
    description = view.as_dict()
    assert list(description) == PARTS
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    assert description["hyperparameters"]["decay"] == "NaN"
    assert description["metrics"][2]["last"] == "NaN"
    assert description["adaptations"][0]["new_value"] == "-Infinity"


def test_a_view_prints_each_part_that_has_something_and_escapes_it_in_a_notebook(view):
    text = repr(view)
    assert text.startswith("run <b>bold</b> of m, finished")
    assert [part for part in PARTS if f"\n{part}\n" in text] == PARTS
    page = view._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;bold" in page


def test_an_empty_run_has_every_part(store):
    run = dnnprov.start_run("m")
    with dnnprov.open() as history:
        view = history.run(run.uid)
    run.finish()
    assert list(view.as_dict()) == PARTS
    assert (view.hyperparameters, view.metrics, view.tasks, view.files) == ({}, [], [], [])
    assert view.run["status"] == "running"
    assert "metrics" not in repr(view)


def test_a_child_names_its_parent(store):
    with dnnprov.start_run("study") as study, dnnprov.start_run("trial", parent=study) as trial:
        pass
    with dnnprov.open() as history:
        assert history.run(trial.uid).run["parent"] == study.uid
        assert history.run(study.uid).run["parent"] is None
