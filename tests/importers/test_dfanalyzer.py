"""`dnnprov import dfanalyzer`: the real dump against its own lines, and dumps of other generations."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prov.model import ProvDocument

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.importers.dfanalyzer.dump import Dump
from importers.dumps import CHANGES, EPOCHS, PARAMETERS, DumpText, epochs, real_tables
from prov_constraints import check

DATAFLOWS = [f"alexnet-df-{number}" for number in (1, 2, 3, 4)]


@pytest.fixture(scope="module")
def imported(alexnet_dump, tmp_path_factory):
    """A store with the real dump, and the dump's rows as this test reads them."""
    place = tmp_path_factory.mktemp("alexnet") / "store"
    assert exit_code(["import", "dfanalyzer", str(alexnet_dump), "--store", str(place)]) == 0
    with dnnprov.open(place) as history:
        yield history, real_tables(alexnet_dump)


def epochs_of(tables, dataflow):
    """The rows of oTrainingModel: timestamp, elapsed, loss, accuracy, val_loss, val_accuracy, epoch."""
    return [[float(cell) for cell in row[3:]] for row in tables[dataflow, "ds_otrainingmodel"]]


@pytest.mark.parametrize(("dataflow", "num_changes"), list(zip(DATAFLOWS, (155, 155, 173, 173), strict=True)))
def test_each_dataflow_is_a_run_of_200_epochs_with_its_adaptations(imported, dataflow, num_changes):
    history, _ = imported
    assert [run["name"] for run in history.runs(dataflow=dataflow)] == [f"{dataflow}-1"]
    for table, count in (("otrainingmodel", 200), ("oadaptation", num_changes), ("itrainingmodel", 1)):
        sql = (
            f"SELECT COUNT(*) AS n FROM {table} JOIN run USING (run_id) JOIN dataflow USING (dataflow_id) WHERE tag = "
        )
        assert history.sql(f"{sql}'{dataflow}'") == [{"n": count}]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_q1_and_q3_give_the_numbers_of_the_file(imported, dataflow):
    history, tables = imported
    rows = epochs_of(tables, dataflow)
    (tenth,) = history.ask("Q1", dataflow=dataflow, epoch=10)
    assert tenth["value"] == next(row[2] for row in rows if row[6] == 10)
    (best,) = history.ask("Q1", dataflow=dataflow, epoch=7, metric="val_accuracy")
    assert best["value"] == next(row[5] for row in rows if row[6] == 7)
    answer = [(row["epoch"], row["elapsed_seconds"], row["loss"]) for row in history.ask("Q3", dataflow=dataflow)]
    assert answer == [(row[6], row[1], row[2]) for row in rows]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_q4_and_q5_give_hyperparameters_and_the_best_validation_accuracy_of_the_file(imported, dataflow):
    history, tables = imported
    parameters = tables[dataflow, "ds_itrainingmodel"][0]
    best = max(row[5] for row in epochs_of(tables, dataflow))
    (initial,) = history.ask("Q4", dataflow=dataflow)
    assert (initial["learning_rate"], initial["accuracy"]) == (float(parameters[3]), best)
    assert initial["accuracy_source"] == "validation"
    (first,) = history.ask("Q5", dataflow=dataflow)
    assert (first["optimizer_name"], first["num_epochs"]) == (parameters[2], 200)
    assert (first["rank"], first["accuracy"], first["learning_rate"]) == (1, best, float(parameters[3]))


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_q6_gives_every_adaptation_of_the_file_with_its_epoch_and_new_value(imported, dataflow):
    history, tables = imported
    answer = [(row["adapted"], row["epoch"], row["new_value"]) for row in history.ask("Q6", dataflow=dataflow)]
    assert answer == [(1, float(row[4]), float(row[2])) for row in tables[dataflow, "ds_oadaptation"]]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_q2_q7_and_q8_answer_that_neither_layers_nor_dropout_nor_filters_were_recorded(imported, dataflow):
    history, tables = imported
    assert history.ask("Q2", dataflow=dataflow).rows == []
    assert history.ask("Q7", dataflow=dataflow, dropout=0.4).rows == []
    best = max(row[5] for row in epochs_of(tables, dataflow))
    answer = [
        (row["which"], row["filter_name"], row["accuracy"], row["num_epochs"])
        for row in history.ask("Q8", dataflow=dataflow)
    ]
    assert answer == [("best", "none", best, 200), ("worst", "none", best, 200)]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_times_are_those_of_the_file_in_utc(imported, dataflow):
    history, tables = imported
    sql = (
        "SELECT timestamp, o.recorded_at FROM otrainingmodel AS o JOIN run USING (run_id)"
        f" JOIN dataflow USING (dataflow_id) WHERE tag = '{dataflow}' ORDER BY element_id"
    )
    for row, line in zip(history.sql(sql), tables[dataflow, "ds_otrainingmodel"], strict=True):
        assert row["timestamp"] == line[3]
        assert datetime.fromisoformat(row["recorded_at"]).timestamp() == pytest.approx(float(line[3]), abs=1e-6)
    number = DATAFLOWS.index(dataflow)
    of_training = tables["public", "performance"][(1, 5, 7, 3)[number]]
    run = history.runs(dataflow=dataflow)[0]
    began, ended = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in of_training[5:7])
    assert datetime.fromisoformat(run["started_at"]) == began
    assert abs(run["duration_seconds"] - (ended - began).total_seconds()) < 2


