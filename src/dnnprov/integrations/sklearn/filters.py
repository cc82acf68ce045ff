"""Transformers as rows of oFilters, and which of them the data of a training went through."""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.sklearn.estimators import is_search, own_parameters
from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Rows = list[Mapping[str, Any]]


class TransformedData:
    """Remembers what transformers gave out, as long as the program holds it: it is known by its identity."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], Rows]] = {}

    def rows_of(self, data: Any) -> Rows:
        """The transformers that data went through, in order."""
        known = self._known.get(id(data))
        return known[1] if known is not None and known[0]() is data else []

    def note(self, data: Any, rows: Rows) -> None:
        """Data came out of these transformers."""
        key = id(data)
        with suppress(TypeError):  # a list, say, which nothing can watch
            self._known[key] = weakref.ref(data, lambda _: self._known.pop(key, None)), rows


def filter_rows(estimator: Any) -> Rows:
    """A transformer, or the transformers within an estimator that come before its last step, in order."""
    return list(_rows(estimator, "", is_last=False))


def preprocessing_rows(estimator: Any) -> Rows:
    """The transformers that an estimator has before the one that learns to predict."""
    if is_search(estimator):
        estimator = getattr(estimator, "best_estimator_", None) or estimator.estimator
    return list(_rows(estimator, "", is_last=True))


def _rows(estimator: Any, path: str, *, is_last: bool) -> Iterator[Mapping[str, Any]]:
    steps, union = getattr(estimator, "steps", None), _branches(estimator)
    if isinstance(steps, list):
        for number, (name, step) in enumerate(steps):
            yield from _rows(step, _below(path, name), is_last=is_last and number == len(steps) - 1)
    elif union is not None:
        for name, branch, columns in union:
            for row in _rows(branch, _below(path, name), is_last=False):
                yield row if columns is None else {**row, "columns": columns}
    elif not is_last and not isinstance(estimator, str) and estimator is not None:
        yield _row(estimator, path)


def _branches(estimator: Any) -> list[tuple[str, Any, str | None]] | None:
    """What transforms side by side in a ColumnTransformer or a FeatureUnion: name, transformer, columns."""
    if type(estimator).__name__ == "ColumnTransformer":
        return [(name, branch, _columns(columns)) for name, branch, columns in estimator.transformers]
    if type(estimator).__name__ == "FeatureUnion":
        return [(name, branch, None) for name, branch in estimator.transformer_list]
    return None


def _columns(columns: Any) -> str | None:
    if isinstance(columns, list | tuple):
        return json_text(list(columns))
    return None if callable(columns) else str(columns)


def _row(estimator: Any, path: str) -> dict[str, Any]:
    row: dict[str, Any] = {"filter_name": type(estimator).__name__}
    if path:
        row["step"] = path
    if held := own_parameters(estimator):
        row["parameters"] = json_text(held)
    return row


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
