"""Who records the training that a thread is in, so that one training is not recorded twice.

A framework is often built on another: Keras, Lightning and the Trainer of Transformers train with PyTorch. Whichever
integration records such a training claims it for as long as it lasts, and those of the frameworks below keep silent.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class _Claims(threading.local):
    def __init__(self) -> None:
        self.held: list[str] = []


_claims = _Claims()


def claim(framework: str) -> None:
    """From now on what this thread trains is recorded by the integration of this framework, until it is released."""
    _claims.held.append(framework)


def release(framework: str) -> None:
    """Give up the last claim of a framework; where it has none, nothing happens."""
    held = _claims.held
    for place in range(len(held) - 1, -1, -1):
        if held[place] == framework:
            del held[place:]  # and what was claimed within it and left by an exception
            return


def claimed_by() -> str | None:
    """The framework whose integration records what this thread trains now; `None` where none said so."""
    held = _claims.held
    return held[-1] if held else None


class claimed:  # noqa: N801 - read as a statement: `with claimed("keras"):`
    """A block in which this thread's training is recorded by the integration of one framework.

    Example:
        >>> with claimed("keras"):
        ...     claimed_by()
        'keras'
        >>> claimed_by()
    """

    def __init__(self, framework: str) -> None:
        self._framework = framework

    def __enter__(self) -> None:
        claim(self._framework)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        release(self._framework)
