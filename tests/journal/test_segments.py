from __future__ import annotations

import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnprov.errors import JournalError
from dnnprov.journal.format import decode, encode
from dnnprov.journal.reader import read_chunks, read_header
from dnnprov.journal.writer import SegmentWriter
from dnnprov.model.events import ElementsRecorded, MetricsRecorded, ProcessHeard, RunStarted, SegmentOpened

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text())


def read_back(path, start=0):
    return [line for chunk in read_chunks(path, start) for line in chunk.lines]


@given(st.dictionaries(st.text(), SCALARS))
def test_values_come_back_as_they_went_in(values):
    event = decode(encode(MetricsRecorded(values=dict(values))))
    names = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    back = {**event.values, **{name: names[special] for name, special in (event.non_finite or {}).items()}}
    assert back.keys() == values.keys()
    for name, value in values.items():
        assert back[name] == value or (value != value and back[name] != back[name])
        assert type(back[name]) is type(value)


def test_rows_with_and_without_finite_values_keep_their_order():
    event = decode(encode(ElementsRecorded(set="s", relation="used", rows=[{"a": 1.0}, {"a": math.nan}, {"a": None}])))
    assert event.rows == [{"a": 1.0}, {"a": None}, {"a": None}]
    assert event.non_finite == [{}, {"a": "NaN"}, {}]


def test_undecodable_text_is_kept_in_any_field():
    event = decode(encode(RunStarted(dataflow="a\udc80", name="n", tags={"\udc81": "x"})))
    assert event.dataflow == "a\\udc80"
    assert event.tags == {"\\udc81": "x"}


def test_a_line_that_is_no_event_says_what_came():
    with pytest.raises(JournalError, match='the line begins b\'{"event":"Nonsense'):
        decode(b'{"event":"Nonsense"}')


def test_a_short_write_spoils_only_its_own_event(tmp_path, monkeypatch):
    writer = SegmentWriter(tmp_path / "s.jsonl")
    writer.append(ProcessHeard())
    whole_write, room = os.write, [7, 0]
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole_write(descriptor, data[: room.pop(0)]))
    with pytest.raises(OSError, match="only 7 of"):
        writer.append(ProcessHeard())
    monkeypatch.undo()
    writer.append(MetricsRecorded(values={"a": 1}))
    lines = read_back(tmp_path / "s.jsonl")
    assert [line.fault is None for line in lines] == [True, False, True]
    assert [line.event.seq for line in lines if line.event] == [0, 1]


def test_a_write_that_comes_out_short_is_completed(tmp_path, monkeypatch):
    writer = SegmentWriter(tmp_path / "s.jsonl")
    whole_write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole_write(descriptor, data[:7]))
    assert writer.append(MetricsRecorded(values={"a": 1})) == 0
    monkeypatch.undo()
    writer.append(ProcessHeard())
    assert [line.event.seq for line in read_back(tmp_path / "s.jsonl")] == [0, 1]


@pytest.mark.parametrize(("written", "numbers"), [(None, [0, 1, 2]), (0, [0, 1]), (9, [0, None, 1])])
def test_an_interrupted_write_is_known_for_what_it_left(tmp_path, monkeypatch, written, numbers):
    writer = SegmentWriter(tmp_path / "s.jsonl")
    writer.append(ProcessHeard())
    whole_write = os.write

    def interrupted(descriptor, data):
        whole_write(descriptor, data[:written])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.append(ProcessHeard())
    monkeypatch.undo()
    writer.append(ProcessHeard())
    found = [line.event.seq if line.event else None for line in read_back(tmp_path / "s.jsonl")]
    assert found == numbers


def test_a_torn_tail_waits_until_its_newline_comes(tmp_path):
    path = tmp_path / "s.jsonl"
    line = encode(ProcessHeard(seq=1))
    path.write_bytes(encode(ProcessHeard()) + line[:-5])
    chunks = list(read_chunks(path))
    assert sum(len(chunk.lines) for chunk in chunks) == 1
    assert chunks[-1].torn == len(line) - 5
    with path.open("ab") as stream:
        stream.write(line[-5:])
    assert [entry.event.seq for entry in read_back(path, chunks[-1].end)] == [1]


@settings(deadline=None)
@given(st.integers(1, 60), st.lists(st.text(max_size=40), max_size=20))
def test_chunks_of_any_size_give_the_same_lines(tmp_path_factory, size, texts):
    path = tmp_path_factory.mktemp("segment") / "s.jsonl"
    path.write_bytes(b"".join(encode(MetricsRecorded(values={"t": text})) for text in texts))
    lines = [line for chunk in read_chunks(path, chunk_bytes=size) for line in chunk.lines]
    assert [line.event.values["t"] for line in lines] == texts
    assert [line.end for line in lines] == [line.end for line in read_back(path)]


def test_a_segment_of_a_later_format_is_refused_with_advice(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(encode(SegmentOpened(format=99, run="r", process="p")))
    with pytest.raises(JournalError, match="journal format 99.*upgrade"):
        read_header(path)
