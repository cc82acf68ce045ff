"""What an optimizer of optax is made of.

A gradient transformation is a pair of functions that tell nothing of themselves. Its values stand in the closures of
its `update`: `optax.adam(0.1)` is a chain of `scale_by_adam` (b1, b2, eps) and `scale` (-0.1). So closures are read, by
the names that the functions of optax have; of a transformation of somebody else too, as far as it is written alike.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

RATE = "learning_rate"
MAX_DEPTH = 24

_MAKERS = re.compile(r"(\w+)\.<locals>\.(?:\w+\.<locals>\.)*update(?:_fn)?$")
_WRAPPERS = frozenset({"chain", "named_chain", "with_extra_args_support", "inject_hyperparams", "identity", "partition",
                       "multi_transform", "masked", "apply_if_finite", "MultiSteps", "maybe_update"})  # fmt: skip
_NAMES = {
    "scale_by_adam": "adam",
    "scale_by_adamax": "adamax",
    "scale_by_amsgrad": "amsgrad",
    "scale_by_adan": "adan",
    "scale_by_belief": "adabelief",
    "scale_by_lion": "lion",
    "scale_by_novograd": "novograd",
    "scale_by_radam": "radam",
    "scale_by_rms": "rmsprop",
    "scale_by_stddev": "rmsprop",
    "scale_by_rss": "adagrad",
    "scale_by_factored_rms": "adafactor",
    "scale_by_yogi": "yogi",
    "trace": "sgd",
}
_RENAMED = {("trace", "decay"): "momentum"}


@dataclass
class Made:
    """What an optimizer was made with.

    Attributes:
        names: of the transformations that it is made of, in order.
        values: name -> plain value.
        schedules: name -> schedule that gives the value.
    """

    names: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    schedules: dict[str, Callable[[Any], Any]] = field(default_factory=dict)

    @property
    def optimizer_name(self) -> str | None:
        """As optax calls it where it is one of those that optax has; else the first part that it has a name for."""
        known = [_NAMES.get(name, name) for name in self.names if name in _NAMES or not _is_part(name)]
        name = known[0] if known else ("sgd" if RATE in self.values or RATE in self.schedules else None)
        if "scale_by_trust_ratio" in self.names:
            return {"adam": "lamb", "sgd": "lars"}.get(name or "", name)
        if name == "adam" and "weight_decay" in self.values:
            return "adamw"
        return name or ("+".join(self.names) or None)


def made_of(transformation: Any) -> Made:
    """What a gradient transformation was made with, as far as that can be read."""
    made = Made()
    _read(getattr(transformation, "update", None), made, set(), 0)
    return made


def _is_part(name: str) -> bool:
    """Whether a transformation is a part of optimizers rather than one."""
    return re.match(r"scale|clip|add_|trace|keep_|zero_|ema|centralize|normalize|apply_|set_|freeze", name) is not None


def _read(function: Any, made: Made, seen: set[int], depth: int) -> None:
    if not callable(function) or id(function) in seen or depth > MAX_DEPTH:
        return
    seen.add(id(function))
    held = closure_of(function)
    name = _maker(function)
    if "inner_factory" in held:  # of inject_hyperparams
        made.names.append(str(getattr(held["inner_factory"], "__name__", "inject_hyperparams")))
        _take_injected(held, made)
        return
    if isinstance(held.get("transforms"), Mapping) and "param_labels" in held:  # of partition
        _take_parts(held["transforms"], made, seen, depth)
        return
    if callable(every := held.get("_every_k_schedule")):  # of MultiSteps
        every = closure_of(every).get("every_k_schedule")
        made.values.update({"gradient_accumulation_steps": every} if isinstance(every, int) else {})
    if name is not None and name not in _WRAPPERS:
        made.names.append(name)
        _take_values(name, held, made)
    for inner in _inner(held.values()):
        _read(inner, made, seen, depth + 1)


def _take_parts(transforms: Mapping[Any, Any], made: Made, seen: set[int], depth: int) -> None:
    """Take one optimizer for each label of parameters: of the first all, of a further one what is not as there."""
    first: Made | None = None
    for label, transformation in transforms.items():
        part = Made()
        _read(getattr(transformation, "update", None), part, set(seen), depth + 1)
        if first is None:
            first = part
            made.names += part.names
            _take(part, made, "")
            continue
        name = {} if part.optimizer_name in (None, first.optimizer_name) else {"optimizer_name": part.optimizer_name}
        values = {key: value for key, value in part.values.items() if first.values.get(key) != value}
        _take(Made([], {**name, **values}, part.schedules), made, f"_{label}")


def _take(part: Made, made: Made, behind: str) -> None:
    for name, value in part.values.items():
        made.values.setdefault(f"{name}{behind}", value)
    for name, schedule in part.schedules.items():
        made.schedules.setdefault(f"{name}{behind}", schedule)


def closure_of(function: Any) -> dict[str, Any]:
    """The variables that a function took along; of a method, what its object holds."""
    owner = getattr(function, "__self__", None)
    if owner is not None and not inspect.ismodule(owner):
        return dict(vars(owner)) if hasattr(owner, "__dict__") else {}
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    found = {}
    for name, cell in zip(code.co_freevars if code else (), cells or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # empty yet
            continue
    return found


def _maker(function: Any) -> str | None:
    found = _MAKERS.search(str(getattr(function, "__qualname__", "")))
    return found[1] if found else None


def _inner(values: Any) -> Iterator[Any]:
    """The update functions among what a closure holds."""
    for value in values:
        if isinstance(getattr(value, "update", None), Callable) and hasattr(value, "init"):  # type: ignore[arg-type]
            yield value.update
        elif inspect.isfunction(value) and _maker(value) is not None:
            yield value
        elif isinstance(value, Mapping):
            yield from _inner(value.values())
        elif isinstance(value, tuple | list):
            yield from _inner(value)


def _take_injected(held: Mapping[str, Any], made: Made) -> None:
    for name, value in (held.get("other_hps") or {}).items():
        if isinstance(value, bool | int | float | str):
            made.values.setdefault(name, value)
    for name, schedule in (held.get("sched_hps") or {}).items():
        made.schedules.setdefault(name, getattr(schedule, "schedule_fn", schedule))


def _take_values(name: str, held: Mapping[str, Any], made: Made) -> None:
    if name == "scale" and isinstance(held.get("step_size"), int | float):
        _take_scale(held["step_size"], made)
        return
    if name == "scale_by_schedule" and callable(held.get("step_size_fn")):
        inner = closure_of(held["step_size_fn"])
        if callable(inner.get(RATE)):
            made.schedules.setdefault(RATE, inner[RATE])
        return
    for key, value in held.items():
        if isinstance(value, bool | int | float | str):
            made.values.setdefault(_RENAMED.get((name, key), key), value)


def _take_scale(size: float, made: Made) -> None:
    """Take what a rate of learning becomes: a scale below zero; in adafactor one above, and the sign by itself."""
    is_adafactor = "scale_by_factored_rms" in made.names
    if (size > 0) == is_adafactor and RATE not in made.schedules:
        made.values.setdefault(RATE, abs(size))
