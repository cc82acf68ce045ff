"""The examples of docstrings run: those with prompts as doctests, blocks of Python on recorded runs."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

import dnnprov

ROOT = Path(__file__).parents[2]
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py"))}
WITH_PROMPTS = [path for path, text in SOURCES.items() if ">>> " in text]


def dotted_name(path):
    return ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", [dotted_name(path) for path in WITH_PROMPTS])
def test_what_docstrings_show_at_a_prompt_is_so(name, store):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed


def blocks():
    for path, text in SOURCES.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (words := ast.get_docstring(node)):
                for code in re.findall(r"```python\n(.*?)```", words, re.DOTALL):
                    where = f"{dotted_name(path)}.{getattr(node, 'name', '')}"
                    yield pytest.param(re.sub(r"^    ", "", code, flags=re.MULTILINE), id=where)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("code", list(blocks()))
def test_the_block_of_a_docstring_runs(code, several_runs, small_training):
    from dnnprov.testing import StoreContract

    namespace = {"dnnprov": dnnprov, "pytest": pytest, "StoreContract": StoreContract, **small_training}
    if re.search(r"\bprovenance\.", code) and "provenance =" not in code:
        namespace["provenance"] = dnnprov.keras.ProvenanceCallback("alexnet")
    with dnnprov.start_run("alexnet") as run:
        exec(compile(code, "docstring", "exec"), {"run": run, **namespace})
    with dnnprov.open() as history:
        assert not history.sql("SELECT * FROM problem WHERE kind <> 'value_does_not_fit'")
