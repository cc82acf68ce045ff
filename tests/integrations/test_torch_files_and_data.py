"""What a PyTorch training reads and writes: files of tensors, data sets, transforms."""

from __future__ import annotations

import hashlib
import io
import json
import os

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset

import dnnprov
from dnnprov.integrations.torch import data
from dnnprov.integrations.torch.transforms import filter_rows
from dnnprov.model.events import FileHashed, FileRecorded, ProblemRecorded, TaskBegan
from recorded import rows_of
from small_torch import X, Y, loader, sgd, small_model, train_epoch


@pytest.fixture(autouse=True)
def autologged(store):
    dnnprov.autolog("net")


def files(recorded):
    return [(event.path.rpartition("/")[2], event.relation, event.role) for event in recorded.events(FileRecorded)]


# Files


@pytest.mark.captures("files")
def test_files_that_are_written_have_their_role_epoch_and_hash(recorded, tmp_path):
    model = small_model()
    optimizer, batches = sgd(model), loader()
    train_epoch(model, optimizer, batches)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    train_epoch(model, optimizer, batches)
    safetensors.torch.save_file(model.state_dict(), tmp_path / "weights.safetensors")
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 2}
    torch.save(obj=state, f=tmp_path / "last.ckpt")
    with (tmp_path / "whole.pt").open("wb") as stream:
        torch.save(model, stream)
    torch.save(model.state_dict(), io.BytesIO())
    del model, optimizer
    assert files(recorded) == [
        ("weights.pt", "generated", "weights"),
        ("weights.safetensors", "generated", "weights"),
        ("last.ckpt", "generated", "checkpoint"),
        ("whole.pt", "generated", "model"),
    ]
    hashes = {event.sha256 for event in recorded.events(FileHashed)}
    assert hashes == {hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.glob("*.*")}
    rows = [(row["epoch"], row["written_by"]) for row in recorded.rows("oCheckpoint")]
    assert rows == [(1, "torch.save"), (2, "safetensors.torch.save_file"), (2, "torch.save"), (2, "torch.save")]


def test_a_file_belongs_to_the_run_of_the_model_that_is_in_it(recorded, tmp_path):
    first, second = small_model(), small_model()
    train_epoch(first, sgd(first), loader())
    train_epoch(second, sgd(second), loader())
    torch.save(first.state_dict(), tmp_path / "first.pt")
    del first
    runs = rows_of(recorded.store, "SELECT run_id, role FROM file")
    (run,) = rows_of(recorded.store, "SELECT MIN(run_id) AS run_id FROM run")
    assert runs == [{**run, "role": "weights"}]


@pytest.mark.captures("files")
@pytest.mark.parametrize("way", ["state", "part", "safetensors", "whole"])
def test_a_model_uses_the_file_that_it_was_loaded_from(recorded, tmp_path, way):
    pretrained = small_model()
    model = small_model()
    if way == "safetensors":
        safetensors.torch.save_file(pretrained.state_dict(), tmp_path / "old.bin")
        model.load_state_dict(safetensors.torch.load_file(tmp_path / "old.bin"))
    elif way == "whole":
        torch.save(pretrained, tmp_path / "old.bin")
        model = torch.load(tmp_path / "old.bin", weights_only=False)
    else:
        torch.save({"model": pretrained.state_dict()}, tmp_path / "old.bin")
        state = torch.load(tmp_path / "old.bin")["model"]
        if way == "part":
            model[0].load_state_dict({"weight": state["0.weight"], "bias": state["0.bias"]})
        else:
            model.load_state_dict(state)
    before = hashlib.sha256((tmp_path / "old.bin").read_bytes()).hexdigest()
    train_epoch(model, sgd(model), loader())
    torch.save(model.state_dict(), tmp_path / "old.bin")  # which training often does
    del model
    used = [one for one in files(recorded) if one[1] == "used"]
    assert [name for name, _, _ in used] == ["old.bin"]
    assert before in {event.sha256 for event in recorded.events(FileHashed)}


def test_a_file_that_has_nothing_to_do_with_the_model_is_not_used_by_it(recorded, tmp_path):
    torch.save({"mean": torch.zeros(3)}, tmp_path / "other.pt")
    assert torch.load(tmp_path / "other.pt")["mean"].sum() == 0
    model = small_model()
    train_epoch(model, sgd(model), loader())
    assert files(recorded) == []


# Data


@pytest.mark.captures("data")
def test_tensors_in_memory_are_described_and_hashed(recorded):
    model = small_model()
    train_epoch(model, sgd(model), loader(0, 32))
    del model
    (row,) = recorded.rows("iTrainingData")
    data = X[:32].numpy().tobytes() + Y[:32].numpy().tobytes()
    assert row == {
        "role": "training",
        "data_set": "TensorDataset",
        "num_samples": 32,
        "num_batches": 4,
        "inputs_shape": "[32, 4]",
        "inputs_dtype": "float32",
        "targets_shape": "[32]",
        "targets_dtype": "int64",
        "num_classes": 3,
        "class_counts": '{"0": 11, "1": 11, "2": 10}',
        "sha256": hashlib.sha256(data).hexdigest(),
        "num_bytes": len(data),
    }


class Gray:
    def __init__(self, channels=1):
        self.num_channels, self._channels = channels, channels


class Compose:
    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, sample):
        return sample


class RandomApply(nn.Module):
    def __init__(self, transforms, p=0.5):
        super().__init__()
        self.transforms, self.p = transforms, p


