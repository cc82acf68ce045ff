"""The row of an epoch is there as soon as it has trained: seen while it is validated, and kept over `kill -9`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest
from torch import nn

import dnnprov
from dnnprov.integrations.run_choice import RunChoice
from dnnprov.integrations.torch.losses import Kept
from dnnprov.integrations.training_steps import TrainingSteps
from dnnprov.model.events import ElementAmended
from recorded import column_of, rows_of
from small_torch import evaluate, loader, sgd, small_model, train_epoch

ROWS = "SELECT epoch, loss, val_loss, learning_rate, elapsed_time FROM otrainingmodel ORDER BY element_id"


def killed(text, store):
    """Run a script that kills itself, which prints what it knows before."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "DNNPROV_STORE": str(store), "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == -9, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


class Asking(nn.CrossEntropyLoss):
    """Looks at the database in the middle of an evaluation."""

    def __init__(self, store):
        super().__init__()
        self.store, self.seen = store, []

    def forward(self, out, y):
        self.seen.append(rows_of(self.store, ROWS))
        return super().forward(out, y)


def test_plain_loop_killed_in_a_validation_loses_nothing_of_the_epoch(store):
    said = killed(
        """
        import json, os, signal
        import dnnprov
        dnnprov.autolog("net")
        from itertools import islice
        from torch import nn
        from small_torch import evaluate, loader, sgd, small_model, train_epoch
        model, criterion = small_model(), nn.CrossEntropyLoss()
        optimizer, batches, others = sgd(model), loader(), loader(32, 64)
        losses, number = [], 0
        class UntilTheSecondEpoch(nn.CrossEntropyLoss):
            def forward(self, out, y):
                if number == 2:
                    print(json.dumps(losses), flush=True)
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().forward(out, y)
        for number in (1, 2):
            model.train()
            losses.append(train_epoch(model, optimizer, batches if number == 1 else islice(batches, 3), criterion))
            losses.append(evaluate(model, others, UntilTheSecondEpoch()))
        """,
        store,
    )
    first, second = rows_of(store, ROWS)
    assert (first["epoch"], second["epoch"]) == (1, 2)
    assert [first["loss"], first["val_loss"], second["loss"]] == pytest.approx(said, rel=1e-6)
    assert (second["val_loss"], second["learning_rate"]) == (None, 0.5)
    assert second["elapsed_time"] > 0
    assert rows_of(store, "SELECT status, last_epoch FROM run") == [{"status": "crashed", "last_epoch": 2}]


def test_trainer_killed_in_an_evaluation_loses_nothing_of_the_epoch(store, tmp_path):
    said = killed(
        f"""
        import json, os, signal, sys
        from pathlib import Path
        import dnnprov
        dnnprov.autolog("bert")
        from small_transformers import trainer
        evaluations = []
        def last_words(predicted):
            evaluations.append(1)
            if len(evaluations) == 2:
                print(json.dumps([one.get("eval_loss") for one in made.state.log_history]), flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            return {{"accuracy": 0.5}}
        made = trainer(Path({str(tmp_path)!r}), eval_strategy="epoch")
        made.compute_metrics = last_words
        made.train()
        """,
        store,
    )
    first, second = rows_of(store, ROWS)
    assert (first["epoch"], first["val_loss"]) == (1, pytest.approx(next(filter(None, said))))
    assert (second["epoch"], second["val_loss"]) == (2, None)
    assert 0 < second["loss"] < 2
    assert second["learning_rate"] > 0


def test_plain_loop_shows_the_epoch_while_it_is_validated_and_amends_it(store, recorded):
    dnnprov.autolog("net")
    model, asking = small_model(), Asking(store)
    optimizer, batches, others, seen = sgd(model), loader(), loader(32, 48), asking.seen
    losses = []
    for _ in range(3):
        losses.append(train_epoch(model, optimizer, batches))
        evaluate(model, others, asking)
    assert [len(rows) for rows in seen] == [1, 1, 2, 2, 3, 3]
    for number, (one, other) in enumerate(zip(seen[::2], seen[1::2], strict=True)):
        assert one == other
        assert (one[-1]["loss"], one[-1]["val_loss"]) == (pytest.approx(losses[number]), None)
        assert all(row["val_loss"] is not None for row in one[:-1])
    rows = rows_of(store, ROWS)
    assert [row["epoch"] for row in rows] == [1, 2, 3]  # also the last, before the training is known to be over
    assert None not in [row["val_loss"] for row in rows]
    assert all(row["elapsed_time"] > at_first["elapsed_time"] for row, at_first in zip(rows, seen[-1], strict=True)
               if at_first["val_loss"] is None)  # fmt: skip
    assert len(recorded.events(ElementAmended)) == 3
    assert all(one < other for one, other in pairwise(column_of(store, "SELECT timestamp FROM otrainingmodel")))


