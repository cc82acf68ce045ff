"""Lineage on histories made up at random, against plain Python, and against what an export states in PROV."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import dnnprov
from analysis.histories import Clock
from analysis.lineage_oracle import Oracle
from analysis.lineage_stories import Teller, stories
from dnnprov.export.prov_document import prov_document
from dnnprov.export.run_reader import read_run

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def facts_of(history):
    with history.snapshot():
        return [read_run(history, row["run_id"]) for row in history.query("SELECT run_id FROM run ORDER BY started_at")]


def recorded(story, patch, folder):
    """The history of a story, to be closed."""
    store, files = Path(folder) / "store", Path(folder) / "files"
    files.mkdir()
    patch.setenv("DNNPROV_STORE", str(store))
    Teller(Clock(patch), files).tell(story)
    return dnnprov.open()


def distances(found):
    assert len(found) == len(found.rows)
    ids = [row["id"] for row in found]
    assert len(ids) == len(set(ids))
    assert [row["distance"] for row in found] == sorted(row["distance"] for row in found)
    return {row["id"]: row["distance"] for row in found}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=stories)
def test_ancestors_descendants_and_paths_are_those_of_the_oracle(story):
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(dir=MEMORY, ignore_cleanup_errors=True) as folder,
    ):
        with recorded(story, patch, folder) as history:
            oracle = Oracle(facts_of(history))
            every = {thing: oracle.ancestors(thing) for thing in oracle.things}
            for number, thing in enumerate(oracle.things):
                assert distances(history.ancestors(thing)) == every[thing], thing
                below = {other: found[thing] for other, found in every.items() if thing in found}
                assert distances(history.descendants(thing)) == below, thing
                assert distances(history.ancestors(thing, depth=2)) == {
                    other: distance for other, distance in every[thing].items() if distance <= 2
                }
                other = oracle.things[(number * 7 + 3) % len(oracle.things)]
                assert_is_shortest(history.path(thing, other).rows, every, thing, other)


def assert_is_shortest(way, every, start, end):
    if start == end:
        assert [row["id"] for row in way] == [start]
        return
    lengths = [found[last] for found, last in ((every[start], end), (every[end], start)) if last in found]
    assert bool(way) == bool(lengths)
    if way:
        assert way[0]["id"] == start
        assert way[-1]["id"] == end
        assert len(way) - 1 in lengths
        for before, row in pairwise(way):
            assert row["via"] == before["id"]
            assert row["relation"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=stories)
def test_every_ancestor_is_reached_in_the_prov_document_of_the_run(story):
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(dir=MEMORY, ignore_cleanup_errors=True) as folder,
    ):
        with recorded(story, patch, folder) as history:
            for facts in facts_of(history):
                causes = causes_in(prov_document(facts))
                oracle = Oracle([facts], across_runs=False)
                for thing in oracle.things:
                    found = set(distances(history.ancestors(thing, across_runs=False)))
                    local = thing.partition(":")[2] or "run"
                    starts = [local, *(task.id for task in facts.tasks)] if local == "run" else [local]
                    known = reached(causes, starts)
                    assert {one.partition(":")[2] or "run" for one in found} <= known | {local}
                    if not any(step.table == "oadaptation" for line in facts.timelines for step in line.steps):
                        names = {one.partition(":")[2] or "run" for one in oracle.things} - {local}
                        if local != "run":
                            assert {one.partition(":")[2] or "run" for one in found} == known & names


def causes_in(document):
    """Effect -> causes, by local names; what is in a collection counts as a cause of it."""
    causes = {}
    for record in document.get_records():
        if record.is_relation():
            values = [value for _, value in record.formal_attributes]
            effect, cause = values[0], values[2] if record.get_type().localpart == "Start" else values[1]
            if effect is not None and cause is not None and effect.namespace.prefix == cause.namespace.prefix == "run":
                causes.setdefault(effect.localpart, set()).add(cause.localpart)
    return causes


def reached(causes, starts):
    waiting, seen = list(starts), set()
    while waiting:
        for cause in causes.get(waiting.pop(), ()):
            if cause not in seen:
                seen.add(cause)
                waiting.append(cause)
    return seen
