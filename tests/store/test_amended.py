"""Rows that say more later: one row each, which says the same however its events came."""

from __future__ import annotations

import itertools
import math
from contextlib import closing

import pytest

import dnnprov
from dnnprov.capture.amendable_row import AmendableRow
from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.format import encode
from dnnprov.model.events import (
    AttributeDeclared,
    DataflowDeclared,
    DataSetDeclared,
    ElementAmended,
    ElementsRecorded,
    RunEnded,
    RunStarted,
    SegmentClosed,
    SegmentOpened,
    TaskBegan,
    TransformationDeclared,
)
from dnnprov.store.rebuild import rebuild
from dnnprov.store.sqlite import SqliteStore
from recorded import column_of, rows_of
from store.whole_database import contents, differences

RUN = "abcdabcdabcdabcd"
BEGAN = 1_700_000_000_000_000
START = [RunStarted(dataflow="m", name="m-1"), TaskBegan(tag="Training")]
END = [RunEnded(status="finished"), SegmentClosed()]
SUMMARIES = "SELECT name, last, min, min_epoch, max, max_epoch, num_values FROM run_metric ORDER BY name"


def epoch(number, task=2, **values):
    return ElementsRecorded(set="oTrainingModel", relation="generated", task=task, rows=[{"epoch": number, **values}])


def amended(element, task=2, **values):
    return ElementAmended(element=element, set="oTrainingModel", relation="generated", task=task, values=values)


def lines_of(events, process="r0-a", began_at=BEGAN, **header):
    opened = SegmentOpened(format=3, run=RUN, process=process, host="elsewhere", boot="another", **header)
    lines = []
    for number, event in enumerate([opened, *events]):
        event.seq, event.at = number, began_at + 1_000_000 * number
        lines.append(encode(event))
    return lines


def write(store, lines, process="r0-a"):
    path = StoreFolder(store).segment(RUN, process)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        stream.writelines(lines)
    return path


def said(store):
    """All that the database says, but for how far it is."""
    column_of(store, "SELECT 1")
    found = contents(store / "provenance.db")
    del found["journal_position"]
    return found


def read_line_by_line(store, lines, process="r0-a"):
    """Take each line in by itself, as those do who ask while a model trains."""
    path = write(store, [], process)
    with path.open("ab") as stream, closing(SqliteStore(StoreFolder(store))) as database:
        for line in lines:
            stream.write(line)
            stream.flush()
            assert database.catch_up() is None


JOURNALS = {
    "a metric more": [epoch(1, loss=0.5), amended(3, epoch=1, loss=0.5, val_loss=0.75), epoch(2, loss=0.25)],
    "another value": [epoch(1, loss=0.5), epoch(2, loss=0.75), amended(3, epoch=1, loss=0.9)],
    "another type": [epoch(1, f1=1), amended(3, epoch=1, f1=0.5), epoch(2, f1=2), amended(5, epoch=2, f1="bad")],
    "text that fits now": [epoch(1, loss="none"), amended(3, epoch=1, loss=0.5)],
    "text that fits no more": [epoch(1, loss=0.5), amended(3, epoch=1, loss="none")],
    "text that never fits": [epoch(1, loss="none"), amended(3, epoch=1, loss="none", val_loss=1.0)],
    "not finite": [epoch(1, loss=math.nan), amended(3, epoch=1, loss=math.nan, val_loss=math.inf)],
    "finite now": [epoch(1, loss=math.nan), amended(3, epoch=1, loss=0.5)],
    "another epoch": [epoch(1, loss=0.5), amended(3, epoch=0, loss=0.5), epoch(1, loss=0.25)],
    "less": [epoch(1, loss=0.5, extra=1), amended(3, epoch=1, loss=0.5)],
    "twice": [epoch(1, loss=0.5), amended(3, epoch=1, loss=0.5, a=1), amended(3, epoch=1, loss=0.5, a=1, b=2)],
    "interleaved": [epoch(1, loss=1.0), epoch(2, loss=0.5), amended(3, epoch=1, loss=1.0, val_loss=2.0),
                    amended(4, epoch=2, loss=0.5, val_loss=1.0)],
    "before its row": [amended(4, epoch=1, loss=0.5, val_loss=1.0), epoch(1, loss=0.5), epoch(2, loss=0.25)],
    "declared in between": [
        epoch(1, loss=0.5),
        DataflowDeclared(dataflow="m", transformations=[TransformationDeclared(
            "Training", [DataSetDeclared("oTrainingModel", "generated", [AttributeDeclared("val_f1", "text")])])]),
        amended(3, epoch=1, loss=0.5, val_f1=0.5),
    ],
    "another set": [TaskBegan(tag="Testing", after=[2]), ElementsRecorded(set="oA", relation="generated", task=3,
                    rows=[{"x": 1}]), ElementAmended(element=4, set="oA", relation="generated", task=3,
                    values={"x": 1, "y": "z"})],
    "beyond the columns": [epoch(1, **{f"m{n}": 1 for n in range(450)}),
                           amended(3, epoch=1, **{f"m{n}": n for n in range(449)}, last=math.nan)],
}  # fmt: skip


