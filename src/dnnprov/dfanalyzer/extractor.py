"""An extractor of raw data: kept in the plan, told as a problem, and not run."""

from __future__ import annotations

from enum import Enum

from dnnprov.dfanalyzer.provenance_object import ProvenanceObject, Specified


class ExtractorCartridge(Enum):
    """What an extractor does."""

    EXTRACTION = "EXTRACTION"
    INDEXING = "INDEXING"


class ExtractorExtension(Enum):
    """What an extractor reads or writes."""

    PROGRAM = "PROGRAM"
    CSV = "CSV"
    FITS = "FITS"
    FASTBIT = "FASTBIT"
    OPTIMIZED_FASTBIT = "OPTIMIZED_FASTBIT"
    POSTGRES_RAW = "POSTGRES_RAW"


class Extractor(ProvenanceObject):
    """An extractor of a set.

    Args:
        tag: of it.
        cartridge: what it does.
        extension: what it reads or writes.
    """

    def __init__(self, tag: str, cartridge: ExtractorCartridge, extension: ExtractorExtension) -> None:
        super().__init__(tag)
        self.cartridge = cartridge
        self.extension = extension
        self.setTag = self.transformationTag = self.dataflowTag = ""

    cartridge = Specified("what it does; may be set")
    extension = Specified("what it reads or writes; may be set")
    setTag = Specified("tag of the set; may be set")  # noqa: N815 - the original's name
    transformationTag = Specified("tag of the transformation; may be set")  # noqa: N815 - likewise
    dataflowTag = Specified("tag of the dataflow; may be set")  # noqa: N815 - likewise

    def add_cartridge(self, cartridge: ExtractorCartridge) -> None:
        """Say what it does."""
        self.cartridge = cartridge

    def add_extension(self, extension: ExtractorExtension) -> None:
        """Say what it reads or writes."""
        self.extension = extension