class Folder(Dataset):
    """As ImageFolder of torchvision shows itself."""

    def __init__(self, root, transform=None):
        self.root, self.transform = root, transform
        self.classes, self.targets = ["rose", "tulip"], [0, 1, 1, 0]
        self.samples = self.imgs = [(f"{root}/{number}.jpg", target) for number, target in enumerate(self.targets)]
        self.extensions, self.loader = (".jpg",), open

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return X[index], self.targets[index]


@pytest.mark.captures("filters")
def test_a_folder_of_images_is_told_by_what_it_shows_and_its_transforms_are_a_filter(recorded, tmp_path):
    chain = Compose([Gray(3), nn.Sequential(nn.Identity()), RandomApply([Gray()], p=0.25), abs])
    model = small_model()
    batches = DataLoader(Subset(Folder(tmp_path, chain), [0, 1, 2]), batch_size=2)
    for _ in range(2):
        train_epoch(model, sgd(model), batches)
    del model
    row = recorded.rows("iTrainingData")[0]
    assert (row["data_set"], row["num_samples"], row["num_files"]) == ("Subset", 3, 4)
    assert json.loads(row["classes"]) == ["rose", "tulip"]
    assert json.loads(row["class_counts"]) == {"0": 2, "1": 2}
    assert (row["root"], row["first_file"]) == (str(tmp_path), f"{tmp_path}/0.jpg")
    assert recorded.rows("oFilters") == [
        {"filter_name": "Gray", "parameters": '{"channels": 3}'},
        {"filter_name": "Identity"},
        {"filter_name": "RandomApply", "parameters": '{"transforms": ["Gray(channels=1)"], "p": 0.25}'},
        {"filter_name": "abs"},
    ]
    began = recorded.events(TaskBegan)
    assert [event.tag for event in began] == ["Filters", "Training", "Training"]
    assert [event.after for event in began[1:]] == [[began[0].seq]] * 2
    assert recorded.events(ProblemRecorded) == []


def folder_of_images(place):
    place.mkdir()
    for number in range(4):
        (place / f"{number}.jpg").write_bytes(bytes([number]) * (number + 1))
    return place


@pytest.mark.captures("data")
def test_the_same_images_have_the_same_hash_wherever_they_lie_and_others_another(recorded, tmp_path):
    first, second = folder_of_images(tmp_path / "first"), folder_of_images(tmp_path / "second")
    changed = folder_of_images(tmp_path / "changed")
    (changed / "2.jpg").write_bytes(b"new")
    for place in (first, second, changed):
        model = small_model()
        train_epoch(model, sgd(model), DataLoader(Folder(place), batch_size=4))
        del model
    rows = recorded.rows("iTrainingData")
    expected = hashlib.sha256(b"".join(b"%d\n" % (n + 1) + bytes([n]) * (n + 1) for n in range(4))).hexdigest()
    assert [row["sha256"] == expected for row in rows] == [True, True, False]
    assert [(row["num_bytes"], row["num_files"]) for row in rows] == [(10, 4)] * 3
    assert all("num_bytes_hashed" not in row for row in rows)
    assert recorded.events(ProblemRecorded) == []


def test_more_bytes_or_files_than_the_budget_are_hashed_up_to_it_and_it_is_told(tmp_path, monkeypatch):
    place = folder_of_images(tmp_path / "images")
    paths = [f"{place}/{number}.jpg" for number in range(4)]
    monkeypatch.setattr(data, "MAX_HASHED_FILES", 3)
    of_three = data.hash_files(paths)
    assert (of_three["num_files_hashed"], of_three["num_bytes_hashed"]) == (3, 6)
    assert of_three["sha256"] == data.hash_files(paths[:3])["sha256"]
    monkeypatch.setattr(data, "MAX_HASHED_BYTES", 5)
    assert data.hash_files(paths)["num_bytes_hashed"] == 3
    monkeypatch.setattr(data, "MAX_HASHED_BYTES", 0)
    assert data.hash_files(paths) == {"num_files_hashed": 0, "num_bytes_hashed": 0}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with a name")
def test_a_pipe_among_the_files_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert data.hash_files([f"{tmp_path}/pipe"]) == {}


def test_data_sets_that_are_put_together_have_the_transforms_of_the_first():
    first, second = Folder("one", Gray()), Folder("two")
    assert filter_rows(ConcatDataset([first, second])) == [{"filter_name": "Gray", "parameters": '{"channels": 1}'}]


def test_classes_that_cannot_be_read_or_are_huge_cost_neither_their_counts_nor_much_space(recorded):
    class Long:
        def __str__(self):
            return "x" * 4_000_000

        __repr__ = __str__

    class Unreadable:
        def __str__(self):
            raise RuntimeError("no")

        __repr__ = __str__

    model = small_model()
    dataset = TensorDataset(X[:16], Y[:16])
    dataset.classes = [Long(), Unreadable(), "tulip"]
    train_epoch(model, sgd(model), DataLoader(dataset, batch_size=8))
    del model
    (row,) = recorded.rows("iTrainingData")
    long, unreadable, tulip = json.loads(row["classes"])
    assert len(long) < 2_000_000 and long.endswith("(4000000 characters)")
    assert (unreadable, tulip) == ("<Unreadable: not readable, RuntimeError>", "tulip")
    assert row["class_counts"] == '{"0": 6, "1": 5, "2": 5}'


def test_a_data_set_that_raises_when_asked_costs_what_it_does_not_tell(recorded):
    class Shy(TensorDataset):
        @property
        def transform(self):
            raise RuntimeError("no")

        def __len__(self):
            return 16

    model = small_model()
    train_epoch(model, sgd(model), DataLoader(Shy(X[:16], Y[:16]), batch_size=8))
    del model
    assert recorded.rows("iTrainingData")[0]["num_samples"] == 16
    assert recorded.events(ProblemRecorded) == []
