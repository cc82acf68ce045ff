"""Values come back as they went in; what does not fit is kept and told (promises P5 and P7)."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from dnnprov.testing.recorded import (
    assert_same,
    attributes_of,
    column,
    elements,
    opened,
    problems,
    recording,
    rows,
)

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.testing.recorded import OpenStore, Row

MEGABYTE = "\N{GREEK SMALL LETTER ALPHA}x" * 500_000

NUMBERS: dict[str, Any] = {
    "zero": 0,
    "one": 1.0,
    "tenth": 0.1,
    "largest": 1.7976931348623157e308,
    "smallest": 5e-324,
    "highest integer": 2**63 - 1,
    "lowest integer": -(2**63),
    "beyond a float": 2**53 + 1,
    "not a number": math.nan,
    "infinite": math.inf,
    "below all": -math.inf,
    "yes": True,
    "no": False,
}
"""Name -> number of 64 bits, which comes back as it is."""

TEXTS = {
    "empty": "",
    "blank": " ",
    "digits": "7",
    "nan as text": "NaN",
    "null as text": "null",
    "quotes": 'it\'s "quoted" \\ and `so` ; --',
    "lines": "one\ntwo\r\n\tthree",
    "languages": "Größe 学習率 نسبة 🌷",
    "megabyte": MEGABYTE,
}
"""Name -> text, which comes back as it is."""

CONVERTED: dict[str, tuple[Any, Any]] = {
    "beyond 64 bits": (2**63, "9223372036854775808"),
    "far beyond": (-(10**40), "-1" + "0" * 40),
    "decimal": (Decimal("0.125"), 0.125),
    "long decimal": (Decimal("0.12345678901234567890123"), "0.12345678901234567890123"),
    "no decimal": (Decimal("NaN"), math.nan),
    "quarter": (Fraction(1, 4), 0.25),
    "bytes": (b"\x00\xff", "base64:AP8="),
    "moment": (datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=1))), "2026-01-02T02:04:05.000678Z"),
    "day": (date(2026, 1, 2), "2026-01-02"),
    "duration": (timedelta(minutes=1, milliseconds=500), 60.5),
    "path": (PurePosixPath("a/b"), "a/b"),
    "list": ([1, None, {"a": "b"}], '[1, null, {"a": "b"}]'),
}
"""Name -> value of Python's, and what it is as a number or text."""


