"""Reading the documentation: its pages, their code blocks, their sections."""

from __future__ import annotations

import functools
import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when keras is imported

import pytest

import dnnprov

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A fenced block, with the comment directly above it: what the test is to do with it."""

    language: str
    text: str
    mark: str
    line: int


class Page:
    """A page of the documentation, by its path from the root of the project."""

    def __init__(self, name):
        self.path = ROOT / name
        self.text = self.path.read_text(encoding="utf-8")

    def all_blocks(self):
        """Its fenced blocks, those marked as not run included."""
        return [
            Block(match["language"], match["text"], match["mark"] or "", self.text.count("\n", 0, match.start("text")))
            for match in _BLOCK.finditer(self.text)
        ]

    def blocks(self, *languages):
        """Its fenced blocks in one of these languages, or all, but for those marked as not run."""
        return [
            block
            for block in self.all_blocks()
            if (not languages or block.language in languages) and not block.mark.startswith("not run")
        ]

    def section(self, heading):
        """The text under a heading of any level, until the next one of the same or a higher level."""
        begin = re.search(rf"^(#+) {re.escape(heading)}$", self.text, re.MULTILINE)
        assert begin, f"{self.path.name} has no heading {heading!r}"
        rest = self.text[begin.end() :]
        end = re.search(rf"^#{{1,{len(begin[1])}}} ", rest, re.MULTILINE)
        return rest[: end.start()] if end else rest

    def table(self, heading=None):
        """The cells of all table rows under a heading, or of the page; neither head nor ruler."""
        text = self.section(heading) if heading else self.text
        rows, is_body = [], False
        for line in text.splitlines():
            if not line.startswith("|"):
                is_body = False
            elif re.fullmatch(r"[|\s:-]+", line):
                is_body = True
            elif is_body:
                rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        return rows


def names_in(text):
    """What stands in backticks, each alone."""
    return set(re.findall(r"`([^`]+)`", text))


@pytest.fixture
def page():
    return Page


@pytest.fixture
def names():
    return names_in


@pytest.fixture
def docs_code(monkeypatch):
    """Imports a module of the folder `docs`, where what writes its generated parts is."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder to work in, with the commands of this Python first on the path and the default store in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("DNNPROV_STORE", "DNNPROV_DISABLED", "DNNPROV_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def shell(workplace):
    """Runs lines of a shell in the folder; what they print, stdout and stderr together."""

    def run(script, code=0):
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=workplace,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{script}\nexit code {done.returncode}\n{done.stdout}"
        return done.stdout

    return run


GRAFANA = {"$__from": "0", "$__to": "4102444800000"}
"""What Grafana puts in place of the limits of a time range: milliseconds."""


@pytest.fixture
def for_grafana():
    """Fills in the limits of a time range, as Grafana does."""

    def fill(sql):
        return functools.reduce(lambda text, name: text.replace(name, GRAFANA[name]), GRAFANA, sql)

    return fill


SHOWN_PORT = "22022"
"""Of servers on the pages; another suite on this machine may have it."""


@pytest.fixture
def free_port():
    """A port that nothing listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


@pytest.fixture
def run_page(workplace, shell, for_grafana, free_port):
    """Runs what a page shows, in its order: Python in one namespace, files, lines of a shell, queries.

    A block of Python that begins with `# name.py` is a file of this name. The comment above a block says what else is
    to be minded: `not run: why`, `needs sqlite3` (a program), `exits with 1`.
    """

    def run(page, sql=True, **namespace):
        namespace |= {"__name__": "__page__"}
        for block in page.blocks("python", "sh", *(["sql"] if sql else [])):
            program = re.match(r"needs (\S+)$", block.mark)
            if program and shutil.which(program[1]) is None:
                continue
            text = block.text.replace(SHOWN_PORT, free_port)
            if block.language == "sh":
                code = re.match(r"exits with (\d+)$", block.mark)
                shell(text, int(code[1]) if code else 0)
            elif block.language == "sql":
                with dnnprov.open() as history:
                    history.sql(for_grafana(text))
            elif name := re.match(r"# (\w+\.py)\n", text):
                (workplace / name[1]).write_text(text, encoding="utf-8")
            else:
                code = "\n" * block.line + text  # so that a traceback names the line of the page
                exec(compile(code, page.path, "exec"), namespace)
        return namespace

    return run


@pytest.fixture
def several_runs(workplace):
    """What pages ask without recording it: finished, diverged and adapted runs, layers, files, problems, series."""
    (workplace / "model.bin").write_bytes(b"weights")
    for number, rate in enumerate((0.0005, 0.001, 1.0)):
        with dnnprov.start_run("alexnet", params={"optimizer_name": "Adam", "learning_rate": rate}) as run:
            with run.task("Filters") as filters:
                filters.generates("oFilters", filter_name="gray-scale")
            with run.task("Training", after=filters) as training:
                training.record("iLayers", "used", [{"position": 1, "name": "d", "type": "Dropout", "rate": 0.4}])
                for epoch in range(1, 5):
                    if epoch == 3 and number == 1:
                        run.set_params(learning_rate=rate / 2)
                    loss = float("nan") if number == 2 and epoch > 2 else 1 / (epoch + number)
                    training.log(epoch=epoch, loss=loss, accuracy=0.1 * epoch + 0.1 * number, elapsed_time=1.0)
                    run.log(epoch=epoch, batch_loss=1 / epoch)
                training.generates_file("model.bin", role="model")
            with run.task("Testing", after=training) as testing:
                testing.log(accuracy=0.5 + 0.1 * number)
    with dnnprov.start_run("alexnet", params={"learning_rate": "fast"}):
        pass


@pytest.fixture
def small_training(workplace):
    """What examples take for granted: a model and data for it."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(3)
    x = np.random.default_rng(3).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("int32")
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return {"model": model, "x": x, "y": y, "x_test": x, "y_test": y, "batches": [(x[:32], y[:32]), (x[32:], y[32:])]}
