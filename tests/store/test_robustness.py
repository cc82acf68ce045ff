"""Journals and databases that are not as they should be: what is wrong is told, and everything else is in."""

from __future__ import annotations

import errno
import gzip
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.errors import StoreError, StoreUnavailableError
from dnnprov.journal.folder import StoreFolder, find_note
from dnnprov.journal.format import encode
from dnnprov.journal.reader import read_chunks
from dnnprov.model.events import (
    FileRecorded,
    MetricsRecorded,
    RunEnded,
    RunStarted,
    SegmentClosed,
    SegmentOpened,
    TaskBegan,
    TaskEnded,
)
from dnnprov.store import database_file
from dnnprov.store.archive import archive_segment
from dnnprov.store.database_errors import is_damaged, is_unwritable
from dnnprov.store.element_rows import ElementRows
from dnnprov.store.positions import Positions
from dnnprov.store.rebuild import rebuild
from dnnprov.store.set_aside import SetAside
from dnnprov.store.sqlite import SqliteStore, open_store
from dnnprov.store.unwritten_notes import take_note
from recorded import column_of, rows_of

RUN, PROCESS = "abcdabcdabcdabcd", "r0-x-1-0"
START = RunStarted(dataflow="m", name="m-1")


def metrics(count, begin=0):
    return [MetricsRecorded(values={"a": float(n)}, step=n) for n in range(begin, begin + count)]


def ended(events):
    return [START, *events, RunEnded(status="finished"), SegmentClosed()]


def lines_of(events, run=RUN, process=PROCESS, seconds_ago=0, **header):
    header.setdefault("host", "elsewhere")
    now = time.time_ns() // 1000 - seconds_ago * 1_000_000
    lines = []
    for number, event in enumerate([SegmentOpened(format=1, run=run, process=process, **header), *events]):
        event.seq, event.at = number, now + number
        lines.append(encode(event))
    return lines


def write(store, lines, run=RUN, process=PROCESS):
    path = StoreFolder(store).segment(run, process)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))
    return path


def problems(store):
    return [(row["kind"], row["detail"]) for row in rows_of(store, "SELECT kind, detail FROM problem")]


def steps(store):
    return column_of(store, "SELECT step FROM metric_value ORDER BY step")


def delete_database(store):
    for path in store.glob("provenance.db*"):
        path.unlink()


def settle_archive(store):
    """Let the archive look as if nothing was put there for a while."""
    archive = StoreFolder(store).archive
    past = time.time() - 3600
    for folder in [*archive.iterdir(), archive]:
        os.utime(folder, (past, past))


# Numbers: each comes once, in order, and without gaps


def read_in_pieces(store, chunk_bytes):
    database = SqliteStore(StoreFolder(store), chunk_bytes=chunk_bytes)
    database.ingest()
    database.close()


def test_a_number_that_both_neighbours_contradict_is_put_right(store):
    files = [FileRecorded(path="/a"), FileRecorded(path="/b"), TaskBegan(tag="A"), TaskBegan(tag="B")]
    lines = lines_of([START, *files, *metrics(4)])
    for number, said in ((3, 2), (5, 4), (7, 70)):
        lines[number] = lines[number].replace(b'"seq":%d,' % number, b'"seq":%d,' % said)
    write(store, lines)
    assert column_of(store, "SELECT path FROM file ORDER BY path") == ["/a", "/b"]
    assert column_of(store, "SELECT tag FROM task ORDER BY tag") == ["A", "B"]
    assert steps(store) == [0, 1, 2, 3]
    told = problems(store)
    assert [kind for kind, _ in told] == ["mended_event"] * 3
    assert [detail.rpartition(" says ")[2] for _, detail in told] == ["seq 2", "seq 4", "seq 70"]


def test_another_event_with_the_number_of_one_is_told_and_taken_where_nothing_refers_to_it(store):
    lines = lines_of([START, FileRecorded(path="/a"), *metrics(3)])
    file, metric = lines[2].replace(b"/a", b"/b"), lines[4].replace(b'"step":1', b'"step":50')
    write(store, [*lines[:3], file, *lines[3:5], metric, *lines[5:]])
    assert steps(store) == [0, 1, 2, 50]
    assert column_of(store, "SELECT path FROM file") == ["/a"]
    assert sorted(kind for kind, _ in problems(store)) == ["event_not_taken", "mended_event", "mended_event"]


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 300])
@pytest.mark.parametrize("again", [slice(8, 9), slice(2, 12)])
def test_lines_that_come_twice_are_taken_once_and_told(store, chunk_bytes, again):
    lines = lines_of(ended([FileRecorded(path="/a"), TaskBegan(tag="A"), *metrics(12)]))
    write(store, [*lines[: again.stop], *lines[again], *lines[again.stop :]])
    read_in_pieces(store, chunk_bytes)
    assert steps(store) == list(range(12))
    assert column_of(store, "SELECT COUNT(*) FROM task") == [1]
    assert column_of(store, "SELECT COUNT(*) FROM run_metric") == [1]
    told = problems(store)
    assert {kind for kind, _ in told} == {"repeated_event"}
    repeated = [re.match(r"events (\d+) to (\d+) of segment", detail).groups() for _, detail in told]
    assert sum(int(last) - int(first) + 1 for first, last in repeated) == again.stop - again.start


