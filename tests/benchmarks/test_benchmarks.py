"""Every benchmark runs in its smallest size; each checks itself that what it timed came out right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

NAMES = (
    "log_call", "many_calls", "training_cost", "keras", "torch", "lightning", "transformers", "jax", "sklearn",
    "optuna", "keras_tuner", "import_time", "ingest", "importing", "live_visibility", "questions", "first_answer",
    "disk", "memory", "lineage", "export", "posts",
)  # fmt: skip


def bench(*arguments, environment=()):
    """What the command prints, and its exit code."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DNNPROV_")}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env={**inherited, "DNNPROV_DATA": os.environ.get("DNNPROV_DATA", ""), **dict(environment)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_measures_and_finds_its_own_results_right(name):
    done = bench(name, "--quick", "--json")
    assert done.returncode in {0, 1}, done.stderr  # 1: a figure so small missed its reach
    found = json.loads(done.stdout)
    assert found["machine"]["SQLite"]
    assert found["measurements"]
    for one in found["measurements"]:
        assert one["benchmark"] == name
        assert one["figure"] is not None
        assert one["is_reached"] in {True, False, None}
    assert done.returncode == int(any(one["is_reached"] is False for one in found["measurements"]))


def test_no_benchmark_is_left_out_here():
    listed = [line.split()[0] for line in bench("--list").stdout.splitlines()]
    assert listed == list(NAMES)


def test_the_table_and_the_page_say_what_was_reached(tmp_path):
    page = tmp_path / "benchmarks.md"
    done = bench("disk", "import_time", "--quick", "--markdown", str(page))
    text = page.read_text(encoding="utf-8")
    assert "| disk after finish" in text
    assert "| import dnnprov over bare Python |" in text
    assert "| CPU |" in text
    assert "**no**" in text  # so few values pay for the empty tables
    assert done.returncode == 1
    assert "reached" in done.stdout


def test_a_wrong_result_is_an_error_and_a_reach_may_be_a_floor(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.measurement import Measurement, WrongResultError, expect

    with pytest.raises(WrongResultError, match="rows: found 2, expected 3"):
        expect("rows", 2, 3)
    assert Measurement("x", 2, reach=1).is_reached is False
    assert Measurement("x", 2, reach=1, is_floor=True).is_reached is True
    assert Measurement("x", 2).is_reached is None


def test_a_benchmark_that_fails_is_told_and_the_others_are_measured(tmp_path):
    page = tmp_path / "benchmarks.md"
    nothing_recorded = {"DNNPROV_DISABLED": "1"}
    done = bench("disk", "import_time", "--quick", "--markdown", str(page), environment=nothing_recorded)
    assert done.returncode == 2
    assert "failed, see above: disk" in done.stderr
    assert "import dnnprov over bare Python" in done.stdout
    assert not page.exists()


def test_an_unknown_name_is_told_with_those_there_are():
    done = bench("log_cal")
    assert done.returncode == 2
    assert "'log_cal' is no benchmark; there are log_call, many_calls" in done.stderr


def test_the_pages_in_the_documentation_have_every_benchmark():
    text = (ROOT / "docs/reference/benchmarks.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"`make bench ONLY={name}`" in text
    text = (ROOT / "docs/reference/benchmarks-large.md").read_text(encoding="utf-8")
    for name in ("questions", "ingest"):
        assert f"`make bench-large ONLY={name}`" in text
    assert "10,000 runs x 1,000 epochs x 6" in text
