from __future__ import annotations

import math
import sqlite3

import pytest

import dnnprov
from analysis.histories import Clock, RunPlan, record
from dnnprov.analysis.history import History, open_history
from dnnprov.errors import (
    AmbiguousRunError,
    DataflowNotFoundError,
    NotFoundError,
    QueryError,
    QueryRefusedError,
    QueryTimeoutError,
    RunNotFoundError,
    StoreNotFoundError,
    UsageError,
)

NAN = float("nan")


@pytest.fixture
def clock(store, monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def history(clock):
    """Three runs: m-1 and twice `same`, of dataflows m, m and n."""
    record([RunPlan("m", status="failed"), RunPlan("m", name="same"), RunPlan("n", name="same")], clock)
    with dnnprov.open() as opened:
        yield opened


def uids(history):
    return [row["uid"] for row in history.query("SELECT uid FROM run ORDER BY started_at")]


def test_open_is_public_and_a_missing_store_is_told(tmp_path):
    assert dnnprov.open is open_history
    with pytest.raises(StoreNotFoundError, match="no store at"):
        dnnprov.open(tmp_path / "nowhere")


def test_a_closed_history_can_be_closed_again_and_says_where_it_is(store, history):
    assert repr(history) == f"<History of the store {str(store)!r}>"
    assert history.folder.path == store
    history.close()
    history.close()


def test_runs_come_latest_first_with_the_columns_of_run_overview(history):
    found = history.runs()
    assert [(row["name"], row["dataflow"]) for row in found] == [("same", "n"), ("same", "m"), ("m-1", "m")]
    assert found.columns == history.sql("SELECT * FROM run_overview").columns
    assert history.sql(found.sql) == found


def test_runs_can_be_narrowed_and_limited(history):
    assert [row["name"] for row in history.runs(dataflow="m")] == ["same", "m-1"]
    assert [row["name"] for row in history.runs(status="failed")] == ["m-1"]
    assert [row["dataflow"] for row in history.runs(limit=1)] == ["n"]
    assert [row["name"] for row in history.runs("m", "finished", 5)] == ["same"]
    assert history.runs(dataflow="n", status="failed") == []


def test_runs_refuses_what_cannot_be_meant(history):
    with pytest.raises(UsageError, match=r"status='done' is none; expected one of running, finished"):
        history.runs(status="done")
    with pytest.raises(UsageError, match=r"limit=0 is no number of rows"):
        history.runs(limit=0)
    with pytest.raises(DataflowNotFoundError, match="no dataflow 'x'"):
        history.runs(dataflow="x")


def test_runs_give_values_that_are_not_finite_as_floats(store):
    with dnnprov.start_run("m", params={"learning_rate": float("inf"), "loss": float("nan"), "momentum": 0.5}) as run:
        with run.task("Training") as training:
            training.log(epoch=1, loss=1.0)
            training.log(epoch=2, loss=float("-inf"))
    with (
        dnnprov.start_run("m", params={"learning_rate": 0.1, "momentum": NAN, "loss": NAN}) as run,
        run.task("Training") as training,
    ):
        training.log(epoch=1, loss=0.5)
    with dnnprov.open() as history:
        second, first = history.runs()
    assert (first["learning_rate"], first["loss"], first["momentum"], first["diverged"]) == (
        math.inf,
        -math.inf,
        0.5,
        1,
    )
    assert (second["learning_rate"], second["loss"], second["diverged"]) == (0.1, 0.5, 0)
    assert math.isnan(second["momentum"])
    assert first["accuracy"] is None


def test_a_question_sees_what_a_running_training_logged_a_moment_ago(store):
    run = dnnprov.start_run("m")
    training = run.task("Training")
    with dnnprov.open() as history:
        for epoch in (1, 2, 3):
            training.log(epoch=epoch, loss=1 / epoch)
            assert history.ask("Q1", epoch=epoch)[0]["value"] == 1 / epoch
            assert len(history.sql("SELECT * FROM otrainingmodel")) == epoch
            assert history.runs()[0]["last_epoch"] == epoch
            assert history.run("latest").metrics[0]["num_values"] == epoch
            assert history.query("SELECT COUNT(*) AS n FROM otrainingmodel") == [{"n": epoch}]
    run.finish()


def test_all_that_is_asked_inside_a_snapshot_sees_one_state(clock, history):
    with history.snapshot() as notes:
        assert notes == []
        before = history.runs()
        clock.now += 1
        with dnnprov.start_run("later"):
            pass
        with dnnprov.open() as other:
            assert other.dataflows() == ["m", "n", "later"]
        assert history.runs() == before
        assert history.dataflows() == ["m", "n"]
    assert history.dataflows() == ["m", "n", "later"]


def test_a_failure_inside_a_snapshot_ends_it(history):
    with pytest.raises(QueryError):
        history.sql("SELECT nothing FROM nowhere")
    with dnnprov.start_run("later"):
        pass
    assert "later" in history.dataflows()


class ReadOnlyStore:
    """A store that could not take in what is new."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def catch_up(self):
        return "answers are as of noon"


def test_every_answer_of_a_store_that_cannot_be_written_says_as_of_when_it_is(history):
    history.catch_up()
    history.store = ReadOnlyStore(history.store)
    answers = [history.runs(), history.ask("Q3", dataflow="m"), history.sql("SELECT 1"), history.run("m-1")]
    assert [next(iter(found.notes)) for found in answers] == ["answers are as of noon"] * 4
    assert history.catch_up() == ["answers are as of noon"]


# Which run is meant


def test_a_run_is_found_by_uid_name_prefix_and_as_the_latest(history):
    first, second, third = uids(history)
    assert history.run(first).run["uid"] == first
    assert history.run("m-1").run["uid"] == first
    assert history.run(second[:8]).run["uid"] == second
    assert history.run("latest").run["uid"] == third
    assert history.run("latest", dataflow="m").run["uid"] == second
    assert history.run("m-1").notes == ()


def test_of_several_runs_of_one_name_the_latest_is_meant_and_a_note_says_so(history):
    _, second, third = uids(history)
    view = history.run("same")
    assert view.run["uid"] == third
    assert view.notes == (f"2 runs are named 'same'; this is the latest, uid {third}",)
    assert history.run("same", dataflow="m").run["uid"] == second
    assert history.run("same", dataflow="m").notes == ()
    assert history.ask("Q3", run="same").notes[0] == view.notes[0]


def set_uids(store, *wanted):
    with dnnprov.open() as history:
        history.catch_up()
    connection = sqlite3.connect(store / "provenance.db")
    for number, uid in enumerate(wanted):
        connection.execute("UPDATE run SET uid = ? WHERE started_at = (SELECT DISTINCT started_at FROM run"
                           " ORDER BY started_at LIMIT 1 OFFSET ?)", (uid, number))  # fmt: skip
    connection.commit()
    connection.close()


def test_a_prefix_must_be_long_enough_and_fit_one_run(store, clock):
    record([RunPlan("m"), RunPlan("m"), RunPlan("n")], clock)
    set_uids(store, "abcd1111", "abcd2222", "abc%3333")
    with dnnprov.open() as history:
        history.store = ReadOnlyStore(history.store)  # the journals have other uids
        with pytest.raises(AmbiguousRunError, match=r"'abcd' fits 2 runs \(abcd1111, abcd2222\)"):
            history.run("abcd")
        assert history.run("abcd2").run["name"] == "m-2"
        assert history.run("abc%").run["name"] == "n-1"
        with pytest.raises(RunNotFoundError):
            history.run("abc")
        with pytest.raises(RunNotFoundError):
            history.run("abcd", dataflow="n")


def test_a_name_is_more_than_a_prefix(store, clock):
    record([RunPlan("m", name="abcd"), RunPlan("m")], clock)
    set_uids(store, "11112222", "abcd3333")
    with dnnprov.open() as history:
        history.store = ReadOnlyStore(history.store)
        assert history.run("abcd").run["uid"] == "11112222"


def test_an_unknown_run_or_dataflow_is_told_with_the_nearest_name(history):
    with pytest.raises(RunNotFoundError, match=r"no run 'm_1'; did you mean 'm-1'\?"):
        history.run("m_1")
    with pytest.raises(RunNotFoundError, match=r"no run 'm-1'; did you|no run 'm-1'; there is 'same'"):
        history.run("m-1", dataflow="n")
    with pytest.raises(DataflowNotFoundError):
        history.run("m-1", dataflow="o")


def test_there_is_no_latest_run_of_a_store_without_runs(store):
    (store / "journal").mkdir(parents=True)
    with dnnprov.open() as history, pytest.raises(NotFoundError, match="no run 'latest': there is none yet"):
        history.run("latest")


# SQL


def test_sql_takes_parameters_and_letter_case_as_it_comes(history):
    assert history.sql("SELECT Name FROM RUN WHERE status = ?", ["failed"]) == [{"name": "m-1"}]
    assert history.sql("SELECT name FROM run WHERE status = :s", {"s": "failed"}).sql.endswith(":s")


def test_sql_that_has_more_rows_than_the_limit_is_cut_with_a_note(history):
    found = history.sql("SELECT name FROM run ORDER BY started_at", limit=2)
    assert [row["name"] for row in found] == ["m-1", "same"]
    assert found.notes == ["only the first 2 rows are shown; raise --limit (limit=) or narrow the query with WHERE"]
    assert history.sql("SELECT name FROM run", limit=3).notes == []
    assert len(history.sql("SELECT name FROM run", limit=None)) == 3


def test_sql_caps_at_ten_thousand_rows_by_itself(history):
    count = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001) SELECT i FROM n"
    found = history.sql(count)
    assert len(found) == 10_000
    assert "first 10,000 rows" in found.notes[0]
    assert len(history.sql(count, limit=None)) == 10_001


def test_sql_that_writes_or_takes_too_long_is_refused(history):
    for statement in ("DELETE FROM run", "DROP TABLE run", "PRAGMA user_version = 3", "ATTACH 'x' AS y"):
        with pytest.raises(QueryRefusedError):
            history.sql(statement)
    with pytest.raises(QueryTimeoutError):
        history.sql(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n", timeout=0.05
        )
    with pytest.raises(UsageError, match="timeout=0 is no time"):
        history.sql("SELECT 1", timeout=0)
    with pytest.raises(UsageError, match="limit=-1 is no number"):
        history.sql("SELECT 1", limit=-1)
    assert len(history.runs()) == 3


def test_a_history_can_be_made_of_any_store(history):
    assert [row["name"] for row in History(history.store).runs(limit=1)] == ["same"]


@pytest.mark.parametrize(
    "call",
    [
        lambda history: history.run(5),
        lambda history: history.run(None),
        lambda history: history.runs(dataflow=5),
        lambda history: history.ask("Q1", dataflow="m", run=5),
        lambda history: history.sql(5),
    ],
)
def test_what_is_no_text_is_misuse(history, call):
    with pytest.raises(UsageError, match="expected text"):
        call(history)


def test_a_table_of_runs_begins_with_what_they_are_and_how_well_they_did(history):
    head = repr(history.runs()).splitlines()[0].split()
    assert head[:3] == ["name", "dataflow", "status"]
    assert {"accuracy", "loss", "diverged"} & set(head)
    assert "uid" in history.runs().columns
    assert "uid" not in history.runs().shown_columns


def test_a_huge_value_does_not_fill_a_notebook(history):
    page = history.sql("SELECT printf('%.*c', 100000, 'x') AS huge")._repr_html_()
    assert len(page) < 1000
