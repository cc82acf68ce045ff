"""An estimator as hyperparameters: its own parameters, and the names that other frameworks have for them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from dnnprov.model.values import json_text

MAX_DEPTH = 8
_SAME_EVERYWHERE = {
    "MLPClassifier": {
        "solver": "optimizer_name", "learning_rate_init": "learning_rate", "learning_rate": "learning_rate_schedule",
        "max_iter": "num_epochs", "alpha": "weight_decay", "loss": "loss_function",
    },
    "SGDClassifier": {
        "eta0": "learning_rate", "learning_rate": "learning_rate_schedule", "max_iter": "num_epochs",
        "loss": "loss_function", "alpha": "weight_decay",
    },
    "GradientBoostingClassifier": {"n_estimators": "num_epochs", "loss": "loss_function"},
    "HistGradientBoostingClassifier": {"max_iter": "num_epochs", "loss": "loss_function"},
}  # fmt: skip
"""Class -> its parameter -> hyperparameter."""

for _name in list(_SAME_EVERYWHERE):
    _SAME_EVERYWHERE[_name.replace("Classifier", "Regressor")] = _SAME_EVERYWHERE[_name]

_WORDS = frozenset({"learning_rate"})
"""Parameters that are a word where the hyperparameter of this name is a number."""


def final_estimator(estimator: Any) -> Any:
    """The estimator at the end of a pipeline, or within one that transforms targets, or that a search is for."""
    for _ in range(MAX_DEPTH):
        inner = None
        with suppress(Exception):  # the user's classes may have anything of these names
            if steps := getattr(estimator, "steps", None):
                inner = steps[-1][1]
            elif hasattr(estimator, "regressor") and hasattr(estimator, "transformer"):
                inner = getattr(estimator, "regressor_", None) or estimator.regressor
            elif is_search(estimator):
                inner = getattr(estimator, "best_estimator_", None) or estimator.estimator
        if inner is None or isinstance(inner, str):
            return estimator
        estimator = inner
    return estimator


def is_search(estimator: Any) -> bool:
    """Whether it searches for hyperparameters of another."""
    return any(one.__name__ == "BaseSearchCV" for one in type(estimator).__mro__)


def hyperparameters(estimator: Any, num_samples: int | None = None) -> dict[str, Any]:
    """The parameters of an estimator, and of the one at the end of it.

    Args:
        estimator: that is fitted.
        num_samples: that it is fitted to.
    """
    final = final_estimator(estimator)
    found: dict[str, Any] = {"estimator": type(final).__name__}
    if final is not estimator:
        found["estimator_wrapper"] = type(estimator).__name__
    if is_search(estimator):
        search = own_parameters(estimator)
        if search.get("error_score") != search.get("error_score"):  # NaN, which says that none is given
            del search["error_score"]
        found.update({f"search_{name}": value for name, value in search.items()})
    held = own_parameters(final)
    names = next(
        (_SAME_EVERYWHERE[kind.__name__] for kind in type(final).__mro__ if kind.__name__ in _SAME_EVERYWHERE), {}
    )
    found.update({name: value for name, value in held.items() if name not in _WORDS or name not in names})
    found.update({names[name]: value for name, value in held.items() if name in names})
    if "hidden_layer_sizes" in held:
        found["num_layers"] = _num_layers(getattr(final, "hidden_layer_sizes", ()))
        if isinstance(loss := getattr(final, "loss", None), str):  # of a classifier it is no parameter
            found["loss_function"] = loss
        if held.get("batch_size") == "auto":
            found.pop("batch_size")
            found.update({} if num_samples is None else {"batch_size": min(200, num_samples)})
    return found


def own_parameters(estimator: Any) -> dict[str, Any]:
    """What an estimator was made with, without what is `None`; other objects by their class."""
    held: dict[str, Any] = {}
    with suppress(Exception):  # a class of the user's whose constructor is not as scikit-learn wants it
        held = estimator.get_params(deep=False)
    return {name: _described(value) for name, value in held.items() if value is not None}


def _described(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return json_text([_described(one) for one in value])
    if isinstance(value, dict):
        return json_text({str(name): _described(one) for name, one in value.items()})
    if hasattr(value, "get_params") and not isinstance(value, type):
        return type(value).__name__
    return getattr(value, "__name__", None) or value


def _num_layers(hidden: Any) -> int:
    return 2 if isinstance(hidden, int) else len(hidden) + 1
