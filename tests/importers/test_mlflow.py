"""`dnnprov import mlflow` on stores that MLflow 0.9, 1.30 and 2.9 made, and on what is damaged or hostile.

`mlflow_stores/record.py` recorded them, and says how.
"""

from __future__ import annotations

import json
import math
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import dnnprov
from dnnprov.cli.main import exit_code

STORES = Path(__file__).with_name("mlflow_stores")
LOSSES, RATES = (1.5, 0.75, 1 / 3, 0.25), (0.01, 0.01, 0.005, 0.005)


def database(name, folder):
    """The database of a dump, with the files that its runs left."""
    path = folder / f"{name}.db"
    text = (STORES / f"{name}.sql").read_text(encoding="utf-8").replace("/recorded/", f"{folder}/recorded/")
    connection = sqlite3.connect(path)
    connection.executescript(text)
    for (uri,) in connection.execute("SELECT artifact_uri FROM runs").fetchall():
        left = Path(uri.removeprefix("file://"))
        left.mkdir(parents=True)
        (left / "note.txt").write_text("hello", encoding="utf-8")
    connection.close()
    return path


def mlruns(name, folder):
    """The folders that a file of texts holds."""
    root = folder / "mlruns"
    for path, text in json.loads((STORES / f"{name}.json").read_text(encoding="utf-8")).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text.replace("/recorded/", f"{folder}/recorded/"), encoding="utf-8")
    return root


def run_folder(root, name):
    """Where a run of a folder lies."""
    (found,) = (path.parents[1] for path in root.glob("*/*/tags/mlflow.runName") if path.read_text() == name)
    return found


def taken(source, *options):
    assert exit_code(["import", "mlflow", str(source), *options]) == 0


def refused(source, capsys, *options):
    """What an import of it says that fails; nothing may be stored."""
    assert exit_code(["import", "mlflow", str(source), *options]) == 1
    assert not Path(os.environ["DNNPROV_STORE"]).exists()
    return capsys.readouterr().err


@pytest.mark.parametrize("name", ["mlflow_1_30.sql", "mlflow_2_9.sql", "mlruns_2_9.json"])
def test_what_a_training_logged_is_asked_as_any_other(store, tmp_path, capsys, name):
    base, _, kind = name.partition(".")
    taken(database(base, tmp_path) if kind == "sql" else mlruns(base, tmp_path))
    assert "left out: 1 deleted experiments, 1 deleted runs" in capsys.readouterr().err
    with dnnprov.open() as history:
        runs = {run["name"]: run for run in history.runs()}
        assert {name: run["status"] for name, run in runs.items()} == {
            "first": "finished",
            "inner": "finished",
            "second": "failed",
        }
        assert {run["dataflow"] for run in runs.values()} == {"flowers 花"}
        rows = history.sql(
            "SELECT epoch, loss, val_loss, val_accuracy, learning_rate FROM otrainingmodel"
            f" WHERE run_id = {runs['first']['run_id']} ORDER BY epoch"
        )
        expected = [(n, LOSSES[n], LOSSES[n] + 0.5, n / 5, RATES[n]) for n in range(4)]
        assert [tuple(row.values()) for row in rows] == expected
        steps = history.sql(
            "SELECT step, value FROM metric WHERE name = 'batch/loss'"
            f" AND run_id = {runs['first']['run_id']} ORDER BY step"
        )
        assert [tuple(row.values()) for row in steps] == [(10 * n, 2.0 - n) for n in range(6)]
        special = history.sql(
            "SELECT step, non_finite FROM metric WHERE name = 'grad norm'"
            f" AND run_id = {runs['first']['run_id']} ORDER BY step"
        )
        assert [tuple(row.values()) for row in special] == [(7, "NaN"), (8, "Infinity"), (9, "-Infinity")]
        best, worst = history.ask("Q5", dataflow="flowers 花").rows[:2]
        assert (best["run"], best["accuracy"], best["accuracy_source"]) == ("first", 0.625, "test")
        assert (best["learning_rate"], best["num_epochs"]) == (0.01, 4)
        assert worst["optimizer_name"] == "Adam; DROP TABLE runs --"
        (change,) = history.ask("Q6", dataflow="flowers 花").rows
        shown = {"epoch": 2, "technique": "inferred", "old_value": 0.01, "new_value": 0.005}
        assert shown.items() <= change.items()
        (value,) = history.ask("Q1", run="first", epoch=2).rows
        assert value["value"] == LOSSES[2]
        (part,) = history.sql("SELECT p.name FROM run AS r JOIN run AS p ON p.run_id = r.parent_run_id")
        assert part == {"name": "first"}
        files = history.sql("SELECT path, size, sha256 FROM file WHERE role = 'artifact' AND relation = 'generated'")
        hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        assert {(Path(file["path"]).name, file["size"], file["sha256"]) for file in files} <= {("note.txt", 5, hello)}
        people = history.sql("SELECT name FROM agent WHERE kind = 'person'")
        assert people == [{"name": "root"}]
        assert history.run("first").run["tags"]["team"] == "flowers\n'\""