@pytest.mark.parametrize("name", JOURNALS)
def test_a_row_that_was_amended_says_the_same_read_at_once_or_line_by_line_and_from_archives(tmp_path, name):
    lines = lines_of([*START, *JOURNALS[name], *END])
    read_line_by_line(tmp_path / "live", lines)
    write(tmp_path / "once", lines)
    live = said(tmp_path / "live")
    assert differences(said(tmp_path / "once"), live) == {}
    assert StoreFolder(tmp_path / "live").archived(RUN, "r0-a").exists()
    rebuild(StoreFolder(tmp_path / "live"))
    assert differences(said(tmp_path / "live"), live) == {}


def test_it_is_one_row_with_the_last_values_and_the_identity_of_the_first(store):
    read_line_by_line(store, lines_of([*START, *JOURNALS["twice"], epoch(2, loss=0.25)]))
    rows = rows_of(store, "SELECT element_id, sequence, epoch, loss, a, b, recorded_at FROM otrainingmodel")
    first, second = (list(row.values()) for row in rows)
    assert first == [1, 3, 1, 0.5, 1, 2, "2023-11-14T22:13:23.000000Z"]
    assert second[1:6] == [6, 2, 0.25, None, None]


def test_summaries_follow_what_a_row_says_now(store):
    events = [epoch(1, loss=0.5), amended(3, epoch=1, loss=0.5, val_loss=0.75), epoch(2, loss=0.25)]
    read_line_by_line(store, lines_of([*START, *events, amended(5, epoch=2, loss=0.125, val_loss=1.0)]))
    assert [tuple(row.values()) for row in rows_of(store, SUMMARIES)] == [
        ("loss", 0.125, 0.125, 2, 0.5, 1, 2),
        ("val_loss", 1.0, 0.75, 1, 1.0, 2, 2),
    ]


def test_what_an_earlier_row_says_more_is_not_the_last_value(store):
    events = [epoch(1, loss=1.0), epoch(2, loss=0.5, val_loss=1.5), amended(3, epoch=1, loss=1.0, val_loss=2.0)]
    read_line_by_line(store, lines_of([*START, *events]))
    assert [(row["name"], row["last"], row["max"]) for row in rows_of(store, SUMMARIES)] == [
        ("loss", 0.5, 1.0),
        ("val_loss", 1.5, 2.0),
    ]


def test_the_last_epoch_follows_when_the_number_of_a_row_turns_out_another(store):
    read_line_by_line(store, lines_of([*START, *JOURNALS["another epoch"][:2]]))
    assert column_of(store, "SELECT last_epoch FROM run") == [0]


def test_a_value_that_never_fits_is_told_once(store):
    read_line_by_line(store, lines_of([*START, *JOURNALS["text that never fits"]]))
    assert column_of(store, "SELECT kind FROM problem") == ["value_does_not_fit"]
    read_line_by_line(store, lines_of([*START, *JOURNALS["text that never fits"], amended(3, epoch=1, loss=0.5)])[5:])
    assert column_of(store, "SELECT kind FROM problem") == []
    assert rows_of(store, "SELECT loss, loss_text FROM otrainingmodel") == [{"loss": 0.5, "loss_text": None}]


