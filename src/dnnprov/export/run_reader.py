"""Reads the facts of one run out of the database.

The caller holds a snapshot, so that all queries see one state. Memory grows with what is exported: the rows of one run,
without the values of its metric series, of which only the sums are read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dnnprov.errors import RunNotFoundError
from dnnprov.export.element_reader import Places, read_elements
from dnnprov.export.file_reader import read_files
from dnnprov.export.plan_reader import read_followed_plan
from dnnprov.export.run_facts import (
    EPOCHS,
    Agent,
    Element,
    Environment,
    RunFacts,
    Series,
    Task,
    Value,
)
from dnnprov.export.timeline import timelines
from dnnprov.model.identifiers import recorded_name
from dnnprov.model.training import TRAINING_TAGS
from dnnprov.model.values import NON_FINITE

if TYPE_CHECKING:
    from dnnprov.analysis.history import History


_RUN = """
SELECT r.*, d.tag AS dataflow, g.path AS program, v.version AS version, v.specification AS specification,
       COALESCE(p.uid, r.parent_uid) AS parent, p.name AS parent_name,
       (SELECT COUNT(*) FROM problem AS b WHERE b.run_id = r.run_id) AS num_problems
FROM run AS r
LEFT JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id
LEFT JOIN dataflow_version AS v ON v.dataflow_version_id = r.dataflow_version_id
LEFT JOIN program AS g ON g.program_id = r.program_id
LEFT JOIN run AS p ON p.run_id = r.parent_run_id
WHERE r.run_id = ?
"""

_SERIES = """
SELECT s.name AS name, s.rank AS rank, m.num_values AS num_values, m.num_non_finite AS num_non_finite,
       m.last AS last, m.last_non_finite AS last_non_finite, m.min AS min, m.max AS max
