"""Loops that train with JAX: Flax NNX and linen with optax, told once an epoch."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import pytest
from flax import linen, nnx, serialization
from flax.training.train_state import TrainState

import dnnprov
from dnnprov.errors import UsageError
from dnnprov.integrations.jax.layers import layer_rows
from dnnprov.integrations.jax.schedules import leads_to, schedule_name
from dnnprov.integrations.jax.transformations import made_of
from dnnprov.jax import watch
from dnnprov.model.events import ParametersSet, ProblemRecorded, RunEnded, TaskBegan, TaskEnded
from recorded import column_of, rows_of

X = np.random.default_rng(3).normal(size=(24, 4)).astype("float32")
Y = (X.sum(axis=1) > 0).astype("int32")


class Net(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(4, 8, rngs=rngs)
        self.drop = nnx.Dropout(0.4, rngs=rngs)
        self.tail = getattr(nnx, "List", list)(
            [nnx.BatchNorm(8, rngs=rngs), nnx.Linear(8, 2, use_bias=False, rngs=rngs)]
        )

    def __call__(self, x):
        x = self.drop(nnx.relu(self.hidden(x)))
        for layer in self.tail:
            x = layer(x)
        return x


def loss_of(model, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()


@nnx.jit
def nnx_step(model, optimizer, x, y):
    loss, gradients = nnx.value_and_grad(loss_of)(model, x, y)
    optimizer.update(model, gradients)
    return loss


def halved_every_two_steps(count):
    return 0.5 * 0.5 ** (count // 2)


def nnx_loop(training=None, epochs=3, folder=None):
    """Two steps an epoch; losses on the device. Files come in the forms that people write them in."""
    model = Net(nnx.Rngs(0))
    rates = optax.inject_hyperparams(optax.sgd)(learning_rate=halved_every_two_steps, momentum=0.9)
    optimizer = nnx.Optimizer(model, rates, wrt=nnx.Param)
    watched = None if training is None else training(model, optimizer)
    losses = []
    if watched is not None:
        watched.uses_data(jnp.asarray(X), Y)
    for epoch in range(1, epochs + 1):
        for part in (slice(0, 12), slice(12, 24)):
            losses.append(nnx_step(model, optimizer, X[part], Y[part]))
            if watched is not None:
                watched.step(loss=losses[-1])
        if watched is not None:
            watched.epoch(epoch, **{"accuracy": 0.5, "val/loss": 1 / epoch})
    if folder is not None:
        for path in write_files(model, folder):
            watched.add_file(path, "checkpoint")
    if watched is not None:
        watched.test(accuracy=0.75)
        watched.finish()
    return [float(loss) for loss in losses]


def write_files(model, folder):
    weights = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    leaves = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(weights)[0]}
    np.savez(folder / "weights.npz", **leaves)
    (folder / "weights.msgpack").write_bytes(serialization.msgpack_serialize(leaves))
    with warnings.catch_warnings(), orbax.checkpoint.StandardCheckpointer() as checkpointer:
        warnings.simplefilter("ignore")  # its own, of many kinds
        checkpointer.save(folder / "orbax", weights)
    return [folder / "weights.npz", folder / "weights.msgpack", folder / "orbax"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A store with one training of Flax NNX, and its losses."""
    place = tmp_path_factory.mktemp("jax") / "store"
    stated = {"batch_size": 12, "loss_function": optax.softmax_cross_entropy_with_integer_labels}
    losses = nnx_loop(
        lambda *parts: watch(*parts, dataflow="net", params=stated, store=place, batches=True), folder=place.parent
    )
    return place, losses


@pytest.mark.captures("validation")
def test_what_is_told_of_the_validation_is_in_the_row_of_its_epoch(done):
    assert column_of(done[0], "SELECT val_loss FROM oTrainingModel ORDER BY epoch") == [1.0, 1 / 2, 1 / 3]


@pytest.mark.captures("batches")
def test_what_steps_were_given_are_series(done):
    place, losses = done
    rows = rows_of(place, "SELECT step, epoch, value FROM metric WHERE name = 'loss' ORDER BY step")
    assert [row["value"] for row in rows] == pytest.approx(losses)
    assert [(row["step"], row["epoch"]) for row in rows] == [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (5, 3)]


