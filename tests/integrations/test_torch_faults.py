"""PyTorch trainings that go wrong, hostile objects, failures of ours: the training is never disturbed."""

from __future__ import annotations

import copy
import inspect
import math
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers
from torch.utils.data import DataLoader, Dataset

import dnnprov
from dnnprov.errors import UsageError
from dnnprov.integrations.claims import claimed
from dnnprov.integrations.torch import beginning, hooks, loops, recordings
from dnnprov.model.events import ElementsRecorded, ProblemRecorded, RunEnded, RunStarted, TaskBegan, TaskEnded
from recorded import rows_of
from small_torch import X, Y, evaluate, loader, sgd, small_model, train_epoch

FOLDER = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def autologged(store):
    dnnprov.autolog("net")


def script(text, store, code=0, *arguments):
    """Run a script in a process of its own."""
    done = subprocess.run(
        [sys.executable, *(arguments or ("-c", textwrap.dedent(text)))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "DNNPROV_STORE": str(store), "PYTHONPATH": str(FOLDER)},
    )
    assert done.returncode == code, done.stderr
    return done


def of_ours(caught):
    return [frame.filename for frame in traceback.extract_tb(caught.tb) if "/dnnprov/" in frame.filename]


# What the user's code raises


def raising_loader():
    class Broken(Dataset):
        def __len__(self):
            return 16

        def __getitem__(self, index):
            if index > 8:
                raise KeyError("of the user")
            return X[index], Y[index]

    return DataLoader(Broken(), batch_size=8)


def test_what_is_raised_shows_no_frame_of_ours(recorded, tmp_path):
    model = small_model()
    optimizer = sgd(model)
    with pytest.raises(KeyError, match="of the user") as caught:
        train_epoch(model, optimizer, raising_loader())
    assert of_ours(caught) == []
    for call in (
        lambda: torch.ones(2).backward(),
        lambda: nn.CrossEntropyLoss()(X, Y[:3]),
        lambda: torch.load(tmp_path / "none.pt"),
        lambda: torch.save(lambda: 0, tmp_path / "x.pt"),
        lambda: model.load_state_dict({}),
        lambda: model.train(mode="no"),
        lambda: torch.nn.utils.clip_grad_norm_(model.parameters()),
        lambda: schedulers.ReduceLROnPlateau(optimizer).step(),
        lambda: torch.amp.GradScaler("cpu").step(optimizer, 1, 2, 3),
        lambda: optimizer.zero_grad(1, 2),
        lambda: next(iter(loader(0, 0))),
    ):
        with pytest.raises(Exception) as caught:
            call()
        assert of_ours(caught) == [], call


@pytest.mark.captures("endings")
def test_a_run_whose_script_raises_failed_with_its_message_and_keeps_its_epochs(store):
    text = """
        import dnnprov
        dnnprov.autolog("net")
        from small_torch import loader, sgd, small_model, train_epoch
        model = small_model()
        optimizer, batches = sgd(model), loader()
        for epoch in range(2):
            train_epoch(model, optimizer, batches)
        for number, batch in enumerate(batches):
            train_epoch(model, optimizer, [batch])
            if number == 1:
                raise ValueError("in the third epoch")
    """
    done = script(text, store, 1)
    assert "dnnprov/integrations" not in done.stderr
    (run,) = rows_of(store, "SELECT status, exit_reason, last_epoch FROM run")
    assert run == {"status": "failed", "exit_reason": "ValueError: in the third epoch", "last_epoch": 2}
    assert rows_of(store, "SELECT status FROM task") == [{"status": "failed"}]
    assert rows_of(store, "SELECT kind FROM problem") == []


FIRST_BATCH = """
    import dnnprov
    dnnprov.autolog("net")
    import torch
    from small_torch import X, Y, loader, sgd, small_model, train_epoch
    model, batches = small_model(), loader()
    def main():
        optimizer = sgd(model)
        {main}
    main()
"""


