"""What is written is what the standards say, by their own schemas and by another reader than `prov`."""

import json
from pathlib import Path

import prov
import pytest
from lxml import etree
from prov.serializers.provjsonld import load_vendored_context
from rdflib import RDF, Dataset, Graph, URIRef

import dnnprov
from dnnprov.model.identifiers import VOCABULARY
from export.recordings import export_of, record_paper_run

pytestmark = pytest.mark.filterwarnings("ignore:(Dataset|ConjunctiveGraph):DeprecationWarning")  # rdflib, of itself

SCHEMAS = Path(prov.__file__).parent / "tests" / "schemas"
PROV = "http://www.w3.org/ns/prov#"


@pytest.fixture
def two_runs(store):
    record_paper_run(store, name="first")
    with dnnprov.start_run("alexnet", store=store, name="odd \x01") as run, run.task("Training") as training:
        training.log(epoch=1, loss=float("nan"), text="\x00\\", flag=True, big=2**60)
    return store


@pytest.mark.parametrize("options", [{}, {"part": "plan"}, {"full": False}], ids=str)
def test_prov_xml_is_valid_by_the_schema_of_the_w3c(two_runs, options):
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "prov.xsd"))
    document = etree.fromstring(export_of(two_runs, "xml", dataflow="alexnet", **options))
    assert schema.validate(document), schema.error_log


def test_prov_jsonld_is_rdf_with_a_named_graph_for_each_bundle(two_runs):
    document = json.loads(export_of(two_runs, "jsonld", dataflow="alexnet"))
    assert "https://openprovenance.org/prov-jsonld/context.jsonld" in document["@context"]
    document["@context"] = [one if isinstance(one, dict) else load_vendored_context() for one in document["@context"]]
    data = Dataset()
    data.parse(data=json.dumps(document), format="json-ld")
    bundles = [graph for graph in data.graphs() if str(graph.identifier).endswith("#bundle")]
    assert len(bundles) == 2
    for bundle in bundles:
        (run,) = bundle.subjects(RDF.type, URIRef(f"{VOCABULARY}ExecuteDataflow"))
        assert str(run) == str(bundle.identifier).replace("#bundle", "#run")


def test_turtle_and_the_default_graph_of_trig_are_prov_o(two_runs):
    turtle = Graph().parse(data=export_of(two_runs, "turtle", "first"), format="turtle")
    trig = Dataset()
    trig.parse(data=export_of(two_runs, "trig", "first"), format="trig")
    path = f"<{PROV}qualifiedGeneration>/<{PROV}activity>"
    assert len(turtle.query(f"SELECT ?e WHERE {{ ?e a <{PROV}Entity>, <{VOCABULARY}Epoch> ; {path} ?t }}")) == 6
    assert len(trig.default_graph) == len(turtle)
