BEGIN TRANSACTION;
CREATE TABLE accuracy_metric (
    level TEXT NOT NULL,                   -- where values of run_metric count as accuracy,
    name TEXT NOT NULL,
    source TEXT NOT NULL,                  -- as test | validation | training accuracy
    preference INTEGER NOT NULL,           -- the smallest one present is taken
    PRIMARY KEY (level, name)
) WITHOUT ROWID;
INSERT INTO "accuracy_metric" VALUES('batch','acc','training',21);
INSERT INTO "accuracy_metric" VALUES('batch','accuracy','training',20);
INSERT INTO "accuracy_metric" VALUES('batch','binary_accuracy','training',24);
INSERT INTO "accuracy_metric" VALUES('batch','categorical_accuracy','training',22);
INSERT INTO "accuracy_metric" VALUES('batch','sparse_categorical_accuracy','training',23);
INSERT INTO "accuracy_metric" VALUES('batch','val_acc','validation',11);
INSERT INTO "accuracy_metric" VALUES('batch','val_accuracy','validation',10);
INSERT INTO "accuracy_metric" VALUES('batch','val_binary_accuracy','validation',14);
INSERT INTO "accuracy_metric" VALUES('batch','val_categorical_accuracy','validation',12);
INSERT INTO "accuracy_metric" VALUES('batch','val_sparse_categorical_accuracy','validation',13);
INSERT INTO "accuracy_metric" VALUES('epoch','acc','training',16);
INSERT INTO "accuracy_metric" VALUES('epoch','accuracy','training',15);
INSERT INTO "accuracy_metric" VALUES('epoch','binary_accuracy','training',19);
INSERT INTO "accuracy_metric" VALUES('epoch','categorical_accuracy','training',17);
INSERT INTO "accuracy_metric" VALUES('epoch','sparse_categorical_accuracy','training',18);
INSERT INTO "accuracy_metric" VALUES('epoch','val_acc','validation',6);
INSERT INTO "accuracy_metric" VALUES('epoch','val_accuracy','validation',5);
INSERT INTO "accuracy_metric" VALUES('epoch','val_binary_accuracy','validation',9);
INSERT INTO "accuracy_metric" VALUES('epoch','val_categorical_accuracy','validation',7);
INSERT INTO "accuracy_metric" VALUES('epoch','val_sparse_categorical_accuracy','validation',8);
INSERT INTO "accuracy_metric" VALUES('test','acc','test',1);
INSERT INTO "accuracy_metric" VALUES('test','accuracy','test',0);
INSERT INTO "accuracy_metric" VALUES('test','binary_accuracy','test',4);
INSERT INTO "accuracy_metric" VALUES('test','categorical_accuracy','test',2);
INSERT INTO "accuracy_metric" VALUES('test','sparse_categorical_accuracy','test',3);
CREATE TABLE agent (
    agent_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,                    -- person | software | machine
    name TEXT NOT NULL,
    version TEXT NOT NULL DEFAULT '',
    UNIQUE (kind, name, version)
);
CREATE TABLE attribute (
    attribute_id INTEGER PRIMARY KEY,
    data_set_id INTEGER NOT NULL,
    name TEXT NOT NULL,                    -- as the user wrote it
    column_name TEXT NOT NULL,             -- where its values are
    type TEXT NOT NULL,                    -- integer | number | text | boolean
    overflow_of INTEGER                    -- the attribute of this name whose values did not fit their column
);
INSERT INTO "attribute" VALUES(1,1,'optimizer_name','optimizer_name','text',NULL);
INSERT INTO "attribute" VALUES(2,1,'learning_rate','learning_rate','number',NULL);
INSERT INTO "attribute" VALUES(3,1,'num_epochs','num_epochs','integer',NULL);
INSERT INTO "attribute" VALUES(4,1,'num_layers','num_layers','integer',NULL);
INSERT INTO "attribute" VALUES(5,1,'batch_size','batch_size','integer',NULL);
INSERT INTO "attribute" VALUES(6,1,'momentum','momentum','number',NULL);
INSERT INTO "attribute" VALUES(7,1,'decay','decay','number',NULL);
INSERT INTO "attribute" VALUES(8,1,'dropout','dropout','number',NULL);
INSERT INTO "attribute" VALUES(9,1,'loss_function','loss_function','text',NULL);
INSERT INTO "attribute" VALUES(10,2,'timestamp','timestamp','text',NULL);
INSERT INTO "attribute" VALUES(11,2,'elapsed_time','elapsed_time','number',NULL);
INSERT INTO "attribute" VALUES(12,2,'loss','loss','number',NULL);
INSERT INTO "attribute" VALUES(13,2,'accuracy','accuracy','number',NULL);
INSERT INTO "attribute" VALUES(14,2,'val_loss','val_loss','number',NULL);
INSERT INTO "attribute" VALUES(15,2,'val_accuracy','val_accuracy','number',NULL);
INSERT INTO "attribute" VALUES(16,2,'epoch','epoch','integer',NULL);
INSERT INTO "attribute" VALUES(17,3,'epochs_drop','epochs_drop','number',NULL);
INSERT INTO "attribute" VALUES(18,3,'drop_n','drop_n','number',NULL);
INSERT INTO "attribute" VALUES(19,3,'initial_lrate','initial_lrate','number',NULL);
INSERT INTO "attribute" VALUES(20,3,'technique','technique','text',NULL);
INSERT INTO "attribute" VALUES(21,4,'new_value','new_value','number',NULL);
INSERT INTO "attribute" VALUES(22,4,'timestamp','timestamp','text',NULL);
INSERT INTO "attribute" VALUES(23,4,'epoch','epoch','integer',NULL);
INSERT INTO "attribute" VALUES(24,4,'adaptation_id','adaptation_id','integer',NULL);
INSERT INTO "attribute" VALUES(25,4,'step','step','integer',NULL);
INSERT INTO "attribute" VALUES(26,4,'attribute','attribute','text',NULL);
INSERT INTO "attribute" VALUES(27,4,'old_value','old_value','number',NULL);
INSERT INTO "attribute" VALUES(28,4,'technique','technique','text',NULL);
INSERT INTO "attribute" VALUES(29,4,'agent','agent','text',NULL);
INSERT INTO "attribute" VALUES(30,4,'reason','reason','text',NULL);
INSERT INTO "attribute" VALUES(31,4,'triggered_by','triggered_by','text',NULL);
INSERT INTO "attribute" VALUES(32,5,'loss','loss','number',NULL);
INSERT INTO "attribute" VALUES(33,5,'accuracy','accuracy','number',NULL);
INSERT INTO "attribute" VALUES(34,6,'position','position','integer',NULL);
INSERT INTO "attribute" VALUES(35,6,'name','name','text',NULL);
INSERT INTO "attribute" VALUES(36,6,'type','type','text',NULL);
INSERT INTO "attribute" VALUES(37,6,'value','value','text',NULL);
INSERT INTO "attribute" VALUES(38,6,'activation','activation','text',NULL);
INSERT INTO "attribute" VALUES(39,6,'rate','rate','number',NULL);
INSERT INTO "attribute" VALUES(40,6,'units','units','integer',NULL);
INSERT INTO "attribute" VALUES(41,6,'filters','filters','integer',NULL);
INSERT INTO "attribute" VALUES(42,6,'kernel_size','kernel_size','text',NULL);
INSERT INTO "attribute" VALUES(43,6,'num_parameters','num_parameters','integer',NULL);
INSERT INTO "attribute" VALUES(44,7,'dataset_name','dataset_name','text',NULL);
INSERT INTO "attribute" VALUES(45,8,'filter_name','filter_name','text',NULL);
INSERT INTO "attribute" VALUES(46,1,'warmup','warmup','integer',NULL);
INSERT INTO "attribute" VALUES(47,9,'loss','loss','number',NULL);
INSERT INTO "attribute" VALUES(48,9,'note','note','text',NULL);
INSERT INTO "attribute" VALUES(49,10,'x','x','integer',NULL);
INSERT INTO "attribute" VALUES(50,11,'loss','loss','number',NULL);
INSERT INTO "attribute" VALUES(51,11,'note','note','text',NULL);
INSERT INTO "attribute" VALUES(52,8,'loss','loss','number',NULL);
INSERT INTO "attribute" VALUES(53,8,'note','note','text',NULL);
CREATE TABLE data_dependency (
    data_dependency_id INTEGER PRIMARY KEY,
    dataflow_id INTEGER NOT NULL,
    previous_transformation_id INTEGER NOT NULL,
    next_transformation_id INTEGER NOT NULL,
    data_set_id INTEGER,                   -- that goes from one to the other, where it is known
    UNIQUE (previous_transformation_id, next_transformation_id, data_set_id)
);
INSERT INTO "data_dependency" VALUES(1,1,1,2,9);
INSERT INTO "data_dependency" VALUES(2,1,3,1,8);
CREATE TABLE data_set (
    data_set_id INTEGER PRIMARY KEY,
    tag TEXT NOT NULL UNIQUE,              -- as the user wrote it
    table_name TEXT NOT NULL UNIQUE        -- where its elements are
);
INSERT INTO "data_set" VALUES(1,'iTrainingModel','itrainingmodel');
INSERT INTO "data_set" VALUES(2,'oTrainingModel','otrainingmodel');
INSERT INTO "data_set" VALUES(3,'iAdaptation','iadaptation');
INSERT INTO "data_set" VALUES(4,'oAdaptation','oadaptation');
INSERT INTO "data_set" VALUES(5,'oTestingModel','otestingmodel');
INSERT INTO "data_set" VALUES(6,'iLayers','ilayers');
INSERT INTO "data_set" VALUES(7,'iFilters','ifilters');
INSERT INTO "data_set" VALUES(8,'oFilters','ofilters');
INSERT INTO "data_set" VALUES(9,'oTraining','otraining');
INSERT INTO "data_set" VALUES(10,'plan_fact','plan_fact');
INSERT INTO "data_set" VALUES(11,'oTesting','otesting');
CREATE TABLE data_transformation (
    transformation_id INTEGER PRIMARY KEY,
    dataflow_id INTEGER NOT NULL,
    tag TEXT NOT NULL,
    program_id INTEGER,
    UNIQUE (dataflow_id, tag)
);
INSERT INTO "data_transformation" VALUES(1,1,'Training',1);
INSERT INTO "data_transformation" VALUES(2,1,'Testing',1);
INSERT INTO "data_transformation" VALUES(3,1,'Filters',1);
CREATE TABLE dataflow (
    dataflow_id INTEGER PRIMARY KEY,
    tag TEXT NOT NULL UNIQUE,
    recorded_at TEXT
);
INSERT INTO "dataflow" VALUES(1,'m','2023-11-14T23:13:21.000000Z');
CREATE TABLE dataflow_version (
    dataflow_version_id INTEGER PRIMARY KEY,
    dataflow_id INTEGER NOT NULL,
    version INTEGER NOT NULL,              -- 1, 2, ... a new one for each change
    specification TEXT NOT NULL,           -- JSON: transformation -> relation -> tags of data sets
    run_id INTEGER,                        -- the run that brought the change
    recorded_at TEXT,
    UNIQUE (dataflow_id, version)
);
INSERT INTO "dataflow_version" VALUES(1,1,1,'{"Testing": {"generated": ["oTesting"], "used": ["plan_fact"]}, "Training": {"generated": ["oTraining"], "used": ["iTrainingModel", "plan_fact"]}}',1,'2023-11-14T23:13:32.000000Z');
INSERT INTO "dataflow_version" VALUES(2,1,2,'{"Filters": {"generated": ["oFilters"], "used": ["plan_fact"]}, "Testing": {"generated": ["oTesting"], "used": ["plan_fact"]}, "Training": {"generated": ["oTraining"], "used": ["iTrainingModel", "plan_fact"]}}',2,'2023-11-14T22:13:32.000000Z');
CREATE TABLE element_value (
    data_set_id INTEGER NOT NULL,          -- attributes beyond the columns that a table holds
    element_id INTEGER NOT NULL,
    attribute_id INTEGER NOT NULL,
    value,
    PRIMARY KEY (data_set_id, element_id, attribute_id)
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
CREATE TABLE "iadaptation" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "epochs_drop" REAL, "drop_n" REAL, "initial_lrate" REAL, "technique" TEXT);
CREATE TABLE "ifilters" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "dataset_name" TEXT);
CREATE TABLE "ilayers" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "position" INTEGER, "name" TEXT, "type" TEXT, "value" TEXT, "activation" TEXT, "rate" REAL, "units" INTEGER, "filters" INTEGER, "kernel_size" TEXT, "num_parameters" INTEGER);
CREATE TABLE "itrainingmodel" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "optimizer_name" TEXT, "learning_rate" REAL, "num_epochs" INTEGER, "num_layers" INTEGER, "batch_size" INTEGER, "momentum" REAL, "decay" REAL, "dropout" REAL, "loss_function" TEXT, "warmup" INTEGER);
INSERT INTO "itrainingmodel" VALUES(1,1,NULL,0,'2023-11-14T23:13:22.000000Z',NULL,'used',1,2,0,NULL,0.1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO "itrainingmodel" VALUES(2,2,NULL,0,'2023-11-14T22:13:22.000000Z',NULL,'used',2,2,0,NULL,0.1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,3);
CREATE TABLE journal_position (
    segment TEXT PRIMARY KEY,              -- <run>/<process>
    position INTEGER NOT NULL,             -- bytes taken in, before compression
    sequence INTEGER NOT NULL,             -- of the last event taken in
    state TEXT NOT NULL                    -- open | closed | gone | refused
) WITHOUT ROWID;
INSERT INTO "journal_position" VALUES('1111111111111111/r0-a',1324,12,'closed');
INSERT INTO "journal_position" VALUES('2222222222222222/r0-a',1324,12,'closed');
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
    attempt INTEGER NOT NULL,              -- of the process that recorded it
    repetition INTEGER NOT NULL,           -- 0, and more where one attempt recorded the step again
    epoch INTEGER,
    value,                                 -- as it came: integers stay integers
    non_finite TEXT,
    recorded_ms INTEGER,                   -- milliseconds since 1970
    superseded INTEGER NOT NULL DEFAULT 0, -- 1 where a later attempt recorded the step again
    PRIMARY KEY (series_id, step, attempt, repetition)
) WITHOUT ROWID;
CREATE TABLE "oadaptation" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "new_value" REAL, "timestamp" TEXT, "epoch" INTEGER, "adaptation_id" INTEGER, "step" INTEGER, "attribute" TEXT, "old_value" REAL, "technique" TEXT, "agent" TEXT, "reason" TEXT, "triggered_by" TEXT);
CREATE TABLE "ofilters" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "filter_name" TEXT, "loss" REAL, "note" TEXT);
INSERT INTO "ofilters" VALUES(1,2,3,0,'2023-11-14T22:13:24.000000Z',NULL,'generated',2,4,0,NULL,0.5,'Filters');
CREATE TABLE "otesting" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "loss" REAL, "note" TEXT);
INSERT INTO "otesting" VALUES(1,1,2,0,'2023-11-14T23:13:28.000000Z',NULL,'generated',1,8,0,0.5,'Testing');
CREATE TABLE "otestingmodel" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "loss" REAL, "accuracy" REAL);
CREATE TABLE "otraining" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "loss" REAL, "note" TEXT);
INSERT INTO "otraining" VALUES(1,1,1,0,'2023-11-14T23:13:24.000000Z',NULL,'generated',1,4,0,0.5,'Training');
INSERT INTO "otraining" VALUES(2,2,4,0,'2023-11-14T22:13:28.000000Z',NULL,'generated',2,8,0,0.5,'Training');
CREATE TABLE "otrainingmodel" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "timestamp" TEXT, "elapsed_time" REAL, "loss" REAL, "accuracy" REAL, "val_loss" REAL, "val_accuracy" REAL, "epoch" INTEGER);
CREATE TABLE "plan_fact" ("element_id" INTEGER PRIMARY KEY, "run_id" INTEGER NOT NULL, "task_id" INTEGER, "rank" INTEGER NOT NULL, "recorded_at" TEXT, "non_finite" TEXT, "relation" TEXT NOT NULL, "process_id" INTEGER NOT NULL, "sequence" INTEGER NOT NULL, "row_number" INTEGER NOT NULL, "x" INTEGER);
INSERT INTO "plan_fact" VALUES(1,1,1,0,'2023-11-14T23:13:25.000000Z',NULL,'used',1,5,0,3);
INSERT INTO "plan_fact" VALUES(2,1,2,0,'2023-11-14T23:13:29.000000Z',NULL,'used',1,9,0,7);
INSERT INTO "plan_fact" VALUES(3,2,3,0,'2023-11-14T22:13:25.000000Z',NULL,'used',2,5,0,3);
INSERT INTO "plan_fact" VALUES(4,2,4,0,'2023-11-14T22:13:29.000000Z',NULL,'used',2,9,0,7);
CREATE TABLE problem (
    problem_id INTEGER PRIMARY KEY,
    run_id INTEGER,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    recorded_at TEXT
);
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
INSERT INTO "process" VALUES(1,1,'r0-a',0,0,'elsewhere',0,NULL,'2023-11-14T23:13:20.000000Z','2023-11-14T23:13:32.000000Z','2023-11-14T23:13:32.000000Z');
INSERT INTO "process" VALUES(2,2,'r0-a',0,0,'elsewhere',0,NULL,'2023-11-14T22:13:20.000000Z','2023-11-14T22:13:32.000000Z','2023-11-14T22:13:32.000000Z');
CREATE TABLE program (
    program_id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE
);
INSERT INTO "program" VALUES(1,'train.py');
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
INSERT INTO "run" VALUES(1,'2222222222222222',1,'m-2','finished','2023-11-14T23:13:21.000000Z','2023-11-14T23:13:31.000000Z','2023-11-14T23:13:32.000000Z',NULL,NULL,NULL,1,1,NULL);
INSERT INTO "run" VALUES(2,'1111111111111111',1,'m-1','finished','2023-11-14T22:13:21.000000Z','2023-11-14T22:13:31.000000Z','2023-11-14T22:13:32.000000Z',NULL,NULL,NULL,1,2,NULL);
CREATE TABLE run_agent (
    run_id INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    PRIMARY KEY (run_id, agent_id)
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
CREATE TABLE run_tag (
    run_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_id, name)
) WITHOUT ROWID;
CREATE TABLE schema_version (
    version INTEGER NOT NULL,
    archive_read INTEGER NOT NULL          -- time of the archive folder when all of it was in
);
INSERT INTO "schema_version" VALUES(1,0);
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
INSERT INTO "task" VALUES(1,1,1,'Training','finished','2023-11-14T23:13:23.000000Z','2023-11-14T23:13:26.000000Z',0,NULL,1,3);
INSERT INTO "task" VALUES(2,1,2,'Testing','finished','2023-11-14T23:13:27.000000Z','2023-11-14T23:13:30.000000Z',0,NULL,1,7);
INSERT INTO "task" VALUES(3,2,3,'Filters','finished','2023-11-14T22:13:23.000000Z','2023-11-14T22:13:26.000000Z',0,NULL,2,3);
INSERT INTO "task" VALUES(4,2,1,'Training','finished','2023-11-14T22:13:27.000000Z','2023-11-14T22:13:30.000000Z',0,NULL,2,7);
CREATE TABLE task_dependency (
    task_id INTEGER NOT NULL,
    depends_on_task_id INTEGER NOT NULL,
    PRIMARY KEY (task_id, depends_on_task_id)
) WITHOUT ROWID;
INSERT INTO "task_dependency" VALUES(2,1);
INSERT INTO "task_dependency" VALUES(4,3);
CREATE TABLE transformation_data_set (
    transformation_id INTEGER NOT NULL,
    data_set_id INTEGER NOT NULL,
    relation TEXT NOT NULL,                -- used | generated
    PRIMARY KEY (transformation_id, data_set_id, relation)
) WITHOUT ROWID;
INSERT INTO "transformation_data_set" VALUES(1,1,'used');
INSERT INTO "transformation_data_set" VALUES(1,9,'generated');
INSERT INTO "transformation_data_set" VALUES(1,10,'used');
INSERT INTO "transformation_data_set" VALUES(2,10,'used');
INSERT INTO "transformation_data_set" VALUES(2,11,'generated');
INSERT INTO "transformation_data_set" VALUES(3,8,'generated');
INSERT INTO "transformation_data_set" VALUES(3,10,'used');
CREATE UNIQUE INDEX attribute_by_name ON attribute (data_set_id, name, COALESCE(overflow_of, 0));
CREATE INDEX run_by_dataflow ON run (dataflow_id);
CREATE INDEX run_by_name ON run (name);
CREATE INDEX task_by_run ON task (run_id);
CREATE INDEX file_by_run ON file (run_id);
CREATE INDEX file_by_sha256 ON file (sha256);
CREATE INDEX environment_by_run ON environment (run_id);
CREATE INDEX problem_by_run ON problem (run_id);
CREATE VIEW metric AS
SELECT s.run_id AS run_id, s.name AS name, v.step AS step, v.epoch AS epoch, v.value AS value,
       v.non_finite AS non_finite, s.rank AS rank,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.recorded_ms / 1000.0, 'unixepoch') AS recorded_at