@pytest.mark.parametrize(
    "main",
    [
        "train_epoch(torch.nn.Sequential(model, torch.nn.Linear(1, 1)), optimizer, batches)",
        "train_epoch(model, optimizer, torch.utils.data.DataLoader([[X[0]], 'x', 3], batch_size=3))",
    ],
    ids=["forward", "data"],
)
def test_a_training_that_raises_before_its_first_step_is_a_failed_run(store, main):
    done = script(FIRST_BATCH.format(main=main), store, 1)
    assert "dnnprov/integrations" not in done.stderr
    (run,) = rows_of(store, "SELECT status, exit_reason FROM run")
    assert run["status"] == "failed"
    assert run["exit_reason"] == done.stderr.strip().splitlines()[-1]
    assert rows_of(store, "SELECT optimizer_name FROM itrainingmodel") == [{"optimizer_name": "SGD"}]
    assert rows_of(store, "SELECT tag, status FROM task") == [{"tag": "Training", "status": "failed"}]


def failing(model):
    """The model with a layer behind it that no output fits."""
    return nn.Sequential(model, nn.Linear(1, 1))


def test_one_that_raises_before_its_first_step_in_the_block_of_a_run_is_told_too(store):
    elsewhere = SimpleNamespace(optimizer=torch.optim.Adam(small_model().parameters()))

    def main(fit):
        for rate in (0.25, 0.125):
            with suppress(RuntimeError), dnnprov.start_run("net", name=f"rate {rate}"):
                fit(rate)

    def fit(rate):
        model = failing(small_model())
        train_epoch(model, sgd(model, rate), loader())

    main(fit)
    with dnnprov.start_run("net", name="good"):
        model = small_model()
        train_epoch(model, sgd(model), loader())
    assert rows_of(store, "SELECT name, status, optimizer_name, learning_rate, batch_size FROM run_overview") == [
        {"name": "rate 0.25", "status": "failed", "optimizer_name": "SGD", "learning_rate": 0.25, "batch_size": 8},
        {"name": "rate 0.125", "status": "failed", "optimizer_name": "SGD", "learning_rate": 0.125, "batch_size": 8},
        {"name": "good", "status": "finished", "optimizer_name": "SGD", "learning_rate": 0.5, "batch_size": 8},
    ]
    failed = "SELECT tag, t.status FROM task AS t JOIN run USING (run_id) WHERE name <> 'good'"
    assert rows_of(store, failed) == [{"tag": "Training", "status": "failed"}] * 2
    layers = (
        "SELECT type, COUNT(*) AS n FROM ilayers JOIN run AS r USING (run_id) WHERE r.name = 'rate 0.25' GROUP BY 1"
    )
    assert {"type": "Linear", "n": 3} in rows_of(store, layers)
    assert rows_of(store, "SELECT run_id FROM otrainingmodel JOIN run USING (run_id) WHERE name <> 'good'") == []
    assert rows_of(store, "SELECT kind FROM problem") == []
    assert elsewhere.optimizer is not None


def test_what_leaves_the_block_of_a_run_otherwise_than_by_a_failure_begins_no_training(store):
    model = small_model()
    optimizer = sgd(model)
    with pytest.raises(SystemExit), dnnprov.start_run("net"):
        for x, _ in loader():
            model(x)
            sys.exit(0)
    assert optimizer is not None
    assert rows_of(store, "SELECT status FROM run") == [{"status": "finished"}]
    assert rows_of(store, "SELECT tag FROM task") == []


@pytest.mark.parametrize(
    "main",
    [
        "{}[0]",  # nothing was drawn
        "model.eval(); [model(x) for x, _ in batches]; {}[0]",  # an evaluation
        "exec('with dnnprov.start_run(\\'m\\'):\\n    for x, _ in batches: {}[0]')",  # the run knows
    ],
    ids=["no pass", "evaluation", "in a run"],
)
def test_what_raises_outside_of_a_training_begins_none(store, main):
    script(FIRST_BATCH.format(main=main), store, 1)
    found = rows_of(store, "SELECT status FROM run") if store.exists() else []
    assert found == ([{"status": "failed"}] if "start_run" in main else [])