@pytest.mark.captures("data")
def test_the_arrays_of_a_training_are_its_data_with_the_hash_that_other_frameworks_give_them(done):
    (row,) = rows_of(done[0], "SELECT * FROM iTrainingData")
    assert (row["inputs_shape"], row["targets_shape"], row["num_samples"]) == ("[24, 4]", "[24]", 24)
    assert row["sha256"] == hashlib.sha256(X.tobytes() + Y.tobytes()).hexdigest()
    assert row["num_classes"] == 2


@pytest.mark.captures("loss function")
def test_a_loss_function_that_is_stated_is_told_by_its_name(done):
    (name,) = column_of(done[0], "SELECT loss_function FROM iTrainingModel")
    assert name == "softmax_cross_entropy_with_integer_labels"


@pytest.mark.captures("files")
def test_files_and_folders_of_the_training_are_hashed(done):
    rows = rows_of(done[0], "SELECT path, role, sha256, relation FROM file JOIN task USING (task_id)"
                            " WHERE tag = 'Training' ORDER BY file_id")  # fmt: skip
    assert [row["path"].rpartition("/")[2] for row in rows] == ["weights.npz", "weights.msgpack", "orbax"]
    assert all(row["role"] == "checkpoint" and row["relation"] == "generated" and row["sha256"] for row in rows)


@pytest.mark.captures("epochs")
def test_an_epoch_has_the_means_of_its_steps_and_what_it_was_told(done):
    place, losses = done
    rows = rows_of(place, "SELECT epoch, loss, accuracy, elapsed_time FROM oTrainingModel ORDER BY epoch")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    means = [(first + second) / 2 for first, second in zip(losses[::2], losses[1::2], strict=True)]
    assert [row["loss"] for row in rows] == pytest.approx(means, rel=1e-5)
    assert all(row["accuracy"] == 0.5 and row["elapsed_time"] > 0 for row in rows)


@pytest.mark.captures("hyperparameters")
def test_hyperparameters_are_read_from_the_optimizer(done):
    place, _ = done
    rows = rows_of(place, "SELECT optimizer_name, learning_rate, momentum, nesterov, batch_size, num_parameters,"
                          " learning_rate_schedule FROM iTrainingModel")  # fmt: skip
    assert rows == [
        {"optimizer_name": "sgd", "learning_rate": 0.5, "momentum": 0.9, "nesterov": 0, "batch_size": 12,
         "num_parameters": 40 + 16 + 16, "learning_rate_schedule": "halved_every_two_steps"},
    ]  # fmt: skip


@pytest.mark.captures("adaptations")
def test_a_schedule_is_an_adaptation_of_the_first_epoch_that_trains_with_the_new_rate(done):
    place, _ = done
    changes = rows_of(place, "SELECT epoch, technique, agent, old_value, new_value FROM oAdaptation ORDER BY epoch")
    assert [tuple(row.values()) for row in changes] == [
        (2, "halved_every_two_steps", "schedule", 0.5, 0.25),
        (3, "halved_every_two_steps", "schedule", 0.25, 0.125),
    ]
    assert column_of(place, "SELECT learning_rate FROM oTrainingModel ORDER BY epoch") == [0.5, 0.25, 0.125]


@pytest.mark.captures("layers")
def test_the_layers_of_a_module_are_described(done):
    place, _ = done
    rows = rows_of(place, "SELECT position, name, type, units, rate, num_parameters FROM iLayers ORDER BY position")
    assert [tuple(row.values()) for row in rows] == [
        (1, "hidden", "Linear", 8, None, 40),
        (2, "drop", "Dropout", None, 0.4, 0),
        (3, "tail.0", "BatchNorm", 8, None, 16),
        (4, "tail.1", "Linear", 2, None, 16),
    ]


