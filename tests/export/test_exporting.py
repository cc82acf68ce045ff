"""The command and the function that export: what they take, what they say, what they write."""

import pytest
from prov.model import ProvDocument

import dnnprov
from dnnprov.cli.main import exit_code
from dnnprov.errors import UsageError
from dnnprov.export.formats import FORMATS
from export.recordings import document_of, export_of, labels, read_back, record_paper_run


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        (".provn", b"document\n"),
        (".prov.json", b"{\n"),
        (".provx", b"<?xml "),
        (".xml", b"<?xml "),
        (".ttl", b"@prefix "),
        (".trig", b"@prefix "),
        (".jsonld", b"{\n"),
        (".svg", b"<?xml "),
        (".png", b"\x89PNG"),
        (".pdf", b"%PDF-"),
    ],
)
def test_the_suffix_tells_what_is_written(store, tmp_path, suffix, start, capsys):
    record_paper_run(store)
    path = tmp_path / f"run{suffix}"
    assert exit_code(["export", "latest", "-o", str(path)]) == 0
    assert path.read_bytes().startswith(start)
    assert capsys.readouterr() == ("", f"wrote {path} ({path.stat().st_size:,} bytes)\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nobody", "--format", "json"], 3, "no run 'nobody'"),
        (["--dataflow", "vgg", "--format", "json"], 3, "no dataflow 'vgg'"),
        (["--format", "json"], 2, "name a RUN, or a dataflow with --dataflow"),
        (["latest"], 2, "name a --format, or a file with -o whose suffix tells it"),
        (["latest", "-o", "run.docx"], 2, "tells no format"),
        (["latest", "--format", "word"], 2, "'word'"),
        (["latest", "--part", "half", "--format", "json"], 2, "'half'"),
        (["--dataflow", "alexnet", "--format", "turtle"], 2, "turtle carries no bundles"),
        (["latest", "--full", "--collapsed", "--format", "svg"], 2, "--full and --collapsed exclude each other"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(store, capsys, arguments, code, said):
    record_paper_run(store)
    assert exit_code(["export", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len([line for line in err.splitlines() if line.startswith("dnnprov: ")]) <= 1


def test_the_command_exports_several_runs_and_dataflows(store, capsys):
    for name in ("first", "second"):
        record_paper_run(store, name=name, epochs=2, adapt_at=())
    for arguments in (["first", "second"], ["--dataflow", "alexnet"]):
        assert exit_code(["export", *arguments, "--format", "json"]) == 0
        prov = read_back(capsys.readouterr().out, "json")
        assert len(list(prov.bundles)) == 2
    assert exit_code(["export", "--dataflow", "alexnet", "--part", "plan", "--format", "turtle"]) == 0
    assert "alexnet" in labels(read_back(capsys.readouterr().out, "turtle")).values()


def test_a_run_among_several_of_its_name_is_told(store, capsys):
    for _ in range(2):
        record_paper_run(store, name="same", epochs=1, adapt_at=())
    assert exit_code(["export", "same", "--format", "provn"]) == 0
    assert "2 runs are named 'same'; this is the latest" in capsys.readouterr().err


def test_documents_are_full_unless_they_are_to_be_collapsed(store):
    record_paper_run(store, epochs=20, adapt_at=(10,))
    for options, num_epochs in (({}, 20), ({"full": True}, 20), ({"full": False}, 2)):
        kinds = [
            kind for record in document_of(store, "latest", **options).records for kind in record.get_asserted_types()
        ]
        assert [str(kind) for kind in kinds].count("dnnprov:Epoch") == num_epochs


def test_the_command_folds_a_document_where_it_is_to(store, capsys):
    record_paper_run(store, epochs=20, adapt_at=(10,))
    counts = []
    for options in ([], ["--full"], ["--collapsed"]):
        assert exit_code(["export", "latest", "--format", "provn", *options]) == 0
        counts.append(capsys.readouterr().out.count("prov:type='dnnprov:Epoch'"))
    assert counts == [20, 20, 2]


def test_pictures_are_collapsed_unless_they_are_to_be_full(store):
    record_paper_run(store, epochs=20, adapt_at=(10,))
    for options, num_epochs in (({}, 2), ({"full": False}, 2), ({"full": True}, 20)):
        assert export_of(store, "svg", "latest", **options).count(b">oTrainingModel</text>") == num_epochs


def test_the_function_writes_a_file_and_gives_its_content(store, tmp_path):
    record_paper_run(store)
    with dnnprov.open(store) as history:
        content = dnnprov.export_provenance(history, "latest", path=tmp_path / "run.json")
        with pytest.raises(UsageError, match="name a format"):
            dnnprov.export_provenance(history, "latest")
    assert (tmp_path / "run.json").read_bytes() == content
    assert ProvDocument.deserialize(tmp_path / "run.json") == document_of(store, "latest")


def test_each_format_has_a_media_type_of_its_own_but_for_json():
    types = [one.media_type for one in FORMATS.values()]
    assert len(set(types)) == len(types)
    assert all("/" in one for one in types)


def test_a_thousand_epochs_in_full_are_an_entity_each(store):
    with dnnprov.start_run("long", store=store) as run, run.task("Training") as training:
        for epoch in range(1, 1001):
            training.log(epoch=epoch, loss=3 / epoch, accuracy=1 - 1 / epoch, val_loss=4 / epoch, val_accuracy=0.5)
    with dnnprov.open(store) as history:
        content = dnnprov.export_provenance(history, "latest", format="json", full=True)
    assert content.count(b'"epoch ') == 1000