@pytest.mark.captures("endings")
def test_a_script_that_comes_to_its_end_has_finished(store):
    text = """
        import dnnprov
        dnnprov.autolog("net")
        import torch
        from small_torch import evaluate, loader, sgd, small_model, train_epoch
        model, criterion = small_model(), torch.nn.CrossEntropyLoss()
        optimizer, batches = sgd(model), loader(num_workers=1)
        for epoch in range(2):
            train_epoch(model, optimizer, batches, criterion)
        evaluate(model, loader(32, 48), criterion)
    """
    script(text, store)
    assert rows_of(store, "SELECT status, last_epoch FROM run") == [{"status": "finished", "last_epoch": 2}]
    assert rows_of(store, "SELECT tag, status FROM task ORDER BY task_id") == [
        {"tag": "Training", "status": "finished"},
        {"tag": "Testing", "status": "finished"},
    ]
    assert rows_of(store, "SELECT COUNT(*) AS n FROM process") == [{"n": 1}]  # the workers recorded nothing


def test_a_process_that_goes_without_a_word_leaves_the_epochs_that_were_over(store):
    text = """
        import os, signal
        import dnnprov
        dnnprov.autolog("net")
        from small_torch import loader, sgd, small_model, train_epoch
        model = small_model()
        optimizer, batches = sgd(model), loader()
        for epoch in range(3):
            train_epoch(model, optimizer, batches)
        os.kill(os.getpid(), signal.SIGTERM)
    """
    script(text, store, -15)
    assert [row["epoch"] for row in rows_of(store, "SELECT epoch FROM oTrainingModel ORDER BY epoch")] == [1, 2, 3]


def test_spawned_workers_of_a_loader_record_and_say_nothing(store, tmp_path):
    (tmp_path / "train.py").write_text(
        textwrap.dedent(
            """
            import dnnprov
            dnnprov.autolog("net")
            from small_torch import loader, sgd, small_model, train_epoch
            if __name__ == "__main__":
                model = small_model()
                optimizer = sgd(model)
                batches = loader(num_workers=2, multiprocessing_context="spawn", persistent_workers=True)
                for epoch in range(3):
                    train_epoch(model, optimizer, batches)
            """
        )
    )
    done = script("", store, 0, str(tmp_path / "train.py"))
    assert done.stderr.count("dnnprov: autolog records") == 1
    assert [row["epoch"] for row in rows_of(store, "SELECT epoch FROM oTrainingModel ORDER BY epoch")] == [1, 2, 3]
    assert rows_of(store, "SELECT COUNT(*) AS n FROM process") == [{"n": 1}]
    assert rows_of(store, "SELECT num_workers FROM iTrainingModel") == [{"num_workers": 2}]


def test_a_forked_child_that_trains_does_so_by_itself(store):
    text = """
        import os
        import dnnprov
        dnnprov.autolog("net")
        from small_torch import loader, sgd, small_model, train_epoch
        model = small_model()
        optimizer = sgd(model)
        train_epoch(model, optimizer, loader())
        child = os.fork()
        if child == 0:
            other = small_model()
            train_epoch(other, sgd(other, 0.25), loader())
            del other
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        train_epoch(model, optimizer, loader())
    """
    script(text, store)
    rows = rows_of(store, "SELECT run_id, epoch, learning_rate FROM oTrainingModel ORDER BY learning_rate, epoch")
    assert [(row["epoch"], row["learning_rate"]) for row in rows] == [(1, 0.25), (1, 0.5), (2, 0.5)]
    assert rows[0]["run_id"] != rows[1]["run_id"] == rows[2]["run_id"]


# Values and objects of any kind


def test_a_diverged_loss_is_kept(recorded):
    model = small_model()
    train_epoch(model, sgd(model), loader(), lambda out, y: nn.functional.cross_entropy(out, y) * math.nan)
    del model
    (event,) = [event for event in recorded.events(ElementsRecorded) if event.set == "oTrainingModel"]
    assert event.non_finite == [{"loss": "NaN"}]