@pytest.mark.parametrize("kind", [database, mlruns])
def test_a_store_of_before_steps_were_known_is_read(store, tmp_path, kind):
    taken(kind("mlflow_0_9" if kind is database else "mlruns_0_9", tmp_path))
    with dnnprov.open() as history:
        assert {run["name"]: run["status"] for run in history.runs()} == {"first": "finished", "second": "failed"}
        (best,) = history.ask("Q5", dataflow="flowers 花", top=1).rows
        assert (best["accuracy"], best["accuracy_source"], best["num_epochs"]) == (0.625, "test", 4)
        rows = history.sql(
            "SELECT value, recorded_at FROM metric JOIN run USING (run_id) WHERE metric.name = 'loss'"
            " AND run.name = 'first'"
        )
        assert sorted(row["value"] for row in rows) == sorted(LOSSES)
        assert all(row["recorded_at"].startswith("2026-") for row in rows)  # it wrote seconds


def test_times_are_those_of_the_store(store, tmp_path):
    source = database("mlflow_2_9", tmp_path)
    with sqlite3.connect(source) as connection:
        began, ended = connection.execute("SELECT start_time, end_time FROM runs WHERE name = 'first'").fetchone()
        points = connection.execute(
            "SELECT step, timestamp FROM metrics JOIN runs USING (run_uuid) WHERE key = 'batch/loss' AND name = 'first'"
            " ORDER BY step"
        ).fetchall()
    connection.close()
    taken(source)
    with dnnprov.open() as history:
        (run,) = history.sql(
            "SELECT ROUND((julianday(started_at) - 2440587.5) * 86400000) AS began,"
            " ROUND((julianday(ended_at) - 2440587.5) * 86400000) AS ended FROM run WHERE name = 'first'"
        )
        assert (run["began"], run["ended"]) == (began, ended)
        found = history.sql(
            "SELECT step, ROUND((julianday(metric.recorded_at) - 2440587.5) * 86400000) AS at FROM metric"
            " JOIN run USING (run_id) WHERE metric.name = 'batch/loss' AND run.name = 'first' ORDER BY step"
        )
        assert [(row["step"], row["at"]) for row in found] == points


def test_the_source_is_named_with_its_hash_and_stays_as_it_was(store, tmp_path):
    source = database("mlflow_1_30", tmp_path)
    before = source.read_bytes()
    told = subprocess.run(["sha256sum", source], capture_output=True, text=True, check=True).stdout.split()[0]
    source.chmod(0o444)
    taken(source)
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("mlflow*")) == ["mlflow_1_30.db"]
    with dnnprov.open() as history:
        files = history.sql("SELECT DISTINCT path, sha256 FROM file WHERE role = 'import source'")
        assert files == [{"path": str(source), "sha256": told}]


