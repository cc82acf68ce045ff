from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnprov.model.tensors import shortest_float
from dnnprov.model.values import plain_value, split_non_finite


class Broken:
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (np.bool_(True), True),
        (np.int64(2**62), 2**62),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), 0.1),
        (np.float16(0.1), 0.1),
        (np.array(3.5, dtype=np.float32), 3.5),
        (np.array([7]), 7),
        (2**63, str(2**63)),
        (-(2**63), -(2**63)),
        (b"ab", "base64:YWI="),
        (PurePosixPath("a/b"), "a/b"),
        (Decimal("0.5"), 0.5),
        (Decimal("0.1"), 0.1),
        (Decimal("0.12345678901234567890123"), "0.12345678901234567890123"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1))), "2026-01-02T02:04:05.000000Z"),
        ([1, 2], "[1, 2]"),
        ({"a": (1, None)}, '{"a": [1, null]}'),
        ("a\udc80b", "a\\udc80b"),
    ],
)
def test_any_value_becomes_the_scalar_that_means_the_same(value, expected):
    plain = plain_value(value)
    assert plain == expected
    assert type(plain) is type(expected)


def test_a_value_that_cannot_be_read_becomes_a_text_that_says_so():
    assert plain_value(Broken()) == "<Broken: not readable, RuntimeError>"


def test_a_tensor_on_a_device_becomes_a_number():
    torch = pytest.importorskip("torch")
    assert plain_value(torch.tensor(0.25)) == 0.25
    assert plain_value(torch.tensor(0.1, dtype=torch.float32)) == 0.1
    assert math.isclose(plain_value(torch.tensor(0.1, dtype=torch.bfloat16)), 0.1, rel_tol=1e-2)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_decimal_is_the_same_float32(value):
    assert np.float32(shortest_float(value, "float32")) == np.float32(value)
    assert shortest_float(value, "float32") == float(str(np.float32(value)))


def test_non_finite_values_are_named_beside_the_row():
    values, names = split_non_finite({"a": math.inf, "b": -math.inf, "c": np.float32("nan"), "d": 1, "e": None})
    assert values == {"a": None, "b": None, "c": None, "d": 1, "e": None}
    assert names == {"a": "Infinity", "b": "-Infinity", "c": "NaN"}