class Hostile(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 3)
        self.modules = self.named_modules = self.children = self.parameters = None
        self.p = self.bias = self

    def forward(self, x):
        return self.inner(x)

    def __repr__(self):
        raise RuntimeError("no words")

    def __getattr__(self, name):
        if name.startswith("_dnn") or name in {"in_features", "config"}:
            raise ValueError(name)
        return super().__getattr__(name)


class WithoutRate(torch.optim.Optimizer):
    def __init__(self, parameters):
        super().__init__(parameters, {"note": Words(), "gain": torch.tensor(0.5)})

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.sub_(parameter.grad, alpha=0.1)


class Words:
    def __repr__(self):
        raise RuntimeError("no words")

    __str__ = __repr__


def test_objects_that_raise_shadow_or_have_no_rate_are_recorded_as_far_as_can_be(recorded):
    model = Hostile()
    del model.p
    del model.bias
    optimizer = WithoutRate(model.inner.parameters())
    for _ in range(2):
        for x, y in loader():
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    recordings._finish_all()
    found = recorded.parameters()
    assert (found["optimizer_name"], found["gain"], found["note"]) == ("WithoutRate", 0.5, "Words")
    assert "learning_rate" not in found
    assert [row["type"] for row in recorded.rows("iLayers")] == ["Linear"]
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1, 2]


def test_what_is_wrapped_keeps_its_signature_and_can_be_pickled_and_copied():
    for owner, name in ((DataLoader, "__iter__"), (torch.Tensor, "backward"), (torch, "save"), (torch, "load")):
        seen = getattr(owner, name)
        assert seen.__name__ == name
        assert inspect.signature(seen) == inspect.signature(seen.__wrapped__)
    assert hooks.install() == []
    assert not hasattr(torch.Tensor.backward.__wrapped__, "__wrapped__")
    batches, criterion, model = loader(), nn.CrossEntropyLoss(), small_model()
    optimizer = sgd(model)
    train_epoch(model, optimizer, batches, criterion)
    evaluate(model, batches, criterion)
    for thing in (batches, criterion, model, optimizer, optimizer.step):
        if thing is not optimizer.step:
            assert b"dnnprov" not in pickle.dumps(thing)
        copy.deepcopy(thing)


# Failures of ours


def fail(*args, **kwargs):
    raise RuntimeError("of ours")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (loops.Loop, "begin_pass"),
        (loops.Loop, "end_pass"),
        (loops.Loop, "went_back"),
        (loops.Loop, "zeroed"),
        (loops.Loop, "begin_step"),
        (loops.Loop, "stepped"),
        (loops.Loop, "called"),
        (loops.Loop, "switched_to_evaluation"),
        (loops, "find_living"),
        (loops, "begin_training"),
        (beginning, "starting_values"),
        (beginning, "schedule_values"),
        (beginning, "loader_values"),
        (beginning, "layer_rows"),
        (beginning, "model_values"),
        (beginning, "filter_rows"),
        (beginning, "record_data"),
        (beginning, "use_files"),
        (hooks, "note_metric"),
        (hooks, "tell_written"),
        (hooks, "file_to_read"),
        (hooks, "tell_put_into"),
    ],
)
@pytest.mark.filterwarnings("ignore:dnnprov:RuntimeWarning")
def test_a_failure_of_ours_never_comes_into_the_training(recorded, monkeypatch, tmp_path, owner, name):
    def train():
        model, criterion = small_model(), nn.CrossEntropyLoss()
        optimizer, batches = sgd(model), loader()
        plateau = schedulers.ReduceLROnPlateau(optimizer)
        losses = []
        for _ in range(2):
            losses.append(train_epoch(model, optimizer, batches, criterion))
            losses.append(evaluate(model, loader(32, 48), criterion))
            plateau.step(losses[-1])
        torch.save(model.state_dict(), tmp_path / "m.pt")
        model.load_state_dict(torch.load(tmp_path / "m.pt"))
        return losses

    dnnprov.autolog(torch=False)
    expected = train()
    dnnprov.autolog("net")
    monkeypatch.setattr(owner, name, fail)
    assert train() == expected


