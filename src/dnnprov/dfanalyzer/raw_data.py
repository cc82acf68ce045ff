"""Programs of DfAnalyzer that extract or index raw data; their commands can be had, they are not run."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dnnprov.capture.user_warning import warn_user

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnnprov.dfanalyzer.attribute import Attribute
    from dnnprov.dfanalyzer.extractor import ExtractorCartridge


class _RawDataProgram(ABC):
    """What both programs have in common."""

    method = ""

    def __init__(self, cartridge: ExtractorCartridge, tag: str, path: str, attributes: Iterable[Attribute]) -> None:
        self._cartridge = str(getattr(cartridge, "value", cartridge))
        self._method, self._tag, self._path = self.method, tag, path
        self._attributes = list(attributes)

    def get_attributes(self) -> str:
        """The attributes as a command has them."""
        return f"[{','.join(map(str, self._attributes))}]"

    def get_command_line(self) -> str:
        """The command of DfAnalyzer."""
        folder = os.environ.get("DFANALYZER_DIR")
        last = " ".join(part for part in self._last_arguments() if part)
        return f"{folder}/bin/RDE {self._cartridge}:{self._method} {self._tag} {self._path} {last}"

    @abstractmethod
    def _last_arguments(self) -> list[str]:
        """Those that only this program has."""

    def run(self) -> None:
        """Say that raw data are not extracted."""
        warn_user(f"{self.get_command_line()!r} was not run: raw data are not extracted; record the values as elements")


class RawDataExtractor(_RawDataProgram):
    """The command that extracts raw data.

    Args:
        cartridge: what it does.
        command_line: that it executes.
        attributes: that it extracts.
    """

    method = "EXTRACT"

    def __init__(self, cartridge: ExtractorCartridge, command_line: str, attributes: Iterable[Attribute]) -> None:
        super().__init__(cartridge, "extractor", ".", attributes)
        self._command = command_line

    def _last_arguments(self) -> list[str]:
        return [self._command, self.get_attributes()]


class RawDataIndexer(_RawDataProgram):
    """The command that indexes raw data.

    Args:
        cartridge: what it does.
        extractor_tag: of the extractor.
        path: of the folder.
        file_name_with_extracted_data: in it.
        attributes: that it indexes.
        extra_arguments: of the command.
    """

    method = "INDEX"

    def __init__(
        self,
        cartridge: ExtractorCartridge,
        extractor_tag: str,
        path: str,
        file_name_with_extracted_data: str,
        attributes: Iterable[Attribute],
        extra_arguments: str = "",
    ) -> None:
        super().__init__(cartridge, extractor_tag, path, attributes)
        self._file_name_with_extracted_data = file_name_with_extracted_data
        self._extra_arguments = extra_arguments

    def _last_arguments(self) -> list[str]:
        return [self._file_name_with_extracted_data, self.get_attributes(), self._extra_arguments]
