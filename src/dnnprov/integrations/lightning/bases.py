"""The package that Lightning's classes come from: `lightning`, or `pytorch_lightning`, where the program uses that one.

The two are one code base under two names, and none takes the classes of the other for its own.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

NAMES = ("lightning.pytorch", "pytorch_lightning")


def find_package() -> Any:
    """The one that the program has imported already, else the one that is installed.

    Raises:
        ModuleNotFoundError: neither is.
    """
    for name in NAMES:
        if sys.modules.get(name) is not None:
            return sys.modules[name]
    try:
        return importlib.import_module(NAMES[0])
    except ModuleNotFoundError:
        return importlib.import_module(NAMES[1])


package = find_package()
"""`lightning.pytorch`, or what stands for it."""