@pytest.mark.filterwarnings("ignore:dnnprov:RuntimeWarning")
def test_a_failure_of_ours_is_told(recorded, monkeypatch):
    monkeypatch.setattr(beginning, "layer_rows", fail)
    model = small_model()
    train_epoch(model, sgd(model), loader())
    del model
    assert [event.kind for event in recorded.events(ProblemRecorded)] == ["capture_failure"]
    assert [row["epoch"] for row in recorded.rows("oTrainingModel")] == [1]


# Who records


def test_what_another_integration_has_claimed_is_not_recorded(recorded):
    model = small_model()
    with claimed("lightning"):
        train_epoch(model, sgd(model), loader())
    assert recorded.events() == []


def test_threads_train_beside_one_another(recorded):
    def train(rate):
        model = small_model()
        optimizer = sgd(model, rate)
        for _ in range(3):
            train_epoch(model, optimizer, loader())

    threads = [threading.Thread(target=train, args=(rate,)) for rate in (0.5, 0.25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = recorded.rows("oTrainingModel")
    found = sorted((row["learning_rate"], row["epoch"]) for row in rows)
    assert found == [(rate, epoch) for rate in (0.25, 0.5) for epoch in (1, 2, 3)]
    assert len(recorded.events(RunStarted)) == 2
    assert recorded.events(ProblemRecorded) == []


# The explicit form


def test_watch_records_without_autolog_and_ends_with_its_block(recorded):
    dnnprov.autolog(torch=False)
    model = small_model()
    optimizer = sgd(model)
    scheduler = schedulers.ExponentialLR(optimizer, 0.5)
    with dnnprov.torch.watch(model, optimizer, scheduler, dataflow="watched", params={"note": "x"}) as watch:
        for epoch in (10, 11):
            loss = train_epoch(model, optimizer, loader())
            scheduler.step()
            watch.log_epoch(epoch, accuracy=0.5)
    train_epoch(small_model(), sgd(small_model()), loader())  # nobody asked for that
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["watched"]
    rows = recorded.rows("oTrainingModel")
    assert [(row["epoch"], row["accuracy"], row["learning_rate"]) for row in rows] == [(10, 0.5, 0.5), (11, 0.5, 0.25)]
    assert rows[1]["loss"] == pytest.approx(loss, rel=1e-6)
    assert recorded.adaptations() == [(11, "ExponentialLR", 0.5, 0.25)]
    assert {"note": "x", "optimizer_name": "SGD"}.items() <= recorded.parameters().items()
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]
    assert watch.run.status == "finished"


def test_watch_tells_how_a_training_was_left_that_raised_before_its_first_step(recorded):
    model = small_model()
    optimizer = sgd(model)
    with pytest.raises(KeyError), dnnprov.torch.watch(model, optimizer):
        train_epoch(model, optimizer, loader())
        raise KeyError("x")
    assert [event.status for event in recorded.events(TaskEnded)] == ["failed"]
    assert [(event.status, event.reason) for event in recorded.events(RunEnded)] == [("failed", "KeyError: 'x'")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda m, o: (o, m), r"model is a SGD; expected an nn.Module"),
        (lambda m, o: (m, m), r"optimizer: a Sequential has no param_groups; expected an optimizer"),
        (lambda m, o: (m, "SGD"), r"optimizer: a str has no param_groups"),
        (lambda m, o: (m, []), r"optimizer=\[\] is a list; expected an optimizer"),
        (lambda m, o: (m, o, None, 3), r"dataflow=3 is no tag"),
        (lambda m, o: (m, o, None, "x", "params"), r"params='params' is a str"),
    ],
)
def test_what_cannot_be_watched_is_one_clear_error(arguments, message):
    model = small_model()
    with pytest.raises(UsageError, match=message):
        dnnprov.torch.watch(*arguments(model, sgd(model)))


