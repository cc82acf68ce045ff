"""The optimizers of Trainers: what their steps used, seen through a hook of PyTorch's own."""

from __future__ import annotations

import pytest

import dnnprov

torch = pytest.importorskip("torch")

from dnnprov.integrations.run_choice import RunChoice  # noqa: E402 - after the skip
from dnnprov.integrations.trainer_optimizers import TrainerOptimizers  # noqa: E402
from dnnprov.integrations.training_steps import TrainingSteps  # noqa: E402


class Watched:
    """An optimizer that makes steps, watched as that of a Trainer."""

    def __init__(self, run, kind=torch.optim.SGD):
        self.steps = TrainingSteps(RunChoice("net", run=run))
        self.watch = TrainerOptimizers(self.steps)
        weight = torch.nn.Parameter(torch.ones(2))
        weight.grad = torch.ones(2)
        self.optimizer = kind([weight], lr=0.5)

    def begin(self):
        how, _ = self.watch.begin([self.optimizer])
        self.steps.begin_training(how)
        self.steps.begin_epoch(1)


@pytest.fixture
def watched(store):
    with dnnprov.start_run("net", store=store) as run:
        yield Watched(run)


def test_the_rate_of_an_epoch_is_that_of_its_last_step_and_not_what_a_schedule_made_of_it_behind(watched):
    watched.begin()
    watched.optimizer.step()
    watched.optimizer.param_groups[0]["lr"] = 0.25
    watched.optimizer.step()
    watched.optimizer.param_groups[0]["lr"] = 0.125
    watched.watch.close_epoch([], [])
    assert watched.watch.epoch_rates == {"learning_rate": 0.25}


def test_an_optimizer_has_one_hook_for_each_training_and_none_behind_it(watched):
    hooks = watched.optimizer._optimizer_step_pre_hooks
    for _ in range(2):
        watched.begin()
        assert len(hooks) == 1
    watched.watch.end()
    assert not hooks


def test_groups_that_cannot_be_read_cost_their_rates_and_no_step(store):
    class Hostile(torch.optim.SGD):
        is_hostile = False

        @property
        def param_groups(self):
            if self.is_hostile:
                raise RuntimeError("not now")
            return self._groups

        @param_groups.setter
        def param_groups(self, groups):
            self._groups = groups

        def step(self, closure=None):
            self.is_hostile = False
            return super().step(closure)

    with dnnprov.start_run("net", store=store) as run:
        watched = Watched(run, Hostile)
        watched.begin()
        watched.optimizer.is_hostile = True
        watched.optimizer.step()
        assert watched.optimizer.param_groups[0]["params"][0].tolist() == [0.5, 0.5]
        watched.watch.close_epoch([], [])
        assert watched.watch.epoch_rates == {"learning_rate": 0.5}
