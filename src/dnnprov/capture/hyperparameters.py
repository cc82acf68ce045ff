"""The hyperparameters of one run: what was recorded of them last, and which are not to be recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnnprov.model.values import plain_value, same_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Hyperparameters:
    """Remembers values, so that a change is seen as one."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._is_left_out: Callable[[str], bool] = lambda _: False

    def known(self, name: str) -> Any:
        """The last value recorded of one; `None` where there is none."""
        return self._values.get(name)

    def note(self, values: Mapping[str, Any]) -> None:
        """Take note of what was recorded: an adaptation is from these values on."""
        self._values.update({name: plain_value(value) for name, value in values.items()})

    def new(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of which nothing was recorded yet, as plain values, so that each is read once."""
        return {name: plain_value(value) for name, value in values.items() if name not in self._values}

    def changed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those that were recorded with another value, as plain values."""
        plain = {name: plain_value(value) for name, value in values.items() if name in self._values}
        return {name: value for name, value in plain.items() if not same_value(value, self._values[name])}

    def leave_out(self, is_left_out: Callable[[str], bool]) -> None:
        """Say which are not to be recorded where an integration reads them; a later call replaces it."""
        self._is_left_out = is_left_out

    def kept(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those that an integration read and that are to be recorded."""
        return {name: value for name, value in values.items() if not self._is_left_out(name)}