def test_the_hash_of_folders_is_that_of_the_list_that_sha256sum_makes(store, tmp_path):
    root = mlruns("mlruns_2_9", tmp_path)
    taken(root)
    folder = run_folder(root, "first")
    found = "find meta.yaml metrics params tags inputs outputs -type f 2>/dev/null | LC_ALL=C sort"
    told = subprocess.run(
        f"{found} | xargs -d '\\n' sha256sum | sha256sum",
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[0]
    with dnnprov.open() as history:
        found = history.sql("SELECT path, sha256 FROM file JOIN run USING (run_id) WHERE name = 'first'")
        assert {"path": str(folder), "sha256": told} in found


def test_importing_twice_changes_nothing_also_from_another_place(store, tmp_path, capsys):
    root = mlruns("mlruns_2_9", tmp_path)
    taken(root, "--json")
    first = json.loads(capsys.readouterr().out)
    moved = tmp_path / "elsewhere"
    root.rename(moved)
    taken(moved, "--json")
    second = json.loads(capsys.readouterr().out)
    assert len(first["new"]) == 3
    assert (second["new"], sorted(second["known"])) == ([], sorted(first["new"]))
    with dnnprov.open() as history:
        assert len(history.runs()) == 3


def test_a_run_that_went_on_is_a_new_one_and_the_others_stay(store, tmp_path, capsys):
    root = mlruns("mlruns_2_9", tmp_path)
    taken(root, "--json")
    first = json.loads(capsys.readouterr().out)["new"]
    with (run_folder(root, "second") / "metrics" / "loss").open("a") as stream:
        stream.write("1796080500000 0.125 4\n")
    taken(root, "--json")
    second = json.loads(capsys.readouterr().out)
    assert (len(second["new"]), len(second["known"])) == (1, 2)
    assert set(second["known"]) < set(first)


def test_a_rebuild_brings_the_runs_back(store, tmp_path):
    taken(database("mlflow_2_9", tmp_path))
    with dnnprov.open() as history:
        before = history.ask("Q5", dataflow="flowers 花").rows, history.sql("SELECT name, digest FROM idataset")
    assert before[1] == [{"name": "flowers17", "digest": "aea02c58"}]
    assert exit_code(["rebuild"]) == 0
    with dnnprov.open() as history:
        assert (
            history.ask("Q5", dataflow="flowers 花").rows,
            history.sql("SELECT name, digest FROM idataset"),
        ) == before


def test_datasets_and_registered_models_are_rows_of_the_training(store, tmp_path):
    taken(database("mlflow_2_9", tmp_path))
    with dnnprov.open() as history:
        (used,) = history.sql(
            "SELECT r.name AS run, t.tag, d.relation, d.name, d.context, d.source_type FROM idataset AS d"
            " JOIN task AS t ON t.task_id = d.task_id JOIN run AS r ON r.run_id = d.run_id"
        )
        assert tuple(used.values()) == ("first", "Training", "used", "flowers17", "training", "code")
        (version,) = history.sql(
            "SELECT r.name AS run, v.name, v.version, v.source FROM omodelversion AS v JOIN run AS r USING (run_id)"
        )
        source = f"file://{tmp_path}/recorded/artifacts/model"
        assert tuple(version.values()) == ("second", "flower-model", 1, source)


def test_only_the_experiments_that_were_asked_for_come_under_the_dataflow_that_was_named(store, tmp_path, capsys):
    source = database("mlflow_2_9", tmp_path)
    with sqlite3.connect(source) as connection:
        connection.execute("UPDATE runs SET experiment_id = 0 WHERE name = 'inner'")
    connection.close()
    taken(source, "--experiment", "Default", "--dataflow", "mine")
    with dnnprov.open() as history:
        assert [(run["dataflow"], run["name"]) for run in history.runs()] == [("mine", "inner")]
    assert exit_code(["import", "mlflow", str(source), "--experiment", "none"]) == 1
    assert "it has no experiment 'none'; it has 'Default', 'flowers 花'" in capsys.readouterr().err


def test_steps_may_be_said_to_be_batches(store, tmp_path):
    taken(database("mlflow_2_9", tmp_path), "--steps", "batches")
    with dnnprov.open() as history:
        assert history.sql("SELECT COUNT(*) AS n FROM otrainingmodel") == [{"n": 0}]
        assert history.sql("SELECT COUNT(*) AS n FROM metric WHERE name = 'val_loss'") == [{"n": 8}]


def test_a_run_without_validation_has_epochs_where_as_many_were_planned(store, tmp_path):
    source = database("mlflow_2_9", tmp_path)
    with sqlite3.connect(source) as connection:
        connection.execute("DELETE FROM metrics WHERE key LIKE 'val%'")
    connection.close()
    taken(source)
    with dnnprov.open() as history:
        rows = history.sql("SELECT epoch, loss FROM otrainingmodel JOIN run USING (run_id) WHERE name = 'first'")
        assert [tuple(row.values()) for row in rows] == list(enumerate(LOSSES))
        assert (
            history.sql("SELECT DISTINCT name FROM metric WHERE name LIKE 'test%'") == []
        )  # one of a test is a result


def test_changes_in_a_write_ahead_log_are_in_and_no_file_appears_beside(store, tmp_path, capsys):
    source = database("mlflow_2_9", tmp_path)
    writer = sqlite3.connect(source)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("UPDATE runs SET name = 'late' WHERE name = 'inner'")
    writer.commit()
    there = sorted(path.name for path in tmp_path.glob("mlflow*"))
    assert there == ["mlflow_2_9.db", "mlflow_2_9.db-shm", "mlflow_2_9.db-wal"]
    taken(source)
    assert "write-ahead log" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.glob("mlflow*")) == there
    writer.close()
    with dnnprov.open() as history:
        assert {run["name"] for run in history.runs()} == {"first", "late", "second"}
        assert "write-ahead log" in history.run("late").run["tags"]["import_note"]