@pytest.mark.parametrize(
    ("one", "other", "chunk_bytes"),
    [(5, 6, 1 << 20), (5, 6, 100), (5, 7, 1 << 20), (5, 7, 300), (3, 18, 1 << 20)],
)
def test_lines_that_changed_places_are_all_in_and_nothing_is_missing(store, one, other, chunk_bytes):
    lines = lines_of(ended(metrics(20)))
    lines[one], lines[other] = lines[other], lines[one]
    write(store, lines)
    read_in_pieces(store, chunk_bytes)
    assert steps(store) == list(range(20))
    assert problems(store) == []


def test_a_task_that_comes_after_its_end_in_the_journal_has_ended(store):
    lines = lines_of(ended([TaskBegan(tag="A"), TaskEnded(task=2, status="failed"), *metrics(3)]))
    lines[2], lines[3] = lines[3], lines[2]
    write(store, lines)
    assert column_of(store, "SELECT status FROM task") == ["failed"]
    assert problems(store) == []


def test_of_a_gap_only_what_never_comes_stays_told(store):
    lines = lines_of(ended(metrics(20)))
    late = lines[6:12]
    write(store, [*lines[:6], *lines[12:15]])
    assert problems(store) == [("missing_events", f"events 6 to 11 of segment {PROCESS} are missing")]
    write(store, [*lines[:6], *lines[12:15], *late[1:3], late[5], *lines[15:]])
    for _ in range(2):
        assert [detail for _, detail in problems(store)] == [
            f"events {some} of segment {PROCESS} are missing" for some in ("6 to 6", "9 to 10")
        ]
    assert steps(store) == [step for step in range(20) if step not in (4, 7, 8)]


def test_events_after_a_damaged_number_that_was_read_alone_are_all_in(store):
    lines = lines_of(ended(metrics(20)))
    lines[5] = lines[5].replace(b'"seq":5', b'"seq":15')
    write(store, lines)
    read_in_pieces(store, 100)
    assert steps(store) == [step for step in range(20) if step != 13]
    told = dict(problems(store))
    assert told["missing_events"] == f"events 5 to 5 of segment {PROCESS} are missing"
    assert told["repeated_event"].startswith("events 15 to 15 ")  # its number was used up


@pytest.mark.parametrize("number", [b"-7", b"9" * 40])
def test_a_number_that_no_column_holds_gets_that_of_its_place(store, number):
    lines = lines_of([START, *metrics(5)])
    lines[4] = lines[4].replace(b'"seq":4', b'"seq":' + number)
    write(store, lines)
    assert steps(store) == [0, 1, 2, 3, 4]
    ((kind, detail),) = problems(store)
    assert (kind, number.decode() in detail) == ("mended_event", True)


@pytest.mark.parametrize("at", [b"9" * 18, b"-1", b"9" * 60, b"0"])
def test_a_time_that_no_calendar_has_stops_nothing(store, at):
    lines = lines_of([START, *metrics(5)])
    lines[4] = re.sub(rb'"at":\d+', b'"at":' + at, lines[4])
    write(store, lines)
    assert steps(store) == [0, 1, 2, 3, 4]
    assert [kind for kind, _ in problems(store)] == ["mended_event"]
    assert None not in column_of(store, "SELECT recorded_at FROM metric")


def test_a_time_that_is_mended_is_told_also_where_another_event_of_the_piece_cannot_be_taken(store):
    lines = lines_of([START, FileRecorded(path="/a"), *metrics(2)])
    lines[4] = lines[4].replace(b'"seq":4', b'"seq":-4')
    write(store, [*lines[:3], lines[2].replace(b"/a", b"/b"), *lines[3:]])
    assert sorted(kind for kind, _ in problems(store)) == ["event_not_taken", "mended_event", "mended_event"]


@pytest.mark.parametrize(("name", "damaged"), [(b'"at"', b'"et"'), (b'"step"', b'"stfp"'), (b'"seq"', b'"seQ"')])
def test_an_event_with_a_damaged_name_of_a_field_is_not_taken_for_one_without_it(store, name, damaged):
    lines = lines_of([START, *metrics(5)])
    lines[4] = lines[4].replace(name, damaged)
    write(store, lines)
    assert steps(store) == [0, 1, 3, 4]
    ((kind, detail),) = problems(store)
    assert (kind, damaged.decode() in detail) == ("corrupt_line", True)


