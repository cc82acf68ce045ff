"""Schema version 4 of the provenance database: plain tables that a person enjoys querying.

p-prov (the plan): dataflow, dataflow_version, data_transformation, data_set, attribute, data_dependency, program.
r-prov (what happened): run, task, task_dependency, file, agent, environment, one table a data set, and metric.

Names are those of PROV-Df (Silva et al. 2018) and of Fig. 3 of the paper. Times are ISO 8601 UTC with Z, durations
seconds, sizes bytes. Foreign keys are named by their columns and not enforced: a rank may be ingested before rank 0.
A row that an event made carries `process_id` and `sequence`, from which PROV identifiers are formed; they are the
same after a rebuild, while the integer keys may differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.model.training import SETS

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA_VERSION = 4

RANK_TABLES = """
CREATE TABLE rank_state (                  -- how each rank of a run does; what the run's own state follows from
    run_id INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    status TEXT NOT NULL,                  -- as of run
    ended_at TEXT,
    exit_reason TEXT,
    PRIMARY KEY (run_id, rank)
) WITHOUT ROWID;
CREATE INDEX rank_state_running ON rank_state (run_id, rank) WHERE status = 'running';
"""

PLAN_TABLES = """
CREATE TABLE plan_fact (                   -- what versions follow from, each with the earliest event that shows it
    dataflow_id INTEGER NOT NULL,
    transformation TEXT NOT NULL,
    relation TEXT NOT NULL,                -- exists | used | generated | after | program
    object TEXT NOT NULL,                  -- a data set, a transformation, or the path of a program
    data_set TEXT NOT NULL,                -- that was declared to come from the transformation before
    process_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (dataflow_id, transformation, relation, object, data_set)
) WITHOUT ROWID;
CREATE TABLE posted_plan (
    posted_plan_id INTEGER PRIMARY KEY,
    content TEXT NOT NULL UNIQUE           -- JSON: transformations as they were declared
);
CREATE TABLE plan_declaration (
    process_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    dataflow_id INTEGER NOT NULL,
    posted_plan_id INTEGER NOT NULL,
    recorded_at TEXT,
    PRIMARY KEY (process_id, sequence)
) WITHOUT ROWID;
CREATE INDEX plan_declaration_by_dataflow ON plan_declaration (dataflow_id);
"""

TABLES = f"""
CREATE TABLE schema_version (
    version INTEGER NOT NULL,
    archive_read INTEGER NOT NULL          -- time of the archive folder when all of it was in
);

CREATE TABLE dataflow (
    dataflow_id INTEGER PRIMARY KEY,
    tag TEXT NOT NULL UNIQUE,
    recorded_at TEXT
);
CREATE TABLE dataflow_version (
    dataflow_version_id INTEGER PRIMARY KEY,
    dataflow_id INTEGER NOT NULL,
    version INTEGER NOT NULL,              -- 1, 2, ... a new one for each change
    specification TEXT NOT NULL,           -- JSON: transformation -> sets, attributes, what it comes after
    run_id INTEGER,                        -- the run that brought the change
    recorded_at TEXT,
    process_id INTEGER,                    -- the event that brought it
    sequence INTEGER,
    UNIQUE (dataflow_id, version)
);
CREATE TABLE data_transformation (
    transformation_id INTEGER PRIMARY KEY,
    dataflow_id INTEGER NOT NULL,
    tag TEXT NOT NULL,
    program_id INTEGER,
    UNIQUE (dataflow_id, tag)
);
CREATE TABLE data_set (
    data_set_id INTEGER PRIMARY KEY,
    tag TEXT NOT NULL UNIQUE,              -- as the user wrote it
    table_name TEXT NOT NULL UNIQUE        -- where its elements are
);
CREATE TABLE transformation_data_set (
    transformation_id INTEGER NOT NULL,
    data_set_id INTEGER NOT NULL,
    relation TEXT NOT NULL,                -- used | generated
    PRIMARY KEY (transformation_id, data_set_id, relation)
) WITHOUT ROWID;
CREATE TABLE attribute (
    attribute_id INTEGER PRIMARY KEY,
    data_set_id INTEGER NOT NULL,
    name TEXT NOT NULL,                    -- as the user wrote it
    column_name TEXT NOT NULL,             -- where its values are
    type TEXT NOT NULL,                    -- integer | number | text | boolean | unknown
    overflow_of INTEGER                    -- the attribute of this name whose values did not fit their column
);
CREATE UNIQUE INDEX attribute_by_name ON attribute (data_set_id, name, COALESCE(overflow_of, 0));
CREATE TABLE data_dependency (
    data_dependency_id INTEGER PRIMARY KEY,
    dataflow_id INTEGER NOT NULL,
    previous_transformation_id INTEGER NOT NULL,
    next_transformation_id INTEGER NOT NULL,
    data_set_id INTEGER,                   -- that goes from one to the other, where it is known
    UNIQUE (previous_transformation_id, next_transformation_id, data_set_id)
);
CREATE TABLE program (
    program_id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    name TEXT                              -- as declared
);

