"""Which cell of a notebook is being run, as IPython tells it, which a notebook has loaded and we never load."""

from __future__ import annotations

import sys


def running_cell() -> int | None:
    """The number that the cell being run has in this kernel, another each time it is run; `None` outside of a kernel.

    A program that has `ipykernel` imported, which some libraries do, is no notebook for that.
    """
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_shell() if get_shell is not None else None
    number = getattr(shell, "execution_count", None) if getattr(shell, "kernel", None) is not None else None
    return number if isinstance(number, int) else None