@pytest.mark.captures("test")
def test_the_test_comes_after_the_training_and_the_run_ends_well(done):
    place, _ = done
    assert column_of(place, "SELECT tag FROM task ORDER BY task_id") == ["Training", "Adaptation", "Testing"]
    assert column_of(place, "SELECT accuracy FROM oTestingModel") == [0.75]
    assert rows_of(place, "SELECT status, accuracy, accuracy_source FROM run") == [
        {"status": "finished", "accuracy": 0.75, "accuracy_source": "test"}
    ]
    assert column_of(place, "SELECT detail FROM problem") == []


@pytest.mark.captures("unchanged results")
def test_the_losses_are_the_same_to_the_bit_without_recording(done):
    assert nnx_loop() == done[1]


def test_a_step_reads_no_value(recorded):
    class Unread:
        """What lies on a device that has not come so far."""

        def __add__(self, other):
            return self

        def __float__(self):
            raise RuntimeError("read")

    training = watch(dataflow="net", batches=True)
    training.step(loss=Unread())
    training.step(loss=Unread())
    assert recorded.events(ProblemRecorded) == []
    training.finish()


def test_calls_within_a_trace_leave_it_alone_and_say_where_they_belong(recorded):
    weights = {"w": jnp.ones((3, 2))}
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=0.5)

    @jax.jit
    def step(weights, state):
        training = watch(weights, optimizer, state, dataflow="net")
        training.uses_data(weights["w"])
        training.step(loss=weights["w"].mean())
        training.epoch(1, state, loss=weights["w"].mean())
        return weights["w"].mean(), training.finish()

    with pytest.warns(RuntimeWarning, match="was called while a function was traced") as told:
        assert float(step(weights, optimizer.init(weights))[0]) == 1.0
    assert {str(one.message).partition(" was called")[0].rpartition(" ")[2] for one in told} <= {
        "step", "epoch", "uses_data",
    }  # fmt: skip
    assert recorded.rows("oTrainingModel") == []
    assert recorded.parameters() == {"optimizer_name": "sgd", "nesterov": False, "num_parameters": 6}


def test_values_of_steps_whose_buffers_are_given_away_are_kept(recorded):
    @partial(jax.jit, donate_argnums=0)
    def step(loss):
        return loss + 1

    loss = jnp.float32(1.0)
    with watch(dataflow="net", batches=True) as training:
        for _ in range(3):
            training.step(loss=loss)
            loss = step(loss)  # which takes the buffer
        training.epoch(1)
    assert [row["loss"] for row in recorded.rows("oTrainingModel")] == [2.0]
    assert recorded.events(ProblemRecorded) == []


# Flax linen, and optax without more


class LinenNet(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.relu(linen.Conv(3, (2, 2))(x))
        return linen.Dense(2)(x.reshape(len(x), -1))


def test_a_train_state_of_linen_is_all_that_is_needed(recorded):
    model = LinenNet()
    images = jnp.asarray(X.reshape(24, 2, 2, 1))
    weights = model.init(jax.random.key(0), images)["params"]
    adam = optax.adamw(optax.exponential_decay(0.1, 1, 0.5), weight_decay=0.01)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), adam)
    state = TrainState.create(apply_fn=model.apply, params=weights, tx=optimizer)

    @jax.jit
    def step(state):
        def loss_of(params):
            return optax.softmax_cross_entropy_with_integer_labels(state.apply_fn({"params": params}, images), Y).mean()

        loss, gradients = jax.value_and_grad(loss_of)(state.params)
        return state.apply_gradients(grads=gradients), loss

    with watch(state, dataflow="net") as training:
        for epoch in (1, 2):
            state, loss = step(state)
            training.epoch(epoch, state, loss=loss)
    expected = {"optimizer_name": "adamw", "learning_rate": 0.1, "weight_decay": 0.01, "max_norm": 1.0, "b1": 0.9,
                "learning_rate_schedule": "exponential_decay"}  # fmt: skip
    assert expected.items() <= recorded.parameters().items()
    assert recorded.adaptations() == [(2, "exponential_decay", 0.1, 0.05)]
    rows = recorded.rows("iLayers")
    assert [(row["name"], row["type"], row["num_parameters"]) for row in rows] == [
        ("Conv_0", "Conv", 15),
        ("Dense_0", "Dense", 26),
    ]
    assert (rows[0]["filters"], rows[0]["kernel_size"], rows[1]["units"]) == (3, "[2, 2]", 2)
    assert all(isinstance(row["loss"], float) for row in recorded.rows("oTrainingModel"))
    assert recorded.events(ProblemRecorded) == []