def test_damaged_lines_at_the_border_of_two_pieces_accuse_nobody_of_missing_events(store):
    lines = lines_of([START, *metrics(60)])
    for number in range(2, len(lines), 3):
        lines[number] = b"\0" + lines[number][1:]
    write(store, lines)
    database = SqliteStore(StoreFolder(store), chunk_bytes=150)
    database.ingest()
    database.close()
    told = problems(store)
    assert {kind for kind, _ in told} == {"corrupt_line"}
    assert len(told) == len(range(2, len(lines), 3))


def test_a_damaged_end_is_waited_with_while_its_process_may_write_it(store):
    """On a network file system, what another machine wrote may show zeros at first."""
    lines = lines_of([START, *metrics(6)])
    unseen = bytes(len(lines[5]) - 1) + b"\n"
    path = write(store, [*lines[:5], unseen])
    assert steps(store) == [0, 1, 2]
    assert problems(store) == []
    write(store, lines[:6])
    assert steps(store) == [0, 1, 2, 3]
    write(store, [*lines[:6], bytes(len(lines[6]) - 1) + b"\n"])
    assert problems(store) == []
    os.utime(path, (time.time() - 1000,) * 2)
    with closing(sqlite3.connect(store / "provenance.db")) as connection, connection:
        connection.execute("UPDATE process SET heartbeat_at = '2020-01-01T00:00:00.000000Z'")
    assert [kind for kind, _ in problems(store)] == ["corrupt_line"]
    assert column_of(store, "SELECT status FROM run") == ["crashed"]
    write(store, [*lines[:6], bytes(len(lines[6]) - 1) + b"\n", *lines[7:]])
    assert steps(store) == [0, 1, 2, 3, 5]
    assert [kind for kind, _ in problems(store)] == ["corrupt_line"]


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 200])
def test_a_write_that_came_out_short_is_no_damage(store, chunk_bytes):
    """The recorder counts it itself, and gives its number to the next event."""
    lines = lines_of(ended(metrics(8)))
    cut = lines[4][:40]
    write(store, [*lines[:4], cut + b"\n", *lines[4:7], cut + b"\n", lines[7][:9] + b"\n", *lines[7:]])
    read_in_pieces(store, chunk_bytes)
    assert steps(store) == list(range(8))
    assert problems(store) == []


def test_empty_lines_that_are_read_alone_mean_nothing(store):
    lines = lines_of(ended(metrics(3)))
    write(store, [*lines[:4], b"\n"])
    assert steps(store) == [0, 1]
    write(store, [*lines[:4], b"\n\n"])
    assert steps(store) == [0, 1]
    write(store, [*lines[:4], b"\n\n", *lines[4:]])
    assert steps(store) == [0, 1, 2]
    assert problems(store) == []


def test_a_line_that_was_cut_in_two_is_told_once_for_each_piece_that_is_no_beginning(store):
    lines = lines_of(ended(metrics(8)))
    lines[4] = lines[4][:30] + b"\n" + lines[4][31:]
    write(store, lines)
    assert steps(store) == [0, 1, 3, 4, 5, 6, 7]
    assert [kind for kind, _ in problems(store)] == ["corrupt_line"]


def test_a_gap_is_told_as_it_is_beside_a_damaged_line(store):
    lines = lines_of([START, *metrics(8)])
    lines[3] = b"\0" + lines[3][1:]
    write(store, lines[:4] + lines[6:])
    assert problems(store)[1] == ("missing_events", f"events 4 to 5 of segment {PROCESS} are missing")


# Segments that were cut off


@pytest.mark.parametrize("left", [0, 1, 2, 6, 9.5])
@pytest.mark.parametrize("reopens", [True, False])
def test_of_a_journal_that_was_cut_off_what_follows_is_taken_in_and_the_cut_is_told_once(store, left, reopens):
    lines = lines_of(ended(metrics(30)))
    write(store, lines[:14])
    database = open_store(store)

    def catch_up():
        nonlocal database
        if reopens:
            database.close()
            database = open_store(store)
        assert database.catch_up() is None
        return [kind for (kind,) in database.read("SELECT kind FROM problem ORDER BY kind")[1]]

    assert catch_up() == []
    kept = [*lines[: int(left)], *([lines[int(left)][:30]] if left % 1 else [])]
    write(store, kept)
    assert [catch_up(), catch_up()] == [["journal_truncated"]] * 2
    follow = [b"\n", *lines[14:20]]
    write(store, [*kept, *follow])
    assert [kind for kind in catch_up() if kind != "corrupt_line"] == ["journal_truncated"]
    write(store, [*kept, *follow, *lines[22:]])
    assert [kind for kind in catch_up() if kind != "corrupt_line"] == ["journal_truncated", "missing_events"]
    database.close()
    assert steps(store) == [step for step in range(30) if step not in (18, 19)]
    assert column_of(store, "SELECT status FROM run") == ["finished"]
    assert column_of(store, "SELECT host FROM process") == ["elsewhere"]