def test_tasks_follow_from_the_plan_and_lineage_leads_from_a_change_to_the_hyperparameters(imported):
    history, _ = imported
    view = history.run("alexnet-df-1-1")
    assert [(task["tag"], task["status"]) for task in view.tasks] == [
        ("trainingmodel", "finished"),
        ("adaptation", "finished"),
    ]
    plan = history.sql(
        "SELECT p.tag AS before, n.tag AS after FROM data_dependency AS d"
        " JOIN data_transformation AS p ON p.transformation_id = d.previous_transformation_id"
        " JOIN data_transformation AS n ON n.transformation_id = d.next_transformation_id"
    )
    assert {tuple(row.values()) for row in plan} == {("trainingmodel", "adaptation")}
    assert view.run["tags"] == {"imported_from": "DfAnalyzer"}
    assert history.sql("SELECT COUNT(*) AS n FROM problem") == [{"n": 0}]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("delimiter", ["|", "\t"])
def test_executions_that_have_a_tag_are_runs_of_that_name(store, tmp_path, delimiter):
    dump = DumpText(delimiter)
    dump.plan("m", executions=["m-first", "m-second"])
    dump.table("ds_itrainingmodel", PARAMETERS, [(1, 1, "Adam", 0.1), (2, 3, "SGD", 0.2)], "m")
    rows = [*epochs(1e9, [0.5, 0.25]), *epochs(1e9 + 5, [0.75, 0.5, 0.125], task=3, first=3)]
    dump.table("ds_otrainingmodel", EPOCHS, rows, "m")
    assert exit_code(["import", "dfanalyzer", write(tmp_path / "d.sql", dump.text())]) == 0
    with dnnprov.open() as history:
        best = history.ask("Q5", dataflow="m")
        found = [(row["run"], row["optimizer_name"], row["accuracy"]) for row in best]
        assert found == [("m-second", "SGD", 0.875), ("m-first", "Adam", 0.75)]
        assert [row["loss"] for row in history.ask("Q3", run="m-first")] == [0.5, 0.25]
        assert "import_note" not in history.run("m-first").run["tags"]


def shared_tasks(dump):
    dump.plan("m")
    dump.table("ds_itrainingmodel", PARAMETERS, [(1, 1, "Adam", 0.1), (2, 1, "SGD", 0.2), (3, 1, "RMSprop", 0.3)], "m")
    rows = [
        *epochs(1e9, [0.5, 0.25]),
        *epochs(1e9 + 1000, [0.75, 0.5, 0.125], first=3),
        *epochs(1e9 + 2000, [0.9], first=6),
    ]
    dump.table("ds_otrainingmodel", EPOCHS, rows, "m")
    changes = [
        (1, 2, 0.05, repr(1e9 + 10.5), 1.0),
        (2, 2, 0.15, repr(1e9 + 1000.0), 0.0),
        (3, 2, 0.1, repr(1e9 + 1020.5), 2.0),
    ]
    dump.table("ds_oadaptation", CHANGES, changes, "m")


def test_executions_on_the_same_task_rows_are_told_apart_by_time_and_say_so(store, tmp_path):
    dump = DumpText()
    shared_tasks(dump)
    assert exit_code(["import", "dfanalyzer", write(tmp_path / "d.sql", dump.text())]) == 0
    with dnnprov.open() as history:
        losses = {run["name"]: [row["loss"] for row in history.ask("Q3", run=run["name"])] for run in history.runs()}
        assert losses == {"m-1": [0.5, 0.25], "m-2": [0.75, 0.5, 0.125], "m-3": [0.9]}
        optimizers = {row["run"]: row["optimizer_name"] for row in history.ask("Q5", dataflow="m")}
        assert optimizers == {"m-1": "Adam", "m-2": "SGD", "m-3": "RMSprop"}
        sql = "SELECT r.name, o.new_value FROM oadaptation AS o JOIN run AS r USING (run_id) ORDER BY o.recorded_at"
        assert [tuple(row.values()) for row in history.sql(sql)] == [("m-1", 0.05), ("m-2", 0.15), ("m-2", 0.1)]
        assert "3 executions on the same task rows" in history.run("m-2").run["tags"]["import_note"]
        assert "m-3" in {run["name"] for run in history.runs()}