@pytest.mark.captures("adaptations")
def test_a_rate_that_the_loop_sets_is_changed_by_hand(recorded):
    weights = {"w": jnp.ones((3, 2))}
    optimizer = optax.inject_hyperparams(optax.adam)(learning_rate=0.5)
    state = optimizer.init(weights)
    with watch(weights, optimizer, state, dataflow="net") as training:
        training.epoch(1, state)
        state.hyperparams["learning_rate"] = jnp.float32(0.25)
        training.epoch(2, state)
    assert recorded.adaptations() == [(2, "manual", 0.5, 0.25)]
    assert recorded.parameters()["optimizer_name"] == "adam"


def test_values_of_a_state_that_comes_with_the_first_epoch_only_are_the_hyperparameters(recorded):
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=0.5)
    state = optimizer.init(jnp.ones(2))
    with watch(optimizer=optimizer, dataflow="net") as training:
        training.epoch(1, state)
    assert recorded.parameters()["learning_rate"] == 0.5
    assert recorded.adaptations() == []


def test_a_state_may_come_without_the_number_of_the_epoch(recorded):
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=0.5)
    state = optimizer.init(jnp.ones(2))
    with watch(optimizer=optimizer, dataflow="net") as training:
        training.epoch(state, loss=1.5)
        state.hyperparams["learning_rate"] = jnp.float32(0.25)
        training.epoch(state, loss=1.0)
        training.epoch(jnp.int32(3), loss=0.5)
        training.epoch(np.float32(4), loss=0.25)
    rows = recorded.rows("oTrainingModel")
    assert [(row["epoch"], row["loss"], row.get("learning_rate")) for row in rows] == [
        (1, 1.5, 0.5), (2, 1.0, 0.25), (3, 0.5, None), (4, 0.25, None),
    ]  # fmt: skip
    assert recorded.adaptations() == [(2, "manual", 0.5, 0.25)]
    assert recorded.events(ProblemRecorded) == []


@pytest.mark.captures("adaptations")
def test_a_plateau_is_an_adaptation_of_the_scale_of_the_rate(store):
    weights = jnp.ones(2)
    optimizer = optax.chain(optax.sgd(0.5), optax.contrib.reduce_on_plateau(factor=0.5, patience=1))
    state = optimizer.init(weights)
    with watch({"w": weights}, optimizer, state, dataflow="net") as training:
        for epoch in range(1, 5):
            _, state = optimizer.update(jnp.ones(2), state, weights, value=1.0)
            training.epoch(epoch, state, loss=1.0)
    change = rows_of(store, "SELECT attribute, technique, old_value, new_value FROM oAdaptation ORDER BY epoch")[0]
    assert tuple(change.values()) == ("learning_rate_scale", "reduce_on_plateau", 1.0, 0.5)