def test_a_database_that_somebody_is_writing_is_read_as_it_was_before(store, tmp_path):
    source = database("mlflow_2_9", tmp_path)
    writer = sqlite3.connect(source)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM metrics")
    taken(source)
    writer.rollback()
    writer.close()
    with dnnprov.open() as history:
        assert history.sql("SELECT COUNT(*) AS n FROM otrainingmodel") == [{"n": 8}]


def test_a_schema_that_is_not_known_yet_is_read_and_told(store, tmp_path, capsys):
    source = database("mlflow_2_9", tmp_path)
    with sqlite3.connect(source) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'f00df00df00d'")
        connection.execute("ALTER TABLE runs ADD COLUMN mood TEXT")
    connection.close()
    taken(source)
    assert "the schema version 'f00df00df00d' of the store is not known here" in capsys.readouterr().err
    with dnnprov.open() as history:
        assert len(history.runs()) == 3


def test_files_of_a_run_whose_store_was_copied_without_them_are_told(store, tmp_path):
    source = database("mlflow_2_9", tmp_path)
    (tmp_path / "recorded").rename(tmp_path / "gone")
    taken(source)
    with dnnprov.open() as history:
        (problem,) = {row["detail"] for row in history.run("first").problems}
        assert "is not there; files that the run left in it are not known" in problem


def test_files_elsewhere_are_named_and_not_read(store, tmp_path):
    source = database("mlflow_2_9", tmp_path)
    with sqlite3.connect(source) as connection:
        connection.execute("UPDATE runs SET artifact_uri = 's3://bucket/' || run_uuid")
    connection.close()
    taken(source)
    with dnnprov.open() as history:
        files = history.sql("SELECT path, sha256, note FROM file WHERE role = 'artifact'")
        assert len(files) == 3
        assert {(file["path"][:12], file["sha256"], file["note"]) for file in files} == {
            ("s3://bucket/", None, "it is not on this machine, and was not read")
        }


