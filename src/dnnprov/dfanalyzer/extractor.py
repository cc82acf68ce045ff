"""An extractor of raw data: kept in the plan, told as a problem, and not run."""

from __future__ import annotations

from enum import Enum

from dnnprov.dfanalyzer.provenance_object import ProvenanceObject


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
        self.add_cartridge(cartridge)
        self.add_extension(extension)
        self._setTag = self._transformationTag = self._dataflowTag = ""

    @property
    def cartridge(self) -> str:
        """What it does."""
        return self._cartridge

    @property
    def extension(self) -> str:
        """What it reads or writes."""
        return self._extension

    def add_cartridge(self, cartridge: ExtractorCartridge) -> None:
        """Say what it does."""
        self._cartridge = str(getattr(cartridge, "value", cartridge))

    def add_extension(self, extension: ExtractorExtension) -> None:
        """Say what it reads or writes."""
        self._extension = str(getattr(extension, "value", extension))