@pytest.mark.parametrize(
    ("optimizer", "name", "values"),
    [
        (optax.sgd(0.5), "sgd", {"learning_rate": 0.5}),
        (optax.adam(0.5, b1=0.8), "adam", {"learning_rate": 0.5, "b1": 0.8}),
        (optax.lion(0.5), "lion", {"learning_rate": 0.5}),
        (optax.lamb(0.5), "lamb", {"learning_rate": 0.5}),
        (optax.rmsprop(0.5), "rmsprop", {"learning_rate": 0.5, "decay": 0.9}),
        (optax.adagrad(0.5), "adagrad", {"learning_rate": 0.5}),
        (optax.MultiSteps(optax.adam(0.5), 4).gradient_transformation(), "adam",
         {"learning_rate": 0.5, "gradient_accumulation_steps": 4}),
        (optax.masked(optax.sgd(0.5, momentum=0.9), True), "sgd", {"learning_rate": 0.5, "momentum": 0.9}),
        (optax.inject_hyperparams(optax.adamw)(0.5), "adamw", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_optimizers_of_optax_are_read(optimizer, name, values):
    made = made_of(optimizer)
    assert made.optimizer_name == name
    assert values.items() <= made.values.items()


def test_each_of_several_optimizers_has_its_values():
    labels = {"encoder": optax.adam(0.1), "decoder": optax.sgd(0.2, momentum=0.9)}
    values = made_of(optax.multi_transform(labels, {"e": "encoder", "d": "decoder"})).values
    expected = {"learning_rate": 0.1, "b1": 0.9, "optimizer_name_decoder": "sgd", "learning_rate_decoder": 0.2}
    assert expected.items() <= values.items()
    assert "momentum" not in values


@pytest.mark.parametrize(
    ("optimizer", "rate"), [(optax.adafactor(0.5), 0.5), (optax.adafactor(), None), (optax.scale_by_adam(), None)]
)
def test_a_rate_that_an_optimizer_has_not_is_not_told(optimizer, rate):
    assert made_of(optimizer).values.get("learning_rate") == rate


@pytest.mark.captures("hyperparameters")
@pytest.mark.parametrize("injected", [False, True])
def test_a_warm_up_that_begins_with_no_rate_is_told_by_the_rate_it_leads_to(store, injected):
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.5, 2, 6)
    optimizer = optax.inject_hyperparams(optax.sgd)(schedule) if injected else optax.sgd(schedule)
    weights = {"w": jnp.ones(2)}
    state = optimizer.init(weights)
    with watch(weights, optimizer, state, dataflow="net") as training:
        for epoch in (1, 2, 3):
            _, state = optimizer.update(weights, state)
            training.epoch(epoch, state)
    assert rows_of(store, "SELECT learning_rate, learning_rate_schedule FROM iTrainingModel") == [
        {"learning_rate": 0.5, "learning_rate_schedule": "warmup_cosine_decay_schedule"}
    ]
    assert column_of(store, "SELECT learning_rate FROM oTrainingModel ORDER BY epoch") == [0.0, 0.25, 0.5]
    changes = rows_of(store, "SELECT epoch, technique, old_value, new_value FROM oAdaptation ORDER BY epoch")
    assert [tuple(row.values()) for row in changes] == [
        (2, "warmup_cosine_decay_schedule", 0.0, 0.25), (3, "warmup_cosine_decay_schedule", 0.25, 0.5),
    ]  # fmt: skip
    (made_with,) = rows_of(store, "SELECT boundaries, transition_steps, init_value_2 FROM iAdaptation")
    assert made_with == {"boundaries": "[2]", "transition_steps": 2, "init_value_2": 0.5}


@pytest.mark.parametrize(
    ("schedule", "rate"),
    [
        (optax.warmup_constant_schedule(0.0, 0.5, 7), 0.5),
        (optax.sgdr_schedule([{"init_value": 0.0, "peak_value": peak, "warmup_steps": 3, "decay_steps": 9}
                              for peak in (0.5, 0.25)]), 0.5),
        (lambda count: min(count / 1000, 1.0) * 0.5, 0.5),
        (lambda count: 0.5 - abs(count - 50) / 100, 0.5),
        (lambda count: 0.0, None),
        (optax.cosine_decay_schedule(0.5, 10), None),
    ],
)  # fmt: skip
def test_what_a_warm_up_leads_to_is_found(schedule, rate):
    assert leads_to(schedule) == rate


def test_a_rate_that_is_not_seen_is_not_told(recorded):
    """A loop that hands no state in: the schedule is known, but not how far it came."""
    optimizer = optax.sgd(optax.exponential_decay(0.5, 1, 0.5))
    with watch({"w": jnp.ones(2)}, optimizer, dataflow="net") as training:
        training.epoch(1, loss=1.0)
    assert recorded.parameters()["learning_rate"] == 0.5
    assert "learning_rate" not in recorded.rows("oTrainingModel")[0]


def test_schedules_have_the_name_of_the_function_that_makes_them():
    assert schedule_name(optax.cosine_decay_schedule(0.1, 10)) == "cosine_decay_schedule"
    assert schedule_name(optax.warmup_cosine_decay_schedule(0.0, 0.1, 2, 10)) == "warmup_cosine_decay_schedule"
    assert schedule_name(optax.join_schedules([halved_every_two_steps] * 2, [3])) == "join_schedules"


@pytest.mark.captures("layers")
def test_trees_of_any_make_are_layers():
    tree = {"params": {"encoder": {"Dense_0": {"kernel": np.ones((4, 8)), "bias": np.ones(8)}}, "scale": np.ones(3)}}
    rows = layer_rows(tree)
    assert [(row["position"], row["name"], row["type"], row.get("units"), row["num_parameters"]) for row in rows] == [
        (1, "encoder/Dense_0", "Dense", 8, 40),
        (2, "parameters", "parameters", None, 3),
    ]


# How it ends, and what goes wrong


@pytest.mark.captures("endings")
@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "interrupted"), (ValueError, "failed")])
def test_a_loop_that_is_left_by_an_exception_ends_as_it_says(recorded, error, status):
    with pytest.raises(error), watch(dataflow="net") as training:
        training.epoch(1, loss=0.5)
        raise error
    assert [event.status for event in recorded.events(TaskEnded)] == [status]
    assert [event.status for event in recorded.events(RunEnded)] == [status]


