"""Every document format is read back as the same statements, whatever the names and values."""

import math
from base64 import b64decode
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prov.constants import PROV, PROV_LABEL, PROV_LOCATION, PROV_TYPE
from prov.identifier import Namespace
from prov.model import Literal, ProvDocument

import dnnprov
from dnnprov.export.exporting import export_provenance
from dnnprov.export.folding import folded
from dnnprov.export.formats import FORMATS
from dnnprov.export.plan_facts import together
from dnnprov.export.prov_document import bundled_document, prov_document
from dnnprov.export.serialization import holdable_in_xml
from dnnprov.model import identifiers
from export.recordings import DOCUMENTS, document_of, exported, facts_of, read_back, record_paper_run, statements_of
from prov_constraints import check

BUNDLED = [name for name in DOCUMENTS if FORMATS[name].carries_bundles]

ODD = [
    "", " x ", "\x00", "\x1f", "\x85", "\r", "\r\n", "\n", "\t", "\u2028", "\u202e", "\ufffe", "\\", "\\n", "\\u0041",
    '"""', "'''",
    "]]>", "<script>alert(1)</script>", "&amp;", "%%", "%20", "a:b", "prov:type", "run:run", "http://x/y", "_x0041_",
    "-lead", "end.",
    "true", "1.0", "INF", "0", "{}", "é" * 40, "e\u0301", "\U0001f600",
]  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(ODD)
NUMBER = st.floats() | st.integers(-(2**63), 2**63 - 1) | st.booleans()
MOMENT = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def held(document, format_name):
    """The document as a format can hold it."""
    return holdable_in_xml(document) if format_name == "xml" else document


@pytest.fixture
def two_runs(store, tmp_path):
    """A run of every kind of statement, and one that used its model file and was started by it."""
    first = record_paper_run(store, name="first", tags={"why": "test"})
    with dnnprov.start_run("alexnet", store=store, name="second", parent=first) as run:
        with run.task("Training") as training:
            training.uses_file(tmp_path / "model.keras", role="weights")
            training.log(epoch=1, loss=math.nan, accuracy=-math.inf, size=2**60, text="\x00 \r")
    return store


@pytest.mark.parametrize("format_name", DOCUMENTS)
def test_a_run_is_read_back_as_it_was_stated(two_runs, format_name):
    for run in ("first", "second"):
        stated = prov_document(facts_of(two_runs, run))
        again = read_back(exported(two_runs, format_name, run), format_name)
        assert statements_of(again) == statements_of(held(stated, format_name))
        assert check(again) == []


@pytest.mark.parametrize("format_name", BUNDLED)
def test_several_runs_are_read_back_with_their_bundles(two_runs, format_name):
    facts = [facts_of(two_runs, run) for run in ("first", "second")]
    stated = bundled_document(facts, together(one.plan for one in facts))
    again = document_of(two_runs, "first", "second", format_name=format_name)
    assert len(list(again.bundles)) == 2
    assert statements_of(again) == statements_of(held(stated, format_name))


@pytest.mark.parametrize("format_name", DOCUMENTS)
def test_a_plan_and_a_collapsed_run_are_read_back(two_runs, format_name):
    plan = document_of(two_runs, dataflow="alexnet", part="plan", format_name=format_name)
    assert plan == document_of(two_runs, dataflow="alexnet", part="plan")
    short = read_back(exported(two_runs, format_name, "first", full=False), format_name)
    assert short == prov_document(folded(facts_of(two_runs, "first")))
    assert check(short) == []


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(tag=TEXT, name=TEXT, task=TEXT, data_set=TEXT, attribute=TEXT, value=TEXT | NUMBER)
def test_hostile_names_of_a_recorded_run_are_read_back(tmp_path_factory, tag, name, task, data_set, attribute, value):
    store = tmp_path_factory.mktemp("hostile")
    with dnnprov.start_run(tag or "d", store=store, name=name or None, tags={attribute: str(value)}) as run:
        run.set_params(**{attribute: value})
        with run.task(task) as one:
            one.record(data_set, "used", [{attribute: value}])
            one.record(data_set, "generated", [{attribute: 1.5}])
    stated = prov_document(facts_of(store, run.uid))
    assert check(stated) == []
    for format_name in DOCUMENTS:
        again = read_back(FORMATS[format_name].write(stated), format_name)
        assert statements_of(again) == statements_of(held(stated, format_name)), format_name


