"""The classes of `dfa_lib_python`, the Python library of DfAnalyzer, which record here and need no server.

Once this module is imported, `from dfa_lib_python.task import Task` and the like resolve to what stands here, in the
form of whichever of its four copies (official, Keras-Prov, DNNProv, DLProv) a program was written for. `dnnprov run`
does so for a program as it is. What the classes are told is recorded by the rules of the server (`model.dfanalyzer`),
through `capture`, into the journal of this process.
"""

from __future__ import annotations

from dnnprov.dfanalyzer.attribute import Attribute as Attribute
from dnnprov.dfanalyzer.attribute import AttributeType as AttributeType
from dnnprov.dfanalyzer.dataflow import Dataflow as Dataflow
from dnnprov.dfanalyzer.dataset import DataSet as DataSet
from dnnprov.dfanalyzer.dependency import Dependency as Dependency
from dnnprov.dfanalyzer.element import Element as Element
from dnnprov.dfanalyzer.extractor import Extractor as Extractor
from dnnprov.dfanalyzer.extractor import ExtractorCartridge as ExtractorCartridge
from dnnprov.dfanalyzer.extractor import ExtractorExtension as ExtractorExtension
from dnnprov.dfanalyzer.file import File as File
from dnnprov.dfanalyzer.performance import MethodType as MethodType
from dnnprov.dfanalyzer.performance import Performance as Performance
from dnnprov.dfanalyzer.program import Program as Program
from dnnprov.dfanalyzer.provenance_object import ProvenanceObject as ProvenanceObject
from dnnprov.dfanalyzer.raw_data import RawDataExtractor as RawDataExtractor
from dnnprov.dfanalyzer.raw_data import RawDataIndexer as RawDataIndexer
from dnnprov.dfanalyzer.set import Set as Set
from dnnprov.dfanalyzer.set import SetType as SetType
from dnnprov.dfanalyzer.stand_in import stand_in
from dnnprov.dfanalyzer.task import Task as Task
from dnnprov.dfanalyzer.task import TaskStatus as TaskStatus
from dnnprov.dfanalyzer.task import end_task as end_task
from dnnprov.dfanalyzer.task import start_task as start_task
from dnnprov.dfanalyzer.transformation import Transformation as Transformation
from dnnprov.dfanalyzer.transformation import add_transformation as add_transformation

__all__ = [
    "Attribute",
    "AttributeType",
    "DataSet",
    "Dataflow",
    "Dependency",
    "Element",
    "Extractor",
    "ExtractorCartridge",
    "ExtractorExtension",
    "File",
    "MethodType",
    "Performance",
    "Program",
    "ProvenanceObject",
    "RawDataExtractor",
    "RawDataIndexer",
    "Set",
    "SetType",
    "Task",
    "TaskStatus",
    "Transformation",
    "add_transformation",
    "end_task",
    "start_task",
]

stand_in()
