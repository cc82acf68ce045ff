"""`dnnprov.autolog()`: what it puts in place, what it says, and what it leaves alone."""

from __future__ import annotations

import dataclasses
import gc
import os
import subprocess
import sys
import textwrap
import traceback
import types

import keras
import pytest

import dnnprov
from dnnprov.errors import UsageError
from dnnprov.integrations import autologging
from dnnprov.integrations.claims import claim, claimed, claimed_by, release
from dnnprov.integrations.framework_version import check_oldest
from dnnprov.keras import ProvenanceCallback
from dnnprov.model.events import ElementsRecorded, ProblemRecorded, RunStarted, TaskBegan, TaskEnded
from small_keras import X, Y, fit, small_model

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def frameworks(monkeypatch):
    """Lets a test name frameworks of its own, and forgets them afterwards."""
    before = list(sys.meta_path)
    monkeypatch.setattr(autologging, "_activated", set())

    def name(*given):
        monkeypatch.setattr(autologging, "FRAMEWORKS", given)

    yield name
    sys.meta_path[:] = before


def made_up(monkeypatch, number, activate=None, **framework):
    """A framework and its activation, which can be imported."""
    package, activation = f"made_up_{number}", f"activation_{number}"
    module = types.ModuleType(activation)
    module.activate = activate or (lambda settings: None)
    monkeypatch.setitem(sys.modules, activation, module)
    found = autologging.Framework(f"made{number}", package, activation, f"trainings of {package}")
    return dataclasses.replace(found, **framework)