def test_hostile_names_are_data(store, tmp_path):
    source = database("mlflow_2_9", tmp_path)
    evil = '"; DROP TABLE run; --\n\u202e\x00../../etc'
    with sqlite3.connect(source) as connection:
        connection.execute("UPDATE runs SET name = ?1 WHERE name = 'first'", (evil,))
        connection.execute("UPDATE experiments SET name = ?1 WHERE name LIKE 'flowers%'", (evil,))
        for table in ("params", "tags", "metrics"):
            connection.execute(f"UPDATE {table} SET key = ?1 WHERE key IN ('epochs', 'team', 'val_accuracy')", (evil,))
        connection.execute("UPDATE tags SET key = 'imported_from', value = 'me' WHERE key = 'mlflow.source.type'")
    connection.close()
    taken(source)
    with dnnprov.open() as history:
        (run,) = history.sql("SELECT run_id FROM run JOIN dataflow AS d USING (dataflow_id) WHERE d.tag = name")
        tags = {
            row["name"]: row["value"]
            for row in history.sql(f"SELECT name, value FROM run_tag WHERE run_id = {run['run_id']}")
        }
        assert (tags["imported_from"], tags["mlflow.imported_from"]) == ("MLflow", "me")
        assert tags[evil] == "flowers\n'\""
        names = {row["name"] for row in history.sql("SELECT name FROM attribute")}
        assert evil in names


def write(change):
    def damaged(tmp_path):
        source = database("mlflow_2_9", tmp_path)
        change(source)
        return source

    return damaged


def changed_by(statement):
    def change(source):
        with sqlite3.connect(source) as connection:
            connection.execute("PRAGMA ignore_check_constraints = 1")
            connection.execute(statement)
        connection.close()

    return write(change)


def changed_file(pattern, content):
    def damaged(tmp_path):
        root = mlruns("mlruns_2_9", tmp_path)
        run_folder(root, "first").joinpath(pattern).write_bytes(content)
        return root

    return damaged


def cut(source):
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])


def overwritten(source):
    with source.open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xee" * (source.stat().st_size - 8192))