def test_a_loss_is_read_from_its_device_once_and_what_adds_nothing_writes_nothing(store, recorded, monkeypatch):
    dnnprov.autolog("net")
    read, total = [], Kept.total
    monkeypatch.setattr(Kept, "total", lambda self: read.append(1) or total(self))
    model = small_model()
    optimizer, batches = sgd(model), loader()
    for _ in range(4):
        train_epoch(model, optimizer, batches)
    del model, optimizer
    assert column_of(store, "SELECT epoch FROM otrainingmodel") == [1, 2, 3, 4]
    assert len(read) == 4
    assert recorded.events(ElementAmended) == []


def test_an_epoch_is_one_row_under_the_number_that_the_loop_gives_it(store):
    with dnnprov.start_run("net") as run:
        dnnprov.autolog("net")
        model = small_model()
        optimizer, batches = sgd(model), loader()
        for number in range(3):
            train_epoch(model, optimizer, batches)
            assert len(rows_of(store, ROWS)) == number + 1
            run.log_epoch(number, accuracy=number / 4)
    rows = rows_of(store, "SELECT epoch, accuracy, loss IS NOT NULL AS has_loss FROM otrainingmodel")
    assert rows == [{"epoch": number, "accuracy": number / 4, "has_loss": 1} for number in range(3)]
    assert rows_of(store, "SELECT last_epoch, accuracy FROM run") == [{"last_epoch": 2, "accuracy": 0.5}]


def test_an_error_in_a_validation_leaves_the_epoch_as_it_trained(store):
    def fail(out, y):
        raise ValueError("no validation")

    dnnprov.autolog("net")
    with pytest.raises(ValueError, match="no validation"), dnnprov.start_run("net"):
        model = small_model()
        loss = train_epoch(model, sgd(model), loader())
        evaluate(model, loader(32, 48), fail)
    assert [(row["epoch"], row["loss"], row["val_loss"]) for row in rows_of(store, ROWS)] == [
        (1, pytest.approx(loss), None)
    ]


@pytest.mark.filterwarnings("ignore")
def test_lightning_shows_the_epoch_while_it_is_validated_and_amends_it(store, tmp_path, recorded, monkeypatch):
    pytest.importorskip("lightning.pytorch")
    import small_lightning as small

    class Asking(small.Net):
        def validation_step(self, batch, index):
            seen.append(rows_of(store, ROWS))
            super().validation_step(batch, index)

    seen, read, total = [], [], Kept.total
    monkeypatch.setattr(Kept, "total", lambda self: read.append(1) or total(self))
    net = Asking()
    with dnnprov.lightning.Callback("net") as callback:
        small.trainer(tmp_path, [callback]).fit(net, small.loader(), small.loader(8))
    half = len(net.step_losses) // 2
    losses = [sum(part) / half for part in (net.step_losses[:half], net.step_losses[half:])]
    in_first, in_second = seen[0], seen[-1]
    assert [(row["epoch"], row["loss"], row["val_loss"]) for row in in_first] == [(1, pytest.approx(losses[0]), None)]
    assert in_second[0]["val_loss"] is not None
    assert (in_second[1]["loss"], in_second[1]["val_loss"]) == (pytest.approx(losses[1]), None)
    assert in_second[1]["learning_rate"] == 0.1
    rows = rows_of(store, ROWS)
    assert [(row["epoch"], row["loss"]) for row in rows] == [
        (1, pytest.approx(losses[0])),
        (2, pytest.approx(losses[1])),
    ]
    assert None not in [row["val_loss"] for row in rows]
    assert len(read) == 2