FROM metric_series AS s JOIN metric_value AS v ON v.series_id = s.series_id
WHERE v.superseded = 0;
CREATE VIEW run_accuracy AS
SELECT m.run_id AS run_id, a.source AS source, a.preference AS preference,
       CASE a.source WHEN 'test' THEN m.last_finite ELSE m.max END AS accuracy
FROM accuracy_metric AS a JOIN run_metric AS m ON m.level = a.level AND m.name = a.name
WHERE m.last_finite IS NOT NULL;
CREATE INDEX "data set 1 by run" ON "itrainingmodel" (run_id);
CREATE INDEX "data set 2 by run" ON "otrainingmodel" (run_id);
CREATE INDEX "data set 3 by run" ON "iadaptation" (run_id);
CREATE INDEX "data set 4 by run" ON "oadaptation" (run_id);
CREATE INDEX "data set 5 by run" ON "otestingmodel" (run_id);
CREATE INDEX "data set 6 by run" ON "ilayers" (run_id);
CREATE INDEX "data set 7 by run" ON "ifilters" (run_id);
CREATE INDEX "data set 8 by run" ON "ofilters" (run_id);
CREATE VIEW run_overview AS
SELECT r.run_id AS run_id, r.uid AS uid, d.tag AS dataflow, r.name AS name, r.status AS status,
       r.started_at AS started_at,
       round((julianday(COALESCE(r.ended_at, r.heartbeat_at)) - julianday(r.started_at)) * 86400.0, 3)
           AS duration_seconds,
       r.last_epoch AS last_epoch,
       p."optimizer_name" AS "optimizer_name", p."learning_rate" AS "learning_rate", p."num_epochs" AS "num_epochs", p."num_layers" AS "num_layers", p."batch_size" AS "batch_size", p."momentum" AS "momentum", p."decay" AS "decay", p."dropout" AS "dropout", p."loss_function" AS "loss_function", p."warmup" AS "warmup", 
       (SELECT a.accuracy FROM run_accuracy AS a WHERE a.run_id = r.run_id ORDER BY a.preference LIMIT 1) AS accuracy,
       (SELECT a.source FROM run_accuracy AS a WHERE a.run_id = r.run_id ORDER BY a.preference LIMIT 1)
           AS accuracy_source,
       (SELECT m.last FROM run_metric AS m WHERE m.run_id = r.run_id AND m.name = 'loss' AND m.level <> 'test'
        ORDER BY m.level DESC LIMIT 1) AS loss,
       EXISTS (SELECT 1 FROM run_metric AS n WHERE n.run_id = r.run_id AND n.num_non_finite > 0) AS diverged
FROM run AS r
LEFT JOIN dataflow AS d ON d.dataflow_id = r.dataflow_id
LEFT JOIN itrainingmodel AS p ON p.element_id = (SELECT q.element_id FROM itrainingmodel AS q JOIN process AS s ON s.process_id = q.process_id
     WHERE q.run_id = r.run_id ORDER BY s.attempt, q.element_id LIMIT 1);
CREATE INDEX "data set 9 by run" ON "otraining" (run_id);
CREATE INDEX "data set 10 by run" ON "plan_fact" (run_id);
CREATE INDEX "data set 11 by run" ON "otesting" (run_id);
COMMIT;
