"""Each how-to page is run: its Python in one namespace, its shell lines between, in the order of the page."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

import dnnprov
from dnnprov.analysis.questions import QUESTIONS
from dnnprov.cli.main import exit_code
from dnnprov.integrations import autologging
from dnnprov.integrations.torch import recordings

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROOT = Path(__file__).parents[2]
SHARED_DATA = Path(os.environ.get("DNNPROV_DATA") or ROOT.parent / "shared" / "data")
PAGES = sorted(path.stem for path in (ROOT / "docs/how-to").glob("*.md"))
WITH_MORE_TO_CHECK = (
    "add-a-question", "add-an-integration", "ask-with-sql", "cluster", "import", "keep-a-store", "keras",
    "lightning", "move-from-dfanalyzer", "other-tools", "pandas", "papers-face", "pytorch", "record-your-own-loop",
    "transformers",
)  # fmt: skip
"""Pages that a test of their own runs."""

NOTEBOOK = "notebook"  # test_notebook.py runs it, in kernels


@pytest.mark.parametrize("name", [name for name in PAGES if name not in {*WITH_MORE_TO_CHECK, NOTEBOOK}])
def test_a_page_runs_from_top_to_bottom(page, run_page, name):
    run_page(page(f"docs/how-to/{name}.md"))


def test_pages_that_are_checked_further_are_run_by_a_test():
    here = Path(__file__).read_text(encoding="utf-8")
    assert set(WITH_MORE_TO_CHECK) <= set(PAGES)
    assert all(f'("docs/how-to/{name}.md")' in here for name in WITH_MORE_TO_CHECK)


def assert_all_went_well(history):
    assert history.runs(status="running") == []
    assert history.query("SELECT kind, detail FROM problem") == []


def test_the_states_and_rows_that_the_page_on_loops_promises(page, run_page):
    run_page(page("docs/how-to/record-your-own-loop.md"))
    with dnnprov.open() as history:
        assert_all_went_well(history)
        filters = history.ask("Q7", dataflow="alexnet")
        assert [row["filter_name"] for row in filters] == ["gray-scale", "none"]
        changes = history.sql("SELECT epoch, technique, new_value FROM oAdaptation ORDER BY adaptation_id")
        assert changes == [
            {"epoch": 2, "technique": "manual", "new_value": 0.001},
            {"epoch": 3, "technique": "StepDecay", "new_value": 0.0005},
        ]
        assert history.sql("SELECT learning_rate, batch_size FROM iTrainingModel WHERE batch_size IS NOT NULL") == [
            {"learning_rate": 0.002, "batch_size": 32}
        ]
        assert history.query("SELECT COUNT(*) AS n FROM run WHERE parent_run_id IS NOT NULL") == [{"n": 2}]
        assert all(row["sha256"] for row in history.query("SELECT sha256 FROM file"))
        resumed = history.query("SELECT run_id FROM process WHERE attempt = 1")[0]["run_id"]
        assert history.query("SELECT last_epoch FROM run WHERE run_id = ?", (resumed,)) == [{"last_epoch": 2}]


def hyperparameters_of(history, dataflow):
    (row,) = history.sql(
        "SELECT i.* FROM iTrainingModel i JOIN run USING (run_id) JOIN dataflow d USING (dataflow_id)"
        " WHERE d.tag = ? ORDER BY run_id LIMIT 1",
        [dataflow],
    )
    return row


@pytest.mark.filterwarnings("ignore:.*treespec", "ignore:.*does not have many workers", "ignore:The number of training")
@pytest.mark.filterwarnings("ignore:You defined a `validation_step`", "ignore:Checkpoint directory")
def test_the_sets_and_techniques_that_the_page_on_lightning_promises(page, run_page, autolog_off):
    run_page(page("docs/how-to/lightning.md"))
    with dnnprov.open() as history:
        assert history.query("SELECT kind, detail FROM problem") == []
        unfinished = {row["dataflow"] for row in history.runs(status="running")}
        assert unfinished <= {"automatic"}  # which lasts as long as its module
        assert {row["technique"] for row in history.sql("SELECT technique FROM oAdaptation")} == {"StepLR"}
        assert [row["dataflow"] for row in history.runs()] == ["small", "automatic", "small", "small"]
        assert [row["tag"] for row in history.sql("SELECT tag FROM task WHERE tag = 'Testing'")] == ["Testing"]
        told = hyperparameters_of(history, "small")
        shown = page("docs/how-to/lightning.md").section("Hyperparameters")
        columns = [name for name in told if f"`{name}`" in shown]
        assert {"optimizer_name", "batch_size", "num_epochs", "dropout", "loss_function", "seed"} <= set(columns)
        assert history.ask("Q7", dataflow="small", dropout=0.4)


@pytest.mark.filterwarnings("ignore:.*treespec", "ignore:.*pin_memory")
def test_the_sets_and_techniques_that_the_page_on_transformers_promises(page, run_page, autolog_off):
    run_page(page("docs/how-to/transformers.md"))
    with dnnprov.open() as history:
        assert history.query("SELECT kind, detail FROM problem") == []
        unfinished = {row["dataflow"] for row in history.runs(status="running")}
        assert unfinished <= {"automatic"}  # which lasts as long as its model
        assert history.query("SELECT DISTINCT technique FROM oAdaptation") == [{"technique": "linear"}]
        warm_up = "SELECT DISTINCT dataflow, num_warmup_steps FROM iAdaptation JOIN run_overview USING (run_id)"
        assert {tuple(row.values()) for row in history.query(warm_up)} >= {("words", 2)}
        rows = history.sql("SELECT dataflow FROM run_overview ORDER BY run_id")
        assert [row["dataflow"] for row in rows] == ["words", "line", "automatic"]
        told = hyperparameters_of(history, "words")
        assert (told["learning_rate"], told["num_epochs"], told["batch_size"]) == (0.01, 3, 16)
        assert history.sql("SELECT COUNT(*) AS n FROM oTestingModel")[0]["n"] == 2  # a predict, an evaluate


def test_the_sets_and_techniques_that_the_page_on_keras_promises(page, run_page, shell):
    run_page(page("docs/how-to/keras.md"))
    answer = json.loads(shell("dnnprov ask Q7 --dataflow small --dropout 0.4 --json"))
    (first,) = [row for row in answer if row["filter_name"] == "none"]
    assert first["num_runs"] == 4  # the first, its fine-tuning, the loop, the one with batches
    with dnnprov.open() as history:
        assert_all_went_well(history)
        assert {row["technique"] for row in history.sql("SELECT technique FROM oAdaptation")} == {
            "LearningRateScheduler"
        }
        names = [row["name"] for row in history.ask("Q2", dataflow="small")]
        assert len(names) == 3
        assert history.sql("SELECT path FROM oCheckpoint")[0]["path"].endswith("best.weights.h5")
        used = "SELECT COUNT(*) AS n FROM file AS g JOIN file AS u USING (sha256) WHERE g.relation <> u.relation"
        assert history.sql(f"{used} AND g.relation = 'generated' AND g.run_id <> u.run_id") == [{"n": 1}]


def test_the_runs_and_rows_that_the_page_on_pytorch_promises(page, run_page):
    run_page(page("docs/how-to/pytorch.md"))
    autologging._settings.take("", {})
    recordings._finish_all()  # as at exit
    with dnnprov.open() as history:
        assert_all_went_well(history)
        runs = history.sql("SELECT run_id, dataflow, last_epoch FROM run_overview ORDER BY run_id")
        assert [(row["dataflow"], row["last_epoch"]) for row in runs] == [
            ("small", 4), ("small", 2), ("watched", 2), ("small", 1)
        ]  # fmt: skip
        changes = history.sql("SELECT run_id, epoch, technique FROM oAdaptation")
        assert [tuple(row.values()) for row in changes] == [(1, 3, "StepLR")]
        rows = history.sql(
            "SELECT run_id, epoch, loss, val_loss, val_accuracy, seen FROM oTrainingModel ORDER BY run_id, epoch"
        )
        assert all(row["loss"] > 0 for row in rows)
        assert [row["val_loss"] is not None for row in rows] == [True] * 4 + [False] * 5
        assert [row["val_accuracy"] is not None for row in rows] == [False] * 4 + [True] * 2 + [False] * 3
        assert [row["seen"] for row in rows] == [None] * 6 + [240] * 2 + [None]
        assert len(history.sql("SELECT loss FROM oTestingModel WHERE loss IS NOT NULL")) == 1
        assert history.sql("SELECT filter_name, parameters FROM oFilters") == [
            {"filter_name": "Scale", "parameters": '{"factor": 0.5}'}
        ]
        used = "SELECT COUNT(*) AS n FROM file AS g JOIN file AS u USING (sha256) WHERE g.relation = 'generated'"
        assert history.sql(f"{used} AND u.relation = 'used' AND g.run_id <> u.run_id") == [{"n": 1}]


def test_the_answers_that_the_page_on_the_paper_s_faces_promises(page, run_page):
    run_page(page("docs/how-to/papers-face.md"))
    with dnnprov.open() as history:
        assert_all_went_well(history)
        changes = [(row["epoch"], row["technique"], row["old_value"]) for row in history.ask("Q6", dataflow="flowers")]
        assert changes == [(5, "StepLR", 0.02)]
        filters = {row["filter_name"] for row in history.ask("Q7", dataflow="flowers", dropout=0.4)}
        assert filters == {"none", "gray-scale"}
        assert history.ask("Q8", dataflow="flowers")[1]["filter_name"] == "gray-scale"
        sql = "SELECT version FROM dataflow_version JOIN dataflow USING (dataflow_id) WHERE tag = 'flowers'"
        versions = history.sql(sql)
        assert [row["version"] for row in versions] == [1, 2]
        assert {row["technique"] for row in history.ask("Q6", dataflow="alexnet")} == {"LearningRateScheduler"}
        assert history.sql("SELECT growth_rate FROM iDenseBlock") == [{"growth_rate": 12}]


def test_every_query_of_the_page_on_sql_has_an_answer(page, several_runs):
    blocks = page("docs/how-to/ask-with-sql.md").blocks("sql")
    assert len(blocks) >= 8
    with dnnprov.open() as history:
        for block in blocks:
            assert len(history.sql(block.text)), f"line {block.line} answers nothing: {block.text}"


def test_the_commands_of_the_page_on_sql_work(page, run_page, several_runs):
    run_page(page("docs/how-to/ask-with-sql.md"))


def test_the_frames_that_the_page_on_pandas_promises(page, run_page, workplace):
    import pandas as pd

    shown = run_page(page("docs/how-to/pandas.md"))
    assert list(shown["best"]["optimizer_name"]) == ["Adam", "SGD"]
    assert shown["grid"].shape == (2, 3)
    assert shown["curves"].shape == (10, 6)
    assert list(shown["effect"]["epoch"]) == [6, 6]
    assert (shown["effect"]["loss_after"] < shown["effect"]["loss_before"]).all()
    assert pd.api.types.is_datetime64_any_dtype(shown["frame"]["started_at"])
    assert len(pd.read_parquet(workplace / "epochs.parquet")) == 60


def test_every_query_of_the_page_on_other_tools_runs_without_dnnprov(page, run_page, for_grafana):
    here = page("docs/how-to/other-tools.md")
    run_page(here)
    database = sqlite3.connect("file:.dnnprov/provenance.db?mode=ro", uri=True)
    queries = [for_grafana(block.text) for block in here.blocks("sql")]
    assert len(queries) >= 5
    for query in queries:
        found = database.execute(query)
        times = [row[0] for row in found] if found.description[0][0] == "time" else []
        assert all(datetime.fromisoformat(time).tzinfo for time in times), query  # RFC 3339, as the plugin wants
        assert database.execute(query).fetchall(), f"answers nothing: {query}"
        if shutil.which("sqlite3"):
            command = ["sqlite3", "-readonly", ".dnnprov/provenance.db", query]
            assert subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    database.close()


def test_the_page_on_clusters_records_from_many_processes_and_puts_stores_together(page, run_page, shell):
    output = run_page(page("docs/how-to/cluster.md")) and shell("dnnprov --store home/provenance runs --json")
    runs = json.loads(output)
    assert sorted(row["learning_rate"] for row in runs) == [0.0005, 0.0005, 0.001, 0.002]
    assert {row["status"] for row in runs} == {"finished"}
    assert max(row["last_epoch"] for row in runs) == 11
    assert not (page("README.md").path.parent / "provenance").exists()


def test_the_integration_of_the_page_records_epochs_layers_and_adaptations(page, run_page):
    run_page(page("docs/how-to/add-an-integration.md"))
    with dnnprov.open() as history:
        assert_all_went_well(history)
        changes = [(row["epoch"], row["technique"], row["new_value"]) for row in history.ask("Q6", dataflow="line")]
        assert changes == [(3, "StepDecay", 0.025), (5, "StepDecay", 0.0125)]
        assert len(history.ask("Q3", dataflow="line")) == 5
        assert history.sql("SELECT seed, num_epochs, learning_rate FROM iTrainingModel") == [
            {"seed": 1, "num_epochs": 5, "learning_rate": 0.05}
        ]
        assert [row["type"] for row in history.ask("Q2", dataflow="line")] == ["Line"]
        assert len(history.sql("SELECT loss FROM oTestingModel")) == 1


def test_the_activation_of_the_page_records_trainers_as_long_as_they_live_and_those_with_an_observer_once(
    page, run_page
):
    shown = run_page(page("docs/how-to/add-an-integration.md"))
    settings = autologging.Settings()
    settings.take("automatic", {"line": True})
    shown["activate"](settings)
    trainer = shown["Trainer"](rate=0.05).fit([(1.0, 2.0)], epochs=2)
    observer = shown["ProvenanceObserver"]("by hand")
    told = shown["Trainer"](rate=0.05, observers=[observer]).fit([(1.0, 2.0)], epochs=3)
    assert told.observers == [observer]
    observer.finish()
    settings.take("automatic", {"line": False})
    assert shown["Trainer"]().observers == []
    with dnnprov.open() as history:
        assert [row["dataflow"] for row in history.runs(status="running")] == ["automatic"]
        del trainer
        assert_all_went_well(history)
        runs = history.sql("SELECT dataflow, last_epoch FROM run_overview ORDER BY run_id")
        assert [tuple(row.values()) for row in runs] == [("line", 5), ("automatic", 2), ("by hand", 3)]


def test_a_failure_in_the_integration_of_the_page_leaves_the_training_alone(page, run_page):
    shown = run_page(page("docs/how-to/add-an-integration.md"))
    trainer = shown["Trainer"](observers=[shown["ProvenanceObserver"]("line")])
    trainer.layers = None
    assert trainer.fit([(1.0, 2.0)], epochs=2).weight > 0
    trainer.observers[0].finish()
    with dnnprov.open() as history:
        assert [row["kind"] for row in history.sql("SELECT kind FROM problem")] == ["capture_failure"]


def test_the_question_of_the_page_is_asked_on_the_command_line_too(page, run_page, monkeypatch, capsys):
    monkeypatch.setitem(QUESTIONS, "Q9", None)  # so that it is gone afterwards
    run_page(page("docs/how-to/add-a-question.md"))
    capsys.readouterr()
    assert exit_code(["ask", "q9", "--top", "3", "--json"]) == 0
    assert [row["num_runs"] for row in json.loads(capsys.readouterr().out)] == [2, 1]
    assert exit_code(["ask", "Q9", "--top", "0"]) == 2


def test_the_page_on_keeping_packs_rebuilds_and_removes_nothing_without_an_answer(
    page, run_page, several_runs, shell, workplace
):
    run_page(page("docs/how-to/keep-a-store.md"))  # its last command would ask, and finds no terminal
    assert len(json.loads(shell("dnnprov runs --json"))) == 4
    shell("mkdir elsewhere && tar -xf store.tar -C elsewhere")
    assert len(json.loads(shell("dnnprov --store elsewhere/.dnnprov runs --json"))) == 4
    assert not (workplace / "elsewhere/.dnnprov/follower.lock").exists()


def test_the_page_on_imports_imports_what_it_shows(page, run_page):
    run_page(page("docs/how-to/import.md"))
    with dnnprov.open() as history:
        changes = history.ask("Q6", dataflow="alexnet")
        assert [(row["run"], row["epoch"], row["technique"]) for row in changes] == [("flowers-2020", 6, "inferred")]


def test_the_page_on_moving_shows_what_the_real_dump_answers(page, shell, workplace):
    dump = SHARED_DATA / "dfanalyzer-alexnet.sql"
    if not dump.is_file():
        pytest.skip(f"the dump is not at {dump}; set DNNPROV_DATA to its folder")
    shutil.copy(dump, workplace)
    said, num_shown = "", 0
    for block in page("docs/how-to/move-from-dfanalyzer.md").blocks("sh", "text", "sql"):
        if block.language == "sh":
            said = shell(block.text)
        elif block.language == "text":
            num_shown += 1
            assert [line.rstrip() for line in block.text.splitlines()] == [line.rstrip() for line in said.splitlines()]
        else:
            with dnnprov.open() as history:
                answer = history.sql(block.text)
            assert len(answer) == (20 if "LAG" in block.text else 4)
    assert num_shown == 2
