"""The same program records the same through the classes, and through a client that posts their specifications."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnnprov.capture.current_runs import open_runs
from dnnprov.dfanalyzer import Attribute, AttributeType, Dataflow, DataSet, Element, Set, SetType, Task, Transformation
from dnnprov.journal.folder import StoreFolder
from dnnprov.model.dfanalyzer.json_form import read_dataflow, read_task
from dnnprov.server.client_runs import ClientRuns
from recorded import rows_of

TABLES = (
    "SELECT * FROM ocount ORDER BY element_id",
    "SELECT * FROM otrainingmodel ORDER BY element_id",
    "SELECT tag, identifier, status FROM task ORDER BY task_id",
    "SELECT tag FROM data_transformation ORDER BY tag",
    "SELECT kind, COUNT(*) AS number FROM problem GROUP BY kind ORDER BY kind",
    "SELECT tag, table_name FROM data_set ORDER BY tag",
)
texts = st.text(max_size=8).filter(lambda text: ";" not in text)
values = st.one_of(st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False, width=32), texts)
steps = st.lists(
    st.tuples(st.sampled_from(["oCount", "oTrainingModel"]), st.lists(values, min_size=1, max_size=4)), max_size=5
)


def program(told, post_dataflow, post_task):
    counted = [Attribute("A", AttributeType.NUMERIC), Attribute("B", AttributeType.NUMERIC), Attribute("C")]
    dataflow = Dataflow("Cells", True)
    dataflow.add_transformation(Transformation("Count", [Set("oCount", SetType.OUTPUT, counted)]))
    post_dataflow(dataflow)
    task = Task(1, "Cells", "monday", "Count")
    for number, (data_set, row) in enumerate([("oCount", [0]), *told]):
        task.add_dataset(DataSet(data_set, [Element([*row, number] if data_set == "oTrainingModel" else row)]))
        post_task(task, "begin" if number == 0 else "save")
    post_task(task, "end")


def without_equal_ones(told):
    """A client's row that is equal to an earlier one counts as sent again."""
    found = []
    for data_set, row in told:
        shown = (data_set, [str(value) for value in row])
        if shown not in [(known, [str(value) for value in one]) for known, one in [("oCount", [0]), *found]]:
            found.append((data_set, row))
    return found


def told_in(store, table):
    """Rows without what says when and in which event they came."""
    own = {"recorded_at", "sequence", "process_id", "element_id", "row_number"}
    return [{name: value for name, value in row.items() if name not in own} for row in rows_of(store, table)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=steps)
@pytest.mark.filterwarnings("ignore:dnnprov")
def test_the_classes_and_the_server_record_the_same(told, tmp_path_factory, monkeypatch):
    told = without_equal_ones(told)
    here, there = tmp_path_factory.mktemp("classes"), tmp_path_factory.mktemp("server")
    monkeypatch.setenv("DNNPROV_STORE", str(here))
    program(told, lambda dataflow: dataflow.save(), lambda task, what: getattr(task, what)())
    for run in list(open_runs):
        run.finish()

    monkeypatch.setenv("DNNPROV_STORE", str(there / "unused"))
    clients = ClientRuns(StoreFolder(there), quiet_seconds=60)
    status = {"begin": "RUNNING", "save": "RUNNING", "end": "FINISHED"}

    def post_task(task, what):
        specification = {**task.get_specification(), "status": status[what]}
        clients.record_task(read_task(specification))
        task.were_sets_sent = True

    program(told, lambda dataflow: clients.record_dataflow(read_dataflow(dataflow.get_specification())), post_task)
    clients.close()
    for table in TABLES:
        assert told_in(here, table) == told_in(there, table), table
