"""What a picture shows, as tuples, and that Graphviz draws it: without a `dot` on the PATH, whatever the names."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dnnprov
from dnnprov.export import drawing
from dnnprov.export.arranging import picture
from dnnprov.export.drawing import draw
from dnnprov.export.folding import folded
from dnnprov.export.picture import Edge, Node, Note, Picture
from dnnprov.export.prov_document import prov_document
from export.recordings import exported, facts_of, record_paper_run, record_two_techniques

SVG = "{http://www.w3.org/2000/svg}"


def shown(store, *, full=False):
    facts = facts_of(store)
    return picture(prov_document(facts if full else folded(facts)))


def node(pic, title):
    (found,) = [node for node in pic.nodes if node.title == title]
    return found


def edges(pic):
    titles = {node.key: (node.title, *node.lines[:1]) for node in pic.nodes}
    return {(titles[edge.source][0], edge.relation, titles[edge.target][0]) for edge in pic.edges}


def texts(svg):
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_the_paper_run_is_drawn_with_its_parts_and_relations(store):
    record_paper_run(store, epochs=40, adapt_at=(10, 30), name="paper")
    pic = shown(store)
    assert pic.title == "paper, finished"
    assert node(pic, "paper").kind == "activity"
    assert node(pic, "LearningRateScheduler").kind == "agent"
    assert node(pic, "oFilters") == Node(node(pic, "oFilters").key, "entity", "oFilters", ("filter_name gray-scale",))
    lines = [one.lines for one in pic.nodes if one.title == "oTrainingModel"]
    assert lines[0][:2] == ("epochs 1-9", "loss 3 → 0.3333")
    assert edges(pic) >= {
        ("Training", "used", "iTrainingModel"),
        ("Training", "used", "oAdaptation"),
        ("Training", "wasInformedBy", "Filters"),
        ("Filters", "wasStartedBy", "paper"),
        ("Adaptation", "used", "oTrainingModel"),
        ("oAdaptation", "wasGeneratedBy", "Adaptation"),
        ("oTrainingModel", "wasDerivedFrom", "oAdaptation"),
        ("Testing", "used", "model.keras"),
        ("paper", "hadPlan", "alexnet"),
        ("dnnprov", "actedOnBehalfOf", edges_target(pic, "actedOnBehalfOf")),
    }
    assert len(pic.nodes) + len(pic.notes) <= 40


def edges_target(pic, relation):
    (target,) = {edge.target for edge in pic.edges if edge.relation == relation}
    return next(node.title for node in pic.nodes if node.key == target)


def test_hyperparameters_stand_in_a_note(store):
    record_paper_run(store)
    pic = shown(store)
    (note,) = [note for note in pic.notes if note.of == node(pic, "iTrainingModel").key]
    assert ("learning_rate", "0.002") in note.rows


def test_edges_without_those_that_go_back_make_no_circle(store):
    record_paper_run(store, epochs=6, adapt_at=(2, 4, 6))
    pic = shown(store)
    below = {}
    for edge in pic.edges:
        if not edge.is_back:
            below.setdefault(edge.source, set()).add(edge.target)
    done, open_nodes = set(), set()

    def visit(key):
        assert key not in open_nodes
        if key not in done:
            open_nodes.add(key)
            for cause in below.get(key, ()):
                visit(cause)
            open_nodes.discard(key)
            done.add(key)

    for one in pic.nodes:
        visit(one.key)
    assert any(edge.is_back for edge in pic.edges)


def test_full_draws_every_epoch(store):
    record_paper_run(store, epochs=20, adapt_at=(10,))
    few = [node for node in shown(store).nodes if node.title == "oTrainingModel"]
    all_epochs = [node for node in shown(store, full=True).nodes if node.title == "oTrainingModel"]
    assert (len(few), len(all_epochs)) == (2, 20)
    drawn = texts(exported(store, "svg", full=True))
    assert [f"epoch {n}" in drawn for n in range(1, 21)] == [True] * 20


def test_a_running_and_a_crashed_run_say_so_in_the_title(store):
    run = dnnprov.start_run("d", store=store, name="live")
    assert "live, running" in texts(exported(store, "svg"))
    run.finish("failed", "ValueError: no")
    assert {"live, failed", "ValueError: no"} <= set(texts(exported(store, "svg")))


def test_the_svg_has_the_shapes_and_colours_of_prov(store):
    record_paper_run(store)
    root = ET.fromstring(exported(store, "svg"))
    shapes = {
        "ellipse": {shape.get("fill") for shape in root.iter(f"{SVG}ellipse")},
        "polygon": {shape.get("fill") for shape in root.iter(f"{SVG}polygon")},
    }
    assert shapes["ellipse"] == {"#fffc87"}
    assert {"#9fb1fc", "#fed37f"} <= shapes["polygon"]
    pentagons = [s for s in root.iter(f"{SVG}polygon") if s.get("fill") == "#fed37f"]
    assert {len(pentagon.get("points").split()) for pentagon in pentagons} == {6}, "a closed path of five corners"


def test_the_svg_needs_nothing_from_elsewhere_and_runs_nothing(store):
    record_paper_run(store, name="<script>alert(1)</script>")
    svg = exported(store, "svg").decode()
    root = ET.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "g", "title", "text", "polygon", "polyline", "path", "ellipse",
    }  # fmt: skip
    assert not re.search(r"\s(xlink:href|href|src|style|on\w+)=|url\(", svg.partition("<svg")[2])
    assert any("<script>alert(1)</script>" in text for text in texts(svg))


def test_pictures_are_drawn_without_graphviz_on_the_path(store, monkeypatch, tmp_path, capfd):
    record_paper_run(store)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert exported(store, "png").startswith(b"\x89PNG\r\n\x1a\n")
    assert capfd.readouterr() == ("", "")


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["", "\\N", "<b>", "<", "&lt;", "&#0;", '"', "\x00", "a\nb", "]]>", "-->", "\u202e", "label=<x>", "\ufffe", "\\"]
)


@settings(max_examples=15, deadline=None)
@given(st.lists(HOSTILE, min_size=6, max_size=6))
def test_hostile_words_are_drawn_as_they_are(words):
    from dnnprov.export.picture_words import short

    title, first, second, line, name, value = map(short, words)
    pic = Picture(
        title,
        (Node("run:a", "entity", first, (line,)), Node("run:b", "activity", second, ())),
        (Edge("run:a", "run:b", "wasGeneratedBy"),),
        (Note("run:a", ((name, value),)),),
    )
    drawn = texts(draw(pic, "svg"))
    for word in (title, first, second, line, name, value):
        assert " ".join(word.split()) in [" ".join(text.split()) for text in [*drawn, ""]]


def test_the_values_of_a_note_stand_apart_from_their_names():
    pic = Picture("", (Node("run:a", "entity", "a", ()),), (), (Note("run:a", (("i", "value"),)),))
    places = {text.text: text for text in ET.fromstring(draw(pic, "svg")).iter(f"{SVG}text")}
    # An "i" of 9 points is some 3 wide.
    assert float(places["value"].get("x")) - float(places["i"].get("x")) > 12


def test_a_checkpoint_that_was_overwritten_says_how_often(store, tmp_path):
    with dnnprov.start_run("d", store=store) as run, run.task("Training") as training:
        for n in range(1, 5):
            (tmp_path / "best.keras").write_bytes(b"x" * n)
            training.generates_file(tmp_path / "best.keras", role="checkpoint")
    assert node(shown(store), "best.keras").lines == ("checkpoint", "4 bytes", "4 versions")


def test_a_folded_adaptation_tells_no_beginning_that_was_not_its_own(store):
    record_two_techniques(store)
    lines = {one.lines for one in shown(store).nodes if one.title == "oAdaptation"}
    assert ("2 adaptations", "learning_rate → 0.0125", "LearningRateScheduler") in lines


def test_several_filters_are_told_by_their_names(store):
    with dnnprov.start_run("d", store=store) as run, run.task("Filters") as filters:
        for number in range(3):
            filters.generates("oFilters", filter_name=f"a filter of number {number}")
    lines = node(shown(store), "oFilters").lines
    assert " ".join(lines) == "filter_name " + ", ".join(f"a filter of number {number}" for number in range(3))
    assert max(map(len, lines)) <= 44


def test_what_changed_nothing_is_not_called_an_adaptation(store):
    with dnnprov.start_run("d", store=store) as run, run.task("Training") as training:
        for epoch in range(1, 10):
            new = 0.05 if epoch == 5 else 0.1
            run.adapt(dnnprov.Change("learning_rate", 0.1, new, epoch=epoch, technique="Step"), training)
            training.log(epoch=epoch, loss=1.0)
    lines = [one.lines for one in shown(store).nodes if one.title == "oAdaptation"]
    assert lines == [("learning_rate 0.1 → 0.05", "Step", "from epoch 5")]


def test_a_failure_of_the_engine_is_answered_with_the_plain_layout(monkeypatch):
    pic = Picture("t", (Node("run:a", "entity", "a", ()),), (), ())
    asked = []
    attempt = drawing._attempt

    def failing(pic, graphviz_format, quality, seconds):
        asked.append(quality)
        return attempt(pic, "no-such-format" if quality == "fine" else graphviz_format, quality, seconds)

    monkeypatch.setattr(drawing, "_attempt", failing)
    assert b"<svg" in draw(pic, "svg")
    assert asked == ["fine", "plain"]


def test_an_engine_that_cannot_says_what_it_could_not():
    with pytest.raises(dnnprov.DnnprovError, match="could not draw 0 nodes as no-such-format"):
        draw(Picture("t", (), (), ()), "no-such-format")


@pytest.mark.slow
def test_a_thousand_epochs_in_full_are_drawn_in_seconds(store):
    record_paper_run(store, epochs=1000, adapt_at=range(100, 1000, 100))
    assert texts(exported(store, "svg", full=True)).count("oTrainingModel") == 1000


def test_a_note_has_the_name_of_a_file_and_no_folders(store):
    with dnnprov.start_run("d") as run:
        run.task("Training").generates("oCheckpoint", epoch=3, path="/somewhere/far/model.keras", role="model")
    drawn = exported(store, "svg").decode()
    assert "model.keras" in drawn
    assert "/somewhere" not in drawn
