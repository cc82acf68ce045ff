"""Schema version 1 of the provenance database: plain tables that a person enjoys querying.

p-prov (the plan): dataflow, dataflow_version, data_transformation, data_set, attribute, data_dependency, program.
r-prov (what happened): run, task, task_dependency, file, agent, environment, one table a data set, and metric.

Names are those of PROV-Df (Silva et al. 2018) and of Fig. 3 of the paper. Times are ISO 8601 UTC with Z, durations
seconds, sizes bytes. Foreign keys are named by their columns and not enforced: a rank may be ingested before rank 0.
A row that an event made carries `process_id` and `sequence`, from which PROV identifiers are formed; they are the
same after a rebuild, while the integer keys may differ.
"""

from __future__ import annotations

from dnnprov.model.training import ACCURACY_NAMES, SETS

SCHEMA_VERSION = 1

TABLES = """
CREATE TABLE schema_version (
    version INTEGER NOT NULL,
    archive_read INTEGER NOT NULL          -- 1 once all archived segments are in
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
    specification TEXT NOT NULL,           -- JSON: transformation -> relation -> tags of data sets
    run_id INTEGER,                        -- the run that brought the change
    recorded_at TEXT,
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
    type TEXT NOT NULL,                    -- integer | number | text | boolean
    UNIQUE (data_set_id, name)
);
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
    path TEXT NOT NULL UNIQUE
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
    last_epoch INTEGER                     -- highest epoch recorded so far
);
CREATE INDEX run_by_dataflow ON run (dataflow_id);
CREATE INDEX run_by_name ON run (name);
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
    UNIQUE (run_id, name)
);
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
    UNIQUE (process_id, sequence)
);
CREATE INDEX task_by_run ON task (run_id);
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
    software TEXT
);
CREATE INDEX environment_by_run ON environment (run_id);

CREATE TABLE metric_series (
    series_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    rank INTEGER NOT NULL,
    UNIQUE (run_id, name, rank)
);
CREATE TABLE metric_value (
    series_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    repetition INTEGER NOT NULL,           -- 0, and more where a step came again
    epoch INTEGER,
    value,                                 -- as it came: integers stay integers
    non_finite TEXT,
    recorded_ms INTEGER,                   -- milliseconds since 1970
    superseded INTEGER NOT NULL DEFAULT 0, -- 1 where the step came again later
    PRIMARY KEY (series_id, step, repetition)
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

METRIC_VIEW = """
CREATE VIEW metric AS
SELECT s.run_id AS run_id, s.name AS name, v.step AS step, v.epoch AS epoch, v.value AS value,
       v.non_finite AS non_finite, s.rank AS rank,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.recorded_ms / 1000.0, 'unixepoch') AS recorded_at
FROM metric_series AS s JOIN metric_value AS v ON v.series_id = s.series_id
WHERE v.superseded = 0
"""

ACCURACY_VIEW = """
CREATE VIEW run_accuracy AS
SELECT m.run_id AS run_id, a.source AS source, a.preference AS preference,
       CASE a.source WHEN 'test' THEN m.last_finite ELSE m.max END AS accuracy
FROM accuracy_metric AS a JOIN run_metric AS m ON m.level = a.level AND m.name = a.name
WHERE m.last_finite IS NOT NULL
"""


def accuracy_metrics() -> list[tuple[str, str, str, int]]:
    """Rows of `accuracy_metric`: the result on the test set first, else the best epoch, else the best batch."""
    places = [
        ("test", "", "test"),
        ("epoch", "val_", "validation"),
        ("batch", "val_", "validation"),
        ("epoch", "", "training"),
        ("batch", "", "training"),
    ]
    return [
        (level, prefix + name, source, number * len(ACCURACY_NAMES) + index)
        for number, (level, prefix, source) in enumerate(places)
        for index, name in enumerate(ACCURACY_NAMES)
    ]


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

COLUMN_TYPES = {"integer": "INTEGER", "number": "REAL", "text": "TEXT", "boolean": "INTEGER"}

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
    return frozenset(tables | indexes | {"metric", "run_accuracy", "run_overview"})


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def data_set_table(table: str) -> list[str]:
    """The statements that make the table of a data set, without attributes."""
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in OWN_COLUMNS.items())
    return [
        f"CREATE TABLE {quoted(table)} ({columns})",
        f"CREATE INDEX {quoted(table[:50] + ' by run')} ON {quoted(table)} (run_id)",
    ]


def overview_view(parameters: list[str]) -> str:
    """`run_overview` for the columns that `itrainingmodel` has now."""
    taken = set(OVERVIEW_COLUMNS)
    shown = []
    for column in parameters:
        name = column
        while name in taken:
            name = f"hyperparameter_{name}"
        taken.add(name)
        shown.append(f"p.{quoted(column)} AS {quoted(name)}")
    return f"""
CREATE VIEW run_overview AS
SELECT r.run_id AS run_id, r.uid AS uid, d.tag AS dataflow, r.name AS name, r.status AS status,
       r.started_at AS started_at,
       round((julianday(COALESCE(r.ended_at, r.heartbeat_at)) - julianday(r.started_at)) * 86400.0, 3)
           AS duration_seconds,
       r.last_epoch AS last_epoch,
       {"".join(part + ", " for part in shown)}
       (SELECT a.accuracy FROM run_accuracy AS a WHERE a.run_id = r.run_id ORDER BY a.preference LIMIT 1) AS accuracy,
       (SELECT a.source FROM run_accuracy AS a WHERE a.run_id = r.run_id ORDER BY a.preference LIMIT 1)
           AS accuracy_source,
       (SELECT m.last FROM run_metric AS m WHERE m.run_id = r.run_id AND m.name = 'loss' AND m.level <> 'test'
        ORDER BY m.level DESC LIMIT 1) AS loss,
       EXISTS (SELECT 1 FROM run_metric AS n WHERE n.run_id = r.run_id AND n.num_non_finite > 0) AS diverged
FROM run AS r
LEFT JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id
LEFT JOIN itrainingmodel AS p ON p.element_id =
    (SELECT MIN(q.element_id) FROM itrainingmodel AS q WHERE q.run_id = r.run_id)
"""


PREDEFINED_SETS = tuple(SETS.values())
