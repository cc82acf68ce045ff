"""Reading: it cannot write, sees one state in a snapshot, and a person's SQL is kept within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.errors import QueryError, QueryRefusedError, QueryTimeoutError
from dnnprov.testing.recorded import column, opened, recording

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.store.base import Store
    from dnnprov.testing.recorded import OpenStore

WRITES = (
    "INSERT INTO dataflow (dataflow_id, tag) VALUES (99, 'x')",
    "UPDATE run SET status = 'x'",
    "DELETE FROM run",
    "DROP TABLE run",
    "CREATE TABLE x (y INTEGER)",
    "ALTER TABLE run ADD COLUMN x INTEGER",
    "WITH gone AS (SELECT 1) DELETE FROM run",
    "SELECT 1; DELETE FROM run",
    "VACUUM",
    "BEGIN",
    "",
)

_ENDLESS = (
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10000000000) SELECT COUNT(*) FROM n"
)


class Reading:
    """The doors to a store."""

    def test_a_snapshot_is_of_one_state(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path) as run:
            run.log(step=0, x=1)
            with opened(open_store, tmp_path) as store, opened(open_store, tmp_path) as other:
                assert column(store, "SELECT COUNT(*) FROM metric") == [1]
                with store.snapshot():
                    assert store.read("SELECT COUNT(*) FROM metric")[1] == [(1,)]
                    run.log(step=1, x=1, brand_new=1)
                    assert column(other, "SELECT COUNT(*) FROM metric") == [3]
                    assert store.read("SELECT COUNT(*) FROM metric")[1] == [(1,)]
                    with store.snapshot():  # one within another is the same
                        assert store.read("SELECT COUNT(*) FROM metric")[1] == [(1,)]
                assert store.read("SELECT COUNT(*) FROM metric")[1] == [(3,)]

    def test_nothing_is_written_by_reading(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path) as run:
            run.log(step=0, x=1)
        with opened(open_store, tmp_path) as store:
            assert column(store, "SELECT COUNT(*) FROM run") == [1]
            for sql in WRITES:
                refusal = _failure(store, sql)
                assert isinstance(refusal, QueryError), f"{sql!r} gave {refusal!r}"
            for sql in WRITES[:3]:
                assert isinstance(_failure(store, sql), QueryRefusedError)
                try:
                    store.read(sql)
                except Exception:  # noqa: BLE001, S112 - which one is the engine's affair
                    continue
                raise AssertionError(f"{sql!r} was taken by read")
            assert store.read("SELECT status FROM run")[1] == [("finished",)]

    def test_sql_of_a_person_is_answered_within_bounds(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path) as run:
            for number in range(5):
                run.log(step=number, x=number)
        with opened(open_store, tmp_path) as store:
            store.catch_up()
            sql = "SELECT step AS s, value FROM metric ORDER BY step"
            columns, found, were_more = store.read_untrusted(sql, timeout_seconds=30, max_rows=2)
            assert (columns, [tuple(row) for row in found], were_more) == (["s", "value"], [(0, 0), (1, 1)], True)
            assert store.read_untrusted(sql, timeout_seconds=30, max_rows=5)[2] is False
            sql = "SELECT step FROM metric WHERE step > :least ORDER BY step"
            assert store.read_untrusted(sql, {"least": 2}, timeout_seconds=30, max_rows=5)[1] == [(3,), (4,)]
            for wrong in ("SELECT nothing FROM metric", "SELECT FROM", "SELECT * FROM nothing"):
                assert isinstance(_failure(store, wrong), QueryError)
            assert isinstance(_failure(store, _ENDLESS, timeout_seconds=0.2), QueryTimeoutError)
            assert store.read_untrusted("SELECT 1", timeout_seconds=30, max_rows=5)[1] == [(1,)]

    def test_a_store_is_let_go_of_twice_and_opened_again(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path) as run:
            run.log(step=0, x=1)
        store = open_store(tmp_path)
        assert isinstance(store.place, str)
        assert store.catch_up() is None
        store.close()
        store.close()
        with opened(open_store, tmp_path) as store:
            assert store.read("SELECT COUNT(*) FROM metric")[1] == [(1,)]


def _failure(store: Store, sql: str, timeout_seconds: float = 30.0) -> Exception | None:
    """What a person's SQL raises."""
    try:
        store.read_untrusted(sql, timeout_seconds=timeout_seconds, max_rows=10)
    except Exception as error:  # noqa: BLE001 - it is looked at
        return error
    return None
