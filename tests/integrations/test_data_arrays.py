"""Arrays that a training is fed from, as values of iTrainingData."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from dnnprov.integrations import data_arrays
from dnnprov.integrations.data_arrays import array_values, class_counts, hash_values


def test_the_same_values_have_the_same_hash_in_every_library_and_layout():
    array = np.arange(12, dtype="float32").reshape(3, 4)
    expected = {"sha256": hashlib.sha256(array.tobytes()).hexdigest(), "num_bytes": 48}
    for same in (array, np.asfortranarray(array), torch.from_numpy(array), torch.from_numpy(array.T.copy()).T):
        assert hash_values({"inputs": same}) == expected
        assert array_values({"inputs": same}) == {"inputs_shape": "[3, 4]", "inputs_dtype": "float32"}


def test_beyond_the_budget_the_hash_is_of_the_beginning_and_says_so(monkeypatch):
    monkeypatch.setattr(data_arrays, "MAX_HASHED_BYTES", 4)
    array = np.arange(10, dtype="uint8")
    digest = hashlib.sha256(bytes(range(4))).hexdigest()
    assert hash_values({"inputs": array}) == {"sha256": digest, "num_bytes": 10, "num_bytes_hashed": 4}


def test_objects_have_no_hash():
    assert hash_values({"inputs": np.array(["a", None], dtype=object)}) == {}


@pytest.mark.parametrize(
    ("labels", "counts"),
    [
        (np.array([1, 0, 1]), {"0": 1, "1": 2}),
        (torch.tensor([[1], [0], [1]]), {"0": 1, "1": 2}),
        (["cat", "dog", "cat"], {"cat": 2, "dog": 1}),
        (np.array([0.5, 1.5]), {}),
        (np.eye(3, dtype=int), {}),
    ],
)
def test_labels_are_counted_by_class_and_other_targets_are_not(labels, counts):
    assert class_counts(labels) == counts
