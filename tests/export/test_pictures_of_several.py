"""Pictures of several runs: a frame each, or a node each where there are many; and what a PDF is made of."""

import re
import zlib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import dnnprov
from dnnprov.export.contents import Contents, Part
from dnnprov.export.exporting import export
from dnnprov.export.formats import FORMATS
from dnnprov.export.pictures import MAX_FRAMES, picture_of
from dnnprov.export.plan_facts import together
from export.recordings import export_of, exported, facts_of, record_paper_run

SVG = "{http://www.w3.org/2000/svg}"


def picture(store, *runs, part=Part.ALL, full=False):
    facts = tuple(facts_of(store, run) for run in runs)
    return picture_of(Contents(facts, together(one.plan for one in facts), len(runs) == 1, part), full=full)


@pytest.fixture
def two_runs(store, tmp_path):
    record_paper_run(store, name="first", epochs=20)
    with dnnprov.start_run("alexnet", store=store, name="tuned", params={"learning_rate": 0.1}) as run:
        with run.task("Training") as training:
            training.uses_file(tmp_path / "model.keras", role="weights")
            for epoch in range(1, 21):
                training.log(epoch=epoch, loss=1 / epoch)
    return store


def test_each_run_has_a_frame_with_its_nodes_and_its_status(two_runs):
    pic = picture(two_runs, "first", "tuned")
    assert [group.title for group in pic.groups] == ["first, finished", "tuned, finished"]
    names = {group.key: group.title.partition(",")[0] for group in pic.groups}
    framed = {(names.get(node.group), node.title) for node in pic.nodes}
    assert {("first", "Filters"), ("first", "oTestingModel"), ("tuned", "Training"), (None, "alexnet")} <= framed
    assert ("tuned", "Filters") not in framed


def test_a_frame_is_brief(two_runs):
    pic = picture(two_runs, "first", "tuned")
    epochs = [node for node in pic.nodes if node.title == "oTrainingModel"]
    assert [node.lines[0] for node in epochs] == ["epochs 1-20", "epochs 1-20"]
    assert not {"environment", "batch_loss", "iLayers"} & {node.title for node in pic.nodes}
    assert len(picture(two_runs, "first", "tuned", full=True).nodes) > 40


def test_a_file_of_one_run_leads_from_the_frame_of_another(two_runs):
    pic = picture(two_runs, "first", "tuned")
    frames = {node.key: node.group for node in pic.nodes}
    across = {edge.relation for edge in pic.edges if frames[edge.source] and frames[edge.target] != frames[edge.source]}
    assert "wasDerivedFrom" in across


def test_a_run_alone_says_which_task_of_another_run_made_what_it_used(two_runs):
    pic = picture(two_runs, "tuned")
    titles = {node.key: node.title for node in pic.nodes}
    made = {(titles[one.source], titles[one.target]) for one in pic.edges if one.relation == "wasGeneratedBy"}
    assert ("model.keras", "Training of first") in made
    assert {node.lines[0] for node in pic.nodes if node.title == "model.keras"} == {"weights", "model"}


def test_what_happened_alone_has_no_plan_in_its_picture(two_runs):
    assert "alexnet" not in {node.title for node in picture(two_runs, "first", "tuned", part=Part.RUNS).nodes}
    assert "alexnet" not in {node.title for node in picture(two_runs, "first", part=Part.RUNS).nodes}


def test_the_svg_draws_frames_and_their_titles(two_runs):
    root = ET.fromstring(export_of(two_runs, "svg", "first", "tuned"))
    frames = [one for one in root.iter(f"{SVG}g") if one.get("class") == "cluster"]
    titles = {"".join(text.itertext()) for frame in frames for text in frame.iter(f"{SVG}text")}
    assert titles == {"first, finished", "tuned, finished"}


