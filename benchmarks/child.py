"""Runs a function of a benchmark in a process of its own: `python -m benchmarks.child MODULE FUNCTION ARGUMENTS`.

The function takes keyword arguments that JSON can carry and returns such a value. Meanwhile it may talk with its parent
line by line: `tell` and `hear` here, `Child.tell` and `Child.hear` there.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]


class Child:
    """A function that runs in a new Python; a context manager that ends it.

    Args:
        function: of a module of this package.
        arguments: for it.
    """

    def __init__(self, function: Callable[..., Any], **arguments: Any) -> None:
        command = [sys.executable, "-m", "benchmarks.child", function.__module__, function.__name__]
        self.process = subprocess.Popen(
            [*command, json.dumps(arguments)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, message: Any = None) -> None:
        """Send it something."""
        if self.process.stdin is not None:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()

    def hear(self) -> Any:
        """Wait for what it says next, or for what it returns.

        Raises:
            RuntimeError: it ended without a word; what went wrong is on stderr.
        """
        line = self.process.stdout.readline() if self.process.stdout is not None else ""
        if not line:
            raise RuntimeError(f"the process of a benchmark ended with code {self.process.wait()}")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run_child(function: Callable[..., Any], **arguments: Any) -> Any:
    """What a function returns in a process of its own."""
    with Child(function, **arguments) as child:
        return child.hear()


def tell(message: Any = None) -> None:
    """In the child: say something to the parent, whatever the standard output is meanwhile."""
    print(json.dumps(message), file=sys.__stdout__, flush=True)


def hear() -> Any:
    """In the child: wait for what the parent says."""
    return json.loads(sys.stdin.readline())


if __name__ == "__main__":
    module, name, text = sys.argv[1:]
    tell(getattr(importlib.import_module(module), name)(**json.loads(text)))
