"""Lets `dfa_lib_python` mean the classes of this package."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from types import ModuleType

LIBRARY = "dfa_lib_python"

MODULES = {
    "ProvenanceObject": "provenance_object",
    "attribute": "attribute",
    "attribute_type": "attribute",
    "dataflow": "dataflow",
    "dataset": "dataset",
    "dependency": "dependency",
    "element": "element",
    "extractor": "extractor",
    "extractor_cartridge": "extractor",
    "extractor_extension": "extractor",
    "file": "file",
    "method_type": "performance",
    "performance": "performance",
    "program": "program",
    "raw_data_extractor": "raw_data",
    "raw_data_indexer": "raw_data",
    "set": "set",
    "set_type": "set",
    "task": "task",
    "task_status": "task",
    "transformation": "transformation",
}
"""Module of the library -> module of this package that has its class."""


def stand_in() -> None:
    """Let the library's modules be ours for imports from now on; what was imported before stays what it is."""
    library = ModuleType(LIBRARY, "The classes of dnnprov.dfanalyzer, by the names of DfAnalyzer's library.")
    library.__spec__ = importlib.machinery.ModuleSpec(LIBRARY, None, is_package=True)
    library.__path__ = []
    package = sys.modules["dnnprov.dfanalyzer"]
    library.__file__ = package.__file__
    for name, ours in MODULES.items():
        module = importlib.import_module(f"dnnprov.dfanalyzer.{ours}")
        sys.modules[f"{LIBRARY}.{name}"] = module
        setattr(library, name, module)
    for name in getattr(package, "__all__", ()):
        setattr(library, name, getattr(package, name))
    sys.modules[LIBRARY] = library
