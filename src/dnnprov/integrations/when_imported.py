"""Gets ready for a framework as soon as the program has imported it, in whichever order the imports stand.

A model may be loaded from a file long before dnnprov is first used, and the run that trains it derives from that file.
So what sees files being read has to be in place from `import dnnprov` on, without loading a framework for it.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def prepare_when_imported(framework: str, integration: str) -> None:
    """Import a module of ours right after a framework, at once where that is loaded already.

    Args:
        framework: name of its top-level package.
        integration: module of ours to import then; what it raises is left for when the user asks for it.
    """
    run_when_imported(framework, integration, lambda: _prepare(integration))


def run_when_imported(framework: str, purpose: str, job: Callable[[], None]) -> None:
    """Do something right after a framework is imported, at once where that is loaded already.

    Args:
        framework: name of its top-level package.
        purpose: names the job: one that waits for the framework already is not put beside itself.
        job: must not raise.
    """
    if sys.modules.get(framework) is not None:
        job()
        return
    _awaited.setdefault(framework, {}).setdefault(purpose, job)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def _prepare(integration: str) -> None:
    with contextlib.suppress(Exception):  # said when it is used: `dnnprov.keras` imports it again
        importlib.import_module(integration)


_awaited: dict[str, dict[str, Callable[[], None]]] = {}
"""Framework -> purpose -> what to do when it is loaded."""


class _Finder:
    """Stands before the finders of Python until all frameworks are loaded: many ask only whether one could be.

    There is one for all of them: some libraries ask for what is not installed in every step of a training.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The framework as it would be found without us, but told of when it is loaded."""
        if fullname not in _awaited:
            return None
        finders = list(sys.meta_path)  # those before this one were asked already
        behind = finders[finders.index(self) + 1 :] if self in finders else finders
        others = (one for one in behind if hasattr(one, "find_spec"))
        spec = next((found for one in others if (found := one.find_spec(fullname, path, target)) is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, fullname)  # type: ignore[assignment] # it has what is called
        return spec


_finder = _Finder()


def _loaded(framework: str) -> None:
    """Do what waited for it, in the order in which that was asked for."""
    jobs = _awaited.pop(framework, {})  # nothing where another thread was faster
    if not _awaited:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(_finder)
    for job in jobs.values():
        job()


class _Loader:
    """Loads as the loader it stands for, then does what waited for that; the module keeps that other loader."""

    def __init__(self, loader: Loader, framework: str) -> None:
        self._loader = loader
        self._framework = framework

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the loader it stands for."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the loader it stands for; then our module is imported."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _loaded(self._framework)
