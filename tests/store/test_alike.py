"""Events that are alike are taken in together: the database must say what it says when each comes alone."""

from __future__ import annotations

import math
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dnnprov
from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.format import encode
from dnnprov.model.events import (
    ElementAmended,
    ElementsRecorded,
    MetricsRecorded,
    RunEnded,
    RunResumed,
    RunStarted,
    SegmentClosed,
    SegmentOpened,
    TaskBegan,
)
from dnnprov.store.element_rows import ElementRows
from dnnprov.store.ingest import Ingest
from dnnprov.store.metrics import Metrics
from dnnprov.store.sqlite import SqliteStore
from recorded import column_of, rows_of
from store.whole_database import contents, differences

BEGAN = 1_700_000_000_000_000
RUN = "ab" * 8

USUAL = [0.5, -1.5, 2.0, 1e300, 0.25, 0.125]


def rows_in_a_row(values):
    """Many rows with the same names, most of them usual."""
    names = st.sampled_from([("loss", "accuracy"), ("loss", "epoch"), ("note", "loss")])
    epochs = {"epoch": st.integers(0, 9)}
    return names.flatmap(
        lambda chosen: st.lists(
            st.fixed_dictionaries({name: epochs.get(name, values) for name in chosen}), min_size=3, max_size=9
        )
    )


ODD = [None, True, "text", "NaN", 3, -0.0, 2**53 + 1, 2**63 - 1, 10**19]
ROWS = st.one_of(  # rows that are taken in together but for one kind of value
    rows_in_a_row(st.sampled_from(USUAL)),
    st.sampled_from(ODD).flatmap(lambda odd: rows_in_a_row(st.sampled_from([*USUAL[:3], odd]))),
    rows_in_a_row(st.sampled_from(["a", "b", 0.5])),
)
STEPS = ["counted", "again", "none", "fraction"]
SETS = ["oTrainingModel", "oTestingModel", "oOther", "iTrainingModel"]
BLOCKS = st.lists(
    st.one_of(
        st.tuples(st.just("metrics"), ROWS, st.sampled_from(STEPS)),
        st.tuples(st.sampled_from(SETS), ROWS, st.booleans()),
        st.tuples(st.just("task")),
        st.tuples(st.just("amended"), ROWS, ROWS),
    ),
    min_size=1,
    max_size=6,
)


