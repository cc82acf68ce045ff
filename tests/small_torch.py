"""A small PyTorch model, its data, and a plain loop, for tests that train one."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)  # for matrices of 4 x 5, threads only wait for one another

X = torch.linspace(-1, 1, 256).reshape(64, 4)
Y = (torch.arange(64) % 3).long()


def small_model():
    """Two layers and a dropout; the same weights each time."""
    torch.manual_seed(7)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Dropout(0.4), nn.Linear(5, 3))


def loader(begin=0, end=32, **arguments):
    """Batches of 8 of some of the samples."""
    return DataLoader(TensorDataset(X[begin:end], Y[begin:end]), **{"batch_size": 8, **arguments})


def sgd(model, rate=0.5, **arguments):
    return torch.optim.SGD(model.parameters(), **{"lr": rate, "momentum": 0.5, **arguments})


def train_epoch(model, optimizer, batches, criterion=nn.functional.cross_entropy, each_step=lambda: None):
    """One pass; the mean of its losses, as most loops compute it."""
    model.train()
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        each_step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def evaluate(model, batches, criterion):
    model.eval()
    with torch.no_grad():
        losses = [criterion(model(x), y).item() for x, y in batches]
    return sum(losses) / len(losses)