CREATE TABLE run (
    run_id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    dataflow_id INTEGER,                   -- NULL until the run's own process is heard
    name TEXT,
    status TEXT NOT NULL,                  -- running finished failed interrupted crashed stopped pruned
    started_at TEXT,
    ended_at TEXT,
    heartbeat_at TEXT,                     -- when it was last heard
    parent_run_id INTEGER,
    parent_uid TEXT,
    exit_reason TEXT,
    program_id INTEGER,
    dataflow_version_id INTEGER,           -- the plan that it followed
    last_epoch INTEGER,                    -- highest epoch recorded so far
    accuracy REAL,                         -- that it is compared by, kept up to what run_accuracy says
    accuracy_source TEXT,                  -- test | validation | training
    accuracy_kind INTEGER                  -- 0 test, 1 epochs and 2 batches of validation, 3 and 4 of training
);
CREATE INDEX run_by_dataflow ON run (dataflow_id, started_at);
CREATE INDEX run_by_name ON run (name);
CREATE INDEX run_by_accuracy ON run (dataflow_id, accuracy_kind, accuracy);
CREATE INDEX run_by_start ON run (started_at);
CREATE TABLE run_tag (
    run_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_id, name)
) WITHOUT ROWID;
CREATE TABLE process (
    process_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    name TEXT NOT NULL,                    -- of its segment, unique in the run
    rank INTEGER NOT NULL,
    attempt INTEGER NOT NULL,              -- 0, and 1, 2, ... for those that resumed the run
    host TEXT,
    pid INTEGER,
    forked_from TEXT,
    started_at TEXT,
    ended_at TEXT,
    heartbeat_at TEXT,                     -- when it was last heard
    UNIQUE (run_id, name)
);
CREATE INDEX process_by_run ON process (run_id, rank, attempt);
{RANK_TABLES.strip()}
CREATE TABLE task (
    task_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    transformation_id INTEGER,
    tag TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    rank INTEGER NOT NULL,
    exit_reason TEXT,
    process_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    identifier TEXT,                       -- what the user calls it, where it has such a name
    details TEXT,                          -- JSON: sub_id, workspace, resource, output, error
    UNIQUE (process_id, sequence)
);
CREATE INDEX task_by_run ON task (run_id, tag, rank, transformation_id);
CREATE TABLE task_dependency (
    task_id INTEGER NOT NULL,
    depends_on_task_id INTEGER NOT NULL,
    PRIMARY KEY (task_id, depends_on_task_id)
) WITHOUT ROWID;
CREATE TABLE file (
    file_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    task_id INTEGER,                       -- NULL: the run as a whole
    relation TEXT NOT NULL,                -- used | generated
    path TEXT NOT NULL,
    role TEXT,
    size INTEGER,
    modified_at TEXT,
    sha256 TEXT,
    note TEXT,                             -- why there is no hash
    recorded_at TEXT,
    process_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    UNIQUE (process_id, sequence)
);
CREATE INDEX file_by_run ON file (run_id);
CREATE INDEX file_by_sha256 ON file (sha256);
CREATE TABLE agent (
    agent_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,                    -- person | software | machine
    name TEXT NOT NULL,
    version TEXT NOT NULL DEFAULT '',
    UNIQUE (kind, name, version)
);
CREATE TABLE run_agent (
    run_id INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    PRIMARY KEY (run_id, agent_id)
) WITHOUT ROWID;
CREATE TABLE environment (
    environment_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    process_id INTEGER NOT NULL UNIQUE,
    user_name TEXT, host TEXT, os TEXT, cpu TEXT, num_cpus INTEGER, memory_bytes INTEGER, gpu TEXT,
    python TEXT, packages TEXT,            -- JSON: name -> version
    git_commit TEXT, git_branch TEXT, git_dirty INTEGER, git_diff_sha256 TEXT,
    command_line TEXT,                     -- JSON: list
    working_directory TEXT,
    variables TEXT,                        -- JSON: the allowed environment variables
    software TEXT,
    device TEXT                            -- that the process trained on
);
CREATE INDEX environment_by_run ON environment (run_id);

