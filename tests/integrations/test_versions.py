"""The versions that are named in several places are the same, and the table in the docs is of tests that are there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import versions
from dnnprov.integrations.autologging import FRAMEWORKS

ROOT = Path(__file__).parents[2]
TOLD = json.loads(versions.RESULTS.read_text(encoding="utf-8"))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
PINS = dict(
    re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "tests/oldest_versions.txt").read_text(encoding="utf-8"), re.MULTILINE)
)


def numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)]


def is_within(part, whole):
    return numbers(whole)[: len(numbers(part))] == numbers(part)


def refused_below():
    """Framework -> the version below which its import is refused, as the code has it."""
    source = ROOT / "src/dnnprov"
    texts = {path.stem: path.read_text(encoding="utf-8") for path in source.glob("*.py")}
    found = {
        name: re.search(r'^check_oldest\("[^"]+", "[^"]+", "([\d.]+)"', text, re.MULTILINE)
        for name, text in texts.items()
    }
    for path in source.glob("integrations/*/version.py"):
        name = {"ray_tune": "ray"}.get(path.parent.name, path.parent.name)
        found[name] = re.search(r'^OLDEST = "([\d.]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: match[1] for name, match in found.items() if match}


@pytest.mark.parametrize("name", versions.PACKAGES)
def test_the_oldest_version_that_is_supported_is_one_that_tests_ran_with(name):
    bounds = dict(re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)$", one).groups() for one in EXTRAS[name.replace("_", "-")])
    assert versions.PACKAGES[name][0] in bounds
    assert all(is_within(bound, PINS[package]) for package, bound in bounds.items()), bounds
    told = TOLD["oldest"][name]
    assert {one: PINS[one] for one in told["versions"]} == told["versions"]


def test_what_is_refused_as_too_old_is_what_is_older_than_tests_ran_with():
    refused = refused_below()
    assert refused.keys() == versions.PACKAGES.keys()
    assert all(is_within(oldest, PINS[versions.PACKAGES[name][0]]) for name, oldest in refused.items()), refused


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda one: one.name)
def test_versions_that_are_not_warned_of_are_those_between_the_oldest_and_the_newest_that_ran(framework):
    name = {"pytorch_lightning": "lightning"}.get(framework.name, framework.name)
    ran = [next(iter(TOLD[which][name]["versions"].values())) for which in ("oldest", "newest")]
    assert all(is_within(*pair) for pair in zip(framework.tested, ran, strict=True))


def test_what_the_table_shows_is_what_tests_of_today_show():
    today = {}
    for one in versions.marked_tests():
        assert one.framework in versions.PACKAGES, one
        for thing in one.things:
            today.setdefault(one.framework, {}).setdefault(thing, []).append(one.key)
    for name in versions.PACKAGES:
        shown = {thing: sorted(keys) for thing, keys in today.get(name, {}).items()}
        assert shown == TOLD["newest"][name]["captures"], name


@pytest.mark.parametrize("which", ["oldest", "newest"])
def test_every_test_of_an_integration_ran_and_passed(which):
    assert TOLD[which].keys() == versions.PACKAGES.keys()
    assert [name for name, told in TOLD[which].items() if not told["cases"]["passed"]] == []
    assert [test for told in TOLD[which].values() for test in told["failed"]] == []


def test_a_file_that_cannot_be_imported_and_a_marked_test_elsewhere_are_failures_of_their_framework(tmp_path):
    (marked,) = [one for one in versions.marked_tests() if one.framework == "jax" and "ranks" in one.things]
    files = {
        "integrations/test_sklearn.py": "import a_module_that_the_version_lacks",
        "integrations/test_optuna.py": "def test_a(): pass",
        marked.file: f"def {marked.name}(): raise ValueError",
    }
    for file, text in files.items():
        path = tmp_path / "tests" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --import-mode=importlib --continue-on-collection-errors\n"
    )
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", "tests"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    told = versions.results(versions.outcomes(report), ["jax", "sklearn", "optuna"])
    assert {name: one["failed"] for name, one in told.items() if one["failed"]} == {
        "sklearn": ["integrations/test_sklearn.py::import"],
        "jax": [marked.key],
    }
    assert told["sklearn"]["cases"] == {"passed": 0, "failed": 1, "skipped": 0}
    assert told["optuna"]["cases"] == {"passed": 1, "failed": 0, "skipped": 0}
