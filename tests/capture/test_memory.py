"""What recording leaves in memory: nothing, however often it is called."""

from __future__ import annotations

import gc
import math
import tracemalloc

import pytest

import dnnprov

NUM_CALLS = 5000


def bytes_kept(call):
    """By so many calls, after a few that fill caches."""
    for number in range(100):
        call(number)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(100, 100 + NUM_CALLS):
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
        assert bytes_kept(lambda number: run.log(step=number, loss=loss, accuracy=0.25)) < NUM_CALLS


def test_epochs_leave_nothing_in_memory(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        run.recorder.drain()
        assert bytes_kept(lambda number: training.log(epoch=number, loss=0.5, accuracy=0.25)) < NUM_CALLS