def test_a_journal_that_was_emptied_and_grew_past_where_it_was_is_not_read_from_the_middle_of_a_line(store):
    lines = lines_of([*ended(metrics(4))[:-2], *ended(metrics(30, begin=4))[1:]])
    write(store, lines[:6])
    assert steps(store) == [0, 1, 2, 3]
    write(store, lines[6:])
    assert steps(store) == list(range(34))
    assert [kind for kind, _ in problems(store)] == ["journal_truncated"]


def test_a_run_whose_journal_was_emptied_by_a_process_that_is_gone_has_crashed(store):
    path = write(store, lines_of([START, *metrics(3)], seconds_ago=1000))
    assert column_of(store, "SELECT status FROM run") == ["running"]
    path.write_bytes(b"")
    os.utime(path, (time.time() - 1000,) * 2)
    assert column_of(store, "SELECT status FROM run") == ["crashed"]
    assert [kind for kind, _ in problems(store)] == ["journal_truncated"]


def test_a_rebuild_does_not_lose_unasked_what_a_journal_held_before_it_was_cut_off(store):
    lines = lines_of(ended(metrics(30)))
    write(store, lines[:14])
    assert len(steps(store)) == 12
    write(store, lines[14:])
    assert len(steps(store)) == 30
    with pytest.raises(StoreError, match="a rebuild loses what only the database holds"):
        rebuild(StoreFolder(store))
    assert len(steps(store)) == 30
    rebuild(StoreFolder(store), accepts=lambda _: True)
    assert steps(store) == list(range(12, 30))


# Whose a segment is


@pytest.mark.parametrize("damage", [b"\0garbage\n", b"", b"x" * 100_000 + b"\n"])
def test_a_damaged_first_line_does_not_keep_the_others_out(store, damage):
    lines = lines_of(ended(metrics(3)), process="r3-x-1-0", rank=3)
    write(store, [damage, *lines[1:]], process="r3-x-1-0")
    assert steps(store) == [0, 1, 2]
    assert rows_of(store, "SELECT uid, status FROM run") == [{"uid": RUN, "status": "finished"}]
    assert rows_of(store, "SELECT name, rank FROM process") == [{"name": "r3-x-1-0", "rank": 3}]
    assert [kind for kind, _ in problems(store)] == (["corrupt_line"] if damage else ["missing_events"])


def test_a_forked_child_with_a_damaged_first_line_does_not_end_the_run(store):
    write(store, lines_of([START]))
    child = lines_of(metrics(2), process="r0-fork-x-2-0")
    write(store, [b"?\n", *child[1:]], process="r0-fork-x-2-0")
    assert steps(store) == [0, 1]
    assert column_of(store, "SELECT COUNT(*) FROM process WHERE forked_from IS NULL") == [1]


def test_of_a_header_that_says_another_run_than_its_path_the_path_is_believed(store):
    lines = lines_of([START, *metrics(2)])
    lines[0] = lines[0].replace(RUN.encode(), b"bbcdabcdabcdabcd").replace(b'"host"', b'"rank":-1,"host"')
    write(store, lines)
    assert column_of(store, "SELECT uid FROM run") == [RUN]
    assert [kind for kind, _ in problems(store)] == ["mended_event"]


def test_a_header_with_numbers_that_no_column_holds_is_not_believed(store):
    lines = lines_of([START, *metrics(2)], pid=2**70)
    write(store, lines)
    assert steps(store) == [0, 1]
    assert [kind for kind, _ in problems(store)] == ["mended_event"]


def test_a_segment_of_a_later_format_is_left_alone_and_told_once(store):
    lines = lines_of([START, *metrics(2)])
    lines[0] = lines[0].replace(b'"format":1', b'"format":99')
    write(store, lines)
    for _ in range(2):
        ((kind, detail),) = problems(store)
        assert (kind, "upgrade" in detail) == ("refused_segment", True)
    assert steps(store) == []


