"""Stories for lineage: runs that use each other's files, made up at random and recorded through the public API."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

import dnnprov
from dnnprov.capture.recorder import Recorder
from dnnprov.journal.folder import store_folder

_numbers = st.integers(0, 7)

_deeds = st.one_of(
    st.tuples(st.just("run"), st.booleans(), _numbers),
    st.tuples(st.just("resume"), _numbers),
    st.tuples(st.just("rank")),
    st.tuples(
        st.just("task"),
        st.sampled_from(["Training", "Training", "Testing", "Filters", "Split", "Fit"]),
        st.lists(_numbers, max_size=2),
    ),
    st.tuples(st.just("end"), _numbers),
    st.tuples(
        st.sampled_from(["uses", "generates"]),
        st.sampled_from(["iFilters", "oFilters", "iTrainingModel", "iLayers", "oTestingModel", "oAdaptation"]),
        _numbers,
        st.integers(1, 3),
    ),
    st.tuples(st.just("log"), _numbers, st.one_of(st.integers(1, 6), st.none())),
    st.tuples(st.just("log"), _numbers, st.one_of(st.integers(1, 6), st.none())),
    st.tuples(st.just("adapt"), _numbers, st.sampled_from(["Scheduler", "Plateau"]), st.integers(1, 6)),
    st.tuples(
        st.just("file"),
        st.sampled_from(["used", "generated"]),
        _numbers,
        st.sampled_from(["a.bin", "b.bin"]),
        st.integers(0, 2),
        st.sampled_from(["model", "checkpoint", None]),
    ),
)

stories = st.lists(_deeds, min_size=3, max_size=30)


class Teller:
    """Records a story; each deed happens to the run that was begun last."""

    def __init__(self, clock, folder):
        self._clock, self._folder = clock, Path(folder)
        self._runs, self._tasks, self._elsewhere = [], [], []

    def tell(self, story):
        self.run(False, 0)
        for name, *arguments in story:
            self._clock.now += 1.0
            getattr(self, name)(*arguments)
        self._current.finish()
        for recorder in self._elsewhere:
            recorder.close()

    @property
    def _current(self):
        return self._runs[-1]

    def _task(self, number):
        """One of the open tasks, or none: the run as a whole."""
        choices = [*self._tasks, None]
        return choices[number % len(choices)]

    def run(self, has_parent, number):
        parent = self._runs[number % len(self._runs)].uid if has_parent and self._runs else None
        if self._runs:
            self._current.finish()
        self._runs.append(dnnprov.start_run("m", params={"learning_rate": 1.0}, parent=parent))
        self._tasks = []

    def resume(self, number):
        self._current.finish()
        self._runs.append(dnnprov.start_run("m", resume=self._runs[number % len(self._runs)].uid))
        self._tasks = []

    def rank(self):
        """Another rank of the run, with a training of its own."""
        recorder = Recorder(store_folder(), self._current.uid, rank=1 + len(self._elsewhere))
        self._elsewhere.append(recorder)
        with dnnprov.Run(recorder, "m", "").task("Training") as training:
            training.log(epoch=1, loss=0.5)

    def task(self, tag, after):
        before = [task for number in after if (task := self._task(number)) is not None]
        self._tasks.append(self._current.task(tag, after=before))

    def end(self, number):
        task = self._task(number)
        if task is not None:
            task.end()

    def uses(self, data_set, number, count):
        self._record(data_set, "used", number, count)

    def generates(self, data_set, number, count):
        self._record(data_set, "generated", number, count)

    def _record(self, data_set, relation, number, count):
        task = self._task(number)
        rows = [{"position": row, "epoch": row} for row in range(count)]
        if task is not None:
            task.record(data_set, relation, rows)

    def log(self, number, epoch):
        task = self._task(number)
        if task is not None:
            task.record("oTrainingModel", "generated", [{"loss": 0.5} if epoch is None else {"epoch": epoch}])

    def adapt(self, number, technique, epoch):
        change = dnnprov.Change("learning_rate", 1.0, 0.5, epoch=epoch, technique=technique)
        self._current.adapt(change, self._task(number))

    def file(self, relation, number, name, content, role):
        place = self._folder / f"{len(list(self._folder.iterdir()))}-{name}"
        place.write_bytes(b"%d" % content)
        self._current.record_file(place, role, relation, self._task(number))
