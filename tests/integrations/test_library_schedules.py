"""Every schedule of Transformers has the name by which it is asked for."""

from __future__ import annotations

import pytest
import torch
from transformers import optimization

from dnnprov.integrations.torch.schedulers import scheduler_name, scheduler_parameters, technique_of

WANTED = {
    "cosine_with_min_lr": {"min_lr_rate": 0.1},
    "cosine_warmup_with_min_lr": {"min_lr_rate": 0.1},
    "warmup_stable_decay": {"num_decay_steps": 2},
}
KINDS = [one.value for one in optimization.TYPE_TO_SCHEDULER_FUNCTION]


def schedule(kind):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    return optimization.get_scheduler(kind, optimizer, 2, 8, scheduler_specific_kwargs=WANTED.get(kind, {}))


@pytest.mark.parametrize("kind", [one for one in KINDS if one not in {"reduce_lr_on_plateau", "greedy"}])
def test_a_schedule_has_the_name_that_arguments_have_for_it(kind):
    made = schedule(kind)
    assert scheduler_name(made) == technique_of([made], {}).name == kind
    assert ("num_warmup_steps" in scheduler_parameters(made)) == (kind != "constant")


def test_its_parameters_are_those_that_it_was_made_with():
    found = scheduler_parameters(schedule("cosine"))
    assert found == {"num_warmup_steps": 2, "num_training_steps": 8, "num_cycles": 0.5, "initial_lrate": 0.1}


def test_one_with_a_class_of_its_own_keeps_that():
    assert scheduler_name(schedule("reduce_lr_on_plateau")) == "ReduceLROnPlateau"


def test_a_function_of_the_same_name_elsewhere_is_another():
    def _get_cosine_schedule_with_warmup_lr_lambda(step):
        return 1 / (1 + step)

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    made = torch.optim.lr_scheduler.LambdaLR(optimizer, _get_cosine_schedule_with_warmup_lr_lambda)
    assert scheduler_name(made) == "LambdaLR"