CREATE TABLE metric_series (
    series_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    rank INTEGER NOT NULL,
    began_ms INTEGER NOT NULL DEFAULT 0,   -- milliseconds since 1970
    UNIQUE (run_id, name, rank)
);
CREATE TABLE metric_value (
    series_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,              -- of the process that recorded it
    repetition INTEGER NOT NULL,           -- 0, and more where one attempt recorded the step again
    epoch INTEGER,
    value,                                 -- as it came: integers stay integers
    non_finite TEXT,
    elapsed_ms INTEGER,                    -- milliseconds since the series began, which take less room
    superseded INTEGER NOT NULL DEFAULT 0, -- 1 where a later attempt recorded the step again
    PRIMARY KEY (series_id, step, attempt, repetition)
) WITHOUT ROWID;
CREATE TABLE run_metric (
    run_id INTEGER NOT NULL,
    level TEXT NOT NULL,                   -- batch | epoch | test
    name TEXT NOT NULL,
    rank INTEGER NOT NULL,
    last REAL,                             -- NULL where the last value is not finite, then
    last_non_finite TEXT,                  -- says which
    last_finite REAL,
    min REAL,
    min_epoch INTEGER,
    max REAL,
    max_epoch INTEGER,
    num_values INTEGER NOT NULL,
    num_non_finite INTEGER NOT NULL,
    PRIMARY KEY (run_id, level, name)
) WITHOUT ROWID;
CREATE INDEX run_metric_by_divergence ON run_metric (run_id) WHERE num_non_finite > 0;
CREATE TABLE accuracy_metric (
    level TEXT NOT NULL,                   -- where values of run_metric count as accuracy,
    name TEXT NOT NULL,
    source TEXT NOT NULL,                  -- as test | validation | training accuracy
    preference INTEGER NOT NULL,           -- the smallest one present is taken
    PRIMARY KEY (level, name)
) WITHOUT ROWID;
CREATE TABLE element_value (
    data_set_id INTEGER NOT NULL,          -- attributes beyond the columns that a table holds
    element_id INTEGER NOT NULL,
    attribute_id INTEGER NOT NULL,
    value,
    PRIMARY KEY (data_set_id, element_id, attribute_id)
) WITHOUT ROWID;

{PLAN_TABLES.strip()}

CREATE TABLE problem (
    problem_id INTEGER PRIMARY KEY,
    run_id INTEGER,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    recorded_at TEXT
);
CREATE INDEX problem_by_run ON problem (run_id);
CREATE TABLE journal_position (
    segment TEXT PRIMARY KEY,              -- <run>/<process>
    position INTEGER NOT NULL,             -- bytes taken in, before compression
    sequence INTEGER NOT NULL,             -- of the last event taken in
    state TEXT NOT NULL                    -- open | closed | gone | refused
) WITHOUT ROWID;
"""

OWN_COLUMNS = {
    "element_id": "INTEGER PRIMARY KEY",
    "run_id": "INTEGER NOT NULL",
    "task_id": "INTEGER",
    "rank": "INTEGER NOT NULL",
    "recorded_at": "TEXT",
    "non_finite": "TEXT",
    "relation": "TEXT NOT NULL",
    "process_id": "INTEGER NOT NULL",
    "sequence": "INTEGER NOT NULL",
    "row_number": "INTEGER NOT NULL",
}
"""Columns of every data-set table, before its attributes. `row_number` counts the rows of one event."""

MAX_ATTRIBUTE_COLUMNS = 400
"""Attributes of one set that become columns; further ones go to `element_value`."""

COLUMN_TYPES = {"integer": "INTEGER", "number": "REAL", "text": "TEXT", "boolean": "INTEGER", "unknown": ""}
"""As declared to SQLite, where the type of a column is advice: one of INTEGER keeps a fraction that comes as it is."""

OVERVIEW_COLUMNS = (
    "run_id",
    "uid",
    "dataflow",
    "name",
    "status",
    "started_at",
    "duration_seconds",
    "last_epoch",
    "accuracy",
    "accuracy_source",
    "loss",
    "diverged",
)
"""Columns of `run_overview` beside the hyperparameters, which stand between `last_epoch` and `accuracy`."""


def own_names() -> frozenset[str]:
    """Tables and views of ours, which no data set may take the name of."""
    words = TABLES.split()
    tables = {words[index + 1] for index, word in enumerate(words) if word == "TABLE"}
    indexes = {words[index + 1] for index, word in enumerate(words) if word == "INDEX"}
    return frozenset(tables | indexes | {"metric", "run_accuracy", "run_overview", "run_rank"})


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def non_finite_key(column: str | None, attribute_id: int) -> str:
    """What stands for an attribute in the column `non_finite`; with a space, where no column can be called so."""
    return column or f"attribute {attribute_id}"


def data_set_table(table: str, data_set_id: int, attributes: Iterable[str] = ()) -> list[str]:
    """The statements that make the table of a data set.

    Args:
        table: its name.
        data_set_id: its key.
        attributes: columns of attributes, each with its type.
    """
    columns = ", ".join([*(f"{quoted(name)} {kind}" for name, kind in OWN_COLUMNS.items()), *attributes])
    return [
        f"CREATE TABLE {quoted(table)} ({columns})",
        f'CREATE INDEX "data set {data_set_id} by run" ON {quoted(table)} (run_id, task_id, relation)',
    ]


DROPOUT_INDEX = """
CREATE INDEX "layers with dropout" ON ilayers (run_id, rate, value) WHERE LOWER(type) = 'dropout'"""
"""Of many layers a model has few of these, and they are asked for in all runs at once."""

PREDEFINED_SETS = tuple(SETS.values())