def test_executions_that_cannot_be_told_apart_are_put_together_in_their_order_and_say_so(store, tmp_path):
    dump = DumpText()
    dump.plan("m")
    dump.table("ds_itrainingmodel", PARAMETERS, [(1, 1, "Adam", 0.1), (2, 1, "SGD", 0.2)], "m")
    dump.table("ds_otrainingmodel", EPOCHS, epochs(1e9, [0.5, 0.25]), "m")
    changes = {"id": int, "adaptation_task_id": int, "new_lrate": float}
    dump.table("ds_oadaptation", changes, [(1, 2, 0.05), (2, 2, 0.04), (3, 2, 0.03)], "m")
    assert exit_code(["import", "dfanalyzer", write(tmp_path / "d.sql", dump.text())]) == 0
    with dnnprov.open() as history:
        sql = "SELECT r.name, COUNT(*) AS n FROM {} AS t JOIN run AS r ON r.run_id = t.run_id GROUP BY r.name"
        for table, counts in {
            "itrainingmodel": [("m-1", 1), ("m-2", 1)], "otrainingmodel": [("m-1", 2)], "oadaptation": [("m-2", 3)],
        }.items():  # fmt: skip
            assert [tuple(row.values()) for row in history.sql(sql.format(table))] == counts
        note = history.run("m-1").run["tags"]["import_note"]
        assert "epochs begin anew 1 times for 2 rows of iTrainingModel" in note
        assert "nothing tells apart 3 rows of 'oadaptation'" in note


def test_a_later_dump_of_the_same_database_adds_only_what_is_new(store, tmp_path):
    first = DumpText()
    first.plan("m", executions=["e1"])
    first.table("ds_otrainingmodel", EPOCHS, epochs(1e9, [0.5]), "m")
    later = DumpText()
    later.plan("m", executions=["e1", "e2"])
    later.table("ds_otrainingmodel", EPOCHS, [*epochs(1e9, [0.5]), *epochs(2e9, [0.25], task=3, first=2)], "m")
    files = [write(tmp_path / "first.sql", first.text()), write(tmp_path / "later.sql", later.text())]
    assert exit_code(["import", "dfanalyzer", files[0]]) == 0
    assert exit_code(["import", "dfanalyzer", *files]) == 0
    with dnnprov.open() as history:
        assert sorted(run["name"] for run in history.runs()) == ["e1", "e2"]


def test_the_scripts_number_for_nan_is_nan_and_a_clock_time_seconds(store, tmp_path):
    dump = DumpText()
    dump.plan("m")
    row = (1, 1, 2, "2020-11-09 00:00:10", "0:01:10.5", -9999999.0, 0.5, 1)
    dump.table("ds_otrainingmodel", EPOCHS, [row], "m")
    dump.parts[-1] = dump.parts[-1].replace("-9999999.0", "-9999999")
    assert exit_code(["import", "dfanalyzer", write(tmp_path / "d.sql", dump.text())]) == 0
    with dnnprov.open() as history:
        (found,) = history.sql("SELECT elapsed_time, loss, non_finite, recorded_at FROM otrainingmodel")
        assert (found["elapsed_time"], found["loss"], found["non_finite"]) == (70.5, None, '{"loss": "NaN"}')
        assert found["recorded_at"] == "2020-11-09T00:00:10.000000Z"
        assert math.isnan(history.ask("Q1", epoch=1)[0]["value"])
        assert history.runs()[0]["diverged"] == 1


def test_a_task_that_never_ended_is_of_a_crashed_run(store, tmp_path):
    dump = DumpText()
    dump.plan("m", status="RUNNING")
    dump.table("ds_otrainingmodel", EPOCHS, epochs(1e9, [0.5]), "m")
    assert exit_code(["import", "dfanalyzer", write(tmp_path / "d.sql", dump.text())]) == 0
    with dnnprov.open() as history:
        assert [(run["status"]) for run in history.runs()] == ["crashed"]


def test_rows_without_a_task_are_told(store, tmp_path):
    dump = DumpText()
    dump.plan("m")
    dump.table("ds_otrainingmodel", EPOCHS, [*epochs(1e9, [0.5]), (2, 77, None, "1", "1", 0.1, 0.1, 2)], "m")
    assert exit_code(["import", "dfanalyzer", write(tmp_path / "d.sql", dump.text())]) == 0
    with dnnprov.open() as history:
        (problem,) = history.sql("SELECT kind, detail FROM problem")
        assert problem["kind"] == "not_imported"
        assert "1 rows of data set 'otrainingmodel' name no task" in problem["detail"]


