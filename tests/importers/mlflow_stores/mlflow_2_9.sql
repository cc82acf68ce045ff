BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('acf3f17fdcc7');
CREATE TABLE datasets (
	dataset_uuid VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	digest VARCHAR(36) NOT NULL, 
	dataset_source_type VARCHAR(36) NOT NULL, 
	dataset_source TEXT NOT NULL, 
	dataset_schema TEXT, 
	dataset_profile TEXT, 
	CONSTRAINT dataset_pk PRIMARY KEY (experiment_id, name, digest), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO "datasets" VALUES('fec8ba214ee045b18a2206adc1d55d98',1,'flowers17','aea02c58','code','{"tags": {"mlflow.user": "root", "mlflow.source.name": "../record.py", "mlflow.source.type": "LOCAL"}}',NULL,'{"features_shape": [6], "features_size": 6, "features_nbytes": 48}');
CREATE TABLE experiment_tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	experiment_id INTEGER NOT NULL, 
	CONSTRAINT experiment_tag_pk PRIMARY KEY ("key", experiment_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
CREATE TABLE experiments (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	UNIQUE (name)
);
INSERT INTO "experiments" VALUES(0,'Default','/recorded/mlruns/0','active',1796080400044,1796080400044);
INSERT INTO "experiments" VALUES(1,'flowers 花','file:///recorded/artifacts','active',1796080400051,1796080400051);
INSERT INTO "experiments" VALUES(2,'old','/recorded/mlruns/2','deleted',1796080401602,1796080401612);
CREATE TABLE input_tags (
	input_uuid VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value VARCHAR(500) NOT NULL, 
	CONSTRAINT input_tags_pk PRIMARY KEY (input_uuid, name)
);
INSERT INTO "input_tags" VALUES('2f84c507e917491f95c4b12c62557d8f','mlflow.data.context','training');
CREATE TABLE inputs (
	input_uuid VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, 
	CONSTRAINT inputs_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
INSERT INTO "inputs" VALUES('2f84c507e917491f95c4b12c62557d8f','DATASET','fec8ba214ee045b18a2206adc1d55d98','RUN','132ed8db185f4c4daf3fdea4d02017bc');
CREATE TABLE "latest_metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT, 
	step BIGINT NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT latest_metric_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "latest_metrics" VALUES('loss',0.25,1796080400470,3,0,'132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "latest_metrics" VALUES('val_loss',0.75,1796080400482,3,0,'132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "latest_metrics" VALUES('val_accuracy',0.6,1796080400502,3,0,'132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "latest_metrics" VALUES('lr',0.005,1796080400507,3,0,'132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "latest_metrics" VALUES('batch/loss',-3.0,1796080400575,50,0,'132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "latest_metrics" VALUES('test_accuracy',0.625,1796080400586,0,0,'132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "latest_metrics" VALUES('grad norm',-1.79769313486231562234e+308,1796080400624,9,0,'132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "latest_metrics" VALUES('accuracy',0.5,1796080400706,0,0,'ac21f1f264734339ba9fc7ed71c6d064');
INSERT INTO "latest_metrics" VALUES('loss',0.25,1796080400975,3,0,'71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "latest_metrics" VALUES('val_loss',0.75,1796080400979,3,0,'71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "latest_metrics" VALUES('val_accuracy',0.6,1796080400987,3,0,'71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "latest_metrics" VALUES('lr',0.005,1796080400990,3,0,'71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "latest_metrics" VALUES('batch/loss',-3.0,1796080401009,50,0,'71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "latest_metrics" VALUES('test_accuracy',0.625,1796080401012,0,0,'71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "latest_metrics" VALUES('grad norm',-1.79769313486231562234e+308,1796080401021,9,0,'71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "latest_metrics" VALUES('loss',0.25,1796080401162,3,0,'9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "latest_metrics" VALUES('val_loss',0.75,1796080401230,3,0,'9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "latest_metrics" VALUES('val_accuracy',0.6,1796080401267,3,0,'9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "latest_metrics" VALUES('lr',0.005,1796080401290,3,0,'9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "latest_metrics" VALUES('batch/loss',-3.0,1796080401476,50,0,'9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "latest_metrics" VALUES('test_accuracy',0.625,1796080401506,0,0,'9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "latest_metrics" VALUES('grad norm',-1.79769313486231562234e+308,1796080401567,9,0,'9e7f1c11e6b940db94e1b8d16d055f79');
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	is_nan BOOLEAN DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "metrics" VALUES('loss',1.5,1796080400309,'132ed8db185f4c4daf3fdea4d02017bc',0,0);
INSERT INTO "metrics" VALUES('val_loss',2.0,1796080400327,'132ed8db185f4c4daf3fdea4d02017bc',0,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.0,1796080400350,'132ed8db185f4c4daf3fdea4d02017bc',0,0);
INSERT INTO "metrics" VALUES('lr',0.01,1796080400370,'132ed8db185f4c4daf3fdea4d02017bc',0,0);
INSERT INTO "metrics" VALUES('loss',0.75,1796080400384,'132ed8db185f4c4daf3fdea4d02017bc',1,0);
INSERT INTO "metrics" VALUES('val_loss',1.25,1796080400414,'132ed8db185f4c4daf3fdea4d02017bc',1,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.2,1796080400424,'132ed8db185f4c4daf3fdea4d02017bc',1,0);
INSERT INTO "metrics" VALUES('lr',0.01,1796080400430,'132ed8db185f4c4daf3fdea4d02017bc',1,0);
INSERT INTO "metrics" VALUES('loss',3.33333333333333314829e-01,1796080400435,'132ed8db185f4c4daf3fdea4d02017bc',2,0);
INSERT INTO "metrics" VALUES('val_loss',8.33333333333333259318e-01,1796080400445,'132ed8db185f4c4daf3fdea4d02017bc',2,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.4,1796080400448,'132ed8db185f4c4daf3fdea4d02017bc',2,0);
INSERT INTO "metrics" VALUES('lr',0.005,1796080400462,'132ed8db185f4c4daf3fdea4d02017bc',2,0);
INSERT INTO "metrics" VALUES('loss',0.25,1796080400470,'132ed8db185f4c4daf3fdea4d02017bc',3,0);
INSERT INTO "metrics" VALUES('val_loss',0.75,1796080400482,'132ed8db185f4c4daf3fdea4d02017bc',3,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.6,1796080400502,'132ed8db185f4c4daf3fdea4d02017bc',3,0);
INSERT INTO "metrics" VALUES('lr',0.005,1796080400507,'132ed8db185f4c4daf3fdea4d02017bc',3,0);
INSERT INTO "metrics" VALUES('batch/loss',2.0,1796080400518,'132ed8db185f4c4daf3fdea4d02017bc',0,0);
INSERT INTO "metrics" VALUES('batch/loss',1.0,1796080400530,'132ed8db185f4c4daf3fdea4d02017bc',10,0);
INSERT INTO "metrics" VALUES('batch/loss',0.0,1796080400542,'132ed8db185f4c4daf3fdea4d02017bc',20,0);
INSERT INTO "metrics" VALUES('batch/loss',-1.0,1796080400558,'132ed8db185f4c4daf3fdea4d02017bc',30,0);
INSERT INTO "metrics" VALUES('batch/loss',-2.0,1796080400565,'132ed8db185f4c4daf3fdea4d02017bc',40,0);
INSERT INTO "metrics" VALUES('batch/loss',-3.0,1796080400575,'132ed8db185f4c4daf3fdea4d02017bc',50,0);
INSERT INTO "metrics" VALUES('test_accuracy',0.625,1796080400586,'132ed8db185f4c4daf3fdea4d02017bc',0,0);
INSERT INTO "metrics" VALUES('grad norm',0.0,1796080400595,'132ed8db185f4c4daf3fdea4d02017bc',7,1);
INSERT INTO "metrics" VALUES('grad norm',1.79769313486231562234e+308,1796080400614,'132ed8db185f4c4daf3fdea4d02017bc',8,0);
INSERT INTO "metrics" VALUES('grad norm',-1.79769313486231562234e+308,1796080400624,'132ed8db185f4c4daf3fdea4d02017bc',9,0);
INSERT INTO "metrics" VALUES('accuracy',0.5,1796080400706,'ac21f1f264734339ba9fc7ed71c6d064',0,0);
INSERT INTO "metrics" VALUES('loss',1.5,1796080400838,'71dcbd2304ea480e99a7a76459dfc61e',0,0);
INSERT INTO "metrics" VALUES('val_loss',2.0,1796080400865,'71dcbd2304ea480e99a7a76459dfc61e',0,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.0,1796080400874,'71dcbd2304ea480e99a7a76459dfc61e',0,0);
INSERT INTO "metrics" VALUES('lr',0.01,1796080400897,'71dcbd2304ea480e99a7a76459dfc61e',0,0);
INSERT INTO "metrics" VALUES('loss',0.75,1796080400900,'71dcbd2304ea480e99a7a76459dfc61e',1,0);
INSERT INTO "metrics" VALUES('val_loss',1.25,1796080400904,'71dcbd2304ea480e99a7a76459dfc61e',1,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.2,1796080400911,'71dcbd2304ea480e99a7a76459dfc61e',1,0);
INSERT INTO "metrics" VALUES('lr',0.01,1796080400915,'71dcbd2304ea480e99a7a76459dfc61e',1,0);
INSERT INTO "metrics" VALUES('loss',3.33333333333333314829e-01,1796080400918,'71dcbd2304ea480e99a7a76459dfc61e',2,0);
INSERT INTO "metrics" VALUES('val_loss',8.33333333333333259318e-01,1796080400921,'71dcbd2304ea480e99a7a76459dfc61e',2,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.4,1796080400925,'71dcbd2304ea480e99a7a76459dfc61e',2,0);
INSERT INTO "metrics" VALUES('lr',0.005,1796080400954,'71dcbd2304ea480e99a7a76459dfc61e',2,0);
INSERT INTO "metrics" VALUES('loss',0.25,1796080400975,'71dcbd2304ea480e99a7a76459dfc61e',3,0);
INSERT INTO "metrics" VALUES('val_loss',0.75,1796080400979,'71dcbd2304ea480e99a7a76459dfc61e',3,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.6,1796080400987,'71dcbd2304ea480e99a7a76459dfc61e',3,0);
INSERT INTO "metrics" VALUES('lr',0.005,1796080400990,'71dcbd2304ea480e99a7a76459dfc61e',3,0);
INSERT INTO "metrics" VALUES('batch/loss',2.0,1796080400993,'71dcbd2304ea480e99a7a76459dfc61e',0,0);
INSERT INTO "metrics" VALUES('batch/loss',1.0,1796080400996,'71dcbd2304ea480e99a7a76459dfc61e',10,0);
INSERT INTO "metrics" VALUES('batch/loss',0.0,1796080400999,'71dcbd2304ea480e99a7a76459dfc61e',20,0);
INSERT INTO "metrics" VALUES('batch/loss',-1.0,1796080401003,'71dcbd2304ea480e99a7a76459dfc61e',30,0);
INSERT INTO "metrics" VALUES('batch/loss',-2.0,1796080401006,'71dcbd2304ea480e99a7a76459dfc61e',40,0);
INSERT INTO "metrics" VALUES('batch/loss',-3.0,1796080401009,'71dcbd2304ea480e99a7a76459dfc61e',50,0);
INSERT INTO "metrics" VALUES('test_accuracy',0.625,1796080401012,'71dcbd2304ea480e99a7a76459dfc61e',0,0);
INSERT INTO "metrics" VALUES('grad norm',0.0,1796080401015,'71dcbd2304ea480e99a7a76459dfc61e',7,1);
INSERT INTO "metrics" VALUES('grad norm',1.79769313486231562234e+308,1796080401017,'71dcbd2304ea480e99a7a76459dfc61e',8,0);
INSERT INTO "metrics" VALUES('grad norm',-1.79769313486231562234e+308,1796080401021,'71dcbd2304ea480e99a7a76459dfc61e',9,0);
INSERT INTO "metrics" VALUES('loss',1.5,1796080401051,'9e7f1c11e6b940db94e1b8d16d055f79',0,0);
INSERT INTO "metrics" VALUES('val_loss',2.0,1796080401054,'9e7f1c11e6b940db94e1b8d16d055f79',0,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.0,1796080401057,'9e7f1c11e6b940db94e1b8d16d055f79',0,0);
INSERT INTO "metrics" VALUES('lr',0.01,1796080401062,'9e7f1c11e6b940db94e1b8d16d055f79',0,0);
INSERT INTO "metrics" VALUES('loss',0.75,1796080401065,'9e7f1c11e6b940db94e1b8d16d055f79',1,0);
INSERT INTO "metrics" VALUES('val_loss',1.25,1796080401069,'9e7f1c11e6b940db94e1b8d16d055f79',1,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.2,1796080401072,'9e7f1c11e6b940db94e1b8d16d055f79',1,0);
INSERT INTO "metrics" VALUES('lr',0.01,1796080401076,'9e7f1c11e6b940db94e1b8d16d055f79',1,0);
INSERT INTO "metrics" VALUES('loss',3.33333333333333314829e-01,1796080401082,'9e7f1c11e6b940db94e1b8d16d055f79',2,0);
INSERT INTO "metrics" VALUES('val_loss',8.33333333333333259318e-01,1796080401087,'9e7f1c11e6b940db94e1b8d16d055f79',2,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.4,1796080401097,'9e7f1c11e6b940db94e1b8d16d055f79',2,0);
INSERT INTO "metrics" VALUES('lr',0.005,1796080401114,'9e7f1c11e6b940db94e1b8d16d055f79',2,0);
INSERT INTO "metrics" VALUES('loss',0.25,1796080401162,'9e7f1c11e6b940db94e1b8d16d055f79',3,0);
INSERT INTO "metrics" VALUES('val_loss',0.75,1796080401230,'9e7f1c11e6b940db94e1b8d16d055f79',3,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.6,1796080401267,'9e7f1c11e6b940db94e1b8d16d055f79',3,0);
INSERT INTO "metrics" VALUES('lr',0.005,1796080401290,'9e7f1c11e6b940db94e1b8d16d055f79',3,0);
INSERT INTO "metrics" VALUES('batch/loss',2.0,1796080401318,'9e7f1c11e6b940db94e1b8d16d055f79',0,0);
INSERT INTO "metrics" VALUES('batch/loss',1.0,1796080401341,'9e7f1c11e6b940db94e1b8d16d055f79',10,0);
INSERT INTO "metrics" VALUES('batch/loss',0.0,1796080401378,'9e7f1c11e6b940db94e1b8d16d055f79',20,0);
INSERT INTO "metrics" VALUES('batch/loss',-1.0,1796080401410,'9e7f1c11e6b940db94e1b8d16d055f79',30,0);
INSERT INTO "metrics" VALUES('batch/loss',-2.0,1796080401450,'9e7f1c11e6b940db94e1b8d16d055f79',40,0);
INSERT INTO "metrics" VALUES('batch/loss',-3.0,1796080401476,'9e7f1c11e6b940db94e1b8d16d055f79',50,0);
INSERT INTO "metrics" VALUES('test_accuracy',0.625,1796080401506,'9e7f1c11e6b940db94e1b8d16d055f79',0,0);
INSERT INTO "metrics" VALUES('grad norm',0.0,1796080401536,'9e7f1c11e6b940db94e1b8d16d055f79',7,1);
INSERT INTO "metrics" VALUES('grad norm',1.79769313486231562234e+308,1796080401550,'9e7f1c11e6b940db94e1b8d16d055f79',8,0);
INSERT INTO "metrics" VALUES('grad norm',-1.79769313486231562234e+308,1796080401567,'9e7f1c11e6b940db94e1b8d16d055f79',9,0);
CREATE TABLE model_version_tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT model_version_tag_pk PRIMARY KEY ("key", name, version), 
	FOREIGN KEY(name, version) REFERENCES model_versions (name, version) ON UPDATE cascade
);
CREATE TABLE "model_versions" (
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	user_id VARCHAR(256), 
	current_stage VARCHAR(20), 
	source VARCHAR(500), 
	run_id VARCHAR(32), 
	status VARCHAR(20), 
	status_message VARCHAR(500), 
	run_link VARCHAR(500), storage_location VARCHAR(500), 
	CONSTRAINT model_version_pk PRIMARY KEY (name, version), 
	FOREIGN KEY(name) REFERENCES registered_models (name) ON UPDATE CASCADE
);
INSERT INTO "model_versions" VALUES('flower-model',1,1796080401645,1796080401645,NULL,NULL,'None','file:///recorded/artifacts/model','71dcbd2304ea480e99a7a76459dfc61e','READY',NULL,NULL,'file:///recorded/artifacts/model');
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "params" VALUES('learning_rate','0.01','132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "params" VALUES('epochs','4','132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "params" VALUES('optimizer','Adam; DROP TABLE runs --','132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "params" VALUES('learning_rate','0.01','71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "params" VALUES('epochs','4','71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "params" VALUES('optimizer','Adam; DROP TABLE runs --','71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "params" VALUES('learning_rate','0.01','9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "params" VALUES('epochs','4','9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "params" VALUES('optimizer','Adam; DROP TABLE runs --','9e7f1c11e6b940db94e1b8d16d055f79');
CREATE TABLE registered_model_aliases (
	alias VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	CONSTRAINT registered_model_alias_pk PRIMARY KEY (name, alias), 
	CONSTRAINT registered_model_alias_name_fkey FOREIGN KEY(name) REFERENCES registered_models (name) ON DELETE cascade ON UPDATE cascade
);
CREATE TABLE registered_model_tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	name VARCHAR(256) NOT NULL, 
	CONSTRAINT registered_model_tag_pk PRIMARY KEY ("key", name), 
	FOREIGN KEY(name) REFERENCES registered_models (name) ON UPDATE cascade
);
CREATE TABLE registered_models (
	name VARCHAR(256) NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	CONSTRAINT registered_model_pk PRIMARY KEY (name), 
	UNIQUE (name)
);
INSERT INTO "registered_models" VALUES('flower-model',1796080401632,1796080401645,NULL);
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO "runs" VALUES('132ed8db185f4c4daf3fdea4d02017bc','first','UNKNOWN','','','root','FINISHED',1796080400178,1796080400733,'','active','file:///recorded/artifacts/132ed8db185f4c4daf3fdea4d02017bc/artifacts',1,NULL);
INSERT INTO "runs" VALUES('ac21f1f264734339ba9fc7ed71c6d064','inner','UNKNOWN','','','root','FINISHED',1796080400683,1796080400716,'','active','file:///recorded/artifacts/ac21f1f264734339ba9fc7ed71c6d064/artifacts',1,NULL);
INSERT INTO "runs" VALUES('71dcbd2304ea480e99a7a76459dfc61e','second','UNKNOWN','','','root','FAILED',1796080400743,1796080401030,'','active','file:///recorded/artifacts/71dcbd2304ea480e99a7a76459dfc61e/artifacts',1,NULL);
INSERT INTO "runs" VALUES('9e7f1c11e6b940db94e1b8d16d055f79','gone','UNKNOWN','','','root','FINISHED',1796080401035,1796080401590,'','deleted','file:///recorded/artifacts/9e7f1c11e6b940db94e1b8d16d055f79/artifacts',1,1796080401599);
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "tags" VALUES('mlflow.user','root','132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "tags" VALUES('mlflow.source.name','../record.py','132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "tags" VALUES('mlflow.runName','first','132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "tags" VALUES('team','flowers
''"','132ed8db185f4c4daf3fdea4d02017bc');
INSERT INTO "tags" VALUES('mlflow.user','root','ac21f1f264734339ba9fc7ed71c6d064');
INSERT INTO "tags" VALUES('mlflow.source.name','../record.py','ac21f1f264734339ba9fc7ed71c6d064');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','ac21f1f264734339ba9fc7ed71c6d064');
INSERT INTO "tags" VALUES('mlflow.parentRunId','132ed8db185f4c4daf3fdea4d02017bc','ac21f1f264734339ba9fc7ed71c6d064');
INSERT INTO "tags" VALUES('mlflow.runName','inner','ac21f1f264734339ba9fc7ed71c6d064');
INSERT INTO "tags" VALUES('mlflow.user','root','71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "tags" VALUES('mlflow.source.name','../record.py','71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "tags" VALUES('mlflow.runName','second','71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "tags" VALUES('team','flowers
''"','71dcbd2304ea480e99a7a76459dfc61e');
INSERT INTO "tags" VALUES('mlflow.user','root','9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "tags" VALUES('mlflow.source.name','../record.py','9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "tags" VALUES('mlflow.runName','gone','9e7f1c11e6b940db94e1b8d16d055f79');
INSERT INTO "tags" VALUES('team','flowers
''"','9e7f1c11e6b940db94e1b8d16d055f79');
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE INDEX index_latest_metrics_run_uuid ON latest_metrics (run_uuid);
CREATE INDEX index_tags_run_uuid ON tags (run_uuid);
CREATE INDEX index_datasets_dataset_uuid ON datasets (dataset_uuid);
CREATE INDEX index_datasets_experiment_id_dataset_source_type ON datasets (experiment_id, dataset_source_type);
CREATE INDEX index_inputs_input_uuid ON inputs (input_uuid);
CREATE INDEX index_inputs_destination_type_destination_id_source_type ON inputs (destination_type, destination_id, source_type);
CREATE INDEX index_params_run_uuid ON params (run_uuid);
COMMIT;
