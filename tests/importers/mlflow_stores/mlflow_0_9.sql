BEGIN TRANSACTION;
CREATE TABLE experiments (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	UNIQUE (name)
);
INSERT INTO "experiments" VALUES(0,'Default','./mlruns/0','active');
INSERT INTO "experiments" VALUES(1,'flowers 花','/recorded/artifacts','active');
INSERT INTO "experiments" VALUES(2,'old','./mlruns/2','deleted');
CREATE TABLE metrics (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, run_uuid, value), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "metrics" VALUES('loss',1.5,1796080383,'b7f8f04760d548eab05575dfe827115d');
INSERT INTO "metrics" VALUES('val_loss',2.0,1796080383,'b7f8f04760d548eab05575dfe827115d');
INSERT INTO "metrics" VALUES('val_accuracy',0.0,1796080383,'b7f8f04760d548eab05575dfe827115d');
INSERT INTO "metrics" VALUES('lr',0.01,1796080383,'b7f8f04760d548eab05575dfe827115d');
INSERT INTO "metrics" VALUES('loss',0.75,1796080383,'b7f8f04760d548eab05575dfe827115d');
INSERT INTO "metrics" VALUES('loss',3.33333333333333314829e-01,1796080383,'b7f8f04760d548eab05575dfe827115d');
INSERT INTO "metrics" VALUES('loss',0.25,1796080383,'b7f8f04760d548eab05575dfe827115d');
INSERT INTO "metrics" VALUES('batch/loss',2.0,1796080383,'b7f8f04760d548eab05575dfe827115d');
INSERT INTO "metrics" VALUES('test_accuracy',0.625,1796080383,'b7f8f04760d548eab05575dfe827115d');
INSERT INTO "metrics" VALUES('loss',1.5,1796080384,'657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "metrics" VALUES('val_loss',2.0,1796080384,'657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "metrics" VALUES('val_accuracy',0.0,1796080384,'657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "metrics" VALUES('lr',0.01,1796080384,'657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "metrics" VALUES('loss',0.75,1796080384,'657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "metrics" VALUES('loss',3.33333333333333314829e-01,1796080384,'657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "metrics" VALUES('loss',0.25,1796080384,'657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "metrics" VALUES('batch/loss',2.0,1796080384,'657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "metrics" VALUES('test_accuracy',0.625,1796080384,'657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "metrics" VALUES('loss',1.5,1796080384,'897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "metrics" VALUES('val_loss',2.0,1796080384,'897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "metrics" VALUES('val_accuracy',0.0,1796080384,'897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "metrics" VALUES('lr',0.01,1796080384,'897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "metrics" VALUES('loss',0.75,1796080384,'897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "metrics" VALUES('loss',3.33333333333333314829e-01,1796080384,'897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "metrics" VALUES('loss',0.25,1796080384,'897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "metrics" VALUES('batch/loss',2.0,1796080384,'897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "metrics" VALUES('test_accuracy',0.625,1796080384,'897c3ea8b4aa478ca9ff0c096dd3e103');
CREATE TABLE params (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(250) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "params" VALUES('learning_rate','0.01','b7f8f04760d548eab05575dfe827115d');
INSERT INTO "params" VALUES('epochs','4','b7f8f04760d548eab05575dfe827115d');
INSERT INTO "params" VALUES('optimizer','Adam; DROP TABLE runs --','b7f8f04760d548eab05575dfe827115d');
INSERT INTO "params" VALUES('learning_rate','0.01','657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "params" VALUES('epochs','4','657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "params" VALUES('optimizer','Adam; DROP TABLE runs --','657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "params" VALUES('learning_rate','0.01','897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "params" VALUES('epochs','4','897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "params" VALUES('optimizer','Adam; DROP TABLE runs --','897c3ea8b4aa478ca9ff0c096dd3e103');
CREATE TABLE runs (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(20), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	CONSTRAINT status CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING')), 
	CONSTRAINT lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO "runs" VALUES('b7f8f04760d548eab05575dfe827115d','first','LOCAL','../record.py',NULL,'root','FINISHED',1796080383431,1796080383932,NULL,'active','/recorded/artifacts/b7f8f04760d548eab05575dfe827115d/artifacts',1);
INSERT INTO "runs" VALUES('657dd1ee55924f6da279f1258fdc32b2','second','LOCAL','../record.py',NULL,'root','FAILED',1796080383973,1796080384448,NULL,'active','/recorded/artifacts/657dd1ee55924f6da279f1258fdc32b2/artifacts',1);
INSERT INTO "runs" VALUES('897c3ea8b4aa478ca9ff0c096dd3e103','gone','LOCAL','../record.py',NULL,'root','FINISHED',1796080384490,1796080384978,NULL,'deleted','/recorded/artifacts/897c3ea8b4aa478ca9ff0c096dd3e103/artifacts',1);
CREATE TABLE tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(250), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "tags" VALUES('mlflow.source.name','../record.py','b7f8f04760d548eab05575dfe827115d');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','b7f8f04760d548eab05575dfe827115d');
INSERT INTO "tags" VALUES('mlflow.runName','first','b7f8f04760d548eab05575dfe827115d');
INSERT INTO "tags" VALUES('team','flowers
''"','b7f8f04760d548eab05575dfe827115d');
INSERT INTO "tags" VALUES('mlflow.source.name','../record.py','657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "tags" VALUES('mlflow.runName','second','657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "tags" VALUES('team','flowers
''"','657dd1ee55924f6da279f1258fdc32b2');
INSERT INTO "tags" VALUES('mlflow.source.name','../record.py','897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "tags" VALUES('mlflow.runName','gone','897c3ea8b4aa478ca9ff0c096dd3e103');
INSERT INTO "tags" VALUES('team','flowers
''"','897c3ea8b4aa478ca9ff0c096dd3e103');
COMMIT;
