"""What tests of the integrations share."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when keras is imported

# Compiling is most of what these tests do: it optimises little, and each program comes once for all of them.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled = tempfile.mkdtemp(prefix="dnnprov-tests-")
    atexit.register(shutil.rmtree, compiled, ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

from importlib.util import find_spec

import pytest

from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.reader import read_chunks
from dnnprov.model.events import ElementAmended, ElementsRecorded, HyperparameterAdapted, ParametersSet, SegmentOpened

collect_ignore = [] if find_spec("ray") else ["test_ray_tune.py"]
"""Ray is 240 MB, so no group of ours installs it; where it is, by the extra `ray`, its tests run."""


class Recorded:
    """What lies in the journals of a store."""

    def __init__(self, store):
        self.store = store

    def events(self, kind=None):
        """All events, or those of one class, run by run in the order they came."""
        folder = StoreFolder(self.store)
        segments = [*folder.open_segments(), *folder.archived_segments()]
        segments.sort(key=lambda path: path.stat().st_ctime_ns)
        lines = [line for segment in segments for chunk in read_chunks(segment) for line in chunk.lines]
        assert all(line.fault is None for line in lines)
        return [line.event for line in lines if kind is None or isinstance(line.event, kind)]

    def rows(self, data_set):
        """The rows of a data set, as they were amended: of stores with one process a run."""
        found, places = [], {}
        run = 0
        for event in self.events((SegmentOpened, ElementsRecorded, ElementAmended)):
            if isinstance(event, SegmentOpened):
                run += 1
            elif event.set != data_set:
                continue
            elif isinstance(event, ElementAmended):
                found[places[run, event.element]] = event.values
            else:
                places[run, event.seq] = len(found)
                found += event.rows
        return found

    def parameters(self):
        """All hyperparameters set."""
        return {name: value for event in self.events(ParametersSet) for name, value in event.values.items()}

    def adaptations(self):
        """(epoch, technique, old value, new value) of every change of the learning rate."""
        return [
            (event.epoch, event.technique, event.old_value, event.new_value)
            for event in self.events(HyperparameterAdapted)
            if event.attribute == "learning_rate"
        ]


@pytest.fixture
def recorded(store):
    return Recorded(store)


@pytest.fixture(scope="session")
def recorded_in():
    """What lies in the journals of any store, for trainings that several tests look at."""
    return Recorded
