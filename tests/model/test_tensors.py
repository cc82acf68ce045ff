"""What tensors of every framework hold: read from their device, as the number that the user sees."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dnnprov.model.tensors import MAX_LISTED, shortest_float
from dnnprov.model.values import json_text, plain_value

torch = pytest.importorskip("torch")


@given(arrays.scalar_dtypes().flatmap(lambda dtype: arrays.from_dtype(dtype, allow_nan=False)))
def test_a_numpy_scalar_of_any_type_is_a_plain_value(scalar):
    plain = plain_value(scalar)
    assert type(plain) in {int, float, bool, str, type(None)}
    kind = np.asarray(scalar).dtype.kind
    if kind in "ui":
        assert plain == int(scalar) if -(2**63) <= int(scalar) < 2**63 else plain == str(int(scalar))
    elif kind == "f":
        assert np.asarray(plain).astype(scalar.dtype) == scalar
    elif kind == "b":
        assert plain is bool(scalar)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.1), 0.1),
        (np.float64(0.1), 0.1),
        (np.longdouble("0.5"), 0.5),
        (np.longdouble("-inf"), -math.inf),
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (np.int8(-128), -128),
        (np.bool_(False), False),
        (np.str_("Adam"), "Adam"),
        (np.bytes_(b"ab"), "base64:YWI="),
        (np.complex64(1 + 2j), "(1+2j)"),
        (np.datetime64("2026-01-02T03:04:05"), "2026-01-02T03:04:05Z"),
        (np.datetime64("2026-01-02T03:04:05.123456789"), "2026-01-02T03:04:05.123456789Z"),
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (np.datetime64("NaT"), None),
        (np.timedelta64(90, "s"), 90.0),
        (np.timedelta64(5, "ns"), 5e-9),
        (np.timedelta64("NaT"), None),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        (np.array([0.1, math.nan], dtype=np.float32), "[0.1, NaN]"),
        (np.array([]), "[]"),
        (np.array(["2026-01-02", "NaT"], dtype="datetime64[D]"), '["2026-01-02", null]'),
    ],
)
def test_a_value_of_numpy_is_the_one_it_means(value, expected):
    plain = plain_value(value)
    assert (plain, type(plain)) == (expected, type(expected))


def test_a_longdouble_beyond_any_float_is_kept_as_text():
    huge = np.longdouble("1e4000")
    if np.isinf(huge):
        pytest.skip("longdouble is a double here")
    assert plain_value(huge) == "1e+4000"
    assert plain_value(1 / huge).startswith("1e-4000")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@given(number=st.floats(-1000, 1000))
def test_a_float_of_torch_is_the_shortest_that_means_the_same(dtype, number):
    tensor = torch.tensor(number, dtype=getattr(torch, dtype))
    plain = plain_value(tensor)
    assert torch.tensor(plain, dtype=tensor.dtype) == tensor
    assert len(repr(plain)) <= len(repr(tensor.item()))


class Masked(torch.Tensor):
    pass


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_tensors_of_torch_in_every_state_are_read():
    assert plain_value(torch.tensor(0.1, requires_grad=True)) == 0.1
    assert plain_value(torch.tensor(0.1, requires_grad=True) * 1) == 0.1
    assert plain_value(torch.nn.Parameter(torch.tensor(0.5))) == 0.5
    assert plain_value(torch.tensor(2**62)) == 2**62
    assert plain_value(torch.tensor([[7]])) == 7
    assert plain_value(torch.tensor(True)) is True
    assert plain_value(torch.tensor(1 + 2j)) == "(1+2j)"
    assert plain_value(Masked([0.1])) == 0.1
    assert plain_value(torch.quantize_per_tensor(torch.tensor([0.5]), 0.1, 0, torch.qint8)) == 0.5
    assert plain_value(torch.tensor([1.0, 0.1])) == "[1.0, 0.1]"
    assert plain_value(torch.tensor(math.inf, dtype=torch.float16)) == math.inf
    assert plain_value([torch.tensor(0.1), {"a": torch.tensor([1, 2])}]) == '[0.1, {"a": [1, 2]}]'
    assert plain_value(torch.tensor(1.0, device="meta")) == "<Tensor: not readable, RuntimeError>"


def test_tensors_of_jax_are_read():
    jax = pytest.importorskip("jax")
    for dtype in (jax.numpy.float32, jax.numpy.bfloat16, jax.numpy.float16):
        assert plain_value(jax.numpy.asarray(0.1, dtype=dtype)) == 0.1
    assert plain_value(jax.numpy.arange(3)) == "[0, 1, 2]"
    assert plain_value(jax.numpy.asarray(True)) is True
    traced = []
    jax.jit(lambda x: traced.append(plain_value(x)) or x)(1.0)
    assert traced[0].endswith("not readable, ConcretizationTypeError>")


_OF_TENSORFLOW = """
import tensorflow, keras
from dnnprov.model.values import plain_value
for dtype in ("float32", "bfloat16", "float16"):
    assert plain_value(tensorflow.constant(0.1, dtype=dtype)) == 0.1
