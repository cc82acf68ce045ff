"""The how-to on notebooks: its cells run in two real kernels, one that trains and one that asks."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

import dnnprov

PAGE = "docs/how-to/notebook.md"


@pytest.fixture
def kernels(workplace):
    """Two notebooks with a kernel each: cell source -> what it showed, by media type."""
    clients = [
        NotebookClient(nbformat.v4.new_notebook(), resources={"metadata": {"path": str(workplace)}}) for _ in range(2)
    ]
    for client in clients:
        client.create_kernel_manager()
        client.start_new_kernel()
        client.start_new_kernel_client()

    def run(number, source):
        client = clients[number]
        client.nb.cells.append(nbformat.v4.new_code_cell(source))
        cell = client.execute_cell(client.nb.cells[-1], len(client.nb.cells) - 1)
        return [output.data for output in cell.outputs if "data" in output]

    def stop(number):
        clients.pop(number)._cleanup_kernel()

    run.stop = stop
    yield run
    while clients:
        stop(0)


def test_cells_run_again_and_another_kernel_asks_while_the_first_trains(page, kernels):
    blocks = page(PAGE).blocks("python")
    shown = {}
    for block in blocks:
        number = 1 if block.mark == "second kernel" else 0
        shown[block.text] = kernels(number, block.text)
    (epochs,) = [found for source, found in shown.items() if '"Q3"' in source]
    assert "<table>" in epochs[0]["text/html"]
    assert "3 rows" in epochs[0]["text/html"]
    (running,) = [found for source, found in shown.items() if 'status="running"' in source]
    assert "1 row" in running[0]["text/html"]  # the first kernel was in the middle of its training
    (picture,) = [found for source, found in shown.items() if "SVG(" in source]
    assert picture[0]["image/svg+xml"].lstrip().startswith("<")
    (log,) = [source for source in shown if source.startswith("for _ in range(3)")]
    kernels(0, blocks[0].text)
    kernels(0, log)
    kernels(0, log)  # a cell that is run again goes on
    with dnnprov.open() as history:
        reasons = {row["name"]: (row["status"], row["exit_reason"]) for row in history.sql("SELECT * FROM run")}
        assert reasons["alexnet-1"] == (
            "finished", "the next run of this dataflow was started in the same notebook",
        )  # fmt: skip
        assert reasons["alexnet-2"][0] == "finished"
        assert reasons["alexnet-3"][0] == "running"
        assert len(history.ask("Q3", run="alexnet-3")) == 6
        kernels.stop(0)  # as its menu does: the kernel ends in order
        assert history.run("alexnet-3").run["status"] == "finished"
