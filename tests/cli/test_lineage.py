"""`dnnprov lineage`: tables, JSON, pictures and errors, as a person sees them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from html import unescape

import click
import pytest
from click.shell_completion import BashComplete

import dnnprov
from dnnprov.cli.main import cli, exit_code
from dnnprov.export.lineage_picture import lineage_picture
from export.recordings import record_paper_run


@pytest.fixture
def run_cli(capsysbinary):
    def run(*arguments):
        code = exit_code([str(argument) for argument in arguments])
        captured = capsysbinary.readouterr()
        return code, captured.out.decode(), captured.err.decode()

    return run


@pytest.fixture
def paper_run(store):
    record_paper_run(store, epochs=12, adapt_at=(4, 8))
    return store


@pytest.fixture
def fine_tuned(paper_run):
    """A second run, that trains on from the model of the first."""
    with dnnprov.start_run("alexnet", name="fine") as run:
        with run.task("Training") as training:
            training.uses_file(paper_run.parent / "model.keras", role="model")
            training.log(epoch=1, loss=0.1)
    return paper_run


def test_both_directions_are_printed_one_after_the_other_with_long_series_folded(fine_tuned, run_cli):
    code, out, err = run_cli("lineage", "alexnet-1:Training")
    assert (code, err) == (0, "")
    above, below = out.split("descendants of alexnet-1:Training")
    assert above.startswith("ancestors of alexnet-1:Training\n")
    assert "alexnet-1:oFilters" in above
    assert "12 rows, epochs 1 to 12" in below
    assert "fine" in below
    _, full, _ = run_cli("lineage", "alexnet-1:Training", "--descendants", "--full")
    assert full.count("alexnet-1:oTrainingModel[epoch=") == 12


def test_json_is_a_flat_list_with_every_row_and_its_direction(fine_tuned, run_cli):
    _, out, _ = run_cli("lineage", "alexnet-1:Training", "--json")
    rows = json.loads(out)
    assert {row["direction"] for row in rows} == {"ancestors", "descendants"}
    assert sum(row["tag"] == "oTrainingModel" for row in rows if row["direction"] == "descendants") == 13
    _, out, _ = run_cli("lineage", "fine", "--ancestors", "--kind", "run", "--json")
    assert [row["name"] for row in json.loads(out)] == ["alexnet-1"]
    _, out, _ = run_cli("lineage", "fine", "--descendants", "--depth", "1", "--json")
    assert {row["distance"] for row in json.loads(out)} == {1}
    assert json.loads(run_cli("lineage", "alexnet-1:oTestingModel", "--descendants", "--json")[1]) == []


def test_a_way_is_printed_in_its_order_and_none_is_said(fine_tuned, run_cli):
    code, out, _ = run_cli("lineage", "fine", "--to", "alexnet-1:iFilters")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "fine stands on alexnet-1:iFilters"
    assert [line.split()[0] for line in lines[3:]] == [str(number) for number in range(len(lines) - 3)]
    assert run_cli("lineage", "alexnet-1:iFilters", "--to", "fine")[1].startswith("alexnet-1:iFilters led to fine\n")
    code, out, _ = run_cli("lineage", "fine", "--to", "alexnet-1:oTestingModel")
    assert (code, out) == (0, "no way leads from fine to alexnet-1:oTestingModel or back\n")
    assert run_cli("lineage", "fine", "--to", "alexnet-1:oTestingModel", "--json")[1] == "[]\n"


def test_a_run_is_left_alone_where_only_one_is_wanted(fine_tuned, run_cli):
    _, out, _ = run_cli("lineage", "fine", "--ancestors", "--one-run", "--json")
    assert {row["run"] for row in json.loads(out)} == {"fine"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("alexnet-7",), 3, "no run, file or element 'alexnet-7'; did you mean 'alexnet-1'?"),
        (("alexnet-1:Trainin",), 3, "did you mean 'Training'?"),
        (("alexnet-1", "--dataflow", "vgg"), 3, "no dataflow 'vgg'"),
        (("alexnet-1", "--to", "fine", "--depth", "2"), 2, "--to finds one way"),
        (("alexnet-1", "-o", "x.provn"), 2, "lineage is drawn as svg, png, pdf"),
        (("alexnet-1", "--depth", "0"), 2, "depth"),
        ((), 2, "THING"),
    ],
)
def test_errors_are_one_line_with_the_right_code(paper_run, run_cli, arguments, code, message):
    found, out, err = run_cli("lineage", *arguments)
    assert (found, out) == (code, "")
    assert len(err.splitlines()) == 1
    assert message in err


def test_the_shell_completes_names_of_runs(paper_run):
    for words in (["lineage"], ["lineage", "x", "--to"]):
        found = BashComplete(cli, {}, "dnnprov", "_X").get_completions(words, "al")
        assert [item.value for item in found] == ["alexnet-1"]


def test_the_picture_has_a_frame_for_each_run_and_marks_what_was_asked_for(fine_tuned, run_cli, tmp_path):
    code, _, err = run_cli("lineage", "fine:oTrainingModel", "--ancestors", "-o", tmp_path / "lineage.svg")
    assert code == 0
    assert err.startswith("wrote ")
    svg = ET.parse(tmp_path / "lineage.svg").getroot()
    texts = {(element.text or "").strip() for element in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {"alexnet-1", "fine", "model.keras", "Filters", "oFilters", "used", "wasDerivedFrom"} <= texts
    marked = [element for element in svg.iter() if element.get("stroke") == "#d00000"]
    assert len(marked) == 1


def test_a_picture_folds_epochs_into_stretches_between_adaptations(paper_run):
    with dnnprov.open() as history:
        found = history.ancestors("alexnet-1:oTestingModel")
        drawn = {node.lines[0]: node.key for node in lineage_picture([found]).nodes if node.title == "oTrainingModel"}
        assert list(drawn) == ["3 rows, epochs 1 to 3", "4 rows, epochs 4 to 7"]
        edges = {(edge.source, edge.target, edge.relation) for edge in lineage_picture([found]).edges}
        assert (drawn["4 rows, epochs 4 to 7"], drawn["3 rows, epochs 1 to 3"], "wasDerivedFrom") in edges
        every = [node for node in lineage_picture([found], full=True).nodes if node.title == "oTrainingModel"]
        assert len(every) == 7


@pytest.mark.parametrize(
    ("things", "title"),
    [
        (("fine:oTrainingModel", "--ancestors"), "what fine:oTrainingModel stands on"),
        (("fine:Training", "--descendants"), "what stands on fine:Training"),
        (("alexnet-1:oTestingModel",), "what alexnet-1:oTestingModel stands on, and what stands on it"),
        (("alexnet-1:oTrainingModel", "--descendants"), "what stands on alexnet-1:oTrainingModel"),
        (("fine", "--to", "alexnet-1:oFilters"), "fine stands on alexnet-1:oFilters"),
        (("alexnet-1:oFilters", "--to", "model.keras"), "alexnet-1:oFilters led to model.keras"),
        (("alexnet-1:oTestingModel", "--to", "fine"), "no way leads from one to the other or back"),
    ],
)
def test_the_title_of_a_picture_says_of_what_it_is(fine_tuned, run_cli, things, title):
    code, out, _ = run_cli("lineage", *things, "--format", "svg")
    assert (code, f">{title}</text>" in unescape(out)) == (0, True)


def test_what_is_drawn_is_connected_and_every_kind_has_its_shape(fine_tuned):
    with dnnprov.open() as history:
        picture = lineage_picture([history.ancestors("alexnet-1:Training"), history.descendants("alexnet-1:Training")])
    ends = {end for edge in picture.edges for end in (edge.source, edge.target)}
    assert ends == {node.key for node in picture.nodes}
    kinds = {node.title: node.kind for node in picture.nodes}
    assert kinds["Training"] == kinds["Testing"] == "activity"
    assert kinds["oFilters"] == kinds["model.keras"] == "entity"
    assert [group.title for group in picture.groups] == ["alexnet-1", "fine"]
    assert [node.title for node in picture.nodes if node.is_marked] == ["Training"]


@pytest.mark.parametrize("name", ["svg", "png", "pdf"])
def test_each_format_is_drawn_to_stdout(paper_run, capsysbinary, name):
    assert exit_code(["lineage", "alexnet-1", "--format", name]) == 0
    begins = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
    assert capsysbinary.readouterr().out.startswith(begins[name])


def test_the_command_is_in_the_list_of_commands():
    assert "lineage" in cli.list_commands(click.Context(cli))
