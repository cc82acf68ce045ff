"""A whole script with an Accelerator, for tests that run it: it validates, tests, saves and accumulates gradients."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed


class Doubled(torch.utils.data.TensorDataset):
    def __init__(self, num_samples, seed):
        generator = torch.Generator().manual_seed(seed)
        super().__init__(torch.randn(num_samples, 4, generator=generator), torch.arange(num_samples) % 3)
        self.transform = torch.nn.Dropout(0.5)


def train_whole(folder, error=None, tracker=None):
    """The losses of the script's own reckoning: of each epoch, of each validation, and of the test.

    Args:
        folder: to save in.
        error: that the first batch of the second epoch raises.
        tracker: that it logs the accuracy of the test to.
    """
    set_seed(3)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2, log_with=tracker)
    accelerator.init_trackers("whole")
    loaders = [
        torch.utils.data.DataLoader(Doubled(num_samples, num_samples), batch_size=8, shuffle=num_samples == 48)
        for num_samples in (48, 16, 24)
    ]
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=6, gamma=0.5)
    criterion = torch.nn.CrossEntropyLoss()
    model, optimizer, scheduler, *loaders = accelerator.prepare(model, optimizer, scheduler, *loaders)

    def evaluate(batches):
        model.eval()
        with torch.no_grad():
            losses = [criterion(model(x), y).item() for x, y in batches]
        return sum(losses) / len(losses)

    means, validated = [], []
    for epoch in (1, 2, 3):
        model.train()
        losses = []
        for x, y in loaders[0]:
            with accelerator.accumulate(model):
                loss = criterion(model(x), y)
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
            losses.append(loss.item())
            if error is not None and epoch == 2:
                raise error
        means.append(sum(losses) / len(losses))
        validated.append(evaluate(loaders[1]))
        accelerator.save_state(folder / f"state-{epoch}")
    tested = evaluate(loaders[2])
    accelerator.save_model(model, folder / "model")
    accelerator.log({"test_acc": 0.5})
    accelerator.end_training()
    return means, validated, tested
