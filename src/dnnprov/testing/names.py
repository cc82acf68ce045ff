"""Names from outside are data: they are kept as written, and their tables and columns are safe (promise P8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dnnprov.model.names import RESERVED_WORDS
from dnnprov.store.schema import OWN_COLUMNS, own_names, quoted
from dnnprov.testing.recorded import assert_same, attributes_of, column, elements, opened, problems, recording, rows

if TYPE_CHECKING:
    from pathlib import Path

    from dnnprov.store.base import Store
    from dnnprov.testing.recorded import OpenStore

_NAMES = [
    'x"; DROP TABLE run; --',
    "x'); DELETE FROM run; --",
    "a\"b'c`d[e]f\\g;h",
    "../../etc/passwd",
    "/",
    ".",
    "..",
    "%s %d {0} {name} :run ? $1",
    " ",
    "_",
    "\t\n\r",
    "Größe/学習率 🌷",
    "学" * 100,
    "x" * 300,
    "x" * 62 + "y",
    "x" * 63,
    "x" * 64,
    "1",
    "1e3",
    "NaN",
    "null",
    "<script>alert(1)</script>",
    "-rf",
    "con",
    "a.b",
    "a-b",
    "a b",
    "A_B",
    "Loss",
    "LOSS",
    "loss",
    "loss_2",
    "loss_text",
    "ﬁlter",
    "filter",
    "Ⅷ",
    "rowid",
    "oid",
    "main",
    "temp",
    "sqlite_master",
    "pg_class",
    "information_schema",
    "Order",
    "order",
    "order_",
    *sorted(OWN_COLUMNS),
    *sorted(own_names()),
    *sorted(RESERVED_WORDS),
]

HOSTILE_NAMES = list(dict.fromkeys(_NAMES))

MAPPED = {
    "Top-5 Accuracy": "top_5_accuracy",
    "lr": "lr",
    "LR": "lr_2",
    "l.r": "l_r",
    "Größe": "gr__e",
    "Ⅷ": "viii",
    "order": "order_",
    "run_id": "run_id_2",
    "1": "1",
    "学": "_",
    "y" * 70: "y" * 63,
    "y" * 71: "y" * 61 + "_2",
}
"""Attribute -> its column, where they come in this order."""

_PLAIN = re.compile(r"[a-z0-9_]{1,63}")


class Names:
    """P8 and the rules for names."""

    def test_names_of_attributes_are_kept_and_their_columns_are_plain(
        self, open_store: OpenStore, tmp_path: Path
    ) -> None:
        values = {name: number for number, name in enumerate(HOSTILE_NAMES)}
        with recording(tmp_path) as run, run.task("Split") as task:
            task.log(**values)
        with opened(open_store, tmp_path) as store:
            attributes = attributes_of(store, "oSplit")
            assert [row["name"] for row in attributes] == HOSTILE_NAMES
            _check_names(row["column_name"] for row in attributes)
            assert not {row["column_name"] for row in attributes} & set(OWN_COLUMNS)
            (found,) = elements(store, "oSplit")
            assert_same(found, values)
            for row in attributes:  # as a person asks, who need not quote
                name = row["column_name"]
                if not name[0].isdigit():
                    _, answer, _ = store.read_untrusted(
                        f"SELECT {name} FROM oSplit WHERE {name} = {values[row['name']]}",
                        timeout_seconds=30,
                        max_rows=2,
                    )
                    assert answer == [(values[row["name"]],)], row["name"]
            assert problems(store) == []

    def test_names_are_mapped_by_the_rules(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path) as run, run.task("Split") as task:
            task.log(**dict.fromkeys(MAPPED, 1))
            task.generates("run", x=1)
            task.generates("Metric", x=1)
            task.generates("select", x=1)
            task.generates("My Set", x=1)
            task.generates("my-set", x=1)
            task.generates("sqlite_x", x=1)
            task.generates("pg_x", x=1)
        with opened(open_store, tmp_path) as store:
            assert {row["name"]: row["column_name"] for row in attributes_of(store, "oSplit")} == MAPPED
            tables = {row["tag"]: row["table_name"] for row in rows(store, "SELECT tag, table_name FROM data_set")}
            assert {
                tag: tables[tag] for tag in ("run", "Metric", "select", "My Set", "my-set", "sqlite_x", "pg_x")
            } == {
                "run": "ds_run",
                "Metric": "ds_metric",
                "select": "select_",
                "My Set": "my_set",
                "my-set": "my_set_2",
                "sqlite_x": "ds_sqlite_x",
                "pg_x": "ds_pg_x",
            }
            assert tables["oTrainingModel"] == "otrainingmodel"

    def test_names_of_data_sets_and_tasks_are_kept_and_their_tables_are_plain(
        self, open_store: OpenStore, tmp_path: Path
    ) -> None:
        names = list(dict.fromkeys([*HOSTILE_NAMES[::2], "run", "metric", "Run", "run_overview", "sqlite_x", "pg_x"]))
        with recording(tmp_path) as run:
            for number, name in enumerate(names):
                with run.task(name) as task:
                    task.generates(name, x=number)
        with opened(open_store, tmp_path) as store:
            tables = {row["tag"]: row["table_name"] for row in rows(store, "SELECT tag, table_name FROM data_set")}
            assert set(names) <= set(tables)
            _check_names(tables.values())
            assert not set(tables.values()) & own_names()
            for number, name in enumerate(names):
                assert column(store, f"SELECT x FROM {quoted(tables[name])}") == [number], name
            assert column(store, "SELECT tag FROM task ORDER BY task_id") == names
            assert column(store, "SELECT status FROM run") == ["finished"]
            assert problems(store) == []

    def test_names_of_runs_dataflows_tags_and_metrics_are_kept(self, open_store: OpenStore, tmp_path: Path) -> None:
        names = HOSTILE_NAMES[:40]
        for name in names:
            with recording(tmp_path, name, name=name, tags={name: name}) as run:
                run.log(step=0, **{name: 1})
        with opened(open_store, tmp_path) as store:
            found = rows(
                store,
                "SELECT d.tag AS dataflow, r.name AS run, t.name AS label, t.value AS text, m.name AS metric"
                " FROM run AS r JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id"
                " JOIN run_tag AS t ON t.run_id = r.run_id JOIN metric AS m ON m.run_id = r.run_id",
            )
            assert {row["run"] for row in found} == set(names)
            for row in found:
                assert len(set(row.values())) == 1, row
            assert problems(store) == []

    def test_tables_and_columns_are_found_in_any_letter_case(self, open_store: OpenStore, tmp_path: Path) -> None:
        with recording(tmp_path) as run, run.task("Training") as training:
            training.log(EPOCH=1, Loss=0.5)
        with opened(open_store, tmp_path) as store:
            for sql in ("SELECT loss FROM oTrainingModel", "select LOSS from OTRAININGMODEL where Epoch = 1"):
                assert _asked(store, sql) == [(0.5,)]


def _asked(store: Store, sql: str) -> list[tuple[object, ...]]:
    note = store.catch_up()
    assert note is None, note
    return store.read_untrusted(sql, timeout_seconds=30, max_rows=10)[1]


def _check_names(names: object) -> None:
    given = list(names)  # type: ignore[call-overload]
    assert len(set(given)) == len(given), "two have the same name"
    wrong = [name for name in given if not _PLAIN.fullmatch(name) or name in RESERVED_WORDS]
    assert not wrong
