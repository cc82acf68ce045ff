"""Makes dumps of DfAnalyzer in the form of msqldump, of any generation, and reads the real one by plain means."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TYPES = {int: "INTEGER", float: "DOUBLE", str: "VARCHAR(500)"}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


@dataclass
class DumpText:
    """The text of a dump, table by table."""

    delimiter: str = "|"
    has_executions: bool = False
    parts: list[str] = field(default_factory=lambda: ["START TRANSACTION;\n", 'SET SCHEMA "public";\n'])

    def table(self, name, columns, rows, schema="public", count=None):
        full = f'"{schema}"."{name}"'.replace("\0", "")
        lines = [f'"{column}" {TYPES[kind]}' for column, kind in columns.items()]
        self.parts.append(f"CREATE TABLE {full} (\n" + ",\n".join(lines) + "\n);\n")
        if not rows and count is None:
            return
        shown = self.delimiter.replace("\t", "\\t")
        number = len(rows) if count is None else count
        self.parts.append(f"COPY {number} RECORDS INTO {full} FROM stdin USING DELIMITERS '{shown}','\\n','\"';\n")
        for row in rows:
            cells = ["NULL" if c is None else quoted(c) if isinstance(c, str) else repr(c) for c in row]
            self.parts.append(self.delimiter.join(cells) + "\n")

    def plan(self, dataflow, executions=(), num_tasks=2, status="FINISHED"):
        """One dataflow of a training and its adaptation; a pair of tasks for each execution, or one for all."""
        self.table("dataflow", {"id": int, "tag": str}, [(1, dataflow)])
        self.table("dataflow_version", {"version": int, "df_id": int}, [(1, 1)])
        transformations = [(1, 1, "trainingmodel"), (2, 1, "adaptation")][:num_tasks]
        self.table("data_transformation", {"id": int, "df_id": int, "tag": str}, transformations)
        sets = [(1, 1, "itrainingmodel"), (2, 1, "otrainingmodel"), (3, 1, "oadaptation")]
        self.table("data_set", {"id": int, "df_id": int, "tag": str}, sets)
        dependencies = [(1, None, 1, 1), (2, 1, 2, 2), (3, 2, None, 3)]
        names = {"id": int, "previous_dt_id": int, "next_dt_id": int, "ds_id": int}
        self.table("data_dependency", names, dependencies)
        task = {"id": int, "identifier": int, "df_version": int}
        rows = []
        if executions:
            self.table("dataflow_execution", {"id": int, "tag": str, "df_id": int},
                       [(n, tag, 1) for n, tag in enumerate(executions, 1)])  # fmt: skip
            task |= {"df_exec": str}
            for number, tag in enumerate(executions):
                rows += [(2 * number + n, n, 1, tag, n, status, "null") for n in (1, 2)]
        else:
            rows = [(1, 1, 1, 1, status, "null"), (2, 2, 1, 2, status, "null")]
        self.table("task", {**task, "dt_id": int, "status": str, "workspace": str}, rows)

    def text(self):
        return "".join(self.parts) + "COMMIT;\n"


PARAMETERS = {"id": int, "trainingmodel_task_id": int, "optimizer_name": str, "learning_rate": float}
EPOCHS = {
    "id": int, "trainingmodel_task_id": int, "adaptation_task_id": int, "timestamp": str, "elapsed_time": str,
    "loss": float, "accuracy": float, "epoch": float,
}  # fmt: skip
CHANGES = {"id": int, "adaptation_task_id": int, "new_lrate": float, "timestamp": str, "epoch_id": float}


def epochs(began, losses, task=1, first=1):
    """Rows of ten seconds each, the first of which began at a time."""
    return [
        (first + n, task, task + 1, repr(began + 10.0 * (n + 1)), "10.0", loss, 1 - loss, n)
        for n, loss in enumerate(losses)
    ]


def real_tables(path):
    """(schema, table) -> rows as texts, of the dump at hand: split at delimiters, quotes and blanks taken off."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = {}
    for number, line in enumerate(lines):
        copy = re.match(r'COPY (\d+) RECORDS INTO "([^"]+)"\."([^"]+)"', line)
        if copy:
            rows = lines[number + 1 : number + 1 + int(copy[1])]
            found[copy[2], copy[3]] = [[cell.strip().strip('"') for cell in row.split("|")] for row in rows]
    return found
