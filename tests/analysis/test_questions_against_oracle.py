"""Every question, on histories made up at random and recorded through the public API, against the oracle."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dnnprov
from analysis import oracle
from analysis.histories import Clock, record, run_plans

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the stores lie: hundreds of them are made, and none has to outlive a power cut."""


def comparable(rows):
    """NaN equals NaN here, and times agree to a millisecond."""
    return [
        {name: "NaN" if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in rows
    ]


def assert_answer(history, question, expected, **arguments):
    found = history.ask(question, **arguments)
    assert comparable(found) == comparable(expected), found.sql
    return found


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans=st.lists(run_plans, min_size=1, max_size=5), epoch=st.integers(1, 4), top=st.integers(1, 3))
def test_every_question_answers_as_the_oracle_does(plans, epoch, top):
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        patch.setenv("DNNPROV_STORE", folder)
        recorded = record(plans, Clock(patch))
        with dnnprov.open() as history:
            for dataflow in {plan.dataflow for plan in plans}:
                mine = oracle.of_dataflow(recorded, dataflow)
                about = {"dataflow": dataflow}
                for metric in ("loss", "val_accuracy"):
                    wanted = oracle.q1(mine[-1], epoch, metric)
                    assert_answer(history, "Q1", wanted, epoch=epoch, metric=metric, **about)
                with_layers = [plan for plan in mine if plan.layers][-1:]
                assert_answer(history, "Q2", oracle.q2(with_layers[0]) if with_layers else [], **about)
                assert_answer(history, "Q3", oracle.q3(mine[-1]), **about)
                found = assert_answer(history, "Q4", oracle.q4(mine), **about)
                assert_left_out_are_named(found.notes, mine)
                assert_answer(history, "Q5", oracle.q5(mine, top), top=top, **about)
                assert_answer(history, "Q6", oracle.q6(mine), **about)
                assert_answer(history, "Q7", oracle.q7(mine, 0.4), **about)
                assert_answer(history, "Q8", oracle.q8(mine), **about)


def assert_left_out_are_named(notes, plans):
    source, compared = oracle.ranking(plans)
    left_out = [plan.name for plan in plans if all(plan is not other for other, _ in compared)]
    named = [name for note in notes if ": " in note for name in note.rpartition(": ")[2].split(", ")]
    if source:
        assert sorted(named) == sorted(left_out)
        assert all(source in note for note in notes)