FROM metric_series AS s
LEFT JOIN run_metric AS m ON m.run_id = s.run_id AND m.name = s.name AND m.rank = s.rank AND m.level = 'batch'
WHERE s.run_id = ? ORDER BY s.name, s.rank
"""

_ENVIRONMENT_TERMS = {
    "os": "os",
    "cpu": "cpu",
    "num_cpus": "numCpus",
    "memory_bytes": "memoryBytes",
    "gpu": "gpu",
    "python": "python",
    "packages": "packages",
    "git_commit": "gitCommit",
    "git_branch": "gitBranch",
    "git_dirty": "gitDirty",
    "git_diff_sha256": "gitDiffSha256",
    "command_line": "commandLine",
    "working_directory": "workingDirectory",
    "variables": "environmentVariables",
    "software": "dnnprovVersion",
}
"""Column of `environment` -> term of our vocabulary."""


def read_run(history: History, run_id: int) -> RunFacts:
    """The facts of a run, at whatever moment of its life.

    Raises:
        RunNotFoundError: there is no such run.
    """
    found = history.query(_RUN, (run_id,))
    if not found:
        raise RunNotFoundError(str(run_id))
    run = found[0]
    places = _places(history, run_id)
    elements = read_elements(history, run_id, places)
    tasks = _tasks(history, run_id, places, elements)
    lines = timelines(tasks, elements)
    in_lines = {step.id for line in lines for step in line.steps}
    return RunFacts(
        uid=run["uid"],
        name=run["name"],
        status=run["status"],
        started_at=run["started_at"],
        ended_at=run["ended_at"],
        exit_reason=run["exit_reason"],
        program=run["program"],
        parent_uid=run["parent"],
        parent_name=run["parent_name"],
        num_problems=run["num_problems"],
        tags={row["name"]: row["value"] for row in _of_run(history, "run_tag", run_id, "name")},
        plan=read_followed_plan(history, run),
        tasks=tasks,
        timelines=lines,
        elements=tuple(element for element in elements if element.id not in in_lines),
        files=read_files(history, run_id, places),
        series=_series(history, run_id),
        agents=_agents(history, run_id),
        environments=_environments(history, run_id, places),
    )


def _of_run(history: History, table: str, run_id: int, order: str) -> list[dict[str, Any]]:
    """Rows of one of our tables; its name and order are ours, not from outside."""
    return history.query(f"SELECT * FROM {table} WHERE run_id = ? ORDER BY {order}", (run_id,))  # noqa: S608


def _places(history: History, run_id: int) -> Places:
    """How processes and tasks of the run are called, by their keys in this database."""
    processes = _of_run(history, "process", run_id, "attempt, rank, started_at, name")
    places = Places(
        processes={row["process_id"]: row["name"] for row in processes},
        positions={row["process_id"]: position for position, row in enumerate(processes)},
        ranks={row["process_id"]: row["rank"] for row in processes},
    )
    for row in history.query("SELECT task_id, process_id, sequence FROM task WHERE run_id = ?", (run_id,)):
        places.tasks[row["task_id"]] = places.name("task", row)
    return places


def _tasks(history: History, run_id: int, places: Places, elements: list[Element]) -> tuple[Task, ...]:
    trained = {element.task for element in elements if element.table == EPOCHS and element.relation == "generated"}
    after: dict[str, list[str]] = {}
    for row in history.query(
        "SELECT d.task_id AS task, d.depends_on_task_id AS before_it FROM task_dependency AS d"
        " JOIN task AS t ON t.task_id = d.task_id WHERE t.run_id = ?",
        (run_id,),
    ):
        if row["before_it"] in places.tasks and row["before_it"] != row["task"]:
            after.setdefault(places.tasks[row["task"]], []).append(places.tasks[row["before_it"]])
    tasks = [
        Task(
            id=places.tasks[row["task_id"]],
            tag=row["tag"],
            status=row["status"],
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            exit_reason=row["exit_reason"],
            rank=row["rank"],
            order=places.order(row),
            after=tuple(sorted(after.get(places.tasks[row["task_id"]], ()))),
            identifier=row["identifier"],
            details=json.loads(row["details"] or "{}"),
            is_training=row["tag"].lower() in TRAINING_TAGS or places.tasks[row["task_id"]] in trained,
        )
        for row in _of_run(history, "task", run_id, "task_id")
    ]
    return tuple(sorted(tasks, key=lambda task: task.order))


def _series(history: History, run_id: int) -> tuple[Series, ...]:
    series = []
    for row in history.query(_SERIES, (run_id,)):
        values: dict[str, Value] = {
            term: row[column]
            for term, column in {
                "numValues": "num_values",
                "numNonFinite": "num_non_finite",
                "last": "last",
                "min": "min",
                "max": "max",
            }.items()
            if row[column] is not None
        }
        if row["last_non_finite"]:
            values["last"] = NON_FINITE[row["last_non_finite"]]
        # The rank is a number of ours and stands first, so that a name cannot be taken for another's rank.
        series.append(Series(recorded_name(f"series-{row['rank']}", row["name"]), row["name"], row["rank"], values))
    return tuple(series)


def _agents(history: History, run_id: int) -> tuple[Agent, ...]:
    found = history.query(
        "SELECT a.kind AS kind, a.name AS name, a.version AS version FROM run_agent AS l"
        " JOIN agent AS a ON a.agent_id = l.agent_id WHERE l.run_id = ? ORDER BY a.kind, a.name, a.version",
        (run_id,),
    )
    return tuple(Agent(row["kind"], row["name"], row["version"]) for row in found)


def _environments(history: History, run_id: int, places: Places) -> tuple[Environment, ...]:
    environments = []
    for row in _of_run(history, "environment", run_id, "environment_id"):
        process = row["process_id"]
        values: dict[str, Value] = {
            term: row[column] for column, term in _ENVIRONMENT_TERMS.items() if row[column] is not None
        }
        if "gitDirty" in values:
            values["gitDirty"] = bool(values["gitDirty"])
        environments.append(
            (
                places.positions.get(process, -1),
                Environment(
                    recorded_name("environment", places.process(process)),
                    row["host"],
                    places.ranks.get(process, 0),
                    values,
                ),
            )
        )
    return tuple(environment for _, environment in sorted(environments, key=lambda pair: pair[0]))