assert plain_value(tensorflow.Variable(0.1)) == 0.1
assert plain_value(tensorflow.constant("Größe")) == "Größe"
assert plain_value(tensorflow.constant([1, 2])) == "[1, 2]"
assert plain_value(keras.Variable(0.1)) == 0.1
traced = []
tensorflow.function(lambda x: traced.append(plain_value(x)) or x)(tensorflow.constant(1.0))
assert traced[0].startswith('Tensor("x'), traced
print("read")
"""


def test_tensors_and_variables_of_tensorflow_are_read():
    """In a process of its own: TensorFlow's threads would stay."""
    pytest.importorskip("keras")
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("tensorflow is not installed")
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    script = [sys.executable, "-W", "error::DeprecationWarning:dnnprov", "-c", _OF_TENSORFLOW]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "read\n", done.stderr


def test_variables_of_keras_are_read_without_a_warning():
    keras = pytest.importorskip("keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plain_value(keras.Variable(0.1)) == 0.1
        assert plain_value(keras.optimizers.Adam(0.01).learning_rate) == 0.01


def test_values_of_pandas_are_read():
    pandas = pytest.importorskip("pandas")
    assert plain_value(pandas.Timestamp("2026-01-02T03:04:05Z")) == "2026-01-02T03:04:05.000000Z"
    assert plain_value(pandas.Timestamp("2026-01-02T03:04:05").tz_localize("UTC")) == "2026-01-02T03:04:05.000000Z"
    naive = pandas.Timestamp("2026-01-02T03:04:05")
    assert plain_value(naive) == plain_value(naive.to_pydatetime())
    assert plain_value(pandas.NaT) is None
    assert plain_value(pandas.NA) is None
    assert plain_value(pandas.Timedelta(seconds=1.5)) == 1.5
    assert plain_value(pandas.Series([1, 2])) == "[1, 2]"


def test_what_is_masked_has_no_value():
    assert plain_value(np.ma.masked) is None
    assert plain_value(np.ma.array(3.0, mask=True)) is None
    assert plain_value(np.ma.array([3.0], mask=[True])) is None
    assert plain_value(np.ma.array([3.0], mask=[False])) == 3.0
    assert plain_value(np.ma.array([1.0, 2.0], mask=[False, True])) == "[1.0, null]"


def test_a_large_tensor_is_summed_up_and_a_smaller_one_listed_in_full():
    listed = plain_value(np.arange(MAX_LISTED))
    assert listed == json_text(list(range(MAX_LISTED)))
    text = plain_value(torch.zeros(3000, 1000))
    assert text.startswith("Tensor of shape (3000, 1000), float32: tensor([[0., 0., 0.,")
    assert len(text) < 1000


@given(st.floats(width=16, allow_nan=False, allow_infinity=False))
def test_the_shortest_decimal_is_the_same_float16(value):
    assert np.float16(shortest_float(value, "float16")) == np.float16(value)


@given(st.integers(0, 2**16 - 1))
def test_the_shortest_decimal_is_the_same_bfloat16_and_no_shorter_one_is(bits):
    tensor = torch.tensor(np.uint16(bits).view(np.int16).item(), dtype=torch.int16).view(torch.bfloat16)
    value = tensor.item()
    if not math.isfinite(value):
        return
    shortest = shortest_float(value, "bfloat16")
    assert torch.tensor(shortest, dtype=torch.bfloat16) == tensor
    for digits in range(1, 5):
        candidate = float(f"{value:.{digits}g}")
        if torch.tensor(candidate, dtype=torch.bfloat16) == tensor:
            assert shortest == candidate
            break
