"""Answers that are kept while nothing is written: the same as anew, and gone with the first news."""

from __future__ import annotations

import sqlite3

import pytest

import dnnprov
from dnnprov.store.kept_answers import MAX_ANSWERS, MAX_ROWS, KeptAnswers

COUNT = "SELECT COUNT(*) FROM things WHERE size > ?"


@pytest.fixture
def things(tmp_path):
    """A connection that writes, and one that reads and says what it executes."""
    path = tmp_path / "things.db"
    writer, reader = (sqlite3.connect(path, isolation_level=None) for _ in range(2))
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE things (size)")
    writer.executemany("INSERT INTO things VALUES (?)", [(size,) for size in range(10)])
    executed = []
    reader.set_trace_callback(executed.append)
    yield writer, KeptAnswers(reader), executed
    writer.close()
    reader.close()


def counts(executed):
    return sum("COUNT" in sql for sql in executed)


def test_what_is_asked_again_is_not_looked_up_again(things):
    _, answers, executed = things
    assert [answers.read(COUNT, (size,))[1] for size in (4, 4, 7, 4)] == [[(5,)], [(5,)], [(2,)], [(5,)]]
    assert counts(executed) == 2
    answers.forget()
    assert answers.read(COUNT, (4,))[1] == [(5,)]
    assert counts(executed) == 3


def test_what_another_connection_writes_is_in_the_next_answer(things):
    writer, answers, _ = things
    for size in (20, 21, 22):
        before = answers.read(COUNT, (10,))[1][0][0]
        writer.execute("INSERT INTO things VALUES (?)", (size,))
        assert answers.read(COUNT, (10,))[1] == [(before + 1,)]


def test_answers_are_told_apart_by_the_types_of_what_is_asked_for(things):
    _, answers, _ = things
    found = [answers.read("SELECT typeof(?)", (value,))[1] for value in (1, 1.0, "1", None)]
    assert found == [[("integer",)], [("real",)], [("text",)], [("null",)]]
    assert answers.read("SELECT :a - :b", {"a": 3, "b": 1})[1] == [(2,)]
    assert answers.read("SELECT :a - :b", {"a": 1, "b": 3})[1] == [(-2,)]


def test_what_a_caller_does_to_an_answer_is_his_own_affair(things):
    _, answers, _ = things
    columns, rows = answers.read("SELECT size FROM things WHERE size < 2")
    columns.append("more")
    rows.clear()
    assert answers.read("SELECT size FROM things WHERE size < 2") == (["size"], [(0,), (1,)])


def test_no_more_is_kept_than_a_few_small_answers(things):
    writer, answers, executed = things
    for size in range(MAX_ANSWERS + 1):
        answers.read(COUNT, (size,))
    answers.read(COUNT, (MAX_ANSWERS,))
    assert counts(executed) == MAX_ANSWERS + 1
    answers.read(COUNT, (0,))  # the oldest went
    assert counts(executed) == MAX_ANSWERS + 2
    writer.executemany("INSERT INTO things VALUES (?)", [(1,)] * MAX_ROWS)
    executed.clear()
    for _ in range(2):
        assert len(answers.read("SELECT size FROM things")[1]) == MAX_ROWS + 10
    assert executed.count("SELECT size FROM things") == 2


def test_an_open_history_tells_each_new_epoch_also_to_the_same_question(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training, dnnprov.open() as history:
        for epoch in range(1, 6):
            training.log(epoch=epoch, loss=1 / epoch)
            for _ in range(2):
                assert len(history.ask("Q3", run="latest")) == epoch
        (store / "provenance.db").unlink()  # made anew, from the same journals
        assert len(history.ask("Q3", run="latest")) == 5