def hostile_document(uid, label, attribute, values, moment, *, in_bundle):
    """A document with every kind of statement that exports make, around names and values from outside."""
    document = ProvDocument()
    run = Namespace("run", identifiers.run_namespace(uid or "x"))
    data = Namespace("data", identifiers.DATA)
    for namespace in (run, data):
        document.add_namespace(namespace)
    bundle = document
    if in_bundle:
        document.entity(run["bundle"], [(PROV_TYPE, PROV["Bundle"]), (PROV_LABEL, label)])
        bundle = document.bundle(run["bundle"])
    named = data[identifiers.local_name(attribute)]
    told = [(PROV_LABEL, label), (PROV_TYPE, named), (PROV_LOCATION, label), (data["name"], run["z"])]
    bundle.entity(run["e"], [*told, *((named, value) for value in values)])
    bundle.activity(run["a"], moment, None)
    bundle.activity(run["b"])
    bundle.generation(run["e"], run["a"], moment)
    bundle.usage(run["b"], run["e"])
    bundle.start(run["b"], None, run["a"])
    bundle.communication(run["b"], run["a"])
    bundle.association(run["a"], None, run["plan"])
    bundle.entity(run["plan"], [(PROV_TYPE, PROV["Plan"]), (PROV_TYPE, PROV["Collection"])])
    bundle.association(run["b"], run["software"], run["plan"])
    bundle.agent(run["software"], [(PROV_TYPE, PROV["SoftwareAgent"])])
    bundle.agent(run["person"], [(PROV_TYPE, PROV["Person"])])
    bundle.delegation(run["software"], run["person"], run["b"])
    bundle.membership(run["plan"], run["e"])
    bundle.revision(run["plan"], run["earlier"])
    bundle.derivation(run["e2"], run["e"])
    bundle.specialization(run["e2"], run["plan"])
    bundle.influence(run["e2"], run["e"], other_attributes=[(PROV_TYPE, data["Dependency"]), (data["set"], named)])
    return document


@pytest.mark.slow
@pytest.mark.parametrize("format_name", DOCUMENTS)
@settings(max_examples=150, deadline=None)
@given(
    uid=TEXT,
    label=TEXT,
    attribute=TEXT,
    values=st.lists(TEXT | NUMBER, max_size=3),
    moment=MOMENT,
    in_bundle=st.booleans(),
)
def test_any_name_and_value_is_read_back(format_name, uid, label, attribute, values, moment, in_bundle):
    in_bundle = in_bundle and FORMATS[format_name].carries_bundles
    document = hostile_document(uid, label, attribute, values, moment, in_bundle=in_bundle)
    again = read_back(FORMATS[format_name].write(document), format_name)
    assert statements_of(again) == statements_of(held(document, format_name))


@settings(deadline=None)
@given(TEXT)
def test_a_text_that_xml_cannot_hold_stands_in_base64(text):
    document = ProvDocument()
    data = Namespace("data", identifiers.DATA)
    document.add_namespace(data)
    document.entity(data["e"], [(data["value"], text), (PROV_LABEL, text)])
    (record,) = read_back(FORMATS["xml"].write(document), "xml").records
    (value,) = record.get_attribute(data["value"])
    if isinstance(value, Literal):
        assert str(value.datatype) == "xsd:base64Binary"
        value = b64decode(value.value).decode()
    assert value == text
    assert len(str(record.label)) == len(text)


@pytest.mark.parametrize("format_name", DOCUMENTS)
def test_a_live_run_is_read_back(store, format_name):
    run = dnnprov.start_run("d", store=store)
    run.task("Training").log(epoch=1, loss=math.nan)
    run.recorder.drain()  # the environment is recorded off this thread, and would come between the two exports
    with dnnprov.open(store) as history:
        content = export_provenance(history, "latest", format=format_name)
    again = read_back(content, format_name)
    assert check(again) == []
    assert statements_of(again) == statements_of(prov_document(facts_of(store)))
    run.finish()
