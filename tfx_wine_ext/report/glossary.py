"""What the metrics of drift are called, and what each sees and does not see, for readers.

The formulas, and where the defaults come from, are in docs/drift-metrics.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tfx_wine_ext.report.text import visible

_NAME_LIMIT = 80


@dataclasses.dataclass(frozen=True)
class Term:
    """A metric in words.

    Args:
        label: What the page calls it.
        meaning: What its value is.
        sees: What raises it.
        misses: What it does not see.
        is_share: The value is a share of the values, to be shown in percent.

    Example:
        >>> METRICS["ks"].label
        'Kolmogorov-Smirnov'
    """

    label: str
    meaning: str
    sees: str
    misses: str
    is_share: bool = False


METRICS: Mapping[str, Term] = {
    "psi": Term(
        "PSI",
        "Population stability index: both sides are cut into bins (the baseline's tenths, or its "
        "common categories), and the change of each bin is weighted by its logarithm. 0 is no "
        "change; there is no upper end.",
        "any move of values from bin to bin, missing values included.",
        "moves within a bin, such as how far a tail reaches.",
    ),
    "js": Term(
        "Jensen-Shannon",
        "Jensen-Shannon distance to the base 2, over the same bins without missing values. 0 is "
        "no change, 1 is nothing in common.",
        "what PSI sees; one bin that empties cannot dominate it.",
        "moves within a bin.",
    ),
    "ks": Term(
        "Kolmogorov-Smirnov",
        "The largest difference between the two cumulative distributions: at one value, by how "
        "much more of the one side lies below it than of the other. 0 to 1.",
        "shifts of the middle best.",
        "tails: 1\u00a0% of the values moved by any distance is 0.01.",
    ),
    "wasserstein": Term(
        "Wasserstein",
        "How far values have moved on average, in standard deviations of the baseline.",
        "how far, tails included.",
        "small changes of a column with a few immense values, which widen the standard deviation.",
    ),
    "chi_square": Term(
        "Chi-square (Cramér's V)",
        "Association between the side and the category, corrected for its bias, 0 to 1; the "
        "p-value is that of the chi-square test of homogeneity.",
        "changes of common categories.",
        "rare categories one by one; it shrinks where the sides are of very different size.",
    ),
    "l_infinity": Term(
        "L-infinity",
        "The largest change of the share of any one category.",
        "one category that changed.",
        "a change spread over many categories.",
        is_share=True,
    ),
    "unseen_mass": Term(
        "Unseen values",
        "Share of the current values that the baseline does not have at all.",
        "new categories. Nearly unique texts are new by chance, which is allowed for.",
        "categories that are gone.",
        is_share=True,
    ),
    "missing_rate": Term(
        "Missing values",
        "Change of the share of values that are missing (null or not a number).",
        "columns that fill up or run empty.",
        "which rows they are missing from.",
        is_share=True,
    ),
    "infinite_rate": Term(
        "Infinite values",
        "Change of the share of values that are infinite.",
        "divisions by zero that were not there before.",
        "very large finite values.",
        is_share=True,
    ),
}

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
