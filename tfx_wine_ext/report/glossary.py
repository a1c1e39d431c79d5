"""What the metrics of drift are called, and what each sees and does not see, for readers.

The formulas, and where the defaults come from, are in docs/drift-metrics.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

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


class Measure(NamedTuple):
    """A metric of an evaluation in words.

    Attributes:
        label: What the page calls it.
        better: 1: higher is better; -1: lower is better; 0: neither can be said.
        meaning: What its value is.

    Example:
        >>> EVALUATION["auc"].label
        'AUC'
    """

    label: str
    better: int
    meaning: str


# What an evaluation measures, by TFMA's names.
EVALUATION: Mapping[str, Measure] = {
    "squared_pearson_correlation": Measure(
        "R²",
        1,
        "Squared Pearson correlation of labels and predictions: 1 if one is a linear function of "
        "the other, 0 if they are unrelated. It does not see predictions that are all too high.",
    ),
    "mean_squared_error": Measure(
        "Mean squared error", -1, "Mean of the squared differences of prediction and label."
    ),
    "root_mean_squared_error": Measure(
        "Root mean squared error",
        -1,
        "Square root of the mean squared error, in the unit of the label.",
    ),
    "mean_absolute_error": Measure(
        "Mean absolute error",
        -1,
        "Mean of the absolute differences of prediction and label, in the unit of the label.",
    ),
    "loss": Measure("Loss", -1, "What training minimises, as the model itself computes it."),
    "binary_crossentropy": Measure(
        "Binary cross-entropy",
        -1,
        "Mean of -log of the probability that the model gave to the true one of two classes.",
    ),
    "categorical_crossentropy": Measure(
        "Categorical cross-entropy",
        -1,
        "Mean of -log of the probability that the model gave to the true class.",
    ),
    "accuracy": Measure("Accuracy", 1, "Share of the predictions that are right."),
    "binary_accuracy": Measure(
        "Binary accuracy", 1, "Share of the predictions on the right side of the threshold."
    ),
    "categorical_accuracy": Measure(
        "Categorical accuracy",
        1,
        "Share of the examples whose true class is the one with the highest score.",
    ),
    "precision": Measure(
        "Precision", 1, "Of the examples that are predicted to be positive, the share that are."
    ),
    "recall": Measure(
        "Recall", 1, "Of the positive examples, the share that are predicted to be positive."
    ),
    "f1_score": Measure("F1", 1, "Harmonic mean of precision and recall."),
    "auc": Measure(
        "AUC",
        1,
        "Area under the ROC curve: how often a positive example has a higher score than a negative "
        "one. 0.5 is guessing, 1 is always.",
    ),
    "auc_precision_recall": Measure(
        "AUC of precision and recall",
        1,
        "Area under the curve of precision over recall; guessing gives the share of positives.",
    ),
    "ndcg": Measure(
        "NDCG",
        1,
        "Normalised discounted cumulative gain: how near the order of the predictions is to the "
        "best one, the top counting most; 1 is the best order.",
    ),
    "calibration": Measure(
        "Calibration",
        0,
        "Mean of the predictions divided by the mean of the labels; 1 is the best value.",
    ),
    "mean_label": Measure("Mean of the labels", 0, "What the data say, on average."),
    "mean_prediction": Measure("Mean of the predictions", 0, "What the model says, on average."),
    "example_count": Measure("Examples", 0, "Number of examples that were evaluated."),
    "weighted_example_count": Measure(
        "Weight of the examples", 0, "Sum of the weights of the examples that were evaluated."
    ),
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
        return EVALUATION[name].label
    return visible(name, _NAME_LIMIT) or "(no name)"