def script(text, *arguments, **environment):
    """Run a script in a process of its own; what it said on both streams."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *(arguments or ("-c", textwrap.dedent(text)))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done


# What is put in place


def test_a_framework_is_activated_when_it_is_imported_later(frameworks, monkeypatch, tmp_path):
    calls = []
    frameworks(made_up(monkeypatch, 1, calls.append))
    (tmp_path / "made_up_1.py").write_text("ready = True")
    monkeypatch.syspath_prepend(str(tmp_path))
    dnnprov.autolog("net")
    dnnprov.autolog("net")
    assert calls == []
    __import__("made_up_1")
    monkeypatch.delitem(sys.modules, "made_up_1")
    __import__("made_up_1")
    assert [settings.dataflow for settings in calls] == ["net"]
    assert calls[0].records("made1")


def test_a_framework_that_is_switched_off_is_left_alone(frameworks, monkeypatch, capsys):
    calls = []
    monkeypatch.setitem(sys.modules, "made_up_2", types.ModuleType("made_up_2"))
    frameworks(made_up(monkeypatch, 2, calls.append))
    dnnprov.autolog(made2=False)
    assert calls == []
    assert "made_up_2" not in capsys.readouterr().err
    dnnprov.autolog()
    assert len(calls) == 1
    dnnprov.autolog(made2=False)  # later: what is in place asks the settings
    assert not calls[0].records("made2")


def test_an_activation_that_fails_is_said_once_and_the_program_goes_on(frameworks, monkeypatch):
    def fail(settings):
        raise RuntimeError("no such hook")

    monkeypatch.setitem(sys.modules, "made_up_3", types.ModuleType("made_up_3"))
    frameworks(made_up(monkeypatch, 3, fail))
    with pytest.warns(RuntimeWarning, match="made3 is not recorded: RuntimeError: no such hook") as caught:
        dnnprov.autolog()
        dnnprov.autolog()
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("version", "is_untested"), [("2.4", False), ("2.6.1+cpu", False), ("2.7", True), ("1.13", True)]
)
def test_an_untested_version_is_said_and_recorded(frameworks, monkeypatch, recwarn, version, is_untested):
    calls = []
    module = types.ModuleType("made_up_4")
    module.__version__ = version
    monkeypatch.setitem(sys.modules, "made_up_4", module)
    frameworks(made_up(monkeypatch, 4, calls.append, tested=("2.4", "2.6")))
    dnnprov.autolog()
    dnnprov.autolog()
    assert len(calls) == 1
    said = [str(one.message) for one in recwarn]
    assert said == (
        [f"dnnprov: made4 {version} is untested, 2.4 to 2.6 are; it is recorded as far as it is alike"] * is_untested
    )


def test_a_version_that_is_refused_is_not_said_to_be_recorded(frameworks, monkeypatch, recwarn):
    def refuse(settings):
        check_oldest("dnnprov.made4", "Made", "2.4", "1.13")

    module = types.ModuleType("made_up_4")
    module.__version__ = "1.13"
    monkeypatch.setitem(sys.modules, "made_up_4", module)
    frameworks(made_up(monkeypatch, 4, refuse, tested=("2.4", "2.6")))
    dnnprov.autolog()
    (said,) = [str(one.message) for one in recwarn]
    assert said.startswith("dnnprov: made4 is not recorded: UnsupportedVersionError")
    assert "Made 2.4 and later; installed is Made 1.13" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kera": False}, r"no framework 'kera'; did you mean keras="),
        ({"keras": "no"}, r"keras='no' is a str; expected True or False"),
        ({"dataflow": ""}, r"dataflow='' is no tag"),
        ({"dataflow": 3}, r"dataflow=3 is no tag"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_error(arguments, message):
    with pytest.raises(UsageError, match=message):
        dnnprov.autolog(**arguments)


# What is said


def test_one_line_says_what_is_recorded_and_where(store, capsys):
    dnnprov.autolog("net")
    dnnprov.autolog("net")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dnnprov: autolog records ")
    assert "fit, evaluate and files of Keras" in line
    assert line.count("checkpoints of Lightning") == 1  # which has two names
    assert line.endswith(f"as dataflow 'net' in {store}")


def test_the_line_is_said_beside_multiprocessing_too(store, capsys):
    import multiprocessing

    assert "__mp_main__" in sys.modules, multiprocessing
    dnnprov.autolog("beside")
    assert "as dataflow 'beside'" in capsys.readouterr().err


def test_no_password_of_a_store_is_said(monkeypatch, capsys):
    monkeypatch.setenv("DNNPROV_STORE", "postgresql://ann:secret@host/runs")
    dnnprov.autolog("net")
    assert "secret" not in capsys.readouterr().err


def test_nothing_is_said_or_done_where_recording_is_disabled(monkeypatch, capsys):
    monkeypatch.setenv("DNNPROV_DISABLED", "1")
    dnnprov.autolog("net")
    assert capsys.readouterr().err == ""


def test_autolog_loads_no_framework(store):
    script(
        """
        import sys, dnnprov
        dnnprov.autolog()
        assert not {"keras", "torch", "jax", "numpy", "tensorflow", "sklearn"} & set(sys.modules), sorted(sys.modules)
        """
    )


@pytest.mark.parametrize("way", ["script", "module", "package"])
def test_the_dataflow_is_named_for_the_program(store, tmp_path, monkeypatch, way):
    text = "import dnnprov\ndnnprov.autolog()\n"
    (tmp_path / "flowers.py").write_text(text)
    (tmp_path / "garden").mkdir()
    (tmp_path / "garden" / "__init__.py").write_text("")
    (tmp_path / "garden" / "__main__.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    arguments = {"script": ["flowers.py"], "module": ["-m", "flowers"], "package": ["-m", "garden"]}[way]
    expected = "garden" if way == "package" else "flowers"
    assert f"as dataflow {expected!r}" in script("", *arguments).stderr


# Keras


@pytest.mark.captures("without a call", framework="keras")
def test_a_fit_without_any_call_of_ours_is_recorded(recorded):
    dnnprov.autolog("net")
    model = small_model(0.5)
    fit(model, None)
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Testing", "Prediction"]
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2]
    assert recorded.parameters()["learning_rate"] == 0.5
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["net"]


def test_a_test_belongs_to_the_run_of_its_model(recorded):
    dnnprov.autolog("net")
    first, second = small_model(0.5), small_model(0.25)
    fit(first, None, epochs=1)
    fit(second, None, epochs=1)
    first.evaluate(X, Y, verbose=0)
    runs = recorded.events(RunStarted)
    tags = [event.tag for event in recorded.events(TaskBegan)]
    assert len(runs) == 2
    assert sorted(tags) == ["Testing", "Training", "Training"]
    of_first = [chunk for chunk in tags_of_runs(recorded) if "Testing" in chunk]
    assert of_first == [["Training", "Testing"]]


def tags_of_runs(recorded):
    found = []
    for event in recorded.events((RunStarted, TaskBegan)):
        if isinstance(event, RunStarted):
            found.append([])
        else:
            found[-1].append(event.tag)
    return found


def test_an_enclosing_run_and_a_callback_of_the_user_come_first(recorded):
    dnnprov.autolog("net")
    with dnnprov.start_run("mine"):
        fit(small_model(), None, epochs=1)
    fit(small_model(), [ProvenanceCallback("given")], epochs=1)
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["mine", "given"]
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training", "Training"]


def test_a_model_that_only_predicts_begins_no_run(recorded):
    dnnprov.autolog("net")
    small_model().predict(X, verbose=0)
    assert recorded.events() == []


def test_keras_that_is_switched_off_records_nothing(recorded):
    dnnprov.autolog("net")
    dnnprov.autolog("net", keras=False)
    fit(small_model(), None)
    assert recorded.events() == []


def test_losses_and_weights_are_the_same_to_the_bit(store):
    def train():
        model = small_model(0.5)
        history = fit(model, None, epochs=3, validation_split=0.2).history
        return history, [weight.tobytes() for weight in model.get_weights()]

    without = train()
    dnnprov.autolog("net")
    assert train() == without


@pytest.mark.captures("endings", framework="keras")
def test_a_fit_that_raises_before_its_first_step_is_a_failed_run(recorded):
    dnnprov.autolog("net")
    model = small_model(0.5)
    with pytest.raises((ValueError, RuntimeError), match="incompatible|automatically build") as caught:
        model.fit(X[:, :2], Y, epochs=3, verbose=0)
    (ended,) = recorded.events(TaskEnded)
    assert (ended.status, type(caught.value).__name__ in ended.reason) == ("failed", True)
    found = recorded.parameters()
    assert (found["optimizer_name"], found["num_epochs"], found["learning_rate"]) == ("SGD", 3, 0.5)
    assert len(recorded.rows("iLayers")) == 3
    fit(model, None)
    del model
    gc.collect()  # its run ends with it
    assert [row["inputs_shape"] for row in recorded.rows("iTrainingData")] == ["[30, 2]", "[30, 4]"]
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["net"]
    assert len(recorded.rows("oTrainingModel")) == 2


def test_a_model_that_is_not_compiled_trains_nothing(recorded):
    dnnprov.autolog("net")
    with pytest.raises(ValueError, match="compile"):
        keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)]).fit(X, Y, verbose=0)
    assert recorded.events() == []


def test_what_a_fit_raises_shows_no_frame_of_ours(recorded):
    dnnprov.autolog("net")

    class Breaks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyError("of the user")

    with pytest.raises(KeyError, match="of the user") as caught:
        fit(small_model(), [Breaks()])
    assert not [frame.filename for frame in traceback.extract_tb(caught.tb) if "/dnnprov/" in frame.filename]
    with pytest.raises(TypeError) as caught:
        small_model().fit(no_such_argument=1)
    assert not [frame.filename for frame in traceback.extract_tb(caught.tb) if "/dnnprov/" in frame.filename]
    assert recorded.events(ProblemRecorded) == []
    assert [event.set for event in recorded.events(ElementsRecorded) if event.set == "oTrainingModel"]


def test_keras_claims_what_it_trains():
    seen = []

    class Looks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(claimed_by())

    fit(small_model(), [Looks()], epochs=1)
    assert seen == ["keras"]
    assert claimed_by() is None


# Claims


def test_claims_are_nested_and_what_was_left_goes_with_the_outer_one():
    with claimed("lightning"):
        assert claimed_by() == "lightning"
        claim("torch")
        assert claimed_by() == "torch"
    assert claimed_by() is None
    release("torch")
    assert claimed_by() is None
