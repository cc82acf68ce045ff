"""The formats by name, suffix and what they need."""

import sys

import pytest

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.errors import MissingExtraError, RunNotFoundError, UsageError
from dnnprov.export.exporting import export_provenance
from dnnprov.export.formats import FORMATS, find_format, format_of_path
from export.recordings import exported, record_paper_run


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/run.provn", "provn"),
        ("run.JSON", "json"),
        ("run.prov.json", "json"),
        ("run.provx", "xml"),
        ("run.xml", "xml"),
        ("run.ttl", "turtle"),
        ("run.trig", "trig"),
        ("run.jsonld", "jsonld"),
        ("x.svg", "svg"),
        ("x.tar.png", "png"),
        ("x.pdf", "pdf"),
    ],
)
def test_the_suffix_of_a_file_tells_the_format(path, name):
    assert format_of_path(path) == name


def test_an_unknown_suffix_names_the_known_ones():
    with pytest.raises(UsageError, match=r"'run\.docx'.*\.provn, \.json"):
        format_of_path("run.docx")


def test_an_unknown_format_names_the_known_ones(store):
    record_paper_run(store)
    with pytest.raises(UsageError, match="'word'; there is provn, json"):
        exported(store, "word")


@pytest.mark.parametrize(
    ("known", "name"), [("prov-n", "provn"), ("PROV-JSON", "json"), ("Provn", "provn"), ("svg", "svg")]
)
def test_a_format_is_found_by_the_names_that_people_know(known, name):
    assert find_format(known) is FORMATS[name]


def test_names_and_aliases_of_formats_do_not_meet():
    names = [name for one in FORMATS.values() for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))
    assert find_format("prov-q") is None


@pytest.mark.parametrize("alias", ["prov-n", "PROV-N"])
def test_the_command_takes_an_alias_in_any_case(store, capsys, alias):
    record_paper_run(store)
    assert exit_code(["export", "latest", "--format", alias]) == 0
    assert capsys.readouterr().out.startswith("document\n")


def test_a_run_that_is_not_there_is_said(store):
    record_paper_run(store)
    with dnnprov.open(store) as history, pytest.raises(RunNotFoundError):
        export_provenance(history, "nobody", format="json")


@pytest.mark.parametrize(
    ("format_name", "package"),
    [("json", "prov"), ("provn", "prov"), ("xml", "lxml"), ("turtle", "rdflib"), ("svg", "pygraphviz")],
)
def test_a_missing_package_names_the_extra_that_brings_it(store, monkeypatch, format_name, package):
    record_paper_run(store)
    loaded = [name for name in sys.modules if name.partition(".")[0] == package or ".export.prov" in name]
    for module in loaded:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dnnprov\[prov\]'"):
        exported(store, format_name)


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_exports_a_live_run(store, format_name):
    run = dnnprov.start_run("d", store=store)
    run.task("Training").log(epoch=1, loss=float("nan"))
    assert len(exported(store, format_name)) > 500
    run.finish()