def test_logged_epochs_close_the_epochs_of_a_loop_without_a_loader(recorded):
    model = small_model()
    optimizer, losses = sgd(model), []
    with dnnprov.start_run("mine") as run:
        for epoch in range(3):
            for _ in range(2):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(X), Y)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            run.log_epoch(epoch, accuracy=torch.tensor(0.5))
    rows = recorded.rows("oTrainingModel")
    assert [(row["epoch"], row["accuracy"]) for row in rows] == [(0, 0.5), (1, 0.5), (2, 0.5)]
    assert [row["loss"] for row in rows] == pytest.approx([sum(losses[n : n + 2]) / 2 for n in (0, 2, 4)], rel=1e-6)
    assert [event.tag for event in recorded.events(TaskBegan)] == ["Training"]


def test_epochs_that_are_logged_within_a_pass_end_there(recorded):
    model = small_model()
    optimizer, losses = sgd(model), []
    with dnnprov.start_run("mine") as run:
        for number, (x, y) in enumerate(loader(0, 48), start=1):
            losses.append(train_epoch(model, optimizer, [(x, y)]))
            if number % 2 == 0:
                run.log_epoch(accuracy=number)
    rows = recorded.rows("oTrainingModel")
    assert [(row["epoch"], row["accuracy"]) for row in rows] == [(1, 2), (2, 4), (3, 6)]
    assert [row["loss"] for row in rows] == pytest.approx([sum(losses[n : n + 2]) / 2 for n in (0, 2, 4)], rel=1e-6)


def operations(num_epochs, num_steps):
    """How often each operation of PyTorch was called in a training, whose loop itself reads nothing."""
    model, criterion = small_model(), nn.CrossEntropyLoss()
    optimizer = sgd(model)
    scheduler = schedulers.OneCycleLR(optimizer, 0.5, total_steps=100)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        for _ in range(num_epochs):
            for x, y in loader(0, num_steps, batch_size=1):
                optimizer.zero_grad()
                criterion(model(x), y).backward()
                optimizer.step()
                scheduler.step()
        end_of_program()
    return Counter({event.key: event.count for event in profiler.key_averages()})


def end_of_program():
    """What happens at exit: all trainings have come to their ends."""
    recordings._finish_all()


def test_no_step_waits_for_the_device(recorded):
    """Reading a value is what waits: once an epoch, however many steps; a step copies its loss on the device."""
    shapes = [(2, 5), (2, 25), (4, 25)]
    dnnprov.autolog(torch=False)
    bare = [operations(*shape) for shape in shapes]
    dnnprov.autolog("net")
    few_steps, many_steps, many_epochs = (operations(*shape) - one for shape, one in zip(shapes, bare, strict=True))
    of_steps, of_epochs = many_steps - few_steps, many_epochs - many_steps
    assert {name: count for name, count in of_steps.items() if name.startswith("aten::")} == {"aten::copy_": 2 * 20}
    for reading in ("aten::item", "aten::_local_scalar_dense"):
        assert of_epochs[reading] == 2
    assert of_epochs["aten::to"] == of_epochs["aten::_to_copy"] == 0


def test_the_mean_of_many_losses_is_that_of_all(recorded):
    """More than wait on the device at once, some of them made where nothing can be trained."""
    model = small_model()
    optimizer = sgd(model, 0.01)
    losses = []
    for _ in range(2):
        for x, y in loader(0, 64, batch_size=1):
            for number in range(3):
                loss = nn.functional.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                with torch.inference_mode(mode=number == 1):
                    optimizer.step()
                losses.append(loss.item())
                loss.detach().zero_()  # the loop goes on with the place that its loss stood in
    end_of_program()
    means = [sum(losses[begin : begin + 192]) / 192 for begin in (0, 192)]
    assert [row["loss"] for row in recorded.rows("oTrainingModel")] == pytest.approx(means, rel=1e-6)