def events_of(blocks):
    """The events of what a process did; the first task is event 2."""
    events = [TaskBegan(tag="Training")]
    step = 0
    task = 2
    for block in blocks:
        if block[0] == "task":
            task = len(events) + 2
            events.append(TaskBegan(tag="Testing", after=[2]))
            continue
        if block[0] == "amended":
            events += amended(block[1], block[2], len(events) + 2, task)
            continue
        kind, rows, detail = block
        for row in rows:
            values = {name: math.nan if value == "NaN" else value for name, value in row.items()}
            if kind == "metrics":
                step += detail == "counted"
                at = {"counted": step, "again": 1, "none": None, "fraction": step + 0.5}[detail]
                events.append(MetricsRecorded(values=values, step=at, epoch=len(events) // 2))
            else:
                relation = "used" if kind[0] == "i" else "generated"
                its_task = task if detail else None
                events.append(ElementsRecorded(set=kind, relation=relation, rows=[values], task=its_task))
    return events


def amended(rows, more, first, task):
    """Epochs, each followed by what it says more, or otherwise."""
    found = []
    for row, other in zip(rows, more, strict=False):
        before, now = ({name: math.nan if value == "NaN" else value for name, value in one.items()} for one in
                       (row, {**row, **{f"val_{name}": value for name, value in other.items()}}))  # fmt: skip
        if other.get("loss") == row.get("loss"):
            now = {**now, **dict.fromkeys(before, 0.75)}
        number = first + len(found)
        found.append(ElementsRecorded(set="oTrainingModel", relation="generated", rows=[before], task=task))
        found.append(MetricsRecorded(values={"batch_loss": 0.5}, step=number))
        found.append(ElementAmended(element=number, set="oTrainingModel", relation="generated", values=now, task=task))
    return found


def write(folder, process, events, **header):
    path = folder.segment(RUN, process)
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = SegmentOpened(format=3, run=RUN, process=process, host="elsewhere", boot="another", **header)
    lines = []
    for number, event in enumerate([opened, *events, RunEnded(status="finished"), SegmentClosed()]):
        event.seq, event.at = number, BEGAN + header.get("attempt", 0) * 10**9 + 1000 * number
        lines.append(encode(event))
    path.write_bytes(b"".join(lines))


def said(folder, first, second, chunk_bytes):
    """What the database says after a run and its resumption were read in pieces of so many bytes."""
    write(folder, "r0-a", [RunStarted(dataflow="m", name="n"), *events_of(first)])
    if second is not None:
        write(folder, "r0-b", [RunResumed(dataflow="m"), *events_of(second)], attempt=1)
    store = SqliteStore(folder, chunk_bytes=chunk_bytes)
    assert store.catch_up() is None
    store.close()
    found = contents(folder.database)
    del found["journal_position"]
    return found


@pytest.mark.parametrize("odd", [*ODD, 0.5])
@pytest.mark.parametrize("is_resumed", [False, True])
def test_one_odd_value_among_usual_ones_says_what_it_says_alone(tmp_path, odd, is_resumed):
    rows = [{"loss": number / 4, "epoch": number} for number in (1, 2, 3, 9, 5, 6)]
    rows[3]["loss"] = odd
    notes = [{"note": "a", "loss": 0.5} for _ in range(5)]
    notes[2]["note"] = odd
    blocks = [(kind, some, True) for kind in SETS for some in (notes, rows)]
    blocks += [("task",), *((kind, rows, True) for kind in SETS)]
    blocks += [("amended", rows, notes), ("amended", rows[::-1], rows), ("amended", notes, rows)]
    blocks += [("metrics", [{"loss": row["loss"], "acc": 1} for row in rows], steps) for steps in STEPS]
    second = blocks if is_resumed else None
    together = said(StoreFolder(tmp_path / "together"), blocks, second, 1 << 20)
    assert differences(together, said(StoreFolder(tmp_path / "alone"), blocks, second, 1)) == {}


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(BLOCKS, st.none() | BLOCKS)
def test_what_is_taken_in_together_says_what_it_says_one_by_one(tmp_path_factory, first, second):
    place = tmp_path_factory.mktemp("alike")
    together = said(StoreFolder(place / "together"), first, second, 1 << 20)
    one_by_one = said(StoreFolder(place / "alone"), first, second, 1)
    assert differences(together, one_by_one) == {}


def test_epochs_that_were_amended_are_taken_in_as_columns_and_say_what_they_say_one_by_one(tmp_path, monkeypatch):
    epochs = [{"epoch": number, "loss": number / 8} for number in range(1, 21)]
    more = [{"loss": 1 / number, "acc": 0.5} for number in range(1, 21)]
    alone = said(StoreFolder(tmp_path / "alone"), [("amended", epochs, more)], None, 1)
    monkeypatch.setattr(ElementRows, "amend", lambda *_: pytest.fail("not folded"))
    together = said(StoreFolder(tmp_path / "together"), [("amended", epochs, more)], None, 1 << 20)
    assert differences(together, alone) == {}


def test_usual_epochs_and_log_calls_are_taken_in_as_columns(store, monkeypatch):
    """Else the test above compares one way with itself, and ingest is slow."""
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        for number in range(20):
            training.log(epoch=number, loss=0.5, accuracy=number / 20)
            run.log(step=number, batch_loss=1.5, batch_accuracy=0.5)
    statements = []
    folder = StoreFolder(store)
    SqliteStore(folder).close()
    connection = sqlite3.connect(folder.database, isolation_level=None, factory=_counting(statements))
    monkeypatch.setattr(Metrics, "_take_one", lambda *_: pytest.fail("one by one"))
    Ingest(connection, folder).catch_up()
    connection.close()
    assert sum('INTO "otrainingmodel"' in sql for sql in statements) == 2  # the first, and the others at once
    assert sum("INSERT INTO metric_value" in sql for sql in statements) <= 2
    assert column_of(store, "SELECT COUNT(*) FROM otrainingmodel") == [20]
    assert column_of(store, "SELECT COUNT(*) FROM metric") == [40]


def _counting(statements):
    class Counting(sqlite3.Connection):
        def execute(self, sql, *rest):
            statements.append(sql)
            return super().execute(sql, *rest)

        def executemany(self, sql, *rest):
            statements.append(sql)
            return super().executemany(sql, *rest)

    return Counting


def test_times_of_values_are_those_of_their_calls(store):
    write(
        StoreFolder(store),
        "r0-a",
        [RunStarted(dataflow="m", name="n"), *(MetricsRecorded(values={"x": 0.5}, step=n) for n in range(6))],
    )
    expected = [f"2023-11-14T22:13:20.{2 + number:03d}Z" for number in range(6)]
    assert column_of(store, "SELECT recorded_at FROM metric ORDER BY step") == expected


def test_the_accuracy_beside_a_run_is_the_first_of_run_accuracy(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        for number in range(1, 9):
            training.log(epoch=number, accuracy=0.1 * number)
            if number > 4:
                training.log(epoch=number, val_accuracy=1 / number)
            if number in {3, 7}:
                column_of(store, "SELECT 1")
    with run.task("Testing") as testing:
        testing.log(accuracy=float("nan"))
    with dnnprov.start_run("m"):
        pass
    beside = rows_of(store, "SELECT name, accuracy, accuracy_source, accuracy_kind FROM run ORDER BY run_id")
    assert [tuple(row.values()) for row in beside] == [("m-1", 0.2, "validation", 1), ("m-2", None, None, None)]
    first = "SELECT accuracy, source FROM run_accuracy ORDER BY preference LIMIT 1"
    assert rows_of(store, first) == [{"accuracy": 0.2, "source": "validation"}]
