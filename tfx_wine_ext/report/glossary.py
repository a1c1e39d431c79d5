"""What the metrics of an evaluation, and the columns of tables of scores, are called and mean.

Of the metrics of drift, that is in their own records: see `tfx_wine_ext.drift.metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping

from tfx_wine_ext.report.text import visible

_NAME_LIMIT = 80


# What an evaluation measures, by TFMA's names: what the page calls it, and whether more is better
# (1), less is better (-1), or neither can be said (0).
EVALUATION: Mapping[str, tuple[str, int]] = {
    "squared_pearson_correlation": ("R²", 1),
    "mean_squared_error": ("Mean squared error", -1),
    "root_mean_squared_error": ("Root mean squared error", -1),
    "mean_absolute_error": ("Mean absolute error", -1),
    "loss": ("Loss", -1),
    "binary_crossentropy": ("Binary cross-entropy", -1),
    "categorical_crossentropy": ("Categorical cross-entropy", -1),
    "accuracy": ("Accuracy", 1),
    "binary_accuracy": ("Binary accuracy", 1),
    "categorical_accuracy": ("Categorical accuracy", 1),
    "precision": ("Precision", 1),
    "recall": ("Recall", 1),
    "f1_score": ("F1", 1),
    "auc": ("AUC", 1),
    "auc_precision_recall": ("AUC of precision and recall", 1),
    "ndcg": ("NDCG", 1),
    "calibration": ("Calibration", 0),
    "mean_label": ("Mean of the labels", 0),
    "mean_prediction": ("Mean of the predictions", 0),
    "example_count": ("Examples", 0),
    "weighted_example_count": ("Weight of the examples", 0),
}

# Of these, what counts the data that a metric was measured on.
COUNTS = ("example_count", "weighted_example_count")

# The columns of the tables of scores, for readers who meet them for the first time.
COLUMNS: Mapping[str, str] = {
    "Limit": "The value from which on the metric fails (or warns). Metrics without one are only "
    "shown.",
    "The bar": "From 0 to twice the limit: the mark in the middle is the limit, the gap in the bar "
    "the noise floor, the thin line across its end the error. » is off the scale.",
    "Noise floor": "What chance alone exceeds in 5\u00a0% of comparisons of samples of these sizes "
    "when nothing has changed. A value below it is never held against the data.",
    "Error": "How far the value may be from the exact one, where the data were summarised in "
    "bounded memory.",
    "q-value": "The chance of such a value when nothing has changed, adjusted for the number of "
    "metrics and features that are looked at together (Benjamini-Hochberg).",
}


def metric_label(name: str) -> str:
    """What people call a metric of an evaluation; one that is not known keeps its name.

    Args:
        name: TFMA's name of it.

    Example:
        >>> metric_label("squared_pearson_correlation"), metric_label("r_at_5")
        ('R²', 'r_at_5')
    """
    if name in EVALUATION:
        return EVALUATION[name][0]
    return visible(name, _NAME_LIMIT) or "(no name)"
