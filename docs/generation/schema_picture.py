"""The tables of the database drawn with what they point to; pointers go by the names of columns.

A box holds the key of a table and the columns that point elsewhere. `process_id` is left out, since nearly every table
has it, and so are the tables of housekeeping, which nobody joins.
"""

from __future__ import annotations

import sqlite3
from html import escape
from typing import TYPE_CHECKING

import pygraphviz

from dnnprov.store.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA_SET = "each data set"

GROUPS = {
    "#dbe8fa": (
        "dataflow", "dataflow_version", "data_transformation", "transformation_data_set", "data_set", "attribute",
        "data_dependency", "program",
    ),
    "#fbe7bd": (
        "run", "run_tag", "process", "rank_state", "task", "task_dependency", "file", "run_agent", "agent",
        "environment", "problem",
    ),
    "#d8eed2": (DATA_SET, "element_value", "metric_series", "metric_value", "run_metric"),
}  # fmt: skip
"""Colour -> tables: the plan, what happened, values."""

HOUSEKEEPING = (
    "accuracy_metric", "journal_position", "plan_declaration", "plan_fact", "posted_plan", "schema_version",
)  # fmt: skip

NOT_BY_NAME = {
    "transformation_id": "data_transformation",
    "previous_transformation_id": "data_transformation",
    "next_transformation_id": "data_transformation",
    "depends_on_task_id": "task",
    "parent_run_id": "run",
    "series_id": "metric_series",
    "element_id": DATA_SET,
    "overflow_of": "attribute",
}
"""Column -> the table that it points to, where the name of the column does not say so."""


def drawn_tables() -> dict[str, list[str]]:
    """Table -> its columns, without those of housekeeping."""
    database = sqlite3.connect(":memory:")
    database.executescript(TABLES)
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")]
    found = {name: [row[1] for row in database.execute(f"PRAGMA table_info({name})")] for name in names}
    database.close()
    drawn = {name: columns for name, columns in found.items() if name not in HOUSEKEEPING}
    return {**drawn, DATA_SET: ["element_id", "run_id", "task_id"]}


def pointers(found: dict[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """Table, column, and the table that the column points to."""
    for table, columns in found.items():
        for column in columns:
            target = NOT_BY_NAME.get(column, column.removesuffix("_id"))
            if target in found and column != "process_id" and (target != table or column != columns[0]):
                yield table, column, target


def draw_schema() -> bytes:
    """An SVG."""
    found = drawn_tables()
    graph = pygraphviz.AGraph(strict=False, directed=True, rankdir="LR", bgcolor="white", nodesep="0.18", ranksep="0.8")
    graph.node_attr.update(shape="plain", fontname="Helvetica, Arial, sans-serif", fontsize="12")
    graph.edge_attr.update(color="#777777", arrowsize="0.6", penwidth="0.9")
    arrows = list(pointers(found))
    for colour, names in GROUPS.items():
        for name in names:
            shown = dict.fromkeys([found[name][0], *(column for table, column, _ in arrows if table == name)])
            graph.add_node(name, label=_label(name, list(shown), colour))
    for table, column, target in arrows:
        graph.add_edge(table, target, tailport=f"{column}:e", headport="name:w")
    graph.layout("dot")
    drawn: bytes = graph.draw(format="svg")
    return drawn


def _label(name: str, columns: list[str], colour: str) -> str:
    rows = "".join(f'<tr><td align="left" port="{column}">{escape(column)}</td></tr>' for column in columns)
    return (
        '<<table border="0" cellborder="1" cellspacing="0" cellpadding="3" color="#999999">'
        f'<tr><td bgcolor="{colour}" port="name"><b>{escape(name)}</b></td></tr>{rows}</table>>'
    )
