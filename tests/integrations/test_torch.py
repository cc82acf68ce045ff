"""Plain PyTorch loops under `autolog`: real tiny trainings, and what is recorded of each."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers
from torch.utils.data import DataLoader, IterableDataset, SubsetRandomSampler, TensorDataset

import dnnprov
from dnnprov.integrations.torch import recordings
from dnnprov.model.events import (
    ElementsRecorded,
    HyperparameterAdapted,
    MetricsRecorded,
    ProblemRecorded,
    RunEnded,
    RunStarted,
    TaskBegan,
    TaskEnded,
)
from small_torch import X, Y, evaluate, loader, sgd, small_model, train_epoch


@pytest.fixture(autouse=True)
def autologged(store):
    dnnprov.autolog("net")


def tags(recorded):
    return [event.tag for event in recorded.events(TaskBegan)]


def end_of_program():
    """What happens at exit: all trainings have come to their ends."""
    recordings._finish_all()


def column(recorded, name):
    return [row.get(name) for row in recorded.rows("oTrainingModel")]


# What is recorded of a training


def whole_training(schedule=lambda optimizer: schedulers.StepLR(optimizer, 2, gamma=0.5)):
    """Four epochs with validation and a test; what a loop would print."""
    model, criterion = small_model(), nn.CrossEntropyLoss(label_smoothing=0.1)
    batches, validation, test = loader(shuffle=True), loader(32, 48), loader(48, 64)
    optimizer = sgd(model, weight_decay=0.25)
    scheduler = schedule(optimizer)
    printed = []
    for _ in range(4):
        loss = train_epoch(model, optimizer, batches, criterion)
        printed.append((loss, evaluate(model, validation, criterion)))
        scheduler.step()
    return printed, evaluate(model, test, criterion), [p.detach().numpy().tobytes() for p in model.parameters()]


@pytest.mark.captures("epochs", "validation", "test", "without a call")
def test_epochs_validation_and_test_are_told_apart(recorded):
    printed, tested, _ = whole_training()
    assert tags(recorded) == ["Training", "Adaptation", "Testing"]
    assert column(recorded, "epoch") == [1, 2, 3, 4]
    assert column(recorded, "loss") == pytest.approx([loss for loss, _ in printed], rel=1e-6)
    assert column(recorded, "val_loss") == pytest.approx([loss for _, loss in printed], rel=1e-6)
    assert column(recorded, "learning_rate") == [0.5, 0.5, 0.25, 0.25]
    assert all(row["elapsed_time"] > 0 and row["timestamp"].endswith("Z") for row in recorded.rows("oTrainingModel"))
    (row,) = recorded.rows("oTestingModel")
    assert row["loss"] == pytest.approx(tested, rel=1e-6)
    assert recorded.rows("iTestingModel") == [{"num_samples": 16, "num_batches": 2, "batch_size": 8}]
    assert {event.status for event in recorded.events(TaskEnded)} == {"finished"}
    assert [event.status for event in recorded.events(RunEnded)] == ["finished"]
    assert recorded.events(ProblemRecorded) == []


@pytest.mark.captures("unchanged results")
def test_losses_and_weights_are_the_same_to_the_bit(store):
    seen = whole_training()
    dnnprov.autolog(torch=False)
    assert whole_training() == seen


@pytest.mark.captures("hyperparameters")
def test_hyperparameters_have_their_own_names_and_those_of_other_frameworks(recorded):
    whole_training()
    expected = {
        "optimizer_name": "SGD",
        "learning_rate": 0.5,
        "momentum": 0.5,
        "weight_decay": 0.25,
        "decay": 0.25,
        "nesterov": False,
        "dampening": 0,
        "learning_rate_schedule": "StepLR",
        "loss_function": "CrossEntropyLoss",
        "batch_size": 8,
        "shuffle": True,
        "num_workers": 0,
        "num_samples": 32,
        "steps_per_epoch": 4,
        "num_layers": 4,
        "num_parameters": 43,
        "num_trainable_parameters": 43,
        "dropout": 0.4,
        "seed": 7,
        "device": "cpu",
        "model": "Sequential",
    }
    found = recorded.parameters()
    assert expected.items() <= found.items()
    assert '"label_smoothing": 0.1' in found["loss_config"]
    assert '"step_size": 2' in found["learning_rate_schedule_config"]


@pytest.mark.captures("layers")
def test_layers_have_the_columns_that_layers_of_keras_have(recorded):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(1, 2, (3, 5), stride=2, padding=1), nn.BatchNorm2d(2), nn.LeakyReLU(), nn.MaxPool2d(2)
            )
            self.drop = nn.Dropout2d(0.7)
            self.scale = nn.Parameter(torch.ones(1))
            self.head = nn.LazyLinear(3)
            self.head_again = self.head
            for parameter in self.body[1].parameters():
                parameter.requires_grad_(False)

        def forward(self, x):
            return self.scale * self.head(self.drop(self.body(x)).flatten(1))

    model = Net()
    model(torch.ones(2, 1, 8, 8))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    train_epoch(model, optimizer, DataLoader(TensorDataset(torch.ones(8, 1, 8, 8), Y[:8]), batch_size=4))
    rows = recorded.rows("iLayers")
    assert [(row["position"], row["name"], row["type"], row.get("value")) for row in rows] == [
        (1, "Net", "Net", None),
        (2, "body.0", "Conv2d", "2"),
        (3, "body.1", "BatchNorm2d", "2"),
        (4, "body.2", "LeakyReLU", "leaky_relu"),
        (5, "body.3", "MaxPool2d", "2"),
        (6, "drop", "Dropout2d", "0.7"),
        (7, "head", "Linear", "3"),
    ]
    _, conv, norm, activation, pool, drop, head = rows
    assert (conv["filters"], conv["kernel_size"], conv["strides"], conv["padding"]) == (2, "3x5", "2x2", "1x1")
    assert (conv["in_channels"], conv["use_bias"], conv["num_parameters"]) == (1, True, 32)
    assert (norm["epsilon"], norm["trainable"], norm["num_trainable_parameters"]) == (1e-5, False, 0)
    assert activation["activation"] == "leaky_relu"
    assert (pool["kernel_size"], drop["rate"]) == ("2", 0.7)
    assert (head["units"], head["num_parameters"]) == (3, 3 * 4 + 3)
    assert recorded.parameters()["num_parameters"] == 32 + 4 + 1 + 15


@pytest.mark.captures("loss function")
@pytest.mark.parametrize(
    ("function", "name"),
    [
        (nn.functional.cross_entropy, "cross_entropy"),
        (lambda out, y: nn.functional.mse_loss(out[:, 0], y.float()), "mse_loss"),
        (lambda out, y: nn.functional.cross_entropy(out, y) / 4 + 0.1 * out.pow(2).mean(), "cross_entropy"),
        (lambda out, y: nn.BCEWithLogitsLoss()(out[:, 0], (y > 1).float()), "BCEWithLogitsLoss"),
        (lambda out, y: (out[:, 0] - y).abs().mean(), None),
    ],
)
def test_the_loss_function_is_the_criterion_or_what_the_graph_tells(recorded, function, name):
    model = small_model()
    train_epoch(model, sgd(model), loader(), function)
    assert recorded.parameters().get("loss_function") == name


@pytest.mark.captures("hyperparameters")
def test_adam_keeps_its_betas_and_each_group_its_own_values(recorded):
    model = small_model()
    groups = [{"params": model[0].parameters()}, {"params": model[3].parameters(), "lr": 0.01, "weight_decay": 0.5}]
    train_epoch(model, torch.optim.AdamW(groups, lr=0.1, betas=(0.8, 0.9)), loader())
    found = recorded.parameters()
    assert found["betas"] == "[0.8, 0.9]"
    assert (found["beta_1"], found["beta_2"], found["epsilon"], found["num_param_groups"]) == (0.8, 0.9, 1e-8, 2)
    assert (found["learning_rate"], found["learning_rate_group_2"], found["weight_decay_group_2"]) == (0.1, 0.01, 0.5)
    assert "betas_group_2" not in found


# Who changed the learning rate

PARTS = (
    "LinearLR(start_factor=0.5, end_factor=1.0, total_iters=2, initial_lrate=0.5), "
    "ExponentialLR(gamma=0.5, initial_lrate=0.5)"
)


def test_step_decay_has_the_names_of_the_paper(recorded):
    whole_training()
    assert recorded.adaptations() == [(3, "StepLR", 0.5, 0.25)]
    (row,) = recorded.rows("iAdaptation")
    expected = {"step_size": 2, "gamma": 0.5, "epochs_drop": 2, "drop_n": 0.5, "initial_lrate": 0.5}
    assert expected.items() <= row.items()


@pytest.mark.captures("adaptations")
@pytest.mark.parametrize(
    ("make", "technique", "parameters"),
    [
        (lambda o: schedulers.CosineAnnealingLR(o, 4, eta_min=0.1), "CosineAnnealingLR", {"T_max": 4, "eta_min": 0.1}),
        (lambda o: schedulers.LambdaLR(o, lambda e: 0.5**e), "LambdaLR", {"lr_lambda": "<lambda>"}),
        (lambda o: schedulers.MultiStepLR(o, [1, 2, 3]), "MultiStepLR", {"milestones": "[1, 2, 3]", "gamma": 0.1}),
        (
            lambda o: schedulers.SequentialLR(
                o, [schedulers.LinearLR(o, 0.5, total_iters=2), schedulers.ExponentialLR(o, 0.5)], milestones=[2]
            ),
            "SequentialLR",
            {
                "milestones": 2,
                "schedulers": PARTS,
            },
        ),
        (
            lambda o: schedulers.ChainedScheduler([schedulers.ExponentialLR(o, 0.5), schedulers.ConstantLR(o, 0.5)]),
            "ChainedScheduler",
            {},
        ),
    ],
)
def test_a_schedule_is_the_technique_with_its_parameters(recorded, make, technique, parameters):
    model = small_model()
    optimizer, batches = sgd(model), loader()
    scheduler, rates = make(optimizer), []
    for _ in range(3):
        rates.append(optimizer.param_groups[0]["lr"])
        train_epoch(model, optimizer, batches)
        scheduler.step()
    expected = [
        (epoch, technique, rates[epoch - 2], rates[epoch - 1])
        for epoch in (2, 3)
        if rates[epoch - 1] != rates[epoch - 2]
    ]
    assert recorded.adaptations() == expected
    (row,) = recorded.rows("iAdaptation")
    assert parameters.items() <= row.items()
    assert recorded.events(ProblemRecorded) == []


@pytest.mark.captures("adaptations")
def test_a_plateau_says_which_metric_led_to_it(recorded):
    model, criterion = small_model(), nn.CrossEntropyLoss()
    optimizer, batches, validation = sgd(model), loader(), loader(32, 48)
    plateau = schedulers.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=100, threshold_mode="abs")
    seen = []
    for _ in range(3):
        train_epoch(model, optimizer, batches, criterion)
        seen.append(evaluate(model, validation, criterion))
        plateau.step(seen[-1])
    assert recorded.adaptations() == [(3, "ReduceLROnPlateau", 0.5, 0.25)]  # what it does after epoch 3 trains nothing
    (event,) = recorded.events(HyperparameterAdapted)
    assert event.triggered_by == f"val_loss={seen[1]}"
    assert event.reason == "val_loss did not improve, patience 0"
    (row,) = recorded.rows("iAdaptation")
    assert {"factor": 0.5, "patience": 0, "threshold": 100, "mode": "min"}.items() <= row.items()


def test_a_warm_up_that_begins_with_no_rate_is_told_by_the_rate_it_leads_to(recorded):
    model = small_model()
    optimizer = sgd(model)
    warm_up = schedulers.LambdaLR(optimizer, lambda epoch: min(1.0, epoch / 2))
    for _ in range(3):
        train_epoch(model, optimizer, loader(0, 16), nn.CrossEntropyLoss())
        warm_up.step()
    end_of_program()
    rate = optimizer.param_groups[0]["initial_lr"]
    assert recorded.parameters()["learning_rate"] == rate
    assert [(epoch, new) for epoch, _, _, new in recorded.adaptations()] == [(1, 0.0), (2, rate / 2), (3, rate)]


@pytest.mark.captures("adaptations")
def test_a_schedule_that_steps_each_batch_is_one_change_an_epoch(recorded):
    model = small_model()
    optimizer, batches = sgd(model), loader()
    scheduler = schedulers.OneCycleLR(optimizer, max_lr=0.5, total_steps=12)
    used = []

    def each_step():
        used.append(optimizer.param_groups[0]["lr"])
        scheduler.step()

    for _ in range(3):
        train_epoch(model, optimizer, batches, each_step=each_step)
    end_of_program()
    ends = [used[3], used[7], used[11]]
    assert recorded.adaptations() == [
        (1, "OneCycleLR", used[0], ends[0]),
        (2, "OneCycleLR", ends[0], ends[1]),
        (3, "OneCycleLR", ends[1], ends[2]),
    ]
    assert column(recorded, "learning_rate") == ends
    assert recorded.parameters()["learning_rate"] == used[0]
    changed = {event.attribute for event in recorded.events(HyperparameterAdapted)}
    assert changed == {"learning_rate", "momentum"}
    (row,) = recorded.rows("iAdaptation")
    assert {"max_lr": 0.5, "total_steps": 12}.items() <= row.items()


@pytest.mark.captures("adaptations")
@pytest.mark.parametrize("when", ["between epochs", "within an epoch"])
def test_a_rate_that_is_set_by_hand_is_a_manual_change(recorded, when):
    model = small_model()
    optimizer, batches = sgd(model), loader()
    train_epoch(model, optimizer, batches)
    if when == "between epochs":
        optimizer.param_groups[0]["lr"] = 0.125
    train_epoch(model, optimizer, batches, each_step=lambda: optimizer.param_groups[0].update(lr=0.125))
    assert recorded.adaptations() == [(2, "manual", 0.5, 0.125)]


def test_a_scheduler_that_is_made_later_is_found(recorded):
    model = small_model()
    optimizer, batches = sgd(model), loader()
    train_epoch(model, optimizer, batches)
    scheduler = schedulers.ExponentialLR(optimizer, 0.5)
    train_epoch(model, optimizer, batches)
    scheduler.step()
    train_epoch(model, optimizer, batches)
    assert recorded.adaptations() == [(3, "ExponentialLR", 0.5, 0.25)]


# Shapes of loops


@pytest.mark.captures("hyperparameters")
def test_two_optimizers_in_one_loop_are_one_training(recorded):
    class Generator(nn.Linear):
        pass

    class Discriminator(nn.Linear):
        pass

    torch.manual_seed(3)
    generator, discriminator = Generator(2, 4), Discriminator(4, 1)
    of_g = torch.optim.Adam(generator.parameters(), lr=0.01)
    of_d = torch.optim.SGD(discriminator.parameters(), lr=0.02)
    criterion = nn.BCEWithLogitsLoss()
    d_losses, g_losses = [], []
    batches = loader()
    for _ in range(2):
        for real, _ in batches:
            discriminator.zero_grad()
            on_real = criterion(discriminator(real), torch.ones(len(real), 1))
            on_real.backward()
            fake = generator(torch.randn(len(real), 2))
            on_fake = criterion(discriminator(fake.detach()), torch.zeros(len(real), 1))
            on_fake.backward()
            of_d.step()
            generator.zero_grad()
            fooled = criterion(discriminator(fake), torch.ones(len(real), 1))
            fooled.backward()
            of_g.step()
            d_losses.append((on_real + on_fake).item())
            g_losses.append(fooled.item())
    end_of_program()
    assert tags(recorded) == ["Training"]
    found = recorded.parameters()
    assert (found["optimizer_name"], found["learning_rate"]) == ("SGD", 0.02)
    assert (found["optimizer_name_generator"], found["learning_rate_generator"]) == ("Adam", 0.01)
    assert [row["name"] for row in recorded.rows("iLayers")] == ["Discriminator", "Generator"]
    assert column(recorded, "loss") == pytest.approx([sum(d_losses[:4]) / 4, sum(d_losses[4:]) / 4], rel=1e-6)
    assert column(recorded, "loss_generator") == pytest.approx([sum(g_losses[:4]) / 4, sum(g_losses[4:]) / 4], rel=1e-6)


def test_the_loss_of_accumulated_gradients_is_what_a_step_goes_down(recorded):
    model = small_model()
    optimizer, losses = sgd(model), []
    for number, (x, y) in enumerate(loader(), start=1):
        loss = nn.functional.cross_entropy(model(x), y)
        (loss / 2).backward()
        losses.append(loss.item())
        if number % 2 == 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.5)
            optimizer.step()
            optimizer.zero_grad()
    del model, optimizer
    assert column(recorded, "loss") == pytest.approx([sum(losses) / 4], rel=1e-6)
    assert recorded.parameters()["loss_function"] == "cross_entropy"
    assert recorded.parameters()["clip_grad_norm"] == 1.5


def test_what_an_attack_goes_up_before_the_gradients_are_zeroed_is_no_part_of_the_loss(recorded):
    model = small_model()
    optimizer, losses = sgd(model), []
    for x, y in loader():
        x.requires_grad_()
        nn.functional.cross_entropy(model(x), y).mul(100).backward()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x + 0.1 * x.grad.sign()), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    del model, optimizer
    assert column(recorded, "loss") == pytest.approx([sum(losses) / 4], rel=1e-6)


def test_a_scaled_loss_is_the_one_before_scaling(recorded):
    model = small_model()
    optimizer, scaler, losses = sgd(model), torch.amp.GradScaler("cpu", init_scale=1024.0), []
    for number, (x, y) in enumerate(loader()):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss * (float("inf") if number == 1 else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    del model, optimizer
    assert column(recorded, "loss") == pytest.approx([(losses[0] + losses[2] + losses[3]) / 3], rel=1e-6)
    assert recorded.parameters()["grad_scaler"] is True


def test_of_a_closure_the_first_loss_of_each_step_counts(recorded):
    model = small_model()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=4)
    firsts = []
    for x, y in loader():
        calls = []

        def closure(x=x, y=y, calls=calls):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            calls.append(loss.item())
            return loss

        optimizer.step(closure)
        firsts.append(calls[0])
        assert len(calls) > 1
    end_of_program()
    assert column(recorded, "loss") == pytest.approx([sum(firsts) / 4], rel=1e-6)
    assert recorded.parameters()["optimizer_name"] == "LBFGS"


@pytest.mark.captures("batches")
def test_a_loop_without_a_loader_is_one_epoch_and_a_series_of_its_loss(recorded):
    model = small_model()
    optimizer, losses = sgd(model, 0.05), []
    scheduler = schedulers.ExponentialLR(optimizer, 0.99)
    for _ in range(250):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(X), Y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    del model, optimizer, scheduler
    series = recorded.events(MetricsRecorded)
    assert [(event.step, pytest.approx(event.values["loss"], rel=1e-6)) for event in series] == [
        (100, sum(losses[:100]) / 100),
        (200, sum(losses[100:200]) / 100),
    ]
    assert column(recorded, "epoch") == [1]
    assert column(recorded, "loss") == pytest.approx([sum(losses[200:]) / 50], rel=1e-6)
    assert [technique for _, technique, _, _ in recorded.adaptations()] == ["ExponentialLR"] * 3


@pytest.mark.captures("epochs")
def test_batches_that_are_drawn_one_by_one_make_an_epoch_when_all_are_drawn(recorded):
    model = small_model()
    optimizer, batches = sgd(model), loader()
    for _ in range(12):
        x, y = next(iter(batches))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    del model, optimizer
    assert column(recorded, "epoch") == [1, 2, 3]
    assert recorded.parameters()["batch_size"] == 8


@pytest.mark.captures("epochs")
def test_a_pass_that_is_left_early_is_an_epoch(recorded):
    model = small_model()
    optimizer, batches = sgd(model), loader()
    for _ in range(3):
        for number, (x, y) in enumerate(batches):
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            if number == 1:
                break
    del model, optimizer
    assert column(recorded, "epoch") == [1, 2, 3]


def test_loaders_that_are_gone_through_together_are_one_epoch(recorded):
    model = small_model()
    optimizer, one, another = sgd(model), loader(), loader(32, 48)
    for _ in range(2):
        for (x, y), (x2, y2) in zip(one, another, strict=False):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(torch.cat([x, x2])), torch.cat([y, y2])).backward()
            optimizer.step()
    del model, optimizer
    assert column(recorded, "epoch") == [1, 2]
    assert tags(recorded) == ["Training"]


def test_parts_of_one_data_set_that_samplers_draw_are_training_and_validation(recorded):
    parts = [SubsetRandomSampler(range(48)), SubsetRandomSampler(range(48, 64))]
    batches, others = (loader(0, 64, sampler=part) for part in parts)
    dnnprov.autolog("net")
    model, criterion = small_model(), nn.CrossEntropyLoss()
    loss, val_loss = train_epoch(model, sgd(model), batches), evaluate(model, others, criterion)
    del model
    gc.collect()
    (row,) = recorded.rows("oTrainingModel")
    assert (row["loss"], row["val_loss"]) == (pytest.approx(loss), pytest.approx(val_loss))
    found = recorded.parameters()
    assert (found["num_samples"], found["steps_per_epoch"], found["shuffle"]) == (48, 6, True)
    (data,) = recorded.rows("iTrainingData")
    assert (data["num_samples"], data["inputs_shape"]) == (48, "[64, 4]")  # drawn from, and what it lies in


def test_a_data_set_without_length_and_an_empty_loader_are_no_obstacle(recorded):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([(X[n], Y[n]) for n in range(10)])

    model = small_model()
    optimizer = sgd(model)
    for _ in loader(0, 0):
        raise AssertionError
    batches = DataLoader(Stream(), batch_size=4)
    for _ in range(2):
        train_epoch(model, optimizer, batches)
    del model, optimizer
    assert column(recorded, "epoch") == [1, 2]
    assert "num_samples" not in recorded.parameters()
    assert recorded.events(ProblemRecorded) == []


def test_a_validation_inside_an_epoch_belongs_to_it(recorded):
    model, criterion = small_model(), nn.CrossEntropyLoss()
    optimizer, batches, validation = sgd(model), loader(), loader(32, 48)
    seen = []
    for _ in range(2):
        train_epoch(
            model, optimizer, batches, criterion, each_step=lambda: seen.append(evaluate(model, validation, criterion))
        )
    end_of_program()
    assert column(recorded, "epoch") == [1, 2]
    assert column(recorded, "val_loss") == pytest.approx([seen[3], seen[7]], rel=1e-6)
    assert tags(recorded) == ["Training"]


def test_the_training_data_evaluated_again_are_neither_validation_nor_test(recorded):
    model, criterion = small_model(), nn.CrossEntropyLoss()
    optimizer, batches, validation = sgd(model), loader(), loader(32, 48)
    on_train, on_val = [], []
    for _ in range(2):
        train_epoch(model, optimizer, batches, criterion)
        on_train.append(evaluate(model, batches, criterion))
        on_val.append(evaluate(model, validation, criterion))
    del model, optimizer
    assert column(recorded, "train_loss") == pytest.approx(on_train, rel=1e-6)
    assert column(recorded, "val_loss") == pytest.approx(on_val, rel=1e-6)
    assert tags(recorded) == ["Training"]


@pytest.mark.parametrize(("validated", "tested"), [((1, 4, 7), []), ((3, 6, 7), [3])])
def test_a_validation_in_some_epochs_belongs_to_these(recorded, validated, tested):
    model, criterion = small_model(), nn.CrossEntropyLoss()
    optimizer, batches, validation = sgd(model), loader(), loader(32, 48)
    seen = {}
    for epoch in range(1, 8):
        train_epoch(model, optimizer, batches, criterion)
        if epoch in validated:
            seen[epoch] = evaluate(model, validation, criterion)
    seen["test"] = evaluate(model, loader(48, 64), criterion)
    del model, optimizer
    of_epochs = {row["epoch"]: row["val_loss"] for row in recorded.rows("oTrainingModel") if "val_loss" in row}
    assert of_epochs == pytest.approx({one: seen[one] for one in validated if one not in tested}, rel=1e-6)
    assert [row["loss"] for row in recorded.rows("oTestingModel")] == pytest.approx(
        [seen[one] for one in [*tested, "test"]], rel=1e-6
    )
    assert column(recorded, "epoch") == list(range(1, 8))


def test_a_single_evaluation_after_several_epochs_is_a_test(recorded):
    model, criterion = small_model(), nn.CrossEntropyLoss()
    optimizer, batches = sgd(model), loader()
    for _ in range(2):
        train_epoch(model, optimizer, batches, criterion)
    tested = evaluate(model, loader(48, 64), criterion)
    del model, optimizer
    assert tags(recorded) == ["Training", "Testing"]
    assert column(recorded, "val_loss") == [None, None]
    assert recorded.rows("oTestingModel")[0]["loss"] == pytest.approx(tested, rel=1e-6)


def test_what_is_gone_through_without_a_training_is_nothing(recorded):
    model = small_model()
    mean = sum(x.sum() for x, _ in loader())  # as people compute the mean of their data
    train_epoch(model, sgd(model), loader())
    assert mean.isfinite()
    other = small_model()
    evaluate(other, loader(32, 48), nn.CrossEntropyLoss())  # another model
    del model, other
    assert tags(recorded) == ["Training"]


@pytest.mark.parametrize("order", [("student", "teacher"), ("teacher", "student")])
def test_a_teacher_that_is_in_evaluation_mode_makes_no_evaluation_of_a_training(recorded, order):
    student, teacher, criterion = small_model(), small_model(), nn.MSELoss(reduction="mean")
    optimizer, batches, losses = sgd(student), loader(), []
    for _ in range(2):
        for one in order:
            student.train() if one == "student" else teacher.eval()
        losses.append([])
        for x, _ in batches:
            with torch.no_grad():
                wanted = teacher(x) + 1
            optimizer.zero_grad()
            loss = criterion(student(x), wanted)
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    del student, optimizer
    assert recorded.parameters()["loss_function"] == "MSELoss"
    assert column(recorded, "loss") == pytest.approx([sum(one) / len(one) for one in losses], rel=1e-6)
    assert tags(recorded) == ["Training"]


def test_an_evaluation_that_keeps_gradients_is_one(recorded):
    model, criterion = small_model(), nn.CrossEntropyLoss()
    optimizer, batches, validation, seen = sgd(model), loader(), loader(32, 48), []
    for _ in range(2):
        train_epoch(model, optimizer, batches, criterion)
        model.eval()
        losses = [criterion(model(x), y).item() for x, y in validation]
        seen.append(sum(losses) / len(losses))
    del model, optimizer
    assert column(recorded, "val_loss") == pytest.approx(seen, rel=1e-6)
    assert tags(recorded) == ["Training"]


# Runs


def test_models_that_train_one_after_another_have_a_run_each(recorded):
    for rate in (0.5, 0.25):
        model = small_model()
        train_epoch(model, sgd(model, rate), loader())
    del model
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["net", "net"]
    assert [event.status for event in recorded.events(RunEnded)] == ["finished", "finished"]
    rates = [row.get("learning_rate") for row in recorded.rows("oTrainingModel")]
    assert sorted(rates) == [0.25, 0.5]


def test_models_that_are_tested_after_all_have_trained_are_tested_in_their_runs(recorded):
    criterion, test = nn.CrossEntropyLoss(), loader(48, 64)
    models = [small_model(), small_model()]
    for model in models:
        optimizer = sgd(model)
        for _ in range(2):
            train_epoch(model, optimizer, loader(), criterion)
    expected = [evaluate(model, test, criterion) for model in models]
    models.clear()
    del model, optimizer
    found = []
    for event in recorded.events((RunStarted, TaskBegan, ElementsRecorded)):
        if isinstance(event, RunStarted):
            found.append([])
        elif isinstance(event, TaskBegan):
            found[-1].append(event.tag)
        elif event.set == "oTestingModel":
            found[-1].append(event.rows[0]["loss"])
    assert [run[:2] for run in found] == [["Training", "Testing"]] * 2
    assert [run[2] for run in found] == pytest.approx(expected, rel=1e-6)


def test_a_model_that_trains_again_with_another_optimizer_trains_in_its_run(recorded):
    model = small_model()
    train_epoch(model, sgd(model), loader())
    train_epoch(model, torch.optim.Adam(model.parameters(), lr=0.01), loader())
    del model
    assert tags(recorded)[:2] == ["Training", "Training"] or tags(recorded).count("Training") == 2
    assert len(recorded.events(RunStarted)) == 1
    assert (None, "manual", 0.5, 0.01) in [(None, *rest) for _, *rest in recorded.adaptations()]
    assert {event.status for event in recorded.events(TaskEnded)} == {"finished"}


def test_an_enclosing_run_takes_in_what_trains(recorded):
    model = small_model()
    with dnnprov.start_run("mine", params={"note": "x"}):
        train_epoch(model, sgd(model), loader())
    assert [event.dataflow for event in recorded.events(RunStarted)] == ["mine"]
    assert column(recorded, "epoch") == [1]
    assert [event.status for event in recorded.events(TaskEnded)] == ["finished"]
    assert {"note": "x", "learning_rate": 0.5}.items() <= recorded.parameters().items()


def test_a_training_inside_a_pass_of_another_one_is_a_training_by_itself(recorded):
    outer, inner = small_model(), small_model()
    of_outer, of_inner = sgd(outer), sgd(inner, 0.25)
    for _ in range(2):
        for x, y in loader(0, 16):
            nn.functional.cross_entropy(outer(x), y).backward()
            of_outer.step()
            train_epoch(inner, of_inner, loader(16, 32))
    del outer, inner, of_outer, of_inner
    assert sorted(row["epoch"] for row in recorded.rows("oTrainingModel")) == [1, 1, 2, 2, 3, 4]
    assert len(recorded.events(RunStarted)) == 2


@pytest.mark.captures("layers")
def test_a_compiled_model_is_recorded_as_what_it_is(recorded):
    model = small_model()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    criterion = nn.CrossEntropyLoss()
    optimizer, batches = sgd(model), loader(0, 16)
    losses = [train_epoch(compiled, optimizer, batches, criterion) for _ in range(2)]
    evaluate(compiled, loader(32, 48), criterion)
    assert recorded.parameters()["model"] == "Sequential"
    assert [row["type"] for row in recorded.rows("iLayers")] == ["Linear", "ReLU", "Dropout", "Linear"]
    assert column(recorded, "loss")[:1] == pytest.approx(losses[:1], rel=1e-6)


def test_a_compiled_step_has_no_break_of_ours(recorded):
    model, criterion = small_model(), nn.CrossEntropyLoss()

    loss_of = torch.compile(lambda x, y: criterion(model(x), y), backend="eager", fullgraph=True)
    train_epoch(model, sgd(model), loader(0, 16), lambda out, y: out.sum() * 0 + loss_of(X[:8], y))
    assert column(recorded, "epoch") == [1]
    assert recorded.events(ProblemRecorded) == []
