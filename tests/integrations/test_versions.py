"""The versions that are named in several places are the same, and the table in the docs is of tests that are there."""

from __future__ import annotations

import json
import re
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


@pytest.mark.parametrize("name", versions.PACKAGES)
def test_the_oldest_version_that_is_supported_is_one_that_tests_ran_with(name):
    package = versions.PACKAGES[name][0]
    (bound,) = [
        re.search(r">=([\d.]+)", one)[1]
        for one in EXTRAS[name.replace("_", "-")]
        if re.match(rf"{package}\b(?!-)", one)
    ]
    assert is_within(bound, PINS[package])
    told = TOLD["oldest"][name]
    assert {one: PINS[one] for one in told["versions"]} == told["versions"]


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
    for name, things in today.items():
        assert {thing: sorted(keys) for thing, keys in things.items()} == TOLD["newest"][name]["captures"], name


def test_every_test_of_an_integration_passed_with_both_versions():
    for which in ("oldest", "newest"):
        assert [test for told in TOLD[which].values() for test in told["failed"]] == []
