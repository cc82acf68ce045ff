"""All that a database says, without its integer keys, which a rebuild may give out anew.

Keys are put as what they stand for: a run by its uid, what an event made by run, process and number, the rest by names.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

_IDENTITIES = {
    "run": "SELECT run_id, uid FROM run",
    "process": "SELECT p.process_id, r.uid || '/' || p.name FROM process AS p JOIN run AS r USING (run_id)",
    "task": "SELECT t.task_id, r.uid || '/' || p.name || ':' || t.sequence FROM task AS t"
    " JOIN process AS p USING (process_id) JOIN run AS r ON r.run_id = p.run_id",
    "dataflow": "SELECT dataflow_id, tag FROM dataflow",
    "transformation": "SELECT t.transformation_id, d.tag || '/' || t.tag FROM data_transformation AS t"
    " JOIN dataflow AS d USING (dataflow_id)",
    "data_set": "SELECT data_set_id, tag FROM data_set",
    "attribute": "SELECT a.attribute_id, s.tag || '/' || a.name || iif(a.overflow_of, ' beside', '')"
    " FROM attribute AS a JOIN data_set AS s USING (data_set_id)",
    "program": "SELECT program_id, path FROM program",
    "agent": "SELECT agent_id, kind || '/' || name || '/' || version FROM agent",
    "dataflow_version": "SELECT v.dataflow_version_id, d.tag || '/' || v.version FROM dataflow_version AS v"
    " JOIN dataflow AS d USING (dataflow_id)",
    "series": "SELECT s.series_id, r.uid || '/' || s.name || '/' || s.rank FROM metric_series AS s"
    " JOIN run AS r USING (run_id)",
    "posted_plan": "SELECT posted_plan_id, content FROM posted_plan",
}

_KINDS = {
    **{f"{kind}_id": kind for kind in _IDENTITIES},
    "parent_run_id": "run",
    "depends_on_task_id": "task",
    "previous_transformation_id": "transformation",
    "next_transformation_id": "transformation",
    "overflow_of": "attribute",
}

_NO_IDENTITY = {"environment_id", "file_id", "problem_id", "data_dependency_id"}

_OF_ARRIVAL = {"repetition", "began_ms", "elapsed_ms"}
"""How values of series are told apart and kept small; the view `metric` says what they mean."""


def contents(database):
    """Table or view -> its columns, and its rows in an order of their own."""
    with closing(sqlite3.connect(database)) as connection:
        known = {kind: dict(connection.execute(sql).fetchall()) for kind, sql in _IDENTITIES.items()}
        tables = dict(connection.execute("SELECT tag, table_name FROM data_set").fetchall())
        elements = {table: _elements(connection, table) for table in tables.values()}
        found = {"schema": _schema(connection)}
        names = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        for (name,) in names:
            if name == "schema_version" or name.startswith("sqlite_"):
                continue
            cursor = connection.execute(f'SELECT * FROM "{name}"')
            columns = [column[0] for column in cursor.description]
            rows = []
            for row in cursor:
                said = dict(zip(columns, row, strict=True))
                if "element_id" in said:
                    own = tables[known["data_set"][said["data_set_id"]]] if name == "element_value" else name
                    said["element_id"] = elements[own].get(said["element_id"], "dangling")
                rows.append(json.dumps([_named(column, value, known) for column, value in said.items()
                                        if column not in _NO_IDENTITY | _OF_ARRIVAL]))  # fmt: skip
            found[name] = (columns, sorted(rows))
    return found


def differences(before, after):
    """Where two contents differ, to be shown by a test that fails."""
    found = {}
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one != other:
            if one is None or other is None or one[0] != other[0]:
                found[name] = (one, other)
            else:
                found[name] = (sorted(set(one[1]) - set(other[1])), sorted(set(other[1]) - set(one[1])))
    return found


def _elements(connection, table):
    sql = f'SELECT e.element_id, r.uid || "/" || p.name || ":" || e.sequence || ":" || e.row_number FROM "{table}" AS e'
    sql = sql.replace('"/"', "'/'").replace('":"', "':'")
    joins = " LEFT JOIN process AS p ON p.process_id = e.process_id LEFT JOIN run AS r ON r.run_id = p.run_id"
    return dict(connection.execute(sql + joins).fetchall())


def _schema(connection):
    """Columns and types of every table and view, in their order."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    return [], sorted(
        json.dumps([name, *connection.execute("SELECT name, type FROM pragma_table_info(?)", (name,)).fetchall()])
        for (name,) in names
    )


def _named(column, value, known):
    kind = _KINDS.get(column)
    if kind is not None and value not in (None, ""):
        return known[kind].get(value, "dangling")
    if column == "non_finite" and isinstance(value, str) and value.startswith("{"):
        return sorted(
            (known["attribute"].get(int(key.removeprefix("attribute ")), key) if " " in key else key, special)
            for key, special in json.loads(value).items()
        )
    return value
