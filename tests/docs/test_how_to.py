"""Each how-to page is run: its Python in one namespace, its shell lines between, in the order of the page."""

from __future__ import annotations

import json

import pytest

import dnnprov

# Keras' own callbacks read a variable through a protocol that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PAGES = ("record-your-own-loop", "keras", "papers-face", "export-prov", "follow-lineage")


def run_page(page, shell):
    namespace = {"__name__": "__page__"}
    for block in page.blocks("python", "sh"):
        if block.language == "sh":
            shell(block.text)
        else:
            code = "\n" * block.line + block.text  # so that a traceback names the line of the page
            exec(compile(code, page.path, "exec"), namespace)
    return namespace


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_from_top_to_bottom(page, shell, workplace, name):
    run_page(page(f"docs/how-to/{name}.md"), shell)
    with dnnprov.open() as history:
        assert history.runs(status="running") == []
        assert history.query("SELECT kind, detail FROM problem") == []


def test_the_states_and_rows_that_the_page_on_loops_promises(page, shell, workplace):
    run_page(page("docs/how-to/record-your-own-loop.md"), shell)
    with dnnprov.open() as history:
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


def test_the_sets_and_techniques_that_the_page_on_keras_promises(page, shell, workplace):
    run_page(page("docs/how-to/keras.md"), shell)
    answer = json.loads(shell("dnnprov ask Q7 --dataflow small --dropout 0.4 --json"))
    (first,) = [row for row in answer if row["filter_name"] == "none"]
    assert first["num_runs"] == 4  # the first, its fine-tuning, the loop, the one with batches
    with dnnprov.open() as history:
        assert {row["technique"] for row in history.sql("SELECT technique FROM oAdaptation")} == {
            "LearningRateScheduler"
        }
        names = [row["name"] for row in history.ask("Q2", dataflow="small")]
        assert len(names) == 3
        assert history.sql("SELECT path FROM oCheckpoint")[0]["path"].endswith("best.weights.h5")
        used = "SELECT COUNT(*) AS n FROM file AS g JOIN file AS u USING (sha256) WHERE g.relation <> u.relation"
        assert history.sql(f"{used} AND g.relation = 'generated' AND g.run_id <> u.run_id") == [{"n": 1}]


def test_the_answers_that_the_page_on_the_paper_s_faces_promises(page, shell, workplace):
    run_page(page("docs/how-to/papers-face.md"), shell)
    with dnnprov.open() as history:
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


@pytest.fixture
def several_runs(workplace):
    """What the page on SQL asks: finished, diverged and adapted runs, layers, files, problems, series."""
    (workplace / "model.bin").write_bytes(b"weights")
    for number, rate in enumerate((0.0005, 0.001, 1.0)):
        with dnnprov.start_run("alexnet", params={"optimizer_name": "Adam", "learning_rate": rate}) as run:
            with run.task("Filters") as filters:
                filters.generates("oFilters", filter_name="gray-scale")
            with run.task("Training", after=filters) as training:
                training.record("iLayers", "used", [{"position": 1, "name": "d", "type": "Dropout", "rate": 0.4}])
                for epoch in range(1, 5):
                    if epoch == 3 and number == 1:
                        run.set_params(learning_rate=rate / 2)
                    loss = float("nan") if number == 2 and epoch > 2 else 1 / (epoch + number)
                    training.log(epoch=epoch, loss=loss, accuracy=0.1 * epoch + 0.1 * number, elapsed_time=1.0)
                    run.log(epoch=epoch, batch_loss=1 / epoch)
                training.generates_file("model.bin", role="model")
            with run.task("Testing", after=training) as testing:
                testing.log(accuracy=0.5 + 0.1 * number)
    with dnnprov.start_run("alexnet", params={"learning_rate": "fast"}):
        pass


def test_every_query_of_the_page_on_sql_has_an_answer(page, several_runs):
    blocks = page("docs/how-to/ask-with-sql.md").blocks("sql")
    assert len(blocks) >= 8
    with dnnprov.open() as history:
        for block in blocks:
            assert len(history.sql(block.text)), f"line {block.line} answers nothing: {block.text}"


def test_the_commands_of_the_page_on_sql_work(page, shell, several_runs):
    run_page(page("docs/how-to/ask-with-sql.md"), shell)