def test_keras_killed_in_a_validation_loses_nothing_of_the_epoch(store):
    pytest.importorskip("keras")
    said = killed(
        """
        import json, os, signal
        import dnnprov
        dnnprov.autolog("net")
        import small_keras as small
        losses = []
        class InTheSecondValidation(small.keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                self.latest = logs["loss"]
            def on_epoch_end(self, epoch, logs=None):
                losses.extend([logs["loss"], logs["val_loss"]])
            def on_test_batch_end(self, batch, logs=None):
                if losses:
                    print(json.dumps([*losses, self.latest]), flush=True)
                    os.kill(os.getpid(), signal.SIGKILL)
        small.fit(small.small_model(), [InTheSecondValidation()], epochs=3, validation_split=0.5)
        """,
        store,
    )
    first, second = rows_of(store, ROWS)
    assert (first["epoch"], second["epoch"]) == (1, 2)
    assert [first["loss"], first["val_loss"], second["loss"]] == pytest.approx(said)
    assert (second["val_loss"], second["learning_rate"]) == (None, 0.5)
    assert second["elapsed_time"] > 0
    assert rows_of(store, "SELECT status, last_epoch FROM run") == [{"status": "crashed", "last_epoch": 2}]


def test_keras_whose_step_says_other_values_than_its_metrics_has_these_in_its_rows(store):
    pytest.importorskip("keras")
    import small_keras as small

    if small.keras.backend.backend() != "jax":
        pytest.skip("a step of the user's own is written for one backend")

    class Own(small.keras.Sequential):
        def train_step(self, *args):
            logs, state = super().train_step(*args)
            return {"own": logs["loss"]}, state

    own = Own(small.small_model().layers)
    own.compile("sgd", "sparse_categorical_crossentropy")
    with dnnprov.keras.ProvenanceCallback("net") as provenance:
        history = small.fit(own, [provenance], validation_split=0.5).history
    rows = rows_of(store, "SELECT * FROM otrainingmodel ORDER BY element_id")
    assert [row["own"] for row in rows] == history["own"]
    assert all(row.get("loss") is None for row in rows)


def test_keras_writes_the_row_before_callbacks_that_may_take_long(store):
    pytest.importorskip("keras")
    import small_keras as small

    class Saving(small.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(rows_of(store, ROWS))

    seen = []
    with dnnprov.keras.ProvenanceCallback("net") as provenance:
        small.fit(small.small_model(), [Saving(), provenance], validation_split=0.5)
    assert [len(rows) for rows in seen] == [1, 2]
    assert seen[1] == rows_of(store, ROWS)
    assert None not in [row["val_loss"] for row in seen[1]]


class OnDevice:
    """A value that counts how often it is read."""

    def __init__(self, value):
        self.value, self.num_reads = value, 0

    def __float__(self):
        self.num_reads += 1
        return self.value


def test_a_value_on_a_device_is_read_once_however_often_its_row_is_told(store, recorded):
    loss, other = OnDevice(0.5), OnDevice(0.5)
    with dnnprov.start_run("net") as run:
        steps = TrainingSteps(RunChoice("net", run=run))
        steps.begin_training({})
        steps.begin_epoch(1)
        steps.close_epoch()
        for metrics in (
            {"loss": loss},
            {"loss": loss},
            {"loss": loss, "val_loss": 0.75},
            {"loss": other, "val_loss": 1},
        ):
            steps.tell_epoch(1, metrics)
        steps.end_epoch(1, {"loss": other, "val_loss": 1.0})
        for epoch in (2, 3):  # whose end nobody tells
            steps.begin_epoch(epoch)
            steps.close_epoch()
            steps.owe_epoch(epoch, {"loss": 0.5 / epoch})
    assert (loss.num_reads, other.num_reads) == (1, 1)
    assert [event.values["val_loss"] for event in recorded.events(ElementAmended)] == [0.75, 1, 1.0]
    assert [(row["epoch"], row["loss"], row["val_loss"]) for row in rows_of(store, "SELECT * FROM otrainingmodel")] == [
        (1, 0.5, 1.0),
        (2, 0.25, None),
        (3, pytest.approx(0.5 / 3), None),
    ]