HOSTILE = ["x'; DROP TABLE run; --", 'a"b', "select", "../../etc", "naïve ✓", "tab\there"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_data(store, tmp_path, name):
    dump = DumpText()
    dump.plan(name)
    columns = {**EPOCHS, name.replace('"', '""') + " x": str}
    (row,) = epochs(1e9, [0.5])
    dump.table("ds_otrainingmodel", columns, [(*row, "'); DELETE FROM run; --\n\"\\")], name.replace('"', '""'))
    assert exit_code(["import", "dfanalyzer", write(tmp_path / "d.sql", dump.text())]) == 0
    with dnnprov.open() as history:
        assert [run["dataflow"] for run in history.runs()] == [name]
        (found,) = history.sql("SELECT * FROM otrainingmodel")
        assert "'); DELETE FROM run; --\n\"\\" in found.values()


def broken(change):
    dump = DumpText()
    shared_tasks(dump)
    return change(dump.text())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (broken(lambda text: text[: text.index("0.125")]).encode(), "it is cut off: of table 'ds_otrainingmodel'"),
        (broken(lambda text: text.removesuffix("COMMIT;\n")).encode(), "it ends within a transaction"),
        (broken(lambda text: text.replace("COPY 6 RECORDS", "COPY 5 RECORDS")).encode(), "COPY counts another number"),
        (broken(lambda text: text.replace("COPY 6 RECORDS", "COPY 7 RECORDS")).encode(), "COPY counts another number"),
        (broken(lambda text: text.replace("|0.125|", "|")).encode(), "has 7 fields; expected 8"),
        (broken(lambda text: text).replace("Adam", "Ad\xe4m").encode("latin-1"), "it is not in UTF-8"),
        (broken(lambda text: text).encode("utf-16"), "it is not in UTF-8"),
        (b"", "it has no records of a table 'dataflow'"),
        (b"\x00\x01SQLite format 3", "it has no records of a table 'dataflow'"),
        (b'INSERT INTO "public"."dataflow" VALUES (1, \'m\');\n', "without --inserts"),
        (broken(lambda text: text.replace('"tag" VARCHAR', '"label" VARCHAR', 1)).encode(), "has no column 'tag'"),
        (broken(lambda text: text.replace("'\\n','\"'", "'\\r\\n','\"'")).encode(), "it uses the delimiters"),
    ],
)  # fmt: skip
def test_a_file_that_is_cut_off_or_something_else_is_refused_whole(store, tmp_path, capsys, content, said):
    path = tmp_path / "d.sql"
    path.write_bytes(content)
    good = DumpText()
    good.plan("good")
    whole = write(tmp_path / "good.sql", good.text())
    assert exit_code(["import", "dfanalyzer", whole, str(path)]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not store.exists()


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.none() | st.text(st.characters(exclude_characters="\r\x00", codec="utf-8")),
            st.none() | st.floats(allow_nan=False),
        ),
        max_size=20,
    ),
    st.sampled_from("|\t"),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_every_text_and_number_comes_back(tmp_path_factory, rows, delimiter):
    dump = DumpText(delimiter)
    dump.table("t", {"text": str, "number": float}, rows, count=len(rows))
    path = tmp_path_factory.mktemp("dump") / "d.sql"
    path.write_text(dump.text(), encoding="utf-8", newline="")
    found = [row for _, records in Dump(path, lambda *_: None).records(lambda _: True) for row in records]
    assert [row[0] for row in found] == [row[0] for row in rows]
    assert [row[1] if row[1] is None else float(row[1]) for row in found] == [row[1] for row in rows]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_the_export_of_an_imported_run_is_valid_prov(imported, tmp_path, dataflow):
    history, _ = imported
    file = tmp_path / "run.json"
    command = ["export", f"{dataflow}-1", "--store", str(history.folder.path), "-o", str(file)]
    assert exit_code([*command, "--format", "json"]) == 0
    document = ProvDocument.deserialize(content=file.read_text(encoding="utf-8"), format="json")
    assert check(document) == []
    assert len(list(document.get_records())) > 400


def test_lineage_leads_from_a_late_epoch_to_the_adaptations_before_it(imported):
    history, tables = imported
    before = [row["tag"] for row in history.ancestors("alexnet-df-1-1:oTrainingModel[epoch=60]")]
    assert before.count("oTrainingModel") == 60
    changes = [row for row in tables["alexnet-df-1", "ds_oadaptation"] if float(row[4]) <= 60]
    assert before.count("oAdaptation") == len(changes) == 16
    assert "import source" in before
