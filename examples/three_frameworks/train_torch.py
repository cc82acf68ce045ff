"""The experiment in plain PyTorch: a loop as people write it, which tells only the accuracies that it alone knows."""

from __future__ import annotations

import torch
from experiment import BATCH_SIZE, CHANNELS, experiment, read_settings
from torch.utils.data import DataLoader, TensorDataset

import dnnprov

dnnprov.autolog()


def make_model(num_classes: int, size: int) -> torch.nn.Module:
    """The network of the three scripts."""
    layers: list[torch.nn.Module] = []
    before = 3
    for channels in CHANNELS:
        layers += [torch.nn.Conv2d(before, channels, 3, padding="same"), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
        before, size = channels, size // 2
    return torch.nn.Sequential(
        *layers, torch.nn.Flatten(), torch.nn.Dropout(0.4), torch.nn.Linear(before * size * size, num_classes)
    )


def loader(split: object, *, shuffle: bool = False) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Batches of a split, channels first."""
    images = torch.from_numpy(split.images).permute(0, 3, 1, 2).contiguous()  # type: ignore[attr-defined]
    labels = torch.from_numpy(split.labels).long()  # type: ignore[attr-defined]
    return DataLoader(TensorDataset(images, labels), batch_size=BATCH_SIZE, shuffle=shuffle)


def test(model: torch.nn.Module, batches: DataLoader[tuple[torch.Tensor, ...]]) -> tuple[float, float]:
    """Mean loss and accuracy."""
    model.eval()
    loss = correct = count = 0.0
    with torch.no_grad():
        for images, labels in batches:
            scores = model(images)
            loss += torch.nn.functional.cross_entropy(scores, labels, reduction="sum").item()
            correct += (scores.argmax(dim=1) == labels).sum().item()
            count += len(labels)
    return loss / count, correct / count


def main() -> None:
    """Train and test once."""
    settings = read_settings()
    torch.manual_seed(17)
    with experiment("torch", settings) as (data, run):
        model = make_model(len(data.class_names), settings.size)
        optimizer = getattr(torch.optim, settings.optimizer)(model.parameters(), lr=settings.learning_rate)
        criterion = torch.nn.CrossEntropyLoss()
        batches, validation = loader(data.train, shuffle=True), loader(data.validation)
        for epoch in range(1, settings.epochs + 1):
            model.train()
            correct = 0
            for images, labels in batches:
                optimizer.zero_grad()
                scores = model(images)
                loss = criterion(scores, labels)
                loss.backward()
                optimizer.step()
                correct += int((scores.argmax(dim=1) == labels).sum())
            val_loss, val_accuracy = test(model, validation)
            accuracy = correct / len(data.train.labels)
            run.log_epoch(epoch, accuracy=accuracy, val_loss=val_loss, val_accuracy=val_accuracy)
        test_loss, test_accuracy = test(model, loader(data.test))
        with run.task("Testing", after=run.training) as testing:
            testing.log(loss=test_loss, accuracy=test_accuracy)


if __name__ == "__main__":
    main()