DAMAGED = {
    "nothing there": (lambda folder: folder / "none.db", "No such file or directory"),
    "text": (write(lambda source: source.write_text("epoch,loss\n1,2\n")), "it is no SQLite database"),
    "empty": (write(lambda source: source.write_bytes(b"")), "it is no SQLite database"),
    "cut": (write(cut), "SQLite cannot read it|is damaged"),
    "overwritten": (write(overwritten), "SQLite cannot read it|is damaged"),
    "no table": (changed_by("ALTER TABLE metrics RENAME TO m"), "it has no table 'metrics'; expected a tracking store"),
    "no column": (changed_by("ALTER TABLE params RENAME COLUMN value TO v"), "table 'params' has no column 'value'"),
    "no number": (changed_by("UPDATE metrics SET value = 'high' WHERE step = 3"), "has the value 'high' at step '3'"),
    "no step": (changed_by("UPDATE metrics SET step = 'two' WHERE key = 'lr' AND step = 2"), "at step 'two'"),
    "no UTF-8": (
        changed_by("UPDATE metrics SET key = CAST(x'ff41' AS TEXT) WHERE key = 'lr'"),
        "SQLite cannot read it",
    ),
    "other folder": (lambda folder: folder, "no folder in it has a meta.yaml"),
    "cut meta": (changed_file("meta.yaml", b"artifact_uri: 'file:///x\nend_"), "it is no YAML, or cut off"),
    "empty meta": (changed_file("meta.yaml", b""), "expected names with values"),
    "meta without run": (changed_file("meta.yaml", b"status: 3\n"), "it has no run_id"),
    "meta of bytes": (changed_file("meta.yaml", b"\xff\xfe\x00"), "it is not in UTF-8"),
    "deep meta": (changed_file("meta.yaml", b"[" * 100_000), "it is no YAML, or cut off"),
    "garbage": (changed_file("metrics/loss", b"1 2.0 3\n\x00\xffgarbage\n"), "line 2 is"),
    "torn line": (
        changed_file("metrics/loss", b"1796080388000 2.0 3\n17960803"),
        "line 2 is '17960803', and does not end",
    ),
    "large step": (changed_file("metrics/loss", b"1 2.0 99999999999999999999\n"), "at step '99999999999999999999'"),
    "param": (changed_file("params/epochs", b"\xe9"), "it is not in UTF-8"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_is_refused_whole_in_one_line(store, tmp_path, capsys, name):
    make, said = DAMAGED[name]
    told = refused(make(tmp_path), capsys)
    assert any(one in told for one in said.split("|")), told
    assert told.count("\n") == 1


@pytest.mark.parametrize("scheme", ["postgresql", "mysql+pymysql", "databricks"])
def test_other_databases_are_to_be_read_through_a_server_and_no_password_is_shown(store, tmp_path, capsys, scheme):
    told = refused(f"{scheme}://me:secret@host/mlflow", capsys)
    assert "`mlflow server --backend-store-uri ... --port 5000`" in told
    assert "secret" not in told


class Answers(BaseHTTPRequestHandler):
    """A server that is none of MLflow's; what it is asked is kept."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        code, content = self.server.answer
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "http://elsewhere.example/")
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - as the base calls it

    def log_message(self, *args):
        pass


@pytest.fixture
def answering():
    server = HTTPServer(("127.0.0.1", 0), Answers)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("code", "content", "said"),
    [
        (404, b"nothing", "nothing of MLflow answers there"),
        (401, b'{"message": "who?"}', "401 Unauthorized: who?; set MLFLOW_TRACKING_TOKEN"),
        (500, b"<html>", "500 Internal Server Error: no reason"),
        (200, b"<html>", "begins '<html>'"),
        (200, b'{"experiments": 7}', "expected an MLflow server"),
        (200, b'{"experiments": [{"name": 1}]}', "expected an MLflow server"),
        (200, b'{"experiments": [], "next_page_token": "x"}', "goes round in circles"),
        (302, b"", "leads to elsewhere.example"),
    ],
)
def test_what_answers_otherwise_than_mlflow_is_refused(store, capsys, answering, code, content, said):
    server, address = answering
    server.answer = code, content
    told = refused(address.replace("//", "//me:secret@"), capsys)
    assert said in told
    assert "secret" not in told
    assert server.asked[0] == ("/api/2.0/mlflow/experiments/search", "Basic bWU6c2VjcmV0")


def test_a_token_goes_to_the_server(store, capsys, answering, monkeypatch):
    server, address = answering
    server.answer = 200, b'{"experiments": []}'
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cret")
    taken(address)
    assert server.asked == [("/api/2.0/mlflow/experiments/search", "Bearer s3cret")]


def test_a_server_that_is_not_there_is_told_at_once(store, capsys):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        told = refused(f"http://127.0.0.1:{reserved.getsockname()[1]}", capsys)
    assert "the server does not answer: [Errno 111] Connection refused" in told


GROWN = """
import resource, sqlite3, sys
from dnnprov.cli.main import exit_code

source, num_values = sys.argv[1], int(sys.argv[2])
with sqlite3.connect(source) as connection:
    (run,) = connection.execute("SELECT run_uuid FROM runs WHERE name = 'inner'").fetchone()
    values = ((1 / (n + 3), 1796080400000 + n, run, n) for n in range(num_values))
    connection.executemany("INSERT INTO metrics VALUES ('batch loss', ?, ?, ?, ?, 0)", values)
connection.close()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert exit_code(["import", "mlflow", source]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_long_series_streams(store, tmp_path):
    grown = {}
    for num_values in (10_000, 400_000):
        folder = tmp_path / str(num_values)
        folder.mkdir()
        command = [sys.executable, "-c", GROWN, str(database("mlflow_2_9", folder)), str(num_values)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        grown[num_values] = int(done.stdout) / 1024
    assert grown[400_000] - grown[10_000] < 16  # 400,000 values are 11 MB as they are kept, 100 MB as Python's objects
    with dnnprov.open() as history:
        found = history.sql("SELECT COUNT(*) AS n, SUM(value) AS total FROM metric WHERE name = 'batch loss'")
        assert found[0]["n"] == 410_000
        expected = math.fsum(1 / (n + 3) for n in range(400_000)) + math.fsum(1 / (n + 3) for n in range(10_000))
        assert found[0]["total"] == pytest.approx(expected)


def test_a_missing_part_for_folders_is_named(store, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert "pip install 'dnnprov[mlflow]'" in refused(mlruns("mlruns_2_9", tmp_path), capsys)