def test_a_pipe_among_the_journals_stops_neither_questions_nor_a_run_that_is_resumed(store):
    with dnnprov.start_run("m") as run:
        run.log(step=0, a=1.0)
    place = StoreFolder(store).journal / run.uid
    place.mkdir(exist_ok=True)
    os.mkfifo(place / "r0-pipe-1-0.jsonl")
    script = "import dnnprov, sys\nwith dnnprov.start_run('m', resume=sys.argv[1]) as run:\n    run.log(step=1, a=2.0)"
    subprocess.run([sys.executable, "-c", script, run.uid], check=True, timeout=60)
    database = open_store(store)
    assert "it is no file" in database.catch_up()
    assert database.read("SELECT step FROM metric ORDER BY step")[1] == [(0,), (1,)]
    database.close()


def test_a_run_whose_damaged_header_hides_its_process_is_crashed_in_the_end(store):
    lines = lines_of([START], seconds_ago=1000)
    path = write(store, [b"?\n", *lines[1:]])
    os.utime(path, (time.time() - 1000,) * 2)
    column_of(store, "SELECT 1")
    assert column_of(store, "SELECT status FROM run") == ["crashed"]


def test_a_line_nested_too_deep_is_set_aside(store):
    lines = lines_of([START, *metrics(3)])
    lines[3] = b'{"event":"MetricsRecorded","values":{"a":' + b"[" * 100_000 + b"\n"
    write(store, lines)
    assert steps(store) == [0, 2]
    assert problems(store)[0][0] == "corrupt_line"


# Notes of what could not be written


def test_a_run_of_which_nothing_could_be_written_is_there_with_how_much_is_lost(store):
    folder = StoreFolder(store)
    record = lines_of(ended(metrics(1)), run="bbcdabcdabcdabcd")
    write(store, record, run="bbcdabcdabcdabcd")
    database = open_store(store)
    assert database.catch_up() is None
    (folder.journal / RUN).mkdir()
    folder.note_unwritten(RUN, PROCESS, 41)
    for _ in range(2):
        assert database.catch_up() is None
        assert database.read("SELECT status, exit_reason LIKE 'the last events%' FROM run WHERE uid = ?", (RUN,))[
            1
        ] == [("crashed", 1)]
        ((kind, detail),) = database.read("SELECT kind, detail FROM problem")[1]
        assert (kind, detail.split()[0], PROCESS in detail) == ("lost", "41", True)
    write(store, lines_of([START, *metrics(3)], process="r1-y-2-0", rank=1), process="r1-y-2-0")  # another rank lives
    assert database.catch_up() is None
    assert database.read("SELECT status FROM run WHERE uid = ?", (RUN,))[1] == [("running",)]
    database.close()
    delete_database(store)
    assert [kind for kind, _ in problems(store)] == ["lost"]


def test_a_journal_that_holds_more_than_is_in_is_not_given_up_for_a_note(store):
    lines = lines_of([START, *metrics(4)])
    path = write(store, lines[:4])
    assert steps(store) == [0, 1]
    path.write_bytes(b"".join(lines))
    StoreFolder(store).note_unwritten(RUN, PROCESS, 2)
    (note,) = (find_note(one) for one in path.parent.glob("*.lost"))
    with closing(sqlite3.connect(store / "provenance.db", isolation_level=None)) as connection:
        assert not take_note(connection, StoreFolder(store), note)
    assert steps(store) == [0, 1, 2, 3]
    assert column_of(store, "SELECT status FROM run") == ["crashed"]


# Archives


@pytest.fixture
def three_runs(store):
    """Three archived runs; path of the archive of the second."""
    for number in range(3):
        run = f"{number}" * 16
        write(store, lines_of(ended(metrics(2000)), run=run, seconds_ago=100 - number), run=run)
    column_of(store, "SELECT 1")
    return StoreFolder(store).archived("1" * 16, PROCESS)


