"""Documents stay the same when the database is made anew, in whatever order the journals come in."""

import os
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from prov.identifier import QualifiedName

import dnnprov
from export.recordings import (
    document_of,
    export_of,
    forget_database,
    record_paper_run,
    segments,
    statements_of,
    write_segments,
)

SAME_BYTES = ["provn", "json", "xml", "jsonld"]


@pytest.fixture
def dataflow(store):
    """Three runs, the second of which brings a new version of the plan; with a fork's segment in the last."""
    with dnnprov.start_run("alexnet", store=store, name="plain") as run, run.task("Training") as training:
        training.log(epoch=1, loss=1.0)
    record_paper_run(store, name="first")
    with dnnprov.start_run("alexnet", store=store, name="forked") as run:
        with run.task("Training") as training:
            training.log(epoch=1, loss=0.5)
            child = os.fork()
            if not child:
                training.record("oWorker", "generated", [{"photos": 3}])
                os._exit(0)
            os.waitpid(child, 0)
    return store


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # other tests load what makes threads
def test_a_database_made_anew_exports_the_same(dataflow):
    before = {name: export_of(dataflow, name, dataflow="alexnet") for name in SAME_BYTES}
    statements = statements_of(document_of(dataflow, dataflow="alexnet", format_name="trig"))
    forget_database(dataflow)
    assert {name: export_of(dataflow, name, dataflow="alexnet") for name in SAME_BYTES} == before
    assert statements_of(document_of(dataflow, dataflow="alexnet", format_name="trig")) == statements


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_segments_that_come_in_another_order_export_the_same(dataflow, tmp_path):
    contents = segments(dataflow)
    whole = export_of(dataflow, "json", dataflow="alexnet")
    of_one_run = [path for path in contents if len([one for one in contents if one.parts[0] == path.parts[0]]) > 1]
    assert len(of_one_run) == 2
    for path in of_one_run:
        late = write_segments(tmp_path / "late", {key: lines for key, lines in contents.items() if key != path})
        export_of(late, "json", dataflow="alexnet")
        (late / "journal" / path).parent.mkdir(exist_ok=True)
        (late / "journal" / path).write_bytes(b"".join(contents[path]))
        assert statements_of(document_of(late, dataflow="alexnet")) == statements_of(
            document_of(dataflow, dataflow="alexnet")
        )
        forget_database(late)
        assert export_of(late, "json", dataflow="alexnet") == whole


def test_another_interpreter_writes_the_same_bytes(store):
    record_paper_run(store)
    code = (
        "import sys, dnnprov\nwith dnnprov.open() as h:\n"
        "    sys.stdout.buffer.write(dnnprov.export_provenance(h, 'latest', format='{}'))"
    )
    for name in SAME_BYTES:
        written = {
            subprocess.run(
                [sys.executable, "-c", code.format(name)],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        }
        assert written == {export_of(store, name, "latest")}


def test_every_identifier_is_an_iri_that_could_be_resolved(store):
    record_paper_run(store, name="a b/ü?#")
    prov = document_of(store, dataflow="alexnet")
    names = {record.identifier for bundle in (prov, *prov.bundles) for record in bundle.records if record.identifier}
    names |= {value for record in prov.records for _, value in record.attributes if isinstance(value, QualifiedName)}
    for name in names:
        iri = urlsplit(name.uri)
        assert (iri.scheme, iri.netloc) in {("https", "w3id.org"), ("http", "www.w3.org")}
        assert re.fullmatch(r"https?://[A-Za-z0-9._~/%-]+#[A-Za-z0-9._-]+", name.uri), name.uri
