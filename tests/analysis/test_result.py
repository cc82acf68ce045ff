from __future__ import annotations

import json
import math
import sys

import pytest

import dnnprov
from dnnprov.analysis.result import Result
from dnnprov.errors import MissingExtraError

NAN = float("nan")


def test_a_result_is_a_sequence_of_dicts():
    found = Result(["epoch", "loss"], [(1, 0.5), (2, None)], "SELECT 1", ["a note"])
    assert (len(found), found[0], found[-1]) == (2, {"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": None})
    assert [row["epoch"] for row in found] == [1, 2]
    assert found[1:] == [{"epoch": 2, "loss": None}]
    assert found == list(found) == Result(["epoch", "loss"], [(1, 0.5), (2, None)])
    assert found != Result(["epoch", "x"], [(1, 0.5), (2, None)])
    assert {"epoch": 1, "loss": 0.5} in found
    assert (found.sql, found.notes, found.columns) == ("SELECT 1", ["a note"], ["epoch", "loss"])
    assert not Result(["epoch"], [])


def test_columns_of_one_name_are_numbered_so_that_no_value_is_lost():
    found = Result(["x", "x", "x_2", "x"], [(1, 2, 3, 4)])
    assert found.columns == ["x", "x_3", "x_2", "x_4"]
    assert list(found[0].values()) == [1, 2, 3, 4]


def test_json_rows_name_what_json_lacks():
    found = Result(["a", "b"], [(NAN, math.inf), (-math.inf, 2**63 - 1), (b"\xff", None)])
    rows = found.to_json_rows()
    expected = [{"a": "NaN", "b": "Infinity"}, {"a": "-Infinity", "b": 2**63 - 1}, {"a": "base64:/w==", "b": None}]
    assert rows == expected
    assert json.loads(json.dumps(rows, allow_nan=False)) == expected
    assert math.isnan(found[0]["a"])


def test_json_keeps_zero_and_the_empty_text():
    assert Result(["a", "b"], [(0.0, "")]).to_json_rows() == [{"a": 0.0, "b": ""}]


def test_pandas_keeps_integers_with_gaps_and_the_columns_of_an_empty_answer():
    frame = Result(["big", "loss", "name"], [(2**63 - 1, 0.5, "a"), (None, NAN, None)]).to_pandas()
    assert str(frame.dtypes["big"]) == "Int64"
    assert frame["big"][0] == 2**63 - 1
    assert str(frame.dtypes["loss"]) == "float64"
    assert list(Result(["a", "b"], []).to_pandas().columns) == ["a", "b"]
    assert len(Result(["a"], [(None,)]).to_pandas()) == 1


def test_arrow_keeps_types_and_makes_text_of_a_mixture():
    table = Result(["n", "x", "mixed"], [(2**63 - 1, 0.5, 1), (None, NAN, "one")]).to_arrow()
    assert [str(kind) for kind in table.schema.types] == ["int64", "double", "string"]
    assert table.to_pylist()[0] == {"n": 2**63 - 1, "x": 0.5, "mixed": "1"}


@pytest.mark.parametrize(("method", "package"), [("to_pandas", "pandas"), ("to_arrow", "pyarrow")])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, method, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"Result\.{method}\(\) needs .* pip install 'dnnprov\[pandas\]'"):
        getattr(Result(["a"], [(1,)]), method)()


def test_the_page_of_a_result_escapes_names_values_and_notes():
    page = Result(["<i>"], [("<script>alert(1)</script>",)], notes=["<b>"])._repr_html_()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_table_of_runs_says_once_what_is_the_same_in_all_of_them(store):
    for rate, seed in ((0.1, 1), (0.2, 1)):
        with dnnprov.start_run(
            "d", params={"learning_rate": rate, "dropout": 0.4, "seed": seed, "width": rate * 10}
        ) as run:
            with run.task("Training") as training:
                training.log(epoch=1, accuracy=rate)
    with dnnprov.open() as history:
        for answer in (history.runs(), history.ask("Q5")):
            assert answer.shared == {"seed": 1}
            assert {row["seed"] for row in answer} == {1}
            assert {"learning_rate", "dropout", "width"} <= set(answer.shown_columns)
            assert "seed" not in answer.shown_columns
            assert repr(answer).endswith("the same in all rows: seed=1")
            assert "<p><small>the same in all rows: seed=1</small></p>" in answer._repr_html_()