def _cut(packed):
    return packed[: len(packed) // 2]


def _flipped(packed):
    return packed[: len(packed) // 2] + bytes([packed[len(packed) // 2] ^ 0xFF]) + packed[len(packed) // 2 + 1 :]


def _wrong_sum(packed):
    return packed[:-8] + b"\0\0\0\0" + packed[-4:]


@pytest.mark.parametrize(("damaged", "least"), [(_cut, 500), (_flipped, 500), (_wrong_sum, 2000)])
def test_of_a_damaged_archive_what_can_be_read_is_in_and_the_rest_told_once(store, three_runs, damaged, least):
    three_runs.write_bytes(damaged(three_runs.read_bytes()))
    delete_database(store)
    for _ in range(2):
        assert len([kind for kind, _ in problems(store) if kind == "damaged_archive"]) == 1
    counts = column_of(
        store,
        "SELECT (SELECT COUNT(*) FROM metric_series JOIN metric_value USING (series_id)"
        " WHERE run_id = r.run_id) FROM run AS r ORDER BY uid",
    )
    assert counts[0] == counts[2] == 2000
    assert least <= counts[1] <= 2000
    assert "running" not in column_of(store, "SELECT status FROM run")


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b\x08\x00"])
def test_an_archive_of_which_nothing_can_be_read_is_told_once(store, three_runs, content):
    three_runs.write_bytes(content)
    delete_database(store)
    for _ in range(2):
        assert [kind for kind, _ in problems(store)] == ["damaged_archive"]
    assert len(column_of(store, "SELECT uid FROM run")) == 2


def test_a_damaged_archive_is_not_read_again(store, three_runs, monkeypatch):
    three_runs.write_bytes(_cut(three_runs.read_bytes()))
    delete_database(store)
    column_of(store, "SELECT 1")
    monkeypatch.setattr("dnnprov.store.ingest.read_chunks", lambda *_: pytest.fail("read again"))
    assert len(problems(store)) == 1


def test_an_archive_whose_last_line_is_damaged_is_done_with(store, three_runs):
    lines = gzip.decompress(three_runs.read_bytes()).splitlines(keepends=True)
    three_runs.write_bytes(gzip.compress(b"".join(lines[:-1]) + b"?\n"))
    delete_database(store)
    column_of(store, "SELECT 1")
    assert column_of(store, "SELECT DISTINCT state FROM journal_position") == ["closed"]


def test_a_segment_is_not_archived_while_the_database_lacks_a_part_of_it(store):
    lines = lines_of(ended([]))
    path = write(store, lines)
    folder = StoreFolder(store)
    assert not archive_segment(folder, path, len(b"".join(lines)) - 1)
    assert path.exists()
    assert not any(entry.is_file() for entry in folder.archive.rglob("*"))
    assert archive_segment(folder, path, len(b"".join(lines)))
    assert [entry.name for entry in folder.archive.rglob("*") if entry.is_file()] == [f"{PROCESS}.jsonl.gz"]


def test_archived_and_open_segments_enter_a_new_database_in_one_order(store):
    write(store, lines_of(ended([]), run="b" * 16, seconds_ago=50), run="b" * 16)
    column_of(store, "SELECT 1")
    delete_database(store)
    write(store, lines_of([START], run="c" * 16, seconds_ago=99), run="c" * 16)
    write(store, lines_of([START], run="a" * 16, seconds_ago=10), run="a" * 16)
    assert column_of(store, "SELECT uid FROM run ORDER BY run_id") == ["c" * 16, "b" * 16, "a" * 16]


def test_what_another_database_archived_is_noticed(store):
    """A new run, and a further segment of one that is known, come into the archive past this database."""
    write(store, lines_of(ended(metrics(1))))
    column_of(store, "SELECT 1")
    settle_archive(store)
    column_of(store, "SELECT 1")
    kept = store / "kept.db"
    shutil.copy(store / "provenance.db", kept)
    second = lines_of([*metrics(1, 10), SegmentClosed()], process="r1-x-1-0", rank=1)
    write(store, second, process="r1-x-1-0")
    write(store, lines_of(ended(metrics(1, 20)), run="b" * 16), run="b" * 16)
    assert steps(store) == [0, 10, 20]
    assert list(StoreFolder(store).open_segments()) == []
    delete_database(store)
    kept.rename(store / "provenance.db")
    assert steps(store) == [0, 10, 20]


def test_nothing_of_the_archive_is_looked_at_while_nothing_comes_into_it(store, monkeypatch):
    write(store, lines_of(ended([])))
    column_of(store, "SELECT 1")
    settle_archive(store)
    database = open_store(store)
    database.catch_up()
    monkeypatch.setattr("dnnprov.store.unread_segments._sizes", lambda *_: pytest.fail("looked at"))
    assert database.catch_up() is None
    database.close()


# What cannot be read


def test_a_segment_that_cannot_be_read_is_named_and_the_others_are_in(store):
    (StoreFolder(store).journal / RUN / "r1-x.jsonl").mkdir(parents=True)
    write(store, lines_of([START, *metrics(2)]))
    database = open_store(store)
    for _ in range(2):
        assert "r1-x.jsonl" in database.catch_up()
    assert database.read("SELECT COUNT(*) FROM metric")[1] == [(2,)]
    database.close()


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_segment_that_can_be_read_later_is_taken_in_then(store, monkeypatch, code):
    write(store, lines_of([START, *metrics(2)]))
    write(store, lines_of(ended(metrics(1, 10)), run="b" * 16), run="b" * 16)
    database = open_store(store)

    def fail(path, *rest):
        if path.parent.name == RUN:
            raise OSError(code, os.strerror(code))
        return read_chunks(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr("dnnprov.store.ingest.read_chunks", fail)
        assert os.strerror(code) in database.catch_up()
        assert database.read("SELECT step FROM metric")[1] == [(10,)]
    assert database.catch_up() is None
    assert database.read("SELECT step FROM metric ORDER BY step")[1] == [(0,), (1,), (10,)]
    assert database.read("SELECT COUNT(*) FROM problem")[1] == [(0,)]
    database.close()


def test_a_line_far_longer_than_a_piece_is_read_whole(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(encode(MetricsRecorded(values={"a": "x" * 60_000_000})))
    (line,) = [line for chunk in read_chunks(path, chunk_bytes=4096) for line in chunk.lines]
    assert len(line.event.values["a"]) == 60_000_000


# Errors of the database, and errors of one event


@pytest.mark.parametrize(
    ("code", "is_the_database"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_READONLY_DBMOVED, True),
        (sqlite3.SQLITE_ERROR, False),
        (sqlite3.SQLITE_TOOBIG, False),
    ],
)
def test_only_an_error_about_the_database_ends_a_catch_up(store, monkeypatch, code, is_the_database):
    take = ElementRows.record_metrics

    def fail(self, event, source):
        if event.step == 1:
            error = sqlite3.OperationalError("that")
            error.sqlite_errorcode = code
            raise error
        take(self, event, source)

    monkeypatch.setattr(ElementRows, "record_metrics", fail)
    write(store, lines_of([START, *metrics(3)]))
    database = open_store(store)
    note = database.catch_up()
    found = database.read("SELECT step FROM metric ORDER BY step")[1]
    kinds = database.read("SELECT kind FROM problem")[1]
    database.close()
    if is_the_database:
        assert "cannot be written (that)" in note
        assert (found, kinds) == ([], [])
    else:
        assert note is None
        assert (found, kinds) == ([(0,), (2,)], [("event_not_taken",)])


def test_errors_are_told_apart_by_their_code():
    class Coded(sqlite3.OperationalError):
        sqlite_errorcode = sqlite3.SQLITE_BUSY_SNAPSHOT

    class Corrupt(sqlite3.DatabaseError):
        sqlite_errorcode = sqlite3.SQLITE_CORRUPT

    assert (is_unwritable(Coded()), is_damaged(Coded())) == (True, False)
    assert (is_unwritable(Corrupt()), is_damaged(Corrupt())) == (False, True)
    assert not is_unwritable(sqlite3.OperationalError("database is locked: so says a message"))


def test_a_piece_that_cannot_be_taken_at_all_is_told_and_passed(store, monkeypatch):
    from dnnprov.store import ingest

    revive = ingest.revive

    def fail(connection, source, *rest, **named):
        if source.header.run == RUN:
            raise ValueError("no way")
        revive(connection, source, *rest, **named)

    monkeypatch.setattr(ingest, "revive", fail)
    write(store, lines_of([START, *metrics(2)]))
    write(store, lines_of(ended(metrics(1, 10)), run="b" * 16), run="b" * 16)
    assert steps(store) == [10]
    ((kind, detail),) = problems(store)
    assert (kind, "no way" in detail, RUN in detail) == ("event_not_taken", True, True)


def test_a_refusal_is_noted_once_and_leaves_no_transaction_open(store):
    record = sqlite3.connect(":memory:", isolation_level=None)
    record.execute("CREATE TABLE journal_position (segment TEXT PRIMARY KEY, position, sequence, state)")
    aside = SetAside(record, Positions(record))
    with pytest.raises(sqlite3.OperationalError, match="no such table: problem"):
        aside.segment("run/process", "that")
    assert not record.in_transaction
    record.execute("CREATE TABLE problem (run_id, kind, detail, recorded_at)")
    for _ in range(2):  # as two processes do that looked at it at once
        aside.segment("run/process", "that")
    assert record.execute("SELECT kind FROM problem").fetchall() == [("refused_segment",)]
    record.close()


# The database file


def test_an_open_history_goes_on_when_the_database_is_deleted(store):
    write(store, lines_of(ended(metrics(1))))
    with dnnprov.open(store) as history:
        assert len(history.runs()) == 1
        delete_database(store)
        assert steps(store) == [0]
        write(store, lines_of(ended(metrics(1, 10)), run="b" * 16), run="b" * 16)
        assert len(history.runs()) == 2
        assert steps(store) == [0, 10]
        delete_database(store)
        assert len(history.runs()) == 2
    assert steps(store) == [0, 10]


def test_an_open_history_sees_the_database_that_was_put_in_place_of_its_own(store, tmp_path):
    write(store, lines_of(ended(metrics(1))))
    with dnnprov.open(store) as history:
        history.runs()
        other = tmp_path / "other"
        write(other, lines_of(ended([]), run="b" * 16), run="b" * 16)
        column_of(other, "SELECT 1")
        delete_database(store)
        (other / "provenance.db").rename(store / "provenance.db")
        assert {row["uid"] for row in history.runs()} == {RUN, "b" * 16}


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_database_is_said_in_one_line_with_what_to_do(store, capsys, content):
    write(store, lines_of([START]))
    (store / "provenance.db").write_bytes(content)
    with pytest.raises(StoreUnavailableError, match=r"it is a cache: make it anew .* `dnnprov rebuild`"):
        open_store(store)
    assert exit_code(["--store", str(store), "runs"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_database_that_turns_out_damaged_later_is_said_the_same_way(store):
    write(store, lines_of(ended(metrics(3000))))
    column_of(store, "SELECT 1")
    content = bytearray((store / "provenance.db").read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    (store / "provenance.db").write_bytes(content)
    database = None
    with pytest.raises(StoreUnavailableError, match="it is a cache"):
        database = open_store(store)
        database.catch_up()
        database.read("SELECT * FROM metric_value")
    if database:
        database.close()


def test_a_full_disk_when_the_database_is_made_is_said_as_such(store, monkeypatch):
    write(store, lines_of([START]))

    def fail(*_):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(database_file, "migrate", fail)
    with pytest.raises(StoreUnavailableError, match="no database yet and none can be made: database or disk is full"):
        open_store(store)


# Processes that are gone


def test_a_forked_child_that_is_gone_is_given_up_and_its_torn_event_told(store):
    script = (
        "import dnnprov, os, signal\nrun = dnnprov.start_run('m')\nrun.log(loss=1.0)\n"
        'if os.fork() == 0:\n    run.log(loss=2.0)\n    os.write(run.recorder._writer._fd, b\'{"event":"Met\')\n'
        "    os.kill(os.getpid(), signal.SIGKILL)\nos.wait()\nrun.finish()"
    )
    subprocess.run([sys.executable, "-c", script], env={**os.environ, "DNNPROV_STORE": str(store)}, check=True)
    for _ in range(2):
        assert [kind for kind, _ in problems(store)] == ["torn_event"]
    assert column_of(store, "SELECT state FROM journal_position ORDER BY state") == ["closed", "gone"]
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_a_process_that_ended_its_run_and_was_killed_before_it_closed_the_journal_is_given_up(store):
    script = (
        "import dnnprov, os, signal\nfrom dnnprov.model.events import RunEnded\nrun = dnnprov.start_run('m')\n"
        "run.recorder.append(RunEnded(status='finished'))\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "DNNPROV_STORE": str(store)}, check=False)
    assert done.returncode == -signal.SIGKILL
    column_of(store, "SELECT 1")
    assert column_of(store, "SELECT state FROM journal_position") == ["gone"]
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_a_quiet_crashed_run_is_still_heard_when_it_grows_or_goes_on_elsewhere(store, monkeypatch):
    lines = lines_of([START, *metrics(4)], seconds_ago=1000)
    path = write(store, lines[:4])
    for place in (path, path.parent):
        os.utime(place, (time.time() - 1000,) * 2)
    database = open_store(store)

    def found():
        assert database.catch_up() is None
        return database.read("SELECT COUNT(*) FROM metric")[1][0][0]

    assert [found(), found()] == [2, 2]
    assert database.read("SELECT status FROM run")[1] == [("crashed",)]
    with monkeypatch.context() as patch:
        patch.setattr("dnnprov.store.unread_segments._sizes", lambda *_: pytest.fail("looked into"))
        assert found() == 2
    with path.open("ab") as stream:
        stream.write(lines[4])
    assert found() == 3
    write(store, lines_of(metrics(1, 50), process="r0-y-2-0", attempt=1), process="r0-y-2-0")
    assert found() == 4
    database.close()


# The command line


def test_an_unexpected_error_is_one_line_and_shows_where_only_when_asked(store, monkeypatch, capsys):
    write(store, lines_of([START]))
    monkeypatch.setattr(SqliteStore, "catch_up", lambda _: 1 / 0)
    assert exit_code(["--store", str(store), "runs"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("dnnprov: unexpected ZeroDivisionError: division by zero; please report it; DNNPROV_DEBUG=1")
    monkeypatch.setenv("DNNPROV_DEBUG", "1")
    assert exit_code(["--store", str(store), "runs"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_the_follower_opens_the_database_once(store):
    write(store, lines_of(ended([])))
    script = (
        "import sys\nfrom dnnprov.cli.main import exit_code\nfrom dnnprov.store import sqlite\nopened = []\n"
        "class Counted(sqlite.DatabaseFile):\n    def __init__(self, *a):\n        opened.append(a)\n"
        "        super().__init__(*a)\nsqlite.DatabaseFile = Counted\n"
        "assert exit_code(['--store', sys.argv[1], 'ingest', '--follow', '--idle', '0.1']) == 0\nprint(len(opened))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(store)], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert "4 new events" in done.stderr
