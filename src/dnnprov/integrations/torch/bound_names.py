"""Names by which libraries call a function of another one that they imported before there was a wrapper around it.

Accelerate and Transformers write their weights by `from safetensors.torch import save_file as safe_save_file`. Where
they were imported first, that name is bound to the function as it was.
"""

from __future__ import annotations

import sys
from typing import Any

LIBRARIES = ("accelerate", "transformers", "diffusers", "peft")


def bind_anew(original: Any, seen: Any) -> None:
    """Let every name that these libraries have for a function mean its wrapper."""
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] in LIBRARIES:
            held = getattr(module, "__dict__", {})
            for name in [name for name, value in list(held.items()) if value is original]:
                held[name] = seen