@pytest.mark.captures("endings")
@pytest.mark.parametrize(("last", "status"), [("", "finished"), ("raise ValueError", "failed")])
def test_a_script_that_finishes_nothing_ends_the_training_as_it_ends_itself(store, last, status):
    script = f"""
        import dnnprov
        training = dnnprov.jax.watch(dataflow="net")
        training.epoch(loss=0.5)
        training.epoch(loss=0.4)
        {last}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], env=os.environ, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode == 0) == (not last)
    assert column_of(store, "SELECT status FROM run UNION ALL SELECT status FROM task") == [status, status]
    assert column_of(store, "SELECT epoch FROM oTrainingModel ORDER BY epoch") == [1, 2]


@pytest.mark.captures("filters")
def test_a_training_inside_a_run_belongs_to_it_and_comes_after_the_filters(recorded):
    with dnnprov.start_run("net", params={"learning_rate": 0.1}) as run:
        with run.task("Filters") as filters:
            filters.generates("oFilters", filter_name="gray-scale")
        with watch({"w": jnp.ones(2)}, optax.sgd(0.2), params={"batch_size": 3}, after=filters) as training:
            training.epoch(loss=1.0)
        assert run.status == "running"
    tasks = recorded.events(TaskBegan)
    assert tasks[1].after == [tasks[0].seq]
    assert recorded.parameters()["learning_rate"] == 0.1
    assert [event.kind for event in recorded.events(ProblemRecorded)] == ["conflicting_hyperparameter"]
    assert any("batch_size" in event.values for event in recorded.events(ParametersSet))


class Untellable:
    """An optimizer of the user's whose attributes raise."""

    def __getattr__(self, name):
        raise RuntimeError(name)


@pytest.mark.filterwarnings("ignore:dnnprov. conflicting:RuntimeWarning")
@pytest.mark.parametrize("broken", ["watching.layer_rows", "watching.num_parameters", "watching.OptimizerValues.now",
                                    "watching.OptimizerValues.made_with"])  # fmt: skip
def test_a_failure_of_ours_does_not_reach_the_loop(store, monkeypatch, broken):
    monkeypatch.setattr(f"dnnprov.integrations.jax.{broken}", lambda *_: 1 // 0)
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"), watch({"w": jnp.ones(2)}, dataflow="net") as training:
        training.step(loss=1.0)
        training.epoch()
    assert column_of(store, "SELECT loss FROM oTrainingModel") == [1.0]


def test_an_optimizer_that_cannot_be_read_is_none(recorded):
    with watch({"w": jnp.ones(2)}, Untellable(), dataflow="net") as training:
        training.epoch(loss=1.0)
    assert [row["loss"] for row in recorded.rows("oTrainingModel")] == [1.0]


def test_wrong_arguments_raise_before_the_training(store):
    with pytest.raises(UsageError, match="params=3 is a int"):
        watch(params=3)
    with pytest.raises(UsageError, match="a dataflow is dataflow='net'"):
        watch(None, None, "net")
    assert not store.exists()
