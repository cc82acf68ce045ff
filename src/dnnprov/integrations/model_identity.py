"""What stands for a model where models are told apart: it can be hashed and referred to weakly, whatever the model is.

A framework may train a dataclass, which has no hash, or a dict, to which no weak reference can be made. Neither may
cost its training the record.
"""

from __future__ import annotations

import weakref
from typing import Any


class _StandIn:
    """Stands for one model that has no hash."""


_stand_ins: dict[int, tuple[weakref.ref[Any], _StandIn]] = {}
"""Identity of a model -> the model, and what stands for it for as long as it lives."""


def identity_of(model: object) -> object:
    """The model itself, or what stands for it; `None` for one that cannot be told from others."""
    key = id(model)
    try:
        reference = weakref.ref(model, lambda gone: _forget(key, gone))
    except TypeError:
        return None
    try:
        hash(model)
    except TypeError:
        known = _stand_ins.get(key)
        if known is None or known[0]() is not model:
            known = _stand_ins[key] = reference, _StandIn()
        return known[1]
    return model


def _forget(key: int, gone: weakref.ref[Any]) -> None:
    known = _stand_ins.get(key)
    if known is not None and known[0] is gone:  # else another model has the place by now
        del _stand_ins[key]
