"""Real recordings for the tests of export: runs of the paper's kind, and stores cut off after any event."""

import shutil
import warnings
from collections import Counter
from pathlib import Path

from prov.identifier import Identifier
from prov.model import ProvActivity, ProvDocument, ProvGeneration, ProvUsage

import dnnprov
from dnnprov.export.exporting import export_provenance
from dnnprov.export.formats import FORMATS
from dnnprov.export.run_reader import read_run
from prov_constraints import check


def record_two_techniques(store, epochs=40):
    """A training that a schedule adapts at epochs 11, 21 and 31 and a plateau at 15 and 25, in turns."""
    learning_rate = 0.1
    with dnnprov.start_run("alexnet", params={"learning_rate": learning_rate}, store=store) as run:
        with run.task("Training") as training:
            for epoch in range(1, epochs + 1):
                technique, told = None, {}
                if epoch in (11, 21, 31):
                    technique = "LearningRateScheduler"
                elif epoch in (15, 25):
                    technique, told = "ReduceLROnPlateau", {"triggered_by": f"val_loss={1 / epoch}", "reason": "flat"}
                if technique:
                    change = dnnprov.Change(
                        "learning_rate",
                        learning_rate,
                        learning_rate / 2,
                        epoch=epoch,
                        technique=technique,
                        agent="callback",
                        **told,
                    )
                    run.adapt(change, training)
                    learning_rate /= 2
                training.log(epoch=epoch, loss=1 / epoch)
    return run


def record_paper_run(store, epochs=6, adapt_at=(3, 5), **options):
    """Filters, a training with adaptations and a model file, a test; as in section 4 of the paper."""
    learning_rate = 0.002
    parameters = {"optimizer_name": "Adam", "learning_rate": learning_rate, "num_epochs": epochs, "dropout": 0.4}
    model = Path(store).parent / "model.keras"
    model.write_bytes(b"weights")
    with dnnprov.start_run("alexnet", params=parameters, store=store, **options) as run:
        with run.task("Filters") as filters:
            filters.uses("iFilters", dataset_name="17flowers")
            filters.generates("oFilters", filter_name="gray-scale")
        with run.task("Training", after=filters) as training:
            training.record("iLayers", "used", [{"position": n, "name": f"conv_{n}", "type": "Conv2D"} for n in (0, 1)])
            for epoch in range(1, epochs + 1):
                if epoch in adapt_at:
                    change = dnnprov.Change(
                        "learning_rate",
                        learning_rate,
                        learning_rate / 2,
                        epoch=epoch,
                        technique="LearningRateScheduler",
                        agent="LearningRateScheduler",
                        parameters={"drop_n": 0.5},
                    )
                    run.adapt(change)
                    learning_rate /= 2
                run.log(batch_loss=4 / epoch)
                training.log(epoch=epoch, elapsed_time=20.0, loss=3 / epoch, accuracy=1 - 1 / epoch)
            training.generates_file(model, role="model")
        with run.task("Testing", after=training) as testing:
            testing.log(loss=1.2, accuracy=0.59)
    return run


def read_back(content, format_name):
    """What `prov` reads in an export of one of the formats that are documents."""
    one = FORMATS[format_name]
    options = {name: value for name, value in one.options.items() if name == "rdf_format"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of rdflib, about what prov calls
        return ProvDocument.deserialize(content=content, format=one.serializer, **options)


def document(store, run="latest", format_name="json"):
    """The document of a run, read back from what was exported; no time in it lies outside its activity."""
    prov = read_back(exported(store, format_name, run), format_name)
    assert times_outside(prov) == []
    return prov


def exported(store, format_name, run="latest", **options):
    with dnnprov.open(store) as history:
        return export_provenance(history, run, format=format_name, **options)


def facts_of(store, run="latest"):
    with dnnprov.open(store) as history, history.snapshot():
        return read_run(history, run_id(history, run))


def run_id(history, run="latest"):
    return history.run(run).run_id


DOCUMENTS = [one.name for one in FORMATS.values() if not one.is_picture]


def export_of(store, format_name, *runs, **options):
    """What `export_provenance` gives for runs by name, or for a dataflow."""
    with dnnprov.open(store) as history:
        return dnnprov.export_provenance(history, *runs, format=format_name, **options)


def document_of(store, *runs, format_name="json", **options):
    """The same, read back; valid, and the same in every bundle."""
    prov = read_back(export_of(store, format_name, *runs, **options), format_name)
    assert check(prov) == []
    return prov


def statements_of(prov):
    """Every statement with the bundle it stands in; two documents with the same say the same, NaN included."""
    return Counter(
        (
            str(getattr(bundle.identifier, "uri", None)),
            str(record.get_type()),
            str(getattr(record.identifier, "uri", None)),
            frozenset((name.uri, type(value).__name__, _words(value)) for name, value in record.attributes),
        )
        for bundle in (prov, *prov.bundles)
        for record in bundle.records
    )


def _words(value):
    return value.uri if isinstance(value, Identifier) else str(value)


def forget_database(store):
    """Delete the database, so that the next question makes it anew."""
    for path in Path(store).glob("provenance.db*"):
        path.unlink()


def segments(store):
    """The open segments of a store that was not asked yet: {path below the journal: lines}."""
    journal = Path(store) / "journal"
    return {path.relative_to(journal): path.read_bytes().splitlines(True) for path in journal.glob("*/*.jsonl")}


def write_segments(store, contents):
    """A new store of these journals."""
    shutil.rmtree(store, ignore_errors=True)
    for path, lines in contents.items():
        place = Path(store) / "journal" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"".join(lines))
    return store


def times_outside(prov):
    """The generations and usages with a time before the start or after the end that their activity states."""
    activities = {str(activity.identifier): activity for activity in prov.get_records(ProvActivity)}
    found = []
    for relation in prov.get_records((ProvGeneration, ProvUsage)):
        first, second, at = (value for _, value in relation.formal_attributes[:3])
        activity = activities.get(str(second if isinstance(relation, ProvGeneration) else first))
        if at is None or activity is None:
            continue
        start, end = activity.get_startTime(), activity.get_endTime()
        if (start and at < start) or (end and at > end):
            found.append((str(first), str(second), at, start, end))
    return found


def statements(prov, relation):
    """The relations of one kind as pairs of local names, effect first."""
    found = []
    for record in prov.get_records():
        if record.is_relation() and record.get_type().localpart == relation:
            values = [getattr(value, "localpart", None) for _, value in record.formal_attributes[:3]]
            found.append((values[0], values[2] if relation == "Start" else values[1]))
    return found


def labels(prov):
    """Local name -> label, of everything that has one."""
    return {record.identifier.localpart: str(record.label) for record in prov.get_records() if record.is_element()}


def named(prov, relation):
    """The relations of one kind as pairs of labels."""
    label = labels(prov)
    return [(label.get(effect, effect), label.get(cause, cause)) for effect, cause in statements(prov, relation)]


def attributes(prov, label):
    """The attributes of the one thing of a run with this label: {"prefix:name": value}."""
    things = [one for one in prov.get_records() if one.is_element() and one.identifier.namespace.prefix == "run"]
    (record,) = [one for one in things if str(one.label) == label]
    return {str(name): value for name, value in record.attributes}
