"""What an estimator has learnt, after its fit: its curves as epochs, its layers, the candidates of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import is_classifier, is_regressor

from dnnprov.integrations.sklearn.estimators import own_parameters
from dnnprov.model.values import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESULTS = {
    "n_iter_": "num_iterations", "best_loss_": "best_loss", "best_validation_score_": "best_validation_score",
    "best_score_": "best_score", "best_index_": "best_trial", "inertia_": "inertia", "oob_score_": "oob_score",
}  # fmt: skip
"""Attribute of a fitted estimator -> attribute of oFit."""


def score_name(estimator: Any) -> str:
    """What `score` gives: `accuracy` of a classifier, `r2` of a regressor, or what the estimator was told to go by."""
    scoring = own_parameters(estimator).get("scoring")
    if isinstance(scoring, str) and scoring != "loss":
        return scoring
    if is_classifier(estimator):
        return "accuracy"
    return "r2" if is_regressor(estimator) else "score"


def epochs(estimator: Any) -> list[dict[str, Any]]:
    """One row of oTrainingModel for each pass over the data, or stage of boosting, of which a curve is kept."""
    curves: dict[str, list[Any]] = {}
    if hasattr(estimator, "loss_curve_"):
        curves["loss"] = list(estimator.loss_curve_)
        if getattr(estimator, "validation_scores_", None) is not None:
            curves[f"val_{score_name(estimator)}"] = list(estimator.validation_scores_)
    elif hasattr(estimator, "validation_score_"):  # HistGradientBoosting; the first is from before the first stage
        curves.update(_stages("", estimator.train_score_, estimator))
        curves.update(_stages("val_", estimator.validation_score_, estimator))
    elif hasattr(estimator, "train_score_") and hasattr(estimator, "n_estimators_"):
        curves["loss"] = list(estimator.train_score_)
    length = max((len(curve) for curve in curves.values()), default=0)
    return [
        {"epoch": number + 1, **{name: curve[number] for name, curve in curves.items() if number < len(curve)}}
        for number in range(length)
    ]


def layer_rows(estimator: Any) -> list[Mapping[str, Any]]:
    """The layers of a network, by their weights; none of anything else."""
    weights, intercepts = getattr(estimator, "coefs_", None), getattr(estimator, "intercepts_", None)
    if not isinstance(weights, list) or not isinstance(intercepts, list):
        return []
    last = len(weights) - 1
    return [
        {
            "position": number + 1,
            "name": "output" if number == last else f"hidden_{number + 1}",
            "type": "Dense",
            "activation": estimator.out_activation_ if number == last else estimator.activation,
            "units": int(weight.shape[1]),
            "num_parameters": int(weight.size + intercept.size),
        }
        for number, (weight, intercept) in enumerate(zip(weights, intercepts, strict=True))
    ]


def fit_row(estimator: Any) -> dict[str, Any]:
    """What is known of the fit as a whole: a row of oFit."""
    found = {name: getattr(estimator, attribute, None) for attribute, name in _RESULTS.items()}
    return {name: value for name, value in found.items() if isinstance(value, int | float) or hasattr(value, "item")}


def candidates(search: Any) -> list[Mapping[str, Any]]:
    """The candidates of a search for hyperparameters: rows of oSearch, as of any tuner."""
    results = getattr(search, "cv_results_", None) or {}
    scores = results.get("mean_test_score")
    if scores is None:
        return []
    rows: list[Mapping[str, Any]] = []
    for number, values in enumerate(results["params"]):
        is_scored = scores[number] == scores[number]  # NaN where a fit of it raised
        row = {"trial": number, "status": "finished" if is_scored else "failed", "value": scores[number]}
        for name, key in (("value_deviation", "std_test_score"), ("place", "rank_test_score"),
                          ("fit_seconds", "mean_fit_time")):  # fmt: skip
            if key in results:
                row[name] = results[key][number]
        rows.append({**row, "params": json_text(values)})
    return rows


def _stages(prefix: str, scores: Any, estimator: Any) -> dict[str, list[Any]]:
    values = list(scores)[1:]
    if not values:
        return {}
    if getattr(estimator, "scoring", None) == "loss":
        return {f"{prefix}loss": [-value for value in values]}
    return {f"{prefix}{score_name(estimator)}": values}
