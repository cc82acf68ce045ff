"""The vocabulary: what exports write is defined in it, and it defines nothing else."""

import math
import re
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from prov.identifier import QualifiedName
from prov.model import Literal, ProvActivity, ProvAgent, ProvEntity, ProvInfluence
from rdflib import OWL, RDF, RDFS, Graph, URIRef

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.export.folding import folded
from dnnprov.export.prov_document import bundled_document
from dnnprov.export.prov_names import Names
from dnnprov.export.run_facts import Agent, Environment
from dnnprov.export.vocabulary import vocabulary
from dnnprov.model.identifiers import BASE, VOCABULARY
from export.recordings import document_of, facts_of, record_paper_run, record_two_techniques

PROV = "http://www.w3.org/ns/prov#"

PROV_KINDS = {
    f"{PROV}{name}": kind
    for name, kind in {
        "Activity": ProvActivity,
        "Entity": ProvEntity,
        "Plan": ProvEntity,
        "Bundle": ProvEntity,
        "Agent": ProvAgent,
        "Person": ProvAgent,
        "SoftwareAgent": ProvAgent,
        "Influence": ProvInfluence,
    }.items()
}


@pytest.fixture(scope="module")
def graph():
    return Graph().parse(data=vocabulary(), format="turtle")


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """Documents in which everything occurs that an export can write."""
    root = tmp_path_factory.mktemp("vocabulary")
    store = root / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py"])
        record_two_techniques(store)
    first = record_paper_run(store, epochs=40, adapt_at=range(2, 40, 3), name="first", tags={"why": "test"})
    with dnnprov.start_run("alexnet", store=store, name="second", parent=first) as run:
        with run.task(
            "Odd", identifier="7", details=dict.fromkeys(("sub_id", "workspace", "resource", "output"), "x")
        ) as odd:
            odd.generates("oOdd", whole=1, part=0.5, text="\x00", flag=True, lost=1)
            odd.generates("oOdd", lost="text")
            for number in range(4):
                (root / "best.keras").write_bytes(b"x" * number)
                odd.generates_file(root / "best.keras", role="checkpoint")
                (root / f"{number}.png").write_bytes(b"x")
                odd.generates_file(root / f"{number}.png", role="image")
            odd.uses_file(root / "absent.bin")
            odd.end("failed", "ValueError: no", details={"error": "no"})
        for step in range(3):
            run.log(step=step, loss=math.nan)
    step = dnnprov.Transformation("Clean")
    photo = dnnprov.Attribute("photo", dnnprov.AttributeType.FILE)
    step.set_sets([dnnprov.Set("iClean", dnnprov.SetType.INPUT, [photo])])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DNNPROV_STORE", str(store))
        dataflow = dnnprov.Dataflow("cleaning")
        dataflow.add_transformation(step)
        dataflow.save()
    found = [document_of(store, dataflow="alexnet"), document_of(store, dataflow="alexnet", full=False)]
    facts = facts_of(store, "second")
    told = dict.fromkeys(("os", "cpu", "gpu", "gitCommit", "gitBranch", "gitDiffSha256", "gitDirty"), "x")
    environment = Environment("environment-x", "host", 0, {**facts.environments[0].values, **told})
    named = replace(facts, environments=(environment,), agents=(*facts.agents, Agent("person", "ada", "")))
    found += [bundled_document([folded(named)], []), document_of(store, dataflow="cleaning")]
    return found


def records(documents):
    for document in documents:
        for bundle in (document, *document.bundles):
            yield from bundle.records


def local(name):
    return name.uri.removeprefix(VOCABULARY) if name.uri.startswith(VOCABULARY) else None


def terms_written(documents):
    for record in records(documents):
        for name, value in record.attributes:
            for one in (name, value, value.datatype if isinstance(value, Literal) else None):
                if isinstance(one, QualifiedName) and local(one):
                    yield local(one)


def terms_defined(graph):
    return {str(one).removeprefix(VOCABULARY) for one in graph.subjects(RDFS.isDefinedBy, URIRef(f"{BASE}ns"))}


def test_every_term_that_is_written_is_defined_and_no_other(graph, documents):
    written, defined = set(terms_written(documents)), terms_defined(graph)
    assert written - defined == set()
    assert defined - written == set()


def test_every_term_that_the_code_can_write_is_defined(graph, store, monkeypatch):
    asked = set()
    term = Names.term
    monkeypatch.setattr(Names, "term", lambda self, name: asked.add(name) or term(self, name))
    record_paper_run(store)
    document_of(store, dataflow="alexnet")
    assert len(asked) > 20
    assert asked <= terms_defined(graph)


def test_every_term_has_one_label_and_one_comment(graph):
    for name in terms_defined(graph):
        subject = URIRef(VOCABULARY + name)
        for told in (RDFS.label, RDFS.comment):
            (text,) = graph.objects(subject, told)
            assert (text.language, str(text).strip()) == ("en", str(text)), name
        assert list(graph.objects(subject, RDF.type)), name


def test_every_class_is_one_of_prov_and_is_used_as_that(graph, documents):
    classes = {
        str(one).removeprefix(VOCABULARY): str(graph.value(one, RDFS.subClassOf))
        for one in graph.subjects(RDF.type, OWL.Class)
    }
    assert set(classes.values()) <= set(PROV_KINDS)
    for record in records(documents):
        for kind in record.get_asserted_types():
            if local(kind):
                assert isinstance(record, PROV_KINDS[classes[local(kind)]]), (local(kind), record)


def test_properties_of_things_hold_names_and_others_hold_values(graph, documents):
    things = {str(one).removeprefix(VOCABULARY) for one in graph.subjects(RDF.type, OWL.ObjectProperty)}
    assert {"uses", "generates", "transformation"} <= things
    for record in records(documents):
        for name, value in record.attributes:
            if local(name):
                assert isinstance(value, QualifiedName) == (local(name) in things), name


def test_the_command_prints_it(capsysbinary, tmp_path):
    assert exit_code(["export", "--vocabulary"]) == 0
    assert (
        capsysbinary.readouterr().out == vocabulary() == files("dnnprov.export").joinpath("vocabulary.ttl").read_bytes()
    )
    assert exit_code(["export", "--vocabulary", "-o", str(tmp_path / "v.ttl")]) == 0
    assert (tmp_path / "v.ttl").read_bytes() == vocabulary()


def test_the_vocabulary_is_of_no_run(capsys):
    assert exit_code(["export", "latest", "--vocabulary"]) == 2
    assert "--vocabulary goes with -o only" in capsys.readouterr().err


def test_the_page_of_the_reference_says_what_the_file_says(graph):
    page = (Path(__file__).parents[2] / "docs/reference/vocabulary.md").read_text(encoding="utf-8")
    rows = {row[0].strip("`"): row for row in (re.split(r" *\| *", line)[1:-1] for line in page.splitlines()) if row}
    for name in terms_defined(graph):
        subject = URIRef(VOCABULARY + name)
        _, *told, comment = rows[name]
        assert comment == str(graph.value(subject, RDFS.comment))
        known = [graph.value(subject, one) for one in (RDFS.subClassOf, RDFS.domain, RDFS.range)]
        expected = [re.sub(r".*/(prov|XMLSchema|ns)#", lambda one: PREFIXES[one[1]], str(one)) for one in known if one]
        assert [one.strip("`") for one in told if one] == expected, name
    written = re.findall(r"^\| `(\w+)` \|", page.partition("## Other namespaces")[0], re.MULTILINE)
    assert sorted(written) == sorted(terms_defined(graph))


PREFIXES = {"prov": "prov:", "XMLSchema": "xsd:", "ns": ""}
