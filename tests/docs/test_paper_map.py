"""The map from the paper to the code: what it names exists, and what only it shows is tested here."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import dnnprov
from dnnprov.analysis.questions import QUESTIONS

ROOT = Path(__file__).parents[2]
MAP = "docs/reference/paper-map.md"


def test_every_test_that_the_map_names_exists(page):
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", page(MAP).text)
    assert len(named) > 30
    for path, name in named:
        place = ROOT / "tests" / path
        assert place.is_file(), path
        assert re.search(rf"^def {name}\(", place.read_text(encoding="utf-8"), re.MULTILINE), f"{path}::{name}"


def test_every_module_that_the_map_names_exists(page):
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", page(MAP).text))
    assert len(named) > 15
    for path in named:
        assert (ROOT / "src/dnnprov" / path).is_file() or (ROOT / path).is_file(), path


def test_every_table_that_the_map_names_exists(page, names, store):
    with dnnprov.start_run("m"):
        pass
    rows = page(MAP).table("Classes of Fig. 3 (DNNProv-Df)")
    with dnnprov.open() as history:
        there = {row["name"] for row in history.query("SELECT name FROM sqlite_master")}
    for _, _, tables, _ in rows:
        assert names(tables) <= there, tables


def test_no_idea_of_the_paper_is_left_out(page):
    text = page(MAP).text
    classes = ["dataflow", "dataTransformation", "dataset", "dataDependency", "program", "attribute", "task", "file"]
    classes += ["i_trainingModel", "o_trainingModel", "i_adaptation", "o_adaptation", "o_testingModel"]
    rows = {row[0] for row in page(MAP).table("Classes of Fig. 3 (DNNProv-Df)")}
    assert set(classes) <= rows
    assert [row[:2] for row in page(MAP).table("Questions of Table 1, classes of Table 2")] == [
        [question.id, question.question_class] for question in QUESTIONS.values()
    ]
    for ability in ("(i)", "(ii)", "(iii)", "(iv)", "(v)"):
        assert f"| {ability} " in text


def test_the_plan_knows_which_set_goes_from_filters_to_training(store):
    with dnnprov.start_run("m") as run:
        with run.task("Filters") as filters:
            filters.generates("oFilters", filter_name="gray-scale")
        with run.task("Training", after=filters) as training:
            training.log(epoch=1, loss=1.0)
    sql = """
        SELECT p.tag AS previous, n.tag AS next, s.tag AS data_set FROM data_dependency AS d
        JOIN data_transformation AS p ON p.transformation_id = d.previous_transformation_id
        JOIN data_transformation AS n ON n.transformation_id = d.next_transformation_id
        JOIN data_set AS s ON s.data_set_id = d.data_set_id"""
    with dnnprov.open() as history:
        assert history.sql(sql) == [{"previous": "Filters", "next": "Training", "data_set": "oFilters"}]


def test_the_program_of_a_run_is_recorded(store, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--epochs", "3"])
    with dnnprov.start_run("m"):
        pass
    with dnnprov.open() as history:
        assert history.sql("SELECT path FROM program JOIN run USING (program_id)") == [{"path": "train.py"}]
