"""Bytes of journals that change, come or go at any place: the rest is in, and what is missing is told."""

from __future__ import annotations

import gzip
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.format import encode
from dnnprov.model.events import MetricsRecorded, RunEnded, RunStarted, SegmentClosed, SegmentOpened
from dnnprov.store.sqlite import open_store

RUN, OTHER, PROCESS = "abcdabcdabcdabcd", "bbcdabcdabcdabcd", "r0-x-1-0"
NUM_METRICS = 40


def journal(run):
    """A whole segment; its metrics have steps by which they are known."""
    metrics = [MetricsRecorded(values={"loss": step / 8}, step=1000 + step) for step in range(NUM_METRICS)]
    events = [
        SegmentOpened(format=1, run=run, process=PROCESS, host="elsewhere"),
        RunStarted(dataflow="m", name="m-1"),
        *metrics,
        RunEnded(status="finished"),
        SegmentClosed(),
    ]
    for number, event in enumerate(events):
        event.seq, event.at = number, 1_700_000_000_000_000 + number
    return b"".join(encode(event) for event in events)


WHOLE = journal(RUN)
STEPS = list(range(1000, 1000 + NUM_METRICS))


@st.composite
def damage(draw, whole):
    """Content with up to three changes, each of one of five kinds."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        at, length = draw(st.integers(0, max(0, len(content) - 1))), draw(st.integers(1, 400))
        kind = draw(st.sampled_from(["flip", "insert", "delete", "truncate", "zero"]))
        if kind == "flip" and content:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=60))
        elif kind == "delete":
            del content[at : at + length]
        elif kind == "truncate":
            del content[at:]
        elif kind == "zero":
            content[at : at + length] = bytes(len(content[at : at + length]))
    return bytes(content)


def taken_in(place, content):
    """Steps of each run, problems, and status of each run, of a store with a damaged and a whole journal."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = StoreFolder(Path(temporary))
        path = folder.segment(RUN, PROCESS) if place == "open" else folder.archived(RUN, PROCESS)
        for one, held in ((path, content), (folder.segment(OTHER, PROCESS), journal(OTHER))):
            one.parent.mkdir(parents=True, exist_ok=True)
            one.write_bytes(held)
            os.utime(one, (1_700_000_000,) * 2)  # so nobody waits for more of it
        for _ in range(2):  # what is done with is not told again
            database = open_store(temporary)
            note = database.catch_up()
            assert note is None, note
            found = {
                run: [row[0] for row in database.read(
                    "SELECT step FROM metric AS m JOIN run AS r ON r.run_id = m.run_id WHERE uid = ? ORDER BY step",
                    (run,),
                )[1]]
                for run in (RUN, OTHER)
            }  # fmt: skip
            problems = database.read("SELECT kind, detail FROM problem")[1]
            statuses = dict(database.read("SELECT uid, status FROM run")[1])
            database.close()
        return found, problems, statuses


def num_told(problems):
    """How many events the problems account for."""
    gaps = [re.match(r"events (\d+) to (\d+)", detail) for kind, detail in problems if kind == "missing_events"]
    return sum(kind == "corrupt_line" for kind, _ in problems) + sum(int(gap[2]) - int(gap[1]) + 1 for gap in gaps)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damage(WHOLE))
@example(WHOLE[:-1])
@example(b"\0" * 4096 + WHOLE)
@example(WHOLE.replace(b"\n", b"", 1))
@example(b"")
@example(b"\n")
def test_of_an_open_journal_every_whole_line_is_in_and_every_missing_event_is_told(content):
    found, problems, statuses = taken_in("open", content)
    assert found[OTHER] == STEPS
    assert statuses[OTHER] == "finished"
    whole = Counter(content[: content.rfind(b"\n") + 1].split(b"\n"))
    surviving = [step for step, line in zip(STEPS, WHOLE.split(b"\n")[2:], strict=False) if whole[line]]
    if surviving:
        assert set(surviving) <= set(found[RUN])
    assert len(found[RUN]) <= content.count(b"\n")
    num_missing = len(STEPS) - len(set(found[RUN]) & set(STEPS))
    is_refused = any(kind == "refused_segment" for kind, _ in problems)
    is_finished = statuses.get(RUN) == "finished"
    if num_missing and is_finished and not is_refused:  # else the end is missing, and the run shows it
        is_altered = (
            len(found[RUN]) - len(set(found[RUN]) & set(STEPS)) + sum(kind == "event_not_taken" for kind, _ in problems)
        )
        assert num_missing <= num_told(problems) + is_altered


CHANGES = st.tuples(st.sampled_from(["again", "swap", "drop"]), st.integers(1, 42), st.integers(1, 42))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CHANGES, max_size=4))
def test_lines_that_come_again_or_changed_places_are_in_once_and_those_that_are_gone_are_told(changes):
    whole = WHOLE.splitlines(keepends=True)
    lines = list(whole)
    for kind, one, other in changes:
        if kind == "again":
            lines.insert(other, lines[one])
        elif kind == "swap":
            lines[one], lines[other] = lines[other], lines[one]
        else:
            lines[one] = b"\n"
    found, problems, _ = taken_in("open", b"".join(lines))
    assert found[RUN] == [step for step, line in zip(STEPS, whole[2:], strict=False) if line in lines]
    assert num_told(problems) == len(set(whole) - set(lines))
    num_again = sum(lines.count(line) - 1 for line in set(lines) & set(whole))
    assert any(kind == "repeated_event" for kind, _ in problems) == bool(num_again)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damage(gzip.compress(WHOLE, mtime=0)))
@example(b"")
@example(gzip.compress(WHOLE) + b"garbage")
def test_of_an_archived_journal_what_is_before_the_damage_is_in_and_the_damage_is_told(content):
    found, problems, statuses = taken_in("archived", content)
    assert found[OTHER] == STEPS
    assert statuses[OTHER] == "finished"
    if found[RUN] != STEPS:
        assert problems


@pytest.mark.parametrize("number", [0, 1, 2, 20, NUM_METRICS + 1, NUM_METRICS + 2, NUM_METRICS + 3])
def test_a_line_overwritten_with_zeros_costs_that_line(number):
    lines = WHOLE.splitlines(keepends=True)
    lines[number] = bytes(len(lines[number]) - 1) + b"\n"
    found, problems, _ = taken_in("open", b"".join(lines))
    assert found[RUN] == [step for step in STEPS if step != 1000 + number - 2]
    assert [kind for kind, _ in problems] == ["corrupt_line"]
