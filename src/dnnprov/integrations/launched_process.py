"""What an interpreter does first that `launch`, or a program that it started, has started."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

from dnnprov.integrations.autologging import autolog_launched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

LIBRARY_VARIABLE = "DNNPROV_DFA_LIB"
"""`original` where `dfa_lib_python` is to be the one that is installed."""

ORIGINAL = "original"
_LIBRARY = "dfa_lib_python"


def prepare() -> None:
    """Let what the program imports from now on record."""
    autolog_launched()
    if os.environ.get(LIBRARY_VARIABLE) != ORIGINAL or not _is_installed():
        sys.meta_path.insert(0, _Library())


def _is_installed() -> bool:
    """Whether the original library is."""
    try:
        return importlib.util.find_spec(_LIBRARY) is not None
    except ValueError:  # it is imported, and has no spec
        return True


class _Library:
    """Finds `dnnprov.dfanalyzer` where the library is imported, before any copy of it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - as Python calls it
        target: ModuleType | None = None,  # noqa: ARG002 - likewise
    ) -> ModuleSpec | None:
        """A module that puts ours in its place; of its parts, those that are in place already."""
        if fullname == _LIBRARY:
            return ModuleSpec(fullname, self)  # type: ignore[arg-type] # it has what is called
        part = sys.modules.get(fullname) if fullname.startswith(f"{_LIBRARY}.") else None
        return part.__spec__ if part is not None else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:  # noqa: ARG002 - likewise
        """The usual one."""
        return None

    def exec_module(self, module: ModuleType) -> None:  # noqa: ARG002 - likewise
        """Let ours stand for the library, also where it did before and the program forgot or reloads it."""
        importlib.import_module("dnnprov.dfanalyzer.stand_in").stand_in()
