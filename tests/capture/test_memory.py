"""What recording leaves in memory: nothing, however often it is called."""

from __future__ import annotations

import gc
import math
import tracemalloc

import pytest

import dnnprov

NUM_CALLS = 5000

pytestmark = pytest.mark.no_cover  # which remembers each line the first time that it comes


def keeps_nothing(call):
    """Whether some round of calls, after a few that fill caches, leaves not even a byte a call.

    A call that keeps something keeps it in every round; what the thread of heartbeats needs once comes in one.
    """
    for number in range(100):
        call(number)
    return any(bytes_kept(call, 100 + number * NUM_CALLS) < NUM_CALLS for number in range(3))


def bytes_kept(call, first):
    """By so many calls."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(first, first + NUM_CALLS):
            call(number)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


@pytest.mark.parametrize("loss", [0.5, math.nan], ids=["finite", "nan"])
def test_log_calls_leave_nothing_in_memory(store, loss):
    with dnnprov.start_run("m") as run:
        run.recorder.drain()
        assert keeps_nothing(lambda number: run.log(step=number, loss=loss, accuracy=0.25))


def test_epochs_leave_nothing_in_memory(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        run.recorder.drain()
        assert keeps_nothing(lambda number: training.log(epoch=number, loss=0.5, accuracy=0.25))
