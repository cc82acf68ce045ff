"""`dfa_lib_python` means our classes once dnnprov.dfanalyzer is imported."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import dnnprov.dfanalyzer
from dnnprov.dfanalyzer.stand_in import MODULES

CLASSES = {
    "ProvenanceObject": "ProvenanceObject",
    "attribute": "Attribute",
    "attribute_type": "AttributeType",
    "dataflow": "Dataflow",
    "dataset": "DataSet",
    "dependency": "Dependency",
    "element": "Element",
    "extractor": "Extractor",
    "extractor_cartridge": "ExtractorCartridge",
    "extractor_extension": "ExtractorExtension",
    "file": "File",
    "method_type": "MethodType",
    "performance": "Performance",
    "program": "Program",
    "raw_data_extractor": "RawDataExtractor",
    "raw_data_indexer": "RawDataIndexer",
    "set": "Set",
    "set_type": "SetType",
    "task": "Task",
    "task_status": "TaskStatus",
    "transformation": "Transformation",
}


def test_every_module_of_the_library_has_its_class():
    assert MODULES.keys() == CLASSES.keys()
    for module, name in CLASSES.items():
        found = getattr(importlib.import_module(f"dfa_lib_python.{module}"), name)
        assert found is getattr(dnnprov.dfanalyzer, name)
        assert found is getattr(importlib.import_module("dfa_lib_python"), name)
    functions = {"add_transformation", "end_task", "start_task"}
    assert sorted({*CLASSES.values(), *functions}) == dnnprov.dfanalyzer.__all__
    assert all(getattr(importlib.import_module("dfa_lib_python"), name) for name in functions)


def test_a_module_that_is_none_of_the_library_is_not_found():
    with pytest.raises(ModuleNotFoundError, match="dfa_lib_python.recording"):
        importlib.import_module("dfa_lib_python.recording")


def test_without_the_import_the_library_is_not_there():
    script = "import dnnprov, sys; dnnprov.start_run; assert 'dfa_lib_python' not in sys.modules; import dfa_lib_python"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "No module named 'dfa_lib_python'" in done.stderr