def test_of_a_row_that_is_lost_the_amendment_is_the_row_and_the_loss_is_told(store):
    lines = lines_of([*START, epoch(1, loss=0.5), amended(3, epoch=1, loss=0.5, val_loss=1.0), *END])
    lines[3] = lines[3][:40] + b"\n"
    write(store, lines)
    assert rows_of(store, "SELECT epoch, loss, val_loss FROM otrainingmodel") == [
        {"epoch": 1, "loss": 0.5, "val_loss": 1.0}
    ]
    assert column_of(store, "SELECT kind FROM problem") == ["corrupt_line"]
    assert [row["name"] for row in rows_of(store, SUMMARIES)] == ["loss", "val_loss"]
    rebuild(StoreFolder(store))
    assert column_of(store, "SELECT val_loss FROM otrainingmodel") == [1.0]


def test_a_row_that_comes_after_all_is_not_made_again(store):
    """Its line changed places with a later one, far away."""
    lines = lines_of([*START, epoch(1, loss=0.5), amended(3, epoch=1, loss=0.5, val_loss=1.0), epoch(2, loss=0.25)])
    read_line_by_line(store, [*lines[:3], *lines[4:], lines[3]])
    assert rows_of(store, "SELECT epoch, loss, val_loss, recorded_at FROM otrainingmodel ORDER BY epoch") == [
        {"epoch": 1, "loss": 0.5, "val_loss": 1.0, "recorded_at": "2023-11-14T22:13:23.000000Z"},
        {"epoch": 2, "loss": 0.25, "val_loss": None, "recorded_at": "2023-11-14T22:13:25.000000Z"},
    ]
    assert column_of(store, "SELECT COUNT(*) FROM journal_position WHERE state = 'early'") == [0]
    assert [(row["name"], row["last"], row["num_values"]) for row in rows_of(store, SUMMARIES)] == [
        ("loss", 0.25, 2),
        ("val_loss", 1.0, 1),
    ]


def test_segments_may_come_in_any_order_where_a_process_went_on_in_another(tmp_path):
    """As one does whose descriptor was closed by the program."""

    def first():
        return lines_of([*START, epoch(1, loss=0.5)])

    def second():
        later = [amended("r0-a:3", "r0-a:2", epoch=1, loss=0.5, val_loss=1.0), epoch(2, "r0-a:2", loss=0.25)]
        return lines_of([*later, *END], "r0-b", BEGAN + 10**8)

    found = []
    for number, order in enumerate(itertools.permutations([("r0-a", first), ("r0-b", second)])):
        for process, make in order:
            write(tmp_path / str(number), make(), process)
            column_of(tmp_path / str(number), "SELECT 1")
        found.append(said(tmp_path / str(number)))
    assert differences(*found) == {}
    assert len(found[0]["otrainingmodel"][1]) == 2


def test_an_amendment_that_was_read_twice_changes_nothing(store):
    """Its line stands twice, which is told."""
    lines = lines_of([*START, epoch(1, loss=0.5), amended(3, epoch=1, loss=0.5, val_loss=1.0), epoch(2, loss=0.25)])
    read_line_by_line(store, [*lines, lines[4]])
    assert [(row["name"], row["num_values"]) for row in rows_of(store, SUMMARIES)] == [("loss", 2), ("val_loss", 1)]
    assert column_of(store, "SELECT kind FROM problem") == ["repeated_event"]


def test_who_has_a_history_open_sees_what_a_row_says_now(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training, closing(dnnprov.open(store)) as history:
        row = AmendableRow(training)
        row.tell({"epoch": 1, "loss": 0.5})
        assert [dict(one) for one in history.query("SELECT epoch, loss, val_loss FROM otrainingmodel")] == [
            {"epoch": 1, "loss": 0.5, "val_loss": None}
        ]
        row.tell({"epoch": 1, "loss": 0.5, "val_loss": math.nan})
        assert [dict(one) for one in history.query("SELECT loss, val_loss, non_finite FROM otrainingmodel")] == [
            {"loss": 0.5, "val_loss": None, "non_finite": '{"val_loss": "NaN"}'}
        ]
        ((diverged, loss),) = [(one["diverged"], one["loss"]) for one in history.query("SELECT * FROM run_overview")]
        assert (diverged, loss) == (1, 0.5)