def test_frames_stand_in_the_order_of_the_runs(store):
    for name in ("one", "two", "three", "four"):
        record_paper_run(store, name=name, epochs=3, adapt_at=())
    for order in (["one", "two", "three", "four"], ["three", "one", "four"]):
        root = ET.fromstring(export_of(store, "svg", *order))
        frames = [one for one in root.iter(f"{SVG}g") if one.get("class") == "cluster"]
        places = {"".join(next(one.iter(f"{SVG}text")).itertext()): next(one.iter(f"{SVG}text")) for one in frames}
        found = sorted(places, key=lambda title: float(places[title].get("x")))
        assert found == [f"{name}, finished" for name in order]
        assert "above-0" not in {"".join(text.itertext()) for text in root.iter(f"{SVG}text")}


def test_the_title_of_several_runs_names_their_dataflow(two_runs):
    assert picture(two_runs, "first", "tuned").title == "alexnet: 2 runs"


def test_many_runs_are_a_node_each_with_what_tells_them_apart(store):
    names = [f"run {number}" for number in range(MAX_FRAMES + 1)]
    parent = None
    for number, name in enumerate(names):
        parameters = {"learning_rate": number / 10, "optimizer_name": "Adam"}
        with dnnprov.start_run("alexnet", store=store, name=name, params=parameters, parent=parent) as run:
            with run.task("Filters") as filters:
                filters.generates("oFilters", filter_name="gray-scale")
            with run.task("Training", after=filters) as training:
                training.log(epoch=1, accuracy=0.5)
                if number == 1:
                    run.adapt(dnnprov.Change("learning_rate", 0.1, 0.05, epoch=2, technique="halving"), training)
                training.log(epoch=2, accuracy=0.25)
        parent = run
    pic = picture(store, *names)
    assert pic.groups == ()
    assert pic.title == "alexnet: 5 runs"
    lines = {node.title: node.lines for node in pic.nodes if node.kind == "activity"}
    assert lines["run 1"] == (
        "learning_rate 0.1", "oFilters gray-scale", "1 × halving", "2 epochs", "best accuracy 0.5",
    )  # fmt: skip
    titles = {node.key: node.title for node in pic.nodes}
    edges = {(titles[edge.source], edge.relation, titles[edge.target]) for edge in pic.edges}
    assert ("run 1", "wasStartedBy", "run 0") in edges
    assert ("run 1", "hadPlan", "alexnet") in edges
    svg = export_of(store, "svg", dataflow="alexnet")
    assert [f">{name}<".encode() in svg for name in names] == [True] * len(names)


def test_a_picture_in_pdf_is_one_page_of_text_in_fonts_of_its_own(store):
    record_paper_run(store, name="paper", epochs=40)
    pdf = exported(store, "pdf")
    objects = pdf + b"".join(_unpacked(pdf))
    assert len(re.findall(rb"/Type /Page\b", objects)) == 1
    assert objects.count(b"/FontFile") >= 1, "the glyphs come with it"
    assert objects.count(b"/ToUnicode") >= 1, "so that its text can be found and copied"


def test_the_how_to_says_how_many_runs_have_frames():
    page = (Path(__file__).parents[2] / "docs/how-to/export-prov.md").read_text(encoding="utf-8")
    assert f"Up to {MAX_FRAMES} runs are drawn in a frame each" in page


def _unpacked(pdf):
    for found in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            yield zlib.decompress(found[1])
        except zlib.error:  # not compressed
            yield found[1]


@pytest.mark.parametrize("format_name", [one.name for one in FORMATS.values() if one.is_picture])
@pytest.mark.parametrize("part", list(Part))
def test_hostile_names_are_drawn_in_every_kind_of_picture(store, format_name, part):
    for name in ('<b>&"x" \\N \x00', "]]> ünï \u202e 名"):
        with dnnprov.start_run("<script>", store=store, name=name) as run, run.task("a -> b; {}") as task:
            task.generates("o<x>", **{"a\nb": "\x00\\N", "": "'"})
    with dnnprov.open(store) as history:
        assert len(export(history, (), format_name, dataflow="<script>", part=part).content) > 1000
