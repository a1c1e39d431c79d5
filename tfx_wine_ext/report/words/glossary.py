"""Labels and meanings of the metrics of evaluations and of the columns of score tables.

The records of drift metrics contain theirs: see `tfx_wine_ext.drift.metrics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tfx_wine_ext.drift.metrics import registered_metrics
from tfx_wine_ext.report.words.text import visible

_NAME_LIMIT = 80


class Measure(NamedTuple):
    """The description of a metric of an evaluation.

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


# The metrics of an evaluation, by TFMA's names.
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

# The columns of the score tables, for readers who see them for the first time.
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


class Term(NamedTuple):
    """An entry of a page's glossary.

    Attributes:
        label: What the page calls the metric.
        meaning: What its value is.
        sees: What raises it; "" for a metric of an evaluation.
        misses: What it does not see; "" for a metric of an evaluation.
        better: 1: higher is better; -1: lower is better; 0: neither can be said.
    """

    label: str
    meaning: str
    sees: str = ""
    misses: str = ""
    better: int = 0


def terms(*, drift: Iterable[str | None] = (), evaluation: Iterable[str] = ()) -> dict[str, Term]:
    """The known facts about metrics, by the ids of their entries in the glossary of a page.

    A metric of drift and one of an evaluation may share a name; their ids differ.

    Args:
        drift: Names of metrics of drift; None is ignored.
        evaluation: Names of metrics of an evaluation.

    Example:
        >>> list(terms(drift=["ks", None], evaluation=["auc", "my_own"]))
        ['drift-ks', 'evaluation-auc']
    """
    glossary = {}
    asked = set(drift)
    for name, metric in registered_metrics().items():
        if name in asked:
            term = Term(metric.label, metric.meaning, metric.sees, metric.misses)
            glossary[f"drift-{name}"] = term
    for name in evaluation:
        if name in EVALUATION:
            measure = EVALUATION[name]
            term = Term(measure.label, measure.meaning, better=measure.better)
            glossary[f"evaluation-{name}"] = term
    return glossary


def metric_label(name: str) -> str:
    """The label of a metric of an evaluation; an unknown metric keeps its name.

    Args:
        name: TFMA's name of the metric.

    Example:
        >>> metric_label("squared_pearson_correlation"), metric_label("r_at_5")
        ('R²', 'r_at_5')
    """
    if name in EVALUATION:
        return EVALUATION[name].label
    return visible(name, _NAME_LIMIT) or "(no name)"