class Values:
    """P5 and P7."""

    def test_every_value_of_an_element_comes_back_as_it_went_in(self, open_store: OpenStore, tmp_path: Path) -> None:
        given = {**NUMBERS, **TEXTS, **{name: one for name, (one, _) in CONVERTED.items()}, "none": None}
        with recording(tmp_path) as run, run.task("Split") as task:
            task.log(**given)
            for name, value in given.items():
                task.generates("oAlone", **{name: value})
        expected = {**NUMBERS, **TEXTS, **{name: one for name, (_, one) in CONVERTED.items()}}
        with opened(open_store, tmp_path) as store:
            (found,) = elements(store, "oSplit")
            assert_same(found, expected)
            alone = elements(store, "oAlone")
            assert len(alone) == len(given)
            for name, row in zip(given, alone, strict=True):
                assert_same(row, {name: expected[name]} if name in expected else {})
            assert problems(store) == []

    def test_every_hyperparameter_comes_back_as_it_went_in(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path, params={**NUMBERS, **TEXTS}) as run, run.task("Training"):
            run.set_params(**{name: value for name, (value, _) in CONVERTED.items()})
        expected = {**NUMBERS, **TEXTS, **{name: one for name, (_, one) in CONVERTED.items()}}
        with opened(open_store, tmp_path) as store:
            (found,) = elements(store, "iTrainingModel")
            assert_same(found, expected)

    def test_every_number_of_a_series_comes_back_as_it_went_in(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path) as run:
            run.log(step=7, epoch=2, **NUMBERS)
        with opened(open_store, tmp_path) as store:
            found = rows(store, "SELECT name, value, non_finite, step, epoch, rank FROM metric")
            assert {(row["step"], row["epoch"], row["rank"]) for row in found} == {(7, 2, 0)}
            assert_same({row["name"]: _value(row) for row in found}, NUMBERS)

    def test_texts_of_runs_come_back_as_they_went_in(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path, name=TEXTS["quotes"], tags=TEXTS) as run:
            run.finish("failed", reason=MEGABYTE)
        with opened(open_store, tmp_path) as store:
            assert rows(store, "SELECT name, status, exit_reason FROM run") == [
                {"name": TEXTS["quotes"], "status": "failed", "exit_reason": MEGABYTE}
            ]
            found = rows(store, "SELECT name, value FROM run_tag")
            assert_same({row["name"]: row["value"] for row in found}, TEXTS)

    def test_a_text_with_odd_characters_is_kept_to_its_end(self, open_store: OpenStore, tmp_path: Path) -> None:
        """NUL, which not every engine can hold, may come back written out; a lone surrogate always does."""
        with recording(tmp_path) as run, run.task("Split") as task:
            task.log(nul="a\0b", surrogate="a\udc80b")
        with opened(open_store, tmp_path) as store:
            (found,) = elements(store, "oSplit")
            assert found["nul"] in {"a\0b", "a\\x00b"}
            assert found["surrogate"] == "a\\udc80b"

    def test_what_is_not_finite_is_null_with_its_name_beside(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path) as run, run.task("Training") as training:
            training.log(epoch=1, loss=0.5, **{"Val Loss": 0.5})
            training.log(epoch=2, loss=math.nan, **{"Val Loss": -math.inf})
            run.log(step=0, loss=math.inf)
        with recording(tmp_path) as run, run.task("Training") as training:
            training.log(epoch=1, loss=0.5)
        with opened(open_store, tmp_path) as store:
            first, second, _ = rows(store, "SELECT run_id, loss, non_finite FROM otrainingmodel ORDER BY element_id")
            assert first["non_finite"] is None
            assert second["loss"] is None
            assert second["non_finite"] is not None
            assert json.loads(second["non_finite"])["loss"] == "NaN"
            assert len(json.loads(second["non_finite"])) == 2
            assert_same(elements(store, "oTrainingModel")[1], {"epoch": 2, "loss": math.nan, "Val Loss": -math.inf})
            assert rows(store, "SELECT value, non_finite FROM metric") == [{"value": None, "non_finite": "Infinity"}]
            diverged = column(store, "SELECT DISTINCT run_id FROM otrainingmodel WHERE non_finite IS NOT NULL")
            assert diverged == [first["run_id"]]
            assert column(store, "SELECT run_id FROM run_overview WHERE diverged = 1") == diverged
            (summary,) = rows(
                store,
                "SELECT last, last_finite, min, max, num_values FROM run_metric"
                " WHERE run_id = :run AND level = 'epoch' AND name = 'loss'",
                {"run": first["run_id"]},
            )
            assert summary == {"last": None, "last_finite": 0.5, "min": 0.5, "max": 0.5, "num_values": 2}

    def test_a_value_that_does_not_fit_is_kept_beside_and_told(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path, "alexnet") as run, run.task("Split") as task:
            for value in (0.5, "auto", 2, 2**63, 2**53 + 1):
                task.log(ratio=value)
        with opened(open_store, tmp_path) as store:
            found = rows(store, "SELECT ratio, ratio_text FROM osplit ORDER BY element_id")
            assert [row["ratio"] for row in found] == [0.5, None, 2, None, None]
            assert [row["ratio_text"] for row in found] == [None, "auto", None, str(2**63), str(2**53 + 1)]
            assert not isinstance(found[0]["ratio"], str)
            told = problems(store)
            assert [row["kind"] for row in told] == ["value_does_not_fit"] * 3
            for row, value in zip(told, ("auto", str(2**63), str(2**53 + 1)), strict=True):
                for part in ("alexnet", "oSplit", "ratio", value):
                    assert part in row["detail"], f"{part!r} is not told in {row['detail']!r}"

    def test_a_column_follows_its_first_value_and_no_later_one(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path) as run, run.task("Split") as task:
            task.log(late=None, whole=1, flag=True, word="a")
            task.log(late=0.5, whole=0.5, flag=7, word=7)
        with opened(open_store, tmp_path) as store:
            types = {row["name"]: row["type"] for row in attributes_of(store, "oSplit")}
            assert types == {"late": "number", "whole": "number", "flag": "integer", "word": "text"}
            first, second = elements(store, "oSplit")
            assert_same(first, {"whole": 1, "flag": 1, "word": "a"})
            assert_same(second, {"late": 0.5, "whole": 0.5, "flag": 7, "word": "7"})
            assert problems(store) == []

    def test_a_metric_that_is_no_number_is_told_with_its_value(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path, "alexnet") as run:
            run.log(step=0, loss=0.5, phase="warm-up", count=2**63, nothing=None)
        with opened(open_store, tmp_path) as store:
            assert rows(store, "SELECT name, value FROM metric") == [{"name": "loss", "value": 0.5}]
            told = problems(store)
            assert [row["kind"] for row in told] == ["value_does_not_fit"] * 2
            for row, parts in zip(told, (("phase", "warm-up"), ("count", str(2**63))), strict=True):
                for part in ("alexnet", "metric", *parts):
                    assert part in row["detail"], f"{part!r} is not told in {row['detail']!r}"

    def test_times_are_iso_8601_in_utc(self, open_store: OpenStore, tmp_path: Path) -> None:
        before = datetime.now(UTC)
        with recording(tmp_path) as run, run.task("Split") as task:
            task.log(x=1)
            run.log(x=1)
        after = datetime.now(UTC)
        with opened(open_store, tmp_path) as store:
            found = rows(store, "SELECT started_at, ended_at FROM run")
            found += rows(store, "SELECT recorded_at FROM osplit")
            found += rows(store, "SELECT recorded_at FROM metric")
            for text in (text for row in found for text in row.values()):
                assert text.endswith("Z")
                moment = datetime.fromisoformat(text)
                assert before - timedelta(milliseconds=1) <= moment <= after


def _value(row: Row) -> Any:
    if row["non_finite"] is None:
        return row["value"]
    assert row["value"] is None
    return float(row["non_finite"])
