"""Provenance of deep-learning training: record it, and ask it while the training still runs.

What is public stands in `__all__`. Importing this package loads no framework, no pandas and no database driver; each
name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnnprov import keras as keras
    from dnnprov.analysis.history import History as History
    from dnnprov.analysis.history import open_history as open  # noqa: A004 - as dnnprov.open, what people expect
    from dnnprov.analysis.result import Result as Result
    from dnnprov.capture.adaptation import Change as Change
    from dnnprov.capture.run import Run as Run
    from dnnprov.capture.run import active_run as active_run
    from dnnprov.capture.run_task import RunTask as RunTask
    from dnnprov.capture.start import start_run as start_run
    from dnnprov.errors import DnnprovError as DnnprovError

__version__ = "0.1.0"

_HOMES = {
    "Change": ("dnnprov.capture.adaptation", "Change"),
    "DnnprovError": ("dnnprov.errors", "DnnprovError"),
    "History": ("dnnprov.analysis.history", "History"),
    "Result": ("dnnprov.analysis.result", "Result"),
    "Run": ("dnnprov.capture.run", "Run"),
    "RunTask": ("dnnprov.capture.run_task", "RunTask"),
    "active_run": ("dnnprov.capture.run", "active_run"),
    "keras": ("dnnprov.keras", ""),
    "open": ("dnnprov.analysis.history", "open_history"),
    "start_run": ("dnnprov.capture.start", "start_run"),
}

__all__ = [
    "Change",
    "DnnprovError",
    "History",
    "Result",
    "Run",
    "RunTask",
    "__version__",
    "active_run",
    "keras",
    "open",
    "start_run",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'dnnprov' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    module = importlib.import_module(home[0])
    value = getattr(module, home[1]) if home[1] else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
